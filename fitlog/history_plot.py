"""The picture of a history: runs as points, the levels that they held, and where those changed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, cast

from fitlog.curves import BLUE, VERMILLION
from fitlog.plots import STYLE
from fitlog.printable import printable
from fitlog.timeline import Timeline

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_INK: Final = "#22262A"
_MUTED: Final = "#6B7278"


def plot_timeline(timeline: Timeline) -> Figure:
    """Runs as points, their levels as lines, changes of level ruled and labelled."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    with mpl.rc_context(cast(Any, STYLE)):
        figure = Figure(figsize=(10.0, 4.0), layout="constrained")
        _draw(timeline, figure.add_subplot())
        title = printable(f"{timeline.title}: {timeline.measure.name}")
        figure.suptitle(
            title, x=0.012, ha="left", fontsize=13, fontweight="bold", color=_INK, parse_math=False
        )
    return figure


def _draw(timeline: Timeline, axes: Axes) -> None:
    from matplotlib.ticker import MaxNLocator

    numbers = range(len(timeline.values))
    counted = [n for n in numbers if not timeline.set_aside[n]]
    aside = [n for n in numbers if timeline.set_aside[n]]
    values = timeline.values
    axes.plot(counted, [values[n] for n in counted], "o", color=BLUE, markersize=4, label="run")
    if aside:
        axes.plot(aside, [values[n] for n in aside], "x", color=_MUTED, label="set aside")
    for i, level in enumerate(timeline.levels):
        ends = [level.runs[0] - 0.4, level.runs[-1] + 0.4]
        axes.plot(ends, [level.value] * 2, color=VERMILLION, label="level" if i == 0 else None)
        if i > 0:
            axes.axvline(level.runs[0] - 0.5, color=_MUTED, linewidth=0.8, linestyle=":")
            axes.annotate(
                f"{level.change:+.1%}", (level.runs[0] - 0.4, level.value), xytext=(0, 6),
                textcoords="offset points", color=VERMILLION, fontsize=9,
            )  # fmt: skip
    axes.set_xlabel("run")
    axes.set_ylabel(timeline.measure.unit)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.legend(loc="best", fontsize=9)
