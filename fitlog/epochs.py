"""The table of epochs: what a log says of each epoch of each run, in one row."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np

from fitlog.course import Course, Key, Place, Rate
from fitlog_parsers import MISSING
from fitlog_parsers.columns import SPLITS

if TYPE_CHECKING:
    import pandas as pd


def epoch_table(course: Course) -> dict[str, Any]:
    """The table's columns: one row per (file, run, node, epoch), in that order.

    Columns: file int64, run int64, node Int64, epoch Int64, time_cost Float64 in seconds,
    speed_median Float64, batches Int64 (the last batch reported), lr Float64, then Float64 columns
    `train-<metric>` and `validation-<metric>`. Floats are nullable, for a nan was logged.
    """
    # Lines without a rank come behind those with one.
    keys = sorted(course.epochs, key=lambda key: (*key[:2], key[2] == MISSING, *key[2:]))
    epochs = [course.epochs[key] for key in keys]
    table = {
        "file": np.array([key[0] for key in keys], dtype="i8"),
        "run": np.array([key[1] for key in keys], dtype="i8"),
        "node": _integers(key[2] for key in keys),
        "epoch": _integers(key[3] for key in keys),
        "time_cost": _floats(epoch.time_cost for epoch in epochs),
        "speed_median": _floats(epoch.speed_median for epoch in epochs),
        "batches": _integers(epoch.batches for epoch in epochs),
        "lr": _floats(_learning_rates(course, keys)),
    }
    used = {code for epoch in epochs for code in epoch.values}
    for split, metric in sorted(used):
        values = _floats(epoch.values.get((split, metric)) for epoch in epochs)
        table[f"{SPLITS[split]}-{course.names[metric]}"] = values
    return table


def _learning_rates(course: Course, keys: list[Key]) -> list[float | None]:
    """The rate set last before each epoch's last line, in its own run; None until there is one.

    A change that names no node (the parameter server's) counts for every run that was under way.
    """
    changes: dict[Place, tuple[list[int], list[float]]] = {}
    rates: list[float | None] = []
    for key in keys:
        file, run, node, _ = key
        place = file, run, node
        if place not in changes:
            mine = _changes(course, place)
            changes[place] = [rate.line for rate in mine], [rate.value for rate in mine]
        lines, values = changes[place]
        last = bisect_right(lines, course.epochs[key].last_line)
        rates.append(values[last - 1] if last else None)
    return rates


def _changes(course: Course, place: Place) -> list[Rate]:
    """The learning rates that were set for a run of a node, in the order of their lines."""
    file, _, node = place
    mine = course.rates.get(place, [])
    if node == MISSING:
        return mine
    under_way = course.runs[place].first_line
    for (other_file, _, other_node), rates in course.rates.items():
        if other_file == file and other_node == MISSING:
            mine = mine + [rate for rate in rates if rate.line >= under_way]
    return sorted(mine)


def _floats(values: Iterable[float | None]) -> pd.arrays.FloatingArray:
    import pandas as pd

    every = list(values)
    missing = np.array([value is None for value in every], dtype=bool)
    return pd.arrays.FloatingArray(np.array([value or 0.0 for value in every], "f8"), missing)


def _integers(values: Iterable[int]) -> pd.arrays.IntegerArray:
    import pandas as pd

    every = np.fromiter(values, dtype="i8")
    missing = every == MISSING
    return pd.arrays.IntegerArray(np.where(missing, 0, every), missing)
