"""What an archive has of a log, as the parsers had given it: some lines at a time, in order."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import pyarrow.dataset as pads

from fitlog.archive.manifest import Group, Manifest
from fitlog.archive.reading import Archive
from fitlog.archive.rows import printed
from fitlog.archive.runlogs import fill_columns
from fitlog.archive.store import Store, refusals
from fitlog.remedies import TOLD_BY_TABLES
from fitlog_parsers.columns import Columns

_LINES: Final = 100_000
_TABLES: Final = ("speed", "metrics", "events", "unparsed", "warnings")


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
