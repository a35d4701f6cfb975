"""The picture of a history: runs as points, the levels that they held, and where those changed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from fitlog.plots.curves import BLUE, VERMILLION
from fitlog.plots.overview import INK, MUTED, STYLE
from fitlog.printable import printable
from fitlog.timeline import Timeline

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def plot_timeline(timeline: Timeline) -> Figure:
    """Runs as points, their levels as lines, changes of level ruled and labelled."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    with mpl.rc_context(cast(Any, STYLE)):
        figure = Figure(figsize=(10.0, 4.0), layout="constrained")
        _draw(timeline, figure.add_subplot())
        title = printable(f"{timeline.title}: {timeline.measure.name}")
        figure.suptitle(
            title, x=0.012, ha="left", fontsize=13, fontweight="bold", color=INK, parse_math=False
        )
    return figure


def _draw(timeline: Timeline, axes: Axes) -> None:
    from matplotlib.ticker import MaxNLocator, StrMethodFormatter

    values = dict(enumerate(timeline.values, start=1))
    counted = [n for n in values if not timeline.set_aside[n - 1]]
    aside = [n for n in values if timeline.set_aside[n - 1]]
    low, high = _limits([values[n] for n in counted] or list(values.values()))
    axes.set_ylim(low, high)
    axes.plot(counted, [values[n] for n in counted], "o", color=BLUE, markersize=4, label="run")
    if aside:
        # What lies beyond the axes stands on their edge.
        places = [min(max(values[n], low), high) for n in aside]
        axes.plot(aside, places, "x", color=MUTED, clip_on=False, label="set aside")
    for i, level in enumerate(timeline.levels):
        ends = [level.runs[0] + 0.6, level.runs[-1] + 1.4]
        axes.plot(ends, [level.value] * 2, color=VERMILLION, label="level" if i == 0 else None)
        if i > 0:
            axes.axvline(level.runs[0] + 0.5, color=MUTED, linewidth=0.8, linestyle=":")
            axes.annotate(
                f"{level.change:+.1%}", (level.runs[0] + 0.6, level.value), xytext=(0, 6),
                textcoords="offset points", color=VERMILLION, fontsize=9,
            )  # fmt: skip
    axes.set_xlabel("run")
    axes.set_ylabel(timeline.measure.unit)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    if high - low >= 10:
        axes.yaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
    axes.legend(loc="best", fontsize=9)


def _limits(values: list[float]) -> tuple[float, float]:
    """The runs that count, and room of half their range on both sides."""
    low, high = min(values), max(values)
    room = (high - low) / 2 or abs(high) / 20 or 1.0
    return low - room, high + room
