"""Times for logs without time stamps, from what they state of how long things took.

An epoch's windows share its `Time cost`, each as its batches over its speed; validation and
checkpoints, which it leaves out, take no time here. In an epoch that states no time the samples of
a batch are those that the log's `batch_size` says, or that the other epochs came to. The last line
is taken to be as old as the file, and the runs in a file to have followed each other.
"""

from __future__ import annotations

import bisect
import math
import os
import statistics
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from fitlog.export.points import (
    SPEED,
    TIME_COST,
    Place,
    Reading,
    as_place,
    as_time,
    find_settings,
    readings,
)
from fitlog.sources import Source
from fitlog_parsers import MISSING, Columns

# A log's numbers may be nonsense: no run takes longer than thirty years, or began before 1970.
_LONGEST_SECONDS: Final = 1e9
_EARLIEST: Final = datetime(1970, 1, 1)


def time_of_change(source: Source) -> datetime:
    """When a file was last changed, by the clock of this machine; now, for what is no file."""
    if isinstance(source, (str, os.PathLike)) and os.fspath(source) != "-":
        return datetime.fromtimestamp(Path(source).stat().st_mtime)
    return datetime.now()


class EstimatedTimes:
    """The clock of logs that were read whole; `ends` says when the files were last changed.

    Nothing is estimated before a line without a stamp asks for it.
    """

    def __init__(self, columns: Columns, ends: list[datetime]) -> None:
        self._columns, self._ends = columns, ends
        self._courses: dict[Place, _Course] = {}
        self._origins: dict[tuple[int, int], datetime] = {}

    def __call__(self, place: Place, line: int) -> tuple[datetime, str]:
        """The estimate for a line."""
        if not self._courses:
            self._courses = _courses(self._columns)
            self._origins = _origins(self._courses, self._ends)
        course = self._courses[place]
        if course.first_stamp != MISSING:  # a stamp comes later: it was at work before
            return as_time(course.first_stamp), "estimated"
        at = bisect.bisect_right(course.lines, line) - 1
        seconds = course.seconds[at] if at >= 0 else 0.0
        return self._origins[place[:2]] + timedelta(seconds=seconds), "estimated"


def time_of_reading(place: Place, line: int) -> tuple[datetime, str]:  # noqa: ARG001  # a Clock
    """The clock of a log that is followed: a line without a stamp is as old as its reading."""
    return datetime.now(), "read"


@dataclass(slots=True)
class _Epoch:
    """Lines of windows and their weights (batches over speed), and the epoch's stated time."""

    windows: list[tuple[int, float]] = field(default_factory=list)
    last_batch: int = 0
    time_cost: float | None = None
    end: int = 0


@dataclass(slots=True)
class _Course:
    """What a run of one node states of its time, then the seconds from its beginning by line."""

    first_stamp: int = MISSING
    epochs: dict[int, _Epoch] = field(default_factory=dict)
    lines: list[int] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)


def _courses(columns: Columns) -> dict[Place, _Course]:
    courses: dict[Place, _Course] = {}
    for reading in readings(columns):
        place = as_place(reading.file, reading.run, reading.node)
        course = courses.setdefault(place, _Course())
        if reading.time != MISSING:
            course.first_stamp = min(reading.time, course.first_stamp, key=_missing_last)
            continue
        _take_in(course.epochs.setdefault(reading.epoch, _Epoch()), reading)
    batch_sizes = {}
    for settings in find_settings(columns):
        size = settings.values.get("batch_size")
        if isinstance(size, int) and size > 0:
            batch_sizes[settings.place] = float(size)
    for place, course in courses.items():
        _run_through(course, batch_sizes.get(place))
    return courses


def _take_in(epoch: _Epoch, reading: Reading) -> None:
    if reading.name == TIME_COST and reading.scope == "epoch":
        if 0 <= reading.value <= _LONGEST_SECONDS:
            epoch.time_cost = reading.value
        epoch.end = reading.line
    elif reading.name == SPEED and reading.split == "train" and reading.batch_end != MISSING:
        batches, epoch.last_batch = reading.batch_end - epoch.last_batch, reading.batch_end
        if batches > 0 and math.isfinite(reading.value) and reading.value > 0:
            epoch.windows.append((reading.line, batches / reading.value))


def _run_through(course: _Course, batch_size: float | None) -> None:
    """Add up the seconds from window to window."""
    weights = {number: sum(w for _, w in e.windows) for number, e in course.epochs.items()}
    sizes = [
        epoch.time_cost / weights[number]
        for number, epoch in course.epochs.items()
        if epoch.time_cost and weights[number]
    ]
    usual = batch_size or (statistics.median(sizes) if sizes else 0.0)
    now = 0.0
    for number, epoch in course.epochs.items():
        begin = now
        samples = (
            epoch.time_cost / weights[number] if epoch.time_cost and weights[number] else usual
        )
        for line, weight in epoch.windows:
            now += weight * samples
            _mark(course, line, now)
        if epoch.time_cost is not None:
            now = begin + epoch.time_cost
            _mark(course, epoch.end, now)


def _mark(course: _Course, line: int, seconds: float) -> None:
    if not course.lines or line > course.lines[-1]:
        course.lines.append(line)
        course.seconds.append(min(seconds, _LONGEST_SECONDS))


def _origins(
    courses: dict[Place, _Course], ends: list[datetime]
) -> dict[tuple[int, int], datetime]:
    """When each run began, so that the last one of a file ended when the file was changed."""
    lengths: dict[tuple[int, int], float] = {}
    for (file, run, _), course in courses.items():
        length = course.seconds[-1] if course.seconds else 0.0
        lengths[file, run] = max(length, lengths.get((file, run), 0.0))
    origins = {}
    before = list(ends)
    for file, run in sorted(lengths, reverse=True):
        begin = before[file] - timedelta(seconds=lengths[file, run])
        origins[file, run] = before[file] = max(begin, _EARLIEST)
    return origins


def _missing_last(time: int) -> tuple[bool, int]:
    return time == MISSING, time
