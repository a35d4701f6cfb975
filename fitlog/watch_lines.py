"""What is new of trainings that are watched, as plain lines: for a pipe, a file, a CI's log."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

from fitlog.printable import printable
from fitlog.watch import OVER, Warned, Watched
from fitlog.watch_view import format_duration
from fitlog_parsers import Event, Metric, Row

_MOST_VALUES: Final = 24


class EpochLines:
    """Of one run, says a line for each epoch, each validation and each warning, and for its end.

    An epoch's values stand in several lines of its log: what is said of it waits until something
    else comes, or, with `settle`, nothing more.
    """

    def __init__(self, say: Callable[[str], None], clock: Callable[[], float] = time.time) -> None:
        self._say, self._clock = say, clock
        self._run: Watched | None = None
        self._over: Watched | None = None  # its end is said behind its last line
        self._what: tuple[int, int, str] | None = None  # run, epoch, split
        self._values: dict[str, float] = {}
        self._seconds: float | None = None
        self._is_new = False

    def row(self, run: Watched, row: Row) -> None:
        """A record came."""
        record = row.record
        if isinstance(record, Metric) and record.scope == "epoch":
            split = record.split
        elif isinstance(record, Event) and record.kind == "time_cost":
            split = "train"
        elif isinstance(record, Event):
            return
        else:
            self._end()
            return
        if record.epoch is None:
            return
        what = (row.run, record.epoch, split)
        if what != self._what:
            self._end()
            self._run, self._what = run, what
        self._is_new = True
        if isinstance(record, Event):
            self._seconds = record.value
        elif len(self._values) < _MOST_VALUES:
            self._values[record.metric] = record.value

    def warning(self, run: Watched, warned: Warned) -> None:
        """A warning came."""
        place = "" if warned.line is None else f"line {warned.line}: "
        self._tell(run, f"warning: {place}{warned.text}")

    def status(self, run: Watched) -> None:
        """The record says something else."""
        self._over = run if run.status in OVER else None

    def settle(self, *, at_once: bool = False) -> None:
        """All there is was read: what nothing was added to since the last time is whole."""
        if at_once or not self._is_new:
            self._end()
            run, self._over = self._over, None
            if run:
                self._tell(run, f"{run.status}: {run.error}" if run.error else str(run.status))
        self._is_new = False

    def _end(self) -> None:
        if self._run is None or self._what is None:
            return
        run, (_, epoch, split) = self._run, self._what
        texts = [" ".join([split, *(f"{n}={v:.6g}" for n, v in self._values.items())])]
        if split == "train":
            if run.speeds:
                texts.append(f"{run.speeds[-1]:,.0f} samples/sec")
            if self._seconds is not None:
                texts.append(f"{self._seconds:.6g} s")
            eta = None if run.status in OVER else run.eta(self._clock())
            if eta is not None:
                texts.append(f"ETA {format_duration(eta)}")
        of = f" of {run.num_epochs}" if run.num_epochs else ""
        self._what, self._values, self._seconds = None, {}, None
        self._tell(run, f"Epoch[{epoch}]{of}: {', '.join(texts)}")

    def _tell(self, run: Watched, text: str) -> None:
        self._say(printable(f"{run.name}: {text}"))
