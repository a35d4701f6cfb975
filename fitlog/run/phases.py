"""Where the time of a training goes: a clock that charges every instant to exactly one phase.

Because each switch ends one phase and begins the next at the same reading, the phases of a window
add up to its wall time by construction; what no phase claims is 'other'. The clock is an argument,
so that tests never sleep.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Final

SCHEMA: Final = 1
# In the order of a batch's life, as seen from Python: the engine works in the background, so the
# phase that waits for its results (mostly 'metric') holds the time of work queued before it.
PHASES: Final = (
    "data",
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

_SECONDS_BETWEEN_WRITES: Final = 1.0
_DIGITS: Final = 9  # the clock counts nanoseconds

Sink = Callable[[dict[str, Any]], None]


class PhaseRecorder:
    """Collects the phases of one fit and gives a record to `sink` for each part of it.

    Records are dicts that JSON can hold. `kind` is 'fit' (first: schema, start time), 'setup'
    (binding and initialisation), 'window', 'epoch' or 'end'. Windows have `part`: 'first' (batch 0,
    which no speed line covers), 'window' (what one speed line covers) or 'tail' (the rest of the
    epoch's batches, never reported). Times are in seconds.
    """

    def __init__(
        self,
        sink: Sink,
        *,
        frequent: int,
        batch_size: int | None,
        clock: Callable[[], float] = time.perf_counter,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        self._sink = sink
        self._frequent = frequent
        self._batch_size = batch_size
        self._clock = clock
        self._wall_clock = wall_clock
        self._phase = "other"
        self._spent = _no_seconds()
        self._sum = _no_seconds()
        self._is_set_up = False
        self._epoch: int | None = None
        self._window_begin: int | None = None
        self._nbatch = -1
        self._padded = 0
        self._window_padded = 0
        self._thread = threading.get_ident()
        self._mark = clock()
        self._emit(
            {"kind": "fit", "schema": SCHEMA, "frequent": frequent, "batch_size": batch_size}
        )

    @property
    def is_busy(self) -> bool:
        """Whether a phase is under way."""
        return self._phase != "other"

    def timed(self, phase: str, call: Callable[..., Any]) -> Callable[..., Any]:
        """The call as a phase; inside another one it belongs to that.

        Only the thread that made the recorder is timed: others work beside it.
        """

        def timed(*args: Any, **kwargs: Any) -> Any:
            if self._phase != "other" or threading.get_ident() != self._thread:
                return call(*args, **kwargs)
            begin = self._clock()
            self._spent["other"] += begin - self._mark
            self._phase = phase
            try:
                return call(*args, **kwargs)
            finally:
                self._mark = self._clock()
                self._spent[phase] += self._mark - begin
                self._phase = "other"

        return timed

    def end_setup(self) -> None:
        """The first batch is about to be fetched; what came before was setup."""
        if not self._is_set_up:
            self._is_set_up = True
            self._emit_sum({"kind": "setup"})

    def end_batch(self, epoch: int, nbatch: int, *, padded: int, last: bool) -> None:
        """Batch `nbatch` and its callbacks are done; `padded` of its samples only fill it up."""
        if epoch != self._epoch:
            if self._epoch is not None:
                self.end_epoch()
            self._epoch, self._window_begin = epoch, None
            self._padded = self._window_padded = 0
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
        batches = self._nbatch + 1
        self._emit_sum(
            {
                "kind": "epoch",
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

    def _take_spent(self) -> dict[str, float]:
        """What was spent since the last time, which goes into the epoch's sum as well."""
        now = self._clock()
        self._spent[self._phase] += now - self._mark
        self._mark = now
        spent, self._spent = self._spent, _no_seconds()
        for phase, seconds in spent.items():
            self._sum[phase] += seconds
        return spent

    def _end_window(self, part: str) -> None:
        batches = self._nbatch - (-1 if self._window_begin is None else self._window_begin)
        self._emit(
            {
                "kind": "window",
                "part": part,
                "epoch": self._epoch,
                "batch_start": self._window_begin,
                "batch_end": self._nbatch,
                "batches": batches,
                "samples": self._samples(batches, self._window_padded),
                **_spent(self._take_spent()),
            }
        )
        self._window_begin, self._window_padded = self._nbatch, 0

    def _samples(self, batches: int, padded: int) -> int | None:
        return None if self._batch_size is None else batches * self._batch_size - padded

    def _emit_sum(self, record: dict[str, Any]) -> None:
        self._take_spent()
        self._emit({**record, **_spent(self._sum)})
        self._sum = _no_seconds()

    def _emit(self, record: dict[str, Any]) -> None:
        self._sink({**record, "time": self._wall_clock()})


class PhaseFile:
    """A sink that appends each record to a file as one line of JSON.

    Records are written whole, with the first that comes a second or later after those before were
    written, and at the end: writing each at once would slow down a training of short windows.
    """

    def __init__(self, path: Path, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._file: IO[str] = path.open("a", encoding="utf-8")
        self._clock = clock
        self._pending: list[dict[str, Any]] = []
        self._written = clock()

    def __call__(self, record: dict[str, Any]) -> None:
        """Take one record, and write what there is if it is time."""
        self._pending.append(record)
        if self._clock() - self._written >= _SECONDS_BETWEEN_WRITES:
            self.flush()

    def flush(self) -> None:
        """Write what has been taken so far."""
        self._file.write("".join(json.dumps(record) + "\n" for record in self._pending))
        self._file.flush()
        self._pending.clear()
        self._written = self._clock()

    def __enter__(self) -> PhaseFile:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        with self._file:
            self.flush()


def _no_seconds() -> dict[str, float]:
    return dict.fromkeys(PHASES, 0.0)


def _spent(phases: dict[str, float]) -> dict[str, Any]:
    return {
        "seconds": round(sum(phases.values()), _DIGITS),
        "phases": {name: round(seconds, _DIGITS) for name, seconds in phases.items()},
    }
