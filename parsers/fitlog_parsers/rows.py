"""The rows of a settled block, in the order of their lines, and the columns made of many blocks.

The rows of one line share most columns. These are kept once for each line until the columns are
made, when each is written a single time.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import numpy as np

from fitlog_parsers.blocks import Block
from fitlog_parsers.canonical import TIME_COST, VALIDATION, Bools, Ints
from fitlog_parsers.columns import (
    MISSING,
    SCOPES,
    SPLITS,
    Columns,
    MetricColumns,
    or_missing,
)
from fitlog_parsers.entries import Row, settle_records
from fitlog_parsers.records import Event, Metric, Speed
from fitlog_parsers.stretches import Kind

_WINDOW: Final = SCOPES.index("window")
_RUNNING: Final = SCOPES.index("running")
_EPOCH: Final = SCOPES.index("epoch")


class _Outcomes(NamedTuple):
    """What became of each item: its run, whether an evaluation's or a running mean, or kept."""

    run: Ints
    is_validation: Bools
    is_running: Bools
    is_kept: Bools


class Piece(NamedTuple):
    """The rows of a block; `at` says to which place each row belongs.

    `places` holds the columns that a line's rows share, one entry for each item of the block, then
    one for each row that the rules found.
    """

    places: dict[str, Any]
    speed: dict[str, Any]
    metrics: dict[str, Any]


def write_rows(block: Block, columns: Columns) -> None:
    """Add the rows of a block of which nothing is unsettled."""
    count = len(block.line)
    if not count:
        return
    told = _outcomes(block)
    place = np.empty(count, dtype="i8")
    place[block.order] = np.arange(count)
    speeds, wholes = len(block.speeds.line), len(block.epochs.line)
    lanes, whole_lanes = place[:speeds], place[speeds : speeds + wholes]
    rows = _found_rows(block, place[speeds + wholes :], told)
    events = [(i, row, row.record) for i, row in rows if isinstance(row.record, Event)]
    events += _time_costs(block, whole_lanes, told.run)
    for i, row, event in sorted(events, key=_item):
        columns.events.add(int(block.file[i]), row, event)
    found = [(i, row) for i, row in rows if not isinstance(row.record, Event)]
    speed_rows = [n for n, (_, row) in enumerate(found) if isinstance(row.record, Speed)]
    metric_rows = [n for n, (_, row) in enumerate(found) if isinstance(row.record, Metric)]
    kept = lanes if told.is_kept.all() else lanes[told.is_kept[lanes]]
    columns.pieces.append(
        Piece(
            _places(block, found, told.run),
            _speeds(block, kept, _Found(found, speed_rows, count), told),
            _metrics(
                block,
                (np.repeat(lanes, block.speeds.fields), whole_lanes),
                _Found(found, metric_rows, count),
                told,
                columns.metrics,
            ),
        )
    )


def collect(columns: Columns) -> None:
    """Turn the columns of `speed` and `metrics`, if they lie in pieces, into numpy arrays."""
    pieces: list[Piece] = columns.pieces
    if not pieces:
        return
    for table, parts in (
        (columns.speed, [piece.speed for piece in pieces]),
        (columns.metrics, [piece.metrics for piece in pieces]),
    ):
        behind = np.cumsum([len(part["at"]) for part in parts]).tolist()
        # Piece by piece, for what is taken from one then lies in the cache.
        whole = {
            name: np.empty(behind[-1], column.dtype) for name, column in pieces[0].places.items()
        }
        for piece, part, start, end in zip(pieces, parts, [0, *behind], behind, strict=False):
            at = part.pop("at")
            for name, column in whole.items():
                np.take(piece.places[name], at, out=column[start:end])
        for name in list(parts[0]):
            whole[name] = np.concatenate([part.pop(name) for part in parts])
        for name, column in whole.items():
            setattr(table, name, column)
    columns.pieces = []


def _item(event: tuple[int, Row, Event]) -> int:
    return event[0]


def _outcomes(block: Block) -> _Outcomes:
    count = len(block.line)
    items = block.items
    run = np.zeros(count, dtype="i8")
    is_validation, is_running = np.zeros(count, dtype=bool), np.zeros(count, dtype=bool)
    told = _Outcomes(run, is_validation, is_running, np.ones(count, dtype=bool))
    placed = [placed for placed in block.placed if placed is not None]
    # What no tracker saw is where the item before it is.
    stretch = np.repeat(np.arange(len(placed)), block.lengths)[np.cumsum(block.seen) - 1]
    run[items] = np.array([p.run for p in placed])[stretch]
    evaluated = np.array([p.split == "validation" for p in placed])[stretch]
    is_validation[items] = evaluated & (block.kind[items] == Kind.WINDOW)
    running = np.array([p.running for p in placed])[stretch]
    is_running[items] = running & (block.start[items] == 0)
    _drop_repeated(block, told)
    return told


def _drop_repeated(block: Block, told: _Outcomes) -> None:
    """Up to 0.9 there is a line for each metric: one point, and all of them."""
    leads = block.leads[block.items]
    at, group = block.items[leads], block.group[leads]
    if not len(at):
        return
    is_first = np.ones(len(at), dtype=bool)
    is_first[1:] = group[1:] != group[:-1]
    firsts = np.flatnonzero(is_first)
    lasts = np.append(firsts[1:], len(at)) - 1
    repeated = ~is_first
    split = told.is_validation | block.evaluated
    columns = (told.run, split, block.epoch, block.lead_start, block.lead_end, block.speed)
    values = [column[at] for column in columns]
    for value in values:
        repeated[1:] &= value[1:] == value[:-1]
    for i, first, last in zip(group[firsts].tolist(), firsts.tolist(), lasts.tolist(), strict=True):
        state = block.states[i]
        repeated[first] = state.last_speed == tuple(value[first] for value in values)
        state.last_speed = tuple(value[last] for value in values)
    # Two reports that name no place may well be of one speed.
    repeated &= (block.epoch[at] != MISSING) | (block.lead_end[at] != MISSING)
    told.is_kept[at[repeated]] = False


def _found_rows(block: Block, places: Ints, told: _Outcomes) -> list[tuple[int, Row]]:
    """The rows of what the rules found, each with its item."""
    rows: list[tuple[int, Row]] = []
    for i, item in zip(places.tolist(), block.found, strict=True):
        validation, running = bool(told.is_validation[i]), bool(told.is_running[i])
        records = settle_records(item.records, validation=validation, running=running)
        for record in records if told.is_kept[i] else records[1:]:
            place = int(block.line[i]), int(told.run[i]), item.node, int(block.time[i])
            rows.append((i, Row(*place, record)))
    return rows


class _Found(NamedTuple):
    """Rows that the rules found: all of them with their items, those that count here, as numbers.

    The places of these rows stand behind those of the block's items, whose number is `first`.
    """

    all: list[tuple[int, Row]]
    here: list[int]
    first: int

    @property
    def items(self) -> Any:
        return np.array([self.all[n][0] for n in self.here], dtype="i8")

    @property
    def places(self) -> Any:
        return np.array(self.here, dtype="i8") + self.first

    @property
    def records(self) -> list[Any]:
        return [self.all[n][1].record for n in self.here]


def _places(block: Block, found: list[tuple[int, Row]], run: Ints) -> dict[str, Any]:
    records: list[Any] = [row.record for _, row in found]
    items = np.array([i for i, _ in found], dtype="i8")

    def joined(ours: Ints, own: list[int] | None) -> Ints:
        return np.concatenate([ours, ours[items] if own is None else np.array(own, dtype="i8")])

    return {
        "file": joined(block.file, None).astype("i4"),
        "run": joined(run, None),
        "node": joined(block.node, None),
        "epoch": joined(block.epoch, [or_missing(record.epoch) for record in records]),
        "time": joined(block.time, None),
        "line": joined(block.line, None),
        "batch_start": joined(block.start, [or_missing(r.batch_start) for r in records]),
        "batch_end": joined(block.end, [or_missing(record.batch_end) for record in records]),
    }


def _speeds(block: Block, lanes: Ints, found: _Found, told: _Outcomes) -> dict[str, Any]:
    order = _order(lanes, found.items)
    records = found.records
    speed = [record.samples_per_sec for record in records]
    split = [SPLITS.index(record.split) for record in records]
    return {
        "at": np.concatenate([lanes, found.places])[order],
        "split": _joined(told.is_validation[lanes].astype("i1"), split)[order],
        "samples_per_sec": _joined(block.speed[lanes], speed)[order],
    }


def _metrics(
    block: Block,
    lanes: tuple[Ints, Ints],
    found: _Found,
    told: _Outcomes,
    table: MetricColumns,
) -> dict[str, Any]:
    epochs, records = block.epochs, found.records
    is_whole = epochs.kind != TIME_COST
    windows, wholes = lanes[0], lanes[1][is_whole]
    order = _order(np.concatenate([windows, wholes]), found.items)
    names = list(dict.fromkeys([*block.names, *(record.metric for record in records)]))
    codes = {name: code for code, name in enumerate(names)}
    metric = np.concatenate(
        [
            block.speeds.metric,
            epochs.metric[is_whole].astype("i4"),
            np.array([codes[record.metric] for record in records], dtype="i4"),
        ]
    )[order]
    value = np.concatenate([block.speeds.value, epochs.value[is_whole]])
    split = np.concatenate([told.is_validation[windows], epochs.kind[is_whole] == VALIDATION])
    scope = np.where(told.is_running[windows], _RUNNING, _WINDOW)
    scope = np.concatenate([scope, np.full(len(wholes), _EPOCH)]).astype("i1")
    own_splits = [SPLITS.index(record.split) for record in records]
    own_scopes = [SCOPES.index(record.scope) for record in records]
    return {
        "at": np.concatenate([windows, wholes, found.places])[order],
        "split": _joined(split.astype("i1"), own_splits)[order],
        "scope": _joined(scope, own_scopes)[order],
        "metric": _settled_codes(table, metric, names),
        "value": _joined(value, [record.value for record in records])[order],
    }


def _settled_codes(table: MetricColumns, metric: Any, names: list[str]) -> Any:
    """The table's codes of a block's metrics; names are numbered in the order of their lines."""
    used = np.flatnonzero(np.bincount(metric)).tolist()
    new = [code for code in used if names[code] not in table.codes]
    if new:
        first = np.empty(len(names), dtype="i8")
        first[metric[::-1]] = np.arange(len(metric))[::-1]  # of one code's places, the last counts
        for code in sorted(new, key=first.__getitem__):
            table.code_of(names[code])
    final = np.array([table.codes.get(name, 0) for name in names] or [0], dtype="i4")
    return final[metric]


def _time_costs(block: Block, lanes: Ints, run: Ints) -> list[tuple[int, Row, Event]]:
    epochs = block.epochs
    times = np.flatnonzero(epochs.kind == TIME_COST)
    rows = []
    for at, i in zip(lanes[times].tolist(), times.tolist(), strict=True):
        text = block.data[epochs.begin[i] : epochs.end[i]].decode()
        epoch, seconds = int(epochs.epoch[i]), float(epochs.value[i])
        event = Event(kind="time_cost", text=text, epoch=epoch, value=seconds)
        place = int(block.line[at]), int(run[at]), int(block.node[at]), int(block.time[at])
        rows.append((at, Row(*place, event), event))
    return rows


def _order(ours: Ints, found: Ints) -> Any:
    """What brings rows, ours and then those found, into the order of their items."""
    at = np.concatenate([ours, found])
    if (at[1:] >= at[:-1]).all():
        return slice(None)
    return np.argsort(at, kind="stable")


def _joined(ours: Any, found: list[Any]) -> Any:
    return np.concatenate([ours, np.array(found, dtype=ours.dtype)]) if found else ours
