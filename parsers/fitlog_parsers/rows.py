"""The rows of a settled block, appended to the columns in the order of their lines."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import numpy as np

from fitlog_parsers.blocks import Block, NodeState
from fitlog_parsers.columns import (
    MISSING,
    SCOPES,
    SPLITS,
    Columns,
    MetricColumns,
    SpeedColumns,
)
from fitlog_parsers.entries import Row, settle_records
from fitlog_parsers.lockstep import TIME_COST, VALIDATION, Bools, Ints
from fitlog_parsers.records import Event, Metric, Speed
from fitlog_parsers.runs import Kind

_WINDOW: Final = SCOPES.index("window")
_RUNNING: Final = SCOPES.index("running")
_EPOCH: Final = SCOPES.index("epoch")
_EVALUATED: Final = SPLITS.index("validation")


class _Outcomes(NamedTuple):
    """What became of each item: its run, whether an evaluation's or a running mean, or kept."""

    run: Ints
    is_validation: Bools
    is_running: Bools
    is_kept: Bools


def write_rows(block: Block, columns: Columns) -> None:
    """Append the rows of a block of which nothing is unsettled."""
    count = len(block.line)
    if not count:
        return
    told = _outcomes(block)
    place = np.empty(count, dtype="i8")
    place[block.order] = np.arange(count)
    speeds, wholes = len(block.speeds.line), len(block.epochs.line)
    lanes, whole_lanes = place[:speeds], place[speeds : speeds + wholes]
    rows = _found_rows(block, place[speeds + wholes :], told)
    file = len(columns.files) - 1
    kept = lanes if told.is_kept.all() else lanes[told.is_kept[lanes]]
    _write_speeds(block, columns.speed, file, kept, rows, told)
    _write_metrics(block, columns.metrics, file, (lanes, whole_lanes), rows, told)
    events = [row for _, row in rows if isinstance(row.record, Event)]
    events += _time_costs(block, whole_lanes, told.run)
    for row in sorted(events, key=lambda row: row.line):
        columns.add(row)


def _outcomes(block: Block) -> _Outcomes:
    count = len(block.line)
    run = np.zeros(count, dtype="i8")
    is_validation, is_running = np.zeros(count, dtype=bool), np.zeros(count, dtype=bool)
    told = _Outcomes(run, is_validation, is_running, np.ones(count, dtype=bool))
    for share in block.shares:
        placed = [p for p in block.placed[share.first : share.first + len(share.lengths)] if p]
        before = np.cumsum(share.seen) - 1
        items = share.items

        def of_items(values: list[Any], lengths: list[int], before: Ints = before) -> Any:
            return np.repeat(values, lengths)[before]

        run[items] = of_items([p.run for p in placed], share.lengths)
        evaluated = of_items([p.split == "validation" for p in placed], share.lengths)
        is_validation[items] = evaluated & (block.kind[items] == Kind.WINDOW)
        running = of_items([p.running for p in placed], share.lengths)
        is_running[items] = running & (block.start[items] == 0)
        _drop_repeated(block, share.state, items, told)
    return told


def _drop_repeated(block: Block, state: NodeState, items: Ints, told: _Outcomes) -> None:
    """Up to 0.9 there is a line for each metric: one point, and all of them."""
    at = items[block.leads[items]]
    if not len(at):
        return
    split = told.is_validation | block.evaluated
    repeated = np.ones(len(at), dtype=bool)
    first, last = [], []
    for column in (told.run, split, block.epoch, block.start, block.end, block.speed):
        values = column[at]
        repeated[1:] &= values[1:] == values[:-1]
        first.append(values[0])
        last.append(values[-1])
    repeated[0] = state.last_speed == tuple(first)
    state.last_speed = tuple(last)
    told.is_kept[at[repeated]] = False


def _found_rows(block: Block, places: Ints, told: _Outcomes) -> list[tuple[int, Row]]:
    """The rows of what the rules found, each with its item."""
    rows: list[tuple[int, Row]] = []
    for i, item in zip(places.tolist(), block.found, strict=True):
        validation, running = bool(told.is_validation[i]), bool(told.is_running[i])
        records = settle_records(item.records, validation=validation, running=running)
        for record in records if told.is_kept[i] else records[1:]:
            rows.append((i, Row(item.line, int(told.run[i]), item.node, item.time, record)))
    return rows


def _write_speeds(
    block: Block,
    table: SpeedColumns,
    file: int,
    lanes: Ints,
    rows: list[tuple[int, Row]],
    told: _Outcomes,
) -> None:
    found = [(i, row.record) for i, row in rows if isinstance(row.record, Speed)]
    at, order = _in_order(lanes, [i for i, _ in found])
    columns = {
        **_place(block, file, at, told),
        "split": told.is_validation[at],
        "samples_per_sec": block.speed[at],
    }
    if found:
        others = np.flatnonzero(order >= len(lanes))
        records = [record for _, record in found]
        _overwrite(columns, others, records)
        columns["samples_per_sec"][others] = [record.samples_per_sec for record in records]
    _append(table, columns)


def _write_metrics(
    block: Block,
    table: MetricColumns,
    file: int,
    lanes: tuple[Ints, Ints],
    rows: list[tuple[int, Row]],
    told: _Outcomes,
) -> None:
    found = [(i, row.record) for i, row in rows if isinstance(row.record, Metric)]
    records = [record for _, record in found]
    speeds, epochs = block.speeds, block.epochs
    is_whole = epochs.kind != TIME_COST
    windows, wholes = np.repeat(lanes[0], speeds.fields), lanes[1][is_whole]
    at, order = _in_order(np.concatenate([windows, wholes]), [i for i, _ in found])
    names = list(dict.fromkeys([*block.names, *(record.metric for record in records)]))
    codes = {name: code for code, name in enumerate(names)}
    own_codes = np.array([codes[record.metric] for record in records], dtype="i4")
    metric = np.concatenate([speeds.metric, epochs.metric[is_whole].astype("i4"), own_codes])
    own_values = [record.value for record in records]
    value = np.concatenate([speeds.value, epochs.value[is_whole], own_values])
    metric, value = metric[order], value[order]
    columns = {
        **_place(block, file, at, told),
        "split": told.is_validation[at].astype("i1"),
        "scope": np.where(told.is_running[at], _RUNNING, _WINDOW).astype("i1"),
        "metric": _settled_codes(table, metric, names),
        "value": value,
    }
    if len(wholes):
        evaluated = epochs.kind[is_whole] == VALIDATION
        which = np.concatenate([np.zeros(len(windows), "i1"), 1 + evaluated, [0] * len(found)])
        which = which[order]
        columns["split"][which == 2] = _EVALUATED
        columns["scope"][which > 0] = _EPOCH
    if found:
        others = np.flatnonzero(order >= len(windows) + len(wholes))
        _overwrite(columns, others, records)
        columns["scope"][others] = [SCOPES.index(record.scope) for record in records]
    _append(table, columns)


def _settled_codes(table: MetricColumns, metric: Ints, names: list[str]) -> Ints:
    """The table's codes of a block's metrics; names are numbered in the order of their lines."""
    used = np.flatnonzero(np.bincount(metric)).tolist()
    new = [code for code in used if names[code] not in table.codes]
    for code in sorted(new, key=lambda code: int(np.argmax(metric == code))):
        table.code_of(names[code])
    final = np.array([table.codes.get(name, 0) for name in names] or [0], dtype="i4")
    return final[metric]


def _time_costs(block: Block, lanes: Ints, run: Ints) -> list[Row]:
    epochs = block.epochs
    times = np.flatnonzero(epochs.kind == TIME_COST)
    rows = []
    for at, i in zip(lanes[times].tolist(), times.tolist(), strict=True):
        text = block.data[epochs.begin[i] : epochs.end[i]].decode()
        epoch, seconds = int(epochs.epoch[i]), float(epochs.value[i])
        event = Event(kind="time_cost", text=text, epoch=epoch, value=seconds)
        place = int(block.line[at]), int(run[at]), int(block.node[at]), int(block.time[at])
        rows.append(Row(*place, event))
    return rows


def _in_order(ours: Ints, found: list[int]) -> tuple[Ints, Any]:
    """The items of all rows in the order of their lines, and what brings rows into it."""
    at = np.concatenate([ours, np.array(found, dtype="i8")])
    if (at[1:] >= at[:-1]).all():
        return at, np.arange(len(at))
    order = np.argsort(at, kind="stable")
    return at[order], order


def _place(block: Block, file: int, at: Ints, told: _Outcomes) -> dict[str, Any]:
    return {
        "file": np.full(len(at), file, dtype="i4"),
        "run": told.run[at],
        "node": block.node[at],
        "epoch": block.epoch[at],
        "time": block.time[at],
        "line": block.line[at],
        "batch_start": block.start[at],
        "batch_end": block.end[at],
    }


def _overwrite(columns: dict[str, Any], at: Ints, records: Sequence[Speed | Metric]) -> None:
    """Records that the rules found say these themselves; an item holds those of its first one."""
    columns["epoch"][at] = [_or_missing(record.epoch) for record in records]
    columns["batch_start"][at] = [_or_missing(record.batch_start) for record in records]
    columns["batch_end"][at] = [_or_missing(record.batch_end) for record in records]
    columns["split"][at] = [SPLITS.index(record.split) for record in records]


def _append(table: SpeedColumns | MetricColumns, columns: dict[str, Any]) -> None:
    if not len(columns["line"]):
        return
    for name, values in columns.items():
        column: array[Any] = getattr(table, name)
        whole: Any = np.ascontiguousarray(values, dtype=column.typecode)
        column.frombytes(memoryview(whole).cast("B"))


def _or_missing(value: int | None) -> int:
    return MISSING if value is None else value
