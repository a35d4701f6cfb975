"""Training speed as a picture."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from fitlog.errors import NoRecordsError
from fitlog.plots.curves import Curve, make_curves
from fitlog.plots.lines import (
    choose_numbers,
    clip_outliers,
    draw_band,
    draw_line,
    mark_missing,
    name_smoothing,
    use_log_scale,
)
from fitlog.plots.marks import draw_marks
from fitlog.plots.places import Places, make_places, numbers
from fitlog.plots.smoothing import running_median, time_weighted
from fitlog.plots.themes import MARKERS, drawn_on, note, spread_marks, theme_of
from fitlog.plots.view import View

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from fitlog.tables import RunLog

# From so many windows on a line shows their course.
SMOOTHED_WINDOWS: Final = 24
_MOST_DOTS: Final = 4000
_REACH: Final = 6.0  # of outliers, see `usual_limits`


def plot_speed(
    log: RunLog | Sequence[RunLog], ax: Axes | None = None, view: View | None = None
) -> Axes:
    """Training speed in samples/sec, a point for each window, of one log or several.

    `ax` is drawn on as it is styled; None takes a figure of its own.

    Raises:
        NoRecordsError: there is no speed.
        SettingError: a log does not state what the view asks for.
    """
    view = view or View()
    curves = make_curves(log)
    return drawn_on(ax, view.style, (10.0, 4.0), lambda axes: draw_speed(curves, axes, view))


def draw_speed(curves: Sequence[Curve], axes: Axes, view: View) -> None:
    """The speeds of all curves, over the batches since the run began unless the view says else.

    From 24 windows on a line shows the course: their running median, or the view's time-weighted
    mean. Windows without a finite speed are marked on the upper edge. Of several nodes the median
    is drawn, and a band from the slowest to the fastest.
    """
    import numpy as np

    curves = [curve for curve in curves if len(curve.speed)]
    if not curves:
        raise NoRecordsError("has no speed to draw")
    places = make_places(curves, view, "batch")
    drawn = []
    for curve in curves:
        x, y = places.of(curve, curve.speed), numbers(curve.speed["samples_per_sec"])
        color = theme_of(axes).color(curve.number)
        edges = [numbers(curve.speed[edge]) for edge in ("low", "high") if edge in curve.speed]
        drawn += [(x, values, color) for values in edges or [y]]
        _draw_course(axes, curve, x, y, places, view, alone=len(curves) == 1)
        mark_missing(axes, x[np.isnan(y)], color, "no finite speed", top=True)
    axes.set_title("Throughput")
    axes.set_ylabel("samples/sec")
    axes.margins(x=0.01, y=0.12)
    places.put_on(axes)
    if any(np.isfinite(y).any() for _, y, _ in drawn):
        positive = any((y > 0).any() for _, y, _ in drawn)
        if view.log_scale and positive:
            use_log_scale(axes)
        else:
            if view.clip:
                clip_outliers(axes, drawn, _REACH, "windows")
            choose_numbers(axes)
    else:
        axes.set_yticks([])
    if view.marks:
        draw_marks(axes, curves, places)
    _note_what_is_shown(axes, curves, view)


def _draw_course(
    axes: Axes, curve: Curve, x: Any, y: Any, places: Places, view: View, *, alone: bool
) -> None:
    color = theme_of(axes).color(curve.number)
    marker = MARKERS[curve.number % len(MARKERS)]
    label = "" if alone else curve.label
    if "low" in curve.speed:
        draw_band(axes, x, numbers(curve.speed["low"]), numbers(curve.speed["high"]), color)
    if view.smooth is None and len(y) < SMOOTHED_WINDOWS:
        look = {"marker": "." if alone else marker, "markersize": 6 if alone else 4}
        draw_line(axes, x, y, "-", color=color, linewidth=1.6, label=label, **look)
        return
    if view.smooth is None:
        course, said = running_median(y), ""
        # So many points are thinned, which a line does not show, but dots would.
        form = "." if len(y) <= _MOST_DOTS else "-"
        dots = {"alpha": 0.35, "markersize": 6 if len(y) < 1000 else 3, "markeredgewidth": 0}
        draw_line(axes, x, y, form, color=color, linewidth=0.6, **dots)
    else:
        course = time_weighted(x, y, places.half_life(view.smooth))
        said = places.said(view.smooth)
        raw = "as logged" if alone else ""
        draw_line(axes, x, y, "-", color=color, alpha=0.3, linewidth=0.8, label=raw)
    if alone:
        draw_line(axes, x, course, "-", color=color, linewidth=1.8, label=said)
        return
    every = {"marker": marker, "markersize": 5, "markevery": spread_marks(curve.number)}
    draw_line(axes, x, course, "-", color=color, linewidth=1.8, label=label, **every)
    if said:
        name_smoothing(axes, said)


def _note_what_is_shown(axes: Axes, curves: Sequence[Curve], view: View) -> None:
    """The speed of a single run in a figure, and what its lines are, or those of several."""
    told = []
    alone = len(curves) == 1
    if alone and len(finite := curves[0].speed["samples_per_sec"].dropna()):
        told.append(f"median {finite.median():,.0f} samples/sec of {len(finite):,} windows")
    if view.smooth is None and any(len(curve.speed) >= SMOOTHED_WINDOWS for curve in curves):
        told.append("line: running median" if alone else "lines: running medians of the windows")
    if (nodes := max(curve.nodes for curve in curves)) > 1:
        of = f"{nodes} nodes" if alone else "the nodes"
        told.append(f"band: slowest to fastest of {of}")
    note(axes, "; ".join(told))
