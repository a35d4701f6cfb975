"""A comparison as a picture: the runs over each other, over epochs and over wall time."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from fitlog.comparison import Comparison
from fitlog.directions import unit_of
from fitlog.plots.overview import plot_logs
from fitlog.printable import printable

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from fitlog.plots.curves import Curve


def plot_comparison(comparison: Comparison) -> Figure:
    """The picture of `plot_logs`, and the metric whose rise is timed over seconds of training.

    Raises:
        NoRecordsError: there is neither a speed nor a metric.
    """
    labels = [f"{run.label}: {Path(run.name).name}" for run in comparison.runs]
    metric = comparison.metric
    if metric is None or not all(run.wall_seconds for run in comparison.runs):
        return plot_logs(comparison.logs, labels=labels)

    def panel(curves: Sequence[Curve], axes: Axes) -> None:
        _plot_over_time(comparison, metric, curves, axes)

    return plot_logs(comparison.logs, labels=labels, more=[panel])


def _plot_over_time(
    comparison: Comparison, metric: str, curves: Sequence[Curve], axes: Axes
) -> None:
    split, _, name = metric.partition("-")
    style = "-" if split == "validation" else "--"
    for run, curve in zip(comparison.runs, curves, strict=True):
        rows = curve.metrics
        rows = rows[(rows["scope"] == "epoch") & (rows["split"] == split)]
        rows = rows[(rows["metric"] == name) & rows["epoch"].isin(list(run.wall_seconds))]
        rows = rows.drop_duplicates("epoch", keep="last").sort_values("epoch")
        seconds = [run.wall_seconds[epoch] for epoch in rows["epoch"].tolist()]
        marker = "o" if len(seconds) <= 40 else ""
        axes.plot(
            seconds,
            rows["value"].to_numpy(),
            style,
            color=curve.color,
            marker=marker,
            markersize=4,
            linewidth=1.7,
        )
    axes.set_title(f"{split} {printable(name)} over time", parse_math=False)
    axes.set_xlabel("seconds of training, by the epochs' time costs")
    axes.set_ylabel(unit_of(name))
    axes.margins(y=0.12)
