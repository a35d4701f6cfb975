"""Tells the runs in one file apart, and evaluation windows from training windows.

Restarted trainings append to the file of their predecessor, and nothing in a line says so. A new
run begins where a person would say so: a start line after records, an epoch that goes back, a batch
that goes back within its epoch, or an epoch that trains again after it was validated.

A Speedometer that watches the evaluation writes lines that look like training lines, between an
epoch's `Time cost` and its `Validation-` lines. Such lines are held back until the next line
decides (one epoch's windows at most): a validation line follows, or the same epoch of a new run.
"""

from __future__ import annotations

import dataclasses
import enum
import math
from collections.abc import Iterator
from dataclasses import dataclass

from fitlog_parsers.records import Event, Metric, Record, Speed, Split


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A record with its place: the file's line (from 1), the run (from 0), the rank, the time.

    `time` counts microseconds since 1970 on the writer's own clock; None where not logged.
    """

    line: int
    run: int
    node: int | None
    time: int | None
    record: Record


@dataclass(frozen=True, slots=True, kw_only=True)
class Unparsed:
    """Text that looks like a record and was not read, and why."""

    line: int
    text: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Something about the log that its reader should know; `code` is stable."""

    code: str
    line: int
    text: str


Entry = Row | Unparsed | Finding


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """What one line said, before it has its place in a run."""

    number: int
    node: int | None
    time: int | None
    records: tuple[Record, ...]


class _Stage(enum.Enum):
    TRAINING = enum.auto()
    CLOSED = enum.auto()
    VALIDATED = enum.auto()


class RunTracker:
    """Gives each line of one node its run; feed lines in order, then close."""

    def __init__(self) -> None:
        self._run = 0
        self._held: list[Line] = []
        self._saw_validation = False
        self._told_repeated = False
        self._forget()

    def add(self, line: Line) -> Iterator[Entry]:
        """The entries that `line` settles: its own, later, or those of lines held before it."""
        first = line.records[0]
        if self._held:
            verdict = self._judge_held(first)
            if verdict is None:
                self._held.append(line)
                return
            yield from self._release(verdict)
        elif self._is_ambiguous(first):
            self._held.append(line)
            return
        yield from self._place(line)

    def close(self) -> Iterator[Entry]:
        """The entries of lines still held when the log ends."""
        if self._held:
            yield Finding(
                code="undecided-windows",
                line=self._held[0].number,
                text="the log ends before it tells evaluation from the first epoch of a new run",
            )
            yield from self._release("validation" if self._saw_validation else "train")

    def _forget(self) -> None:
        """Nothing is known yet of the run that begins."""
        self._epoch: int | None = None
        self._starts: set[str] = set()
        self._last_start: Event | None = None
        self._last_start_line = 0
        self._has_records = False
        self._last_speed: Speed | None = None
        self._begin_epoch(None)

    def _begin_epoch(self, epoch: int | None) -> None:
        self._epoch = epoch
        self._stage = _Stage.TRAINING
        self._batch_end = -1
        self._closing: dict[str, float] = {}

    def _is_ambiguous(self, record: Record) -> bool:
        return (
            isinstance(record, Speed)
            and self._stage is _Stage.CLOSED
            and record.epoch is not None
            and record.epoch == self._epoch
        )

    def _judge_held(self, record: Record) -> Split | None:
        """Whose windows the held lines are; None while the log has not told."""
        match record:
            case Speed():
                return None if record.epoch == self._epoch else "validation"
            case Metric(scope="epoch", split="validation") | Event(kind="start"):
                return "validation"
            case Metric(scope="epoch") | Event(kind="time_cost"):
                return "train"
            case _:
                return None

    def _release(self, split: Split) -> Iterator[Entry]:
        held, self._held = self._held, []
        if split == "train":
            yield self._open_run(held[0], "an epoch trains again after its end")
        for line in held:
            if split == "validation":
                line = dataclasses.replace(line, records=tuple(map(_as_validation, line.records)))
                yield from self._rows(line)
            else:
                yield from self._place(line)

    def _place(self, line: Line) -> Iterator[Entry]:
        first = line.records[0]
        if first == self._last_start and line.number == self._last_start_line + 1:
            pass  # two handlers write every line twice; a second attempt would take longer
        elif reason := self._why_new_run(first):
            yield self._open_run(line, reason)
        if isinstance(first, Speed):
            repeated = first == self._last_speed
            if repeated:  # up to 0.9 there is a line for each metric: one point, several metrics
                line = dataclasses.replace(line, records=line.records[1:])
            elif self._repeats_batch(first) and not self._told_repeated:
                self._told_repeated = True
                yield Finding(
                    code="repeated-batch",
                    line=line.number,
                    text=f"batch {first.batch_end} of epoch {first.epoch} is reported again with"
                    " another speed: several writers in one log?",
                )
            self._last_speed = first
        for record in (first, *line.records):
            self._learn(record, line.number)
        yield from self._rows(line)

    def _rows(self, line: Line) -> Iterator[Row]:
        for record in line.records:
            yield Row(
                line=line.number, run=self._run, node=line.node, time=line.time, record=record
            )

    def _open_run(self, line: Line, reason: str) -> Finding:
        self._forget()
        self._run += 1
        return Finding(code="restart", line=line.number, text=f"run {self._run} begins: {reason}")

    def _why_new_run(self, record: Record) -> str:
        """The reason why a new run begins with `record`; empty where none does."""
        if isinstance(record, Event) and record.kind == "start":
            again = self._has_records or _start_kind(record) in self._starts
            return "a start line after other records" if again else ""
        if record.epoch is None or self._epoch is None:
            return ""
        if record.epoch != self._epoch:
            back = record.epoch < self._epoch
            return f"epoch {record.epoch} after epoch {self._epoch}" if back else ""
        match record:
            case Speed(batch_end=int(batch_end)) | Metric(split="train", batch_end=int(batch_end)):
                if self._stage is _Stage.VALIDATED:
                    return f"epoch {record.epoch} trains again after it was validated"
                if self._stage is _Stage.TRAINING and batch_end < self._batch_end:
                    return (
                        f"batch {batch_end} after batch {self._batch_end} of epoch {record.epoch}"
                    )
            case (
                Metric(split="train", value=float(value))
                | Event(kind="time_cost", value=float(value))
            ):
                name = _closing_name(record)
                if name in self._closing and not _same(self._closing[name], value):
                    return f"epoch {record.epoch} ends a second time"
        return ""

    def _repeats_batch(self, speed: Speed) -> bool:
        last = self._last_speed
        return last is not None and (speed.epoch, speed.batch_end) == (last.epoch, last.batch_end)

    def _learn(self, record: Record, line: int) -> None:
        if isinstance(record, Event) and record.kind == "start":
            self._starts.add(_start_kind(record))
            self._last_start, self._last_start_line = record, line
            return
        self._has_records = True
        if record.epoch is None:
            return
        if record.epoch != self._epoch:
            self._begin_epoch(record.epoch)
        match record:
            case Speed(batch_end=int(batch_end)) | Metric(split="train", batch_end=int(batch_end)):
                self._batch_end = batch_end
            case Metric(split="validation"):
                self._stage = _Stage.VALIDATED
                self._saw_validation = True
            case (
                Metric(split="train", value=float(value))
                | Event(kind="time_cost", value=float(value))
            ):
                self._closing[_closing_name(record)] = value
                if self._stage is _Stage.TRAINING:
                    self._stage = _Stage.CLOSED


def _as_validation(record: Record) -> Record:
    if isinstance(record, Event):
        return record
    return dataclasses.replace(record, split="validation")


def _closing_name(record: Record) -> str:
    return record.metric if isinstance(record, Metric) else "Time cost"


def _start_kind(event: Event) -> str:
    """FeedForward names its devices after a script named its arguments: one start, two lines."""
    return event.text.partition("(")[0].partition("[")[0]


def _same(a: float, b: float) -> bool:
    return a == b or (math.isnan(a) and math.isnan(b))
