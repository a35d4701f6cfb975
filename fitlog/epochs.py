"""The table of epochs: what a log says of each epoch of each run, in one row."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from fitlog.course import Course, Epoch, Key, Place, Rates, value_code
from fitlog_parsers import MISSING
from fitlog_parsers.columns import SPLITS

if TYPE_CHECKING:
    import pandas as pd


# A column has a cell for each epoch, also where an epoch says nothing of its metric: nine bytes.
_MOST_CELLS: Final = 1 << 25
_NONE: Final = np.zeros(0, dtype="i8"), np.zeros(0)


def epoch_table(course: Course) -> dict[str, Any]:
    """The table's columns: one row per (file, run, node, epoch), in that order.

    Columns: file int64, run int64, node Int64, epoch Int64, time_cost Float64 in seconds,
    speed_median Float64 in samples/sec (of the training's reports), batches Int64 (the last batch
    reported), lr Float64, then Float64 columns `train-<metric>` and `validation-<metric>`, those of
    `shown_codes`. Floats are nullable, for a nan was logged.
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
    table.update(_whole_values(epochs, shown_codes(course), course.names))
    return table


def shown_codes(course: Course) -> list[int]:
    """The values of whole epochs that have a column, by `value_code`: all, or the first of many."""
    every = {id(epoch.codes): epoch.codes for epoch in course.epochs.values()}
    codes: set[int] = set().union(*every.values())
    return sorted(codes)[: _MOST_CELLS // max(len(course.epochs), 1)]


def _whole_values(
    epochs: list[Epoch], codes: list[int], names: list[str]
) -> dict[str, pd.arrays.FloatingArray]:
    """A column for each split and metric of whole epochs, by the metrics' order of appearance."""
    import pandas as pd

    count = len(epochs)
    columns = {code: (np.zeros(count), np.ones(count, dtype=bool)) for code in codes}
    for row, epoch in enumerate(epochs):
        for code, value in zip(epoch.codes, epoch.values, strict=True):
            if code in columns:
                values, missing = columns[code]
                values[row], missing[row] = value, False
    return {
        f"{split}-{name}": pd.arrays.FloatingArray(*columns[value_code(which, metric)])
        for which, split in enumerate(SPLITS)
        for metric, name in enumerate(names)
        if value_code(which, metric) in columns
    }


def _learning_rates(course: Course, keys: list[Key]) -> list[float | None]:
    """The rate set last before each epoch's last line, in its own run; None until there is one.

    A change that names no node (the parameter server's) counts for every run that was under way.
    """
    unnamed: dict[int, list[Rates]] = {}
    for (file, _, node), theirs in course.rates.items():
        if node == MISSING:
            unnamed.setdefault(file, []).append(theirs)
    of_servers = {file: _together(theirs) for file, theirs in unnamed.items()}
    rates: list[float | None] = []
    last_place: Place | None = None
    line, value = _NONE
    for key in keys:
        file, run, node, _ = key
        place = file, run, node
        if place != last_place:
            mine: list[tuple[Any, Any]] = [course.rates[place]] if place in course.rates else []
            if node != MISSING and file in of_servers:
                told, (lines, values) = course.runs[place], of_servers[file]
                first, last = np.searchsorted(lines, [told.first_line, told.last_line + 1])
                mine.append((lines[first:last], values[first:last]))
            line, value = _together(mine)
            last_place = place
        before = np.searchsorted(line, course.epochs[key].last_line, side="right")
        rates.append(float(value[before - 1]) if before else None)
    return rates


def _together(rates: Sequence[tuple[Any, Any]]) -> tuple[Any, Any]:
    """Lines and values of several, in the order of the lines."""
    line = np.concatenate([np.asarray(line) for line, _ in (*rates, _NONE)])
    value = np.concatenate([np.asarray(value) for _, value in (*rates, _NONE)])
    order = np.argsort(line, kind="stable")
    return line[order], value[order]


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
