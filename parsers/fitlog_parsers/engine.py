"""The first look at a text: where its lines and records begin, and which lines are canonical.

What is learned of prefixes and metrics' names serves for the texts that follow, also for those of
other logs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from fitlog_parsers.begins import Begins, PrefixFinder
from fitlog_parsers.canonical import Canonical, Ints
from fitlog_parsers.dialects.module import MODULE
from fitlog_parsers.grammar import Dialect
from fitlog_parsers.lines import MAX_LINE_BYTES
from fitlog_parsers.lockstep import PADDING, Lockstep
from fitlog_parsers.scanner import RuleIndex, decode, index_rules
from fitlog_parsers.times import read_alone

# Where less than a fifth of the lines is canonical, a look at those that follow is not worth its
# time: so many times their bytes are left to the rules, and then a trial made.
_FEW: Final = 5
_TIMES_LEFT: Final = 8
_TRIAL_BYTES: Final = 1 << 16
_PREFIXES_TO_TRY: Final = 4


@dataclass(slots=True)
class Look:
    """What was seen of a text of whole lines: `starts` and `ends` are theirs, `data` is padded.

    `canonical.accepted` may be changed: a line that is no longer accepted is not kept.
    """

    data: bytes
    starts: Ints
    ends: Ints
    begins: Begins
    canonical: Canonical
    index: RuleIndex | None
    is_ascii: bool = False

    @classmethod
    def nothing(cls) -> Look:
        """What is seen of no text."""
        none = np.zeros(0, dtype="i8")
        known = np.zeros(0, dtype=bool)
        return cls(b"", none, none, Begins(none, none, none, known), Canonical.nothing(), None)

    def line(self, i: int) -> bytes:
        """A line, without its end."""
        return self.data[self.starts[i] : self.ends[i]]

    def prefix(self, i: int) -> bytes:
        """What stands before the record of a line."""
        return self.data[self.starts[i] : self.begins.begin[i]]

    def worth_a_look(self, first: int, last: int) -> list[int]:
        """The lines that may hold something besides what was read in lock-step."""
        assert self.index is not None  # noqa: S101  # no text has no lines
        accepted = self.canonical.accepted[first:last]
        wanted = accepted & ~self.begins.known[first:last]
        rest = np.flatnonzero(~accepted)
        starts, ends = self.starts[first:last][rest], self.ends[first:last][rest]
        search, data = self.index.interesting_ascii.search, self.data
        spans = zip(rest.tolist(), starts.tolist(), ends.tolist(), strict=True)
        if self.is_ascii:
            wanted[[i for i, start, end in spans if search(data, start, end)]] = True
        else:
            is_interesting = self.index.is_interesting
            wanted[[i for i, start, end in spans if is_interesting(data, start, end, end)]] = True
        lines: list[int] = (np.flatnonzero(wanted) + first).tolist()
        return lines

    def counted(self, first: int, last: int) -> tuple[int, Ints]:
        """How many canonical speeds there are in these lines, and the kinds of those of epochs."""
        accepted, speeds, epochs = self.canonical
        of_speeds = speeds.line[slice(*np.searchsorted(speeds.line, [first, last]))]
        where = slice(*np.searchsorted(epochs.line, [first, last]))
        is_kept = accepted[epochs.line[where]]
        return int(accepted[of_speeds].sum()), epochs.kind[where][is_kept]


class Engine:
    """Looks at texts, and learns from each; `names` are the metrics' names by code.

    `has_canonical` says whether Module's lines are read before all others: if not, it is of no use.
    `is_hopeful` says whether many lines of the text that was looked at last were canonical.
    """

    def __init__(self, dialects: tuple[Dialect, ...]) -> None:
        self.has_canonical = bool(dialects) and dialects[0] is MODULE
        self._index = index_rules(dialects)
        self._lockstep = Lockstep()
        self._prefixes = PrefixFinder()
        self.is_hopeful = False
        self._left = 0  # so many bytes are left to the rules without a look

    def plan(self, size: int) -> tuple[int, bool]:
        """How many of the next `size` bytes to read now, about, and whether to look at them."""
        if self.is_hopeful:
            return size, True
        if not self._left:
            return min(size, _TRIAL_BYTES), True
        now = min(size, self._left)
        self._left -= now
        return now, False

    @property
    def names(self) -> list[str]:
        """The metrics' names by code."""
        return self._lockstep.names

    def look(self, text: bytes, torn: Ints | None = None) -> Look:
        """Look at a text of whole lines; those in which the bytes `torn` lie had no end."""
        data = text + bytes(PADDING)
        ends = np.flatnonzero(np.frombuffer(text, dtype="u1") == ord("\n"))
        starts = np.empty_like(ends)
        starts[:1], starts[1:] = 0, ends[:-1] + 1
        begins = self._find_begins(data, starts, ends)
        begins.begin[ends - starts > MAX_LINE_BYTES] = -1
        if torn is not None:
            begins.begin[np.searchsorted(ends, torn)] = -1
        self._leave_odd_prefixes(data, starts, ends, begins)
        canonical = self._lockstep.read(data, begins.begin, len(ends))
        self.is_hopeful = canonical.accepted.sum() * _FEW >= len(ends)
        self._left = 0 if self.is_hopeful else _TIMES_LEFT * len(text)
        return Look(data, starts, ends, begins, canonical, self._index, text.isascii())

    def _find_begins(self, data: bytes, starts: Ints, ends: Ints) -> Begins:
        """Where records begin; a prefix that is new is learned from its first line."""
        while True:
            begins = self._prefixes.find(data, starts, ends)
            odd = np.flatnonzero(~begins.known & (begins.begin >= 0))
            for i in odd[:_PREFIXES_TO_TRY].tolist():
                begin = int(begins.begin[i])
                if self._index.is_interesting(data, int(starts[i]), begin, int(ends[i])):
                    continue
                if self._prefixes.learn(data[starts[i] : begin], _parse_prefix):
                    break
            else:
                return begins

    def _leave_odd_prefixes(self, data: bytes, starts: Ints, ends: Ints, begins: Begins) -> None:
        """A prefix that itself looks like a record is the rules' business."""
        for i in np.flatnonzero(~begins.known & (begins.begin >= 0)).tolist():
            begin = int(begins.begin[i])
            if self._index.is_interesting(data, int(starts[i]), begin, int(ends[i])):
                begins.begin[i] = -1


def _parse_prefix(prefix: bytes) -> tuple[int | None, int | None]:
    return read_alone(decode(prefix))
