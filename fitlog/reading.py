"""Reads logs from their sources into columns, all into one set or part by part."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

from fitlog.errors import LogError
from fitlog.sources import CHUNK_BYTES, Opened, Source, name_of, opened
from fitlog_parsers import (
    ColumnReader,
    Columns,
    Dialect,
    Finding,
    find_dialects,
    installed_dialects,
    load_dialect,
)

Progress = Callable[[int], None]

# So much text at a time is read: the fast reader is slow on little, and much takes memory.
_PART_BYTES = CHUNK_BYTES


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
    progress: Progress | None = None,
) -> Columns:
    """Read logs one after the other into one set of columns.

    `dialect` names the one dialect to read, None means all; `dialect_file` describes one more.
    `bulk` chooses the fast reader, which needs numpy; both give the same. `progress` is told how
    many bytes of the files, as they lie there, have been read.

    A compressed file that ends too early, or is damaged further on, gives what stands before the
    damage and a finding `damaged`.

    Raises:
        LogError: a source that is missing, unreadable, damaged from its start or not text.
        UnknownDialectError: there is no such dialect.
        DialectFileError: the file, or an installed package, describes none.
    """
    columns = Columns()
    new_reader = _readers(columns, all_dialects(dialect, dialect_file), bulk=bulk)
    for _ in _read(sources, columns, new_reader, progress):
        pass
    _collect(columns, bulk=bulk)
    return columns


def read_parts(
    sources: Sequence[Source],
    *,
    dialect: str | None = None,
    dialect_file: str | os.PathLike[str] | None = None,
    progress: Progress | None = None,
) -> Iterator[Columns]:
    """The same part by part: what was not taken yet, about every megabyte.

    Together the parts hold the rows of `read_columns`, in their order; the last one holds the
    counts. Memory stays flat however long the logs are.

    Raises:
        LogError, UnknownDialectError, DialectFileError: as `read_columns`, when it comes to it.
    """
    columns = Columns()
    new_reader = _readers(columns, all_dialects(dialect, dialect_file), bulk=True)
    for _ in _read(sources, columns, new_reader, progress):
        part = columns.take()
        _collect(part, bulk=True)
        yield part


def all_dialects(
    dialect: str | None = None, dialect_file: str | os.PathLike[str] | None = None
) -> tuple[Dialect, ...]:
    """The dialects to try, in order: the one of that name, or all that are known.

    Raises:
        UnknownDialectError: there is no such dialect.
        DialectFileError: the file, or an installed package, describes none.
    """
    return find_dialects(dialect, more_dialects(dialect_file))


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


def _collect(columns: Columns, *, bulk: bool) -> None:
    if bulk:
        from fitlog_parsers.rows import collect

        collect(columns)


def _read(
    sources: Sequence[Source],
    columns: Columns,
    new_reader: _NewReader,
    progress: Progress | None,
) -> Iterator[None]:
    """Read the sources into the columns, and come back after each megabyte."""
    files_done = 0
    for source in sources:
        columns.begin_file(name_of(source))
        reader = new_reader()
        with opened(source) as log:
            while piece := log.read_whole(_PART_BYTES):
                reader.feed(piece)
                if progress is not None:
                    progress(files_done + log.done)
                yield
            files_done += log.done
        reader.close()
        columns.end_file(reader)
        _check(reader, log, columns)
        yield


def _check(reader: Reader, log: Opened, columns: Columns) -> None:
    """Raise where the file was no log; say where it was not whole."""
    path = columns.files[-1]
    if reader.has_nul and not reader.dialect_lines:
        raise LogError("is binary data, not a log", path=path)
    if log.damage and not reader.dialect_lines:
        raise LogError(f"is damaged: {log.damage}", path=path)
    if log.damage:
        text = f"the file ends here: {log.damage}"
        columns.add(Finding(code="damaged", line=reader.lines, text=text))
