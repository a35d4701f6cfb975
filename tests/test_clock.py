"""What the time stamps of one file tell of each other: order, midnight, the new year."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fitlog_parsers.prefix import Clock
from stamped import codes, shown, times


def test_a_day_above_twelve_tells_the_order_for_the_whole_file() -> None:
    clock = Clock()

    early = clock.read("03/07/2018 10:02:11 ").time
    assert clock.undecided
    assert early is not None
    assert clock.settle(early) is None
    late = clock.read("13/07/2018 10:02:11 ").time

    assert not clock.undecided
    assert shown(clock.settle(early)) == "2018-07-03 10:02:11"
    assert shown(late) == "2018-07-13 10:02:11"
    assert shown(clock.read("04/08/2018 10:02:11 ").time) == "2018-08-04 10:02:11"


def test_a_time_that_is_sure_is_settled_as_it_is() -> None:
    clock = Clock()
    sure = clock.read("2018-03-14 10:02:11,345 ").time
    clock.read("03/07/2018 10:02:11 ")

    assert sure is not None
    assert clock.settle(sure) == sure


@pytest.mark.parametrize(
    ("texts", "said"),
    [
        (
            ["03/07/2018 10:02:11 ", "03/14/2018 10:02:11 "],
            ["2018-03-07 10:02:11", "2018-03-14 10:02:11"],
        ),
        (
            ["03.07.2018 23:59:50 ", "04.07.2018 00:00:10 "],
            ["2018-07-03 23:59:50", "2018-07-04 00:00:10"],
        ),
        (
            ["03/07/2018 11:59:50 PM ", "03/08/2018 12:00:10 AM "],
            ["2018-03-07 23:59:50", "2018-03-08 00:00:10"],
        ),
        (
            ["05/05/2018 23:59:50 ", "06/05/2018 00:00:10 "],
            ["2018-05-05 23:59:50", "2018-05-06 00:00:10"],
        ),
        # A month later, a day later: both are silent for long.
        (["03/07/2018 10:00:00 ", "04/07/2018 18:00:00 "], [None, None]),
        (["05/05/2018 10:00:00 ", "05/06/2018 18:00:00 "], ["2018-05-05 10:00:00", None]),
        # Each form has its own order.
        (["03/07/2018 10:02:11 ", "16.07.2018 10:02:11 "], [None, "2018-07-16 10:02:11"]),
        (["03-07-2018 10:02:11 ", "16/07/2018 10:02:11 "], [None, "2018-07-16 10:02:11"]),
        # Without a year.
        (["05-06 10:02:11 ", "13-06 10:02:11 "], ["1972-06-05 10:02:11", "1972-06-13 10:02:11"]),
        (["05-06 23:59:50 ", "06-06 00:00:10 "], ["1972-06-05 23:59:50", "1972-06-06 00:00:10"]),
        (["05-06 23:59:50 ", "05-07 00:00:10 "], ["1972-05-06 23:59:50", "1972-05-07 00:00:10"]),
        (["05/06 10:02:11 ", "05/07 10:02:11 "], ["1972-05-06 10:02:11", "1972-05-07 10:02:11"]),
        # A new year is told in the order that turns out to be the file's.
        (
            ["12-10 10:00:00 ", "01-05 10:00:00 ", "01-15 10:00:00 "],
            ["1972-12-10 10:00:00", "1973-01-05 10:00:00", "1973-01-15 10:00:00"],
        ),
        (
            ["10-12 10:00:00 ", "05-01 10:00:00 ", "15-01 10:00:00 "],
            ["1972-12-10 10:00:00", "1973-01-05 10:00:00", "1973-01-15 10:00:00"],
        ),
    ],
)
def test_day_and_month_are_told_apart_over_the_file(
    texts: list[str], said: list[str | None]
) -> None:
    assert times(*texts) == said


def test_dates_of_both_orders_tell_no_more_than_each_says_itself() -> None:
    texts = ("16/06/2019 10:00:00 ", "06/17/2019 10:00:00 ", "07/06/2019 10:00:00 ")

    assert times(*texts) == ["2019-06-16 10:00:00", "2019-06-17 10:00:00", None]
    assert codes(*texts) == ["date-order"]


@pytest.mark.parametrize(
    ("texts", "said"),
    [
        # Past midnight, twice.
        (
            ["23:59:59 ", "00:00:01 ", "12:00:00 ", "23:00:00 ", "01:00:00 "],
            [
                "01-01 23:59:59",
                "01-02 00:00:01",
                "01-02 12:00:00",
                "01-02 23:00:00",
                "01-03 01:00:00",
            ],
        ),
        # Writers that are not quite at one, by day and at midnight.
        (
            ["10:00:01 ", "10:00:00 ", "23:59:59 ", "00:00:01 ", "23:59:58 ", "00:00:02 "],
            [
                "01-01 10:00:01",
                "01-01 10:00:00",
                "01-01 23:59:59",
                "01-02 00:00:01",
                "01-01 23:59:58",
                "01-02 00:00:02",
            ],
        ),
        (["06:00:00 ", "23:30:00 "], ["01-01 06:00:00", "01-01 23:30:00"]),
        (["22:00:00 ", "11:00:00 "], ["01-01 22:00:00", "01-01 11:00:00"]),
        (["22:00:00 ", "09:59:59 "], ["01-01 22:00:00", "01-02 09:59:59"]),
    ],
)
def test_a_clock_that_goes_back_half_a_day_is_on_the_next_day(
    texts: list[str], said: list[str]
) -> None:
    assert times(*texts) == [f"1970-{each}" for each in said]


def test_a_clock_that_starts_at_midnight_may_step_back_across_it() -> None:
    assert times("00:00:01 ", "23:59:59 ", "00:00:02 ") == [
        "1970-01-01 00:00:01",
        "1969-12-31 23:59:59",
        "1970-01-01 00:00:02",
    ]


def test_the_new_year_is_told_without_years() -> None:
    assert times(
        "I1231 23:59:59 3 a.py:9] ",
        "I0101 00:00:01 3 a.py:9] ",
        "I1231 23:59:58 3 a.py:9] ",
        "I0101 00:00:02 3 a.py:9] ",
        "I0301 00:00:00 3 a.py:9] ",
        "I0228 23:59:59 3 a.py:9] ",
    ) == [
        "1972-12-31 23:59:59",
        "1973-01-01 00:00:01",
        "1972-12-31 23:59:58",
        "1973-01-01 00:00:02",
        "1973-03-01 00:00:00",
        "1973-02-28 23:59:59",
    ]


def test_a_day_that_the_counted_year_has_not_is_no_time_and_disturbs_none() -> None:
    assert times(
        "Dec 31 10:00:00 ", "Jan 01 10:00:00 ", "Feb 29 10:00:00 ", "Mar 01 10:00:00 "
    ) == [
        "1972-12-31 10:00:00",
        "1973-01-01 10:00:00",
        None,
        "1973-03-01 10:00:00",
    ]


def test_forms_in_one_file_do_not_disturb_each_other() -> None:
    assert times(
        "2018-03-14 23:59:59,345 ",
        "23:59:59 INFO:",
        "Mar 14 23:59:59 ",
        "2018-03-15 00:00:01,000 ",
        "00:00:01 INFO:",
        "16/03/2018 10:00:00 ",
    ) == [
        "2018-03-14 23:59:59.345000",
        "1970-01-01 23:59:59",
        "1972-03-14 23:59:59",
        "2018-03-15 00:00:01",
        "1970-01-02 00:00:01",
        "2018-03-16 10:00:00",
    ]


@pytest.mark.parametrize(
    ("texts", "said"),
    [
        (["2018-03-14 10:02:11,345 "], []),
        (["05:52:13 ", "05:52:14 "], ["no-date"]),
        (["I0514 01:36:57 4710 a.py:9] ", "Mar 14 10:02:11 "], ["no-year"]),
        (["05-06 10:02:11 "], ["no-year"]),
        (["03/07/2018 10:02:11 ", "03/08/2018 10:02:11 "], ["date-order"]),
        (["03/07/2018 10:02:11 ", "13/07/2018 10:02:11 "], []),
        (["03/07/2018 10:02:11 ", "05.06.2018 10:02:11 "], ["date-order"]),
        (["05/05/2018 10:02:11 "], []),
        (["16/06/2019 10:00:00 ", "06/17/2019 10:00:00 "], []),
    ],
)
def test_what_the_stamps_lack_is_said_once(texts: list[str], said: list[str]) -> None:
    assert codes(*texts) == said


def test_a_finding_shows_the_date_that_cannot_be_told() -> None:
    clock = Clock()
    clock.read("03/07/2018 10:02:11 ")

    clock.close()

    assert clock.findings == [
        ("date-order", "day and month cannot be told apart, as in 03/07/2018: no times")
    ]


def test_after_the_end_nothing_is_undecided() -> None:
    clock = Clock()
    time = clock.read("03/07/2018 10:02:11 ").time

    clock.close()

    assert not clock.undecided
    assert time is not None
    assert clock.settle(time) is None


@given(
    start=st.datetimes(datetime(2018, 1, 1), datetime(2018, 12, 31)),
    steps=st.lists(st.timedeltas(timedelta(0), timedelta(days=10)), max_size=30),
    form=st.sampled_from(["%d/%m/%Y %H:%M:%S ", "%m-%d-%Y %I:%M:%S %p "]),
)
def test_a_log_with_dates_in_an_open_order_is_read_right_or_not_at_all(
    start: datetime, steps: list[timedelta], form: str
) -> None:
    moments = [start.replace(microsecond=0)]
    for step in steps:
        moments.append((moments[-1] + step).replace(microsecond=0))

    read = times(*(moment.strftime(form) for moment in moments))

    assert all(time in (None, str(moment)) for time, moment in zip(read, moments, strict=True))


@given(
    start=st.datetimes(datetime(1972, 1, 1), datetime(1972, 12, 31)),
    steps=st.lists(st.timedeltas(timedelta(0), timedelta(hours=11)), max_size=30),
)
def test_times_of_day_run_on_over_every_midnight(start: datetime, steps: list[timedelta]) -> None:
    moments = [start]
    for step in steps:
        moments.append(moments[-1] + step)
    clock = Clock()

    read = [clock.read(moment.strftime("%H:%M:%S,%f ")).time for moment in moments]

    first = read[0] or 0
    assert [(each or 0) - first for each in read] == [
        (moment - start) // timedelta(microseconds=1) for moment in moments
    ]


def test_a_log_that_turns_for_ever_runs_out_of_time_and_not_of_numbers() -> None:
    clock = Clock()
    read = [
        clock.read(f"I{month}01 10:00:00 3 a.py:9] ").time
        for _ in range(300)
        for month in ("12", "01")
    ]

    assert read[-1] is None
    assert shown(max(each for each in read if each is not None)) == "2199-12-01 10:00:00"
