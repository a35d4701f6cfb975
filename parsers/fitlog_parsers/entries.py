"""What reading a log gives: rows, text that was not read, and findings."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import NamedTuple

from fitlog_parsers.records import Event, Metric, Record


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
    """Text that looks like a record and was not read, and why; `line` counts from 1."""

    line: int
    text: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Something about the log that its reader should know.

    `code` is stable, `line` counts from 1, `text` is a sentence for people.
    """

    code: str
    line: int
    text: str


Entry = Row | Unparsed | Finding


def settle_records(
    records: tuple[Record, ...], *, validation: bool, running: bool
) -> tuple[Record, ...]:
    """The records of a line as what they proved to be: an evaluation's, or running means."""
    if validation:
        records = tuple(
            record if isinstance(record, Event) else dataclasses.replace(record, split="validation")
            for record in records
        )
    if running:
        records = tuple(
            dataclasses.replace(record, scope="running")
            if isinstance(record, Metric) and record.batch_start == 0 and record.scope == "window"
            else record
            for record in records
        )
    return records
