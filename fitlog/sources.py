"""Where logs come from: paths, standard input, open files and bytes, compressed or not.

Compression is told by the first bytes, not by the name: a log that was renamed reads just as well.
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
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Final, Protocol, cast

from fitlog.errors import LogError
from fitlog_parsers import (
    ColumnReader,
    Columns,
    Dialect,
    Finding,
    find_dialects,
    installed_dialects,
    load_dialect,
)

Source = str | os.PathLike[str] | bytes | IO[bytes]

_CHUNK_BYTES: Final = 1 << 20
_LOG_NAME: Final = re.compile(r"\.(?:log|txt|out)(?:\.[0-9]+)?(?:\.(?:gz|xz|bz2|zst))?$")
_GZIP, _XZ, _BZIP2, _ZSTD = b"\x1f\x8b", b"\xfd7zXZ\x00", b"BZh", b"\x28\xb5\x2f\xfd"
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


class Reader(Protocol):
    """What `LogReader` and `BulkReader` have in common."""

    @property
    def lines(self) -> int:
        """The lines seen."""
        ...

    @property
    def has_nul(self) -> bool:
        """Whether a NUL byte was met."""
        ...

    @property
    def dialect_lines(self) -> Counter[str]:
        """The lines with a record, by dialect."""
        ...

    @property
    def rule_uses(self) -> Counter[tuple[str, str]]:
        """How often each rule was used, by dialect and rule."""
        ...

    def feed(self, data: bytes) -> None:
        """Read a piece of the log."""

    def close(self) -> None:
        """Read what is left."""


_NewReader = Callable[[], Reader]


def read_columns(
    sources: Sequence[Source],
    *,
    dialect: str | None = None,
    dialect_file: str | os.PathLike[str] | None = None,
    bulk: bool = False,
) -> Columns:
    """Read logs one after the other into one set of columns.

    `dialect` names the one dialect to read, None means all; `dialect_file` describes one more.

    `bulk` chooses the fast reader, which needs numpy; both give the same.

    A compressed file that ends too early, or is damaged further on, gives what stands before the
    damage and a finding `damaged`.

    Raises:
        LogError: a source that is missing, unreadable, damaged from its start or not text.
        UnknownDialectError: there is no such dialect.
        DialectFileError: the file, or an installed package, describes none.
    """
    columns = Columns()
    dialects = find_dialects(dialect, more_dialects(dialect_file))
    new_reader = _readers(columns, dialects, bulk=bulk)
    for source in sources:
        columns.begin_file(name_of(source))
        reader = new_reader()
        with _opened(source) as stream:
            damage = _feed(reader, stream, columns)
        reader.close()
        columns.end_file(reader)
        if reader.has_nul and not reader.dialect_lines:
            raise LogError("is binary data, not a log", path=columns.files[-1])
        if damage and not reader.dialect_lines:
            raise LogError(f"is damaged: {damage}", path=columns.files[-1])
        if damage:
            columns.add(
                Finding(code="damaged", line=reader.lines, text=f"the file ends here: {damage}")
            )
    if bulk:
        from fitlog_parsers.rows import collect

        collect(columns)
    return columns


def more_dialects(dialect_file: str | os.PathLike[str] | None = None) -> tuple[Dialect, ...]:
    """The dialect of a file, if there is one, and those that installed packages bring."""
    own = () if dialect_file is None else (load_dialect(dialect_file),)
    return (*own, *installed_dialects())


def _readers(columns: Columns, dialects: tuple[Dialect, ...], *, bulk: bool) -> _NewReader:
    """What makes the reader of each log."""
    if not bulk:
        return lambda: ColumnReader(columns, dialects)
    from fitlog_parsers.bulk import BulkReader, new_engine

    engine = new_engine()
    return lambda: BulkReader(columns, dialects, engine)


def read_beginning(source: Source) -> bytes:
    """The first megabyte of a log's text.

    Raises:
        LogError: the source is missing, unreadable or damaged from its start.
    """
    name = name_of(source)
    with _opened(source) as stream:
        try:
            return stream.read(_CHUNK_BYTES)
        except _damage_errors() as error:
            raise LogError(f"is damaged: {error}", path=name) from None
        except OSError as error:
            raise LogError(f"cannot be read: {_reason(error)}", path=name) from None


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


def _feed(reader: Reader, stream: io.BufferedIOBase, columns: Columns) -> str:
    """Read the stream to its end; returns what is wrong with it, or nothing."""
    damage, is_open = "", True
    while is_open:
        # Streams give what they have at hand, and that may be little.
        pieces, size = [], 0
        while is_open and size < _CHUNK_BYTES:
            try:
                piece = stream.read1(_CHUNK_BYTES)
            except _damage_errors() as error:
                damage, piece = str(error), b""
            except OSError as error:
                if error.errno is not None:
                    place = columns.files[-1]
                    raise LogError(f"cannot be read: {_reason(error)}", path=place) from None
                damage, piece = str(error), b""  # bz2's
            is_open = bool(piece)
            pieces.append(piece)
            size += len(piece)
        reader.feed(b"".join(pieces))
    return damage


@contextmanager
def _opened(source: Source) -> Iterator[io.BufferedIOBase]:
    name = name_of(source)
    if isinstance(source, bytes):
        yield _decompressed(cast(io.BufferedReader, io.BufferedReader(io.BytesIO(source))), name)
    elif not isinstance(source, (str, os.PathLike)):
        if isinstance(source, io.TextIOBase):
            raise TypeError("a log is read from a binary file: open it with mode 'rb'")
        buffered = cast(io.BufferedReader, io.BufferedReader(cast(io.RawIOBase, source)))
        try:
            yield _decompressed(buffered, name)
        finally:
            buffered.detach()  # or the caller's file would be closed with it
    elif not os.fspath(source):
        raise LogError("the name of a log is empty")
    elif os.fspath(source) == "-":
        if sys.stdin is None:
            raise LogError("standard input is closed", path=name)
        yield _decompressed(cast(io.BufferedReader, sys.stdin.buffer), name)
    else:
        try:
            file = Path(source).open("rb")  # noqa: SIM115  # closed below; only opening may fail here
        except OSError as error:
            raise LogError(f"cannot be opened: {_reason(error)}", path=name) from None
        except ValueError as error:  # a NUL in the name
            raise LogError(f"cannot be opened: {error}", path=name) from None
        with file:
            yield _decompressed(file, name)


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
