"""`fit` and `instrument`: upstream's own `Module.fit`, run inside a clock.

The log stays upstream's by construction, for upstream's code writes it. While the fit runs, methods
of the module and of the iterators are shadowed on the instances by timed ones, which do and return
the same.
"""

from __future__ import annotations

import contextlib
import functools
import inspect
import itertools
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

from fitlog.run.batches import Call, TimedCallbacks, Watch, batch_size, frequent
from fitlog.run.fast import faster
from fitlog.run.phase_file import PhaseFile
from fitlog.run.phase_recorder import PhaseRecorder, Sink
from fitlog.run.sampling import EngineSampler
from fitlog.run.shadowing import shadowed
from fitlog.run.trace import MakeRecorder, traced
from fitlog.run_folder import PHASE_FILE

# What upstream's fit calls on the module, and the phase of each (base_module.py, BaseModule.fit).
_METHODS: Final = {
    "forward_backward": "compute",
    "update": "update",
    "update_metric": "metric",
    "prepare": "data",
    "get_params": "sync",
    "set_params": "sync",
}
# The same of BaseModule.score.
_EVALUATION_METHODS: Final = {"forward": "compute", "update_metric": "metric", "prepare": "data"}


def fit(
    module: Any,
    train_data: Any,
    *args: Any,
    phases: str | Path | Sink | None = PHASE_FILE,
    sync_every: int | None = None,
    fast: bool = False,
    trace: str | Path | None = None,
    **kwargs: Any,
) -> None:
    """Train `module` as `module.fit(train_data, ...)` does, and record where the time goes.

    Every argument of the module's `fit` is taken, by position or by name, and means what it means
    there. `phases` is the file that a line of JSON is appended to for each part, a function that is
    given each of them as a dict, or None to record nothing. Windows end where a Speedometer among
    the batch callbacks reports, else every 50 batches. On one batch of `sync_every` the engine is
    waited for after each part, to tell what it truly takes, and once after an epoch's batches; None
    is one of 50, at most ten times a second, and 0 leaves both out. `fast` does the same with less
    work around it. `trace` is a file for a Chrome trace of the first 200 batches, or of the first
    minute.

    Warns:
        RuntimeWarning: once, where the speeds tell how fast work is queued, not done.

    Raises:
        TypeError: an argument that the module's `fit` does not have.
        OSError: the file cannot be written.
        Exception: whatever the module's `fit`, the iterator or a callback raises, unchanged.
    """
    inspect.signature(module.fit).bind(train_data, *args, **kwargs)
    if fast:
        with faster(module, [train_data, *args], kwargs) as (quick, settings):
            fit(module, *quick, phases=phases, sync_every=sync_every, trace=trace, **settings)
        return
    if phases is None and trace is None:
        module.fit(train_data, *args, **kwargs)
        return
    if not _takes_callbacks(module.fit):  # it calls upstream's
        with instrument(phases=phases or _drop, sync_every=sync_every, trace=trace):
            module.fit(train_data, *args, **kwargs)
        return
    with _opened(phases or _drop) as sink, traced(trace) as make:
        _fit_recorded(module, module.fit, [train_data, *args], kwargs, sink, sync_every, make)


@contextlib.contextmanager
def instrument(
    *,
    phases: str | Path | Sink = PHASE_FILE,
    sync_every: int | None = None,
    trace: str | Path | None = None,
) -> Iterator[None]:
    """Measure every `fit` of every module, as `fit` does, and every `score` beside them.

    For a `with` block, or as a decorator. In the records, `fit` counts the fits from 0; those of an
    evaluation outside of any fit have none. The rest is as with `fit`.

    Raises:
        OSError: the file cannot be written.
    """
    from fitlog.run.shim import import_mxnet

    import_mxnet()
    from mxnet.module.base_module import BaseModule

    numbers = itertools.count()
    active: set[int] = set()  # modules whose fit or score is being measured

    def measured(measure: Callable[..., Any], original: Any) -> Any:
        @functools.wraps(original)
        def wrapper(module: Any, *args: Any, **kwargs: Any) -> Any:
            if id(module) in active:  # a fit that calls another one's, or its own score
                return original(module, *args, **kwargs)
            inspect.signature(original).bind(module, *args, **kwargs)
            active.add(id(module))
            try:
                call = functools.partial(original, module)
                return measure(module, call, args, kwargs)
            finally:
                active.discard(id(module))

        return wrapper

    with (
        _opened(phases) as sink,
        traced(trace) as make,
        contextlib.ExitStack() as patches,
    ):

        def fit_measured(module: Any, call: Any, args: Any, kwargs: Any) -> None:
            number = next(numbers)
            _fit_recorded(
                module, call, args, kwargs, lambda r: sink({"fit": number, **r}), sync_every, make
            )

        def score_measured(module: Any, call: Any, args: Any, kwargs: Any) -> Any:
            return _score_recorded(module, call, args, kwargs, sink, make)

        for method, measure in ("fit", fit_measured), ("score", score_measured):
            for owner in _owners(BaseModule, method):
                original = vars(owner)[method]
                if not _takes_callbacks(original):
                    continue  # it calls its base's, which is measured
                patches.callback(setattr, owner, method, original)
                setattr(owner, method, measured(measure, original))
        yield


@contextlib.contextmanager
def _opened(phases: str | Path | Sink) -> Iterator[Sink]:
    if callable(phases):
        yield phases
    else:
        with PhaseFile(Path(phases)) as sink:
            yield sink


def _drop(record: Any) -> None:
    """A sink for a trace without records."""


def _takes_callbacks(method: Callable[..., Any]) -> bool:
    parameters = inspect.signature(method).parameters
    has_rest = any(p.kind is inspect.Parameter.VAR_KEYWORD for p in parameters.values())
    return has_rest or "batch_end_callback" in parameters


def _owners(base: type[Any], method: str) -> Iterator[type[Any]]:
    """The class and those of its subclasses that have a method of their own."""
    if method in vars(base):
        yield base
    subclass: type[Any]
    for subclass in base.__subclasses__():
        yield from _owners(subclass, method)


def _fit_recorded(
    module: Any,
    run: Callable[..., Any],
    args: Any,
    kwargs: Any,
    sink: Sink,
    sync_every: int | None,
    make: MakeRecorder,
) -> None:
    call = Call("fit", args, kwargs)
    data, callbacks = call["train_data"], call["batch_end_callback"]
    recorder = make(sink, frequent=frequent(callbacks), batch_size=batch_size(data), warn=_warn)
    recorder.begin()
    sampler = _sampler(recorder, module, sync_every)
    watch = Watch(recorder, sampler.end_batch if sampler else None)
    timed = {
        name: recorder.timed(phase, getattr(module, name))
        for name, phase in _METHODS.items()
        if name != "prepare" or _prepares(module, call["sparse_row_id_fn"])
    }
    if sampler is not None:
        timed["get_params"] = _before(sampler.end_epoch, timed["get_params"])
    timed["score"] = recorder.timed("validation", _timed_score(module, sink, make))
    call["batch_end_callback"] = TimedCallbacks(recorder, "callbacks", callbacks, watch.end_batch)
    if call["epoch_end_callback"] is not None:
        call["epoch_end_callback"] = TimedCallbacks(
            recorder, "checkpoint", call["epoch_end_callback"]
        )
    try:
        with shadowed(module, timed), watch.timed(data) as timed_data:
            call["train_data"] = timed_data
            run(*call.args, **call.kwargs)
    except BaseException as error:
        status = "interrupted" if isinstance(error, KeyboardInterrupt) else "failed"
        with contextlib.suppress(Exception):  # what went wrong first is what the caller must see
            recorder.close(status)
        raise
    finally:
        if sampler is not None:
            sampler.close()
    recorder.close("finished")


def _timed_score(module: Any, sink: Sink, make: MakeRecorder) -> Callable[..., Any]:
    score = module.score

    def timed(*args: Any, **kwargs: Any) -> Any:
        return _score_recorded(module, score, args, kwargs, sink, make)

    return timed


def _score_recorded(
    module: Any, run: Callable[..., Any], args: Any, kwargs: Any, sink: Sink, make: MakeRecorder
) -> Any:
    """Evaluate, and record windows of the split 'validation', and a sum."""
    call = Call("score", args, kwargs)
    data, callbacks = call["eval_data"], call["batch_end_callback"]
    recorder = make(
        sink, frequent=frequent(callbacks), batch_size=batch_size(data), split="validation"
    )
    watch = Watch(recorder)
    timed = {
        name: recorder.timed(phase, getattr(module, name))
        for name, phase in _EVALUATION_METHODS.items()
    }
    call["batch_end_callback"] = TimedCallbacks(
        recorder, "callbacks", callbacks, watch.end_evaluated
    )
    with shadowed(module, timed), watch.timed(data) as timed_data:
        call["eval_data"] = timed_data
        result = run(*call.args, **call.kwargs)
    recorder.end_epoch()
    return result


def _prepares(module: Any, sparse_row_id_fn: Any) -> bool:
    """Whether `prepare` does anything: with sparse rows, or in a module like BucketingModule."""
    from mxnet.module import BaseModule, Module

    own = type(module).prepare not in (BaseModule.prepare, Module.prepare)
    return own or sparse_row_id_fn is not None


def _sampler(recorder: PhaseRecorder, module: Any, every: int | None) -> EngineSampler | None:
    if every == 0:
        return None
    import mxnet

    return EngineSampler(recorder, module, every, mxnet.nd.waitall)


def _before(first: Callable[[], None], call: Callable[..., Any]) -> Callable[..., Any]:
    def both(*args: Any, **kwargs: Any) -> Any:
        first()
        return call(*args, **kwargs)

    return both


def _warn(text: str) -> None:
    warnings.warn(text, RuntimeWarning, stacklevel=2)
