"""Where the canonical record of each line begins, and what stands before it, for whole blocks.

The lines of one writer have one prefix: nothing, `INFO:root:`, a time stamp and `Node[0] `. Each is
kept as a template, literal or with the digits of a stamp left open, and compared with all lines of
a block at once. A line with a prefix that is new, or that changes from line to line, is looked at
by itself.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final, NamedTuple

import numpy as np

from fitlog_parsers.canonical import Bools, Ints
from fitlog_parsers.columns import MISSING
from fitlog_parsers.lockstep import EPOCH, PADDING
from fitlog_parsers.stamps import YEAR, day_time
from fitlog_parsers.words import stands, words_of

_MOST_TEMPLATES: Final = 16
_LONGEST_PREFIX: Final = 128
_MOST_PREFIXES: Final = 256
_STAMP: Final = re.compile(
    rb"[0-9]{4}-[0-9]{2}-[0-9]{2}[ T][0-9]{2}:[0-9]{2}:[0-9]{2}(?:[.,][0-9]{3})?+"
)
_STAMP_BYTES: Final = 19
_YEAR: Final = re.compile(YEAR)


class Begins(NamedTuple):
    """For each line of a block: where its record begins, -1 where none does; time and node.

    Times are microseconds since 1970; a time or node that the prefix does not state is MISSING.
    Lines of which `known` is False have a prefix that no template fits: their time and node are not
    told here.
    """

    begin: Ints
    time: Ints
    node: Ints
    known: Bools


class _Template(NamedTuple):
    """A prefix: a stamp of `stamp` bytes, which is empty or begins it, and the literal behind."""

    stamp: bytes
    tail: bytes
    node: int


class PrefixFinder:
    """Finds the beginnings of records by the prefixes that it has learned: at first, of none."""

    def __init__(self) -> None:
        self._templates: list[_Template] = [_Template(b"", b"", MISSING)]
        self._seen: set[tuple[int, bytes]] = set()

    def find(self, data: bytes, starts: Ints, ends: Ints) -> Begins:
        """Look at the lines from `starts` to `ends` (their line ends) of a padded block.

        Both are int64 (lines,), and so is what is given; of no lines it is empty.
        """
        count = len(starts)
        begin = np.full(count, -1)
        time, node = np.full(count, MISSING), np.full(count, MISSING)
        known = np.zeros(count, dtype=bool)
        todo = np.arange(count)
        for template in list(self._templates):
            hit, times = self._try(data, starts if len(todo) == count else starts[todo], template)
            if not hit.any():
                continue
            lines = todo[hit]
            begin[lines] = starts[lines] + len(template.stamp) + len(template.tail)
            known[lines] = True
            if times is not None:
                time[lines] = times[hit]
            node[lines] = template.node
            if 2 * len(lines) > count and template is not self._templates[0]:
                self._templates.remove(template)
                self._templates.insert(0, template)
            todo = np.flatnonzero(~known)
            if not len(todo):
                break
        for i, start, end in zip(
            todo.tolist(), starts[todo].tolist(), ends[todo].tolist(), strict=True
        ):
            begin[i] = data.find(EPOCH, start, end)
        return Begins(begin, time, node, known)

    def learn(self, prefix: bytes, read: Callable[[bytes], tuple[int | None, int | None]]) -> bool:
        """Keep a prefix; True where it is a new template.

        `read` is what reads prefixes elsewhere: it gives the time, in microseconds since 1970, and
        the node, None where the prefix names none.
        """
        stamp = _STAMP.match(prefix)
        length = stamp.end() if stamp else 0
        key = length, prefix[length:]
        if key in self._seen or len(self._seen) >= _MOST_PREFIXES or len(prefix) > _LONGEST_PREFIX:
            return False
        self._seen.add(key)
        time, node = read(prefix)
        template = _Template(prefix[:length], prefix[length:], MISSING if node is None else node)
        if time != _time_of(template.stamp):
            return False
        self._templates.insert(1, template)
        del self._templates[_MOST_TEMPLATES:]
        return True

    def _try(self, data: bytes, starts: Ints, template: _Template) -> tuple[Bools, Ints | None]:
        """Which lines begin with the template and then a record; and their times if it has any."""
        hit = stands(data, starts + len(template.stamp), words_of(template.tail + EPOCH))
        if not template.stamp or not hit.any():
            return hit, None
        where = np.flatnonzero(hit)
        good, times = _times(data, starts[where], template.stamp)
        every = np.full(len(starts), MISSING)
        every[where] = times
        hit[where] = good
        return hit, every


def _times(data: bytes, starts: Ints, stamp: bytes) -> tuple[Bools, Ints]:
    """Microseconds since 1970 of the stamps at `starts`, and which of them are such stamps."""
    rows: Any = np.ndarray((len(data) - len(stamp),), f"V{len(stamp)}", data, 0, (1,))[starts]
    chars = np.ascontiguousarray(rows.view("u1").reshape(-1, len(stamp)).T)
    good = np.ones(len(starts), dtype=bool)
    digits: dict[int, Ints] = {}
    for i, char in enumerate(stamp):
        if ord("0") <= char <= ord("9"):
            digit = chars[i] - np.uint8(ord("0"))
            good &= digit < 10
            digits[i] = digit.astype("i8")
        else:
            good &= chars[i] == char

    def number(first: int, last: int) -> Ints:
        value = digits[first]
        for i in range(first + 1, last):
            value = value * 10 + digits[i]
        return value

    date = number(0, 4) * 10_000 + number(5, 7) * 100 + number(8, 10)
    hour, minute, second = number(11, 13), number(14, 16), number(17, 19)
    good &= (hour < 24) & (minute < 60) & (second < 60)
    time = ((hour * 60 + minute) * 60 + second) * 1_000_000
    if len(stamp) > _STAMP_BYTES:
        time += number(_STAMP_BYTES + 1, len(stamp)) * 1000
    days = np.zeros(len(starts), dtype="i8")
    for value in np.unique(date[good]).tolist():
        day = _day(value)
        same = date == value
        if day is None:
            good &= ~same
        else:
            days[same] = day
    return good, time + days


def _day(date: int) -> int | None:
    year = date // 10_000
    return day_time(year, date // 100 % 100, date % 100) if _YEAR.fullmatch(f"{year:04}") else None


def _time_of(stamp: bytes) -> int | None:
    if not stamp:
        return None
    good, times = _times(stamp + bytes(PADDING), np.zeros(1, dtype="i8"), stamp)
    return int(times[0]) if good[0] else None
