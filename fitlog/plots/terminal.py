"""A picture as text, for a terminal without a display: what stands on its Axes, drawn by plotext.

The very picture that would go into a file is taken apart, so that both show the same. Areas and
bars have no lines, and are left out: of phases, `fitlog phases` prints the figures.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from fitlog.errors import NoRecordsError, SettingError
from fitlog.extras import install
from fitlog.plots.sampling import keep_peaks
from fitlog.printable import printable

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LEAST_WIDTH: Final = 30
_ROWS: Final = 16
_MOST_TICKS: Final = 6
# What tells lines apart where there are no colours.
_MARKS: Final = "*o+x#@%&"
# Frames, ticks and marks for those terminals that know ASCII only.
_ASCII: Final = str.maketrans({**dict.fromkeys("┌┐└┘├┤┬┴┼", "+"), "─": "-", "│": "|"})


# Label, colour, places and values.
_Line = tuple[str, str, list[float], list[float]]


def figure_text(figure: Figure, width: int, *, ascii_only: bool = False, color: bool = True) -> str:
    """The panels of the figure below each other, so many columns wide, colours by escape codes.

    Raises:
        SettingError: plotext is not installed; says how to get it.
        NoRecordsError: there is no line in it.
    """
    try:
        import plotext
    except ImportError:
        raise SettingError(f"--terminal needs plotext: {install('terminal')}") from None
    panels = [
        _panel_text(plotext, axes, max(width, LEAST_WIDTH), ascii_only=ascii_only, color=color)
        for axes in figure.axes
    ]
    if not any(panels):
        raise NoRecordsError(
            "this picture has no lines for a terminal; phases are printed by `fitlog phases`"
        )
    return "\n\n".join(panel for panel in panels if panel)


def _panel_text(plotext: Any, axes: Axes, width: int, *, ascii_only: bool, color: bool) -> str:
    lines = _lines(axes, width)
    if not lines:
        return ""
    chart = plotext.figure
    chart.clear()
    chart.plot_size(width, _ROWS)
    chart.title(_plain(axes.get_title(loc="left"), ascii_only))
    chart.label(_plain(axes.get_xlabel(), ascii_only), axis="x")
    chart.label(_plain(axes.get_ylabel(), ascii_only), axis="y")
    seen: list[str] = []
    named: list[str] = []
    tells_by_marks = ascii_only or (not color and len({line[1] for line in lines}) > 1)
    for label, own_color, x, y in lines:
        seen += [own_color] * (own_color not in seen)
        marker = _MARKS[seen.index(own_color) % len(_MARKS)] if tells_by_marks else "braille"
        signal = chart.signal(x, y, marker=marker)
        signal.lines()
        if label and not label.startswith("_") and label not in named:
            named.append(label)
            signal.label(_plain(label, ascii_only))
        chart.draw(signal)
    _ticks(chart, axes)
    if offset := axes.xaxis.get_major_formatter().get_offset():  # of dates, the day
        chart.label(_plain(f"{axes.get_xlabel()}, {offset}", ascii_only), axis="x")
    _place_legend(chart, axes, lines)
    text: str = chart.build().string(colorless=not color)
    chart.clear()
    text = "\n".join(line.rstrip() for line in text.rstrip().split("\n"))
    return text.translate(_ASCII) if ascii_only else text


def _lines(axes: Axes, width: int) -> list[_Line]:
    """Label, colour and points of what is drawn of values, in stretches without a gap."""
    import numpy as np

    found = []
    has_course = any(
        line.get_alpha() is None and len(np.asarray(line.get_xdata())) > 1 for line in axes.lines
    )
    for line in axes.lines:
        if line.get_transform() != axes.transData or (has_course and line.get_alpha()):
            continue
        x = np.asarray(line.get_xdata(), dtype="f8")
        y = np.asarray(line.get_ydata(), dtype="f8")
        if axes.get_yscale() == "log":
            y = np.log10(y, out=np.full(len(y), np.nan), where=y > 0)
        kept = keep_peaks(x, y, 2 * width)
        kept = kept[np.isfinite(y[kept])]
        if len(kept):
            label = str(line.get_label())
            found.append((label, str(line.get_color()), x[kept].tolist(), y[kept].tolist()))
    return found


def _place_legend(chart: Any, axes: Axes, lines: list[_Line]) -> None:
    """In the corner that hides the fewest points."""
    (left, right), (low, high) = _limits(axes)
    found = {
        (ha, va): sum(
            ((at - left) / (right - left) > 0.65 if ha > 0 else (at - left) / (right - left) < 0.35)
            and ((v - low) / (high - low) > 0.4 if va < 0 else (v - low) / (high - low) < 0.6)
            for _, _, x, y in lines
            for at, v in zip(x, y, strict=True)
        )
        for va in (-1, 1)
        for ha in (-1, 1)
    }
    ha, va = min(found, key=lambda corner: found[corner])
    corner = right if ha > 0 else left, high if va < 0 else low
    chart.legend(True, x=corner[0], y=corner[1], ha=ha, va=va, relative=True)


def _limits(axes: Axes) -> tuple[tuple[float, float], tuple[float, float]]:
    """Of x and of y, whose logarithm is drawn where the axis is logarithmic."""
    import math

    (left, right), (low, high) = sorted(axes.get_xlim()), sorted(axes.get_ylim())
    if axes.get_yscale() == "log":
        low, high = math.log10(low), math.log10(high)
    return (left, right), (low, high)


def _ticks(chart: Any, axes: Axes) -> None:
    """The ticks of the picture, fewer of them, with the words that stand there."""
    import math

    limits = _limits(axes)
    for which, axis, (low, high) in zip("xy", (axes.xaxis, axes.yaxis), limits, strict=True):
        first, last = sorted(axis.get_view_interval())
        at = [place for place in axis.get_major_locator()() if first <= place <= last]
        every = max(1, -(-len(at) // _MOST_TICKS))
        said = axis.get_major_formatter().format_ticks(at)[::every]
        shown = [float(place) for place in at[::every]]
        if which == "y" and axes.get_yscale() == "log":
            shown = [math.log10(place) for place in shown]
        ruler = chart.ruler(which)
        ruler.lim(low, high)
        ruler.ticks(shown, [_tidy(word) for word in said])


def _tidy(word: str) -> str:
    """Without what only typesetting understands."""
    return word.replace("$\\mathdefault{", "").replace("}$", "").replace("\N{MINUS SIGN}", "-")


def _plain(text: str, ascii_only: bool) -> str:
    text = printable(text)
    return text.encode("ascii", "replace").decode() if ascii_only else text
