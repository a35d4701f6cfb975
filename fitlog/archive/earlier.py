"""What an archive has of a log, as the parsers had given it: some lines at a time, in order."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import pyarrow.dataset as pads
import pyarrow.parquet as pq

from fitlog.archive.manifest import Group, Manifest, Part
from fitlog.archive.reading import Archive
from fitlog.archive.rows import LINE_TABLES, printed
from fitlog.archive.runlogs import fill_columns
from fitlog.archive.store import Store, refusals
from fitlog.remedies import TOLD_BY_TABLES
from fitlog_parsers.columns import Columns

_LINES: Final = 100_000
_TABLES: Final = ("speed", "metrics", "events", "unparsed", "warnings")


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
            line = _last_line(store, part)
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
    archive = Archive(store=store, manifest=Manifest(number=0, groups=(group,)))
    datasets = {name: archive.dataset(name) for name in _TABLES}
    line, own = pads.field("line"), pads.field("file") == printed(file)
    for first in range(0, lines, _LINES):
        here = own & (line > first) & (line <= min(first + _LINES, lines))
        with refusals(store.url):
            tables = {
                name: dataset.to_table(filter=here).drop_columns("month")
                for name, dataset in datasets.items()
            }
        columns = Columns()
        columns.metrics.codes = codes
        columns.begin_file(file)
        fill_columns(columns, tables)
        columns.findings = [
            found for found in columns.findings if found[1].code not in TOLD_BY_TABLES
        ]
        yield columns


def _last_line(store: Store, part: Part) -> int:
    """The last line that a part has a row of."""
    with refusals(store.url):
        told = pq.read_metadata(part.path, filesystem=store.arrow())
    names = [told.row_group(0).column(i).path_in_schema for i in range(told.num_columns)]
    at = names.index("line")
    groups = [told.row_group(i).column(at).statistics for i in range(told.num_row_groups)]
    return max(int(statistics.max) for statistics in groups)
