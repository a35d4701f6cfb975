"""The table of epochs: what the long tables say of each epoch of each run, in one row.

The rows of one epoch lie together in a log, so all is found from the places where the epoch
changes; a log of millions of lines has some thousands of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from fitlog.segments import find_segments
from fitlog_parsers import MISSING
from fitlog_parsers.columns import (
    SCOPES,
    SPLITS,
    Columns,
    EventColumns,
    MetricColumns,
    SpeedColumns,
)

if TYPE_CHECKING:
    import pandas as pd

Ints = npt.NDArray[np.int64]
_KEYS = ("file", "run", "node", "epoch")


class _Rows(NamedTuple):
    """Of each row of a table, the number of its epoch's row; -1 where it names no epoch."""

    speed: Ints
    metrics: Ints
    events: Ints


def epoch_table(columns: Columns) -> dict[str, Any]:
    """The table's columns: one row per (file, run, node, epoch), in that order.

    Of repeated values the last counts. Columns: file int64, run int64, node Int64, epoch Int64,
    time_cost Float64 in seconds, speed_median Float64, batches Int64 (the last batch reported), lr
    Float64, then Float64 columns `train-<metric>` and `validation-<metric>`.
    """
    import pandas as pd

    keys, rows, last_lines, first_lines = _epochs(columns)
    count = len(keys)
    speed, metrics, events = columns.speed, columns.metrics, columns.events
    kind = np.array(events.kind, dtype=object)
    is_training = np.asarray(speed.split) == SPLITS.index("train")
    is_training &= rows.speed >= 0
    training = pd.DataFrame(
        {
            "row": rows.speed[is_training],
            "samples_per_sec": np.asarray(speed.samples_per_sec)[is_training],
            "batch_end": np.asarray(speed.batch_end)[is_training],
        }
    ).groupby("row")
    medians = training["samples_per_sec"].median()
    batches = training["batch_end"].max()
    batches = batches[batches != MISSING]
    table = {
        "file": keys[:, 0],
        "run": keys[:, 1],
        "node": _integers(keys[:, 2], keys[:, 2] == MISSING),
        "epoch": _integers(keys[:, 3], np.zeros(count, dtype=bool)),
        "time_cost": _last(count, rows.events, np.asarray(events.value), kind == "time_cost"),
        "speed_median": _floats(count, medians.index.to_numpy(), medians.to_numpy()),
        "batches": _known_integers(count, batches.index.to_numpy(), batches.to_numpy()),
        "lr": _learning_rates(columns, keys, last_lines, first_lines),
    }
    is_whole = np.asarray(metrics.scope) == SCOPES.index("epoch")
    split, metric = np.asarray(metrics.split), np.asarray(metrics.metric)
    value = np.asarray(metrics.value)
    at, code = rows.metrics[is_whole], split[is_whole] * len(metrics.codes) + metric[is_whole]
    value = value[is_whole]
    for which, name in enumerate(SPLITS):
        for number, metric_name in enumerate(metrics.names):
            here = code == which * len(metrics.codes) + number
            if here.any():
                table[f"{name}-{metric_name}"] = _last(count, at, value, here)
    return table


def _epochs(columns: Columns) -> tuple[Ints, _Rows, Ints, dict[tuple[int, ...], int]]:
    """The keys of all epochs, the epoch of each row, the epochs' last lines, runs' first lines."""
    tables: list[SpeedColumns | MetricColumns | EventColumns] = [
        columns.speed,
        columns.metrics,
        columns.events,
    ]
    heads, keys, lasts, firsts = [], [], [], []
    for table in tables:
        places = [np.asarray(getattr(table, name)).astype("i8") for name in _KEYS]
        line = np.asarray(table.line)
        head, tail = find_segments(places)
        heads.append(head)
        keys.append(np.stack([place[head] for place in places], axis=1))
        firsts.append(line[head])
        lasts.append(line[tail])
    every = np.concatenate(keys)
    known = every[:, 3] != MISSING
    # Lines without a rank come behind those with one.
    every[:, 2] = np.where(every[:, 2] == MISSING, np.iinfo("i8").max, every[:, 2])
    unique, number = np.unique(every[known], axis=0, return_inverse=True)
    of_segment = np.full(len(every), -1)
    of_segment[known] = number.ravel()
    last_lines = np.zeros(len(unique), dtype="i8")
    np.maximum.at(last_lines, number.ravel(), np.concatenate(lasts)[known])
    unique[:, 2] = np.where(unique[:, 2] == np.iinfo("i8").max, MISSING, unique[:, 2])
    rows, first = [], 0
    for table, head in zip(tables, heads, strict=True):
        lengths = np.diff(np.append(head, len(table)))
        rows.append(np.repeat(of_segment[first : first + len(head)], lengths))
        first += len(head)
    first_lines: dict[tuple[int, ...], int] = {}
    for key, line in zip(
        unique[number.ravel()].tolist(), np.concatenate(firsts)[known].tolist(), strict=True
    ):
        run = (*key[:3],)
        first_lines[run] = min(line, first_lines.get(run, line))
    return unique, _Rows(*rows), last_lines, first_lines


def _learning_rates(
    columns: Columns, keys: Ints, last_lines: Ints, first_lines: dict[tuple[int, ...], int]
) -> pd.arrays.FloatingArray:
    """The rate set last before each epoch's last line, in its own run; NA until there is one.

    A change that names no node (the parameter server's) counts for every run that was under way.
    """
    events = columns.events
    changes = [i for i, kind in enumerate(events.kind) if kind == "lr"]
    by_run: dict[tuple[int, ...], list[tuple[int, float]]] = {}
    unnamed: dict[int, list[tuple[int, float]]] = {}
    for i in changes:
        file, run, node = int(events.file[i]), int(events.run[i]), int(events.node[i])
        change = int(events.line[i]), float(events.value[i])
        by_run.setdefault((file, run, node), []).append(change)
        if node == MISSING:
            unnamed.setdefault(file, []).append(change)
    rates, known = np.zeros(len(keys)), np.zeros(len(keys), dtype=bool)
    if changes:
        runs, of_row = np.unique(keys[:, :3], axis=0, return_inverse=True)
        for number, run_key in enumerate(runs.tolist()):
            mine = by_run.get((*run_key,), [])
            if run_key[2] != MISSING:
                under_way = first_lines[(*run_key,)]
                mine = sorted(mine + [c for c in unnamed.get(run_key[0], []) if c[0] >= under_way])
            if not mine:
                continue
            rows = np.flatnonzero(of_row.ravel() == number)
            lines, values = np.array([c[0] for c in mine]), np.array([c[1] for c in mine])
            last = np.searchsorted(lines, last_lines[rows], side="right") - 1
            rates[rows[last >= 0]] = values[last[last >= 0]]
            known[rows[last >= 0]] = True
    return _masked(rates, ~known)


def _last(count: int, at: Ints, value: Any, here: Any) -> pd.arrays.FloatingArray:
    """The last value of each epoch; NA where there is none, for a nan was logged."""
    here = here & (at >= 0)
    return _floats(count, at[here], value[here])


def _floats(count: int, at: Ints, value: Any) -> pd.arrays.FloatingArray:
    return _masked(*_scattered(count, at, value))


def _known_integers(count: int, at: Ints, value: Ints) -> pd.arrays.IntegerArray:
    return _integers(*_scattered(count, at, value))


def _scattered(count: int, at: Ints, value: Any) -> tuple[Any, npt.NDArray[np.bool_]]:
    """The values at their places in a column, and where it has none."""
    values, missing = np.zeros(count, dtype=value.dtype), np.ones(count, dtype=bool)
    values[at] = value
    missing[at] = False
    return values, missing


def _integers(values: Ints, missing: npt.NDArray[np.bool_]) -> pd.arrays.IntegerArray:
    import pandas as pd

    return pd.arrays.IntegerArray(np.where(missing, 0, values), missing)


def _masked(values: npt.NDArray[np.float64], missing: Any) -> pd.arrays.FloatingArray:
    import pandas as pd

    return pd.arrays.FloatingArray(values, missing)
