"""A run in a few figures, which `run.json` keeps as its `results`."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from fitlog.directions import is_higher_better
from fitlog.reading import read_columns
from fitlog_parsers.columns import SCOPES, SPLITS


def read_results(log: Path) -> dict[str, Any]:
    """The figures that a log tells; see `summarize_results`."""
    columns = read_columns([log], bulk=True)
    metrics = columns.metrics
    rows = (metrics.scope, metrics.split, metrics.metric, metrics.epoch, metrics.value)
    values: dict[tuple[str, str], list[tuple[int, float]]] = {}
    for scope, split, code, epoch, value in zip(*(row.tolist() for row in rows), strict=True):
        if SCOPES[scope] == "epoch":
            values.setdefault((SPLITS[split], metrics.names[code]), []).append((epoch, value))
    return summarize_results(values, columns.speed.samples_per_sec.tolist())


def summarize_results(
    values: Mapping[tuple[str, str], Sequence[tuple[int, float]]], speeds: Sequence[float]
) -> dict[str, Any]:
    """The last and the best value of each metric, the median speed and the number of windows.

    `values` are epochs and what they ended with, by split and metric. `metrics` goes by
    `<split>-<metric>`, in the same order; what is best of a metric that is neither to rise nor to
    fall is None, as is a value that is no finite number, and the speed where there are no windows.
    """
    return {
        "metrics": {
            f"{split}-{metric}": _describe(found, is_higher_better(metric))
            for (split, metric), found in values.items()
        },
        "samples_per_sec": statistics.median(speeds) if speeds else None,
        "windows": len(speeds),
    }


def _describe(values: Sequence[tuple[int, float]], higher: bool | None) -> dict[str, Any]:
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
