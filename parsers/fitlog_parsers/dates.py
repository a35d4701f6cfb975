"""From time stamps to times where the date is not all there: `Turns` and `Order`.

A time of day counts from 1970-01-01, a stamp without a year in 1972, and the lines before tell
when the next day or year has come. Of two numbers that may be day or month either way, the whole
file tells which is which: by a number above 12, or by a midnight at which one of them grows.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Final

from fitlog_parsers.stamps import DAY, HOUR, Stamp, day_time, swap_month_and_day, year_of

# Times that are not settled lie above all others: bits 53 on say how to read the rest.
UNSETTLED: Final = 1 << 53
# 1972 has a 29 February, as the year that is not told may have.
_YEAR_0: Final = 1972
_LAST_YEAR: Final = 2199
_MOST_YEARS: Final = 32
# Two stamps so close are of one night: were they a month apart, the log would have stopped for a
# month to the hour.
_ONE_NIGHT: Final = 6 * HOUR
_MONTH_APART: Final = 20 * DAY


class Turns:
    """Places what repeats, a time of the day or a date of the year, after what was placed before.

    A step back by more than half a period is the next one. Several writers in one log make smaller
    steps back, also across the turn: what would be ahead by nearly a period is just before it.
    """

    def __init__(self, half: int, nearly: int) -> None:
        self._half, self._nearly = half, nearly
        self._turn = 0
        self._latest: int | None = None

    def place(self, at: Callable[[int], int | None]) -> int | None:
        """The time that `at` has in the period (counted from 0) that the stamp belongs to."""
        time = at(self._turn)
        if time is None:
            return None
        if self._latest is None:
            self._latest = time
            return time
        if time - self._latest > self._nearly:
            return at(self._turn - 1)
        if self._latest - time > self._half:
            time = at(self._turn + 1)
            if time is None:
                return None
            self._turn += 1
        self._latest = max(self._latest, time)
        return time


def day_turns() -> Turns:
    """Turns of times of day."""
    return Turns(DAY // 2, DAY - HOUR)


def year_turns() -> Turns:
    """Turns of dates without a year."""
    return Turns(183 * DAY, 364 * DAY)


def of_day(stamp: Stamp, turn: int) -> int | None:
    """The time of a stamp without a date on the day of this number."""
    time = turn * DAY + stamp.of_day
    return time if time < UNSETTLED else None


def of_date(stamp: Stamp, turn: int = 0, *, day_first: bool = False) -> int | None:
    """The time of a stamp with a date, in the year of this number if it states none."""
    month, day = stamp.first or 0, stamp.other or 0
    if day_first:
        month, day = day, month
    year = _YEAR_0 + turn if stamp.year is None else stamp.year
    time = day_time(year, month, day) if year <= _LAST_YEAR else None
    return None if time is None else time + stamp.of_day


class Order:
    """The order of day and month in one form of date, as far as it is told.

    `is_open`: times were given out that wait for it. `is_mixed`: both orders were met, so that a
    date which does not say its own has no time. `example` is the first that does not.
    """

    def __init__(self, form: int, *, has_year: bool) -> None:
        self.day_first: bool | None = None
        self.is_open = False
        self.is_mixed = False
        self.example = ""
        self._form, self._has_year = form, has_year
        self._turns = (year_turns(), year_turns())
        self._last: tuple[int, int] | None = None

    def read(self, stamp: Stamp) -> int | None:
        """The time of the stamp, or one to settle later: it is `UNSETTLED` or more."""
        if self.day_first is not None:
            time = self._place(stamp, day_first=self.day_first)
            if time is not None:
                return time
        by_month = self._place(stamp, day_first=False)
        by_day = self._place(stamp, day_first=True)
        if by_month is None or by_day is None:
            time = by_day if by_month is None else by_month
            if time is not None:
                self._decide(day_first=by_month is None)
            return time
        self._weigh(by_month, by_day)
        self._last = by_month, by_day
        if self.day_first is not None:
            return by_day if self.day_first else by_month
        return by_month if by_month == by_day else self._wait(stamp, by_month, by_day)

    def settle(self, time: int, years: int) -> int | None:
        """What a time means that `read` gave out, without its mark."""
        if self.day_first is None:
            return None
        return swap_month_and_day(time, years) if self.day_first else time

    def close(self) -> bool:
        """Whether the order is known when nothing more will tell it.

        Without a year the month is taken to be first: `%m-%d` is what Python's logging cookbook
        writes and `%m/%d` what people make of it.
        """
        if self.is_open and not self._has_year:
            self._decide(day_first=False)
        is_told, self.is_open = not self.is_open, False
        return is_told

    def _place(self, stamp: Stamp, *, day_first: bool) -> int | None:
        at = partial(of_date, stamp, day_first=day_first)
        return at(0) if self._has_year else self._turns[day_first].place(at)

    def _decide(self, *, day_first: bool) -> None:
        if self.day_first is not None:
            self.is_mixed, self.day_first = True, None
        elif not self.is_mixed:
            self.day_first, self.is_open = day_first, False

    def _weigh(self, by_month: int, by_day: int) -> None:
        if self._last is None or self.is_mixed:
            return
        gap_by_month, gap_by_day = abs(by_month - self._last[0]), abs(by_day - self._last[1])
        if gap_by_day <= _ONE_NIGHT and gap_by_month >= _MONTH_APART:
            self._decide(day_first=True)
        elif gap_by_month <= _ONE_NIGHT and gap_by_day >= _MONTH_APART:
            self._decide(day_first=False)

    def _wait(self, stamp: Stamp, by_month: int, by_day: int) -> int | None:
        if not self.example:
            year = "" if stamp.year is None else f"{stamp.mark}{stamp.year}"
            self.example = f"{stamp.first:02}{stamp.mark}{stamp.other:02}{year}"
        years = year_of(by_day) - year_of(by_month) + _MOST_YEARS
        if self.is_mixed or not 0 <= years < 2 * _MOST_YEARS:
            return None
        self.is_open = True
        return by_month + ((self._form * 2 * _MOST_YEARS + years + 1) << 53)


def take_apart(time: int) -> tuple[int, int, int]:
    """The form, the time and the years between its readings, of a time that is to be settled."""
    form, years = divmod(time // UNSETTLED - 1, 2 * _MOST_YEARS)
    return form, time % UNSETTLED, years - _MOST_YEARS
