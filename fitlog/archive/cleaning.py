"""What no state of an archive needs any more is removed, a day after it may have been needed last.

A reader has its manifest's parts open, or opens them soon; an indexer commits what it has written
within a minute or so. What is older than a day and listed by no manifest that is younger than a
day, nor by the last one, is of neither.
"""

from __future__ import annotations

import time
from itertools import pairwise
from typing import Final

from fitlog.archive.manifest import FOLDER, manifest_numbers, path_of, read_numbered
from fitlog.archive.store import Store

GRACE_SECONDS: Final = 24 * 3600.0


def clean(store: Store, *, now: float | None = None) -> list[str]:
    """Remove it; gives the paths. `now` is in seconds since 1970.

    Raises:
        ArchiveError: the archive cannot be read or written.
    """
    oldest = (time.time() if now is None else now) - GRACE_SECONDS
    manifests = {file.path: file for file in store.files(FOLDER)}
    numbers = manifest_numbers(store)
    # A manifest counts until the next one is made.
    superseded = {path_of(a): manifests.get(path_of(b)) for a, b in pairwise(numbers)}
    removed = [
        path for path, later in superseded.items() if later is not None and later.modified < oldest
    ]
    for path in removed:
        store.remove(path)
    listed: set[str] = set()
    for number in manifest_numbers(store):
        manifest = read_numbered(store, number)
        listed |= manifest.paths if manifest else set()
    listed |= {path_of(number) for number in manifest_numbers(store)}
    old = [
        file.path
        for folder in ("parts", FOLDER)
        for file in store.files(folder)
        if file.path not in listed and file.modified < oldest
    ]
    for path in old:
        store.remove(path)
    return [*removed, *old]
