"""What a log says as points of curves: each number with its run, epoch, step and time.

`step` is what other tools draw by. Reports within epochs count the batches that the log reports,
from the first epoch in it on: each epoch adds the last batch that it reported, for what comes after
that in no report is not known. Values of whole epochs count epochs, as logged.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Final, NamedTuple, Protocol

from fitlog.directions import unit_of
from fitlog.hparams import parse_hparams
from fitlog_parsers import MISSING, Columns
from fitlog_parsers.columns import SCOPES, SPLITS

Place = tuple[int, int, int | None]  # the number of the file, run, node

SPEED: Final = "samples_per_sec"
TIME_COST: Final = "time_cost"
LEARNING_RATE: Final = "lr"
# What other tools keep a step in; a log's numbers may be nonsense.
_HIGHEST_STEP: Final = 2**63 - 1
# The smallest time that is a date: below, it counts from 1970 for want of one.
_FIRST_DATE: Final = datetime(1971, 1, 1)
_BEGINNING: Final = datetime(1970, 1, 1)


class Point(NamedTuple):
    """One number of a log. A named tuple, for there is one for each value.

    `scope` is 'window', 'running' or 'epoch'; `split` is 'train' or 'validation', and empty for
    what is neither's; `step` is in batches, for the scope 'epoch' in epochs. `time` is by the
    writer's own clock, which names no zone, or what `time_source` says.
    """

    place: Place
    epoch: int | None
    step: int
    time: datetime
    time_source: str
    scope: str
    split: str
    name: str
    value: float
    unit: str
    line: int

    @property
    def tag(self) -> str:
        """The name of its curve: `window/train-accuracy`, `epoch/time_cost`."""
        return (
            f"{self.scope}/{self.split}-{self.name}" if self.split else f"{self.scope}/{self.name}"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The arguments that a run logged when it began."""

    place: Place
    line: int
    values: Mapping[str, Any]


class Clock(Protocol):
    """Gives the time of a line without a stamp, and says where it is from."""

    def __call__(self, place: Place, line: int) -> tuple[datetime, str]:
        """The time, and the word of `Point.time_source` for it."""
        ...


class Reading(NamedTuple):
    """One number as the columns have it; MISSING is what the line does not state."""

    line: int
    file: int
    run: int
    node: int
    epoch: int
    time: int
    batch_end: int
    scope: str
    split: str
    name: str
    value: float


def posix_seconds(time: datetime) -> float:
    """The seconds since 1970 that other tools want of a time that names no zone.

    It is taken as local. One that has no date counts from 1970 in every zone.
    """
    return (time.replace(tzinfo=UTC) if time < _FIRST_DATE else time).timestamp()


def as_time(microseconds: int) -> datetime:
    """The time as the writer's clock showed it."""
    return _BEGINNING + timedelta(microseconds=microseconds)


def find_settings(columns: Columns) -> Iterator[Settings]:
    """Every `Namespace(...)` that was logged."""
    events = columns.events
    for kind, text, file, run, node, line in zip(
        events.kind, events.text, events.file, events.run, events.node, events.line, strict=True
    ):
        if kind == "start" and "Namespace(" in text:
            yield Settings(
                place=as_place(file, run, node), line=int(line), values=parse_hparams(text)
            )


def as_place(file: Any, run: Any, node: Any) -> Place:
    """The place that three numbers of columns stand for."""
    return int(file), int(run), None if node == MISSING else int(node)


def readings(columns: Columns) -> Iterator[Reading]:
    """All numbers, file by file in the order of their lines."""
    tables = (_speeds(columns), _metrics(columns), _events(columns))
    return heapq.merge(*tables, key=lambda reading: (reading.file, reading.line))


class PointMaker:
    """Makes points of columns, which may come part by part; it counts the steps."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._steps: dict[Place, _Steps] = {}
        self._nodes: dict[tuple[int, int], _Known] = {}
        self._units: dict[str, str] = {
            SPEED: "samples/sec",
            TIME_COST: "seconds",
            LEARNING_RATE: "",
        }

    def points(self, columns: Columns) -> Iterator[Point]:
        """The points of these columns, in the order of their lines."""
        line, step = (-1, -1), 0
        for reading in readings(columns):
            place = as_place(reading.file, reading.run, reading.node)
            steps = self._steps_of(place, reading.node)
            if reading.scope == "epoch":
                number = reading.epoch if reading.epoch != MISSING else steps.nameless(reading)
            else:
                if line != (reading.file, reading.line):
                    step = steps.after(reading)
                    line = (reading.file, reading.line)
                number = step
            time, source = (
                self._clock(place, reading.line)
                if reading.time == MISSING
                else (as_time(reading.time), "logged")
            )
            yield Point(
                place=place,
                epoch=None if reading.epoch == MISSING else reading.epoch,
                step=min(number, _HIGHEST_STEP),
                time=time,
                time_source=source,
                scope=reading.scope,
                split=reading.split,
                name=reading.name,
                value=reading.value,
                unit=self._unit(reading.name),
                line=reading.line,
            )

    def _steps_of(self, place: Place, node: int) -> _Steps:
        steps = self._steps.get(place)
        if steps is None:
            known = self._nodes.setdefault((place[0], node), _Known())
            steps = self._steps[place] = _Steps(known)
        return steps

    def _unit(self, name: str) -> str:
        if name not in self._units:
            unit = unit_of(name)
            self._units[name] = "" if unit == "value" else unit
        return self._units[name]


@dataclass(slots=True)
class _Known:
    """What the runs of one node in a file share: where they began, how long an epoch is."""

    first_epoch: int | None = None
    batches: int = 0


@dataclass(slots=True)
class _Steps:
    """The steps of a run: `bases` has for each epoch the batches before it."""

    known: _Known
    bases: dict[int, int] = field(default_factory=dict)
    last: dict[int, int] = field(default_factory=dict)
    highest: int | None = None
    step: int = 0
    epochs: dict[tuple[str, str], int] = field(default_factory=dict)

    def after(self, reading: Reading) -> int:
        """The step that a report within an epoch has come to."""
        if reading.name == LEARNING_RATE:  # set between two reports
            return self.step
        epoch, batch = reading.epoch, reading.batch_end
        base = self._base(epoch)
        last = self.last.get(epoch, 0)
        if batch == MISSING or batch < 0:
            batch = last + 1 if reading.split == "train" else last
        elif epoch == MISSING and batch < last:  # no line names it, but another epoch has begun
            base = self.bases[epoch] = base + last
            last = 0
        if reading.split == "train":
            self.last[epoch] = max(last, batch)
            self.known.batches = max(self.known.batches, batch)
        self.step = base + batch
        return self.step

    def nameless(self, reading: Reading) -> int:
        """The number of an epoch whose line does not name it: they are counted."""
        key = reading.split, reading.name
        self.epochs[key] = self.epochs.get(key, -1) + 1
        return self.epochs[key]

    def _base(self, epoch: int) -> int:
        if epoch in self.bases:
            return self.bases[epoch]
        if epoch == MISSING:
            base = 0
        elif not self.bases:
            if self.known.first_epoch is None:
                self.known.first_epoch = epoch
            base = max(epoch - self.known.first_epoch, 0) * self.known.batches
        else:
            before = max((e for e in self.bases if e < epoch), default=None)
            base = (
                self.bases[before] + self.last.get(before, 0) * (epoch - before)
                if before is not None
                else 0
            )
        self.bases[epoch] = base
        return base


def _speeds(columns: Columns) -> Iterator[Reading]:
    rows = columns.speed
    order = _order(rows)
    for i in order:
        yield Reading(
            *_where(rows, i),
            int(rows.batch_end[i]),
            "window",
            SPLITS[rows.split[i]],
            SPEED,
            float(rows.samples_per_sec[i]),
        )


def _metrics(columns: Columns) -> Iterator[Reading]:
    rows, names = columns.metrics, columns.metrics.names
    for i in _order(rows):
        yield Reading(
            *_where(rows, i),
            int(rows.batch_end[i]),
            SCOPES[rows.scope[i]],
            SPLITS[rows.split[i]],
            names[rows.metric[i]],
            float(rows.value[i]),
        )


def _events(columns: Columns) -> Iterator[Reading]:
    rows = columns.events
    for i in _order(rows):
        kind = rows.kind[i]
        if kind in (TIME_COST, LEARNING_RATE) and rows.has_value[i]:
            scope = "epoch" if kind == TIME_COST else "window"
            yield Reading(*_where(rows, i), MISSING, scope, "", kind, float(rows.value[i]))


def _where(rows: Any, i: int) -> tuple[int, int, int, int, int, int]:
    return (
        int(rows.line[i]),
        int(rows.file[i]),
        int(rows.run[i]),
        int(rows.node[i]),
        int(rows.epoch[i]),
        int(rows.time[i]),
    )


def _order(rows: Any) -> list[int]:
    """The rows' numbers by file and line: lines of another node may have been held back."""
    import numpy as np

    order: list[int] = np.lexsort((np.asarray(rows.line), np.asarray(rows.file))).tolist()
    return order
