"""A run in a few figures, read back from its own log."""

from __future__ import annotations

import math
import statistics
from pathlib import Path
from typing import Any

from fitlog.directions import is_higher_better
from fitlog.errors import FitlogError
from fitlog.reading import read_columns
from fitlog.sources import is_large
from fitlog_parsers.columns import SCOPES, SPLITS


def read_results(log: Path) -> dict[str, Any]:
    """The last and the best value of each metric, the median speed and the number of windows.

    `metrics` goes by `<split>-<metric>`, in the order of the log; what is best of a metric that is
    neither to rise nor to fall is None, as is a value that is no finite number, and the speed where
    there are no windows.
    """
    columns = read_columns([log], bulk=is_large(log))
    metrics = columns.metrics
    rows = (metrics.scope, metrics.split, metrics.metric, metrics.epoch, metrics.value)
    values: dict[str, list[tuple[int, float]]] = {}
    higher: dict[str, bool | None] = {}
    for scope, split, code, epoch, value in zip(*(row.tolist() for row in rows), strict=True):
        if SCOPES[scope] == "epoch":
            metric = metrics.names[code]
            name = f"{SPLITS[split]}-{metric}"
            higher[name] = is_higher_better(metric)
            values.setdefault(name, []).append((epoch, value))
    speeds = columns.speed.samples_per_sec.tolist()
    return {
        "metrics": {name: _describe(found, higher[name]) for name, found in values.items()},
        "samples_per_sec": statistics.median(speeds) if speeds else None,
        "windows": len(speeds),
    }


def find_results(log: Path) -> dict[str, Any]:
    """The same of a log of somebody else's; empty where it says nothing that can be read."""
    try:
        results = read_results(log)
    except (FitlogError, OSError):  # not even text, and that is fine
        return {}
    return results if results["metrics"] or results["windows"] else {}


def _describe(values: list[tuple[int, float]], higher: bool | None) -> dict[str, Any]:
    last = values[-1][1]
    finite = [pair for pair in values if math.isfinite(pair[1])]
    best_epoch, best = None, None
    if finite and higher is not None:
        best_epoch, best = (max if higher else min)(finite, key=lambda pair: pair[1])
    return {
        "last": last if math.isfinite(last) else None,
        "best": best,
        "best_epoch": best_epoch,
    }
