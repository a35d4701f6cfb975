"""Pictures of trainings: speed over batches, metrics over epochs, of one run or several.

Drawn on bare Figures, without pyplot: no display is needed, nothing global is left behind, and the
import is cheaper.
"""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, cast

from fitlog.plots.curves import (
    BLUE,
    VERMILLION,
    Curve,
    batches_per_epoch,
    batches_since_start,
    epoch_limits,
    make_curves,
    position_in_epoch,
    running_median,
)
from fitlog.directions import is_higher_better, unit_of
from fitlog.errors import NoRecordsError, OutputError
from fitlog.printable import printable

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from fitlog.tables import RunLog

ENDINGS: Final = (".png", ".svg", ".pdf")

INK, MUTED, FAINT = "#22262A", "#6B7278", "#E3E6E8"
STYLE: Final[dict[str, Any]] = {
    "font.size": 10,
    "axes.edgecolor": "#B8BEC3",
    "axes.labelcolor": MUTED,
    "axes.labelsize": 9.5,
    "axes.titlesize": 11,
    "axes.titlelocation": "left",
    "axes.titlecolor": INK,
    "axes.titleweight": "bold",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": FAINT,
    "grid.linewidth": 0.8,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "legend.frameon": False,
    "legend.labelcolor": INK,
    "lines.solid_capstyle": "round",
    "svg.fonttype": "none",
    "svg.hashsalt": "fitlog",
    "savefig.dpi": 150,
}
_MOST_MARKED_EPOCHS: Final = 40
_MOST_RULED_EPOCHS: Final = 30
_MOST_DOTTED_WINDOWS: Final = 60
_SMOOTHED_WINDOWS: Final = 24
_LOG_SCALE_RATIO: Final = 100
_MOST_METRICS: Final = 24

# Draws something of all curves.
Panel = Callable[[Sequence[Curve], "Axes"], None]


def plot_logs(
    logs: Sequence[RunLog], *, labels: Sequence[str] | None = None, more: Sequence[Panel] = ()
) -> Figure:
    """A figure of one or many logs: speed on top, then a panel for each metric.

    Every run in every log is a curve of its own. Of a log with several nodes the first is drawn, of
    more than 24 metrics the first 24; the title says so then. `labels` are names for the logs;
    None takes those of their files. `more` draw further panels, behind those of the metrics.

    Raises:
        NoRecordsError: there is neither a speed nor a metric, or no log.
    """
    import matplotlib as mpl
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    curves = make_curves(logs, labels)
    names = list(dict.fromkeys(name for curve in curves for name in curve.metrics["metric"]))
    metrics = names[:_MOST_METRICS]
    has_speed = any(len(curve.speed) for curve in curves)
    if not metrics and not has_speed:
        name = logs[0].name if logs else None
        raise NoRecordsError("has neither a speed nor a metric to draw", path=name)
    with mpl.rc_context(cast(Any, STYLE)):
        named: list[Panel] = [functools.partial(_plot_named, metric) for metric in metrics]
        panels = [*named, *more]
        columns = _columns(len(panels))
        rows = -(-len(panels) // columns)
        heights = [3.0] * has_speed + [2.6] * rows
        layout = ConstrainedLayoutEngine(h_pad=0.1, w_pad=0.1, hspace=0.06, wspace=0.04)
        width = 10.0 if columns < 3 else 12.5
        figure = Figure(figsize=(width, sum(heights) + 1.0), layout=layout)
        grid = figure.add_gridspec(len(heights), columns, height_ratios=heights)
        if has_speed:
            plot_speed(curves, figure.add_subplot(grid[0, :]))
        for i, panel in enumerate(panels):
            row, column = divmod(i, columns)
            panel(curves, figure.add_subplot(grid[row + has_speed, column]))
        _title(figure, curves, f" ({len(metrics)} of {len(names)} metrics)" * (names != metrics))
        _legend(figure, curves)
    return figure


def plot_speed(curves: Sequence[Curve], axes: Axes) -> None:
    """Training speed in samples/sec over the batches since the run began.

    Each window is a point; from 24 windows on a running median shows the course. Windows without a
    finite speed are marked on the upper edge.
    """
    import numpy as np

    for curve in curves:
        x = batches_since_start(curve.speed)
        y = curve.speed["samples_per_sec"].to_numpy()
        broken = np.isnan(y)
        if len(y) >= _SMOOTHED_WINDOWS:
            axes.plot(x, y, ".", color=curve.color, alpha=0.4, markersize=6, markeredgewidth=0)
            axes.plot(x, running_median(y), color=curve.color, linewidth=1.8)
        else:
            axes.plot(x, y, ".-", color=curve.color, linewidth=1.6, markersize=6)
        _mark_missing(axes, x[broken], curve.color, "no finite speed", top=True)
    if len(curves) == 1:
        _rule_epochs(axes, curves[0].speed)
        _note_median(axes, curves[0].speed)
    axes.set_title("Throughput")
    axes.set_xlabel("batches since the run began")
    axes.set_ylabel("samples/sec")
    axes.margins(x=0.01, y=0.12)
    if any(curve.speed["samples_per_sec"].notna().any() for curve in curves):
        _plain_numbers(axes)
    else:
        axes.set_yticks([])


def plot_metric(curves: Sequence[Curve], metric: str, axes: Axes) -> None:
    """One metric over epochs: solid where validated, dashed in training, faint within an epoch.

    Values within epoch e stand between e - 0.5 and e + 0.5. What is not finite breaks the line and
    is marked on the lower edge. Losses that fall by a factor of 100 get a logarithmic axis.
    """
    from matplotlib.ticker import MaxNLocator

    alone = len(curves) == 1
    for curve in curves:
        rows = curve.metrics[curve.metrics["metric"] == metric]
        within = rows[(rows["scope"] != "epoch") & (rows["split"] == "train")]
        colors = {"train": curve.color, "validation": VERMILLION if alone else curve.color}
        if alone and len(within):
            x = position_in_epoch(within)
            # A dot keeps in sight what stands alone between values that are not finite.
            style = ".-" if len(x) <= _MOST_DOTTED_WINDOWS else "-"
            axes.plot(
                x,
                within["value"],
                style,
                color=curve.color,
                alpha=0.28,
                linewidth=0.9,
                markersize=4,
            )
        for split, line in (("train", "--"), ("validation", "-")):
            whole = rows[(rows["scope"] == "epoch") & (rows["split"] == split)]
            if len(whole):
                _plot_epochs(axes, whole, colors[split], line)
        if alone:
            _note_best(axes, rows, metric)
    axes.set_title(printable(metric), parse_math=False)
    axes.set_xlabel("epoch")
    axes.set_ylabel(unit_of(metric))
    axes.margins(y=0.12)
    axes.set_xlim(*epoch_limits(curves))
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    _choose_scale(axes, curves, metric)


def save_figure(figure: Figure, path: Path) -> None:
    """Write the picture in the format of the path's ending.

    Raises:
        OutputError: another ending than .png, .svg or .pdf, or a file that cannot be written.
    """
    import matplotlib as mpl

    if path.suffix.lower() not in ENDINGS:
        raise OutputError(
            f"cannot draw into {path}: the ending must be one of {', '.join(ENDINGS)}"
        )
    try:
        with mpl.rc_context(cast(Any, STYLE)), warnings.catch_warnings():
            # Names in scripts that the font lacks are drawn as boxes; that is all there is to say.
            warnings.filterwarnings("ignore", message="Glyph .* missing from")
            figure.savefig(path)
    except OSError as error:
        raise OutputError(f"cannot write {path}: {error.strerror or error}") from None


def _columns(panels: int) -> int:
    return {0: 1, 1: 1, 2: 2, 4: 2}.get(panels, 3)


def _plot_named(metric: str, curves: Sequence[Curve], axes: Axes) -> None:
    plot_metric(curves, metric, axes)


def _plot_epochs(axes: Axes, rows: pd.DataFrame, color: str, style: str) -> None:
    rows = rows.drop_duplicates("epoch", keep="last").sort_values("epoch")
    x, y = rows["epoch"].to_numpy(dtype="float64"), rows["value"].to_numpy()
    marker = "o" if len(x) <= _MOST_MARKED_EPOCHS else ""
    axes.plot(x, y, style, color=color, marker=marker, markersize=4, linewidth=1.7)
    _mark_missing(axes, x[y != y], color, "not finite", top=False)


def _mark_missing(axes: Axes, x: np.ndarray[Any, Any], color: str, text: str, *, top: bool) -> None:
    """Crosses on an edge of the axes where there is no number to draw, the first with a word."""
    if not len(x):
        return
    edge = 0.97 if top else 0.03
    transform = axes.get_xaxis_transform()
    axes.plot(
        x, [edge] * len(x), "x", color=color, markersize=5, transform=transform, clip_on=False
    )
    axes.annotate(
        text,
        (x[0], edge),
        xycoords=transform,
        xytext=(6, 0),
        textcoords="offset points",
        color=MUTED,
        fontsize=8.5,
        va="center",
    )


def _rule_epochs(axes: Axes, speed: pd.DataFrame) -> None:
    """Thin lines where epochs begin, while they are few enough to help."""
    epochs = sorted(set(speed["epoch"].dropna()))
    if 1 < len(epochs) <= _MOST_RULED_EPOCHS:
        step = batches_per_epoch(speed)
        axes.grid(visible=False, axis="x")
        for epoch in epochs[1:]:
            axes.axvline((epoch - epochs[0]) * step, color=FAINT, linewidth=0.8, zorder=0)


def _note_median(axes: Axes, speed: pd.DataFrame) -> None:

    finite = speed["samples_per_sec"].dropna()
    if len(finite):
        text = f"median {finite.median():,.0f} samples/sec of {len(finite)} windows"
        axes.set_title(text, loc="right", fontsize=9.5, fontweight="normal", color=MUTED)


def _note_best(axes: Axes, rows: pd.DataFrame, metric: str) -> None:
    """The best validated value, ringed and written beside its point."""
    from matplotlib.patheffects import withStroke

    higher = is_higher_better(metric)
    whole = rows[(rows["scope"] == "epoch") & (rows["split"] == "validation")].dropna(
        subset=["value"]
    )
    if higher is None or whole["epoch"].nunique() < 2:
        return
    place_of_best = whole["value"].argmax() if higher else whole["value"].argmin()
    best = whole.iloc[int(place_of_best)]
    place = (float(best["epoch"]), float(best["value"]))
    axes.plot(*place, "o", color="none", markeredgecolor=VERMILLION, markersize=9)
    axes.annotate(
        f"best {best['value']:.4g}, epoch {best['epoch']}",
        place,
        xytext=(0, -15 if higher else 10),
        textcoords="offset points",
        ha=_towards_middle(best["epoch"], whole["epoch"]),
        color=VERMILLION,
        fontsize=9,
        path_effects=[withStroke(linewidth=3, foreground="white")],
    )


def _towards_middle(epoch: int, epochs: pd.Series[int]) -> str:
    """The alignment that keeps a label at this epoch inside the axes."""
    place = (epoch - epochs.min()) / (epochs.max() - epochs.min())
    return "left" if place < 0.2 else "right" if place > 0.8 else "center"


def _choose_scale(axes: Axes, curves: Sequence[Curve], metric: str) -> None:
    import numpy as np

    values = np.concatenate(
        [
            curve.metrics.loc[curve.metrics["metric"] == metric, "value"].to_numpy()
            for curve in curves
        ]
    )
    values = values[~np.isnan(values)]
    falls = is_higher_better(metric) is False and len(values) > 0 and values.min() > 0
    if falls and values.max() / values.min() >= _LOG_SCALE_RATIO:
        axes.set_yscale("log")
    elif len(values):
        _plain_numbers(axes)
    else:
        axes.set_yticks([])


def _plain_numbers(axes: Axes) -> None:
    from matplotlib.ticker import ScalarFormatter, StrMethodFormatter

    low, high = axes.get_ylim()
    if high - low >= 10:
        axes.yaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
    else:
        axes.yaxis.set_major_formatter(ScalarFormatter(useOffset=False))


def _title(figure: Figure, curves: Sequence[Curve], note: str) -> None:
    text = curves[0].label if len(curves) == 1 else f"{len(curves)} runs"
    figure.suptitle(
        text + note,
        x=0.012,
        ha="left",
        fontsize=14,
        fontweight="bold",
        color=INK,
        parse_math=False,
    )


def _legend(figure: Figure, curves: Sequence[Curve]) -> None:
    from matplotlib.lines import Line2D

    scopes = {
        (split, scope)
        for curve in curves
        for split, scope in zip(curve.metrics["split"], curve.metrics["scope"], strict=True)
    }
    alone = len(curves) == 1
    handles = (
        []
        if alone
        else [Line2D([], [], color=c.color, linewidth=2.2, label=c.label) for c in curves]
    )
    styles: tuple[tuple[str, Literal["--", "-"], str], ...] = (
        ("train", "--", BLUE),
        ("validation", "-", VERMILLION),
    )
    for split, style, color in styles:
        if (split, "epoch") in scopes:
            line = Line2D([], [], color=color if alone else MUTED, linestyle=style, linewidth=1.7)
            line.set_label(split)
            handles.append(line)
    if alone and {("train", "window"), ("train", "running")} & scopes:
        handles.append(
            Line2D([], [], color=BLUE, alpha=0.35, linewidth=1, label="within the epoch")
        )
    if handles:
        legend = figure.legend(
            handles=handles, loc="outside upper right", ncols=min(len(handles), 4), fontsize=9.5
        )
        for text in legend.get_texts():
            text.set_parse_math(False)
