"""Pictures of where a training's time went: its epochs and windows by phase, its batches measured.

Phases are drawn in groups: of 'compute', 'update', 'metric', 'pending' and 'sync' Python's clock
cannot tell which of the network's work took the time, and eleven colours nobody tells apart.
"""

from __future__ import annotations

import functools
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from fitlog.errors import NoRecordsError, SettingError
from fitlog.phase_records import MEASURED
from fitlog.plots.themes import THEMES, drawn_on, headline, new_figure, note, styled
from fitlog.plots.view import View
from fitlog.printable import printable

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from fitlog.phases import PhaseLog

# From the bottom of a stack to its top: first what a training is for.
GROUPS: Final[dict[str, tuple[str, ...]]] = {
    "network": ("compute", "update", "metric", "pending", "sync"),
    "data": ("data",),
    "callbacks": ("callbacks",),
    "validation": ("validation",),
    "checkpoint": ("checkpoint",),
    "other": ("reset", "other"),
}
_INK: Final = THEMES["light"].ink
# The same on light and dark, for they lie beside each other rather than on the paper.
_BLUE, _VERMILLION, _GREEN, _PURPLE, _ORANGE, _SKY, _, _GREY = THEMES["light"].colors
_PALE, _NAVY = "#A9CFE8", "#003F63"
GROUP_COLORS: Final = dict(
    zip(GROUPS, (_BLUE, _VERMILLION, _ORANGE, _GREEN, _PURPLE, _GREY), strict=True)
)
# Shades of the network's blue, for all of it is the network's; and the ink that can be read there.
_PART_COLORS: Final = {
    "forward": (_SKY, _INK),
    "backward": (_BLUE, "white"),
    "compute": (_BLUE, "white"),
    "update": (_NAVY, "white"),
    "metric": (_PALE, _INK),
}
_MOST_GAPPED_EPOCHS: Final = 40
_MOST_STEPS: Final = 400
_LEAST_LABELLED: Final = 0.08  # of the bar, to hold a word


def plot_phases(
    log: PhaseLog, ax: Axes | None = None, view: View | None = None, *, fit: int | None = None
) -> Axes:
    """What each epoch of one fit took, in seconds, stacked by group of phases.

    `ax` is drawn on as it is styled; None takes a figure of its own. `fit` is its number, the last
    one by default.

    Raises:
        NoRecordsError: no batch was recorded.
        SettingError: there is no such fit.
    """
    _, epochs, _ = _choose(log, fit)
    style = (view or View()).style
    draw = functools.partial(plot_epoch_seconds, epochs)
    return drawn_on(ax, style, (10.0, 4.0), draw, legend=False)


def draw_phases(log: PhaseLog, fit: int | None = None, view: View | None = None) -> Figure:
    """A figure of one fit: an epoch's seconds by phase, its windows' shares, a batch measured.

    `fit` is its number, the last one by default.

    Raises:
        NoRecordsError: no batch was recorded.
        SettingError: there is no such fit.
    """
    number, epochs, windows = _choose(log, fit)
    measured = _measured_ms(windows)
    with styled((view or View()).style):
        heights = [3.4, 2.2] + [1.0] * bool(measured)
        figure = new_figure(10.0, sum(heights) + 1.6)
        axes = figure.subplots(len(heights), 1, height_ratios=heights)
        plot_epoch_seconds(epochs, axes[0])
        plot_window_shares(windows, axes[1])
        if measured:
            plot_measured(measured, int(windows["measured_batches"].sum()), axes[2])
        several = f" (fit {number} of {len(log.fits)})" if len(log.fits) > 1 else ""
        headline(figure, _name(log.name) + several)
    return figure


def _choose(log: PhaseLog, fit: int | None) -> tuple[int, pd.DataFrame, pd.DataFrame]:
    """The number of the fit, its epochs and its windows."""
    number = len(log.fits) - 1 if fit is None else fit
    if fit is not None and not 0 <= fit < len(log.fits):
        raise SettingError(f"no fit {fit}: there are {len(log.fits)}, counted from 0")
    windows = log.windows[(log.windows["fit"] == number) & (log.windows["split"] == "train")]
    windows = windows.dropna(subset="epoch")
    if windows.empty:
        raise NoRecordsError("has no batch to draw", path=log.name)
    epochs = log.epochs[log.epochs["fit"] == number].dropna(subset="epoch")
    return number, _with_cut_epoch(epochs, windows), windows


def plot_epoch_seconds(epochs: pd.DataFrame, axes: Axes) -> None:
    """What each epoch took, in seconds, stacked by group of phases; up to 40 epochs as bars."""
    import numpy as np
    from matplotlib.ticker import MaxNLocator

    x = epochs["epoch"].to_numpy(dtype="float64")
    width = 0.8 if len(x) <= _MOST_GAPPED_EPOCHS else 1.0
    bottom = np.zeros(len(x))
    for group, seconds in _grouped(epochs).items():
        axes.bar(x, seconds, width, bottom=bottom, color=GROUP_COLORS[group], label=group)
        bottom += seconds
    axes.set_title("Time of each epoch")
    axes.set_xlabel("epoch")
    axes.set_ylabel("seconds")
    axes.grid(visible=False, axis="x")
    pad = 0.9 if len(x) < 5 else 0.55
    axes.set_xlim(x.min() - pad, x.max() + pad)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    _legend(axes, _grouped(epochs))


def plot_window_shares(windows: pd.DataFrame, axes: Axes) -> None:
    """Each window's time by group, in percent of it, over the batches since the fit began.

    Of more than 400 windows, neighbours are drawn together.
    """
    import numpy as np

    ends = windows["batches"].to_numpy(dtype="float64", na_value=0.0).cumsum()
    each = -(-len(windows) // _MOST_STEPS)
    starts = np.arange(0, len(windows), each)
    edges = np.concatenate([[0.0], ends[np.append(starts[1:] - 1, len(windows) - 1)]])
    sums = {
        group: np.add.reduceat(seconds, starts)
        for group, seconds in _grouped(windows).items()
        if group in ("network", "data", "callbacks", "other")
    }
    whole = np.sum(list(sums.values()), axis=0)
    bottom = np.zeros(len(starts))
    for group, seconds in sums.items():
        top = bottom + np.divide(100 * seconds, whole, out=np.zeros(len(starts)), where=whole > 0)
        axes.stairs(top, edges, baseline=bottom, fill=True, color=GROUP_COLORS[group], label=group)
        bottom = top
    axes.set_title("Share of each window")
    axes.set_xlabel("batches since the fit began")
    axes.set_ylabel("percent of its time")
    axes.set_ylim(0, 100)
    axes.set_xlim(0, max(edges[-1], 1.0))


def plot_measured(milliseconds: dict[str, float], batches: int, axes: Axes) -> None:
    """What the parts of a batch truly took, in milliseconds, where the engine was waited for."""
    whole = sum(milliseconds.values())
    left = 0.0
    for part, value in milliseconds.items():
        color, ink = _PART_COLORS[part]
        axes.barh(
            [0], [value], 0.6, left=left, color=color, edgecolor=axes.get_facecolor(), label=part
        )
        if value / whole >= _LEAST_LABELLED:
            label = f"{part}\n{value:.3g} ms"
            axes.text(left + value / 2, 0, label, ha="center", va="center", color=ink, fontsize=9)
        left += value
    axes.set_title("A batch, measured")
    several = f"mean of {batches:,} batches" if batches > 1 else "one batch"
    note(axes, f"{several}, the engine waited for after each part")
    axes.set_xlabel("milliseconds")
    axes.set_yticks([])
    axes.grid(visible=False)
    axes.set_xlim(0, whole)


def _grouped(rows: pd.DataFrame) -> dict[str, np.ndarray[Any, Any]]:
    """The seconds of each group, float64 (n,)."""
    return {
        group: rows[list(phases)].sum(axis=1).to_numpy(dtype="float64")
        for group, phases in GROUPS.items()
    }


def _with_cut_epoch(epochs: pd.DataFrame, windows: pd.DataFrame) -> pd.DataFrame:
    """The epochs, and what is known of one that has no end: the sums of its windows."""
    import pandas as pd

    cut = windows[~windows["epoch"].isin(epochs["epoch"])]
    if cut.empty:
        return epochs
    phases = [phase for group in GROUPS.values() for phase in group]
    return pd.concat([epochs, cut.groupby("epoch", as_index=False)[phases].sum()])


def _measured_ms(windows: pd.DataFrame) -> dict[str, float]:
    batches = windows["measured_batches"].sum()
    if not batches:
        return {}
    sums = {part: windows[f"measured_{part}"].sum() for part in MEASURED}
    return {part: float(seconds / batches * 1e3) for part, seconds in sums.items() if seconds}


def _name(path: str) -> str:
    """A fit's name: of a run folder's file the folder's, else the file's."""
    file = Path(path).absolute()
    of_worker = f", {file.stem}" if file.stem.startswith("phases-") else ""
    is_of_run = of_worker or file.stem == "phases"
    return printable(file.parent.name + of_worker if is_of_run else file.stem)


def _legend(axes: Axes, groups: dict[str, np.ndarray[Any, Any]]) -> None:
    """Beside the title: each group with its share of all that is drawn."""
    from matplotlib.patches import Patch

    sums = {group: float(seconds.sum()) for group, seconds in groups.items()}
    whole = sum(sums.values()) or 1.0
    handles = [
        Patch(color=GROUP_COLORS[group], label=f"{group} {seconds / whole:.0%}")
        for group, seconds in sums.items()
        if seconds
    ]
    axes.legend(
        handles=handles, loc="lower right", bbox_to_anchor=(1.0, 1.0), ncols=len(handles),
        fontsize=9.5, handlelength=1.0, handletextpad=0.5, columnspacing=1.2, borderaxespad=0.2,
    )  # fmt: skip
