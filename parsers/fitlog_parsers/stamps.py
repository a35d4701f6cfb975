"""The forms of time stamp that loggers write before a record, found in text that may hold anything.

Times stand in other output too: durations, file names, the stamps of C++ lines that a torn write
left before the record. How strict the search is depends on how much of a date there is. A date
with its year, a month's name or glog's letter is told wherever it stands; a bare time of day, or
two bare numbers for a date, only at the beginning, behind levels, ranks and punctuation alone.
"""

from __future__ import annotations

import re
from datetime import date
from functools import lru_cache
from typing import Any, Final, NamedTuple

from fitlog_parsers.grammar import compile_pattern

SECOND: Final = 1_000_000
HOUR: Final = 3600 * SECOND
DAY: Final = 24 * HOUR
YEAR: Final = r"(?:19[7-9][0-9]|2[01][0-9]{2})"
# kvstore_server.py writes `Server[0]`, mpirun --tag-output `[1,3]<stderr>:` (job, rank).
RANK: Final = r"""(?:\b(?:(?:Node|Worker)\[(?P<node>[0-9]{1,9})\]|Server\[[0-9]{1,9}\])
    |[\[@][0-9]{1,9},(?P<mpi_rank>[0-9]{1,9})\]<std(?:err|out)>
    |\[[Rr]ank[ ]?(?P<rank>[0-9]{1,9})\])"""

_CLOCK = re.compile("[0-9]:[0-9]{2}")
# Where two stamps were glued together, the year of the second is no end of a fraction.
_TIME = r"""(?P<hour>[0-9]{1,2}):(?P<minute>[0-9]{2})
    (?::(?P<second>[0-9]{2})(?:[.,](?P<fraction>[0-9]{1,9}+)(?![-/.][0-9]{2}[-/.]))?+|(?!:[0-9]))
    (?![0-9])
    (?:[ ]?(?P<half>[AaPp])[Mm](?![A-Za-z]))?+"""
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_NAME = r"""(?P<name>Jan(?:uary)?|Feb(?:ruary)?|Mar(?:ch)?|Apr(?:il)?|May|June?|July?
    |Aug(?:ust)?|Sep(?:tember)?|Oct(?:ober)?|Nov(?:ember)?|Dec(?:ember)?)"""
_DATED = (
    # 2018-03-14 10:02:11,345; 2018/03/14T10:02:11Z; Sockeye: 2018-03-14:10:02:11. Digits that are
    # glued before it change nothing: the year has four.
    compile_pattern(
        rf"""(?P<year>{YEAR})(?P<mark>[-/.])(?P<month>[0-9]{{2}})(?P=mark)(?P<day>[0-9]{{2}})
        (?:[ T:_]|,?[ ]{{1,2}}|[ ]-[ ]){_TIME}"""
    ),
    # 14/03/2018 10:02:11 AM; 3/14/2018, 10:02; 14.03.2018 10:02:11
    compile_pattern(
        rf"""(?<![\w./-])(?P<first>[0-9]{{1,2}})(?P<mark>[-/.])(?P<other>[0-9]{{1,2}})(?P=mark)
        (?P<year>{YEAR})(?:[ T:_]|,?[ ]{{1,2}}|[ ]-[ ]){_TIME}"""
    ),
    # I0314 10:02:11 4710 (glog and mx.log); I20180314 10:02:11.345678 (glog 0.6); 20180314 10:02:11
    compile_pattern(
        rf"""(?<![\w.])(?:[CDEFIUW](?P<year>{YEAR})?+|(?P<packed_year>{YEAR}))
        (?P<month>[0-9]{{2}})(?P<day>[0-9]{{2}})[ T_]{_TIME}"""
    ),
    # Wed Mar 14 10:02:11 2018 (asctime); Wed Mar 14 10:02:11 UTC 2018 (date); Mar 14 10:02:11
    # (syslog); Mar 14, 2018 10:02:11 AM (java.util.logging); 2018-Mar-14 10:02:11
    compile_pattern(
        rf"""(?<![\w.])(?:(?P<year>{YEAR})[ /-])?{_NAME}[ /-][ ]?(?P<day>[0-9]{{1,2}})
        (?:,?[ ](?P<year_amid>{YEAR}))?,?[ ]{{1,2}}{_TIME}
        (?:[ ](?:[A-Z]{{3,5}}[ ])?(?P<year_last>{YEAR})(?![\w/-]))?"""
    ),
    # 14 Mar 2018 10:02:11,345 (log4j's DATE); 14/Mar/2018:10:02:11; 14-Mar-2018 10:02:11
    compile_pattern(
        rf"""(?<![\w.:/-])(?P<day>[0-9]{{1,2}})[ /-]{_NAME}
        (?:[ /-](?P<year>{YEAR})(?:[ :]|,[ ])|,?[ ]{{1,2}}){_TIME}"""
    ),
)
_OPENING = rf"""(?:{RANK}|(?i:info|debug|warn(?:ing)?|error|critical|fatal|trace|notice|root
    |[cdefiuw])(?!\w)|\W)*+"""
# 03-14 10:02 root; 03/14 10:02:11 AM; 10:02:11 INFO. An hour of one digit alone is a duration's.
_UNDATED = compile_pattern(
    rf"""{_OPENING}(?:(?P<first>[0-9]{{2}})(?P<mark>[-/])(?P<other>[0-9]{{2}})[ ]{{1,2}}
    |(?=[0-9]{{2}}:[0-9]{{2}}:[0-9]|[0-9]:[0-9]{{2}}:[0-9]{{2}}[ ]?[AaPp][Mm])){_TIME}(?!:[0-9])"""
)
# `../src/io/iterator.cc:91: ` of dmlc, `kvstore.cc:12] ` of glog: a stamp before these is theirs.
_CPP_SOURCE = re.compile(r"\.(?:c|h|cu)[a-z]{0,2}:[0-9]++[:\]]")
_YEARS = ("year", "packed_year", "year_amid", "year_last")
_DAY_0: Final = date(1970, 1, 1).toordinal()


class Stamp(NamedTuple):
    """A time stamp as written; a year or a date that it lacks is None.

    `of_day` is in microseconds. `first` and `other` are month and day. Where `mark` is set, the
    form leaves open which is which; `mark` is what stands between them.
    """

    of_day: int
    year: int | None = None
    first: int | None = None
    other: int | None = None
    mark: str = ""


def find_stamp(text: str) -> Stamp | None:
    """The last stamp of the text; None without one, or for one with an hour that does not exist."""
    if _CLOCK.search(text) is None:
        return None
    last: re.Match[str] | None = None
    for pattern in _DATED:
        for match in pattern.finditer(text):
            if last is None or match.start() > last.start():
                last = match
    if last is None:
        last = _UNDATED.match(text, text.rfind("\r") + 1)
    if last is None or _CPP_SOURCE.search(text, last.end()):
        return None
    return _stamp(last.groupdict())


@lru_cache(maxsize=256)
def day_time(year: int, month: int, day: int) -> int | None:
    """Microseconds from 1970 to a day; None for one that does not exist, as 2017-02-30."""
    try:
        return (date(year, month, day).toordinal() - _DAY_0) * DAY
    except ValueError:
        return None


@lru_cache(maxsize=256)
def minute_time(text: str) -> int | None:
    """Microseconds from 1970 to `2018-03-14 10:02`, whatever the separators."""
    day = day_time(int(text[:4]), int(text[5:7]), int(text[8:10]))
    hour, minute = int(text[11:13]), int(text[14:])
    if day is None or hour > 23 or minute > 59:
        return None
    return day + hour * HOUR + minute * 60 * SECOND


def year_of(time: int) -> int:
    """The year of a time since 1970."""
    return date.fromordinal(_DAY_0 + time // DAY).year


def swap_month_and_day(time: int, years: int) -> int | None:
    """What a time means when its month was the day, so many years later."""
    moment = date.fromordinal(_DAY_0 + time // DAY)
    day = day_time(moment.year + years, moment.day, moment.month)
    return None if day is None else day + time % DAY


def _stamp(said: dict[str, str | Any]) -> Stamp | None:
    of_day = _of_day(said)
    if of_day is None:
        return None
    year = next((int(said[key]) for key in _YEARS if said.get(key)), None)
    if said.get("first"):
        return Stamp(of_day, year, int(said["first"]), int(said["other"]), said["mark"])
    if said.get("name"):
        return Stamp(of_day, year, _MONTHS.index(said["name"][:3]) + 1, int(said["day"]))
    if said.get("month"):
        return Stamp(of_day, year, int(said["month"]), int(said["day"]))
    return Stamp(of_day)


def _of_day(said: dict[str, str | Any]) -> int | None:
    hour, minute, second = int(said["hour"]), int(said["minute"]), int(said["second"] or 0)
    if said["half"]:
        is_afternoon = said["half"] in "Pp"
        if 1 <= hour <= 12:
            hour = hour % 12 + 12 * is_afternoon
        elif is_afternoon != (hour >= 12):  # `%H:%M %p` writes 18:08 PM
            return None
    if hour > 23 or minute > 59 or second > 59:
        return None
    micros = int((said["fraction"] or "0")[:6].ljust(6, "0"))
    return hour * HOUR + (minute * 60 + second) * SECOND + micros
