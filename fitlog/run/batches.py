"""Follows the batches of a fit or an evaluation: from the iterator to the last callback."""

from __future__ import annotations

import contextlib
import functools
import inspect
from collections.abc import Callable, Iterator
from typing import Any, Final

from fitlog.run.phase_recorder import PhaseRecorder
from fitlog.run.prefetch import errors_told
from fitlog.run.shadowing import shadowed

_DEFAULT_FREQUENT: Final = 50

Callback = Callable[..., None]


class Call:
    """The arguments of a call of `fit` or `score`, by upstream's names, wherever they stand."""

    def __init__(self, method: str, args: Any, kwargs: Any) -> None:
        from mxnet.module.base_module import BaseModule

        self.args = list(args)
        self.kwargs = dict(kwargs)
        self._names = list(inspect.signature(getattr(BaseModule, method)).parameters)[1:]

    def __getitem__(self, name: str) -> Any:
        place = self._names.index(name)
        return self.args[place] if place < len(self.args) else self.kwargs.get(name)

    def __setitem__(self, name: str, value: Any) -> None:
        place = self._names.index(name)
        if place < len(self.args):
            self.args[place] = value
        else:
            self.kwargs[name] = value


class Watch:
    """Tells a recorder of each batch; `after_batch` is called then."""

    def __init__(
        self, recorder: PhaseRecorder, after_batch: Callable[[], None] | None = None
    ) -> None:
        self._recorder = recorder
        self._after_batch = after_batch
        self._begun = False
        self._exhausted = False
        self._padded = 0
        self._next_padded = 0

    @contextlib.contextmanager
    def timed(self, data: Any) -> Iterator[Any]:
        """The iterator, or something in its place, with its `next` and `reset` timed."""
        from mxnet.io import DataIter

        if isinstance(data, DataIter) and type(data).__next__ is DataIter.__next__:
            with errors_told(data):
                own = {"next": self._timed_next(data.next), "reset": self._timed_reset(data.reset)}
                with shadowed(data, own):
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
        """A batch_end_callback of fit: the last thing that it does for a batch."""
        self._recorder.end_batch(
            param.epoch, param.nbatch, padded=self._padded, last=self._exhausted
        )
        if self._after_batch is not None:
            self._after_batch()

    def end_evaluated(self, param: Any) -> None:
        """A batch_end_callback of score, which asks for the next batch only afterwards."""
        self._recorder.end_batch(param.epoch, param.nbatch, padded=self._next_padded, last=False)

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

    def __init__(self, data: Any, watch: Watch) -> None:
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


class TimedCallbacks(list[Callback]):
    """A list of callbacks as upstream takes one, with one in it that calls all of the user's."""

    def __init__(
        self, recorder: PhaseRecorder, phase: str, callbacks: Any, after: Callback | None = None
    ) -> None:
        self.callbacks = callbacks
        every = _as_list(callbacks)  # upstream's own list: a callback may add another

        def call_all(*args: Any) -> None:
            for callback in every:
                callback(*args)

        timed = recorder.timed(phase, call_all)

        def call_timed(*args: Any) -> None:
            timed(*args)
            if after is not None:
                after(*args)

        super().__init__([call_timed])


def frequent(callbacks: Any) -> int:
    """How often a Speedometer reports; told by its attribute, for people write their own."""
    if isinstance(callbacks, TimedCallbacks):  # of a fit that is measured twice
        callbacks = callbacks.callbacks
    for callback in _as_list(callbacks):
        often = getattr(callback, "frequent", None)
        if isinstance(often, int) and often > 0:
            return often
    return _DEFAULT_FREQUENT


def batch_size(data: Any) -> int | None:
    """Samples in a batch as the iterator declares it; None where it does not."""
    size = getattr(data, "batch_size", None)
    return size if isinstance(size, int) and size > 0 else None


def _as_list(callbacks: Any) -> list[Callback]:
    """As upstream has it (base_module.py, _as_list): all but a list is a single callback."""
    if callbacks is None:
        return []
    return callbacks if isinstance(callbacks, list) else [callbacks]


def _padding(batch: Any) -> int:
    """Samples of the batch that only fill it up."""
    if isinstance(batch, list):
        return sum(map(_padding, batch))
    padded = getattr(batch, "pad", None)
    return padded if isinstance(padded, int) else 0
