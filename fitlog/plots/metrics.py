"""Metrics as pictures: values of whole epochs, of windows and running means told apart."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from fitlog.directions import is_higher_better, unit_of
from fitlog.errors import NoRecordsError, SettingError
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
from fitlog.plots.places import Places, epoch_limits, make_places, numbers
from fitlog.plots.smoothing import time_weighted
from fitlog.plots.themes import MARKERS, drawn_on, note, spread_marks, theme_of
from fitlog.plots.view import View
from fitlog.printable import printable

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

    from fitlog.tables import RunLog

_MOST_MARKED_EPOCHS: Final = 40
_MOST_DOTTED_WINDOWS: Final = 60
_LOG_SCALE_RATIO: Final = 100
_REACH: Final = 100.0  # of outliers, see `usual_limits`: the first losses are no outliers


def plot_metrics(
    log: RunLog | Sequence[RunLog],
    ax: Axes | None = None,
    view: View | None = None,
    *,
    metric: str | None = None,
) -> Axes:
    """One metric of one log or several over epochs; the first of the log where none is named.

    `ax` is drawn on as it is styled; None takes a figure of its own.

    Raises:
        NoRecordsError: there is no metric.
        SettingError: there is none of this name, or a log does not state what the view asks for.
    """
    view = view or View()
    curves = make_curves(log)
    name = choose_metrics(curves, () if metric is None else (metric,))[0]
    return drawn_on(ax, view.style, (8.0, 4.5), lambda axes: draw_metric(name, curves, axes, view))


def choose_metrics(curves: Sequence[Curve], wanted: Sequence[str] = ()) -> list[str]:
    """The metrics by their order of appearance, or those that are wanted.

    Raises:
        NoRecordsError: there is none.
        SettingError: one that is wanted is not there; the message names those that are.
    """
    names = list(dict.fromkeys(name for c in curves for name in c.metrics["metric"].unique()))
    for name in wanted:
        if name not in names:
            known = ", ".join(printable(one) for one in names) or "none"
            raise SettingError(f"no metric {name!r} is logged; there are: {known}")
    if not names:
        raise NoRecordsError("has no metric to draw")
    return list(wanted) or names


def draw_metric(metric: str, curves: Sequence[Curve], axes: Axes, view: View) -> None:
    """One metric of all curves: solid where validated, dashed in training, faint within an epoch.

    Values within an epoch are windows (dots) or means since it began (a line without), and drawn
    where there is one curve, where nothing else is logged, or where they are smoothed. What is not
    finite breaks the line and is marked on the lower edge. Losses that fall by a factor of 100 get
    a logarithmic axis.
    """
    import numpy as np

    all_curves, rows_of = curves, [c.metrics[c.metrics["metric"] == metric] for c in curves]
    shown = [(c, rows) for c, rows in zip(curves, rows_of, strict=True) if len(rows)]
    curves = [curve for curve, _ in shown]
    places = make_places(curves, view, "epoch")
    alone = len(all_curves) == 1
    drawn: list[Any] = []
    for curve, rows in shown:
        color = theme_of(axes).color(curve.number)
        within = rows[(rows["scope"] != "epoch") & (rows["split"] == "train")]
        whole = rows[rows["scope"] == "epoch"]
        if len(within) and (alone or view.smooth is not None or whole.empty):
            _draw_within(axes, curve, within, places, view, alone=alone)
            drawn.append((places.of(curve, within), numbers(within["value"]), color))
        for split in ("train", "validation"):
            of_split = whole[whole["split"] == split]
            if len(of_split):
                drawn.append(_draw_whole(axes, curve, of_split, split, places, alone=alone))
        if alone and view.marks:
            _note_best(axes, curve, rows, metric, places)
    axes.set_title(printable(metric), parse_math=False)
    axes.set_ylabel(unit_of(metric))
    axes.margins(y=0.12)
    places.put_on(axes)
    if places.kind == "epoch":
        axes.set_xlim(*epoch_limits(all_curves))
    values = np.concatenate([y for _, y, _ in drawn]) if drawn else np.zeros(0)
    _choose_scale(axes, values[np.isfinite(values)], metric, drawn, view)
    if view.marks:
        draw_marks(axes, curves, places, falls=is_higher_better(metric) is False)
    if not alone and any((rows["scope"] == "epoch").any() for _, rows in shown):
        _name_splits(axes, {split for _, rows in shown for split in rows["split"].unique()})
        _note_sameness(axes, [rows for _, rows in shown])


def _draw_within(
    axes: Axes, curve: Curve, rows: pd.DataFrame, places: Places, view: View, *, alone: bool
) -> None:
    color = theme_of(axes).color(curve.number)
    for scope in ("window", "running"):
        of_scope = rows[rows["scope"] == scope]
        if of_scope.empty:
            continue
        x, y = places.of(curve, of_scope), numbers(of_scope["value"])
        # A dot keeps in sight what stands alone between values that are not finite.
        dotted = scope == "window" and len(x) <= _MOST_DOTTED_WINDOWS
        label = f"{scope}, in the epoch" if alone else ""
        draw_line(
            axes, x, y, ".-" if dotted else "-" if scope == "window" else "-.", color=color,
            alpha=0.35 if scope == "window" else 0.6, linewidth=0.9, markersize=4, label=label,
        )  # fmt: skip
        if view.smooth is not None:
            said = places.said(view.smooth)
            course = time_weighted(x, y, places.half_life(view.smooth))
            label = said if alone else curve.label
            draw_line(axes, x, course, "-", color=color, linewidth=1.3, label=label)
            if not alone:
                name_smoothing(axes, said)


def _draw_whole(
    axes: Axes, curve: Curve, rows: pd.DataFrame, split: str, places: Places, *, alone: bool
) -> tuple[Any, Any, str]:
    import numpy as np

    theme = theme_of(axes)
    rows = rows.drop_duplicates("epoch", keep="last").sort_values("epoch")
    x, y = places.of(curve, rows), numbers(rows["value"])
    color = theme.color(curve.number)
    if alone and split == "validation":
        color = theme.accent
    number = ("train", "validation").index(split) if alone else curve.number
    marker = MARKERS[number % len(MARKERS)]
    every: Any = None if len(x) <= _MOST_MARKED_EPOCHS else spread_marks(number)
    if alone and every is not None:
        marker = ""
    look = {"marker": marker, "markersize": 4, "markevery": every if marker else None}
    label = split if alone else curve.label
    style = "-" if split == "validation" else "--"
    if "low" in rows:
        draw_band(axes, x, numbers(rows["low"]), numbers(rows["high"]), color)
    draw_line(axes, x, y, style, color=color, linewidth=1.7, label=label, **look)
    mark_missing(axes, x[np.isnan(y)], color, "not finite", top=False)
    return x, y, color


def _name_splits(axes: Axes, splits: set[str]) -> None:
    """The dashes of several runs, in the legend."""
    for split, style in (("train", "--"), ("validation", "-")):
        if split in splits:
            axes.plot([], [], style, color=theme_of(axes).muted, linewidth=1.7, label=split)


def _note_sameness(axes: Axes, metrics: Sequence[pd.DataFrame]) -> None:
    """Say that only one line can be seen, where all runs have the same values."""
    wholes = [
        rows.loc[rows["scope"] == "epoch", ["epoch", "split", "value"]].reset_index(drop=True)
        for rows in metrics
    ]
    if len(wholes) > 1 and all(whole.equals(wholes[0]) for whole in wholes[1:]):
        note(axes, f"the same in {'both' if len(wholes) == 2 else 'all'} runs")


def _note_best(axes: Axes, curve: Curve, rows: pd.DataFrame, metric: str, places: Places) -> None:
    """The best validated value, ringed and written beside its point."""
    import numpy as np
    from matplotlib.patheffects import withStroke

    higher = is_higher_better(metric)
    whole = rows[(rows["scope"] == "epoch") & (rows["split"] == "validation")].dropna(
        subset=["value", "epoch"]
    )
    at = places.of(curve, whole)
    if higher is None or whole["epoch"].nunique() < 2 or not np.isfinite(at).all():
        return
    place_of_best = whole["value"].argmax() if higher else whole["value"].argmin()
    best = whole.iloc[int(place_of_best)]
    place = (float(at[int(place_of_best)]), float(best["value"]))
    accent = theme_of(axes).accent
    axes.plot(*place, "o", color="none", markeredgecolor=accent, markersize=9)
    share = (place[0] - at.min()) / ((at.max() - at.min()) or 1.0)
    axes.annotate(
        f"best {best['value']:.4g}, epoch {best['epoch']}",
        place,
        xytext=(0, -15 if higher else 10),
        textcoords="offset points",
        ha="left" if share < 0.2 else "right" if share > 0.8 else "center",
        color=accent,
        fontsize=9,
        path_effects=[withStroke(linewidth=3, foreground=axes.get_facecolor())],
    )


def falls_far(values: Any, metric: str) -> bool:
    """Whether these numbers, none of them nan, are of a loss that needs a logarithmic axis."""
    if is_higher_better(metric) is not False or not len(values) or values.min() <= 0:
        return False
    return bool(values.max() / values.min() >= _LOG_SCALE_RATIO)


def _choose_scale(axes: Axes, values: Any, metric: str, drawn: Any, view: View) -> None:
    if not len(values):
        axes.set_yticks([])
    elif (view.log_scale and (values > 0).any()) or falls_far(values, metric):
        use_log_scale(axes)
    else:
        if view.clip:
            clip_outliers(axes, drawn, _REACH, "values")
        choose_numbers(axes)
