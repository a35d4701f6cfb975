"""The statistics of a history: levels, where they change, and the spread of runs."""

from __future__ import annotations

import math
import random
import statistics

import pytest

from fitlog.history import (
    best_segment,
    error_against_level,
    find_segments,
    huber_location,
    qn_scale,
    spread_of,
)


def noisy(level: float, count: int, seed: int, spread: float = 0.01) -> list[float]:
    source = random.Random(seed)
    return [level + source.gauss(0, spread) for _ in range(count)]


def test_qn_of_five_values_is_what_its_definition_gives() -> None:
    # Of the 10 distances 1, 1, 1, 2, 2, 3, 96, 97, 98, 99 the third, for h = 3 and 3 over 2 = 3.
    assert qn_scale([1.0, 2.0, 3.0, 4.0, 100.0]) == pytest.approx(2.2219 * 0.844 * 1.0)


@pytest.mark.parametrize("count", [10, 29, 60])
def test_qn_tells_the_standard_deviation_of_normal_data(count: int) -> None:
    source = random.Random(count)
    told = [qn_scale([source.gauss(3, 2) for _ in range(count)]) for _ in range(400)]

    assert statistics.fmean(told) == pytest.approx(2, rel=0.05)


def test_huber_is_the_mean_of_near_values_and_is_not_moved_far_by_one_far_off() -> None:
    values = [1.0, 1.1, 0.9, 1.05, 0.95]

    assert huber_location(values, 0.5) == pytest.approx(statistics.fmean(values))
    assert huber_location([*values, 1e6], 0.1) == pytest.approx(1.0, abs=0.05)
    assert huber_location([7.0], 0.1) == 7.0
    assert huber_location([1.0, 2.0], 0.1) == pytest.approx(1.5)


def test_steady_runs_are_one_level_but_for_one_history_in_thirty() -> None:
    divided = sum(len(find_segments(noisy(9, 30, seed))) > 1 for seed in range(300))

    assert divided <= 10


def test_a_change_of_level_is_found_where_it_happened() -> None:
    segments = find_segments([*noisy(9.0, 20, 1), *noisy(8.9, 10, 2)])

    assert [(segment.first, segment.end) for segment in segments] == [(0, 20), (20, 30)]
    assert segments[1].level == pytest.approx(8.9, abs=0.01)


def test_fewer_than_five_slow_runs_are_outliers_and_no_level() -> None:
    segments = find_segments([*noisy(9.0, 12, 1), 8.0, 8.0, 8.0, *noisy(9.0, 12, 2)])

    assert len(segments) == 1


def test_an_accepted_run_begins_a_level_whatever_the_numbers_say() -> None:
    segments = find_segments(noisy(9.0, 12, 3), accepted=[10])

    assert [(segment.first, segment.end) for segment in segments] == [(0, 10), (10, 12)]


def test_few_runs_no_runs_and_equal_runs_have_levels_too() -> None:
    assert find_segments([]) == []
    assert [s.level for s in find_segments([1.0, 3.0])] == [2.0]
    assert len(find_segments([5.0] * 30)) == 1


def test_of_a_long_history_only_the_last_runs_are_divided() -> None:
    segments = find_segments([*noisy(8.0, 20, 1), *noisy(9.0, 20, 1), *noisy(9.0, 60, 2)])

    assert (segments[0].first, segments[0].end) == (0, 40)
    assert segments[-1].end == 100


def test_a_change_of_level_does_not_count_as_spread() -> None:
    values = [*noisy(9.0, 20, 1), *noisy(8.5, 20, 2)]

    spread = spread_of(values, find_segments(values), cut_off=2.5)

    assert spread.value == pytest.approx(0.01, rel=0.3)
    assert spread.df == 39


def test_equal_runs_promise_no_spread_of_nothing() -> None:
    values = [5.0] * 30

    assert spread_of(values, find_segments(values)).value >= 0.0015


def test_an_outlier_counts_for_more_the_further_out_it_is_cut_off() -> None:
    values = [*noisy(9.0, 20, 1), 8.5]
    segments = find_segments(values)

    further, nearer = (spread_of(values, segments, cut_off=cut) for cut in (4.0, 2.5))
    assert further.value > 1.1 * nearer.value


def test_the_error_shrinks_with_runs_on_either_side() -> None:
    assert error_against_level(0.02, 1, 30) > error_against_level(0.02, 3, 30)
    assert error_against_level(0.02, 1, 5) > error_against_level(0.02, 1, 50)
    assert error_against_level(0.02, 1, 10**6) == pytest.approx(0.02, rel=1e-3)


def test_the_best_level_is_the_fastest_that_lasted() -> None:
    values = [*noisy(8.8, 10, 1), *noisy(9.0, 10, 2), *noisy(8.9, 10, 3)]
    segments = find_segments(values)

    best = best_segment(segments)
    assert best is not None
    assert best.level == pytest.approx(9.0, abs=0.01)
    later = best_segment(segments, since=20)
    assert later is not None
    assert later.level == pytest.approx(8.9, abs=0.01)
    assert best_segment(find_segments([1.0, 2.0])) is None


def test_values_that_differ_by_much_are_divided_exactly() -> None:
    segments = find_segments([math.log(1e9)] * 10 + [math.log(1e-9)] * 10)

    assert [segment.first for segment in segments] == [0, 10]
