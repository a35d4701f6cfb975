"""Where logs come from: paths, standard input, open files and bytes, compressed or not.

Compression is told by the first bytes, not by the name: a log that was renamed reads just as well.
What is decompressed comes in pieces and is bounded: a few kilobytes can stand for gigabytes.
"""

from __future__ import annotations

import bz2
import glob
import gzip
import importlib
import io
import lzma
import os
import re
import sys
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Final, cast

from fitlog.errors import LogError

Source = str | os.PathLike[str] | bytes | IO[bytes]

CHUNK_BYTES: Final = 1 << 20
# A log's text is ten times its compressed size, or fifty where it repeats itself.
_MOST_TIMES: Final = 250
_ALWAYS_BYTES: Final = 256 << 20
_LOG_NAME: Final = re.compile(r"\.(?:log|txt|out)(?:\.[0-9]+)?(?:\.(?:gz|xz|bz2|zst))?$")
_GZIP, _XZ, _BZIP2, _ZSTD = b"\x1f\x8b", b"\xfd7zXZ\x00", b"BZh", b"\x28\xb5\x2f\xfd"
_MAGICS: Final = (_GZIP, _XZ, _BZIP2, _ZSTD)
_LONGEST_MAGIC: Final = 6
_ZSTD_MODULE: Final = "compression.zstd" if sys.version_info >= (3, 14) else "backports.zstd"


def find_logs(sources: Sequence[Source]) -> list[Source]:
    """The logs that folders and globs among the sources hold, in the order of their names.

    A folder gives its files, and those of the folders in it, that are called as logs are: `.log`,
    `.txt` or `.out`, also with a number or compressed (`run.log.1`, `run.log.gz`).

    Raises:
        LogError: a folder holds no log, or a glob matches none.
    """
    found: list[Source] = []
    for source in sources:
        if not isinstance(source, (str, os.PathLike)) or os.fspath(source) == "-":
            found.append(source)
            continue
        name = os.fspath(source)
        is_glob = glob.has_magic(name) and not os.path.lexists(name)
        if not name or not (is_glob or os.path.isdir(name)):  # noqa: PTH112  # never raises
            found.append(source)
            continue
        # Path.glob takes no absolute patterns.
        places = glob.iglob(name, recursive=True) if is_glob else _files_below(name)  # noqa: PTH207
        logs = sorted(place for place in places if Path(place).is_file())
        if not logs:
            reason = (
                "matches no file" if is_glob else "is a folder without a log (*.log, *.txt, *.out)"
            )
            raise LogError(reason, path=name_of(source))
        found += logs
    return found


def _files_below(folder: str) -> Iterator[str]:
    for place, _, files in os.walk(folder):
        yield from (os.path.join(place, file) for file in files if _LOG_NAME.search(file))  # noqa: PTH118


def read_beginning(source: Source) -> bytes:
    """The first megabyte of a log's text.

    Raises:
        LogError: the source is missing, unreadable or damaged from its start.
    """
    with opened(source) as log:
        text = log.read_whole()
    if log.damage and not text:
        raise LogError(f"is damaged: {log.damage}", path=name_of(source))
    return text


def name_of(source: Source) -> str:
    """How messages and tables call a source."""
    if isinstance(source, bytes):
        return "<bytes>"
    if isinstance(source, (str, os.PathLike)):
        name = os.fspath(source)
        return "<stdin>" if name == "-" else os.fsencode(name).decode("utf-8", "backslashreplace")
    return str(getattr(source, "name", "<stream>"))


def size_of(source: Source) -> int:
    """The bytes of a file as it lies there, or of bytes; 0 for what cannot be told."""
    if isinstance(source, bytes):
        return len(source)
    if not isinstance(source, (str, os.PathLike)):
        return 0
    try:
        return Path(source).stat().st_size
    except (OSError, ValueError):
        return 0


class Opened:
    """A log that is open: `read` gives its text piece by piece, until there is none.

    `damage` says what is wrong with it where the text ends too early. `is_compressed` says whether
    the text is not the file's own bytes; `done` is how many of these were read.
    """

    def __init__(self, raw: io.BufferedReader, name: str) -> None:
        self.damage = ""
        self._raw, self._name = raw, name
        self._stream = _decompressed(raw, name)
        self._given = 0

    @property
    def is_compressed(self) -> bool:
        """Whether the text is not the file's own bytes."""
        return self._stream is not self._raw

    @property
    def done(self) -> int:
        """The bytes of the file, as it lies there, that were read; of the text, for a pipe."""
        if not self.is_compressed:
            return self._given
        try:
            return self._raw.tell()
        except OSError:
            return self._given

    def read(self, size: int = CHUNK_BYTES) -> bytes:
        """What is at hand, `size` bytes at most; nothing at the end.

        Raises:
            LogError: the file cannot be read.
        """
        if self.damage:
            return b""
        try:
            piece = self._stream.read1(size)
        except _damage_errors() as error:
            self.damage, piece = str(error), b""
        except OSError as error:
            if error.errno is not None:
                reason = f"cannot be read: {_reason(error)}"
                raise LogError(reason, path=self._name) from None
            self.damage, piece = str(error), b""  # bz2's
        self._given += len(piece)
        if self._given > max(_ALWAYS_BYTES, _MOST_TIMES * self.done):
            self.damage = (
                f"it unpacks to more than {_MOST_TIMES} times its size: a bomb? Unpack it yourself,"
                " and read it then"
            )
        return piece

    def read_whole(self, size: int = CHUNK_BYTES) -> bytes:
        """`size` bytes or a little more, less only at the end: a stream may give little at once."""
        pieces = [self.read(size)]
        while pieces[-1] and (missing := size - sum(map(len, pieces))) > 0:
            pieces.append(self.read(missing))
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)


@contextmanager
def opened(source: Source) -> Iterator[Opened]:
    """The source, open.

    Raises:
        LogError: it is missing or cannot be opened.
    """
    name = name_of(source)
    if isinstance(source, bytes):
        yield Opened(cast(io.BufferedReader, io.BufferedReader(io.BytesIO(source))), name)
    elif not isinstance(source, (str, os.PathLike)):
        if isinstance(source, io.TextIOBase):
            raise TypeError("a log is read from a binary file: open it with mode 'rb'")
        buffered = cast(io.BufferedReader, io.BufferedReader(cast(io.RawIOBase, source)))
        try:
            yield Opened(buffered, name)
        finally:
            buffered.detach()  # or the caller's file would be closed with it
    elif not os.fspath(source):
        raise LogError("the name of a log is empty")
    elif os.fspath(source) == "-":
        if sys.stdin is None:
            raise LogError("standard input is closed", path=name)
        yield Opened(cast(io.BufferedReader, sys.stdin.buffer), name)
    else:
        with open_file(source) as file:
            yield Opened(file, name)


def open_file(path: str | os.PathLike[str]) -> io.BufferedReader:
    """The file, open.

    Raises:
        LogError: it is missing or cannot be opened.
    """
    try:
        return Path(path).open("rb")
    except OSError as error:
        raise LogError(f"cannot be opened: {_reason(error)}", path=name_of(path)) from None
    except ValueError as error:  # a NUL in the name
        raise LogError(f"cannot be opened: {error}", path=name_of(path)) from None


def is_compressed(head: bytes) -> bool:
    """Whether a file that begins like this is compressed."""
    return head.startswith(_MAGICS)


def _decompressed(stream: io.BufferedReader, name: str) -> io.BufferedIOBase:
    """The stream's text; looking ahead leaves the bytes in place, for a pipe cannot be rewound."""
    try:
        head = stream.peek(_LONGEST_MAGIC)[:_LONGEST_MAGIC]
    except OSError as error:
        raise LogError(f"cannot be read: {_reason(error)}", path=name) from None
    if head.startswith(_GZIP):
        return gzip.GzipFile(fileobj=stream)
    if head.startswith(_XZ):
        return lzma.LZMAFile(stream)
    if head.startswith(_BZIP2):
        return bz2.BZ2File(stream)
    if head.startswith(_ZSTD):
        return _zstd(stream, name)
    return stream


def _zstd(stream: io.BufferedReader, name: str) -> io.BufferedIOBase:
    try:
        zstd = importlib.import_module(_ZSTD_MODULE)
    except ImportError:
        raise LogError(
            "is compressed with zstd, which needs one package more: pip install backports.zstd",
            path=name,
        ) from None
    return cast(io.BufferedIOBase, zstd.ZstdFile(stream))


def _damage_errors() -> tuple[type[Exception], ...]:
    """What the decompressors raise for data they cannot read; bz2 raises a bare OSError."""
    errors: tuple[type[Exception], ...] = (EOFError, lzma.LZMAError, zlib.error, gzip.BadGzipFile)
    if _ZSTD_MODULE in sys.modules:
        errors += (sys.modules[_ZSTD_MODULE].ZstdError,)
    return errors


def _reason(error: OSError) -> str:
    return (error.strerror or str(error) or type(error).__name__).lower()
