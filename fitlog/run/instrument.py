"""`fit`: upstream's own `Module.fit`, run inside a clock.

The log stays upstream's by construction, for upstream's code writes it. Around it, the module's
methods are shadowed on the instance while the fit runs, and the iterator is wrapped; both are only
timed, never changed in what they do or return.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

from fitlog.run.phases import PhaseFile, PhaseRecorder, Sink

# What upstream's fit calls on the module, and the phase of each (base_module.py, BaseModule.fit).
_METHODS: Final = {
    "forward_backward": "compute",
    "update": "update",
    "update_metric": "metric",
    "prepare": "data",
    "get_params": "sync",
    "set_params": "sync",
    "score": "validation",
}
_DEFAULT_FREQUENT: Final = 50


def fit(
    module: Any,
    train_data: Any,
    *args: Any,
    phases: str | Path | Sink | None = "phases.jsonl",
    **kwargs: Any,
) -> None:
    """Train `module` as `module.fit(train_data, ...)` does, and record where the time goes.

    Every argument of upstream's `fit` is taken, by position or by name, and means what it means
    there. `phases` is the file that the records of `PhaseRecorder` are appended to, a function that
    is given each of them, or None to record nothing. Windows end where a Speedometer among the
    batch callbacks reports, else every 50 batches.

    Raises:
        TypeError: an argument that upstream's `fit` does not have.
        OSError: the file cannot be written.
        Whatever upstream's `fit`, the iterator or a callback raises, unchanged.
    """
    if phases is None:
        module.fit(train_data, *args, **kwargs)
    elif callable(phases):
        _fit_recorded(module, train_data, args, kwargs, phases)
    else:
        with PhaseFile(Path(phases)) as sink:
            _fit_recorded(module, train_data, args, kwargs, sink)


def _fit_recorded(
    module: Any, train_data: Any, args: tuple[Any, ...], kwargs: dict[str, Any], sink: Sink
) -> None:
    import inspect

    bound = inspect.signature(type(module).fit).bind(module, train_data, *args, **kwargs)
    bound.apply_defaults()
    call = bound.arguments
    batch_callbacks = _as_list(call["batch_end_callback"])
    recorder = PhaseRecorder(
        sink, frequent=_frequent(batch_callbacks), batch_size=_batch_size(train_data)
    )
    data = _TimedData(train_data, recorder, call["begin_epoch"])
    call["train_data"] = data
    call["batch_end_callback"] = _timed_callbacks(
        recorder, "callbacks", batch_callbacks, after=data.end_batch
    )
    call["epoch_end_callback"] = _timed_callbacks(
        recorder, "checkpoint", _as_list(call["epoch_end_callback"])
    )
    status = "failed"
    try:
        with _timed_methods(module, recorder):
            type(module).fit(*bound.args, **bound.kwargs)
        status = "finished"
    except KeyboardInterrupt:
        status = "interrupted"
        raise
    finally:
        recorder.close(status)


class _TimedData:
    """The training iterator with `next` and `reset` timed; all else is the iterator's own."""

    def __init__(self, data: Any, recorder: PhaseRecorder, begin_epoch: int) -> None:
        self._data = data
        self._recorder = recorder
        self._epoch = begin_epoch
        self._batches: Iterator[Any] = iter(())
        self._batch: Any = None
        self._next_batch: Any = None
        self._exhausted = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._data, name)

    def __iter__(self) -> _TimedData:
        self._recorder.begin_epoch(self._epoch)
        self._epoch += 1
        self._exhausted = False
        self._batch = self._next_batch = None
        with _phase(self._recorder, "data"):
            self._batches = iter(self._data)
        return self

    def __next__(self) -> Any:
        # fit asks for the next batch before the callbacks of the one at hand.
        self._batch = self._next_batch
        with _phase(self._recorder, "data"):
            try:
                self._next_batch = next(self._batches)
            except StopIteration:
                self._exhausted = True
                raise
        return self._next_batch

    def reset(self) -> None:
        """Reset the iterator; the last thing that fit does in an epoch."""
        with _phase(self._recorder, "reset") as outermost:
            self._data.reset()
        if outermost and self._exhausted:
            self._recorder.end_epoch()

    def end_batch(self, param: Any) -> None:
        """A batch_end_callback: the last thing that fit does for a batch."""
        self._recorder.end_batch(param.nbatch, padded=_padding(self._batch), last=self._exhausted)


@contextlib.contextmanager
def _phase(recorder: PhaseRecorder, phase: str) -> Iterator[bool]:
    entered = recorder.enter(phase)
    try:
        yield entered
    finally:
        if entered:
            recorder.leave()


@contextlib.contextmanager
def _timed_methods(module: Any, recorder: PhaseRecorder) -> Iterator[None]:
    """The module's methods, shadowed by timed ones on the instance for as long as this lasts."""
    own = {name: vars(module)[name] for name in _METHODS if name in vars(module)}
    try:
        for name, phase in _METHODS.items():
            setattr(module, name, _timed(getattr(module, name), recorder, phase))
        yield
    finally:
        for name in _METHODS:
            delattr(module, name)
        vars(module).update(own)


def _timed(method: Callable[..., Any], recorder: PhaseRecorder, phase: str) -> Callable[..., Any]:
    def timed(*args: Any, **kwargs: Any) -> Any:
        if not recorder.enter(phase):
            return method(*args, **kwargs)
        try:
            return method(*args, **kwargs)
        finally:
            recorder.leave()

    return timed


def _timed_callbacks(
    recorder: PhaseRecorder,
    phase: str,
    callbacks: list[Callable[..., None]],
    after: Callable[..., None] | None = None,
) -> list[Callable[..., None]]:
    """The callbacks between two more, so that theirs is one phase; `after` follows."""

    def begin(*_: Any) -> None:
        recorder.enter(phase)

    def end(*args: Any) -> None:
        recorder.leave()
        if after is not None:
            after(*args)

    return [begin, *callbacks, end]


def _as_list(callbacks: Any) -> list[Callable[..., None]]:
    if callbacks is None:
        return []
    return list(callbacks) if isinstance(callbacks, (list, tuple)) else [callbacks]


def _frequent(callbacks: list[Callable[..., None]]) -> int:
    """How often a Speedometer reports; told by its attributes, for people write their own."""
    for callback in callbacks:
        frequent = getattr(callback, "frequent", None)
        if isinstance(frequent, int) and frequent > 0:
            return frequent
    return _DEFAULT_FREQUENT


def _batch_size(data: Any) -> int | None:
    """Samples in a batch as the iterator declares it; None where it does not."""
    size = getattr(data, "batch_size", None)
    if isinstance(size, int) and size > 0:
        return size
    shapes = getattr(data, "provide_data", None)
    shape = getattr(shapes[0], "shape", None) if shapes else None
    return int(shape[0]) if shape else None


def _padding(batch: Any) -> int:
    if isinstance(batch, list):
        return sum(map(_padding, batch))
    return int(getattr(batch, "pad", None) or 0)
