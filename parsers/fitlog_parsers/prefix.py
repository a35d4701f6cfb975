"""What stands before a record on its line: the time stamp and the rank of the node that wrote it.

The text before a record is free: loggers, levels, colours, quotation marks of documents, another
program's output. What is not said in one line may be said by the others: `Clock` reads the lines of
a file in order and tells day from month, and when a day or a year ends whose number is not written.
"""

from __future__ import annotations

import re
from functools import partial
from typing import Final, NamedTuple

from fitlog_parsers.dates import (
    UNSETTLED,
    Order,
    day_turns,
    of_date,
    of_day,
    take_apart,
    year_turns,
)
from fitlog_parsers.grammar import compile_pattern
from fitlog_parsers.stamps import RANK, SECOND, YEAR, Stamp, find_stamp, minute_time

ANSI = re.compile(r"\x1b\[[0-9;]*+[A-Za-z]")

# `mpirun --tag-output` writes job and rank before every line, also before those within a record.
_TAGS = re.compile(r"(?:\[[0-9]{1,9},[0-9]{1,9}\]<std(?:out|err)>:)*+")
# A prefix is short; what lies further back is other output and costs time.
_REACH: Final = 256
_MOST_TIMELESS: Final = 256
_RANK = compile_pattern(RANK)
# The form that most logs have, with nothing else in it that a number could be said by.
_ISO = compile_pattern(
    rf"""[^0-9]*+({YEAR}-[0-9]{{2}}-[0-9]{{2}}[ T:][0-9]{{2}}:[0-9]{{2}}):([0-5][0-9])
    (?:[.,]([0-9]{{1,6}}))?+(?![ ]?[AaPp][Mm])(?:[ ]Node\[([0-9]{{1,9}})\])?+[^0-9]*+"""
)
_SCALE: Final = (0, 100_000, 10_000, 1000, 100, 10, 1)
# The forms of date whose order of day and month is open: what is between them, and with a year?
_FORMS: Final = (("/", True), (".", True), ("-", True), ("/", False), ("-", False))
_NO_DATE: Final = (
    "no-date",
    "time stamps without a date: counted from 1970-01-01, only their differences mean something",
)
_NO_YEAR: Final = ("no-year", "time stamps without a year: counted in 1972, a leap year")


class Prefix(NamedTuple):
    """`time`: microseconds since 1970 on the writer's clock; `node`: the rank; None: not said."""

    time: int | None
    node: int | None


_NOTHING = Prefix(None, None)


class Clock:
    """Reads what stands before the records of one file, in the order of its lines.

    `undecided` says that a stamp was met whose day and month cannot be told apart yet: until that
    changes, `read` may give out times that mean nothing before `settle` is asked. `findings` are
    pairs of a stable code and a text, each once.
    """

    def __init__(self) -> None:
        self.undecided = False
        self.findings: list[tuple[str, str]] = []
        self._timeless: dict[str, Prefix] = {}
        self._days, self._years = day_turns(), year_turns()
        self._orders = [Order(form, has_year=said) for form, (_, said) in enumerate(_FORMS)]

    def read(self, text: str) -> Prefix:
        """What the text before a record says; of several stamps or ranks the last one counts."""
        if not text:
            return _NOTHING
        if len(text) > _REACH:  # a letter stands for what is cut off, so that no word begins there
            text = "x" + text[-_REACH:]
        known = self._timeless.get(text)
        if known is not None:
            return known
        match = _ISO.fullmatch(text)
        if match is None:
            return self._read(text)
        minute, second, fraction, rank = match.groups()
        node = None if rank is None else int(rank)
        time = minute_time(minute)
        if time is None:
            return Prefix(None, node)
        if fraction:
            time += int(fraction) * _SCALE[len(fraction)]
        return Prefix(time + int(second) * SECOND, node)

    def settle(self, time: int) -> int | None:
        """What a time from `read` means now that more is read; None: not told."""
        if time < UNSETTLED:
            return time
        form, time, years = take_apart(time)
        return self._orders[form].settle(time, years)

    def close(self) -> None:
        """The file ends: what is undecided stays unknown."""
        for order in self._orders:
            if not order.close():
                self._say_order(order)
        self.undecided = False

    def _read(self, text: str) -> Prefix:
        plain = ANSI.sub("", text) if "\x1b" in text else text
        node = _rank(plain) if "[" in plain else None
        stamp = find_stamp(plain)
        if stamp is not None:
            return Prefix(self._time(stamp), node)
        if len(self._timeless) >= _MOST_TIMELESS:
            self._timeless.clear()
        self._timeless[text] = prefix = Prefix(None, node)
        return prefix

    def _time(self, stamp: Stamp) -> int | None:
        if stamp.first is None:
            time = self._days.place(partial(of_day, stamp))
        elif stamp.mark:
            time = self._open_order(stamp)
        elif stamp.year is None:
            time = self._years.place(partial(of_date, stamp))
        else:
            return of_date(stamp)
        if time is not None and stamp.year is None:
            self._say(*(_NO_DATE if stamp.first is None else _NO_YEAR))
        return time

    def _open_order(self, stamp: Stamp) -> int | None:
        order = self._orders[_FORMS.index((stamp.mark, stamp.year is not None))]
        was_open = order.is_open
        time = order.read(stamp)
        if order.is_mixed:
            self._say_order(order)
        if order.is_open is not was_open:
            self.undecided = any(order.is_open for order in self._orders)
        return time

    def _say_order(self, order: Order) -> None:
        if order.example:
            text = f"day and month cannot be told apart, as in {order.example}: no times"
            self._say("date-order", text)

    def _say(self, code: str, text: str) -> None:
        if all(code != said for said, _ in self.findings):
            self.findings.append((code, text))


def rank_tag(line: str) -> str:
    """What mpirun wrote before a line to tell whose it is; empty where it wrote nothing."""
    tags = _TAGS.match(line)
    return tags[0] if tags else ""


def _rank(text: str) -> int | None:
    rank = None
    for match in _RANK.finditer(text):
        rank = match["node"] or match["mpi_rank"] or match["rank"]
    return None if rank is None else int(rank)
