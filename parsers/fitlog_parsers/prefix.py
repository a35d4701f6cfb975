"""What stands before a record on its line: the time stamp and the rank of the node that wrote it.

The text before a record is free: loggers, levels, colours, quotation marks of documents, another
program's output. Only what can be told for certain is taken from it, and no time is invented: a
stamp without its date, or with day and month in an unknown order, is left out.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import NamedTuple

ANSI = re.compile(r"\x1b\[[0-9;]*+[A-Za-z]")

_TIME = re.compile(
    r"(?<![0-9])([0-9]{4})-([0-9]{2})-([0-9]{2})"
    r"[ T:]([0-9]{2}):([0-9]{2}):([0-9]{2})(?:[.,]([0-9]{1,6}))?+(?![ ]?[AP]M)"
)
# `mpirun --tag-output` writes job and rank before every line, also before those within a record.
_TAG = r"\[[0-9]{1,9},([0-9]{1,9})\]<std(?:out|err)>:"
_TAGS = re.compile(rf"(?:{_TAG})*+")
_NODE = re.compile(rf"\bNode\[([0-9]{{1,9}})\]|{_TAG}")
_EPOCH = datetime(1970, 1, 1)
_MICROSECOND = timedelta(microseconds=1)
# A prefix is short; what lies further back is other output and costs time.
_REACH = 256


class Prefix(NamedTuple):
    """`time`: microseconds since 1970 on the writer's clock; `node`: the rank; None: not said."""

    time: int | None
    node: int | None


_NOTHING = Prefix(None, None)


def parse_prefix(text: str) -> Prefix:
    """Read what the text before a record says; of several stamps or ranks the last one counts."""
    if not text:
        return _NOTHING
    text = text[-_REACH:]
    nodes = _NODE.findall(text)
    return Prefix(_time(text), int("".join(nodes[-1])) if nodes else None)


def rank_tag(line: str) -> str:
    """What mpirun wrote before a line to tell whose it is; empty where it wrote nothing."""
    tags = _TAGS.match(line)
    return tags[0] if tags else ""


def _time(text: str) -> int | None:
    found = _TIME.findall(text)
    if not found:
        return None
    year, month, day, hour, minute, second, fraction = found[-1]
    try:
        moment = datetime(int(year), int(month), int(day), int(hour), int(minute), int(second))
    except ValueError:  # 2017-02-30: looks like a date and is none
        return None
    return (moment - _EPOCH) // _MICROSECOND + int(fraction.ljust(6, "0") or 0)
