"""A large log that may still grow: read in pieces, and read on later from where it stood.

What the parser remembers between two lines (`fitlog_parsers.freezing`) is kept with the place where
it stood, some lines before the end: what the end of a log settles for want of more is settled anew
when more has come. So the rows are those of reading it whole.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from fitlog.archive.opening import Named, Readable
from fitlog.reading import all_dialects, check_log
from fitlog.sources import CHUNK_BYTES, is_compressed
from fitlog_parsers.bulk import BulkReader
from fitlog_parsers.columns import Columns
from fitlog_parsers.freezing import freeze, thaw
from fitlog_parsers.rows import collect

# Of the bytes before the place, these tell whether the log is still the one that was read.
_HEAD_BYTES: Final = 1 << 12
_TAIL_BYTES: Final = 1 << 16
# Within so many bytes of the end there is a place to stand on in every log that is known.
_LAST_BYTES: Final = 16 * CHUNK_BYTES
_LONGEST_MAGIC: Final = 6
_UTF16: Final = (b"\xff\xfe", b"\xfe\xff")


@dataclass(frozen=True, slots=True, kw_only=True)
class Stand:
    """A place between two lines: bytes and lines before it, their check, the parser's memory.

    `digest` is that of what is before the block of bytes that the place is in (`Digest.before`).
    """

    offset: int
    lines: int
    check: str
    memory: str
    digest: str

    def as_text(self) -> str:
        """As JSON."""
        return json.dumps([self.offset, self.lines, self.check, self.memory, self.digest])


def stand_of(text: str | None) -> Stand | None:
    """The place that was written as text; None where it is none."""
    try:
        offset, lines, check, memory, digest = json.loads(text or "null")
        return Stand(
            offset=int(offset),
            lines=int(lines),
            check=str(check),
            memory=str(memory),
            digest=str(digest),
        )
    except (TypeError, ValueError):
        return None


def can_be_resumed(file: Readable) -> bool:
    """Whether the bytes of a log are its text; it is at its beginning before and after."""
    head = file.read(_LONGEST_MAGIC)
    file.seek(0)
    return not is_compressed(head) and not head.startswith(_UTF16)


def is_still(file: Readable, stand: Stand) -> bool:
    """Whether the log is the one that stood there, as far as the bytes around tell."""
    return _check(file, stand.offset) == stand.check


class GrowingLog:
    """One large log; iterate over it, once. `stand` is then where to go on, None where nowhere.

    `size` bytes are read of `named`, with those before `start`; `codes` are the metrics' codes, and
    grow.

    Raises:
        ValueError: `start` is no place where a parser stood.
    """

    def __init__(
        self,
        named: Named,
        *,
        size: int,
        start: Stand | None,
        codes: dict[str, int],
    ) -> None:
        self.stand: Stand | None = start
        self._named, self._size = named, size
        self._first = start.offset if start else 0
        self._columns = Columns()
        self._columns.metrics.codes = codes
        self._columns.begin_file(named.name)
        self._reader = (
            BulkReader(self._columns, all_dialects())
            if start is None
            else thaw(start.memory, self._columns, all_dialects())
        )

    def __iter__(self) -> Iterator[Columns]:
        """The columns of each megabyte; the last holds the counts.

        Raises:
            LogError: it is no text, or cannot be read.
        """
        columns, reader, offset = self._columns, self._reader, self._first
        self._named.go_on_from(offset, self.stand.digest if self.stand else "")
        place: tuple[int, int, str] | None = None
        while piece := self._named.read(min(CHUNK_BYTES, max(self._size - offset, 0))):
            offset += len(piece)
            if place is not None:  # more has followed
                self._stand_at(place, offset)
            reader.feed(piece)
            place = self._place(reader, offset)
            yield self._taken()
        reader.close()
        columns.end_file(reader)
        yield self._taken()
        check_log(reader, "", columns)

    def _place(self, reader: BulkReader, offset: int) -> tuple[int, int, str] | None:
        if offset < self._size - _LAST_BYTES:
            return None
        memory, waiting = freeze(reader), reader.waiting_bytes
        if memory is None or waiting is None:
            return None
        return offset - waiting, reader.lines, memory

    def _stand_at(self, place: tuple[int, int, str], offset: int) -> None:
        at, lines, memory = place
        self.stand = Stand(
            offset=at,
            lines=lines,
            check=_check(self._named.file, at),
            memory=memory,
            digest=self._named.digest.before(at),
        )
        self._named.file.seek(offset)

    def _taken(self) -> Columns:
        part = self._columns.take()
        collect(part)
        return part


def _check(file: Readable, offset: int) -> str:
    digest = hashlib.blake2b(digest_size=16)
    for begin, end in ((0, min(_HEAD_BYTES, offset)), (max(0, offset - _TAIL_BYTES), offset)):
        file.seek(begin)
        digest.update(file.read(end - begin))
    return digest.hexdigest()
