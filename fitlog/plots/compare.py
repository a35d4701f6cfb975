"""A comparison as a picture: the runs over each other, over epochs and over wall time."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from fitlog.comparison import Comparison
from fitlog.directions import unit_of
from fitlog.errors import NoRecordsError
from fitlog.plots.curves import Curve, make_curves
from fitlog.plots.lines import choose_numbers, use_log_scale
from fitlog.plots.overview import plot_overview
from fitlog.plots.themes import MARKERS, drawn_on, spread_marks, theme_of
from fitlog.plots.view import View
from fitlog.printable import printable

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def plot_compare(comparison: Comparison, ax: Axes | None = None, view: View | None = None) -> Axes:
    """The metric whose rise is timed, of all runs, over seconds of training.

    `ax` is drawn on as it is styled; None takes a figure of its own.

    Raises:
        NoRecordsError: the runs share no metric, or one states no time costs.
    """
    view = view or View()
    if not _is_timed(comparison):
        raise NoRecordsError("the runs have no metric in common, or no time costs to draw it over")
    curves = make_curves(comparison.logs, _labels(comparison))
    draw = functools.partial(_draw_over_time, comparison, view, curves)
    return drawn_on(ax, view.style, (8.0, 4.5), draw)


def draw_comparison(comparison: Comparison, view: View | None = None) -> Figure:
    """The picture of `plot_overview`, and that of `plot_compare` where the runs state it.

    Raises:
        NoRecordsError: there is neither a speed nor a metric.
        SettingError: a log does not state what the view asks for.
    """
    view = view or View()
    more = [functools.partial(_draw_over_time, comparison, view)] if _is_timed(comparison) else []
    return plot_overview(comparison.logs, labels=_labels(comparison), more=more, view=view)


def _is_timed(comparison: Comparison) -> bool:
    return comparison.metric is not None and all(run.wall_seconds for run in comparison.runs)


def _labels(comparison: Comparison) -> list[str]:
    return [f"{run.label}: {Path(run.name).name}" for run in comparison.runs]


def _draw_over_time(
    comparison: Comparison, view: View, curves: Sequence[Curve], axes: Axes
) -> None:
    split, _, name = (comparison.metric or "").partition("-")
    style = "-" if split == "validation" else "--"
    for run, curve in zip(comparison.runs, curves, strict=True):
        rows = curve.metrics
        rows = rows[(rows["scope"] == "epoch") & (rows["split"] == split)]
        rows = rows[(rows["metric"] == name) & rows["epoch"].isin(list(run.wall_seconds))]
        rows = rows.drop_duplicates("epoch", keep="last").sort_values("epoch")
        seconds = [run.wall_seconds[epoch] for epoch in rows["epoch"].tolist()]
        axes.plot(
            seconds, rows["value"].to_numpy(), style, color=theme_of(axes).color(curve.number),
            marker=MARKERS[curve.number % len(MARKERS)], markersize=4, linewidth=1.7,
            markevery=1 if len(seconds) <= 40 else spread_marks(curve.number), label=curve.label,
        )  # fmt: skip
    axes.set_title(f"{split} {printable(name)} over time", parse_math=False)
    axes.set_xlabel("seconds of training, by the epochs' time costs")
    axes.set_ylabel(unit_of(name))
    axes.margins(y=0.12)
    if view.log_scale:
        use_log_scale(axes)
    else:
        choose_numbers(axes)
