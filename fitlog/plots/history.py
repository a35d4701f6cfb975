"""The picture of a history: runs as points, the levels that they held, and where those changed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fitlog.plots.lines import choose_numbers
from fitlog.plots.themes import headline, new_figure, styled, theme_of
from fitlog.plots.view import View
from fitlog.printable import printable
from fitlog.timeline import Timeline

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def plot_history(timeline: Timeline, ax: Axes | None = None, view: View | None = None) -> Axes:
    """Runs as points, their levels as lines, changes of level ruled and labelled.

    `ax` is drawn on as it is styled; None takes a figure of its own.
    """
    if ax is not None:
        _draw(timeline, ax)
        return ax
    return draw_history(timeline, view).axes[0]


def draw_history(timeline: Timeline, view: View | None = None) -> Figure:
    """The picture of `plot_history` under the name of the series and its measure."""
    with styled((view or View()).style):
        figure = new_figure(10.0, 4.0)
        _draw(timeline, figure.add_subplot())
        headline(figure, printable(f"{timeline.title}: {timeline.measure.name}"))
    return figure


def _draw(timeline: Timeline, axes: Axes) -> None:
    from matplotlib.ticker import MaxNLocator

    theme = theme_of(axes)
    values = dict(enumerate(timeline.values, start=1))
    counted = [n for n in values if not timeline.set_aside[n - 1]]
    aside = [n for n in values if timeline.set_aside[n - 1]]
    low, high = _limits([values[n] for n in counted] or list(values.values()))
    axes.set_ylim(low, high)
    axes.plot(
        counted, [values[n] for n in counted], "o", color=theme.color(0), markersize=4.5,
        label="run",
    )  # fmt: skip
    if aside:
        # What lies beyond the axes stands on their edge.
        places = [min(max(values[n], low), high) for n in aside]
        axes.plot(aside, places, "x", color=theme.muted, clip_on=False, label="set aside")
    for i, level in enumerate(timeline.levels):
        ends = [level.runs[0] + 0.6, level.runs[-1] + 1.4]
        label = "level" if i == 0 else None
        axes.plot(ends, [level.value] * 2, color=theme.accent, linewidth=1.8, label=label)
        if i > 0:
            axes.axvline(level.runs[0] + 0.5, color=theme.muted, linewidth=0.8, linestyle=":")
            axes.annotate(
                f"{level.change:+.1%}", (level.runs[0] + 0.6, level.value), xytext=(0, 6),
                textcoords="offset points", color=theme.accent, fontsize=9,
            )  # fmt: skip
    axes.set_xlabel("run")
    axes.set_ylabel(timeline.measure.unit)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    choose_numbers(axes)
    axes.legend(loc="lower right", bbox_to_anchor=(1.0, 1.0), ncols=3, borderaxespad=0.2)


def _limits(values: list[float]) -> tuple[float, float]:
    """The runs that count, and room of half their range on both sides."""
    low, high = min(values), max(values)
    room = (high - low) / 2 or abs(high) / 20 or 1.0
    return low - room, high + room
