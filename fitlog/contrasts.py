"""How two runs differ in one figure: effect, interval, which is better, and how sure that is.

One run carries no run-to-run variance. That of times and speeds is assumed, as the gate does; that
of metrics, which another seed would show, is not known at all. So what two runs alone show is
'likely' at most; 'certain' is only what no busy machine explains. Without a variance everything is
'unclear'. A table has many rows: at 99 %, one in a hundred is called by chance.
"""

from __future__ import annotations

import itertools
import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

Sureness = Literal["certain", "likely", "unclear", "equal"]
Scale = Literal["relative", "absolute"]

CONFIDENCE: Final = 0.99
# What clean runs on one machine differ by (see docs/gate.md).
RUN_SPREAD: Final = 0.02
# Above this a run's windows come from a busy machine; quiet ones stay below 0.04.
NOISY_SPREAD: Final = 0.05
# Other work on the machine took up to 65 % off a run: a factor of 2.9.
_BEYOND_NOISE: Final = math.log(3)
_Z: Final = statistics.NormalDist().inv_cdf((1 + CONFIDENCE) / 2)
_FEWEST_TIMES: Final = 3
_FEWEST_EPOCHS: Final = 5
_LARGEST_STEP: Final = 1e150  # the square of more is no number


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """A figure of one run; `value` is None where the run has none.

    `variance` is that of its logarithm as far as the run itself tells, None where it does not.
    `epoch` is where the value stands, `is_noisy` whether the run was disturbed.
    """

    value: float | None = None
    variance: float | None = None
    epoch: int | None = None
    is_noisy: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """What a run differs by from the baseline.

    `effect` is relative (-0.05 is 5 % less) or absolute, as the quantity's scale says; None where a
    run has no finite value. `interval` holds it with 99 % confidence, None where nothing tells.
    `is_better` is None where the name of the quantity does not tell, or nothing differs.
    """

    effect: float | None = None
    interval: tuple[float, float] | None = None
    is_better: bool | None = None
    sureness: Sureness = "unclear"


def relative_difference(new: Figure, old: Figure, *, higher: bool) -> Difference:
    """The difference of two speeds or times, which a busy machine scales.

    Of a disturbed run nobody knows by how much it did: there is no interval.
    """
    if not _is_positive(new.value) or not _is_positive(old.value):
        return Difference()
    effect = math.log(new.value or 1.0) - math.log(old.value or 1.0)
    is_better = None if effect == 0 else (effect > 0) is higher
    if new.variance is None or old.variance is None:
        return Difference(effect=_expm1(effect), is_better=is_better)
    half = _Z * math.sqrt(2 * RUN_SPREAD**2 + new.variance + old.variance)
    is_noisy = new.is_noisy or old.is_noisy
    sureness: Sureness = "unclear"
    if abs(effect) > max(half, _BEYOND_NOISE):
        sureness = "certain"
    elif abs(effect) > half and not is_noisy:
        sureness = "likely"
    return Difference(
        effect=_expm1(effect),
        interval=None if is_noisy else (_expm1(effect - half), _expm1(effect + half)),
        is_better=is_better,
        sureness=sureness,
    )


def absolute_difference(
    new: float | None, old: float | None, *, higher: bool | None, variance: float | None
) -> Difference:
    """The difference of two values of a metric; `variance` is the difference's."""
    if new is None or old is None or not math.isfinite(new - old):
        return Difference()
    effect = new - old
    if effect == 0:
        return Difference(effect=0.0, sureness="equal")
    is_better = None if higher is None else (effect > 0) is higher
    if not variance:  # metrics that stand still tell nothing of how exact they are
        return Difference(effect=effect, is_better=is_better)
    half = _Z * math.sqrt(variance)
    return Difference(
        effect=effect,
        interval=(effect - half, effect + half),
        is_better=is_better,
        sureness="likely" if abs(effect) > half else "unclear",
    )


def time_figure(seconds: Sequence[float]) -> Figure:
    """The median of what each epoch took, all above 0; of three at least with a variance.

    It is that of the epochs, not of their median: runs differ by no less than epochs do.
    """
    if not seconds:
        return Figure()
    logs = [math.log(value) for value in seconds]
    variance = statistics.variance(logs) if len(logs) >= _FEWEST_TIMES else None
    return Figure(value=statistics.median(seconds), variance=variance)


def sampling_variance(share: float | None, samples: int | None) -> float | None:
    """The variance of an accuracy measured on so many samples (Agresti and Coull 1998)."""
    if share is None or not samples or not 0 <= share <= 1:
        return None
    adjusted = (share * samples + 2) / (samples + 4)
    return adjusted * (1 - adjusted) / (samples + 4)


def scatter_variance(values: Mapping[int, float]) -> float | None:
    """By how much a metric moves from one epoch to the next.

    Half the mean square of successive differences (von Neumann 1941), over the second half of a
    run's epochs, five at least, so that a trend hardly counts. None of fewer.
    """
    finite = [values[epoch] for epoch in sorted(values) if math.isfinite(values[epoch])]
    late = finite[-max(_FEWEST_EPOCHS, len(finite) // 2) :]
    if len(late) < _FEWEST_EPOCHS:
        return None
    steps = [min(abs(b - a), _LARGEST_STEP) ** 2 for a, b in itertools.pairwise(late)]
    return statistics.fmean(steps) / 2


def _is_positive(value: float | None) -> bool:
    return value is not None and math.isfinite(value) and value > 0


def _expm1(value: float) -> float:
    return math.expm1(min(value, 700.0))
