"""Logs are opened, wherever they lie: each gives its bytes, and the digest of them."""

from __future__ import annotations

import contextlib
import hashlib
import io
from collections.abc import Collection, Iterable, Iterator
from typing import IO, Any, Final

from fitlog.archive.store import open_url
from fitlog.errors import LogError

_DIGEST_BYTES: Final = 16
_PIECE_BYTES: Final = 1 << 20
# So many bytes are digested together.
BLOCK_BYTES: Final = 1 << 20


class Digest:
    """The digest of a content, which can be gone on with: of each block after that of all before.

    It begins at `offset`, where a block begins, behind bytes that have the digest `before`.
    """

    def __init__(self, offset: int = 0, before: str = "") -> None:
        self._offset = offset
        self._before = {offset: before}
        self._block = _new_block(before)

    def update(self, content: bytes) -> None:
        """Take in what follows."""
        rest = memoryview(content)
        while rest:
            piece = rest[: BLOCK_BYTES - self._offset % BLOCK_BYTES]
            rest = rest[len(piece) :]
            self._block.update(piece)
            self._offset += len(piece)
            if self._offset % BLOCK_BYTES == 0:
                self._before[self._offset] = self.hexdigest()
                self._block = _new_block(self.hexdigest())

    def before(self, offset: int) -> str:
        """The digest of what is before the block that a place is in."""
        return self._before[_block_of(offset)]

    def hexdigest(self) -> str:
        """The digest of all so far."""
        return str(self._block.hexdigest())


class ClosedLogError(LogError):
    """A log that cannot be opened or read just now: what it holds is not known."""


class Readable:
    """An open log. What a disk or a store refuses to give of it is told as an error of the log."""

    def __init__(self, name: str, file: IO[bytes]) -> None:
        self._name, self._file = name, file
        self.close = file.close

    def read(self, size: int) -> bytes:
        """So many bytes, fewer only at the end.

        Raises:
            ClosedLogError: it cannot be read.
        """
        with self._told():
            return self._file.read(size)

    def seek(self, offset: int) -> None:
        """Go to a place.

        Raises:
            ClosedLogError: it can only be read from the beginning to the end.
        """
        with self._told():
            self._file.seek(offset)

    @contextlib.contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except Exception as error:  # each store's package has its own
            raise ClosedLogError(f"cannot be read: {_reason_of(error)}", path=self._name) from None


class Named(io.RawIOBase):
    """A log's bytes under the log's name, digested as they are read."""

    def __init__(self, name: str, file: IO[bytes]) -> None:
        self.name, self.file = name, Readable(name, file)
        self.digest = Digest()

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer: Any, /) -> int:
        """Read what fits, and digest it."""
        piece = self.file.read(len(buffer))
        buffer[: len(piece)] = piece
        self.digest.update(piece)
        return len(piece)

    def read_rest(self) -> None:
        """Read what nobody wanted to: the digest is of all of it then."""
        while self.read(_PIECE_BYTES):
            pass

    def go_on_from(self, offset: int, before: str) -> None:
        """Go to a place, before whose block is what has the digest `before`."""
        self.digest = Digest(_block_of(offset), before)
        self.file.seek(_block_of(offset))
        self.digest.update(self.file.read(offset % BLOCK_BYTES))

    def digest_of(self, size: int) -> str:
        """The digest of so many bytes, before they are read: it is at its beginning again."""
        digest, rest = Digest(), size
        while piece := self.file.read(min(_PIECE_BYTES, rest)):
            digest.update(piece)
            rest -= len(piece)
        self.file.seek(0)
        return digest.hexdigest()


def open_all(
    files: Iterable[str], small: Collection[str]
) -> Iterator[tuple[str, Named | ClosedLogError]]:
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
                reason = f"cannot be opened: {_reason_of(content)}"
                yield file, ClosedLogError(reason, path=file)
            else:
                stream = io.BytesIO(content) if isinstance(content, bytes) else content
                yield file, Named(file, stream)


def read_beside(file: str, log: str) -> bytes | None:
    """The content of a file beside a log; None where there is none any more.

    Raises:
        ClosedLogError: it cannot be read just now.
    """
    fs, path = open_url(file)
    try:
        content: bytes = fs.cat_file(path)
    except FileNotFoundError:
        return None
    except Exception as error:  # each store's package has its own
        raise ClosedLogError(f"{file} cannot be read: {_reason_of(error)}", path=log) from None
    return content


def _new_block(before: str) -> Any:
    return hashlib.blake2b(before.encode(), digest_size=_DIGEST_BYTES)


def _block_of(offset: int) -> int:
    return offset - offset % BLOCK_BYTES


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
    return " ".join(str(error).split()) or type(error).__name__
