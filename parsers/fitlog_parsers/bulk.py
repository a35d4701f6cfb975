"""Bytes of a log in, columns out, a block at a time: the fast reader, for files.

Canonical lines are read in lock-step, all others by the rules; `LogReader` reads every line by the
rules. Both give the same rows, findings and text that was not read, in the order of the lines.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Sequence
from typing import Final

import numpy as np

from fitlog_parsers.blocks import Block, Item, Lines, NodeState, settle
from fitlog_parsers.canonical import TIME_COST
from fitlog_parsers.columns import MISSING, Columns
from fitlog_parsers.dates import UNSETTLED
from fitlog_parsers.dialects import DIALECTS
from fitlog_parsers.dialects.module import EPOCH_METRIC, MODULE, SPEED
from fitlog_parsers.dialects.module import TIME_COST as TIME_COST_RULE
from fitlog_parsers.engine import Engine, Look
from fitlog_parsers.entries import Finding
from fitlog_parsers.grammar import Dialect
from fitlog_parsers.lines import Chunk, LineBuffer
from fitlog_parsers.reader import NUL_TEXT
from fitlog_parsers.rows import write_rows
from fitlog_parsers.scanner import Found, Scanner, decode, too_long
from fitlog_parsers.times import LineClock

# So many lines at once: what waits to be written costs time with each object that is made.
_LINES_BY_RULES: Final = 2000


class BulkReader:
    """Feed it the pieces of one log as they come, then close it; `columns` takes in what is read.

    `lines` counts the lines seen, `dialect_lines` those with a record by dialect, `has_nul` says
    whether a NUL byte was met (a binary file, or a hole that a crash left). What is remembered
    of the lines is in `scanner`, `clock` and, of each rank, `nodes`. The readers of many logs
    should have one `engine`.
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
        self._file = columns.file
        self.scanner = Scanner(dialects)
        self._buffer = LineBuffer()
        self._engine = engine or Engine(dialects)
        self.clock = LineClock()
        self.nodes: dict[int, NodeState] = {}
        self._items: list[Item] = []
        self._times = np.zeros(0, dtype="i8")
        self._blocks: deque[Block] = deque()

    @property
    def dialect_lines(self) -> Counter[str]:
        """The lines with a record, by dialect."""
        return self.scanner.dialect_lines

    @property
    def rule_uses(self) -> Counter[tuple[str, str]]:
        """How often each rule was used, by dialect and rule."""
        return self.scanner.rule_uses

    @property
    def is_settled(self) -> bool:
        """Whether no line that was read waits for later ones, and no heading for those below it."""
        waits = bool(self._blocks or self._items or self.clock.findings or self.clock.settled)
        return not waits and self.scanner.heading is None and self.waiting_bytes is not None

    @property
    def waiting_bytes(self) -> int | None:
        """The bytes of the line that is not complete; None where these are not those of the log."""
        return self._buffer.waiting_bytes

    def skip_beginning(self) -> None:
        """What is fed does not begin the log."""
        self._buffer.skip_beginning()

    def feed(self, data: bytes) -> None:
        """Read a piece of the log, of any length; a megabyte is a good one."""
        for chunk in self._buffer.feed(data):
            self._read(chunk)

    def close(self) -> None:
        """Read what is left: a last line without its end, and lines held until now."""
        chunks, rest = self._buffer.close()
        for chunk in chunks:
            self._read(chunk)
        if rest.data:
            self._read(rest, ended=False)
        self.clock.close(self.lines)
        self._settle_times()
        self.close_nodes()
        self._flush()

    def take_items(self) -> list[Item]:
        """The log is read to its end: what the rules found in it."""
        self.clock.close(self.lines)
        self._settle_times()
        return self._items

    def close_nodes(self) -> None:
        """Nothing more comes: settle what was held back."""
        for node in self.nodes.values():
            settle(node.tracker.close())
            self._report(node)

    def _report(self, node: NodeState) -> None:
        for finding in node.tracker.findings:
            self._columns.add(finding)
        node.tracker.findings.clear()

    def _read(self, chunk: Chunk, *, ended: bool = True) -> None:
        data = chunk.data
        if chunk.has_nul and not self.has_nul:
            self.has_nul = True
            line = self.lines + 1
            if not chunk.too_long:
                line += data.count(b"\n", 0, data.index(b"\0"))
            self._columns.add(Finding(code="nul-bytes", line=line, text=NUL_TEXT))
        if chunk.too_long:
            self.lines += 1
            self._columns.add(too_long(self.lines, data))
        elif not ended or chunk.has_nul or not self._engine.has_canonical:
            self._read_by_rules(data, ended=ended)
        else:
            self._read_as_planned(data)

    def _read_as_planned(self, data: bytes) -> None:
        engine, begin = self._engine, 0
        while begin < len(data):
            heading = self.scanner.heading
            if heading and heading.rule.stays:
                self._read_by_rules(data[begin:], ended=True)
                return
            size, is_worth_a_look = engine.plan(len(data) - begin)
            end = data.find(b"\n", begin + size - 1) + 1
            part = data if size == len(data) else data[begin:end]
            if is_worth_a_look:
                self._read_with_look(engine.look(part))
            else:
                self._read_by_rules(part, ended=True)
            begin = end

    def _read_with_look(self, look: Look) -> None:
        first, count = self.lines + 1, len(look.ends)
        self.read_part(look, 0, count)
        numbers, files = np.arange(first, first + count), np.full(count, self._file)
        self._enqueue(Lines(files, numbers, look.begins.time, look.begins.node), look)

    def _read_by_rules(self, data: bytes, *, ended: bool) -> None:
        lines = data.split(b"\n")
        if ended:
            lines.pop()  # what stands behind the last line's end: nothing
        for begin in range(0, len(lines), _LINES_BY_RULES):
            some = lines[begin : begin + _LINES_BY_RULES]
            count, first = len(some), self.lines + 1
            self._times, nodes = np.full(count, MISSING), np.full(count, MISSING)
            for i, raw in enumerate(some):
                self._scan(first + i, raw, i, ended=ended)
            self.lines += count
            numbers, files = np.arange(first, first + count), np.full(count, self._file)
            self._enqueue(Lines(files, numbers, self._times, nodes), Look.nothing())

    def read_part(self, look: Look, first: int, last: int, *, ended: bool = True) -> None:
        """Read the lines of this log in a text that was looked at, in their order.

        What was read in lock-step is counted; of the rest, all that may hold something is read by
        the rules: other lines, and prefixes that no template fits. `ended` is False where the last
        line has no end.
        """
        scanner, begins, accepted = self.scanner, look.begins, look.canonical.accepted
        self._times = begins.time[first:last]
        todo = look.worth_a_look(first, last)
        i, at = first - 1, 0
        while scanner.heading or at < len(todo):
            # Below a heading every line counts, whether it looks like a record or not.
            i = i + 1 if scanner.heading else todo[at]
            if i >= last:
                break
            at += at < len(todo) and todo[at] == i
            number = self.lines + 1 + i - first
            if accepted[i] and scanner.heading and scanner.heading.rule.stays:
                accepted[i] = False  # the rest of the log is its heading's
            if not accepted[i]:
                self._scan(number, look.line(i), i, ended=ended or i < last - 1)
                continue
            scanner.pass_canonical(look.line(i))
            if not begins.known[i]:
                time, node = self.clock.read(number, decode(look.prefix(i)))
                begins.time[i], begins.node[i] = time, node
                self._settle_times()
        self.lines += last - first
        self._count(look, first, last)

    def _scan(self, number: int, raw: bytes, at: int, *, ended: bool) -> None:
        for found in self.scanner.scan(number, raw, ended=ended):
            if not isinstance(found, Found):
                self._columns.add(found)
                continue
            time, rank = self.clock.read(number, found.before)
            self._settle_times()
            node = rank if found.node is None else found.node
            self._items.append(Item(at, time, node, found.records))

    def _settle_times(self) -> None:
        """When the file has told what its stamps mean, all times read so far are settled."""
        clock = self.clock
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

    def _count(self, look: Look, first: int, last: int) -> None:
        speeds, kinds = look.counted(first, last)
        times = int((kinds == TIME_COST).sum())
        scanner, name = self.scanner, MODULE.name
        for rule, count in (
            (SPEED, speeds),
            (EPOCH_METRIC, len(kinds) - times),
            (TIME_COST_RULE, times),
        ):
            if count:
                scanner.dialect_lines[name] += count
                scanner.rule_uses[name, rule.name] += count

    def _enqueue(self, lines: Lines, look: Look) -> None:
        items, self._items = self._items, []
        block = Block(lines, look.canonical.kept(), items, self._engine.names, look.data)
        block.feed({self._file: self.nodes})
        self._blocks.append(block)
        self._flush()

    def _flush(self) -> None:
        self.clock.give_up(self.lines)
        self._settle_times()
        for node in self.nodes.values():
            settle(node.tracker.give_up(self.lines))
            self._report(node)
        while self._blocks and self._blocks[0].is_settled:
            write_rows(self._blocks.popleft(), self._columns)


def read_together(
    columns: Columns,
    logs: Sequence[tuple[str, bytes]],
    dialects: tuple[Dialect, ...],
    engine: Engine,
) -> None:
    """Read small logs, each a name and the whole text, as one block; none has a NUL byte.

    As long as no canonical lines are seen, each is read by itself.
    """
    for i, (name, text) in enumerate(logs):
        if engine.is_hopeful:
            _read_as_one(columns, logs[i:], dialects, engine)
            return
        columns.begin_file(name)
        reader = BulkReader(columns, dialects, engine)
        reader.feed(text)
        reader.close()
        columns.end_file(reader)


def _read_as_one(
    columns: Columns,
    logs: Sequence[tuple[str, bytes]],
    dialects: tuple[Dialect, ...],
    engine: Engine,
) -> None:
    first_file = len(columns.files)
    texts: list[bytes] = []
    torn: list[bool] = []
    for name, text in logs:
        columns.begin_file(name)
        buffer = LineBuffer()
        chunks = buffer.feed(text)
        more, rest = buffer.close()
        end = rest.data + b"\n" if rest.data else b""
        texts.append(b"".join([*(chunk.data for chunk in (*chunks, *more)), end]))
        torn.append(bool(rest.data))
    behind = np.cumsum([len(text) for text in texts])
    look = engine.look(b"".join(texts), behind[torn] - 1)
    bounds = [0, *np.searchsorted(look.ends, behind).tolist()]
    readers: list[BulkReader] = []
    items: list[Item] = []
    for i, is_torn in enumerate(torn):
        columns.file = first_file + i
        reader = BulkReader(columns, dialects, engine)
        reader.read_part(look, bounds[i], bounds[i + 1], ended=not is_torn)
        items += reader.take_items()
        readers.append(reader)
    counts = np.diff(bounds)
    files = np.repeat(np.arange(first_file, len(columns.files)), counts)
    numbers = np.arange(1, len(files) + 1) - np.repeat(bounds[:-1], counts)
    lines = Lines(files, numbers, look.begins.time, look.begins.node)
    block = Block(lines, look.canonical.kept(), items, engine.names, look.data)
    block.feed({first_file + i: reader.nodes for i, reader in enumerate(readers)})
    for i, reader in enumerate(readers):
        columns.file = first_file + i
        reader.close_nodes()
    write_rows(block, columns)
    for reader in readers:
        columns.end_file(reader)
