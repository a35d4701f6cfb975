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
from dataclasses import dataclass
from typing import NamedTuple

from fitlog_parsers.records import Event, Metric, Record, Speed, Split


class Row(NamedTuple):
    """A record with its place: the file's line (from 1), the run (from 0), the rank, the time.

    `time` counts microseconds since 1970 on the writer's own clock; None where not logged. A named
    tuple, for there is one for each record, and a frozen dataclass takes far longer to make.
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


class Line(NamedTuple):
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

    def add(self, line: Line) -> list[Entry]:
        """The entries that `line` settles: its own, later, or those of lines held before it."""
        first = line.records[0]
        if self._held:
            verdict = self._judge_held(first)
            if verdict is not None:
                # A line of a whole epoch is what comes next; anything else only suggests it.
                told = isinstance(first, Metric) or verdict == "train"
                certain = told or self._saw_validation
                return self._release(verdict, certain=certain) + self._place(line)
        elif not self._is_ambiguous(first):
            return self._place(line)
        self._held.append(line)
        return []

    def close(self) -> list[Entry]:
        """The entries of lines still held when the log ends."""
        if not self._held:
            return []
        return self._release("validation" if self._saw_validation else "train", certain=False)

    def _forget(self) -> None:
        """Nothing is known yet of the run that begins."""
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
            self._stage is _Stage.CLOSED
            and isinstance(record, Speed)
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

    def _release(self, split: Split, *, certain: bool) -> list[Entry]:
        """The entries of the held lines, as windows of the evaluation or of a new run."""
        held, self._held = self._held, []
        entries: list[Entry] = []
        if not certain:
            text = "the log does not tell evaluation windows from those of a new run: taken for "
            text += "the evaluation's" if split == "validation" else "a new run's"
            entries.append(Finding(code="undecided-windows", line=held[0].number, text=text))
        # A run killed while it was evaluated: its windows, then those of the next one.
        evaluated = len(held) if split == "validation" else _first_step_back(held)
        for line in held[:evaluated]:
            records = tuple(map(_as_validation, line.records))
            entries += self._rows(line, self._without_repeated_speed(records))
        if evaluated < len(held):
            entries.append(self._open_run(held[evaluated], "an epoch trains again after its end"))
        for line in held[evaluated:]:
            entries += self._place(line)
        return entries

    def _place(self, line: Line) -> list[Entry]:
        records = line.records
        first = records[0]
        if isinstance(first, Event) and first.kind == "start":
            return [*self._begin(line, first), *self._rows(line, records)]
        entries: list[Entry] = []
        if first.epoch is not None:
            reason = self._why_new_run(first)
            if reason:
                entries.append(self._open_run(line, reason))
            if first.epoch != self._epoch:
                self._begin_epoch(first.epoch)
        last = self._last_speed
        records = self._without_repeated_speed(records)
        if isinstance(first, Speed) and _is_same_batch(first, last) and first != last:
            entries += self._repeated(line, first)
        self._learn(first)
        return entries + self._rows(line, records)

    def _without_repeated_speed(self, records: tuple[Record, ...]) -> tuple[Record, ...]:
        """Up to 0.9 there is a line for each metric: one point, and all of them."""
        if isinstance(records[0], Speed):
            last, self._last_speed = self._last_speed, records[0]
            # Two reports that name no place may well be of one speed.
            if records[0] == last and (last.epoch, last.batch_end) != (None, None):
                return records[1:]
        return records

    def _rows(self, line: Line, records: tuple[Record, ...]) -> list[Entry]:
        return [Row(line.number, self._run, line.node, line.time, record) for record in records]

    def _begin(self, line: Line, start: Event) -> list[Entry]:
        """A start line: of a new run where records, or a start of its kind, went before."""
        entries: list[Entry] = []
        kind = _start_kind(start)
        # Two handlers write every line twice; a second attempt would take longer.
        doubled = start == self._last_start and line.number == self._last_start_line + 1
        if not doubled and (self._has_records or kind in self._starts):
            entries.append(self._open_run(line, "a start line after other records"))
        self._starts.add(kind)
        self._last_start, self._last_start_line = start, line.number
        return entries

    def _repeated(self, line: Line, speed: Speed) -> list[Entry]:
        if self._told_repeated:
            return []
        self._told_repeated = True
        text = (
            f"batch {speed.batch_end} of epoch {speed.epoch} is reported again with another speed:"
            " a restart after its first report, or several writers; here they are one run"
        )
        return [Finding(code="repeated-batch", line=line.number, text=text)]

    def _open_run(self, line: Line, reason: str) -> Finding:
        self._forget()
        self._run += 1
        return Finding(code="restart", line=line.number, text=f"run {self._run} begins: {reason}")

    def _why_new_run(self, record: Record) -> str:
        """The reason why a new run begins with `record`; empty where none does."""
        epoch = record.epoch
        if epoch is None or self._epoch is None:
            return ""
        if epoch != self._epoch:
            return f"epoch {epoch} after epoch {self._epoch}" if epoch < self._epoch else ""
        batch_end = _training_batch(record)
        if batch_end is not None:
            if self._stage is _Stage.VALIDATED:
                return f"epoch {epoch} trains again after it was validated"
            if self._stage is _Stage.TRAINING and batch_end < self._batch_end:
                return f"batch {batch_end} after batch {self._batch_end} of epoch {epoch}"
            return ""
        closing = _closing_value(record)
        if closing is not None:
            name, value = closing
            if name in self._closing and not _same(self._closing[name], value):
                return f"epoch {epoch} ends a second time"
        return ""

    def _learn(self, record: Record) -> None:
        self._has_records = True
        if record.epoch is None:
            return
        batch_end = _training_batch(record)
        if batch_end is not None:
            self._batch_end = batch_end
        elif (closing := _closing_value(record)) is not None:
            self._closing[closing[0]] = closing[1]
            if self._stage is _Stage.TRAINING:
                self._stage = _Stage.CLOSED
        elif isinstance(record, Metric) and record.scope == "epoch":
            self._stage = _Stage.VALIDATED
            self._saw_validation = True


def _first_step_back(held: list[Line]) -> int:
    """Where the batches of the held lines start again; 0 where they never do."""
    previous = -1
    for i, line in enumerate(held):
        batch_end = _batch(line.records[0])
        if batch_end is not None:
            if batch_end <= previous and line.records[0] != held[i - 1].records[0]:
                return i
            previous = batch_end
    return 0


def _is_same_batch(speed: Speed, last: Speed | None) -> bool:
    """Whether the two report on one batch; where lines name no epoch that cannot be told."""
    if last is None or speed.epoch is None or speed.batch_end is None:
        return False
    return (speed.epoch, speed.batch_end) == (last.epoch, last.batch_end)


def _batch(record: Record) -> int | None:
    return None if isinstance(record, Event) else record.batch_end


def _training_batch(record: Record) -> int | None:
    """The batch that training had reached; None for a record of a whole epoch."""
    if isinstance(record, Event):
        return None
    return record.batch_end if record.split == "train" else None


def _closing_value(record: Record) -> tuple[str, float] | None:
    """Name and value of a line that ends an epoch's training; None for any other."""
    if isinstance(record, Metric):
        ends = record.split == "train" and record.scope == "epoch"
        return (record.metric, record.value) if ends else None
    if isinstance(record, Event) and record.kind == "time_cost" and record.value is not None:
        return "Time cost", record.value
    return None


def _as_validation(record: Record) -> Record:
    if isinstance(record, Event):
        return record
    return dataclasses.replace(record, split="validation")


def _start_kind(event: Event) -> str:
    """FeedForward names its devices after a script named its arguments: one start, two lines."""
    return event.text.partition("(")[0].partition("[")[0]


def _same(a: float, b: float) -> bool:
    return a == b or (math.isnan(a) and math.isnan(b))
