"""What an archive has of a log, as the parsers had given it: some lines at a time, in order."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final, NamedTuple

import pyarrow as pa
import pyarrow.dataset as pads
import pyarrow.parquet as pq

from fitlog.archive.manifest import Group, Part
from fitlog.archive.rows import LINE_TABLES, printed
from fitlog.archive.runlogs import fill_columns
from fitlog.archive.schema import schema_of
from fitlog.archive.store import Store, refusals
from fitlog.remedies import TOLD_BY_TABLES
from fitlog_parsers.columns import Columns

_LINES: Final = 50_000
_TABLES: Final = (*LINE_TABLES, "warnings")


class _Rows(NamedTuple):
    """A row group of a part, and the first and the last line that it has rows of."""

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
    every = {name: _row_groups(store, group.parts.get(name, ())) for name in _TABLES}
    for first in range(0, lines, _LINES):
        last = min(first + _LINES, lines)
        columns = Columns()
        columns.metrics.codes = codes
        columns.begin_file(file)
        with refusals(store.url):
            tables = {name: _read(name, rows, file, first, last) for name, rows in every.items()}
        fill_columns(columns, tables)
        columns.findings = [
            found for found in columns.findings if found[1].code not in TOLD_BY_TABLES
        ]
        yield columns


def _row_groups(store: Store, parts: Sequence[Part]) -> list[_Rows]:
    found: list[_Rows] = []
    for part in parts:
        with refusals(store.url):
            file = pq.ParquetFile(part.path, filesystem=store.arrow(), pre_buffer=False)
        at = file.schema_arrow.names.index("line")
        for number in range(file.num_row_groups):
            told = file.metadata.row_group(number).column(at).statistics
            found.append(_Rows(file, number, int(told.min), int(told.max)))
    return found


def _read(table: str, every: Sequence[_Rows], file: str, first: int, last: int) -> Any:
    """The rows of a log's lines behind `first`, up to `last`."""
    schema = schema_of(table)
    line, own = pads.field("line"), pads.field("file") == printed(file)
    read = [
        rows.file.read_row_group(rows.number, use_threads=False)
        .cast(schema)
        .filter(own & (line > first) & (line <= last))
        for rows in every
        if rows.last > first and rows.first <= last
    ]
    return pa.concat_tables([schema.empty_table(), *read])
