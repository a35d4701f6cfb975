"""Whole pictures of one kind: all runs over each other, or each in a panel of its own."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from fitlog.errors import NoRecordsError
from fitlog.plots.curves import Curve, make_curves
from fitlog.plots.epochs import draw_epochs
from fitlog.plots.metrics import choose_metrics, draw_metric
from fitlog.plots.overview import plot_overview
from fitlog.plots.speed import draw_speed
from fitlog.plots.themes import headline, new_figure, place_legend, shape_of, styled
from fitlog.plots.view import View

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from fitlog.choices import PlotKind
    from fitlog.tables import RunLog

_MOST_PANELS: Final = 24

# Draws something of all curves, as a view says.
_Draw = Callable[[Sequence[Curve], "Axes", View], None]


def draw_logs(
    kind: PlotKind,
    logs: Sequence[RunLog],
    view: View,
    *,
    metrics: Sequence[str] = (),
    each: bool = False,
) -> Figure:
    """A figure of a kind that is of logs: overview, speed, metrics or epochs.

    `metrics` are those to draw, all by default. `each` gives every run a panel of its own, on the
    same axes; of metrics then one is drawn. Of more than 24 panels the first 24 are there, and the
    title says so.

    Raises:
        NoRecordsError: there is nothing of it in the logs.
        SettingError: no such metric, or a log does not state what the view asks for.
    """
    curves = make_curves(logs)
    if not curves:
        raise NoRecordsError("has nothing to draw", path=logs[0].name if logs else None)
    chosen = choose_metrics(curves, metrics) if kind == "metrics" or metrics else []
    if kind == "overview" and not metrics and not each:
        return plot_overview(logs, view=view)
    draws: list[_Draw] = []
    if kind in ("overview", "speed"):
        draws.append(draw_speed)
    if kind == "epochs":
        draws.append(draw_epochs)
    if kind == "metrics" or (kind == "overview" and metrics):
        draws += [functools.partial(draw_metric, metric) for metric in chosen]
    with styled(view.style):
        return _draw_each(curves, draws[0], view) if each else _draw_all(curves, draws, view)


def _draw_all(curves: Sequence[Curve], draws: Sequence[_Draw], view: View) -> Figure:
    shown = draws[:_MOST_PANELS]
    columns, width = shape_of(len(shown))
    rows = -(-len(shown) // columns)
    width, height = (9.0, 4.2) if len(shown) == 1 else (width, 2.9 * rows)
    figure = new_figure(width, height + 0.6)
    for i, draw in enumerate(shown):
        draw(curves, figure.add_subplot(rows, columns, i + 1), view)
    text = curves[0].label if len(curves) == 1 else f"{len(curves)} runs"
    more = f" ({len(shown)} of {len(draws)} metrics)" if len(shown) < len(draws) else ""
    headline(figure, text + more)
    place_legend(figure, figure.axes)
    return figure


def _draw_each(curves: Sequence[Curve], draw: _Draw, view: View) -> Figure:
    """Small multiples: what every panel would say again stands on the outer ones only.

    Nothing is clipped, for the axes are the same for all.
    """
    shown = curves[:_MOST_PANELS]
    columns = min(len(shown), 3)
    rows = -(-len(shown) // columns)
    figure = new_figure(4.2 * columns, 2.5 * rows + 0.9)
    first = None
    for i, curve in enumerate(shown):
        axes = figure.add_subplot(rows, columns, i + 1, sharex=first, sharey=first)
        first = first or axes
        draw([replace(curve, number=0)], axes, replace(view, clip=False))
    what, along = figure.axes[0].get_title(loc="left"), figure.axes[0].get_xlabel()
    figure.axes[0].autoscale(axis="y")  # as all of them need
    for i, (axes, curve) in enumerate(zip(figure.axes, shown, strict=True)):
        axes.set_title(curve.label, fontsize=10, parse_math=False)
        axes.set_title("", loc="right")
        axes.label_outer()
        if i + columns >= len(shown):
            axes.tick_params(labelbottom=True)
            axes.set_xlabel(along)
    more = f" ({len(shown)} of {len(curves)} runs)" if len(shown) < len(curves) else ""
    headline(figure, f"{what} of each run{more}")
    place_legend(figure, figure.axes)
    return figure
