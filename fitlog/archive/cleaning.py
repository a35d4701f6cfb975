"""What no state of an archive needs any more is removed, a day after it may have been needed last.

A reader has its manifest's parts open, or opens them soon; an indexer commits what it has written
within a minute or so. What is older than a day and listed by no manifest that is younger than a
day, nor by the last one, is of neither. What was not made here is nobody's business, and what
cannot be told apart for certain is kept.
"""

from __future__ import annotations

import time
from itertools import pairwise
from typing import Final

from fitlog.archive.manifest import (
    FOLDER,
    PARTS_FOLDER,
    is_made_here,
    manifests_among,
    path_of,
    read_numbered,
)
from fitlog.archive.store import Store, Stored
from fitlog.errors import ArchiveError

GRACE_SECONDS: Final = 24 * 3600.0


def clean(store: Store, last: int, *, now: float | None = None) -> list[str]:
    """Remove it; gives the paths. `now` is in seconds since 1970.

    `last` is the number of a manifest that is there: a list without it is not that of all.

    Raises:
        ArchiveError: the archive cannot be listed, or nothing removed from it.
    """
    oldest = (time.time() if now is None else now) - GRACE_SECONDS
    files = [file for file in store.files(FOLDER) if is_made_here(file.path)]
    manifests = manifests_among(files)
    if last not in manifests:
        return []
    # A manifest counts until the next one is made.
    removed = [
        path_of(number)
        for number, later in pairwise(sorted(manifests))
        if _is_older(manifests[later], oldest)
    ]
    for path in removed:
        store.remove(path)
    kept = [number for number in manifests if path_of(number) not in removed]
    try:
        read = [read_numbered(store, number) for number in kept]
    except ArchiveError:  # which parts a damaged one lists is not known
        return removed
    needed = {path_of(number) for number in manifests}.union(*(m.paths for m in read if m))
    old = [
        file.path
        for file in (*files, *store.files(PARTS_FOLDER))
        if is_made_here(file.path) and file.path not in needed and _is_older(file, oldest)
    ]
    for path in old:
        store.remove(path)
    return [*removed, *old]


def _is_older(file: Stored, than: float) -> bool:
    return file.modified is not None and file.modified < than
