"""Files that are there whole or not at all, whatever stops the process or fills the disk.

Each is written to a draft beside it, brought to the disk, checked, and renamed: the draft of one
that fails is removed, and what had the name before keeps it.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Final

DRAFT: Final = ".tmp"
_PIECE_BYTES: Final = 1 << 20


def write_whole(
    path: Path,
    write: Callable[[Path], object],
    check: Callable[[Path], object] = lambda draft: None,
) -> None:
    """Let `write` make the file under another name, and give it its own once `check` has passed.

    The new name is only certain to outlast a power cut after `sync_folder`.

    Raises:
        OSError, or whatever `write` and `check` raise; nothing is left of the new file then.
    """
    draft = path.with_name(path.name + DRAFT)
    try:
        write(draft)
        sync_file(draft)
        check(draft)
        draft.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            draft.unlink(missing_ok=True)
        raise


def sync_file(path: Path) -> None:
    """Wait until what was written to the file is on the disk."""
    _sync(path, os.O_RDWR)


def sync_folder(folder: Path) -> None:
    """Wait until the names in the folder are on the disk."""
    _sync(folder, os.O_RDONLY)


def hash_file(path: Path) -> str:
    """The SHA-256 of the file, in hexadecimal digits."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(_PIECE_BYTES):
            digest.update(piece)
    return digest.hexdigest()


def remove_drafts(folder: Path) -> None:
    """Remove what a killed process had begun to write in the folder."""
    for draft in folder.glob(f"*{DRAFT}"):
        draft.unlink(missing_ok=True)


def _sync(path: Path, flags: int) -> None:
    descriptor = os.open(path, flags)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
