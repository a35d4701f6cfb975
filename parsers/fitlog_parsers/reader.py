r"""Bytes of a log in, entries out: the one reader for files, pipes and logs that still grow.

Lines end at `\n` alone; a bare carriage return is a progress bar's, inside a line. A line is
bounded, so memory stays flat whatever comes. Nothing depends on how the input was cut into pieces.
"""

from __future__ import annotations

import codecs
import dataclasses
import re
import sys
from collections import Counter
from typing import Final, NamedTuple

from fitlog_parsers.dialects import DIALECTS
from fitlog_parsers.grammar import Dialect, Rule
from fitlog_parsers.prefix import ANSI, parse_prefix
from fitlog_parsers.records import Record
from fitlog_parsers.runs import Entry, Finding, Line, RunTracker, Unparsed

MAX_LINE_BYTES: Final = 1 << 20
_SHOWN: Final = 1000
_MOST_UNREAD_STARTS: Final = 100
# Text of this kind that no rule reads is reported, not passed over.
_RESEMBLES_RECORD = re.compile(
    r"samples/s|\b(?:Train|Validation)-[^\s=]{1,200}+=|\bEpoch ?\[[0-9]|\[Epoch [0-9]"
)
_BOMS: Final = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_LONGEST_BOM: Final = 3


class LogReader:
    """Feed it the pieces of one log as they come, then close it; both give what is settled.

    `lines` counts the lines seen, `dialect_lines` those with a record by dialect, `has_nul` says
    whether a NUL byte was met (a binary file, or a hole that a crash left).
    """

    def __init__(self, dialects: tuple[Dialect, ...] = DIALECTS) -> None:
        self.lines = 0
        self.dialect_lines: Counter[str] = Counter()
        self.has_nul = False
        self._rules = _by_start(dialects)
        self._starts = _compile_starts(self._rules)
        self._heading: _Heading | None = None
        self._trackers: dict[int | None, RunTracker] = {}
        self._transcoder = _Transcoder()
        self._rest = bytearray()
        self._too_long = False

    def feed(self, data: bytes) -> list[Entry]:
        """Read a piece of the log, of any length."""
        return self._feed(self._transcoder.decode(data))

    def close(self) -> list[Entry]:
        """Read what is left: a last line without its end, and lines held until now."""
        entries = self._feed(self._transcoder.decode(b"", final=True))
        if self._rest or self._too_long:
            entries += self._line(bytes(self._rest), ended=False)
            self._rest.clear()
        for tracker in self._trackers.values():
            entries += tracker.close()
        return entries

    def _feed(self, data: bytes) -> list[Entry]:
        entries: list[Entry] = []
        cut = data.rfind(b"\n")
        if cut >= 0:
            self._rest += data[:cut]
            for line in bytes(self._rest).split(b"\n"):
                entries += self._line(line, ended=True)
            self._rest.clear()
        self._rest += data[cut + 1 :]
        if len(self._rest) > MAX_LINE_BYTES:
            self._too_long = True
            del self._rest[_SHOWN:]
        return entries

    def _line(self, raw: bytes, *, ended: bool) -> list[Entry]:
        self.lines += 1
        if self._too_long or len(raw) > MAX_LINE_BYTES:
            self._too_long = False
            reason = f"a line of more than {MAX_LINE_BYTES:,} bytes"
            return [self._unparsed(_decode(raw[:_SHOWN]), reason)]
        text = _decode(raw)
        if "\x1b" in text:
            text = ANSI.sub("", text)
        entries = self._scan(text, ended=ended)
        if "\0" in text and not self.has_nul:
            self.has_nul = True
            reason = "NUL bytes: text in UTF-16 that was appended, or a hole that a crash left"
            entries.append(Finding(code="nul-bytes", line=self.lines, text=reason))
        return entries

    def _scan(self, text: str, *, ended: bool) -> list[Entry]:
        """Every record on the line: torn writes glue several together, other output goes before."""
        if self._heading and (entries := self._scan_below(self._heading, text)) is not None:
            return entries
        entries = []
        dialects: set[str] = set()
        begin = after = 0  # where to look for the next start, and where the last record ended
        unread = 0  # starts passed since then that no rule reads
        while (start := self._starts.search(text, begin)) is not None:
            begin = start.start()
            found = self._match(text, begin, start[0])
            if found is None:
                unread, begin = unread + 1, start.end()
                if unread > _MOST_UNREAD_STARTS:  # no log: the time must stay linear
                    break
                continue
            before = text[after:begin]
            if before:
                torn_off = after > 0 and before[0] == "\t"
                entries += self._pass_over(before, unread=unread > 0, is_rest=torn_off)
            rule, dialect, match = found
            records, end = rule.build(match), match.end()
            if rule.opens:
                self._heading = _Heading(rule, dialect, _epoch_of(match, self._heading))
            if _is_unfinished(text, end, ended=ended) and not rule.ending.search(text, begin, end):
                records, whole = self._read_whole_part(text, begin, end, start[0])
                entries.append(self._unparsed(text[whole:end], "cut within this number"))
            if records or rule.opens:
                dialects.add(dialect)
            if records:
                entries += self._place(before, records, _node_of(match))
            begin, after, unread = end, end, 0
        if after < len(text):
            entries += self._pass_over(text[after:], unread=unread > 0, is_rest=after > 0)
        self.dialect_lines.update(dialects)
        return entries

    def _scan_below(self, heading: _Heading, text: str) -> list[Entry] | None:
        """What a line below a heading says; None where it is a line of its own."""
        for rule in heading.rule.opens:
            match = rule.pattern.match(text)
            if match is None:
                continue
            self.dialect_lines[heading.dialect] += 1
            if rule.opens:
                self._heading = _Heading(rule, heading.dialect, _epoch_of(match, heading))
            records = tuple(_with_epoch(record, heading.epoch) for record in rule.build(match))
            entries = self._place(text[: match.start()], records, None) if records else []
            rest = text[match.end() :]
            return entries + (self._pass_over(rest, unread=False, is_rest=True) if rest else [])
        if not heading.rule.stays:
            self._heading = None
        return None

    def _match(
        self, text: str, begin: int, start: str, end: int = sys.maxsize
    ) -> tuple[Rule, str, re.Match[str]] | None:
        for rule, dialect in self._rules[start]:
            if (match := rule.pattern.match(text, begin, end)) is not None:
                return rule, dialect, match
        return None

    def _read_whole_part(
        self, text: str, begin: int, end: int, start: str
    ) -> tuple[tuple[Record, ...], int]:
        """The records of a torn record without its last field, and where they end."""
        cut = max(text.rfind("\t", begin, end), text.rfind(" ", begin, end))
        found = self._match(text, begin, start, cut) if cut > begin else None
        if found is None:
            return (), begin
        rule, _, match = found
        return rule.build(match), match.end()

    def _place(self, before: str, records: tuple[Record, ...], node: int | None) -> list[Entry]:
        time, prefix_node = parse_prefix(before)
        node = prefix_node if node is None else node
        tracker = self._trackers.get(node)
        if tracker is None:
            tracker = self._trackers[node] = RunTracker()
        return tracker.add(Line(self.lines, node, time, records))

    def _pass_over(self, text: str, *, unread: bool, is_rest: bool) -> list[Entry]:
        """Text beside records: free, unless it resembles a record or is the rest of one."""
        if text.isspace():
            return []
        if unread or _RESEMBLES_RECORD.search(text):
            return [self._unparsed(text, "no rule reads this")]
        return [self._unparsed(text, "text after the record")] if is_rest else []

    def _unparsed(self, text: str, reason: str) -> Unparsed:
        text = text.strip()
        shown = text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."
        return Unparsed(line=self.lines, text=shown, reason=reason)


class _Transcoder:
    """UTF-16 with a byte order mark (Windows' redirection) to UTF-8; all else as it is."""

    def __init__(self) -> None:
        self._head = b""
        self._decoder: codecs.IncrementalDecoder | None = None
        self._decided = False

    def decode(self, data: bytes, *, final: bool = False) -> bytes:
        if not self._decided:
            self._head += data
            if len(self._head) < _LONGEST_BOM and not final:
                return b""
            data, self._decided = self._decide(), True
        if self._decoder is None:
            return data
        return self._decoder.decode(data, final).encode("utf-8", "backslashreplace")

    def _decide(self) -> bytes:
        for bom, encoding in _BOMS:
            if self._head.startswith(bom):
                if encoding != "utf-8":
                    self._decoder = codecs.getincrementaldecoder(encoding)("backslashreplace")
                return self._head[len(bom) :]
        return self._head


class _Heading(NamedTuple):
    """A line that said where the lines below it belong."""

    rule: Rule
    dialect: str
    epoch: int | None


def _epoch_of(match: re.Match[str], above: _Heading | None) -> int | None:
    epoch = match.groupdict().get("epoch")
    return int(epoch) if epoch is not None else above.epoch if above else None


def _node_of(match: re.Match[str]) -> int | None:
    return int(match["node"]) if "node" in match.re.groupindex else None


def _with_epoch(record: Record, epoch: int | None) -> Record:
    return record if record.epoch is not None else dataclasses.replace(record, epoch=epoch)


def _by_start(dialects: tuple[Dialect, ...]) -> dict[str, list[tuple[Rule, str]]]:
    """The rules to try at each start, in order; a longer start may stand where a shorter does."""
    rules = {id(rule): (rule, dialect.name) for dialect in dialects[::-1] for rule in dialect.rules}
    ordered = [
        rules.pop(id(rule)) for dialect in dialects for rule in dialect.rules if id(rule) in rules
    ]
    starts = {start for rule, _ in ordered for start in rule.starts}
    return {
        start: [found for found in ordered if start.startswith(found[0].starts)] for start in starts
    }


def _compile_starts(rules: dict[str, list[tuple[Rule, str]]]) -> re.Pattern[str]:
    """Any start, the longest first; one that is common elsewhere only before what a rule wants."""
    alternatives = []
    for start in sorted(rules, key=len, reverse=True):
        aheads = {rule.ahead for rule, _ in rules[start] if start in rule.starts}
        ahead = "" if "" in aheads else f"(?={'|'.join(sorted(aheads))})"
        alternatives.append(re.escape(start) + ahead)
    return re.compile("|".join(alternatives))


def _decode(raw: bytes) -> str:
    return raw.decode("utf-8", "backslashreplace")


def _is_unfinished(text: str, end: int, *, ended: bool) -> bool:
    """Whether the record that stops at `end` is followed by nothing that its writer wrote."""
    return not ended if end == len(text) else not text[end].isspace()
