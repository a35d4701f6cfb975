"""A block of lines on its way to the columns: its items, and the stretches that they form.

An item is a canonical line, or the records that the rules found in one place of another line.
Items are in the order of the lines. They get their runs from each node's `RunTracker`, which may
settle some of them only when it has seen lines of a later block; `rows` then writes them. The lines
of a block may be of one file, or of many small ones.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple

import numpy as np

from fitlog_parsers.canonical import TIME_COST, TRAIN, VALIDATION, Canonical, Ints
from fitlog_parsers.columns import MISSING, or_missing
from fitlog_parsers.dates import UNSETTLED
from fitlog_parsers.records import Event, Record, Speed
from fitlog_parsers.runs import PATIENCE_LINES, RunTracker
from fitlog_parsers.stretches import Kind, Placed, Stretch, Window, summarise

_KINDS: Final = np.zeros(3, dtype="i8")
_KINDS[[TRAIN, VALIDATION, TIME_COST]] = Kind.CLOSING, Kind.VALIDATION, Kind.CLOSING


class NodeState:
    """What is remembered of one node's lines, from block to block."""

    def __init__(self) -> None:
        self.tracker = RunTracker()
        self.last_speed: tuple[Any, ...] = ()


# The nodes of each file, by its number.
Nodes = Mapping[int, dict[int, NodeState]]


class Lines(NamedTuple):
    """For each line of a block: its file, its number there, and its time and node, or MISSING."""

    file: Ints
    number: Ints
    time: Ints
    node: Ints


class Item(NamedTuple):
    """Records that the rules found in the line `at` of a block; time and node may be MISSING."""

    at: int
    time: int
    node: int
    records: tuple[Record, ...]


class Block:
    """The items of some lines.

    `found` are the items that are not canonical, in the order of the lines; `names` are the
    metrics' names by the codes of `canonical`; `data` is the text.

    The arrays `at` (the line of the block), `file`, `line` (its number), `time`, `node`, `kind`,
    `epoch`, `start`, `end` (batch bounds), `speed`, `leads` (whether the first record is a speed),
    `lead_start`, `lead_end` (its bounds) and `evaluated` (whether the rule says validation) have a
    row for each item; integers are MISSING where there is none. `order` says where each item comes
    from: the canonical speeds, then the canonical lines of epochs, then `found`.

    `items` are the items again, those of each node together, `group` the number of the node's
    state in `states`; `seen` says which of them their tracker saw, `lengths` how many of those are
    in each stretch. `unsettled` counts the stretches that have no place.
    """

    def __init__(
        self,
        lines: Lines,
        canonical: Canonical,
        found: list[Item],
        names: list[str],
        data: bytes,
    ) -> None:
        speeds, epochs = canonical.speeds, canonical.epochs
        self.speeds, self.epochs = speeds, epochs
        self.found, self.names, self.data = found, names, data
        self.states: list[NodeState] = []
        self.placed: list[Placed | None] = []
        self.unsettled = 0
        count = len(epochs.line)
        missing = np.full(count, MISSING)
        starts = np.where(speeds.batch_start < 0, MISSING, speeds.batch_start)
        at = _join(speeds.line, epochs.line, [item.at for item in found])
        self.order = order = np.argsort(at, kind="stable")
        self.at = at = at[order]
        self.file, self.line = lines.file[at], lines.number[at]
        numbers = lines.number[[item.at for item in found]].tolist() if found else []
        # Each gets its number when the stretches are counted.
        self._summaries = [
            summarise(line, item.records, [self, MISSING])
            for line, item in zip(numbers, found, strict=True)
        ]
        windows = [
            summary.windows[0] if summary.windows else Window(None, MISSING, None)
            for summary in self._summaries
        ]
        leads = [item.records[0] for item in found]
        rates = [lead.samples_per_sec if isinstance(lead, Speed) else np.nan for lead in leads]
        evaluated = [not isinstance(lead, Event) and lead.split == "validation" for lead in leads]
        time, node = lines.time, lines.node
        self.time = _join(time[speeds.line], time[epochs.line], [i.time for i in found])[order]
        self.node = _join(node[speeds.line], node[epochs.line], [i.node for i in found])[order]
        kinds = [int(summary.kind) for summary in self._summaries]
        self.kind = _join(np.zeros(len(speeds.line), "i8"), _KINDS[epochs.kind], kinds)[order]
        own_epochs = [or_missing(summary.epoch) for summary in self._summaries]
        self.epoch = _join(speeds.epoch, epochs.epoch, own_epochs)[order]
        own_starts = [or_missing(window.batch_start) for window in windows]
        self.start = _join(starts, missing, own_starts)[order]
        self.end = _join(speeds.batch_end, missing, [w.batch_end for w in windows])[order]
        # A speed that the rules found names bounds, whether it is a window of training or not.
        lead_starts = [or_missing(getattr(lead, "batch_start", None)) for lead in leads]
        lead_ends = [or_missing(getattr(lead, "batch_end", None)) for lead in leads]
        self.lead_start = _join(starts, missing, lead_starts)[order]
        self.lead_end = _join(speeds.batch_end, missing, lead_ends)[order]
        self.speed = _join(speeds.samples_per_sec, np.full(count, np.nan), rates)[order]
        yes, no = np.ones(len(speeds.line), dtype=bool), np.zeros(count, dtype=bool)
        self.leads = _join(yes, no, [isinstance(lead, Speed) for lead in leads])[order]
        self.evaluated = _join(~yes, no, evaluated)[order]
        self.items, self.group, self._firsts = self._groups()
        self.seen = np.ones(len(self.items), dtype=bool)
        self.lengths: list[int] = []

    def _groups(self) -> tuple[Ints, Ints, Ints]:
        """The items by file and node, the number of each one's group, and where groups begin."""
        file, node = self.file, self.node
        items = np.arange(len(node))
        if not len(items) or ((node == node[0]).all() and (file == file[0]).all()):
            return items, np.zeros(len(items), dtype="i8"), items[:1]
        items = np.lexsort((node, file))
        is_first = np.ones(len(items), dtype=bool)
        is_first[1:] = (file[items[1:]] != file[items[:-1]]) | (node[items[1:]] != node[items[:-1]])
        return items, np.cumsum(is_first) - 1, np.flatnonzero(is_first)

    def feed(self, nodes: Nodes) -> None:
        """Let each node's tracker see its stretches of this block."""
        firsts = self.items[self._firsts]
        for file, rank in zip(self.file[firsts].tolist(), self.node[firsts].tolist(), strict=True):
            known = nodes[file]
            state = known.get(rank)
            if state is None:
                state = known[rank] = NodeState()
            self.states.append(state)
        kind = self.kind[self.items]
        # What names no epoch is in the run of the line before, unless a start may still come.
        self.seen = (kind != Kind.OTHER) | (self.end[self.items] != MISSING)
        self.seen[1:] |= kind[:-1] == Kind.START
        self.seen[self._firsts] = True
        stretches, groups = self._stretches()
        self.placed = [None] * len(stretches)
        self.unsettled = len(stretches)
        for stretch, group in zip(stretches, groups, strict=True):
            settle(self.states[group].tracker.add(stretch))

    def _stretches(self) -> tuple[list[Stretch], list[int]]:
        """The stretches that the items form, and the groups that they are of."""
        stretches: list[Stretch] = []
        groups: list[int] = []
        lengths = self.lengths
        speeds, canonical = len(self.speeds.line), len(self.speeds.line) + len(self.epochs.line)
        closing: dict[str, float] | None = None  # what ended an epoch, behind its windows
        closing_epoch = last_group = MISSING

        def finish() -> None:
            if closing and len(closing) > 1:
                stretches[-1] = stretches[-1]._replace(values=(*closing.items(),))

        for (
            length,
            group,
            code,
            epoch,
            source,
            line,
            first,
            last,
            from_zero,
            means,
        ) in self._heads():
            is_closing = source < canonical and code == Kind.CLOSING
            name, value, is_same = "", 0.0, group == last_group and epoch == closing_epoch
            if is_closing:
                name, value = self._closing(source - speeds)
                if closing and is_same and name not in closing:
                    closing[name] = value
                    lengths[-1] += 1
                    continue
            finish()
            payload: Any = (self, len(stretches))
            if source >= canonical:
                stretch = self._summaries[source - canonical]
                stretch.payload[1] = len(stretches)
                closing = None
            elif is_closing:
                starts = closing is not None and not closing and is_same
                closing = {name: value} if starts else None
                stretch = Stretch(Kind.CLOSING, line, epoch, payload, values=((name, value),))
            elif code == Kind.WINDOW:
                bounds = _window(first), _window(last)
                stretch = Stretch(Kind.WINDOW, line, epoch, payload, bounds, from_zero, means)
                closing, closing_epoch = {}, epoch
            else:
                stretch = Stretch(Kind.VALIDATION, line, epoch, payload)
                closing = None
            last_group = group
            stretches.append(stretch)
            groups.append(group)
            lengths.append(length)
        finish()
        return stretches, groups

    def _heads(self) -> Iterable[tuple[Any, ...]]:
        """Where stretches begin among the items that are seen.

        Gives how many items it has, then what the first item is: its group, kind, epoch, source (in
        the order of `order`), line, window; the last item's window; whether the first one begins
        with batch 0, and whether a later one does.
        """
        if not len(self.items):
            return ()
        at, group = self.items, self.group
        if not self.seen.all():
            at, group = at[self.seen], group[self.seen]
        kind, epoch, source, line = self.kind[at], self.epoch[at], self.order[at], self.line[at]
        start, end, speed = self.start[at], self.end[at], self.speed[at]
        from_zero = start == 0
        same = (kind[1:] == kind[:-1]) & (epoch[1:] == epoch[:-1]) & (group[1:] == group[:-1])
        is_again = (end[1:] == end[:-1]) & (speed[1:] == speed[:-1]) & (start[1:] == start[:-1])
        goes_up = (end[1:] > end[:-1]) & (from_zero[:-1] | ~from_zero[1:])
        is_window, is_validation = kind[1:] == Kind.WINDOW, kind[1:] == Kind.VALIDATION
        is_found = source >= len(self.speeds.line) + len(self.epochs.line)
        goes_on = np.zeros(len(at), dtype=bool)
        goes_on[1:] = same & ((is_window & (is_again | goes_up)) | is_validation)
        goes_on[1:] &= line[1:] - line[:-1] <= PATIENCE_LINES
        goes_on[1:] &= ~is_found[1:] & ~is_found[:-1]
        heads = np.flatnonzero(~goes_on)
        counts = np.diff(np.append(heads, len(at)))
        tails = heads + counts - 1
        later_zero = from_zero & goes_on
        later_zero[1:] &= end[1:] != end[:-1]
        means = np.add.reduceat(later_zero, heads) > 0
        return zip(
            counts.tolist(),
            group[heads].tolist(),
            kind[heads].tolist(),
            epoch[heads].tolist(),
            source[heads].tolist(),
            line[heads].tolist(),
            zip(start[heads].tolist(), end[heads].tolist(), speed[heads].tolist(), strict=True),
            zip(start[tails].tolist(), end[tails].tolist(), speed[tails].tolist(), strict=True),
            from_zero[heads].tolist(),
            means.tolist(),
            strict=True,
        )

    def _closing(self, source: int) -> tuple[str, float]:
        return self.names[self.epochs.metric[source]], float(self.epochs.value[source])

    @property
    def is_settled(self) -> bool:
        """Whether each stretch has its place, and no time is open."""
        return not self.unsettled and not bool((self.time >= UNSETTLED).any())

    def take(self, index: int, placed: Placed) -> None:
        """Take in where one of the stretches has its place."""
        self.placed[index] = placed
        self.unsettled -= 1


def settle(placed: list[Placed]) -> None:
    """Tell the blocks what a tracker has settled of their stretches."""
    for one in placed:
        block, index = one.stretch.payload
        block.take(index, one)


def _join(ours: Any, wholes: Any, found: list[Any]) -> Any:
    """One array of the canonical speeds', the canonical epochs' and the found items' values."""
    return np.concatenate([ours, wholes, np.array(found, dtype=ours.dtype)])


def _window(bounds: tuple[int, int, float]) -> Window:
    start, end, speed = bounds
    return Window(None if start == MISSING else start, end, speed)
