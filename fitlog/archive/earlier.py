"""What an archive has of a log, as the parsers had given it: some lines at a time, in order."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final, NamedTuple

import pyarrow as pa
import pyarrow.compute
import pyarrow.parquet as pq

from fitlog.archive.manifest import Group, Part
from fitlog.archive.parts import reading_part
from fitlog.archive.rows import LINE_TABLES, printed
from fitlog.archive.runlogs import fill_columns
from fitlog.archive.schema import schema_of
from fitlog.archive.store import Store
from fitlog.remedies import TOLD_BY_TABLES
from fitlog_parsers.columns import Columns

# Its functions are made when it is imported.
_compute: Any = pyarrow.compute
_LINES: Final = 50_000
_TABLES: Final = (*LINE_TABLES, "warnings")


class _Rows(NamedTuple):
    """A row group of a part, and the first and the last line that it has rows of."""

    path: str
    file: Any
    number: int
    first: int
    last: int


def parts_before(store: Store, group: Group, lines: int) -> dict[str, tuple[tuple[Part, ...], int]]:
    """Of a large log's tables, the parts with rows of its first lines alone; their last line.

    These parts need not be written again when the log has grown.

    Raises:
        ArchiveError: a part is missing or damaged.
    """
    found: dict[str, tuple[tuple[Part, ...], int]] = {}
    for table in LINE_TABLES:
        kept: list[Part] = []
        last = 0
        for part in group.parts.get(table, ()):
            line = max(rows.last for rows in _row_groups(store, [part]))
            if line > lines:
                break
            kept.append(part)
            last = line
        if kept:
            found[table] = tuple(kept), last
    return found


def rows_before(
    store: Store, group: Group, file: str, lines: int, codes: dict[str, int]
) -> Iterator[Columns]:
    """What the group has of the first lines of a log; `codes` are the metrics' codes, and grow.

    What only many lines tell together is left out of the findings: it will be told again.

    Raises:
        ArchiveError: a part is missing or damaged.
    """
    every = {
        name: _Reading(store.url, name, file, _row_groups(store, group.parts.get(name, ())))
        for name in _TABLES
    }
    for first in range(0, lines, _LINES):
        last = min(first + _LINES, lines)
        columns = Columns()
        columns.metrics.codes = codes
        columns.begin_file(file)
        tables = {name: rows.read(first, last) for name, rows in every.items()}
        fill_columns(columns, tables)
        columns.findings = [
            found for found in columns.findings if found[1].code not in TOLD_BY_TABLES
        ]
        yield columns


def _row_groups(store: Store, parts: Sequence[Part]) -> list[_Rows]:
    found: list[_Rows] = []
    for part in parts:
        with reading_part(store.url, part.path):
            file = pq.ParquetFile(
                part.path,
                filesystem=store.arrow(),
                pre_buffer=False,
                page_checksum_verification=True,
            )
        at = file.schema_arrow.names.index("line")
        for number in range(file.num_row_groups):
            told = file.metadata.row_group(number).column(at).statistics
            found.append(_Rows(part.path, file, number, int(told.min), int(told.max)))
    return found


class _Reading:
    """The rows of one log in a table, read by its lines from the first to the last."""

    def __init__(self, url: str, table: str, file: str, groups: Sequence[_Rows]) -> None:
        self._url = url
        self._schema = schema_of(table)
        self._file = printed(file)
        self._groups = list(groups)
        # Those of a group that some rows were read of, and others will be.
        self._read: dict[_Rows, Any] = {}

    def read(self, first: int, last: int) -> Any:
        """The rows of the lines behind `first`, up to `last`."""
        here = [rows for rows in self._groups if rows.last > first and rows.first <= last]
        self._read = {rows: self._read.get(rows) or self._rows_of(rows) for rows in here}
        some = [
            table if first < rows.first and rows.last <= last else _between(table, first, last)
            for rows, table in self._read.items()
        ]
        return pa.concat_tables([self._schema.empty_table(), *some])

    def _rows_of(self, rows: _Rows) -> Any:
        with reading_part(self._url, rows.path):
            table = rows.file.read_row_group(rows.number, use_threads=False).cast(self._schema)
        return table.filter(_compute.equal(table["file"], self._file))


def _between(table: Any, first: int, last: int) -> Any:
    """The rows of the lines behind `first`, up to `last`."""
    line = table["line"].to_numpy()
    return table.filter(pa.array((line > first) & (line <= last)))
