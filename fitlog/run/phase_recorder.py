"""Where the time of a training goes: a clock that charges every instant to exactly one phase.

Because each switch ends one phase and begins the next at the same reading, the phases of a window
add up to its wall time by construction; what no phase claims is 'other'. The clock is an argument,
so that tests never sleep.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

from fitlog.run.resources import MachineReader, Usage, read_usage, usable_cpus

SCHEMA: Final = 1
# In the order of a batch's life, as seen from Python: the engine works in the background, so the
# phase that waits for its results (mostly 'metric') holds the time of work queued before it.
# 'pending' is such waiting by itself, before a batch whose parts are measured (see `sampling`).
PHASES: Final = (
    "data",
    "pending",
    "compute",
    "update",
    "metric",
    "callbacks",
    "sync",
    "checkpoint",
    "validation",
    "reset",
    "other",
)

_OTHER: Final = PHASES.index("other")
_NO_SECONDS: Final = (0.0,) * len(PHASES)
_SECONDS_BETWEEN_RECORDS: Final = 1.0
_DIGITS: Final = 9  # the clock counts nanoseconds
# The engine's work that is left after an epoch's batches is at most so many times what they took,
# if anything waits for it; and it is worth a word from so many seconds on.
_MOST_LEFT: Final = 1.0
_LEAST_SECONDS: Final = 0.05

Sink = Callable[[dict[str, Any]], None]


class PhaseRecorder:
    """Collects the phases of one fit, or of one evaluation, and gives a record of each part.

    Records are dicts that JSON can hold. `kind` is 'fit' (first: schema, start time), 'setup'
    (binding and initialisation), 'window', 'epoch', 'validation', 'warning' or 'end'. Windows have
    `part`: 'first' (batch 0, which no speed line covers), 'window' (what one speed line covers) or
    'tail' (the rest of the epoch's batches, never reported). Times are in seconds. Windows that are
    shorter than a second come together, a second late at most: amid a training, when all caches
    are cold, a record would cost more than a batch of a small network.

    `warn` is given, once, what should not be trusted.
    """

    def __init__(
        self,
        sink: Sink,
        *,
        frequent: int,
        batch_size: int | None,
        split: str = "train",
        warn: Callable[[str], None] | None = None,
        clock: Callable[[], float] = time.perf_counter,
        wall_clock: Callable[[], float] = time.time,
        usage: Callable[[], Usage] = read_usage,
        machine: Callable[[], Mapping[str, Any]] | None = None,
    ) -> None:
        self.clock = clock
        self._sink = sink
        self._frequent = frequent
        self._batch_size = batch_size
        self._split = split
        self._warn = warn
        self._wall_clock = wall_clock
        self._read_usage = usage
        self._read_machine = machine or MachineReader()
        self._phase = _OTHER
        self._spent = [0.0] * len(PHASES)
        self._sum = [0.0] * len(PHASES)
        self._windows: list[_Window] = []
        self._measured: dict[str, float] = {}
        self._is_set_up = False
        self._has_warned = False
        self._epoch: int | None = None
        self._window_begin: int | None = None
        self._nbatch = -1
        self._padded = 0
        self._window_padded = 0
        self._window_seconds = 0.0
        self._thread = threading.get_ident()
        self._mark = self._emitted = clock()
        self._usage = self._epoch_usage = usage()

    @property
    def is_busy(self) -> bool:
        """Whether a phase is under way."""
        return self._phase != _OTHER

    def begin(self) -> None:
        """The fit begins."""
        head = {"frequent": self._frequent, "batch_size": self._batch_size, "cpus": usable_cpus()}
        self._emit({"kind": "fit", "schema": SCHEMA, **head})

    def timed(self, phase: str, call: Callable[..., Any]) -> Callable[..., Any]:
        """The call as a phase; inside another one it belongs to that.

        Only the thread that made the recorder is timed: others work beside it.
        """
        clock, thread, this_thread = self.clock, self._thread, threading.get_ident
        place, spent = PHASES.index(phase), self._spent

        def timed(*args: Any, **kwargs: Any) -> Any:
            if self._phase != _OTHER or this_thread() != thread:
                return call(*args, **kwargs)
            begin = clock()
            spent[_OTHER] += begin - self._mark
            self._phase = place
            try:
                return call(*args, **kwargs)
            finally:
                self._mark = mark = clock()
                spent[place] += mark - begin
                self._phase = _OTHER

        return timed

    def measure(self, part: str, seconds: float) -> None:
        """What a part of one batch truly took; the window's record has the sums."""
        self._measured[part] = self._measured.get(part, 0.0) + seconds

    def end_setup(self) -> None:
        """The first batch is about to be fetched; what came before was setup."""
        if not self._is_set_up:
            self._is_set_up = True
            self._emit_sum({"kind": "setup", "split": self._split})

    def end_batch(self, epoch: int, nbatch: int, *, padded: int, last: bool) -> None:
        """Batch `nbatch` and its callbacks are done; `padded` of its samples only fill it up."""
        if epoch != self._epoch:
            if self._epoch is not None:
                self.end_epoch()
            self._epoch, self._window_begin = epoch, None
            self._padded = self._window_padded = 0
            self._window_seconds = 0.0
        self._nbatch = nbatch
        self._padded += padded
        self._window_padded += padded
        if nbatch == 0:
            self._end_window("first")
        elif nbatch % self._frequent == 0:
            self._end_window("window")
        elif last:
            self._end_window("tail")

    def end_epoch(self, *, complete: bool = True) -> None:
        """The epoch is over, with all that follows its batches, or was cut short.

        Nothing happens where none is under way.
        """
        if self._epoch is None:
            return
        if self._window_begin != self._nbatch and self._split != "train":
            self._end_window("tail")
        batches = self._nbatch + 1
        self._emit_sum(
            {
                "kind": "epoch" if self._split == "train" else self._split,
                "epoch": self._epoch,
                "complete": complete,
                "batches": batches,
                "samples": self._samples(batches, self._padded),
            }
        )
        self._epoch = None

    def close(self, status: str) -> None:
        """The fit is over: 'finished', or how else it ended."""
        self.end_setup()
        self.end_epoch(complete=False)
        self._emit({"kind": "end", "status": status})

    def check_left(self, seconds: float, since: float) -> None:
        """The engine had so many seconds of work left, after as many since it was last waited for.

        Warns where that is most of it: the speeds then tell how fast work was queued.
        """
        if self._has_warned or seconds < _LEAST_SECONDS or seconds <= _MOST_LEFT * since:
            return
        self._has_warned = True
        text = (
            f"the speed lines tell how fast batches are queued, not trained: {seconds:.2g} s of"
            f" work were left after {since:.2g} s; end each batch with a metric, or with"
            " mx.nd.waitall()"
        )
        self._emit({"kind": "warning", "code": "asynchronous-speed", "text": text})
        if self._warn is not None:
            self._warn(text)

    @property
    def epoch_seconds(self) -> float:
        """What the windows of the epoch so far add up to; 0 where it has one batch at most."""
        self._emit_windows()
        return self._window_seconds if self._nbatch > 0 else 0.0

    def _take_spent(self) -> list[float]:
        """What was spent since the last time."""
        now = self.clock()
        self._spent[self._phase] += now - self._mark
        self._mark = now
        spent = self._spent[:]
        self._spent[:] = _NO_SECONDS  # the very list that `timed` knows
        return spent

    def _end_window(self, part: str) -> None:
        usage, measured = self._read_usage(), self._measured
        self._measured = {}
        window = _Window(
            part,
            self._epoch,
            self._window_begin,
            self._nbatch,
            self._window_padded,
            self._take_spent(),
            (self._usage, usage),
            self._read_machine(),
            measured,
            self._wall_clock(),
        )
        self._windows.append(window)
        self._window_begin, self._window_padded = self._nbatch, 0
        self._usage = usage
        if self._mark - self._emitted >= _SECONDS_BETWEEN_RECORDS:
            self._emit_windows()

    def _emit_windows(self) -> None:
        windows, self._windows = self._windows, []
        self._emitted = self._mark
        for window in windows:
            batches = window.end - (-1 if window.begin is None else window.begin)
            record = {
                "kind": "window",
                "split": self._split,
                "part": window.part,
                "epoch": window.epoch,
                "batch_start": window.begin,
                "batch_end": window.end,
                "batches": batches,
                "samples": self._samples(batches, window.padded),
                **_spent(window.spent),
                **_used(*window.usage),
                **window.machine,
            }
            if window.measured:
                record["measured"] = {p: round(s, _DIGITS) for p, s in window.measured.items()}
            self._sink({**record, "time": window.time})
            self._add(window.spent)
            self._window_seconds += record["seconds"]

    def _add(self, spent: list[float]) -> None:
        """Count what was spent as the epoch's, too."""
        self._sum = [sum_ + seconds for sum_, seconds in zip(self._sum, spent, strict=True)]

    def _samples(self, batches: int, padded: int) -> int | None:
        return None if self._batch_size is None else batches * self._batch_size - padded

    def _emit_sum(self, record: dict[str, Any]) -> None:
        usage = self._read_usage()
        self._emit_windows()
        self._add(self._take_spent())
        self._emit({**record, **_spent(self._sum), **_used(self._epoch_usage, usage)})
        self._sum = [0.0] * len(PHASES)
        self._usage = self._epoch_usage = usage

    def _emit(self, record: dict[str, Any]) -> None:
        self._emit_windows()
        self._sink({**record, "time": self._wall_clock()})


class _Window(NamedTuple):
    """A window as it is kept until its record is made."""

    part: str
    epoch: int | None
    begin: int | None
    end: int
    padded: int
    spent: list[float]
    usage: tuple[Usage, Usage]
    machine: Mapping[str, Any]
    measured: dict[str, float]
    time: float


def _spent(phases: list[float]) -> dict[str, Any]:
    return {
        "seconds": round(sum(phases), _DIGITS),
        "phases": {n: round(s, _DIGITS) for n, s in zip(PHASES, phases, strict=True)},
    }


def _used(before: Usage, now: Usage) -> dict[str, Any]:
    return {
        "cpu_seconds": round(now.cpu_seconds - before.cpu_seconds, _DIGITS),
        "involuntary_switches": now.involuntary_switches - before.involuntary_switches,
    }
