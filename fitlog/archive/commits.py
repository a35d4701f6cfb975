"""How an indexer's work becomes part of an archive: all of it, in one manifest, or nothing.

The manifest of the next number is created exclusively. Where another indexer was faster, its state
is read, and ours is laid over it: of a log that the other has read meanwhile, ours is dropped.

A group that must be read whole, and cannot be, is mended: from then on it is what can be read of
it, and its logs are to be read again. That is committed before they are: it is known whatever stops
an indexer, and of logs that are gone for good.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from fitlog.archive.groups import Mended, mend, sources_of, with_marks, without
from fitlog.archive.manifest import PARTS_FOLDER, Group, Manifest, create_manifest, read_manifest
from fitlog.archive.store import Store
from fitlog.errors import DamagedPartError

# What tells one reading of a log from another.
_IDENTITY = ("size", "version", "record", "digest", "reads", "deleted")
Row = dict[str, Any]


class Ledger:
    """What an archive holds, and what is to be added to it.

    `manifest` is the last one that was seen, `known` the row of `sources` of each of its logs, and
    `mended` are the groups that had to be, by name.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._rows: dict[str, list[Row]] = {}
        self._added: list[Group] = []
        self._marks: dict[str, Mapping[str, Any]] = {}
        self._replaced: list[tuple[Sequence[Group], Group]] = []
        self.mended: dict[str, Mended] = {}
        self._to_mend: set[str] = set()
        self._take(self._mended(read_manifest(store)))
        self.rebase()

    def rebase(self) -> None:
        """What is added from now on was read with what is known now in mind."""
        # Of each log, what the archive held when it was decided to read it.
        self._base = dict(self.known)

    def add(self, groups: Sequence[Group]) -> None:
        """Groups of logs that were read; what the archive had of these logs will be gone."""
        self._added += groups

    def mark(self, marks: Mapping[str, Mapping[str, Any]]) -> None:
        """Other values in the rows of `sources` of some logs."""
        self._marks.update(marks)

    def replace(self, groups: Sequence[Group], group: Group) -> None:
        """One group holds what these groups hold."""
        self._replaced.append((groups, group))

    def mend(self) -> None:
        """Mend the groups of which a part is missing or has not the length that it had.

        Raises:
            ArchiveError: the archive cannot be read or written.
        """
        sizes = {file.path: file.size for file in self._store.files(PARTS_FOLDER)}
        for group in self.manifest.groups:
            parts = [part for parts in group.parts.values() for part in parts]
            if any(sizes.get(part.path) != part.size for part in parts):
                self._mend(group)
        self.commit()
        self.rebase()

    def group_of(self, file: str) -> Group | None:
        """The group that holds what was read of a log."""
        return self._holding.get(file)

    def commit(self) -> None:
        """Make a manifest of all this; none where another indexer has read all of it meanwhile.

        Raises:
            ArchiveError: the archive cannot be read or written.
        """
        while self._added or self._marks or self._replaced or self._to_mend:
            there = read_manifest(self._store)
            last = self._mended(there)
            groups, changed = self._lay_over(last, self._known(last))
            manifest = Manifest(
                number=last.number + 1,
                groups=tuple(sorted(groups, key=lambda group: group.order)),
            )
            if manifest.groups == there.groups:
                manifest = there
            elif not create_manifest(self._store, manifest):
                continue
            self._take(manifest)
            self._added, self._marks, self._replaced = [], {}, []
            self._to_mend.clear()
            self._base.update((file, self.known[file]) for file in changed)

    def _lay_over(self, last: Manifest, now: Mapping[str, Row]) -> tuple[list[Group], set[str]]:
        """Groups of the last manifest, which knows `now`, with our changes; the logs changed."""
        groups = {group.name: group for group in last.groups}
        for old, new in self._replaced:
            if all(group.name in groups for group in old):
                for group in old:
                    del groups[group.name]
                groups[new.name] = new
        theirs = {
            file
            for file in now.keys() | self._base.keys()
            if _identity(now.get(file)) != _identity(self._base.get(file))
        }
        added = [self._without(group, theirs) for group in self._added]
        ours = {row["file"] for group in added if group for row in self._rows_of(group)}
        marks = {file: m for file, m in self._marks.items() if file not in ours | theirs}
        kept: list[Group | None] = []
        for group in groups.values():
            rest = self._without(group, ours)
            if rest is not None and not marks.keys().isdisjoint(self._files_of(rest)):
                rest = with_marks(self._store, rest, marks)
            kept.append(rest)
        return [group for group in (*kept, *added) if group is not None], ours | marks.keys()

    def _without(self, group: Group, files: set[str]) -> Group | None:
        own = self._files_of(group)
        if own <= files:
            return None
        if not files & own:
            return group
        try:
            return without(self._store, group, files & own)
        except DamagedPartError:
            rest = self._mend(group)
            return self._without(rest, files) if rest else None

    def _mended(self, manifest: Manifest) -> Manifest:
        """The manifest with what can be read of its groups."""
        groups = (self._whole(group) for group in manifest.groups)
        return replace(manifest, groups=tuple(group for group in groups if group))

    def _whole(self, group: Group) -> Group | None:
        if group.name in self._to_mend:
            return self.mended[group.name].group
        try:
            self._rows_of(group)
        except DamagedPartError:
            return self._mend(group)
        return group

    def _mend(self, group: Group) -> Group | None:
        mended = mend(self._store, group)
        if mended.damaged:
            self.mended[group.name] = mended
            self._to_mend.add(group.name)
        return mended.group

    def _files_of(self, group: Group) -> set[str]:
        return {row["file"] for row in self._rows_of(group)}

    def _take(self, manifest: Manifest) -> None:
        self.manifest, self.known = manifest, self._known(manifest)
        self._holding = {file: g for g in manifest.groups for file in self._files_of(g)}

    def _known(self, manifest: Manifest) -> dict[str, Row]:
        return {row["file"]: row for group in manifest.groups for row in self._rows_of(group)}

    def _rows_of(self, group: Group) -> list[Row]:
        if group.name not in self._rows:  # its name tells its content
            self._rows[group.name] = sources_of(self._store, group)
        return self._rows[group.name]


def _identity(row: Row | None) -> tuple[Any, ...] | None:
    return None if row is None else tuple(row[name] for name in _IDENTITY)
