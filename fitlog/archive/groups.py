"""Groups made of groups: without some logs or damaged parts, with other words, or many as one.

Parts never change: each of these writes new ones, and the old ones stay as long as they are read.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
import pyarrow as pa

from fitlog.archive import LOST
from fitlog.archive.manifest import Group
from fitlog.archive.parts import read_table, write_group, write_part
from fitlog.archive.schema import TABLES, schema_of
from fitlog.archive.store import Store, open_store
from fitlog.errors import DamagedPartError

# A group that has fewer logs and fewer bytes is small; so many small ones of a month become one.
SMALL_LOGS: Final = 50
SMALL_BYTES: Final = 4 << 20
_FEWEST: Final = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Merge:
    """Groups of one month of the archive at `archive` that are to be one."""

    archive: str
    groups: tuple[Group, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Mended:
    """A group without its `damaged` parts, by path: what could be read of it, None if nothing.

    `files` are the logs that it is known to hold, `logs` counts those that it held.
    """

    group: Group | None
    damaged: tuple[str, ...]
    files: tuple[str, ...]
    logs: int


def sources_of(store: Store, group: Group) -> list[dict[str, Any]]:
    """What is known of each log in the group: the rows of its table `sources`.

    Raises:
        DamagedPartError: a part is missing or damaged. ArchiveError: the store cannot be used.
    """
    rows: list[dict[str, Any]] = read_table(store, "sources", [group]).to_pylist()
    return rows


def without(store: Store, group: Group, files: Collection[str]) -> Group | None:
    """The group without what was read of some logs; None where nothing is left.

    Raises:
        DamagedPartError: a part is missing or damaged. ArchiveError: one cannot be written.
    """
    unwanted = set(files)
    tables: dict[str, Any] = {}
    for table in group.parts:
        rows = read_table(store, table, [group])
        file = rows["file"].combine_chunks()
        kept = np.array([name not in unwanted for name in file.dictionary.to_pylist()], dtype=bool)
        tables[table] = _fresh(table, rows.filter(pa.array(kept[file.indices.to_numpy()])))
    if not tables["sources"].num_rows:
        return None
    return write_group(store, group.month, tables)


def with_marks(store: Store, group: Group, marks: Mapping[str, Mapping[str, Any]]) -> Group:
    """The group with other values in the rows of `sources` of some logs; no log is read for it.

    Raises:
        DamagedPartError: a part is missing or damaged. ArchiveError: one cannot be written.
    """
    rows = [{**row, **marks.get(row["file"], {})} for row in sources_of(store, group)]
    table = pa.Table.from_pylist(rows, schema=schema_of("sources"))
    part = write_part(store, "sources", group.month, _fresh("sources", table))
    return replace(group, parts={**group.parts, "sources": (part,)})


def mend(store: Store, group: Group) -> Mended:
    """The group without what is missing or damaged; `sources` says that its logs are to be read.

    Raises:
        ArchiveError: the store cannot be used.
    """
    tables: dict[str, Any] = {}
    damaged: list[str] = []
    for table in group.parts:
        try:
            tables[table] = read_table(store, table, [group])
        except DamagedPartError as error:
            damaged.append(error.part)
    if damaged:
        tables["sources"] = _doubted(tables, damaged)
    fresh = {table: _fresh(table, rows) for table, rows in tables.items()}
    files = tuple(tables["sources"]["file"].to_pylist())
    return Mended(
        group=(write_group(store, group.month, fresh) if files else None) if damaged else group,
        damaged=tuple(damaged),
        files=files,
        logs=group.logs,
    )


def _doubted(tables: Mapping[str, Any], damaged: Sequence[str]) -> Any:
    """The table `sources`, made of whatever there is, of logs of which rows may be lost."""
    if "sources" in tables:
        known = tables["sources"].to_pylist()
    else:
        files = {file for rows in tables.values() for file in rows["file"].unique().to_pylist()}
        nothing = {"size": 0, "version": "", "record": "", "digest": "", "lines": 0, "dialects": []}
        known = [{"file": file, **nothing} for file in sorted(files)]
    runs = Counter(tables["runs"]["file"].to_pylist() if "runs" in tables else ())
    lost = f"rows of it are lost with {', '.join(damaged)}"
    rows = [
        {**row, "reads": LOST, "runs": runs[row["file"]], "reason": row.get("reason") or lost}
        for row in known
    ]
    return pa.Table.from_pylist(rows, schema=schema_of("sources"))


def merge(task: Merge) -> Group | None:
    """One group with the rows of several; None if a part is missing or damaged.

    Raises:
        ArchiveError: the store cannot be used.
    """
    store = open_store(task.archive)
    try:
        tables = {
            table: _fresh(table, read_table(store, table, task.groups))
            for table in TABLES
            if any(table in group.parts for group in task.groups)
        }
    except DamagedPartError:  # they stay as they are
        return None
    return write_group(store, task.groups[0].month, tables)


def small_groups(archive: str, groups: Sequence[Group]) -> Iterator[Merge]:
    """Small groups, of each month in their order, that are better merged."""
    months: dict[str, list[Group]] = {}
    for group in sorted(groups, key=lambda group: group.order):
        if group.logs < SMALL_LOGS and group.size < SMALL_BYTES:
            months.setdefault(group.month, []).append(group)
    for small in months.values():
        if len(small) < _FEWEST:
            continue
        together: list[Group] = []
        for group in small:
            together.append(group)
            logs, size = sum(g.logs for g in together), sum(g.size for g in together)
            if logs >= SMALL_LOGS and size >= SMALL_BYTES:
                yield Merge(archive=archive, groups=tuple(together))
                together = []
        if len(together) > 1:
            yield Merge(archive=archive, groups=tuple(together))


def _fresh(table: str, rows: Any) -> Any:
    """The rows with dictionaries of their own values alone: as if they had been read so."""
    schema = schema_of(table)
    columns = [
        rows[field.name].cast(pa.string()).combine_chunks().dictionary_encode()
        if pa.types.is_dictionary(field.type)
        else rows[field.name]
        for field in schema
    ]
    return pa.Table.from_arrays(columns, schema=schema)
