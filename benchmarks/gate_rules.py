"""How other tools decide, each in a few lines: whether they call the new runs slower.

They take one list of window speeds per run, as logarithms, and treat the windows of all runs of a
side as one sample where the tool would. What each does was read in its documentation and source.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from scipy import stats

Runs = Sequence[Sequence[float]]
Rule = Callable[[Runs, Runs], bool]


def pytest_benchmark(old: Runs, new: Runs) -> bool:
    """`--benchmark-compare-fail=mean:5%`: mean times differ by more than 5 %."""
    return bool(_times(new).mean() > 1.05 * _times(old).mean())


def welch(old: Runs, new: Runs) -> bool:
    """Pyperf's `compare_to`: Welch's t on all windows at 95 %, and slower."""
    test: Any = stats.ttest_ind(_times(new), _times(old), equal_var=False)
    return bool(test.pvalue < 0.05 and test.statistic > 0)


def mann_whitney(old: Runs, new: Runs) -> bool:
    """A rank test on all windows at 95 %."""
    return _rank_p(_times(new), _times(old)) < 0.05


def asv(old: Runs, new: Runs) -> bool:
    """`asv continuous`: medians differ by a factor of 1.1, and a rank test at 0.002 agrees."""
    ratio = np.median(_times(new)) / np.median(_times(old))
    return bool(ratio > 1.1 and _rank_p(_times(new), _times(old)) < 0.002)


def benchstat(old: Runs, new: Runs) -> bool:
    """benchstat: an exact rank test at 95 % on one value per run; four a side at least."""
    if min(len(old), len(new)) < 4:
        return False
    a, b = ([_mean_time(run) for run in side] for side in (old, new))
    test = stats.mannwhitneyu(b, a, method="exact")
    return bool(test.pvalue <= 0.05 and statistics.median(b) > statistics.median(a))


def last_saved(old: Runs, new: Runs) -> bool:
    """pytest-benchmark against the last saved run of a history."""
    return pytest_benchmark(old[-1:], new)


def bencher(old: Runs, new: Runs) -> bool:
    """Bencher's t-test threshold at 0.99: the new value lies beyond the quantile of the old."""
    values = [_mean_time(run) for run in old]
    limit = statistics.fmean(values)
    limit += float(stats.t.ppf(0.99, len(values) - 1)) * statistics.stdev(values)
    return _mean_time(new[0]) > limit


FEW: Final[dict[str, Rule]] = {
    "pytest-benchmark mean:5%": pytest_benchmark,
    "Welch on windows (pyperf)": welch,
    "Mann-Whitney on windows": mann_whitney,
    "asv, factor 1.1": asv,
}
HISTORY: Final[dict[str, Rule]] = {
    "last saved run, mean:5%": last_saved,
    "Bencher t-test .99": bencher,
}


def _times(runs: Runs) -> npt.NDArray[np.float64]:
    """Times of all windows, in no particular unit."""
    times: npt.NDArray[np.float64] = np.exp(-np.concatenate([np.asarray(run) for run in runs]))
    return times


def _mean_time(run: Sequence[float]) -> float:
    return statistics.fmean(math.exp(-value) for value in run)


def _rank_p(new: object, old: object) -> float:
    """The two-sided p of a rank test where new times are longer, else 1."""
    a, b = np.asarray(new), np.asarray(old)
    test = stats.mannwhitneyu(a, b, method="asymptotic")
    return float(test.pvalue) if test.statistic > len(a) * len(b) / 2 else 1.0
