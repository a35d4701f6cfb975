"""One table of logs of any length, a part at a time: memory stays flat.

The tables of rows come as they are read, about a megabyte of the log at a time; those of epochs,
runs and warnings, which are small, when all is read.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final

from fitlog.course import Course
from fitlog.epochs import epoch_table
from fitlog.errors import NoRecordsError
from fitlog.findings import Doubts
from fitlog.reading import Progress, read_columns, read_parts
from fitlog.runtable import run_table
from fitlog.sources import Source
from fitlog.tables import ROW_TABLES, as_frame, warning_table
from fitlog_parsers import Columns

if TYPE_CHECKING:
    import pandas as pd

# These say something of a log without a record, too.
_OF_ANY_TEXT: Final = ("unparsed", "warnings")


class TableStream:
    """Iterate over it, once: frames that together are the table; a table without rows is one frame.

    `whole` gives the table in one frame, and reads the logs at once. In the end, `unparsed` and
    `warnings` count the rows of these tables, and `recordless` names the logs without a record.

    Raises:
        NoRecordsError: there is no record in any of the logs, after the last of them.
        LogError, UnknownDialectError, DialectFileError: as `read_log`, when it comes to it; at once
        with `whole`.
    """

    def __init__(
        self,
        sources: Sequence[Source],
        table: str,
        *,
        with_file: bool,
        whole: bool = False,
        dialect: str | None = None,
        dialect_file: str | os.PathLike[str] | None = None,
        progress: Progress | None = None,
    ) -> None:
        self.unparsed = self.warnings = 0
        self.recordless: list[str] = []
        self._table, self._with_file = table, with_file
        settings: dict[str, Any] = {"dialect": dialect, "dialect_file": dialect_file}
        settings["progress"] = progress
        self._parts: Iterator[Columns] = (
            iter([read_columns(sources, **settings, bulk=True)])
            if whole
            else read_parts(sources, **settings)
        )

    def __iter__(self) -> Iterator[pd.DataFrame]:
        course, doubts, columns = Course(), Doubts(), Columns()
        with_records: set[int] = set()
        findings, reason = [], ""
        empty: pd.DataFrame | None = None
        is_begun = False
        for columns in self._parts:
            course.add(columns)
            doubts.add(columns)
            findings += columns.findings
            with_records |= _files_with_records(columns)
            self.unparsed += len(columns.unparsed)
            if columns.unparsed and not reason:
                reason = columns.unparsed[0][1].reason
            if self._table not in ROW_TABLES:
                continue
            rows = self._frame(ROW_TABLES[self._table](columns), columns)
            if len(rows):
                is_begun = True
                yield rows
            else:
                empty = rows
        if not with_records and self._table not in _OF_ANY_TEXT:
            raise no_records(", ".join(columns.files), columns.lines, reason)
        self.recordless = [n for i, n in enumerate(columns.files) if i not in with_records]
        findings += doubts.find(course, columns.rule_uses)
        self.warnings = len(findings)
        course.take_medians()
        if self._table == "epochs":
            yield self._frame(epoch_table(course), columns)
        elif self._table == "runs":
            yield self._frame(run_table(course), columns)
        elif self._table == "warnings":
            yield self._frame(warning_table(findings), columns)
        elif empty is not None and not is_begun:
            yield empty

    def _frame(self, table: dict[str, Any], columns: Columns) -> pd.DataFrame:
        return as_frame(table, columns.files if self._with_file else None)


def _files_with_records(columns: Columns) -> set[int]:
    """The numbers of the files of which a training was read; that it ended says nothing of it."""
    import numpy as np

    files: set[int] = set()
    for table in (columns.speed, columns.metrics):
        files.update(np.unique(np.asarray(table.file)).tolist())
    events = zip(columns.events.file, columns.events.kind, strict=True)
    return files | {file for file, kind in events if kind != "end"}


def no_records(name: str, lines: int, reason: str) -> NoRecordsError:
    """What to say of a log without a record; `reason` is why its first text was not read."""
    if not lines:
        return NoRecordsError("is empty", path=name)
    unread = f"; not read: {reason}" if reason else ""
    return NoRecordsError(
        f"no training record in its {lines:,} line{'s' * (lines > 1)}{unread};"
        " `fitlog dialects` lists the lines that are read",
        path=name,
    )
