"""What an archive is: numbered manifests, of which the last one counts.

A manifest lists groups of parts. A group holds all that was read of some logs of one month, in one
or more parts of each table; the table `sources` among them says which logs these are. A manifest is
made once, by exactly one indexer, and never changed: who reads has one state, whole, for as long as
it likes.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from fitlog.archive.schema import TABLES, VERSION
from fitlog.archive.store import Store, Stored, finished
from fitlog.errors import ArchiveError

FOLDER: Final = "manifests"
PARTS_FOLDER: Final = "parts"
# All that is made in an archive, beside drafts of such.
PART_PATH: Final = re.compile(
    rf"{PARTS_FOLDER}/(?:{'|'.join(TABLES)})/month=[^/\s]+/[0-9a-f]{{32}}\.parquet"
)
_MANIFEST_PATH: Final = re.compile(rf"{FOLDER}/([0-9]{{8}})\.json")
_REMEDY: Final = (
    "restore it from a copy, or remove it: the archive is then that of the manifest before, and"
    " fitlog index reads what is missing"
)
# No table has a row of it, so no month of a log's is called so.
UNKNOWN: Final = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A Parquet file: its path in the archive, its rows and its bytes."""

    path: str
    rows: int
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """The parts of some logs, by table; `month` ('2026-11', or 'unknown') is that of each of them.

    `first` is the first of the logs, `logs` counts them, `size` is the sum of their bytes.
    """

    month: str
    first: str
    logs: int
    size: int
    parts: dict[str, tuple[Part, ...]]

    @property
    def name(self) -> str:
        """What it is known by: its logs' part, whose name tells its content."""
        return self.parts["sources"][0].path

    @property
    def order(self) -> tuple[str, str, str]:
        """Groups lie in the order of months, then of logs, however they came about."""
        return self.month, self.first, self.name

    @property
    def paths(self) -> list[str]:
        """The paths of all its parts."""
        return [part.path for parts in self.parts.values() for part in parts]


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """One state of an archive; number 0 is that of one without a manifest."""

    number: int
    groups: tuple[Group, ...]

    @property
    def paths(self) -> set[str]:
        """The paths of all parts."""
        return {path for group in self.groups for path in group.paths}


EMPTY: Final = Manifest(number=0, groups=())


def path_of(number: int) -> str:
    """Where the manifest of this number is."""
    return f"{FOLDER}/{number:08d}.json"


def read_manifest(store: Store) -> Manifest:
    """The last manifest; the empty one where there is none yet.

    Raises:
        ArchiveError: it cannot be read, or is of another version.
    """
    for number in reversed(manifest_numbers(store)):
        manifest = read_numbered(store, number)
        if manifest is not None:
            return manifest
    return EMPTY


def read_numbered(store: Store, number: int) -> Manifest | None:
    """The manifest of this number; None where there is none, or none any more.

    Raises:
        ArchiveError: it cannot be read, or is of another version.
    """
    try:
        return _parse(store.read(path_of(number)), number, store.url)
    except FileNotFoundError:
        return None


def manifest_numbers(store: Store) -> list[int]:
    """The numbers of all manifests, in order.

    Raises:
        ArchiveError: they cannot be listed.
    """
    return sorted(manifests_among(store.files(FOLDER)))


def manifests_among(files: Iterable[Stored]) -> dict[int, Stored]:
    """The manifests among files of an archive, by number."""
    named = ((_MANIFEST_PATH.fullmatch(file.path), file) for file in files)
    return {int(match[1]): file for match, file in named if match}


def is_made_here(path: str) -> bool:
    """Whether a file of an archive is a part, a manifest, or a draft of such, by its path."""
    whole = finished(path)
    return bool(PART_PATH.fullmatch(whole) or _MANIFEST_PATH.fullmatch(whole))


def create_manifest(store: Store, manifest: Manifest) -> bool:
    """Make it the last one: False where another indexer has made one of this number.

    Raises:
        ArchiveError: it cannot be written.
    """
    document = {
        "schema": VERSION,
        "number": manifest.number,
        "groups": [
            {
                "month": group.month,
                "first": group.first,
                "logs": group.logs,
                "bytes": group.size,
                "parts": {
                    table: [[part.path, part.rows, part.size] for part in parts]
                    for table, parts in group.parts.items()
                },
            }
            for group in manifest.groups
        ],
    }
    return store.create(path_of(manifest.number), json.dumps(document, indent=1).encode())


def _parse(text: bytes, number: int, url: str) -> Manifest:
    place = f"{url}: {path_of(number)}"
    try:
        document = json.loads(text)
        schema = document["schema"]
    except (ValueError, TypeError, KeyError, RecursionError):
        raise ArchiveError(f"{place} is no manifest of an archive: {_REMEDY}") from None
    if schema != VERSION:
        raise ArchiveError(
            f"{place} is of schema {schema}; this fitlog reads {VERSION}: use the one that wrote it"
        )
    try:
        groups = tuple(_group(group) for group in document["groups"])
    except (ValueError, TypeError, KeyError, AttributeError):
        raise ArchiveError(f"{place} is damaged: {_REMEDY}") from None
    return Manifest(number=number, groups=groups)


def _group(document: Any) -> Group:
    parts = {
        str(table): tuple(
            Part(path=_safe(p), rows=int(rows), size=int(size)) for p, rows, size in ps
        )
        for table, ps in document["parts"].items()
        if table in TABLES
    }
    if not parts["sources"]:
        raise ValueError("no sources")
    return Group(
        month=str(document["month"]),
        first=str(document["first"]),
        logs=int(document["logs"]),
        size=int(document["bytes"]),
        parts=parts,
    )


def _safe(path: Any) -> str:
    """A part's path, which leads nowhere but into the archive's parts."""
    if not PART_PATH.fullmatch(path):
        raise ValueError(path)
    return str(path)
