"""What lines say about the course of a training, one by one or many at once: `Stretch`.

Whether a line is read by the rules or with thousands of others in lock-step, this is all that
`runs.RunTracker` learns of it.
"""

from __future__ import annotations

import enum
from typing import Any, NamedTuple

from fitlog_parsers.records import Event, Metric, Record, Speed, Split


class Kind(enum.IntEnum):
    """What a line says about the course of the training."""

    WINDOW = 0  # a report within an epoch
    CLOSING = 1  # an epoch's training has ended: `Train-` lines and `Time cost`
    VALIDATION = 2
    EPOCH = 3  # names its epoch, and nothing else that counts here
    OTHER = 4
    START = 5


class Stretch(NamedTuple):
    """A line of one node, or more lines of one kind and epoch whose batches go up.

    `first`: the number of its first line. `windows`, of kind WINDOW: the bounds and speed of its
    first and its last line, None for metrics alone. `from_zero` says whether its first line starts
    at batch 0, `means` whether a later one does too. `values`: what ended the epoch, by name.
    `payload` is the caller's own.
    """

    kind: Kind
    first: int
    epoch: int | None
    payload: Any
    windows: tuple[Window, Window] | None = None
    from_zero: bool = False
    means: bool = False
    values: tuple[tuple[str, float], ...] = ()
    text: str = ""


class Window(NamedTuple):
    """A report: its bounds as logged, its speed (None where a line states metrics alone)."""

    batch_start: int | None
    batch_end: int
    samples_per_sec: float | None


class Placed(NamedTuple):
    """A stretch with its run, and what its windows are."""

    stretch: Stretch
    run: int
    split: Split
    running: bool


def summarise(line: int, records: tuple[Record, ...], payload: Any) -> Stretch:
    """What the records of one line say about the course of the training."""
    first = records[0]
    if isinstance(first, Event) and first.kind == "start":
        return Stretch(Kind.START, line, first.epoch, payload, text=first.text)
    if first.epoch is None:
        return Stretch(Kind.OTHER, line, None, payload, _windows(first))
    if (windows := _windows(first)) is not None:
        from_zero = windows[0].batch_start == 0
        return Stretch(Kind.WINDOW, line, first.epoch, payload, windows, from_zero)
    values = tuple(value for record in records if (value := _closing_value(record)) is not None)
    if values:
        return Stretch(Kind.CLOSING, line, first.epoch, payload, values=values)
    is_whole = isinstance(first, Metric) and first.scope == "epoch"
    is_validation = is_whole and not isinstance(first, Event) and first.split == "validation"
    kind = Kind.VALIDATION if is_validation else Kind.EPOCH
    return Stretch(kind, line, first.epoch, payload)


def _windows(record: Record) -> tuple[Window, Window] | None:
    """The report of training that a line begins with."""
    if isinstance(record, Event) or record.batch_end is None or record.split != "train":
        return None
    speed = record.samples_per_sec if isinstance(record, Speed) else None
    window = Window(record.batch_start, record.batch_end, speed)
    return window, window


def _closing_value(record: Record) -> tuple[str, float] | None:
    """Name and value of a line that ends an epoch's training; None for any other."""
    if isinstance(record, Metric):
        ends = record.split == "train" and record.scope == "epoch"
        return (record.metric, record.value) if ends else None
    if isinstance(record, Event) and record.kind == "time_cost" and record.value is not None:
        return "Time cost", record.value
    return None
