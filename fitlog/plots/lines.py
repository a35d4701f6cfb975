"""What the pictures of speed and metrics share: thinned lines, bands, missing values, outliers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from fitlog.plots.sampling import keep_peaks
from fitlog.plots.smoothing import usual_limits
from fitlog.plots.themes import theme_of

if TYPE_CHECKING:
    import numpy.typing as npt
    from matplotlib.axes import Axes

    Array = npt.NDArray[Any]


def draw_line(axes: Axes, x: Array, y: Array, style: str, **look: Any) -> None:
    """A line through the points that can be seen."""
    kept = keep_peaks(x, y)
    axes.plot(x[kept], y[kept], style, **look)


def draw_band(axes: Axes, x: Array, low: Array, high: Array, color: str) -> None:
    """From the lowest to the highest of several nodes; no peak of either edge is lost."""
    import numpy as np

    kept = np.union1d(keep_peaks(x, low), keep_peaks(x, high))
    axes.fill_between(x[kept], low[kept], high[kept], color=color, alpha=0.2, linewidth=0)


def name_smoothing(axes: Axes, said: str) -> None:
    """What the strong lines of several runs are, and the faint ones, in the legend."""
    muted = theme_of(axes).muted
    axes.plot([], [], "-", color=muted, linewidth=1.8, label=said)
    axes.plot([], [], "-", color=muted, alpha=0.4, linewidth=0.8, label="as logged")


def mark_missing(axes: Axes, x: Array, color: str, text: str, *, top: bool) -> None:
    """Crosses on an edge of the axes where there is no number to draw, the first with the word."""
    if not len(x):
        return
    edge = 0.97 if top else 0.03
    transform = axes.get_xaxis_transform()
    axes.plot(
        x, [edge] * len(x), "x", color=color, markersize=5, transform=transform, clip_on=False
    )
    if any(said.get_text() == text for said in axes.texts):
        return
    axes.annotate(
        text, (x[0], edge), xycoords=transform, xytext=(6, 0), textcoords="offset points",
        color=theme_of(axes).muted, fontsize=8.5, va="center",
    )  # fmt: skip


def clip_outliers(
    axes: Axes, drawn: Sequence[tuple[Array, Array, str]], reach: float, what: str
) -> None:
    """End the axes before values that are far off; arrows and a word say where, and how many.

    `drawn` are places, values and colour of each curve.
    """
    import numpy as np

    values = np.concatenate([y for _, y, _ in drawn]) if drawn else np.zeros(0)
    limits = usual_limits(values, reach)
    if limits is None:
        return
    axes.set_ylim(*limits)
    transform = axes.get_xaxis_transform()
    for x, y, color in drawn:
        for off, edge, marker in ((y > limits[1], 0.985, "^"), (y < limits[0], 0.015, "v")):
            axes.plot(
                x[off], [edge] * int(off.sum()), marker, color=color, markersize=5,
                transform=transform, clip_on=False, linestyle="none",
            )  # fmt: skip
    above, below = int((values > limits[1]).sum()), int((values < limits[0]).sum())
    parts = []
    if above:
        parts.append(f"{above:,} above, up to {_short(float(np.nanmax(values)))}")
    if below:
        parts.append(f"{below:,} below, down to {_short(float(np.nanmin(values)))}")
    axes.text(
        1.0, -0.02 if below else 1.0, f"{what} beyond the axis: {'; '.join(parts)}", fontsize=8.5,
        transform=axes.transAxes, ha="right", va="top" if not below else "bottom",
        color=theme_of(axes).muted, bbox=_on_paper(axes),
    )  # fmt: skip


def choose_numbers(axes: Axes) -> None:
    """Whole numbers with commas where they are large, no offsets anywhere."""
    from matplotlib.ticker import ScalarFormatter, StrMethodFormatter

    low, high = axes.get_ylim()
    if high - low >= 10:
        axes.yaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
    else:
        axes.yaxis.set_major_formatter(ScalarFormatter(useOffset=False))


def use_log_scale(axes: Axes) -> None:
    """A logarithmic axis with numbers as people write them, and some between where it is short."""
    from matplotlib.ticker import FuncFormatter

    axes.set_yscale("log")
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    low, high = axes.get_ylim()
    is_short = high / low < 50
    axes.yaxis.set_minor_formatter(
        FuncFormatter(lambda value, _: f"{value:g}" if is_short and f"{value:e}"[0] in "25" else "")
    )


def _on_paper(axes: Axes) -> dict[str, Any]:
    return {"facecolor": axes.get_facecolor(), "edgecolor": "none", "alpha": 0.8, "pad": 1.5}


def _short(value: float) -> str:
    return f"{value:,.0f}" if 10 <= abs(value) < 1e9 else f"{value:.4g}"
