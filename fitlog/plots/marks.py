"""What happened beside the values: epochs, restarts, new learning rates, checkpoints."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from fitlog.plots.curves import Curve, named_epochs
from fitlog.plots.places import Places, numbers
from fitlog.plots.themes import theme_of

if TYPE_CHECKING:
    import numpy.typing as npt
    from matplotlib.axes import Axes

_MOST_RULED_EPOCHS: Final = 30
_MOST_RATES: Final = 8
_MOST_CHECKPOINTS: Final = 60


def draw_marks(axes: Axes, curves: Sequence[Curve], places: Places, *, falls: bool = False) -> None:
    """All marks of a single curve; of several only where a log begins anew.

    Events have no place but that of the last report before them. Words stand where the values leave
    room: at the top of what `falls`, at the foot of what rises.
    """
    _mark_restarts(axes, curves, places)
    if len(curves) != 1:
        return
    (curve,) = curves
    _rule_epochs(axes, curve, places)
    events = curve.events
    saved = events[events["kind"] == "checkpoint"]
    rates = events[(events["kind"] == "lr") & events["value"].notna()]
    if saved.empty and rates.empty:
        return
    lines, at = _course(curve, places)
    if not len(at):
        return
    # One behind every epoch says nothing where epochs are counted anyway.
    if places.kind != "epoch" or len(saved) < curve.epochs["epoch"].nunique():
        _mark_checkpoints(axes, _places_of(saved["line"].to_numpy(), lines, at))
    at_rates = _places_of(rates["line"].to_numpy(), lines, at)
    _mark_rates(axes, at_rates, rates["value"].tolist(), falls=falls)


def _course(curve: Curve, places: Places) -> tuple[Any, npt.NDArray[Any]]:
    """Lines of the reports and where they stand, in the lines' order."""
    import numpy as np

    within = curve.metrics[curve.metrics["batch_end"].notna()]
    lines = np.concatenate([curve.speed["line"].to_numpy(), within["line"].to_numpy()])
    at = np.concatenate([places.of(curve, curve.speed), places.of(curve, within)])
    there = np.isfinite(at)
    lines, at = lines[there], at[there]
    order = np.argsort(lines, kind="stable")
    return lines[order], at[order]


def _places_of(wanted: Any, lines: Any, at: npt.NDArray[Any]) -> npt.NDArray[Any]:
    import numpy as np

    places: npt.NDArray[Any] = at[np.maximum(np.searchsorted(lines, wanted, side="right") - 1, 0)]
    return places


def _rule_epochs(axes: Axes, curve: Curve, places: Places) -> None:
    """Thin lines where epochs begin, while they are few enough to help."""
    import numpy as np

    epoch = numbers(curve.speed["epoch"])
    ends = np.unique(epoch[np.isfinite(epoch)]).tolist()
    if places.kind == "epoch" or not 1 < len(ends) <= _MOST_RULED_EPOCHS:
        return
    axes.grid(visible=False, axis="x")
    where = places.of(curve, curve.speed)
    for one in ends[1:]:
        if places.kind in ("batch", "sample"):
            step = curve.batches_per_epoch * (
                (places.batch_size or curve.batch_size or 1) if places.kind == "sample" else 1
            )
            begin = (one - curve.first_epoch) * step
        else:
            begin = float(np.nanmax(where[epoch == one - 1], initial=-np.inf))
        if np.isfinite(begin):
            axes.axvline(begin, color=theme_of(axes).grid, linewidth=1.0, zorder=0)


def _mark_restarts(axes: Axes, curves: Sequence[Curve], places: Places) -> None:
    import numpy as np

    theme = theme_of(axes)
    if places.kind == "relative":  # all begin at 0 there
        return
    for curve in curves:
        before = [c for c in curves if c.log == curve.log and c.run < curve.run]
        if not before or not len(at := _course(curve, places)[1]):
            continue
        begin = float(np.nanmin(at))
        epoch = min(named_epochs(curve.speed, curve.metrics), default=curve.first_epoch)
        axes.plot(
            [begin], [0.0], marker=10, color=theme.color(curve.number), markersize=8,
            transform=axes.get_xaxis_transform(), clip_on=False, linestyle="none",
        )  # fmt: skip
        axes.annotate(
            "resumed" if epoch > curve.first_epoch else "restarted",
            (begin, 0.0), xycoords=axes.get_xaxis_transform(), xytext=(7, 3),
            textcoords="offset points", fontsize=8.5, color=theme.color(curve.number),
        )  # fmt: skip


def _mark_checkpoints(axes: Axes, at: npt.NDArray[Any]) -> None:
    import numpy as np

    at = np.unique(at)
    if not 0 < len(at) <= _MOST_CHECKPOINTS:
        return
    axes.plot(
        at, [0.0] * len(at), marker=10, color=theme_of(axes).muted, markersize=4.5,
        linestyle="none", transform=axes.get_xaxis_transform(), clip_on=False, label="checkpoint",
    )  # fmt: skip


def _mark_rates(axes: Axes, at: npt.NDArray[Any], rates: list[float], *, falls: bool) -> None:
    """A line where the rate became another, with the rate beside it; of many, none."""
    from matplotlib.patheffects import withStroke

    changes: list[tuple[float, float]] = []
    for place, rate in zip(at.tolist(), rates, strict=True):
        if not changes or changes[-1][1] != rate:
            changes.append((place, rate))
    if len(changes) > _MOST_RATES:
        return
    muted = theme_of(axes).muted
    around = [withStroke(linewidth=3, foreground=axes.get_facecolor())]
    for place, rate in changes:
        axes.axvline(place, color=muted, linewidth=0.9, linestyle=(0, (1, 2)), zorder=1)
        axes.annotate(
            f"lr {rate:.3g}", (place, 0.98 if falls else 0.03), color=muted, fontsize=8.5,
            xycoords=axes.get_xaxis_transform(), xytext=(3, 0), textcoords="offset points",
            va="top" if falls else "bottom", rotation=90, path_effects=around,
        )  # fmt: skip
