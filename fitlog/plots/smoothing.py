"""Courses of noisy values, and which values are too far off to share an axis with the others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    Values = npt.NDArray[np.float64]

# An axis for all values would squash the usual ones to this part of it.
_SQUASHED: Final = 4.0
_FEWEST_FOR_OUTLIERS: Final = 12
_FEWEST_IN_MEDIAN: Final = 5


def running_median(values: npt.NDArray[Any]) -> Values:
    """The course of noisy values: medians over a 25th of them, five at least."""
    import pandas as pd

    width = max(_FEWEST_IN_MEDIAN, len(values) // 25) | 1
    return pd.Series(values).rolling(width, center=True, min_periods=1).median().to_numpy()


def time_weighted(places: Values, values: Values, half_life: float) -> Values:
    """The exponential mean in which a value weighs by how long it stood, and half a half-life ago.

    A value stands from the place before it to its own; the first as long as the middle one of
    them. What is not finite is passed over. Places must not fall; where one does, as at a clock
    that was set back, no time has passed.
    """
    steps = np.diff(places)
    positive = steps[steps > 0]
    usual = float(np.median(positive)) if len(positive) else half_life
    passed = np.concatenate([[usual], np.maximum(steps, 0.0)])
    keeps = np.exp2(-passed / half_life)
    total = weight = 0.0
    smooth = np.full(len(values), np.nan)
    for i, (keep, value) in enumerate(zip(keeps.tolist(), values.tolist(), strict=True)):
        total, weight = total * keep, weight * keep
        if value == value:
            total, weight = total + (1 - keep) * value, weight + (1 - keep)
        if weight > 0 and value == value:
            smooth[i] = total / weight
    return smooth


def usual_limits(values: npt.NDArray[Any], reach: float) -> tuple[float, float] | None:
    """The range beyond which values are outliers, None where there is none, or too few to tell.

    It goes beyond the middle half of the values by `reach` times their range. What leaves the
    others a quarter of the axis at least is no outlier.
    """
    finite = values[np.isfinite(values)]
    if len(finite) < _FEWEST_FOR_OUTLIERS:
        return None
    quarter, three_quarters = np.percentile(finite, [25, 75])
    room = reach * (three_quarters - quarter)
    low, high = quarter - room, three_quarters + room
    inside = finite[(finite >= low) & (finite <= high)]
    usual = inside.max() - inside.min()
    if not room > 0 or finite.max() - finite.min() < _SQUASHED * usual:
        return None
    margin = 0.12 * usual
    return float(inside.min() - margin), float(inside.max() + margin)
