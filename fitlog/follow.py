"""Logs that still grow: their entries as they come, through rotation and truncation.

A file is followed by its name. Where another file takes its place (logrotate's `create`), the old
one is read to its end first. Where it is cut and begun anew (`copytruncate`, or a shell's `>`),
what was read stays read. Either way the training goes on: the same reader reads what follows, and
lines are counted on.
"""

from __future__ import annotations

import contextlib
import os
import signal
import stat
import threading
import time
from collections.abc import Callable, Iterator
from types import FrameType
from typing import TYPE_CHECKING, Final

from fitlog.errors import LogError, Termination
from fitlog.reading import all_dialects
from fitlog.sources import (
    CHUNK_BYTES,
    Opened,
    Source,
    is_compressed,
    name_of,
    open_file,
    opened,
)
from fitlog.tables import ROW_TABLES, as_frame
from fitlog_parsers import Columns, Entry, Finding, LogReader

if TYPE_CHECKING:
    import pandas as pd

_POLL_SECONDS: Final = 0.5
# So many bytes before the place that was read to are compared: another text may be longer.
_REMEMBERED_BYTES: Final = 64
# What can happen to the file of a name, as `Tail.turn` calls it, and what to say of it.
TURNS: Final = {
    "rotated": "another file took the place of the one that was followed: what follows is its",
    "truncated": "the file was cut and begun anew: what follows is new",
}

Wait = Callable[[], bool]


def follow_log(
    source: Source,
    *,
    dialect: str | None = None,
    dialect_file: str | os.PathLike[str] | None = None,
    wait: Wait | None = None,
) -> Iterator[Entry]:
    """The entries of a log as they come: `Row`, `Unparsed` and `Finding`, in the lines' order.

    An entry comes when the lines behind it have told what it is: mostly at once, at the latest
    20,000 lines later (100,000 where day and month cannot be told apart). `line` counts the lines
    read since the beginning; a finding `rotated` or `truncated` says where another file begins.

    `wait` is called whenever all there is was read: it returns whether to go on. None waits half a
    second each time, and goes on for ever. Where it says no, what was held back comes, and that is
    the end. Standard input, open files and bytes are read to their end without it, and may be
    compressed, as with `read_log`; a path is that of a log which is not.

    What is raised comes with the first entry that is asked for, or later.

    Raises:
        LogError: the log is missing or unreadable; its path names something compressed; what stands
            at the end of standard input, an open file or bytes is damaged.
        UnknownDialectError: there is no such dialect.
        DialectFileError: the file, or an installed package, describes none.
    """
    reader = LogReader(all_dialects(dialect, dialect_file))
    for entries in _follow(source, reader, wait or _wait):
        yield from entries


def follow_table(
    source: Source,
    table: str,
    *,
    dialect: str | None = None,
    dialect_file: str | os.PathLike[str] | None = None,
    wait: Wait | None = None,
    report: Callable[[Finding], None] = lambda _: None,
) -> Iterator[pd.DataFrame]:
    """The rows of a table (one of `ROW_TABLES`) as they come, in frames; the first may be empty.

    Columns and dtypes are those of `RunLog`. Findings are given to `report`. The rest is as with
    `follow_log`, errors too.
    """
    is_first = True
    for columns in follow_columns(
        source, dialect=dialect, dialect_file=dialect_file, wait=wait, report=report
    ):
        rows = as_frame(ROW_TABLES[table](columns), None)
        if is_first or len(rows):
            yield rows
        is_first = False


def follow_columns(
    source: Source,
    *,
    dialect: str | None = None,
    dialect_file: str | os.PathLike[str] | None = None,
    wait: Wait | None = None,
    report: Callable[[Finding], None] = lambda _: None,
) -> Iterator[Columns]:
    """What was read at each look at the log, as columns, which may be empty.

    Findings are given to `report`. The rest is as with `follow_log`, errors too.
    """
    reader = LogReader(all_dialects(dialect, dialect_file))
    columns = Columns()
    columns.begin_file(name_of(source))
    for entries in _follow(source, reader, wait or _wait):
        for entry in entries:
            if isinstance(entry, Finding):
                report(entry)
            else:
                columns.add(entry)
        yield columns.take()


class Patience:
    """A wait between two looks at a log that ends with Ctrl-C, and so does a read that blocks."""

    def __init__(self, seconds: float = _POLL_SECONDS) -> None:
        self._seconds = seconds
        self._stop = threading.Event()
        self._blocks = False

    def __call__(self) -> bool:
        """Wait, and say whether to go on."""
        return not self._stop.wait(self._seconds)

    def interrupt(self) -> None:
        """Ctrl-C: what was read is dealt with, but nothing is waited for."""
        self._stop.set()
        if self._blocks:
            raise KeyboardInterrupt

    @contextlib.contextmanager
    def interruptible(self) -> Iterator[None]:
        """Ctrl-C raises KeyboardInterrupt in here, also one that came before."""
        self._blocks = True
        try:
            if self._stop.is_set():
                raise KeyboardInterrupt
            yield
        finally:
            self._blocks = False


@contextlib.contextmanager
def until_interrupted(seconds: float = _POLL_SECONDS) -> Iterator[Patience]:
    """A wait that ends with Ctrl-C or SIGTERM; a second one interrupts whatever is going on.

    Raises:
        KeyboardInterrupt, Termination: it came, and what was read has been dealt with.
    """
    patience = Patience(seconds)
    asked: list[int] = []

    def interrupt(number: int, _frame: FrameType | None) -> None:
        asked.append(number)
        put_back()
        patience.interrupt()

    def put_back() -> None:
        for number, handler in before.items():
            signal.signal(number, handler)

    before = {
        number: signal.signal(number, interrupt)
        for number in (signal.SIGINT, signal.SIGTERM)
        if signal.getsignal(number) is not signal.SIG_IGN
    }
    try:
        yield patience
    finally:
        put_back()
    if asked:
        raise Termination if asked[0] == signal.SIGTERM else KeyboardInterrupt


def _wait() -> bool:
    time.sleep(_POLL_SECONDS)
    return True


def _follow(source: Source, reader: LogReader, wait: Wait) -> Iterator[list[Entry]]:
    if not isinstance(source, (str, os.PathLike)) or os.fspath(source) == "-":
        with _opened_log(source, wait) as log:
            while piece := _read(log, wait):
                yield reader.feed(piece)
        yield reader.close()
        if log.damage:
            raise LogError(f"is damaged: {log.damage}", path=name_of(source))
        return
    with _interruptible(wait):  # a pipe opens when somebody writes
        tail = Tail(source)
    with contextlib.closing(tail):
        while True:
            if turned := tail.turn():
                yield reader.begin_anew(turned, TURNS[turned])
            elif piece := _read(tail, wait):
                yield reader.feed(piece)
            elif tail.is_endless and wait():
                continue
            else:
                break
    yield reader.close()


def _read(log: Opened | Tail, wait: Wait) -> bytes:
    """The next piece; nothing at the end, and where Ctrl-C comes meanwhile, or came before."""
    try:
        with _interruptible(wait):
            return log.read()
    except KeyboardInterrupt:
        if isinstance(wait, Patience):
            return b""
        raise


def _interruptible(wait: Wait) -> contextlib.AbstractContextManager[None]:
    return wait.interruptible() if isinstance(wait, Patience) else contextlib.nullcontext()


@contextlib.contextmanager
def _opened_log(source: Source, wait: Wait) -> Iterator[Opened]:
    """As `opened`, which looks at the first bytes, and waits for them."""
    with contextlib.ExitStack() as stack:
        with _interruptible(wait):
            log = stack.enter_context(opened(source))
        yield log


class Tail:
    """The bytes of the file of a name; `is_endless` is False for what cannot grow, as a pipe."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._path = path
        # Unbuffered: what stands in the file now counts.
        self._file = open_file(path).detach()
        self._last = b""  # the end of what was read
        self._position = 0
        self.is_endless = stat.S_ISREG(os.fstat(self._file.fileno()).st_mode)

    def close(self) -> None:
        """Give the file back."""
        self._file.close()

    def modified(self) -> float:
        """When the file was last written to, in seconds since 1970."""
        return os.fstat(self._file.fileno()).st_mtime

    def read(self) -> bytes:
        """What is there to be read; nothing where all was."""
        try:
            piece = self._file.read(CHUNK_BYTES) or b""
        except OSError as error:
            raise LogError(f"cannot be read: {error.strerror}", path=name_of(self._path)) from None
        if not self._position and is_compressed(piece):
            raise LogError(
                "is compressed and cannot be followed: it does not grow", path=name_of(self._path)
            )
        self._position += len(piece)
        self._last = (self._last + piece)[-_REMEMBERED_BYTES:]
        return piece

    def turn(self) -> str:
        """What has happened to the file: rotated (all of it was read), truncated, or nothing."""
        if not self.is_endless:
            return ""
        try:
            there = os.stat(self._path)  # noqa: PTH116  # a path may be any PathLike
        except OSError:  # moved away, and the next one is not there yet
            return ""
        if not stat.S_ISREG(there.st_mode):  # a folder or a pipe is no next one
            return ""
        here = os.fstat(self._file.fileno())
        if not os.path.samestat(there, here):
            if here.st_size > self._position:  # there is more of it to be read first
                return ""
            try:
                following = open_file(self._path).detach()
            except LogError:  # gone again, or not readable yet
                return ""
            self._file.close()
            self._file, self._position, self._last = following, 0, b""
            return "rotated"
        if here.st_size >= self._position and self._is_as_read():
            return ""
        self._file.seek(0)
        self._position, self._last = 0, b""
        return "truncated"

    def _is_as_read(self) -> bool:
        """Whether the text before the place that was read to is still the same."""
        self._file.seek(self._position - len(self._last))
        before = self._file.read(len(self._last))
        self._file.seek(self._position)
        return before == self._last
