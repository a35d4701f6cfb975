"""The level that past runs have held, where it changed, and how far a new run may be from it.

Pure functions of numbers, standard library only. Values are one per run, oldest first, on the scale
of natural logarithms (`stats.Pace.pace`), so that differences are relative changes.
"""

from __future__ import annotations

import bisect
import itertools
import math
import operator
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

# As many runs make a level; fewer are outliers, or too few to tell.
MIN_SEGMENT: Final = 5
# Older runs say nothing of today's level, and cost time.
_MOST_RUNS: Final = 60
# A run further from its level than this many spreads counts as an outlier, not as evidence.
_OUTLIER: Final = 3.0
# What a change of level costs, times ln(runs): steady runs are divided once in fifty histories.
_PENALTY: Final = 3.5
# Smaller differences are no matter, even where runs agree to the last digit.
_LEAST_SIGMA: Final = 0.002
# Runs on the quietest machine differ by so much.
_LEAST_SPREAD: Final = 0.003
# Few runs can look closer to each other than runs ever are: 1 %, weighing as much as one run.
_PRIOR_SPREAD: Final = 0.01
_PRIOR_WEIGHT: Final = 1
# Further out than so many spreads, a run's deviation is cut off there.
CUT_OFF: Final = 2.5
# A single new run may be such an outlier itself: where all rests on it, they count for more.
CUT_OFF_FOR_ONE: Final = 4.0
# The variance of Huber's estimate of normal data over that of the mean.
_LOCATION_VARIANCE: Final = 1.05
_HUBER: Final = 1.345
_MOST_STEPS: Final = 30
_QN_SCALE: Final = 2.2219
_QN_SMALL: Final = {
    2: 0.399, 3: 0.994, 4: 0.512, 5: 0.844, 6: 0.611, 7: 0.857, 8: 0.669, 9: 0.872,
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """Runs `first` to before `end` that held one level, counted from 0; `level` is their median."""

    first: int
    end: int
    level: float

    def __len__(self) -> int:
        return self.end - self.first


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """By how much runs of one level differ: a standard deviation and its degrees of freedom."""

    value: float
    df: float


def find_segments(values: Sequence[float], *, accepted: Sequence[int] = ()) -> list[Segment]:
    """The levels that the values held one after the other; empty without values.

    A change is where it lowers the cost most: squared deviations in units of the spread, each
    bounded so that outliers start no level, and a penalty for each level (Fearnhead and Rigaill,
    Changepoint Detection in the Presence of Outliers, JASA 2019). A level holds `MIN_SEGMENT` runs
    at least. `accepted` are runs, by number, at which somebody said that a new level begins. Of a
    long history the last 60 runs are looked at; those before are one segment.
    """
    count = len(values)
    bounds = sorted({0, max(0, count - _MOST_RUNS), *(at for at in accepted if 0 < at < count)})
    segments: list[Segment] = []
    for begin, end in zip(bounds, [*bounds[1:], count], strict=True):
        part = values[begin:end]
        old = end <= count - _MOST_RUNS
        heads = [0] if old or len(part) < 2 * MIN_SEGMENT else _change_points(part)
        for first, after in zip(heads, [*heads[1:], len(part)], strict=True):
            if after > first:
                level = statistics.median(part[first:after])
                segments.append(Segment(first=begin + first, end=begin + after, level=level))
    return segments


def spread_of(
    values: Sequence[float], segments: Sequence[Segment], *, cut_off: float | None = None
) -> Spread:
    """By how much the runs of all segments differ from their levels.

    Qn, pooled over the segments, with a little knowledge of how runs differ: few runs that happen
    to agree promise nothing. With `cut_off` the standard deviation, deviations cut off at so many
    Qn: more exact, and larger where outliers are common.
    """
    squares, df = 0.0, 0
    for segment in segments:
        if len(segment) >= 2:
            part = values[segment.first : segment.end]
            scale = qn_scale(part)
            df += len(part) - 1
            if cut_off is None:
                squares += (len(part) - 1) * scale * scale
            else:
                furthest = cut_off * scale
                squares += sum(min(abs(value - segment.level), furthest) ** 2 for value in part)
    variance = (squares + _PRIOR_WEIGHT * _PRIOR_SPREAD**2) / (df + _PRIOR_WEIGHT)
    return Spread(value=max(math.sqrt(variance), _LEAST_SPREAD), df=df + _PRIOR_WEIGHT)


def error_against_level(spread: float, new: int, level_runs: int) -> float:
    """The standard error of the centre of `new` runs against that of `level_runs`."""
    return spread * math.sqrt(location_variance(new) + location_variance(level_runs))


def location_variance(count: int) -> float:
    """The variance of `huber_location` of so many values, in squared spreads."""
    return (_LOCATION_VARIANCE if count > 2 else 1.0) / count


def best_segment(segments: Sequence[Segment], since: int = 0) -> Segment | None:
    """The fastest level that `MIN_SEGMENT` runs held, of those begun at run `since` or later."""
    sustained = [s for s in segments if len(s) >= MIN_SEGMENT and s.first >= since]
    return max(sustained, key=lambda segment: segment.level, default=None)


def huber_location(values: Sequence[float], spread: float) -> float:
    """Huber's estimate of the centre for a known spread (Annals of Mathematical Statistics 1964).

    A mean in which a value counts less the further it lies beyond 1.345 spreads: nearly as exact as
    the mean for normal data, hardly moved by a few outliers.
    """
    centre = statistics.median(values)
    reach = _HUBER * spread
    for _ in range(_MOST_STEPS):
        step = sum(max(-reach, min(reach, value - centre)) for value in values)
        near = sum(abs(value - centre) < reach for value in values)
        centre += step / max(near, 1)
        if abs(step) <= 1e-6 * reach:
            break
    return centre


def qn_scale(values: Sequence[float]) -> float:
    """Rousseeuw and Croux's Qn (JASA 1993): the standard deviation, told without a centre.

    A quantile of the distances of all pairs; half of the values may be outliers. At least two
    values are needed.
    """
    count = len(values)
    distances = sorted(abs(x - y) for i, x in enumerate(values) for y in values[:i])
    half = count // 2 + 1
    small = _QN_SMALL.get(count)
    factor = small or (count / (count + 1.4) if count % 2 else count / (count + 3.8))
    return _QN_SCALE * factor * distances[half * (half - 1) // 2 - 1]


def _change_points(values: Sequence[float]) -> list[int]:
    """Where segments begin, 0 first: optimal partitioning."""
    count = len(values)
    middle = statistics.median(values)
    values = [value - middle for value in values]
    steps = [b - a for a, b in itertools.pairwise(values)]
    # The differences of neighbours hardly notice a change of level.
    sigma = max(qn_scale(steps) / math.sqrt(2), _LEAST_SIGMA)
    penalty = _PENALTY * math.log(count)
    costs = {0: -penalty}
    before: dict[int, int] = {}
    for begin in range(count - MIN_SEGMENT + 1):
        if begin not in costs:
            continue
        ordered = sorted(values[begin : begin + MIN_SEGMENT - 1])
        for end in range(begin + MIN_SEGMENT, count + 1):
            bisect.insort(ordered, values[end - 1])
            cost = costs[begin] + penalty + _bounded_cost(ordered, sigma)
            if end not in costs or cost < costs[end]:
                costs[end], before[end] = cost, begin
    heads = [before[count]]
    while heads[-1]:
        heads.append(before[heads[-1]])
    return heads[::-1]


def _bounded_cost(ordered: Sequence[float], sigma: float) -> float:
    """Squared deviations from the mean of what lies near the median; the bound for the others."""
    size = len(ordered)
    level = (ordered[size // 2] + ordered[(size - 1) // 2]) / 2
    limit = _OUTLIER * sigma
    low = bisect.bisect_left(ordered, level - limit)
    high = bisect.bisect_right(ordered, level + limit)
    near = ordered[low:high]
    # Values are deviations from a median: nothing is lost in this difference.
    squares = sum(map(operator.mul, near, near))
    inside = squares - sum(near) ** 2 / len(near) if near else 0.0
    return inside / (sigma * sigma) + _OUTLIER * _OUTLIER * (size - len(near))
