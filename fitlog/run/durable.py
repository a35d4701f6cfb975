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


class Appender:
    """A file that grows by whole pieces: what a full disk has cut off is taken back."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = path.open("ab", buffering=0)

    def append(self, piece: bytes) -> None:
        """Write all of it.

        Raises:
            OSError: it cannot be written; nothing of it is in the file then.
        """
        end = os.fstat(self._file.fileno()).st_size
        rest = memoryview(piece)
        try:
            while rest:
                rest = rest[self._file.write(rest) :]
        except OSError as error:
            self._file.truncate(end)
            raise OSError(error.errno, error.strerror, str(self._path)) from None

    def close(self) -> None:
        """Nothing follows."""
        self._file.close()


def write_whole(
    path: Path,
    write: Callable[[Path], object],
    check: Callable[[Path], object] | None = None,
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
        if check:
            check(draft)
        draft.replace(path)
    except BaseException as error:
        if isinstance(error, OSError):
            error.filename = str(path)  # a write does not say where it failed
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
