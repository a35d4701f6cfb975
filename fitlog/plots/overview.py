"""All of a training in one picture: the speed, and every metric, of one run or several."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final

from fitlog.errors import NoRecordsError
from fitlog.plots.curves import Curve, make_curves
from fitlog.plots.metrics import draw_metric
from fitlog.plots.speed import draw_speed
from fitlog.plots.themes import headline, new_figure, place_legend, shape_of, styled
from fitlog.plots.view import View

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from fitlog.tables import RunLog

_MOST_METRICS: Final = 24

# Draws something of all curves.
Panel = Callable[[Sequence[Curve], "Axes"], None]


def plot_overview(
    log: RunLog | Sequence[RunLog],
    *,
    labels: Sequence[str] | None = None,
    more: Sequence[Panel] = (),
    view: View | None = None,
) -> Figure:
    """A figure of one or many logs: speed on top, then a panel for each metric.

    Every run in every log is a curve of its own; of several nodes, the median and a band. Of more
    than 24 metrics the first 24 are drawn; the title says so then. `labels` are names for the logs;
    None takes those of their files. `more` draw further panels, behind those of the metrics.

    Raises:
        NoRecordsError: there is neither a speed nor a metric, or no log.
        SettingError: a log does not state what the view asks for.
    """
    view = view or View()
    curves = make_curves(log, labels)
    names = list(dict.fromkeys(name for c in curves for name in c.metrics["metric"].unique()))
    metrics = names[:_MOST_METRICS]
    has_speed = any(len(curve.speed) for curve in curves)
    if not metrics and not has_speed:
        logs = log if isinstance(log, Sequence) else [log]
        name = logs[0].name if logs else None
        raise NoRecordsError("has neither a speed nor a metric to draw", path=name)
    panels: list[Panel] = [functools.partial(draw_metric, metric, view=view) for metric in metrics]
    panels += more
    columns, width = shape_of(len(panels))
    heights = [3.0] * has_speed + [2.6] * -(-len(panels) // columns)
    with styled(view.style):
        figure = new_figure(width, sum(heights) + 1.0)
        grid = figure.add_gridspec(len(heights), columns, height_ratios=heights)
        if has_speed:
            draw_speed(curves, figure.add_subplot(grid[0, :]), view)
        for i, panel in enumerate(panels):
            row, column = divmod(i, columns)
            panel(curves, figure.add_subplot(grid[row + has_speed, column]))
        text = curves[0].label if len(curves) == 1 else f"{len(curves)} runs"
        several = f" ({len(metrics)} of {len(names)} metrics)" * (names != metrics)
        headline(figure, text + several)
        place_legend(figure, figure.axes)
    return figure
