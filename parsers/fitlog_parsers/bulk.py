"""Bytes of a log in, columns out, a block at a time: the fast reader, for files.

Canonical lines are read in lock-step, all others by the rules; `LogReader` reads every line by the
rules. Both give the same rows, findings and text that was not read, in the order of the lines.
"""

from __future__ import annotations

from collections import Counter, deque
from typing import Final, NamedTuple

import numpy as np

from fitlog_parsers.begins import Begins, PrefixFinder
from fitlog_parsers.blocks import Block, Item, NodeState, settle
from fitlog_parsers.canonical import TIME_COST, Bools, Canonical, Ints
from fitlog_parsers.columns import Columns
from fitlog_parsers.dates import UNSETTLED
from fitlog_parsers.dialects import DIALECTS
from fitlog_parsers.dialects.module import EPOCH_METRIC, MODULE, SPEED
from fitlog_parsers.dialects.module import TIME_COST as TIME_COST_RULE
from fitlog_parsers.entries import Finding
from fitlog_parsers.grammar import Dialect
from fitlog_parsers.lines import MAX_LINE_BYTES, LineBuffer
from fitlog_parsers.lockstep import PADDING, Lockstep
from fitlog_parsers.reader import NUL_TEXT
from fitlog_parsers.rows import write_rows
from fitlog_parsers.scanner import Found, Scanner, decode, index_rules, too_long
from fitlog_parsers.times import LineClock, read_alone

_PREFIXES_TO_TRY: Final = 4


class Engine(NamedTuple):
    """What has been learned of the lines of a log, and serves for the next log, too."""

    lockstep: Lockstep
    prefixes: PrefixFinder


def new_engine() -> Engine:
    """An engine that has seen nothing yet."""
    return Engine(Lockstep(), PrefixFinder())


class BulkReader:
    """Feed it the pieces of one log as they come, then close it; `columns` takes in what is read.

    `lines` counts the lines seen, `dialect_lines` those with a record by dialect, `has_nul` says
    whether a NUL byte was met (a binary file, or a hole that a crash left). The readers of many
    logs should have one `engine`.
    """

    def __init__(
        self,
        columns: Columns,
        dialects: tuple[Dialect, ...] = DIALECTS,
        engine: Engine | None = None,
    ) -> None:
        self.lines = 0
        self.has_nul = False
        self._columns = columns
        self._scanner = Scanner(dialects)
        self._is_interesting = index_rules(dialects).is_interesting
        self._buffer = LineBuffer()
        self._has_canonical = bool(dialects) and dialects[0] is MODULE
        self._lockstep, self._prefixes = engine or new_engine()
        self._clock = LineClock()
        self._nodes: dict[int, NodeState] = {}
        self._items: list[Item] = []
        self._times = np.zeros(0, dtype="i8")
        self._blocks: deque[Block] = deque()

    @property
    def dialect_lines(self) -> Counter[str]:
        """The lines with a record, by dialect."""
        return self._scanner.dialect_lines

    @property
    def rule_uses(self) -> Counter[tuple[str, str]]:
        """How often each rule was used, by dialect and rule."""
        return self._scanner.rule_uses

    def feed(self, data: bytes) -> None:
        """Read a piece of the log, of any length; a megabyte is a good one."""
        for block in self._buffer.feed(data):
            self._read(block.data, is_too_long=block.too_long)

    def close(self) -> None:
        """Read what is left: a last line without its end, and lines held until now."""
        blocks, rest = self._buffer.close()
        for block in blocks:
            self._read(block.data, is_too_long=block.too_long)
        if rest.too_long:
            self._read(rest.data, is_too_long=True)
        elif rest.data:
            self._read_by_rules(rest.data, ended=False)
        self._clock.close(self.lines)
        self._settle_times()
        for node in self._nodes.values():
            settle(node.tracker.close())
        self._flush()

    def _read(self, data: bytes, *, is_too_long: bool) -> None:
        heading = self._scanner.heading
        if is_too_long:
            self.lines += 1
            self._columns.add(too_long(self.lines, data))
            self._look_for_nul(data, self.lines)
        elif not self._has_canonical or b"\0" in data or (heading and heading.rule.stays):
            self._read_by_rules(data, ended=True)
        else:
            self._read_by_both(data)

    def _read_by_rules(self, data: bytes, *, ended: bool) -> None:
        self._look_for_nul(data, self.lines + 1)
        lines = data.split(b"\n")
        if ended:
            lines.pop()  # what stands behind the last line's end: nothing
        for number, raw in enumerate(lines, self.lines + 1):
            self._scan(number, raw, ended=ended)
        none = np.zeros(0, dtype="i8")
        self._times = none
        nothing = self._lockstep.read(bytes(PADDING), none, 0)
        self._enqueue(nothing, self.lines + 1, none, b"")
        self.lines += len(lines)

    def _read_by_both(self, data: bytes) -> None:
        padded = data + bytes(PADDING)
        ends = np.flatnonzero(np.frombuffer(data, dtype="u1") == ord("\n"))
        starts = np.empty_like(ends)
        starts[0], starts[1:] = 0, ends[:-1] + 1
        begins = self._find_begins(padded, starts, ends)
        begins.begin[ends - starts > MAX_LINE_BYTES] = -1
        self._leave_odd_prefixes(data, starts, ends, begins)
        canonical = self._lockstep.read(padded, begins.begin, len(ends))
        self._times = begins.time
        count = self._read_others(data, starts, ends, begins, canonical)
        if count < len(ends):
            canonical = canonical.until(count)
        self._count(canonical)
        first, self.lines = self.lines + 1, self.lines + count
        self._enqueue(canonical, first, begins.node, padded)
        if count < len(ends):
            self._read_by_rules(data[ends[count - 1] + 1 :], ended=True)

    def _find_begins(self, padded: bytes, starts: Ints, ends: Ints) -> Begins:
        """Where records begin; a prefix that is new is learned from its first line."""
        while True:
            begins = self._prefixes.find(padded, starts, ends)
            odd = np.flatnonzero(~begins.known & (begins.begin >= 0))
            for i in odd[:_PREFIXES_TO_TRY].tolist():
                begin = int(begins.begin[i])
                if self._is_interesting(padded, int(starts[i]), begin, int(ends[i])):
                    continue
                if self._prefixes.learn(padded[starts[i] : begin], _parse_prefix):
                    break
            else:
                return begins

    def _read_others(
        self, data: bytes, starts: Ints, ends: Ints, begins: Begins, canonical: Canonical
    ) -> int:
        """Lines that are not canonical, and prefixes that no template fits, in their order.

        Gives how many lines were read: all, or those up to a heading that leaves the rest of the
        log to its own rules.
        """
        accepted, scanner = canonical.accepted, self._scanner
        todo = self._worth_a_look(data, starts, ends, accepted, begins.known)
        i, at = -1, 0
        while scanner.heading or at < len(todo):
            # Below a heading every line counts, whether it looks like a record or not.
            i = i + 1 if scanner.heading else todo[at]
            if i >= len(ends):
                break
            at += at < len(todo) and todo[at] == i
            if accepted[i]:
                scanner.pass_canonical(data[starts[i] : ends[i]])
                if not begins.known[i]:
                    self._read_prefix(data[starts[i] : begins.begin[i]], i, begins)
                continue
            self._scan(self.lines + 1 + i, data[starts[i] : ends[i]])
            if scanner.heading and scanner.heading.rule.stays:
                return i + 1
        return len(ends)

    def _worth_a_look(
        self, data: bytes, starts: Ints, ends: Ints, accepted: Bools, known: Bools
    ) -> list[int]:
        """The lines that may hold something besides what was read in lock-step."""
        wanted = accepted & ~known
        rest = np.flatnonzero(~accepted)
        is_interesting = self._is_interesting
        spans = zip(rest.tolist(), starts[rest].tolist(), ends[rest].tolist(), strict=True)
        wanted[[i for i, start, end in spans if is_interesting(data, start, end, end)]] = True
        todo: list[int] = np.flatnonzero(wanted).tolist()
        return todo

    def _leave_odd_prefixes(self, data: bytes, starts: Ints, ends: Ints, begins: Begins) -> None:
        """A prefix that itself looks like a record is the rules' business."""
        for i in np.flatnonzero(~begins.known & (begins.begin >= 0)).tolist():
            begin = int(begins.begin[i])
            if self._is_interesting(data, int(starts[i]), begin, int(ends[i])):
                begins.begin[i] = -1

    def _read_prefix(self, prefix: bytes, line: int, begins: Begins) -> None:
        number = self.lines + 1 + line
        begins.time[line], begins.node[line] = self._clock.read(number, decode(prefix))
        self._settle_times()

    def _scan(self, number: int, raw: bytes, *, ended: bool = True) -> None:
        for found in self._scanner.scan(number, raw, ended=ended):
            if not isinstance(found, Found):
                self._columns.add(found)
                continue
            time, rank = self._clock.read(number, found.before)
            self._settle_times()
            node = rank if found.node is None else found.node
            self._items.append(Item(number, time, node, found.records))

    def _settle_times(self) -> None:
        """When the file has told what its stamps mean, all times read so far are settled."""
        clock = self._clock
        for finding in clock.findings:
            self._columns.add(finding)
        clock.findings.clear()
        if not clock.settled:
            return
        clock.settled = False
        for times in (self._times, *(block.time for block in self._blocks)):
            for i in np.flatnonzero(times >= UNSETTLED).tolist():
                times[i] = clock.settle(int(times[i]))
        self._items = [item._replace(time=clock.settle(item.time)) for item in self._items]

    def _count(self, canonical: Canonical) -> None:
        kinds = canonical.epochs.kind
        times = int((kinds == TIME_COST).sum())
        scanner, name = self._scanner, MODULE.name
        for rule, count in (
            (SPEED, len(canonical.speeds.line)),
            (EPOCH_METRIC, len(kinds) - times),
            (TIME_COST_RULE, times),
        ):
            if count:
                scanner.dialect_lines[name] += count
                scanner.rule_uses[name, rule.name] += count

    def _look_for_nul(self, data: bytes, line: int) -> None:
        if not self.has_nul and b"\0" in data:
            self.has_nul = True
            line += data.count(b"\n", 0, data.index(b"\0"))
            self._columns.add(Finding(code="nul-bytes", line=line, text=NUL_TEXT))

    def _enqueue(self, canonical: Canonical, first: int, nodes: Ints, data: bytes) -> None:
        items, self._items = self._items, []
        names = self._lockstep.names
        block = Block(first, canonical, self._times, nodes, items, names, data)
        block.feed(self._nodes)
        self._blocks.append(block)
        self._flush()

    def _flush(self) -> None:
        for node in self._nodes.values():
            settle(node.tracker.give_up(self.lines))
            for finding in node.tracker.findings:
                self._columns.add(finding)
            node.tracker.findings.clear()
        while self._blocks and self._blocks[0].is_settled:
            write_rows(self._blocks.popleft(), self._columns)


def _parse_prefix(prefix: bytes) -> tuple[int | None, int | None]:
    return read_alone(decode(prefix))
