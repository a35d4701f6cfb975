"""Reads logs from their sources into columns, all into one set or part by part."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Final, Protocol

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

if TYPE_CHECKING:
    from fitlog_parsers.engine import Engine

Progress = Callable[[int], None]
Refused = Callable[[str, LogError], None]

# So much text at a time is read: the fast reader is slow on little, and much takes memory.
_PART_BYTES: Final = CHUNK_BYTES
# Logs that are smaller than this are read together.
_SMALL_BYTES: Final = 1 << 18


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
    dialects = all_dialects(dialect, dialect_file)
    for _ in _Reading(columns, dialects, bulk=bulk, progress=progress).read(sources):
        pass
    if bulk:
        _collect(columns)
    return columns


def read_parts(
    sources: Sequence[Source],
    *,
    dialect: str | None = None,
    dialect_file: str | os.PathLike[str] | None = None,
    progress: Progress | None = None,
    refused: Refused | None = None,
) -> Iterator[Columns]:
    """The same part by part: what was not taken yet, about every megabyte.

    Together the parts hold the rows of `read_columns`, in their order; the last one holds the
    counts. Memory stays flat however long the logs are. Where `refused` is given, it is told what
    is wrong with a log, and the next one is read; it may have entries in the parts.

    Raises:
        LogError, UnknownDialectError, DialectFileError: as `read_columns`, when it comes to it.
    """
    columns = Columns()
    dialects = all_dialects(dialect, dialect_file)
    reading = _Reading(columns, dialects, bulk=True, progress=progress, refused=refused)
    for _ in reading.read(sources):
        part = columns.take()
        _collect(part)
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
    """The dialect of a file, if there is one, and those that installed packages bring.

    Raises:
        DialectFileError: the file, or an installed package, describes none.
    """
    own = () if dialect_file is None else (load_dialect(dialect_file),)
    return (*own, *installed_dialects())


def check_log(reader: Reader, damage: str, columns: Columns) -> None:
    """Say in the columns, which have ended the file, where it was not whole.

    Raises:
        LogError: the file was no log.
    """
    path = columns.files[-1]
    if reader.has_nul and not reader.dialect_lines:
        raise LogError("is binary data, not a log", path=path)
    if damage and not reader.dialect_lines:
        raise LogError(f"is damaged: {damage}", path=path)
    if damage:
        text = f"the file ends here: {damage}"
        columns.add(Finding(code="damaged", line=reader.lines, text=text))


class _Reading:
    """Reads sources into columns; `read` comes back about every megabyte.

    In bulk, small logs wait for each other, and are read as one text.
    """

    def __init__(
        self,
        columns: Columns,
        dialects: tuple[Dialect, ...],
        *,
        bulk: bool,
        progress: Progress | None,
        refused: Refused | None = None,
    ) -> None:
        self._columns, self._dialects, self._progress = columns, dialects, progress
        self._refused = refused
        self._engine = _new_engine(dialects) if bulk else None
        self._waiting: list[tuple[str, bytes]] = []
        self._waiting_bytes = 0
        self._files_done = 0

    def read(self, sources: Sequence[Source]) -> Iterator[None]:
        """Read them one after the other."""
        for source in sources:
            try:
                with opened(source) as log:
                    yield from self._read_one(name_of(source), log)
            except LogError as error:
                yield from self._read_waiting()  # what came before is not lost
                if self._refused is None:
                    raise
                self._refused(name_of(source), error)
        yield from self._read_waiting()

    def _read_one(self, name: str, log: Opened) -> Iterator[None]:
        piece = log.read_whole(_PART_BYTES)
        if self._can_wait(piece, log):
            self._waiting.append((name, piece))
            self._waiting_bytes += len(piece)
            self._tell(log)
            self._files_done += log.done
            if self._waiting_bytes >= _PART_BYTES:
                yield from self._read_waiting()
            return
        yield from self._read_waiting()
        self._columns.begin_file(name)
        reader = self._new_reader()
        while piece:
            reader.feed(piece)
            self._tell(log)
            yield
            piece = log.read_whole(_PART_BYTES)
        self._files_done += log.done
        reader.close()
        self._columns.end_file(reader)
        check_log(reader, log.damage, self._columns)
        yield

    def _can_wait(self, piece: bytes, log: Opened) -> bool:
        """Whether this is the whole of a small log, and nothing is wrong with it."""
        is_small = len(piece) < min(_PART_BYTES, _SMALL_BYTES)  # or there may be more of it
        is_sound = not log.damage and b"\0" not in piece
        return self._engine is not None and self._engine.has_canonical and is_small and is_sound

    def _read_waiting(self) -> Iterator[None]:
        if self._waiting and self._engine is not None:
            from fitlog_parsers.bulk import read_together

            read_together(self._columns, self._waiting, self._dialects, self._engine)
            self._waiting, self._waiting_bytes = [], 0
            yield

    def _new_reader(self) -> Reader:
        if self._engine is None:
            return ColumnReader(self._columns, self._dialects)
        from fitlog_parsers.bulk import BulkReader

        return BulkReader(self._columns, self._dialects, self._engine)

    def _tell(self, log: Opened) -> None:
        if self._progress is not None:
            self._progress(self._files_done + log.done)


def _new_engine(dialects: tuple[Dialect, ...]) -> Engine:
    from fitlog_parsers.engine import Engine

    return Engine(dialects)


def _collect(columns: Columns) -> None:
    from fitlog_parsers.rows import collect

    collect(columns)
