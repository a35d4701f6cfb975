"""Thinning of long lines: what is kept and what may go."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from fitlog.plots.sampling import keep_peaks


def test_few_points_all_stay() -> None:
    assert keep_peaks([0, 1, 2], [5, 6, 7], columns=1).tolist() == [0, 1, 2]
    assert keep_peaks([], []).tolist() == []


def test_a_single_peak_of_many_points_stays() -> None:
    values = np.zeros(100_000)
    values[12_345] = 1.0
    values[54_321] = -1.0

    kept = keep_peaks(np.arange(100_000), values, columns=100)

    assert {12_345, 54_321} <= set(kept.tolist())
    assert len(kept) <= 500


def test_a_gap_in_a_long_line_stays_a_gap() -> None:
    values = np.sin(np.arange(10_000))
    values[5_001] = np.nan
    values[7_001] = np.inf

    kept = keep_peaks(np.arange(10_000), values, columns=50)

    assert {5_001, 7_001} <= set(kept.tolist())


def test_points_without_a_place_are_left_out() -> None:
    assert keep_peaks([0, np.nan, np.inf, 3], [1, 2, 3, 4]).tolist() == [0, 3]


def test_places_that_go_back_are_thinned_in_their_order() -> None:
    places = np.concatenate([np.arange(5_000), np.arange(5_000)])

    kept = keep_peaks(places, np.arange(10_000) % 7, columns=10)

    assert (np.diff(kept) > 0).all()
    assert len(kept) <= 50


@given(
    values=arrays("f8", st.integers(0, 300), elements=st.floats(width=64)),
    columns=st.integers(1, 20),
)
def test_every_column_keeps_its_lowest_and_its_highest(
    values: np.ndarray[tuple[int], np.dtype[np.float64]], columns: int
) -> None:
    places = np.arange(len(values))

    kept = keep_peaks(places, values, columns)

    assert len(kept) <= max(5 * columns, 4 * columns)
    finite = values[np.isfinite(values)]
    left = values[kept][np.isfinite(values[kept])]
    assert len(finite) == 0 or (left.min(), left.max()) == (finite.min(), finite.max())
    if len(values):
        assert (kept[0], kept[-1]) == (0, len(values) - 1)
