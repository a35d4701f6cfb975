"""How sure a difference is, by its numbers alone."""

from __future__ import annotations

import math

import pytest

from fitlog.contrasts import (
    Figure,
    absolute_difference,
    relative_difference,
    sampling_variance,
    scatter_variance,
    time_figure,
)


def test_an_interval_holds_the_assumed_spread_of_both_runs() -> None:
    told = relative_difference(
        Figure(value=110.0, variance=0.0), Figure(value=100.0, variance=0.0), higher=True
    )

    half = 2.5758293 * math.sqrt(2) * 0.02
    assert told.effect == pytest.approx(0.1)
    assert told.interval == pytest.approx((1.1 * math.exp(-half) - 1, 1.1 * math.exp(half) - 1))
    assert (told.is_better, told.sureness) == (True, "likely")


def test_without_an_interval_nothing_is_more_than_unclear() -> None:
    relative = relative_difference(Figure(value=900.0), Figure(value=1.0), higher=False)
    absolute = absolute_difference(0.9, 0.1, higher=True, variance=None)
    stuck = absolute_difference(0.9, 0.1, higher=True, variance=0.0)

    assert (relative.interval, relative.sureness) == (None, "unclear")
    assert (absolute.interval, absolute.sureness) == (None, "unclear")
    assert stuck == absolute


def test_epochs_tell_how_exact_a_metric_is() -> None:
    settled = {epoch: 0.9 + (0.01 if epoch % 2 else -0.01) for epoch in range(5, 10)}

    assert scatter_variance({0: 0.1, 1: 0.5, **settled}) == pytest.approx(0.02**2 / 2)
    assert scatter_variance({0: math.nan, **settled}) == pytest.approx(0.02**2 / 2)
    assert scatter_variance({6: 0.9, 7: 0.8, 8: 0.7, 9: 0.8}) is None
    assert scatter_variance(dict(enumerate([1e300, -1e300] * 5))) == pytest.approx(5e299)


def test_of_few_times_or_no_samples_there_is_no_variance() -> None:
    assert time_figure([]) == Figure()
    assert time_figure([2.0, 4.0]).variance is None
    assert time_figure([2.0, 4.0, 9.0]).value == 4.0
    assert sampling_variance(0.5, 0) is None
    assert sampling_variance(1.5, 10) is None
    assert sampling_variance(1.0, 96) == pytest.approx(0.98 * 0.02 / 100)
