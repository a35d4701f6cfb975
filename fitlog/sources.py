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
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, Final, Protocol, TypeVar, cast

from fitlog.chosen import archive_told
from fitlog.errors import LogError
from fitlog.extras import install

Read = TypeVar("Read")
Source = str | os.PathLike[str] | bytes | IO[bytes]

_LARGE_BYTES: Final = 1 << 20
CHUNK_BYTES: Final = 1 << 20
# A log's text is ten times its compressed size, or fifty where it repeats itself.
_MOST_TIMES: Final = 250
_ALWAYS_BYTES: Final = 256 << 20
# xz -9 needs 65 MiB.
_XZ_BYTES: Final = 256 << 20
_LOG_NAME: Final = re.compile(r"\.(?:log|txt|out)(?:\.[0-9]+)?(?:\.(?:gz|xz|bz2|zst))?$")
_GZIP, _XZ, _BZIP2, _ZSTD = b"\x1f\x8b", b"\xfd7zXZ\x00", b"BZh", b"\x28\xb5\x2f\xfd"
_MAGICS: Final = (_GZIP, _XZ, _BZIP2, _ZSTD)
_LONGEST_MAGIC: Final = 6
_PACKED_BYTES: Final = 1 << 16
# What a decompressor made in the call in which it meets damage is lost: so little at a time. But a
# block of bzip2's, 900 kB, is known to be right only at its end.
_UNPACKED_BYTES: Final = 1 << 13
_UNPACKED_BZIP2_BYTES: Final = 1 << 20
_TOO_MUCH_MEMORY: Final = (
    f"it asks for more than {_XZ_BYTES >> 20} MiB of memory: unpack it yourself, and read it then"
)
_CUT: Final = "Compressed file ended before the end-of-stream marker was reached"  # as gzip says
_ZSTD_MODULE: Final = "compression.zstd" if sys.version_info >= (3, 14) else "backports.zstd"


def find_logs(sources: Sequence[Source | Read]) -> list[Source | Read]:
    """The logs that folders and globs among the sources hold, in the order of their names.

    What is no path, such as a log that has been read, stays as it is.

    A folder gives its files, and those of the folders in it, that are called as logs are: `.log`,
    `.txt` or `.out`, also with a number or compressed (`run.log.1`, `run.log.gz`).

    Raises:
        LogError: a folder holds no log, or cannot be looked through; a glob matches none.
    """
    found: list[Source | Read] = []
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
        places = glob.glob(name, recursive=True) if is_glob else _files_below(name)  # noqa: PTH207
        logs = sorted(place for place in places if os.path.isfile(place))  # noqa: PTH113  # as above
        if not logs:
            reason = archive_told(name) or "is a folder without a log (*.log, *.txt, *.out)"
            if is_glob:
                below = f", but folders: say {name.rstrip('/')}/*.log" if places else ""
                reason = f"matches no file{below}"
            raise LogError(reason, path=name_of(source))
        found += logs
    return found


def is_named_as_log(name: str) -> bool:
    """Whether a folder's file of this name is taken for a log."""
    return bool(_LOG_NAME.search(name))


def _files_below(folder: str) -> Iterator[str]:
    def refuse(error: OSError) -> None:
        if error.filename == folder:  # one below, such as lost+found, may well be closed
            raise LogError(f"cannot be opened: {_reason(error)}", path=name_of(folder)) from None

    for place, _, files in os.walk(folder, onerror=refuse):
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


def is_large(source: Source) -> bool:
    """Whether a log is worth numpy's import; a smaller one is read before that is done."""
    return size_of(source) > _LARGE_BYTES


class _Decompressor(Protocol):
    """What bz2's and lzma's have in common."""

    @property
    def eof(self) -> bool: ...
    @property
    def needs_input(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, max_length: int = -1) -> bytes: ...


class Opened:
    """A log that is open: `read` gives its text piece by piece, until there is none.

    `damage` says what is wrong with it where the text ends too early; `done` is how many bytes of
    the file were read, which are not the text's where it is compressed.
    """

    def __init__(self, raw: io.BufferedReader, name: str) -> None:
        self.damage = ""
        self._name = name
        self._stream, self._packed, self._most = _decompressed(raw, name)
        self._given = 0

    @property
    def done(self) -> int:
        """The bytes of the file, as it lies there, that were read."""
        return self._given if self._packed is None else self._packed.done

    def read(self, size: int = CHUNK_BYTES) -> bytes:
        """What is at hand, `size` bytes at most; nothing at the end.

        Raises:
            LogError: the file cannot be read.
        """
        if self.damage:
            return b""
        try:
            piece = self._stream.read1(min(size, self._most))
        except _damage_errors() as error:
            is_too_much = "Memory usage limit" in str(error)  # lzma has one error for all
            self.damage, piece = _TOO_MUCH_MEMORY if is_too_much else str(error), b""
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
        reason = archive_told(path) or f"cannot be opened: {_reason(error)}"
        raise LogError(reason, path=name_of(path)) from None
    except ValueError as error:  # a NUL in the name
        raise LogError(f"cannot be opened: {error}", path=name_of(path)) from None


def is_compressed(head: bytes) -> bool:
    """Whether a file that begins like this is compressed."""
    return head.startswith(_MAGICS)


class _Counted(io.BufferedIOBase):
    """A stream's bytes, also those at its `head` that were taken from it already, counted."""

    def __init__(self, stream: io.BufferedReader, head: bytes) -> None:
        self.done = 0
        self._stream, self._head = stream, head

    def read1(self, size: int = -1, /) -> bytes:
        piece, self._head = self._head[:size], self._head[size:]
        piece = piece or self._stream.read1(size)
        self.done += len(piece)
        return piece

    def read(self, size: int | None = -1, /) -> bytes:
        return self.read1(-1 if size is None else size)  # the decompressors take what comes


class _Members(io.RawIOBase):
    """The text of compressed files that lie one behind the other, as bzip2 and xz have them.

    `BZ2File` and `LZMAFile` drop without a word what is damaged behind the first of them.
    """

    def __init__(self, packed: _Counted, new: Callable[[], _Decompressor]) -> None:
        self._packed, self._new = packed, new
        self._member = new()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int:
        text = b""
        while not text:
            data = b""
            if self._member.eof:
                data = self._member.unused_data.lstrip(b"\0")  # padding
                while not data:
                    piece = self._packed.read(_PACKED_BYTES)
                    if not piece:
                        return 0
                    data = piece.lstrip(b"\0")
                self._member = self._new()
            elif self._member.needs_input:
                data = self._packed.read(_PACKED_BYTES)
                if not data:
                    raise EOFError(_CUT)
            text = self._member.decompress(data, len(buffer))
        buffer[: len(text)] = text
        return len(text)


def _decompressed(
    stream: io.BufferedReader, name: str
) -> tuple[io.BufferedIOBase, _Counted | None, int]:
    """The stream's text; what counts the file's bytes, if it is compressed; the most to read."""
    try:
        head, is_taken = _head(stream)
    except OSError as error:
        raise LogError(f"cannot be read: {_reason(error)}", path=name) from None
    packed = _Counted(stream, head if is_taken else b"")
    if head.startswith(_GZIP):
        return gzip.GzipFile(fileobj=packed), packed, _UNPACKED_BYTES
    if head.startswith(_XZ):
        return io.BufferedReader(_Members(packed, _new_xz)), packed, _UNPACKED_BYTES
    if head.startswith(_BZIP2):
        text = io.BufferedReader(_Members(packed, bz2.BZ2Decompressor))
        return text, packed, _UNPACKED_BZIP2_BYTES
    if head.startswith(_ZSTD):
        return _zstd(packed, name), packed, _UNPACKED_BYTES
    return packed if is_taken else stream, None, sys.maxsize


def _head(stream: io.BufferedReader) -> tuple[bytes, bool]:
    """The first bytes, and whether they were taken: a pipe may give less than tells, at first.

    Looking ahead leaves the bytes in place, for a pipe cannot be rewound.
    """
    head = stream.peek(_LONGEST_MAGIC)[:_LONGEST_MAGIC]
    if not _may_become_magic(head):
        return head, False
    head = stream.read1(_LONGEST_MAGIC)
    while _may_become_magic(head) and (more := stream.read1(_LONGEST_MAGIC - len(head))):
        head += more
    return head, True


def _new_xz() -> lzma.LZMADecompressor:
    return lzma.LZMADecompressor(memlimit=_XZ_BYTES)  # a header may claim gigabytes


def _may_become_magic(head: bytes) -> bool:
    return bool(head) and any(len(head) < len(m) and m.startswith(head) for m in _MAGICS)


def _zstd(stream: _Counted, name: str) -> io.BufferedIOBase:
    try:
        zstd = importlib.import_module(_ZSTD_MODULE)
    except ImportError:
        raise LogError(
            f"is compressed with zstd, which needs a package more: {install('zstd')}", path=name
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
