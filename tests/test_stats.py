"""The statistics, against scipy, numpy and cases worked out by hand."""

from __future__ import annotations

import math
import random

import numpy as np
import pytest
from scipy import stats

from fitlog.stats import find_warm_up, measure_pace, quantile, robust_sigma, t_quantile

DEGREES = [1, 2, 2.5, 3, 4, 5, 7, 13, 29, 40, 100, 300, 1000]
PROBABILITIES = [0.01, 0.05, 0.5, 0.6, 0.8, 0.9, 0.95, 0.975, 0.99, 0.995, 0.999, 0.9999]


@pytest.mark.parametrize("df", DEGREES)
@pytest.mark.parametrize("p", PROBABILITIES)
def test_the_t_quantile_agrees_with_scipys(p: float, df: float) -> None:
    assert t_quantile(p, df) == pytest.approx(float(stats.t.ppf(p, df)), rel=1e-10, abs=1e-10)


@pytest.mark.parametrize("p", PROBABILITIES)
def test_infinite_degrees_of_freedom_are_the_normal_distribution(p: float) -> None:
    assert t_quantile(p, math.inf) == pytest.approx(float(stats.norm.ppf(p)), rel=1e-12, abs=1e-12)


@pytest.mark.parametrize("p", [0.0, 0.1, 0.5, 0.75, 1.0])
@pytest.mark.parametrize("n", [1, 2, 5, 100])
def test_the_quantile_is_numpys(p: float, n: int) -> None:
    values = [random.Random(n).gauss(0, 1) for _ in range(n)]

    assert quantile(values, p) == pytest.approx(float(np.quantile(values, p)), rel=1e-14)


def test_the_robust_sigma_is_not_moved_by_stalls() -> None:
    values = [1.0, 2.0, 3.0, 4.0, 5.0]

    assert robust_sigma(values) == pytest.approx(1.4826)
    assert robust_sigma([*values[:-1], 1e9]) == pytest.approx(1.4826)


def test_slow_first_windows_are_the_warm_up() -> None:
    speeds = [50.0, 60.0, 80.0] + [100.0, 101.0] * 10

    assert find_warm_up([math.log(speed) for speed in speeds]) == 3


def test_one_window_at_least_and_half_at_most_are_the_warm_up() -> None:
    steady = [0.0, 0.01] * 10
    late = [0.0] * 10 + [9.0] * 10

    assert find_warm_up(steady) == 1
    assert find_warm_up(late) == 10


def test_pace_is_the_upper_quartile_after_the_warm_up() -> None:
    pace = measure_pace([1.0, 100.0, 200.0, 300.0, 400.0, 500.0], warm_up=1)

    assert pace.windows == 5
    assert pace.samples_per_sec == pytest.approx(400.0)
    assert pace.throughput == pytest.approx(5 / (1 / 100 + 1 / 200 + 1 / 300 + 1 / 400 + 1 / 500))
    assert pace.drift == pytest.approx(math.log(500 / 100))


def test_a_stall_hardly_moves_the_pace() -> None:
    steady = [100.0 + i % 3 for i in range(60)]
    stalled = [5.0 if i in (20, 40) else speed for i, speed in enumerate(steady)]

    assert measure_pace(stalled).pace == pytest.approx(measure_pace(steady).pace, abs=1e-3)


def test_a_warm_up_that_leaves_nothing_is_an_error() -> None:
    with pytest.raises(ValueError, match="no window is left of 3 after a warm-up of 3"):
        measure_pace([1.0, 2.0, 3.0], warm_up=3)
