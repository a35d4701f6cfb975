"""Bytes of a log in, entries out, line by line: for pipes and logs that still grow.

Files are read by `bulk.BulkReader`, which gives the same and is faster.
"""

from __future__ import annotations

import copy
from collections import Counter, deque

from fitlog_parsers.columns import MISSING, Columns
from fitlog_parsers.dates import UNSETTLED
from fitlog_parsers.dialects import DIALECTS
from fitlog_parsers.entries import Entry, Finding, Row, Unparsed, settle_records
from fitlog_parsers.grammar import Dialect
from fitlog_parsers.lines import Chunk, LineBuffer
from fitlog_parsers.records import Record, Speed
from fitlog_parsers.runs import RunTracker
from fitlog_parsers.scanner import Found, Scanner, too_long
from fitlog_parsers.stretches import Kind, Placed, summarise
from fitlog_parsers.times import LineClock

NUL_TEXT = "NUL bytes: text in UTF-16 that was appended, or a hole that a crash left"


class LogReader:
    """Feed it the pieces of one log as they come, then close it; both give what is settled.

    That is a list of entries in the order of their lines, empty where all still waits for later
    lines. `lines` counts the lines seen, `dialect_lines` those with a record by dialect,
    `rule_uses` how often each rule was used, `has_nul` says whether a NUL byte was met (a binary
    file, or a hole that a crash left).
    """

    def __init__(self, dialects: tuple[Dialect, ...] = DIALECTS) -> None:
        self.lines = 0
        self.has_nul = False
        self._scanner = Scanner(dialects)
        self._buffer = LineBuffer()
        self._clock = LineClock()
        self._nodes: dict[int, _Node] = {}
        self._open: list[_Place] = []
        self._queue: deque[_Place | Unparsed | Finding] = deque()

    @property
    def dialect_lines(self) -> Counter[str]:
        """The lines with a record, by dialect."""
        return self._scanner.dialect_lines

    @property
    def rule_uses(self) -> Counter[tuple[str, str]]:
        """How often each rule was used, by dialect and rule."""
        return self._scanner.rule_uses

    def feed(self, data: bytes) -> list[Entry]:
        """Read a piece of the log, of any length."""
        for chunk in self._buffer.feed(data):
            self._read(chunk)
        return self._settled()

    def begin_anew(self, code: str, text: str) -> list[Entry]:
        """What follows is of another file, in which the training goes on.

        A last line without its end stays torn. `code` and `text` make the finding that says so.
        """
        self._read_rest()
        self._buffer = LineBuffer()
        self._queue.append(Finding(code=code, line=self.lines + 1, text=text))
        return self._settled()

    def so_far(self) -> list[Row]:
        """Rows of whole lines that wait for later ones, as they would be if none came.

        They come again, once those have told what they are. Lines that may be an evaluation's or a
        new run's are left out.
        """
        twin = copy.deepcopy(self, {id(self._scanner): self._scanner})
        twin._clock.close(twin.lines)
        twin._settle_times()
        for node in twin._nodes.values():
            _take(node.tracker.guess_scope())
        return [entry for entry in twin._settled() if isinstance(entry, Row)]

    def close(self) -> list[Entry]:
        """Read what is left: a last line without its end, and lines held until now."""
        self._read_rest()
        self._clock.close(self.lines)
        self._settle_times()
        for node in self._nodes.values():
            _take(node.tracker.close())
            self._queue += node.tracker.findings
            node.tracker.findings.clear()
        return self._settled()

    def _read_rest(self) -> None:
        chunks, rest = self._buffer.close()
        for chunk in chunks:
            self._read(chunk)
        if rest.data:
            self._read(rest, ended=False)

    def _read(self, chunk: Chunk, *, ended: bool = True) -> None:
        if chunk.too_long:
            self.lines += 1
            self._queue.append(too_long(self.lines, chunk.data))
            self._look_for_nul(has_nul=chunk.has_nul)
            return
        lines = chunk.data.split(b"\n")
        if ended:
            lines.pop()  # what stands behind the last line's end: nothing
        for raw in lines:
            self.lines += 1
            for found in self._scanner.scan(self.lines, raw, ended=ended):
                if isinstance(found, Found):
                    self._place(found)
                else:
                    self._queue.append(found)
            if chunk.has_nul:
                self._look_for_nul(has_nul=b"\0" in raw)

    def _look_for_nul(self, *, has_nul: bool) -> None:
        if has_nul and not self.has_nul:
            self.has_nul = True
            self._queue.append(Finding(code="nul-bytes", line=self.lines, text=NUL_TEXT))

    def _place(self, found: Found) -> None:
        time, rank = self._clock.read(self.lines, found.before)
        rank = rank if found.node is None else found.node
        if self._clock.settled or self._clock.findings:
            self._settle_times()
        node = self._nodes.get(rank)
        if node is None:
            node = self._nodes[rank] = _Node()
        place = _Place(self.lines, node, rank, time, found.records)
        if time >= UNSETTLED:
            self._open.append(place)
        placed = node.tracker.add(summarise(self.lines, found.records, place))
        if node.tracker.findings:
            self._queue += node.tracker.findings
            node.tracker.findings.clear()
        self._queue.append(place)
        _take(placed)

    def _settle_times(self) -> None:
        self._queue += self._clock.findings
        self._clock.findings.clear()
        if self._clock.settled:
            for place in self._open:
                place.time = self._clock.settle(place.time)
            self._open.clear()
            self._clock.settled = False

    def _settled(self) -> list[Entry]:
        self._clock.give_up(self.lines)
        self._settle_times()
        for node in self._nodes.values():
            _take(node.tracker.give_up(self.lines))
            self._queue += node.tracker.findings
            node.tracker.findings.clear()
        entries: list[Entry] = []
        queue = self._queue
        while queue:
            first = queue[0]
            if not isinstance(first, _Place):
                entries.append(first)
            elif first.placed is None or first.time >= UNSETTLED:
                break
            else:
                entries += first.rows(first.placed)
            queue.popleft()
        return entries


class ColumnReader:
    """A `LogReader` whose entries go to columns; these want `begin_file` and `end_file`, too."""

    def __init__(self, columns: Columns, dialects: tuple[Dialect, ...] = DIALECTS) -> None:
        self._reader = LogReader(dialects)
        self._columns = columns

    @property
    def lines(self) -> int:
        """The lines seen."""
        return self._reader.lines

    @property
    def has_nul(self) -> bool:
        """Whether a NUL byte was met."""
        return self._reader.has_nul

    @property
    def dialect_lines(self) -> Counter[str]:
        """The lines with a record, by dialect."""
        return self._reader.dialect_lines

    @property
    def rule_uses(self) -> Counter[tuple[str, str]]:
        """How often each rule was used, by dialect and rule."""
        return self._reader.rule_uses

    def feed(self, data: bytes) -> None:
        """Read a piece of the log, of any length."""
        for entry in self._reader.feed(data):
            self._columns.add(entry)

    def close(self) -> None:
        """Read what is left."""
        for entry in self._reader.close():
            self._columns.add(entry)


class _Node:
    """What is remembered of one node's lines."""

    def __init__(self) -> None:
        self.tracker = RunTracker()
        self.last_speed: tuple[int, Speed] | None = None


class _Place:
    """Records on their way to rows: they wait for their run, and for the meaning of their time."""

    __slots__ = ("line", "node", "placed", "rank", "records", "time")

    def __init__(
        self, line: int, node: _Node, rank: int, time: int, records: tuple[Record, ...]
    ) -> None:
        self.line = line
        self.node = node
        self.rank = rank
        self.time = time
        self.records = records
        self.placed: Placed | None = None

    def rows(self, placed: Placed) -> list[Row]:
        """The rows, once all is settled; of a node they must be asked for in order."""
        is_validation = placed.split == "validation" and placed.stretch.kind is Kind.WINDOW
        records = settle_records(self.records, validation=is_validation, running=placed.running)
        if isinstance(records[0], Speed):
            # Up to 0.9 there is a line for each metric: one point, and all of them.
            last, self.node.last_speed = self.node.last_speed, (placed.run, records[0])
            # Two reports that name no place may well be of one speed.
            names_place = (records[0].epoch, records[0].batch_end) != (None, None)
            if last == self.node.last_speed and names_place:
                records = records[1:]
        rank = None if self.rank == MISSING else self.rank
        time = None if self.time == MISSING else self.time
        return [Row(self.line, placed.run, rank, time, record) for record in records]


def _take(placed: list[Placed]) -> None:
    for one in placed:
        one.stretch.payload.placed = one
