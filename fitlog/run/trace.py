"""A Chrome trace of a fit's first batches: the phases, and below them what MXNet's engine did.

The format is the Trace Event Format, as Perfetto (ui.perfetto.dev) and chrome://tracing open it:
complete events ("X") on named tracks, times in microseconds. It is bounded by batches and by
seconds, for a file of a whole training could not be opened.
"""

from __future__ import annotations

import contextlib
import json
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Final

from fitlog.run.engine_profile import EngineProfile, Operator
from fitlog.run.phase_recorder import PhaseRecorder, Sink

MOST_BATCHES: Final = 200
MOST_SECONDS: Final = 60.0
# The tracks of what Python did, from top to bottom.
TRACKS: Final = ("epochs", "batches", "phases")

_PYTHON: Final = 1  # the process of the tracks above; the engine's devices are those after it

MakeRecorder = Callable[..., PhaseRecorder]


@contextlib.contextmanager
def traced(path: str | Path | None) -> Iterator[MakeRecorder]:
    """What makes the recorders of fits and evaluations, so that they are traced into a file.

    Raises:
        OSError: the file cannot be written.
    """
    if path is None:
        yield PhaseRecorder
    else:
        trace = Trace(Path(path), most_batches=MOST_BATCHES, most_seconds=MOST_SECONDS)
        with trace:
            yield trace.make_recorder


class Trace:
    """Collects from the first recorder on, and writes the file at the end.

    The end is after so many batches, of training and evaluation together, or so many seconds, or
    with the `with` block.
    """

    def __init__(
        self,
        path: Path,
        *,
        most_batches: int,
        most_seconds: float,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self.clock = clock
        self._path = path
        self._most_batches = most_batches
        self._most_seconds = most_seconds
        self._engine = EngineProfile(clock)
        self._state = "new"
        self._batches = 0
        self._thread = 0
        self._begin = 0.0
        self._events: list[dict[str, Any]] = []
        self._open: list[tuple[str, float]] = []
        self._recorders: list[TracedRecorder] = []

    def __enter__(self) -> Trace:
        self._path.write_text("", "utf-8")  # that it cannot be written is said before the training
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.finish()

    def make_recorder(self, sink: Sink, **settings: Any) -> PhaseRecorder:
        """A recorder that is traced; the first one begins the trace."""
        if self._state == "new":
            self._state = "on"
            self._engine.start()
            self._thread = threading.get_ident()
            self._begin = self.clock()
        recorder = TracedRecorder(sink, self, clock=self.clock, **settings)
        self._recorders.append(recorder)
        return recorder

    def spanned(self, name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        """The call, on the track of phases; of the thread that began the trace only.

        A phase within itself belongs to it.
        """

        def spanned(*args: Any, **kwargs: Any) -> Any:
            if self._state != "on" or threading.get_ident() != self._thread:
                return call(*args, **kwargs)
            if any(name == around for around, _ in self._open):
                return call(*args, **kwargs)
            self._open.append((name, self.clock()))
            try:
                return call(*args, **kwargs)
            finally:
                if self._open:  # else the trace has ended meanwhile
                    self.add("phases", *self._open.pop(), self.clock())

        return spanned

    def add(self, track: str, name: str, begin: float, end: float, **facts: Any) -> None:
        """Something on one of the tracks."""
        if self._state == "on" and threading.get_ident() == self._thread:
            self._events.append(
                self._complete(name, begin, end, _PYTHON, TRACKS.index(track) + 1, facts)
            )

    def end_batch(self) -> None:
        """A batch is done: it may have been the last one to be traced."""
        self._batches += 1
        if self._state == "on" and (
            self._batches >= self._most_batches or self.clock() - self._begin >= self._most_seconds
        ):
            self.finish()

    def finish(self) -> None:
        """End the trace and write it; that it cannot be written fails no training."""
        if self._state == "done":
            return
        operators: list[Operator] = []
        if self._state == "on":
            now = self.clock()
            while self._open:
                self.add("phases", *self._open.pop(), now)
            for recorder in self._recorders:
                recorder.add_open_epoch(now)
            try:
                operators = self._engine.stop()
            except (OSError, ValueError) as error:
                self._warn(f"the trace lacks the engine's work: {error}")
        self._state = "done"
        self._recorders.clear()
        events = [*_metadata(operators), *self._events, *self._engine_events(operators)]
        content = {"traceEvents": events, "displayTimeUnit": "ms"}
        try:
            self._path.write_text(json.dumps(content), "utf-8")
        except OSError as error:
            self._warn(f"cannot write the trace {self._path}: {error.strerror or error}")
        self._events.clear()

    def _engine_events(self, operators: list[Operator]) -> Iterator[dict[str, Any]]:
        places = _places(operators)
        for operator in operators:
            process, thread = places[operator.device, operator.thread]
            yield self._complete(operator.name, operator.begin, operator.end, process, thread, {})

    def _complete(
        self, name: str, begin: float, end: float, process: int, thread: int, facts: dict[str, Any]
    ) -> dict[str, Any]:
        # Whole nanoseconds: what lies within another before rounding does so afterwards.
        first, last = (round((when - self._begin) * 1e9) for when in (begin, end))
        event = {
            "name": name,
            "ph": "X",
            "ts": first / 1e3,
            "dur": (last - first) / 1e3,
            "pid": process,
            "tid": thread,
        }
        return {**event, "args": facts} if facts else event

    def _warn(self, text: str) -> None:
        warnings.warn(text, RuntimeWarning, stacklevel=3)


class TracedRecorder(PhaseRecorder):
    """A recorder that tells a trace of each phase, batch and epoch, too."""

    def __init__(self, sink: Sink, trace: Trace, **settings: Any) -> None:
        super().__init__(sink, **settings)
        self._trace = trace
        self._batch_begin = self._epoch_begin = self.clock()

    def timed(self, phase: str, call: Callable[..., Any]) -> Callable[..., Any]:
        """As the recorder's, and on the track of phases."""
        return super().timed(phase, self._trace.spanned(phase, call))

    def measure(self, part: str, seconds: float) -> None:
        """As the recorder's; it has just been measured."""
        super().measure(part, seconds)
        if part != "batches":
            now = self.clock()
            self._trace.add("phases", f"{part} (measured)", now - seconds, now)

    def end_setup(self) -> None:
        """As the recorder's."""
        if not self._is_set_up:
            now = self.clock()
            if self._split == "train":
                self._trace.add("epochs", "setup", self._epoch_begin, now)
            self._batch_begin = self._epoch_begin = now
        super().end_setup()

    def end_batch(self, epoch: int, nbatch: int, *, padded: int, last: bool) -> None:
        """As the recorder's, and on the track of batches."""
        begin = self._batch_begin
        super().end_batch(epoch, nbatch, padded=padded, last=last)
        now = self.clock()
        name = f"batch {nbatch}" if self._split == "train" else f"{self._split} batch {nbatch}"
        self._trace.add("batches", name, begin, now, epoch=epoch, nbatch=nbatch)
        self._batch_begin = now
        self._trace.end_batch()

    def end_epoch(self, *, complete: bool = True) -> None:
        """As the recorder's, and on the track of epochs."""
        self.add_open_epoch(self.clock())
        super().end_epoch(complete=complete)
        self._batch_begin = self._epoch_begin = self.clock()

    def add_open_epoch(self, now: float) -> None:
        """Put the epoch that is under way on its track, as far as it has come."""
        if self._epoch is not None:
            name = f"epoch {self._epoch}" if self._split == "train" else self._split
            self._trace.add("epochs", name, self._epoch_begin, now, epoch=self._epoch)


def _places(operators: list[Operator]) -> dict[tuple[str, int], tuple[int, int]]:
    """Process and thread in the trace of each device and thread: MXNet's are hashes."""
    threads: dict[str, dict[int, int]] = {}
    for operator in operators:
        of_device = threads.setdefault(operator.device, {})
        of_device.setdefault(operator.thread, len(of_device) + 1)
    return {
        (device, thread): (_PYTHON + 1 + i, number)
        for i, device in enumerate(sorted(threads))
        for thread, number in threads[device].items()
    }


def _metadata(operators: list[Operator]) -> Iterator[dict[str, Any]]:
    yield from _named("process", _PYTHON, 0, "training, as Python sees it")
    for i, track in enumerate(TRACKS, 1):
        yield from _named("thread", _PYTHON, i, track)
    named = set()
    for (device, _), (process, thread) in _places(operators).items():
        if process not in named:
            named.add(process)
            yield from _named("process", process, 0, f"MXNet's engine, {device}")
        yield from _named("thread", process, thread, f"thread {thread}")


def _named(what: str, process: int, thread: int, name: str) -> Iterator[dict[str, Any]]:
    place = {"ph": "M", "pid": process, "tid": thread}
    order = process if what == "process" else thread
    yield {**place, "name": f"{what}_name", "args": {"name": name}}
    yield {**place, "name": f"{what}_sort_index", "args": {"sort_index": order}}
