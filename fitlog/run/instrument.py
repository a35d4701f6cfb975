"""`fit`: upstream's own `Module.fit`, run inside a clock.

The log stays upstream's by construction, for upstream's code writes it. While the fit runs, methods
of the module and of the iterator are shadowed on the instances by timed ones, which do and return
the same.
"""

from __future__ import annotations

import contextlib
import functools
import inspect
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

Callback = Callable[..., None]


def fit(
    module: Any,
    train_data: Any,
    *args: Any,
    phases: str | Path | Sink | None = "phases.jsonl",
    **kwargs: Any,
) -> None:
    """Train `module` as `module.fit(train_data, ...)` does, and record where the time goes.

    Every argument of the module's `fit` is taken, by position or by name, and means what it means
    there. `phases` is the file that the records of `PhaseRecorder` are appended to, a function that
    is given each of them, or None to record nothing. Windows end where a Speedometer among the
    batch callbacks reports, else every 50 batches.

    Raises:
        TypeError: an argument that the module's `fit` does not have.
        OSError: the file cannot be written.
        Whatever the module's `fit`, the iterator or a callback raises, unchanged.
    """
    inspect.signature(module.fit).bind(train_data, *args, **kwargs)
    if phases is None:
        module.fit(train_data, *args, **kwargs)
    elif callable(phases):
        _fit_recorded(module, [train_data, *args], kwargs, phases)
    else:
        with PhaseFile(Path(phases)) as sink:
            _fit_recorded(module, [train_data, *args], kwargs, sink)


def _fit_recorded(module: Any, args: list[Any], kwargs: dict[str, Any], sink: Sink) -> None:
    call = _Call(args, kwargs)
    data, callbacks = call["train_data"], call["batch_end_callback"]
    recorder = PhaseRecorder(sink, frequent=_frequent(callbacks), batch_size=_batch_size(data))
    watch = _Watch(recorder)
    call["batch_end_callback"] = _TimedCallbacks(recorder, "callbacks", callbacks, watch.end_batch)
    if call["epoch_end_callback"] is not None:
        call["epoch_end_callback"] = _TimedCallbacks(
            recorder, "checkpoint", call["epoch_end_callback"]
        )
    methods = {
        name: recorder.timed(phase, getattr(module, name)) for name, phase in _METHODS.items()
    }
    try:
        with _shadowed(module, methods), watch.timed(data) as timed_data:
            call["train_data"] = timed_data
            module.fit(*call.args, **call.kwargs)
    except BaseException as error:
        status = "interrupted" if isinstance(error, KeyboardInterrupt) else "failed"
        with contextlib.suppress(Exception):  # what went wrong first is what the caller must see
            recorder.close(status)
        raise
    recorder.close("finished")


class _Call:
    """The arguments of a call of upstream's `fit`, by name, wherever they stand."""

    def __init__(self, args: list[Any], kwargs: dict[str, Any]) -> None:
        from mxnet.module.base_module import BaseModule

        self.args = list(args)
        self.kwargs = dict(kwargs)
        self._names = list(inspect.signature(BaseModule.fit).parameters)[1:]

    def __getitem__(self, name: str) -> Any:
        place = self._names.index(name)
        return self.args[place] if place < len(self.args) else self.kwargs.get(name)

    def __setitem__(self, name: str, value: Any) -> None:
        place = self._names.index(name)
        if place < len(self.args):
            self.args[place] = value
        else:
            self.kwargs[name] = value


class _Watch:
    """Follows the batches from the iterator to their last callback."""

    def __init__(self, recorder: PhaseRecorder) -> None:
        self._recorder = recorder
        self._begun = False
        self._exhausted = False
        self._padded = 0
        self._next_padded = 0

    @contextlib.contextmanager
    def timed(self, data: Any) -> Iterator[Any]:
        """The iterator, or something in its place, with its `next` and `reset` timed."""
        from mxnet.io import DataIter

        if isinstance(data, DataIter) and type(data).__next__ is DataIter.__next__:
            own = {"next": self._timed_next(data.next), "reset": self._timed_reset(data.reset)}
            with _shadowed(data, own):
                yield data
        else:
            yield _TimedIterable(data, self)

    def iterate(self, data: Any) -> Iterator[Any]:
        """The batches of any iterable, timed."""
        fetch = self._timed_next(functools.partial(next, iter(data)))
        while True:
            try:
                batch = fetch()
            except StopIteration:
                return
            yield batch

    def reset(self, data: Any) -> None:
        """Reset, timed: the last thing that fit does in an epoch."""
        self._timed_reset(data.reset)()

    def end_batch(self, param: Any) -> None:
        """A batch_end_callback: the last thing that fit does for a batch."""
        self._recorder.end_batch(
            param.epoch, param.nbatch, padded=self._padded, last=self._exhausted
        )

    def _timed_next(self, fetch: Callable[[], Any]) -> Callable[[], Any]:
        timed_fetch = self._recorder.timed("data", fetch)

        def timed() -> Any:
            if not self._begun:
                self._begun = True
                self._recorder.end_setup()
            # fit asks for the next batch before the callbacks of the one at hand, and an iterator
            # may hand out the same object again: its padding is read at once.
            self._padded = self._next_padded
            try:
                batch = timed_fetch()
            except StopIteration:
                self._exhausted = True
                raise
            self._exhausted = False
            padded = getattr(batch, "pad", None)
            self._next_padded = padded if type(padded) is int else _padding(batch)
            return batch

        return timed

    def _timed_reset(self, reset: Callable[[], Any]) -> Callable[[], Any]:
        timed_reset = self._recorder.timed("reset", reset)

        def timed() -> Any:
            result = timed_reset()
            if self._exhausted and not self._recorder.is_busy:
                self._recorder.end_epoch()
            return result

        return timed


class _TimedIterable:
    """Stands for an iterable that is no DataIter; everything but these methods is its own."""

    def __init__(self, data: Any, watch: _Watch) -> None:
        self._data = data
        self._watch = watch

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):  # asked for by copy and pickle before there is any `_data`
            raise AttributeError(name)
        return getattr(self._data, name)

    def __len__(self) -> int:
        return len(self._data)

    def __iter__(self) -> Iterator[Any]:
        return self._watch.iterate(self._data)

    def reset(self) -> None:
        """Reset the iterable."""
        self._watch.reset(self._data)


class _TimedCallbacks(list[Callback]):
    """A list of callbacks as upstream takes one, with one in it that calls all of the user's."""

    def __init__(
        self, recorder: PhaseRecorder, phase: str, callbacks: Any, after: Callback | None = None
    ) -> None:
        self._callbacks = callbacks
        self._timed = recorder.timed(phase, self._call_all)
        self._after = after
        super().__init__([self._call_timed])

    def _call_all(self, *args: Any) -> None:
        for callback in _as_list(self._callbacks):  # read anew: a callback may add another
            callback(*args)

    def _call_timed(self, *args: Any) -> None:
        self._timed(*args)
        if self._after is not None:
            self._after(*args)


@contextlib.contextmanager
def _shadowed(thing: Any, methods: dict[str, Any]) -> Iterator[None]:
    """Methods put before the class's own on the instance; what others put there stays."""
    own = {name: vars(thing)[name] for name in methods if name in vars(thing)}
    try:
        vars(thing).update(methods)
        yield
    finally:
        for name, method in methods.items():
            if vars(thing).get(name) is method:
                del vars(thing)[name]
                if name in own:
                    vars(thing)[name] = own[name]


def _as_list(callbacks: Any) -> list[Callback]:
    """As upstream has it (base_module.py, _as_list): all but a list is a single callback."""
    if callbacks is None:
        return []
    return callbacks if isinstance(callbacks, list) else [callbacks]


def _frequent(callbacks: Any) -> int:
    """How often a Speedometer reports; told by its attribute, for people write their own."""
    for callback in _as_list(callbacks):
        frequent = getattr(callback, "frequent", None)
        if isinstance(frequent, int) and frequent > 0:
            return frequent
    return _DEFAULT_FREQUENT


def _batch_size(data: Any) -> int | None:
    """Samples in a batch as the iterator declares it; None where it does not."""
    size = getattr(data, "batch_size", None)
    return size if isinstance(size, int) and size > 0 else None


def _padding(batch: Any) -> int:
    """Samples of the batch that only fill it up."""
    if isinstance(batch, list):
        return sum(map(_padding, batch))
    padded = getattr(batch, "pad", None)
    return padded if isinstance(padded, int) else 0
