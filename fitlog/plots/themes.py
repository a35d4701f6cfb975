"""Colours, marks and type of all pictures, light and dark, and how a picture becomes a file.

The colours are Okabe and Ito's, which colour-blind people tell apart (jfly.uni-koeln.de/color); in
grey, runs differ by their marks and splits by their dashes. What is drawn on anybody's own Axes
takes the theme that goes with their background. No pyplot: no display is needed, nothing global is
left behind, and the import is cheaper.
"""

from __future__ import annotations

import contextlib
import os
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast

from fitlog.errors import OutputError
from fitlog.plots.view import Style

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

ENDINGS: Final = (".png", ".svg", ".pdf")
MARKERS: Final = ("o", "s", "^", "D", "v", "P", "X", "*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Theme:
    """Colours on one background; `colors` are those of runs, in their order."""

    paper: str
    ink: str
    muted: str
    rule: str
    grid: str
    accent: str
    colors: tuple[str, ...]

    def color(self, number: int) -> str:
        """The colour of a run."""
        return self.colors[number % len(self.colors)]


THEMES: Final[dict[Style, Theme]] = {
    "light": Theme(
        paper="#FFFFFF", ink="#22262A", muted="#646B71", rule="#B8BEC3", grid="#E8EAEC",
        accent="#D55E00",
        colors=(
            "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#5D4E8C", "#7F7F7F",
        ),
    ),
    "dark": Theme(
        paper="#14171A", ink="#E9ECEE", muted="#A3ABB2", rule="#4A5157", grid="#262B30",
        accent="#F58A3C",
        colors=(
            "#56B4E9", "#F58A3C", "#2BC79A", "#E29AC4", "#F0C23C", "#9FD3F2", "#A99BDB", "#A9AFB5",
        ),
    ),
}  # fmt: skip


def style_of(theme: Theme) -> dict[str, Any]:
    """The theme as matplotlib's settings."""
    return {
        "font.size": 10,
        "figure.facecolor": theme.paper,
        "axes.facecolor": theme.paper,
        "savefig.facecolor": theme.paper,
        "text.color": theme.ink,
        "axes.edgecolor": theme.rule,
        "axes.labelcolor": theme.muted,
        "axes.labelsize": 9.5,
        "axes.titlesize": 11,
        "axes.titlelocation": "left",
        "axes.titlecolor": theme.ink,
        "axes.titleweight": "bold",
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.grid": True,
        "axes.axisbelow": True,
        "grid.color": theme.grid,
        "grid.linewidth": 0.8,
        "xtick.color": theme.rule,
        "ytick.color": theme.rule,
        "xtick.labelcolor": theme.muted,
        "ytick.labelcolor": theme.muted,
        "legend.frameon": False,
        "legend.labelcolor": theme.ink,
        "legend.fontsize": 9.5,
        "lines.solid_capstyle": "round",
        "svg.fonttype": "none",
        "svg.hashsalt": "fitlog",
        "savefig.dpi": 150,
    }


@contextlib.contextmanager
def styled(style: Style = "light") -> Iterator[Theme]:
    """What is made in here looks like this."""
    import matplotlib as mpl

    theme = THEMES[style]
    with mpl.rc_context(cast(Any, style_of(theme))):
        yield theme


def theme_of(axes: Axes) -> Theme:
    """The theme that goes with the background of these Axes."""
    from matplotlib.colors import to_rgba

    red, green, blue, alpha = to_rgba(axes.get_facecolor())
    if not alpha and (figure := axes.get_figure()) is not None:
        red, green, blue, _ = to_rgba(figure.get_facecolor())
    return THEMES["dark" if 0.2126 * red + 0.7152 * green + 0.0722 * blue < 0.4 else "light"]


def new_figure(width: float, height: float) -> Figure:
    """An empty figure whose parts keep out of each other's way; inches."""
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    layout = ConstrainedLayoutEngine(h_pad=0.1, w_pad=0.1, hspace=0.06, wspace=0.04)
    return Figure(figsize=(width, height), layout=layout)


def shape_of(panels: int) -> tuple[int, float]:
    """In how many columns so many panels stand, and how wide their figure is, in inches."""
    columns = {0: 1, 1: 1, 2: 2, 4: 2}.get(panels, 3)
    return columns, 10.0 if columns < 3 else 12.5


def drawn_on(
    ax: Axes | None,
    style: Style,
    size: tuple[float, float],
    draw: Callable[[Axes], None],
    *,
    legend: bool = True,
) -> Axes:
    """The Axes that were given, as they are styled, or those of a new figure, drawn on."""
    if ax is not None:
        draw(ax)
    else:
        with styled(style):
            ax = new_figure(*size).add_subplot()
            draw(ax)
    if legend:
        place_legend(ax, [ax])
    return ax


def spread_marks(number: int) -> tuple[float, float]:
    """Where the marks of a long line stand, in parts of the axes: apart from other runs'."""
    return 0.02 + 0.03 * (number % 4), 0.12


def headline(figure: Figure, text: str) -> None:
    """The title of a whole figure, on its left."""
    figure.suptitle(
        text, x=0.012, ha="left", fontsize=14, fontweight="bold", parse_math=False
    )  # fmt: skip


def note(axes: Axes, text: str) -> None:
    """A quiet word at the right of the title."""
    axes.set_title(
        text, loc="right", fontsize=9.5, fontweight="normal", color=theme_of(axes).muted,
        parse_math=False,
    )  # fmt: skip


def save_figure(
    figure: Figure,
    path: str | os.PathLike[str],
    *,
    dpi: float | None = None,
    size: tuple[float, float] | None = None,
) -> None:
    """Write the picture in the format of the path's ending; `size` is in inches.

    Raises:
        OutputError: another ending than .png, .svg or .pdf, or a file that cannot be written.
    """
    import matplotlib as mpl

    if Path(path).suffix.lower() not in ENDINGS:
        raise OutputError(
            f"cannot draw into {path}: the ending must be one of {', '.join(ENDINGS)}"
        )
    if size is not None:
        figure.set_size_inches(*size)
    fixed: Any = {"svg.fonttype": "none", "svg.hashsalt": "fitlog"}
    try:
        with mpl.rc_context(fixed), warnings.catch_warnings():
            # Names in scripts that the font lacks are drawn as boxes; that is all there is to say.
            warnings.filterwarnings("ignore", message="Glyph .* missing from")
            # So is a picture too small for its words.
            warnings.filterwarnings("ignore", message="constrained_layout not applied")
            figure.savefig(path, dpi=dpi or 150, facecolor=figure.get_facecolor())
    except OSError as error:
        raise OutputError(f"cannot write {path}: {error.strerror or error}") from None


def place_legend(target: Axes | Figure, drawn: Sequence[Axes]) -> None:
    """What the labelled lines of these Axes mean, each once: runs first, then kinds of values."""
    found: dict[str, Any] = {}
    for axes in drawn:
        handles, labels = axes.get_legend_handles_labels()
        for handle, label in zip(handles, labels, strict=True):
            found.setdefault(label, handle)
    if not found:
        return
    order = sorted(found, key=_rank)
    is_figure = not hasattr(target, "get_xlim")
    where: Any = {"loc": "outside upper right"} if is_figure else {"loc": "best"}
    columns = _columns(cast(Any, target), order) if is_figure else 1
    legend = target.legend([found[label] for label in order], order, ncols=columns, **where)
    for text in legend.get_texts():
        text.set_parse_math(False)


# In this order they stand behind the names of runs.
_KINDS: Final = (
    "train", "validation", "time-weighted", "running", "window", "as logged", "checkpoint",
)  # fmt: skip
_CHARACTERS_PER_INCH: Final = 11.5  # at the legend's size
_HANDLE_CHARACTERS: Final = 7


def _rank(label: str) -> int:
    return next((i for i, kind in enumerate(_KINDS) if label.startswith(kind)), -1)


def _columns(figure: Figure, labels: Sequence[str]) -> int:
    """As many as fit beside the title, up to five; the legend's columns are filled one by one."""
    title = len(figure.get_suptitle()) * 1.5
    room = figure.get_figwidth() * _CHARACTERS_PER_INCH - title
    for columns in range(min(5, len(labels)), 1, -1):
        rows = -(-len(labels) // columns)
        if -(-len(labels) // rows) < columns:  # so many rows need fewer
            continue
        widths = [
            max(map(len, labels[i : i + rows])) + _HANDLE_CHARACTERS
            for i in range(0, len(labels), rows)
        ]
        if sum(widths) <= room:
            return columns
    return 1
