"""How long epochs took, as a picture."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final, cast

from fitlog.errors import NoRecordsError
from fitlog.plots.curves import Curve, make_curves
from fitlog.plots.lines import draw_band, draw_line, use_log_scale
from fitlog.plots.places import numbers
from fitlog.plots.themes import MARKERS, drawn_on, note, theme_of
from fitlog.plots.view import View

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

    from fitlog.tables import RunLog

_MOST_BARS: Final = 60
_LARGEST_SECONDS: Final = 1e12


def plot_epochs(
    log: RunLog | Sequence[RunLog], ax: Axes | None = None, view: View | None = None
) -> Axes:
    """What each epoch took, by the log's time costs, of one log or several.

    `ax` is drawn on as it is styled; None takes a figure of its own.

    Raises:
        NoRecordsError: no epoch states its time cost.
    """
    view = view or View()
    curves = make_curves(log)
    return drawn_on(ax, view.style, (8.0, 4.0), lambda axes: draw_epochs(curves, axes, view))


def draw_epochs(curves: Sequence[Curve], axes: Axes, view: View) -> None:
    """Bars for one run of up to 60 epochs, else lines; of several nodes the slowest and fastest."""
    import numpy as np
    from matplotlib.ticker import MaxNLocator

    seconds = [(curve, _costs(curve)) for curve in curves]
    seconds = [(curve, costs) for curve, costs in seconds if len(costs)]
    if not seconds:
        raise NoRecordsError("states no epoch's time cost")
    longest = max(float(costs["high"].max()) for _, costs in seconds)
    name, unit = ("hours", 3600.0) if longest >= 7200 else ("seconds", 1.0)
    name, unit = ("minutes", 60.0) if 300 <= longest < 7200 else (name, unit)
    theme, alone = theme_of(axes), len(curves) == 1
    for curve, costs in seconds:
        x = numbers(costs.index.to_series())
        low, middle, high = (numbers(costs[each]) / unit for each in ("low", "middle", "high"))
        color = theme.color(curve.number)
        if alone and len(x) <= _MOST_BARS:
            axes.bar(x, middle, 0.8, color=color)
            if curve.nodes > 1:
                edges = np.array([middle - low, high - middle])
                axes.errorbar(x, middle, edges, fmt="none", ecolor=theme.ink, linewidth=1)
        else:
            if curve.nodes > 1:
                draw_band(axes, x, low, high, color)
            marker = "" if alone else MARKERS[curve.number % len(MARKERS)]
            every: Any = None if len(x) <= _MOST_BARS or not marker else 0.2
            look = {"marker": marker, "markersize": 4, "markevery": every}
            label = "" if alone else curve.label
            draw_line(axes, x, middle, "-", color=color, linewidth=1.7, label=label, **look)
    axes.set_title("Time of each epoch")
    axes.set_xlabel("epoch")
    axes.set_ylabel(name)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    if view.log_scale and all((costs["low"] > 0).all() for _, costs in seconds):
        use_log_scale(axes)
    elif alone or all((costs["low"] >= 0).all() for _, costs in seconds):
        axes.set_ylim(bottom=0)
    if alone:
        axes.grid(visible=False, axis="x")
        _note_whole(axes, seconds[0][1], curves[0].nodes)


def _costs(curve: Curve) -> pd.DataFrame:
    """By epoch: the least, the middle and the greatest time cost of its nodes, in seconds."""
    rows = curve.epochs.dropna(subset=["epoch", "time_cost"])
    rows = rows[rows["time_cost"].abs() <= _LARGEST_SECONDS]
    grouped = rows.assign(time_cost=rows["time_cost"].astype("float64")).groupby("epoch")
    costs: Any = grouped["time_cost"].agg(low="min", middle="median", high="max")
    return cast("pd.DataFrame", costs)


def _note_whole(axes: Axes, costs: pd.DataFrame, nodes: int) -> None:
    middle = costs["middle"]
    slowest = middle.idxmax()
    text = f"median {_said(float(middle.median()))}"
    if len(middle) > 1:
        text += f", slowest {_said(float(middle.max()))} (epoch {slowest})"
        text += f", together {_said(float(middle.sum()))}"
    note(axes, text + (f"; whiskers: {nodes} nodes" if nodes > 1 else ""))


def _said(seconds: float) -> str:
    if abs(seconds) < 100:
        return f"{seconds:.3g} s"
    return f"{seconds / 3600:,.1f} h" if seconds >= 7200 else f"{seconds / 60:,.1f} min"
