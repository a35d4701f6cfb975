"""One line in, what it says out: finds where records begin and tries the rules there.

A line may hold several records, glued by a torn write, or a record behind other output. What
resembles a record and is read by no rule is reported, never passed over.
"""

from __future__ import annotations

import dataclasses
import re
import sys
from collections import Counter
from functools import cached_property
from typing import Final, NamedTuple

from fitlog_parsers.building import integer
from fitlog_parsers.entries import Finding, Unparsed
from fitlog_parsers.grammar import Dialect, Rule
from fitlog_parsers.lines import KEPT_BYTES, MAX_LINE_BYTES
from fitlog_parsers.prefix import ANSI, rank_tag
from fitlog_parsers.records import Record

# Starts that no rule reads, since the last record and in a line: no log has so many, and each may
# cost a look at all of the line.
_MOST_UNREAD_STARTS: Final = 100
_MOST_UNREAD_IN_LINE: Final = 300
# Text of this kind that no rule reads is reported, not passed over.
_RESEMBLES: Final = (
    r"samples/s|\b(?:Train|Validation)-[^\s=]{1,200}+=|\bEpoch ?\[[0-9]|\[Epoch [0-9]"
)
_RESEMBLES_RECORD: Final = re.compile(_RESEMBLES)
_TRACEBACK: Final = "Traceback (most recent call last)"
# An exception that another one raised follows it so closely.
_ONE_CRASH_LINES: Final = 200
# The same or more, in bytes, where a name of 200 characters can be four times as long. Each
# alternative begins with a letter: `re` then passes over all bytes but these at a stroke.
_MAY_RESEMBLE: Final = (
    r"samples/s|Train-[^\s=]{1,800}+=|Validation-[^\s=]{1,800}+=|Epoch ?\[[0-9]|\[Epoch [0-9]"
    r"|Traceback \(most recent call last\)|\x1b"
)
_MOST_INDEXES: Final = 64
_INDEXES: Final[dict[tuple[int, ...], RuleIndex]] = {}


class Found(NamedTuple):
    """The records of one place in a line, with the text before them; `node`: stated by them."""

    before: str
    records: tuple[Record, ...]
    node: int | None
    rule: Rule


Scanned = Found | Unparsed | Finding


class Heading(NamedTuple):
    """A line that said where the lines below it belong, if they begin with its tag."""

    rule: Rule
    dialect: str
    epoch: int | None
    tag: str


class _Said(NamedTuple):
    """The records of a match, and the node that they state."""

    records: tuple[Record, ...]
    node: int | None


class RuleIndex:
    """The rules of some dialects by the starts of their records, made once and used for many logs.

    `starts` finds a start; `interesting` whether a line may have anything to be looked at: a start,
    a colour that may hide one, or what resembles a record; `interesting_ascii` the same in bytes.
    """

    def __init__(self, dialects: tuple[Dialect, ...]) -> None:
        self.dialects = dialects  # kept, for the index is known by their identity
        self.rules = _by_start(dialects)
        self._starts = _pattern_of_starts(self.rules)
        self.starts = re.compile(self._starts)

    @cached_property
    def interesting(self) -> re.Pattern[str]:
        """For text with letters beyond ASCII."""
        return re.compile(f"{self._starts}|{_MAY_RESEMBLE}")

    @cached_property
    def interesting_ascii(self) -> re.Pattern[bytes]:
        """For bytes."""
        return re.compile(f"{self._starts}|{_MAY_RESEMBLE}".encode())

    def is_interesting(self, data: bytes, begin: int, end: int, line_end: int) -> bool:
        """Whether a line has anything to be looked at that begins in this part of it."""
        found = self.interesting_ascii.search(data, begin, line_end)
        if found is not None and found.start() < end:
            return True
        if data[begin:line_end].isascii():
            return False
        # In bytes another letter is no letter, and counts as two or three.
        text = self.interesting.search(decode(data[begin:line_end]))
        return text is not None and text.start() < len(decode(data[begin:end]))


class Scanner:
    """Reads lines in order.

    `heading` is the line whose rules for the lines below are in force, `rule_uses` counts how often
    each rule was used, by dialect and rule, `dialect_lines` the lines with a record by dialect,
    `crash_line` is that of the last exception.
    """

    def __init__(self, dialects: tuple[Dialect, ...]) -> None:
        self.heading: Heading | None = None
        self.rule_uses: Counter[tuple[str, str]] = Counter()
        self.dialect_lines: Counter[str] = Counter()
        self._index = index_rules(dialects)
        self.crash_line = -_ONE_CRASH_LINES

    def scan(self, number: int, raw: bytes, *, ended: bool = True) -> list[Scanned]:
        """What line `number` says; `ended` is False for a last line without its end."""
        if len(raw) > MAX_LINE_BYTES:
            return [too_long(number, raw)]
        text = decode(raw)
        if "\x1b" in text:
            text = ANSI.sub("", text)
        if self.heading and (found := self._scan_below(number, text)) is not None:
            return found
        return self._scan(number, text, ended=ended)

    def pass_canonical(self, line: bytes) -> None:
        """A canonical line, read elsewhere, ends what stands below a heading."""
        heading = self.heading
        if heading and not heading.rule.stays and rank_tag(decode(line)) == heading.tag:
            self.heading = None

    def _scan(self, number: int, text: str, *, ended: bool) -> list[Scanned]:
        found: list[Scanned] = []
        dialects: set[str] = set()
        begin = after = 0  # where to look for the next start, and where the last record ended
        unread = unread_in_line = 0  # starts passed since then, and in all, that no rule reads
        tag = ""
        while (start := self._index.starts.search(text, begin)) is not None:
            begin = start.start()
            matched = self._match(text, begin, start[0])
            if matched is None:
                unread, unread_in_line = unread + 1, unread_in_line + 1
                begin = start.end()
                if unread > _MOST_UNREAD_STARTS or unread_in_line > _MOST_UNREAD_IN_LINE:
                    break
                continue
            before = text[after:begin]
            if before:
                torn_off = after > 0 and before[0] == "\t"
                found += _pass_over(number, before, unread=unread > 0, is_rest=torn_off)
            rule, dialect, match, (records, node) = matched
            end = match.end()
            if rule.opens:
                tag = tag or rank_tag(text)
                self.heading = Heading(rule, dialect, _epoch_of(match, self.heading), tag)
            if _is_unfinished(text, end, ended=ended) and not rule.ending.search(text, begin, end):
                records, whole = self._read_whole_part(text, begin, end, start[0])
                found.append(_unparsed(number, text[whole:end], "cut within this number"))
            if records or rule.opens:
                dialects.add(dialect)
                self.rule_uses[dialect, rule.name] += 1
            if records:
                found.append(Found(before, records, node, rule))
            begin, after, unread = end, end, 0
        if after < len(text):
            found += _pass_over(number, text[after:], unread=unread > 0, is_rest=after > 0)
            if _TRACEBACK in text:
                found += self._crash(number)
        for dialect in dialects:
            self.dialect_lines[dialect] += 1
        return found

    def _crash(self, number: int) -> list[Scanned]:
        """What is to be said of a traceback; one that another one follows is said once."""
        is_new = number - self.crash_line >= _ONE_CRASH_LINES
        self.crash_line = number
        text = "an exception was printed: see the log"
        return [Finding(code="traceback", line=number, text=text)] if is_new else []

    def _scan_below(self, number: int, text: str) -> list[Scanned] | None:
        """What a line below a heading says; None where it is a line of its own."""
        heading = self.heading
        assert heading is not None  # noqa: S101  # the caller's condition
        if rank_tag(text) != heading.tag:  # another rank's line, in between
            return None
        for rule in heading.rule.opens:
            begin = _first_start(rule, text, len(heading.tag))
            match = rule.pattern.match(text, begin) if begin >= 0 else None
            said = None if match is None else _say(rule, match)
            if match is None or said is None:
                continue
            self.dialect_lines[heading.dialect] += 1
            self.rule_uses[heading.dialect, rule.name] += 1
            if rule.opens:
                epoch = _epoch_of(match, heading)
                self.heading = Heading(rule, heading.dialect, epoch, heading.tag)
            records = tuple(_with_epoch(record, heading.epoch) for record in said.records)
            found: list[Scanned] = []
            if records:
                found.append(Found(text[: match.start()], records, said.node, rule))
            rest = text[match.end() :]
            return found + (_pass_over(number, rest, unread=False, is_rest=True) if rest else [])
        if not heading.rule.stays:
            self.heading = None
        return None

    def _match(
        self, text: str, begin: int, start: str, end: int = sys.maxsize
    ) -> tuple[Rule, str, re.Match[str], _Said] | None:
        for rule, dialect in self._index.rules[start]:
            match = rule.pattern.match(text, begin, end)
            if match is None or match.end() == begin:  # a user's pattern may match no text at all
                continue
            if (said := _say(rule, match)) is not None:
                return rule, dialect, match, said
        return None

    def _read_whole_part(
        self, text: str, begin: int, end: int, start: str
    ) -> tuple[tuple[Record, ...], int]:
        """The records of a torn record without its last field, and where they end."""
        cut = max(text.rfind("\t", begin, end), text.rfind(" ", begin, end))
        found = self._match(text, begin, start, cut) if cut > begin else None
        if found is None:
            return (), begin
        _, _, match, said = found
        return said.records, match.end()


def too_long(number: int, raw: bytes) -> Unparsed:
    """The report of a line beyond the bound; `raw` is its beginning at least."""
    text = decode(raw[:KEPT_BYTES])
    return _unparsed(number, text, f"a line of more than {MAX_LINE_BYTES:,} bytes")


def decode(raw: bytes) -> str:
    r"""The text of a line; bytes that are no UTF-8 are written out, as `\xff`."""
    return raw.decode("utf-8", "backslashreplace")


def _pass_over(number: int, text: str, *, unread: bool, is_rest: bool) -> list[Scanned]:
    """Text beside records: free, unless it resembles a record or is the rest of one."""
    if text.isspace():
        return []
    if unread or _RESEMBLES_RECORD.search(text):
        return [_unparsed(number, text, "no rule reads this")]
    return [_unparsed(number, text, "text after the record")] if is_rest else []


def _unparsed(number: int, text: str, reason: str) -> Unparsed:
    text = text.strip()
    shown = text if len(text) <= KEPT_BYTES else f"{text[:KEPT_BYTES]}..."
    return Unparsed(line=number, text=shown, reason=reason)


def _first_start(rule: Rule, text: str, begin: int) -> int:
    """Where to try a rule below a heading: behind a time stamp if it says how its lines start."""
    places = [place for start in rule.starts if (place := text.find(start, begin)) >= 0]
    return min(places, default=-1 if rule.starts else begin)


def _epoch_of(match: re.Match[str], above: Heading | None) -> int | None:
    epoch = integer(match.groupdict().get("epoch"))
    return epoch if epoch is not None else above.epoch if above else None


def _say(rule: Rule, match: re.Match[str]) -> _Said | None:
    """What a match says; None where a number of it is none, or is beyond all that can be read."""
    try:
        return _Said(rule.build(match), integer(match.groupdict().get("node")))
    except (ValueError, ArithmeticError):
        return None


def _with_epoch(record: Record, epoch: int | None) -> Record:
    return record if record.epoch is not None else dataclasses.replace(record, epoch=epoch)


def index_rules(dialects: tuple[Dialect, ...]) -> RuleIndex:
    """The index of these dialects' rules."""
    key = tuple(map(id, dialects))
    index = _INDEXES.get(key)
    if index is None:
        if len(_INDEXES) >= _MOST_INDEXES:
            _INDEXES.clear()
        index = RuleIndex(dialects)
        _INDEXES[key] = index
    return index


def _by_start(dialects: tuple[Dialect, ...]) -> dict[str, list[tuple[Rule, str]]]:
    """The rules to try at each start, in order; a longer start may stand where a shorter does."""
    first: dict[int, tuple[Rule, str]] = {}
    for dialect in dialects:
        for rule in dialect.rules:
            first.setdefault(id(rule), (rule, dialect.name))
    starts = {start for rule, _ in first.values() for start in rule.starts}
    return {
        start: [found for found in first.values() if start.startswith(found[0].starts)]
        for start in starts
    }


def _pattern_of_starts(rules: dict[str, list[tuple[Rule, str]]]) -> str:
    """Any start, the longest that fits; one that is common elsewhere only before what a rule wants.

    Starts share their beginnings, as in a tree: a hundred alternatives side by side take long. The
    first letters stand side by side all the same, as `_MAY_RESEMBLE` says.
    """
    ends = {}
    for start, tried in rules.items():
        aheads = {rule.ahead for rule, _ in tried if start in rule.starts}
        ends[start] = "" if "" in aheads else f"(?={'|'.join(sorted(aheads))})"
    return "|".join(_branches(ends)) if ends else "(?!)"


def _branches(ends: dict[str, str]) -> list[str]:
    """Patterns of texts with what must follow each, longer ones first."""
    below: dict[str, dict[str, str]] = {}
    for text, end in ends.items():
        if text:
            below.setdefault(text[0], {})[text[1:]] = end
    branches = [re.escape(char) + _tree(rest) for char, rest in sorted(below.items())]
    if "" in ends:
        branches.append(ends[""])
    return branches


def _tree(ends: dict[str, str]) -> str:
    branches = _branches(ends)
    return branches[0] if len(branches) == 1 else f"(?:{'|'.join(branches)})"


def _is_unfinished(text: str, end: int, *, ended: bool) -> bool:
    """Whether the record that stops at `end` is followed by nothing that its writer wrote."""
    return not ended if end == len(text) else not text[end].isspace()
