"""Pictures of trainings: each `plot_` function takes what was read, and Axes, and gives Axes.

Without Axes a figure of its own is made, `axes.figure`; `save_figure` writes it. Nothing here draws
through pyplot. `plot_overview`, `draw_phases`, `draw_comparison` and `draw_history` are pictures of
several parts, and give the Figure. matplotlib is imported when something is drawn.
"""

from fitlog.plots.compare import draw_comparison, plot_compare
from fitlog.plots.epochs import plot_epochs
from fitlog.plots.history import draw_history, plot_history
from fitlog.plots.metrics import plot_metrics
from fitlog.plots.overview import plot_overview
from fitlog.plots.phases import draw_phases, plot_phases
from fitlog.plots.speed import plot_speed
from fitlog.plots.themes import save_figure
from fitlog.plots.view import View

__all__ = [
    "View",
    "draw_comparison",
    "draw_history",
    "draw_phases",
    "plot_compare",
    "plot_epochs",
    "plot_history",
    "plot_metrics",
    "plot_overview",
    "plot_phases",
    "plot_speed",
    "save_figure",
]
