"""The order in which an archive's runs began, as far as anything tells it."""

from __future__ import annotations

import re
from collections.abc import Collection
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from fitlog.archive.parts import read_table

if TYPE_CHECKING:
    from fitlog.archive.reading import Archive

_NUMBER: Final = re.compile(r"(\d+)")
# Nanoseconds since 1970, as a local file's version has them; an ETag is longer.
_TIME: Final = re.compile(r"\d{19}")


def in_order(archive: Archive, run_ids: Collection[str]) -> dict[str, datetime | None]:
    """When each run began, None where neither its log nor its `run.json` tells; the oldest first.

    For these the time of their log's last change stands in, to the minute: logs that were copied
    together are told apart by their names, where 9 is before 10. Where that is not known, as in an
    object store, they come first.

    Raises:
        ArchiveError: a part is missing or damaged.
    """
    groups = archive.groups_of(list(run_ids))
    sources = read_table(archive.store, "sources", groups, columns=["file", "version"])
    versions = {row["file"]: row["version"] for row in sources.to_pylist()}
    columns = ["run_id", "file", "run", "started"]
    rows = {
        row["run_id"]: row
        for row in read_table(archive.store, "runs", groups, columns=columns).to_pylist()
    }

    def place(run_id: str) -> tuple[Any, ...]:
        row = rows[run_id]
        when = row["started"] or _minute_of(versions[row["file"]])
        return when or datetime.min, _natural(row["file"]), row["run"]

    return {run_id: rows[run_id]["started"] for run_id in sorted(run_ids, key=place)}


def _minute_of(version: str | None) -> datetime | None:
    if version is None or not _TIME.fullmatch(version):
        return None
    when = datetime.fromtimestamp(int(version) // 10**9, UTC)
    return when.replace(second=0, tzinfo=None)


def _natural(name: str) -> list[str | int]:
    """What the name is sorted by: its numbers as numbers."""
    return [int(part) if part.isdecimal() else part for part in _NUMBER.split(name)]
