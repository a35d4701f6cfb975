"""Where values stand along a picture: by batch, sample, epoch, time of day or time since the start.

Windows and running means stand at their last batch; values of whole epochs at the epoch's end, and
in the middle of the epoch where epochs are counted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, cast

from fitlog.errors import SettingError
from fitlog.plots.curves import Curve
from fitlog.plots.view import View, X

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pandas as pd
    from matplotlib.axes import Axes

    Values = npt.NDArray[np.float64]

_DAY_MICROSECONDS: Final = 86_400e6
_UNITS: Final = (
    (2 * 86_400, "days", 86_400.0),
    (2 * 3600, "hours", 3600.0),
    (120, "minutes", 60.0),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """An axis that values of all curves are put on; `unit` is how many of its own make one."""

    kind: X
    label: str
    unit: float = 1.0
    batch_size: int | None = None

    def of(self, curve: Curve, rows: pd.DataFrame) -> Values:
        """The places of rows of `speed` or `metrics`, float64 (n,); nan where there is none."""
        places: Values = _PLACES[self.kind](self, curve, rows) / self.unit
        return places

    def half_life(self, smooth: float) -> float:
        """A half-life in the units of the axis."""
        return smooth / (86_400.0 if self.kind == "time" else self.unit)

    def said(self, smooth: float) -> str:
        """What a time-weighted mean is called."""
        unit = {"batch": "batches", "sample": "samples", "epoch": "epochs"}.get(self.kind, "s")
        return f"time-weighted mean, half-life {smooth:,g} {unit}"

    def put_on(self, axes: Axes) -> None:
        """Label the axis, and let it count in what it holds."""
        from matplotlib.ticker import MaxNLocator, StrMethodFormatter

        axes.set_xlabel(self.label)
        if self.kind == "time":
            from matplotlib.dates import AutoDateLocator, ConciseDateFormatter

            locator: Any = cast(Any, AutoDateLocator)(minticks=3, maxticks=8)
            axes.xaxis.set_major_locator(locator)
            axes.xaxis.set_major_formatter(cast(Any, ConciseDateFormatter)(locator))
        elif self.kind == "epoch":
            axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
        elif self.kind in ("batch", "sample"):
            axes.xaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))


def make_places(curves: Sequence[Curve], view: View, usual: X) -> Places:
    """The axis that the view asks for, or the usual one.

    Raises:
        SettingError: a log does not state what it takes; the message says what would do.
    """
    kind = view.x or usual
    if kind == "batch":
        return Places(kind=kind, label="batches since the run began")
    if kind == "epoch":
        return Places(kind=kind, label="epoch")
    if kind == "sample":
        for curve in curves:
            if not (view.batch_size or curve.batch_size):
                raise SettingError(
                    f"{curve.label} does not state its batch size, which samples are counted by:"
                    " give it (--batch-size, or batch_size= in Python)"
                )
        return Places(kind=kind, label="samples since the run began", batch_size=view.batch_size)
    dated = [_has_dates(curve) for curve in curves]
    if kind == "time":
        if not all(dated):
            raise SettingError(
                f"{curves[dated.index(False)].label} has no dates before its lines: draw it by"
                " relative time, epoch or batch"
            )
        return Places(kind=kind, label="time, as logged")
    estimated = ""
    for curve, has_dates in zip(curves, dated, strict=True):
        if not has_dates:
            if not curve.epochs["time_cost"].notna().any():
                raise SettingError(
                    f"{curve.label} states neither dates nor time costs: draw it by epoch or batch"
                )
            estimated = ", by the epochs' time costs"
    longest = max((_longest(_seconds(curve)) for curve in curves), default=0.0)
    name, unit = next(((n, u) for least, n, u in _UNITS if longest >= least), ("seconds", 1.0))
    return Places(kind=kind, label=f"{name} since the run began{estimated}", unit=unit)


def epoch_limits(curves: Sequence[Curve]) -> tuple[float, float]:
    """The same for every panel: half an epoch on both sides, or a little of a long run."""
    epochs = [
        epoch
        for curve in curves
        for table in (curve.metrics, curve.speed)
        for epoch in table["epoch"].dropna().unique()
    ]
    first, last = min(epochs, default=0), max(epochs, default=0)
    pad = max(0.55, 0.02 * (last - first))
    return first - pad, last + pad


def numbers(column: Any) -> Values:
    """A column as float64, nan where it is missing."""
    values: Values = column.to_numpy(dtype="float64", na_value=float("nan"))
    return values


def _batches(_: Places, curve: Curve, rows: pd.DataFrame) -> Values:
    """Counted over the epochs."""
    each = curve.batches_per_epoch
    passed = (numbers(rows["epoch"].fillna(curve.first_epoch)) - curve.first_epoch) * each
    batches: Values = passed + numbers(rows["batch_end"].fillna(each))
    return batches


def _samples(places: Places, curve: Curve, rows: pd.DataFrame) -> Values:
    size = places.batch_size or curve.batch_size or 1
    samples: Values = _batches(places, curve, rows) * size
    return samples


def _epochs(_: Places, curve: Curve, rows: pd.DataFrame) -> Values:
    """Epoch e goes from e - 0.5 to e + 0.5; what is of the whole of it stands in its middle."""
    import numpy as np

    within = (numbers(rows["batch_end"]) + 1) / (curve.batches_per_epoch + 1) - 0.5
    epochs: Values = numbers(rows["epoch"]) + np.where(np.isnan(within), 0.0, within)
    return epochs


def _times(_: Places, __: Curve, rows: pd.DataFrame) -> Values:
    """As matplotlib counts: days since 1970."""
    import numpy as np

    times = rows["time"].to_numpy(dtype="datetime64[us]")
    days = np.where(np.isnat(times), np.nan, times.astype("i8") / _DAY_MICROSECONDS)
    return cast("Values", days)


def _relative(_: Places, curve: Curve, rows: pd.DataFrame) -> Values:
    import numpy as np

    if _has_dates(curve):
        return (_times(_, curve, rows) - _begin(curve)) * 86_400
    ends = _epoch_ends(curve)
    end = np.array([ends.get(epoch, (np.nan, np.nan)) for epoch in rows["epoch"]]).reshape(-1, 2)
    share = numbers(rows["batch_end"].fillna(curve.batches_per_epoch)) / curve.batches_per_epoch
    length = end[:, 1] - end[:, 0]
    return cast("Values", end[:, 0] + np.minimum(share, 1.0) * length)


def _epoch_ends(curve: Curve) -> dict[int, tuple[float, float]]:
    """When each epoch began and ended, in seconds of training; a missing time cost is unknown."""
    now = 0.0
    ends: dict[Any, tuple[float, float]] = {}
    rows = curve.epochs.dropna(subset=["epoch", "time_cost"]).groupby("epoch")["time_cost"].max()
    for epoch, cost in rows.items():
        if 0 <= cost < 1e9:
            ends[epoch] = now, now + float(cost)
            now += float(cost)
    return ends


def _begin(curve: Curve) -> float:
    """The first date of the curve, in days since 1970."""
    import pandas as pd

    first = pd.concat([curve.speed["time"], curve.metrics["time"]]).min()
    return float(first.timestamp() / 86_400)


def _has_dates(curve: Curve) -> bool:
    return bool(curve.speed["time"].notna().any() or curve.metrics["time"].notna().any())


def _seconds(curve: Curve) -> Values:
    import numpy as np

    places = Places(kind="relative", label="")
    return np.concatenate([places.of(curve, curve.speed), places.of(curve, curve.metrics)])


def _longest(seconds: Values) -> float:
    import numpy as np

    return float(np.nanmax(seconds)) if np.isfinite(seconds).any() else 0.0


_PLACES: Final = {
    "batch": _batches,
    "sample": _samples,
    "epoch": _epochs,
    "time": _times,
    "relative": _relative,
}
