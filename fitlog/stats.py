"""The statistics of throughput: warm-up, pace, spread, and Student's t. Pure functions of numbers.

Standard library only: a gate runs on every commit, and importing numpy costs more than judging.
Speeds are in samples per second; pace, spread and their kin are on the scale of natural logarithms,
where a slowdown by a factor is a difference and noise is about the same at every speed.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

# 1.4826 times the median absolute deviation estimates the standard deviation of normal data.
_MAD_TO_SIGMA: Final = 1.4826
_PACE_QUANTILE: Final = 0.75
_BLOCKS: Final = 5
_SMALLEST_BLOCK: Final = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """One run's throughput in a few figures.

    `pace` is the 75 % quantile of the log speeds after the warm-up: stalls pull a mean down, and a
    single fast window pulls a maximum up. (Of a run measured as a whole, it is the logarithm of the
    throughput.) `spread` is the robust standard deviation of the windows (0.02 to 0.04 on a quiet
    machine), `variance` that of the pace within this run, `warm_up` the windows dropped, `windows`
    those kept. `throughput` is samples over time in samples per second, `drift` the last third
    against the first, `stall_share` the part of the time that the run would have saved if all of it
    had been at the quantile's speed.
    """

    pace: float
    spread: float
    variance: float
    warm_up: int
    windows: int
    throughput: float
    drift: float
    stall_share: float = 0.0

    @property
    def samples_per_sec(self) -> float:
        """The pace as a speed."""
        return math.exp(self.pace)


def measure_pace(
    speeds: Sequence[float], *, warm_up: int | None = None, whole: bool = False
) -> Pace:
    """Summarise one run's window speeds, in order, all finite and above 0.

    `warm_up` windows are dropped; None finds out how many. `whole` measures the pace by samples
    over time instead of the quantile, so that stalls count.

    Raises:
        ValueError: no window is left.
    """
    logs = [math.log(speed) for speed in speeds]
    cut = find_warm_up(logs) if warm_up is None else warm_up
    logs = logs[cut:]
    if not logs:
        raise ValueError(f"no window is left of {len(speeds)} after a warm-up of {cut}")
    spread = robust_sigma(logs)
    third = max(1, len(logs) // 3)
    pace_of = _log_throughput if whole else _upper_quartile
    throughput = math.exp(_log_throughput(logs))
    return Pace(
        pace=pace_of(logs),
        spread=spread,
        variance=_pace_variance(logs, spread, pace_of),
        warm_up=cut,
        windows=len(logs),
        throughput=throughput,
        drift=statistics.median(logs[-third:]) - statistics.median(logs[:third]),
        stall_share=max(0.0, 1 - throughput / math.exp(_upper_quartile(logs))),
    )


def find_warm_up(logs: Sequence[float]) -> int:
    """How many windows to drop: up to two in a row within three MADs of the second half's median.

    At least one (the first window pays for allocation and tuning), at most half.
    """
    if len(logs) < 8:
        return 1 if len(logs) > 3 else 0
    settled = logs[len(logs) // 2 :]
    level = statistics.median(settled)
    limit = 3 * (robust_sigma(settled) + 1e-3)
    most = len(logs) // 2
    for cut in range(1, most):
        if all(abs(value - level) <= limit for value in logs[cut : cut + 2]):
            return cut
    return most


def robust_sigma(values: Sequence[float]) -> float:
    """The standard deviation told from the median absolute deviation: stalls do not move it."""
    level = statistics.median(values)
    return _MAD_TO_SIGMA * statistics.median(abs(value - level) for value in values)


def quantile(values: Sequence[float], p: float) -> float:
    """The quantile, interpolated between the two nearest values (Hyndman and Fan's type 7)."""
    ordered = sorted(values)
    below, fraction = divmod(p * (len(ordered) - 1), 1)
    low = ordered[int(below)]
    high = ordered[min(int(below) + 1, len(ordered) - 1)]
    return low + fraction * (high - low)


@lru_cache(maxsize=256)
def t_quantile(p: float, df: float) -> float:
    """The p-quantile of Student's t with `df` degrees of freedom (up to thousands, or inf).

    Newton's method on the distribution function, from the normal quantile: beyond it the function
    is concave, so every step falls short of the root and none oversteps it.
    """
    if p < 0.5:
        return -t_quantile(1 - p, df)
    t = statistics.NormalDist().inv_cdf(p)
    if p == 0.5 or math.isinf(df):
        return t
    log_scale = math.lgamma((df + 1) / 2) - math.lgamma(df / 2) - math.log(df * math.pi) / 2
    for _ in range(200):
        density = math.exp(log_scale - (df + 1) / 2 * math.log1p(t * t / df))
        step = (_t_upper_tail(t, df) - (1 - p)) / density
        t += step
        # A step squares the error that is left, as far as rounding in the tail lets it.
        if abs(step) <= 1e-10 * abs(t):
            break
    return t


def _t_upper_tail(t: float, df: float) -> float:
    """P(T > t) for t >= 0, by the incomplete beta function (Abramowitz and Stegun, 26.7.1)."""
    return _incomplete_beta(df / 2, 0.5, df / (df + t * t), t * t / (df + t * t)) / 2


def _incomplete_beta(a: float, b: float, x: float, y: float) -> float:
    """I_x(a, b), with y = 1 - x given apart for it may be tiny (DLMF 8.17.22, Lentz's method)."""
    if x > (a + 1) / (a + b + 2):
        return 1 - _incomplete_beta(b, a, y, x)
    front = math.exp(
        a * math.log(x) + b * math.log(y) + math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b)
    )
    tiny = 1e-300
    c, d = 1.0, 1 - (a + b) * x / (a + 1)
    d = 1 / (d or tiny)
    value = d
    for m in range(1, 10_000):
        even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        for term in (even, odd):
            d = 1 / ((1 + term * d) or tiny)
            c = (1 + term / c) or tiny
            value *= c * d
        if abs(c * d - 1) < 1e-16:
            break
    return front * value / a


def _upper_quartile(logs: Sequence[float]) -> float:
    return quantile(logs, _PACE_QUANTILE)


def _log_throughput(logs: Sequence[float]) -> float:
    """Windows hold the same number of samples each: the mean of their times."""
    return -math.log(statistics.fmean(math.exp(-value) for value in logs))


def _pace_variance(
    logs: Sequence[float], spread: float, pace_of: Callable[[Sequence[float]], float]
) -> float:
    """Variance of the pace within the run, from blocks, for neighbouring windows hang together."""
    size = len(logs) // _BLOCKS
    if size < _SMALLEST_BLOCK:
        return 2 * spread * spread / len(logs)
    paces = [pace_of(logs[i * size : (i + 1) * size]) for i in range(_BLOCKS)]
    return statistics.variance(paces) / _BLOCKS
