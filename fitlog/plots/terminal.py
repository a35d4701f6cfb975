"""A picture as text, for a terminal without a display: what stands on its Axes, drawn by plotext.

The very picture that would go into a file is taken apart, so that both show the same. Areas and
bars have no lines, and are left out: of phases, `fitlog phases` prints the figures.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from fitlog.errors import NoRecordsError, SettingError
from fitlog.plots.sampling import keep_peaks
from fitlog.printable import printable

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LEAST_WIDTH: Final = 30
_ROWS: Final = 16
_MOST_TICKS: Final = 6
_COLORS: Final = ("blue", "orange", "green", "magenta", "yellow", "cyan", "red", "gray")
# Frames, ticks and marks for those terminals that know ASCII only.
_ASCII: Final = str.maketrans({**dict.fromkeys("┌┐└┘├┤┬┴┼", "+"), "─": "-", "│": "|"})


def figure_text(figure: Figure, width: int, *, ascii_only: bool = False, color: bool = True) -> str:
    """The panels of the figure below each other, so many columns wide, colours by escape codes.

    Raises:
        SettingError: plotext is not installed; says how to get it.
        NoRecordsError: there is no line in it.
    """
    try:
        import plotext
    except ImportError:
        raise SettingError(
            "--terminal needs plotext, which is not installed: pip install 'mxfitlog[terminal]'"
        ) from None
    panels = [
        _panel_text(plotext, axes, max(width, LEAST_WIDTH), ascii_only=ascii_only, color=color)
        for axes in figure.axes
    ]
    if not any(panels):
        raise NoRecordsError(
            "this picture has no lines for a terminal; phases are printed by `fitlog phases`"
        )
    return "\n".join(panel for panel in panels if panel)


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
    names: dict[str, str] = {}
    marks = "*o+x#@%&" if ascii_only else ""
    for label, color_of, x, y in lines:
        number = list(names).index(color_of) if color_of in names else len(names)
        names.setdefault(color_of, "")
        marker = marks[number % len(marks)] if marks else "braille"
        signal = chart.signal(x, y, marker=marker)
        signal.lines()
        if label and not label.startswith("_"):
            signal.label(_plain(label, ascii_only))
        chart.draw(signal)
    _ticks(chart, axes)
    text: str = chart.build().string(colorless=not color)
    chart.clear()
    return text.translate(_ASCII) if ascii_only else text


def _lines(axes: Axes, width: int) -> list[tuple[str, str, list[float], list[float]]]:
    """Label, colour and points of what is drawn of values, in stretches without a gap."""
    import numpy as np

    found = []
    has_course = any(line.get_alpha() is None and len(line.get_xdata()) > 1 for line in axes.lines)  # type: ignore[arg-type]
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


def _ticks(chart: Any, axes: Axes) -> None:
    """The ticks of the picture, fewer of them, with the words that stand there."""
    import math

    for which, axis in (("x", axes.xaxis), ("y", axes.yaxis)):
        low, high = sorted(axis.get_view_interval())
        places = [p for p in axis.get_major_locator()() if low <= p <= high]
        words = axis.get_major_formatter().format_ticks(places)
        log = which == "y" and axes.get_yscale() == "log"
        if log:
            low, high = math.log10(low), math.log10(high)
            places = [math.log10(p) for p in places]
        every = max(1, -(-len(places) // _MOST_TICKS))
        ruler = chart.ruler(which)
        ruler.lim(low, high)
        ruler.ticks([float(p) for p in places[::every]], [_tidy(w) for w in words[::every]])


def _tidy(word: str) -> str:
    """Without what only typesetting understands."""
    return word.replace("$\\mathdefault{", "").replace("}$", "").replace("\N{MINUS SIGN}", "-")


def _plain(text: str, ascii_only: bool) -> str:
    text = printable(text)
    return text.encode("ascii", "replace").decode() if ascii_only else text
