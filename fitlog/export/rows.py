"""A point as a row: the columns that CSV, JSON Lines and Parquet share."""

from __future__ import annotations

import os
from typing import Final

from fitlog.errors import OutputError
from fitlog.export.points import Point
from fitlog.export.target import Logs

# Each with what it is and its unit, for those formats that have a place for it.
COLUMNS: Final = {
    "log": ("the log's name", ""),
    "run": ("the runs in a file, from 0", ""),
    "node": ("the worker's rank; missing where the log states none", ""),
    "epoch": ("as logged; missing where the log states none", ""),
    "step": (
        "scope epoch: the epoch; else the batches reported since the log's first epoch",
        "batches or epochs",
    ),
    "time": ("by the writer's own clock, without a zone", ""),
    "time_source": ("logged, estimated, or read (when the line was read)", ""),
    "scope": ("window, running or epoch: what the value covers", ""),
    "split": ("train or validation; missing where it is neither's", ""),
    "name": ("the metric, samples_per_sec, time_cost or lr", ""),
    "value": ("as logged", "in the column unit"),
    "unit": ("the value's; missing for plain numbers", ""),
    "line": ("the log's line, from 1", ""),
}


def as_row(point: Point, logs: Logs) -> tuple[object, ...]:
    """The values of the columns; None for what is missing."""
    _, run, node = point.place
    return (
        logs.name(point.place),
        run,
        node,
        point.epoch,
        point.step,
        point.time,
        point.time_source,
        point.scope,
        point.split or None,
        point.name,
        point.value,
        point.unit or None,
        point.line,
    )


def refused(out: str, error: OSError) -> OutputError:
    """What to say of a file or folder that cannot be written."""
    place = os.fsdecode(error.filename) if error.filename else out
    return OutputError(f"cannot write {place}: {error.strerror or error}")
