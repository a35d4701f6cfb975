"""Logs are opened, wherever they lie: each gives its bytes, and the digest of them."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Collection, Iterable, Iterator
from typing import IO, Any, Final

from fitlog.archive.store import open_url

_DIGEST_BYTES: Final = 16
_PIECE_BYTES: Final = 1 << 20


class Named(io.RawIOBase):
    """A log's bytes under the log's name, digested as they are read."""

    def __init__(self, name: str, file: IO[bytes]) -> None:
        self.name, self.file = name, file
        self._digest = hashlib.blake2b(digest_size=_DIGEST_BYTES)

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer: Any, /) -> int:
        """Read what fits, and digest it."""
        piece = self.file.read(len(buffer))
        buffer[: len(piece)] = piece
        self._digest.update(piece)
        return len(piece)

    def finish(self) -> str:
        """The digest of all of it, also of what nobody wanted to read; it is closed then."""
        while self.read(_PIECE_BYTES):
            pass
        self.file.close()
        return self._digest.hexdigest()

    def digest_from(self, before: str) -> None:
        """What is read follows what had this digest: the new one is of both."""
        self._digest.update(before.encode())

    def digest_whole(self) -> str:
        """The same before it is read: it is at its beginning again."""
        digest = hashlib.blake2b(digest_size=_DIGEST_BYTES)
        while piece := self.file.read(_PIECE_BYTES):
            digest.update(piece)
        self.file.seek(0)
        return digest.hexdigest()


def open_all(files: Iterable[str], small: Collection[str]) -> Iterator[tuple[str, Named | str]]:
    """The logs, each open, or why it is not.

    The `small` ones lie in memory then, and all of a store are fetched at once.
    """
    for fs, paths in _by_store(files):
        contents = _contents(fs, [path for file, path in paths if file in small])
        for file, path in paths:
            try:
                content = contents[path] if path in contents else fs.open(path, "rb")
            except Exception as error:  # each store's package has its own
                content = error
            if isinstance(content, Exception):
                yield file, f"cannot be opened: {_reason_of(content)}"
            else:
                stream = io.BytesIO(content) if isinstance(content, bytes) else content
                yield file, Named(file, stream)


def _by_store(logs: Iterable[str]) -> Iterator[tuple[Any, list[tuple[str, str]]]]:
    """The logs by the file systems that they lie in, each with its path there."""
    found: dict[int, tuple[Any, list[tuple[str, str]]]] = {}
    for file in logs:
        fs, path = open_url(file)  # the same instance for each of a store
        found.setdefault(id(fs), (fs, []))[1].append((file, path))
    yield from found.values()


def _contents(fs: Any, paths: list[str]) -> dict[str, Any]:
    """The contents of files, or what went wrong; `cat` itself would take a name for a glob."""
    every = fs.cat_ranges(paths, None, None, on_error="return")
    return dict(zip(paths, every, strict=True))


def _reason_of(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    return str(error) or type(error).__name__
