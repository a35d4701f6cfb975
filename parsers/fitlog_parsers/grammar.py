"""The pieces that every dialect is written with: number and name fragments, `Rule` and `Dialect`.

A dialect is data, a tuple of rules, so that it can be listed, tested and extended without touching
the reader. The fragments use possessive quantifiers where a run of characters can end in one place
only: no pattern backtracks more than linearly in the line. `building` turns matches into records.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

from fitlog_parsers.records import Record

# Eighteen digits fit into 64 bits; what is longer is no count.
INT = r"[0-9]{1,18}+"
# What C's printf and Python's % write for a float, and what Perl, R, Julia (`NaN`, `Inf`) and Java
# (`Infinity`) write for none; `[0-9]`, for \d takes in other scripts' digits.
FLOAT = r"[-+]?(?:[0-9]++(?:\.[0-9]*+)?(?:[eE][-+]?[0-9]++)?|[nN]a[nN]|[iI]nf(?:inity)?+)"
# Where two lines were glued together, the next record begins in the middle of a field.
NEXT_RECORD = r"(?:Epoch|Iter|Iteration)\["
# MXNet lets a metric have any name ('x y=z' is legal), but a tab ends a field, a comma separates
# fields in other writers' lines, and a number before a blank is a value and not part of a name. The
# bound keeps the time linear.
NAME = rf"(?:(?!{NEXT_RECORD}|={FLOAT}[ ])[^\t\r\n,]){{1,200}}?"
# Where a field's value must end, so that `0.5x` or `0.5, loss` is not read as 0.5.
FIELD_END = rf"(?=\t|[ \r]*+(?:$|{NEXT_RECORD}))"
# What is asked of a pattern.
_USED = ("match", "search", "fullmatch", "finditer", "findall", "groupindex", "pattern")
_NO_DIGIT = re.compile(r"[^0-9]$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One form of line: how to recognise it and what it says.

    `starts` are the literals a match can begin with: the reader looks for these before it tries any
    pattern, and takes a start that no pattern follows for text that nothing reads. Where a start is
    common in other text (`[`), `ahead` is a pattern of what must stand behind it to count as one.
    `pattern` is matched from the start on. `build` turns a match into records. `example` is a
    line that a real program wrote, `source` names that program. `ending` is found at the end of a
    record that is whole: a number has all the digits that its writer prints. Where nothing but the
    end of the log, or the next record, ends a line, that tells it from a torn one.

    Some writers spread a record over lines: `[Epoch 3] Validation:`, then `mAP=0.71` on the next.
    `opens` are the rules for such lines. They are tried at the beginning of each line that follows,
    or where the first of their `starts` stands if they have any, and a record of theirs that names
    no epoch has that of the line that opened them. They are in force until a line that none of them
    reads or, where `stays` is set, until a line that opens rules anew.
    """

    name: str
    starts: tuple[str, ...] = ()
    ahead: str = ""
    pattern: re.Pattern[str]
    build: Callable[[re.Match[str]], tuple[Record, ...]]
    example: str
    source: str
    ending: re.Pattern[str] = _NO_DIGIT
    opens: tuple[Rule, ...] = ()
    stays: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """The lines of one family of writers; the first rule that matches decides.

    `about` says in a few words whose lines these are. Rules that two families share stand in both
    as the same object.
    """

    name: str
    about: str
    rules: tuple[Rule, ...]


def compile_pattern(pattern: str) -> re.Pattern[str]:
    """A verbose pattern; blanks that count are written as `[ ]`. It is compiled when first used."""
    return cast(re.Pattern[str], _Lazy(pattern))


class _Lazy:
    """What `re.compile` gives, made when needed: there are many, and no log needs them all."""

    def __init__(self, pattern: str) -> None:
        self._pattern = pattern

    def __getattr__(self, name: str) -> Any:
        if name not in _USED:
            raise AttributeError(name)
        compiled = re.compile(self._pattern, re.VERBOSE)
        for used in _USED:
            setattr(self, used, getattr(compiled, used))
        return getattr(self, name)
