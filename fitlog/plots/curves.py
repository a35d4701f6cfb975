"""What is drawn of logs: a curve for each run, and where its values stand on an axis."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from fitlog.printable import printable
from fitlog.run_folder import RUN_LOG

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

    from fitlog.tables import RunLog

# Okabe and Ito's colours, which colour-blind people tell apart (jfly.uni-koeln.de/color).
BLUE, VERMILLION = "#0072B2", "#D55E00"
COLORS: Final = (
    BLUE,
    VERMILLION,
    "#009E73",
    "#CC79A7",
    "#E69F00",
    "#56B4E9",
    "#5D4E8C",
    "#7F7F7F",
)
# Beyond this, the differences that an axis and its ticks are made of overflow.
_LARGEST: Final = 1e300


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """One run as it is drawn: its name, its colour and its rows of the tables."""

    label: str
    color: str
    speed: pd.DataFrame
    metrics: pd.DataFrame


def make_curves(logs: Sequence[RunLog], labels: Sequence[str] | None = None) -> list[Curve]:
    """A curve for every run of every log; of several nodes the first stands for its run.

    `labels` are what the logs are called, instead of by their files.
    """
    parts = []
    for i, (name, all_speed, all_metrics) in enumerate(_single_logs(logs)):
        runs = sorted({*all_speed["run"], *all_metrics["run"]})
        for run in runs:
            label = _name(name) if labels is None else printable(labels[i])
            label += f" (run {run})" if len(runs) > 1 else ""
            speed, metrics = (
                _first_node(table[table["run"] == run]) for table in (all_speed, all_metrics)
            )
            speed = speed[(speed["split"] == "train") & speed["batch_end"].notna()]
            parts.append((label, _drawable(speed, "samples_per_sec"), _drawable(metrics, "value")))
    return [
        Curve(label=label, color=COLORS[i % len(COLORS)], speed=speed, metrics=metrics)
        for i, (label, speed, metrics) in enumerate(parts)
    ]


def _single_logs(logs: Sequence[RunLog]) -> Iterator[tuple[str, pd.DataFrame, pd.DataFrame]]:
    """Name, speeds and metrics of each log, also of those that were read as one."""
    for log in logs:
        if "file" not in log.speed:
            yield log.name, log.speed, log.metrics
            continue
        for name in log.speed["file"].cat.categories:
            yield name, *(table[table["file"] == name] for table in (log.speed, log.metrics))


def batches_per_epoch(rows: pd.DataFrame) -> int:
    """At least so many: the log names no batch after the last report."""
    ends = rows["batch_end"].dropna()
    return int(ends.max()) + 1 if len(ends) else 1


def epoch_limits(curves: Sequence[Curve]) -> tuple[float, float]:
    """The same for every panel: half an epoch on both sides, or a little of a long run."""
    epochs = [epoch for curve in curves for epoch in curve.metrics["epoch"].dropna()]
    first, last = min(epochs, default=0), max(epochs, default=0)
    pad = max(0.55, 0.02 * (last - first))
    return first - pad, last + pad


def batches_since_start(speed: pd.DataFrame) -> np.ndarray[Any, Any]:
    """The batch at which each speed was reported, float64 (n,), counted over the epochs."""
    epoch = speed["epoch"].fillna(0)
    first = epoch.min() if len(epoch) else 0
    batches = (epoch - first) * batches_per_epoch(speed) + speed["batch_end"]
    return batches.to_numpy(dtype="float64", na_value=float("nan"))


def position_in_epoch(rows: pd.DataFrame) -> np.ndarray[Any, Any]:
    """Where values within epoch e stand on an axis of epochs, float64 (n,): e - 0.5 to e + 0.5."""
    position = rows["epoch"] - 0.5 + (rows["batch_end"] + 1) / (batches_per_epoch(rows) + 1)
    return position.to_numpy(dtype="float64", na_value=float("nan"))


def running_median(values: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """The course of noisy values: medians over a 25th of them, five at least."""
    import pandas as pd

    width = max(5, len(values) // 25) | 1
    return pd.Series(values).rolling(width, center=True, min_periods=1).median().to_numpy()


def _drawable(table: pd.DataFrame, column: str) -> pd.DataFrame:
    """The rows with nan for what has no place on an axis: inf, and what its arithmetic lacks."""
    return table.assign(**{column: table[column].where(table[column].abs() <= _LARGEST)})


def _name(path: str) -> str:
    """A run's name: of a run folder's `run.log` the folder's, else the file's."""
    file = Path(path)
    return printable(file.absolute().parent.name if file.name == RUN_LOG else file.stem)


def _first_node(table: pd.DataFrame) -> pd.DataFrame:
    nodes = table["node"].dropna()
    return table if nodes.empty else table[table["node"] == nodes.min()]
