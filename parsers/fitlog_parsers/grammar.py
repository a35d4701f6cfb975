"""The pieces that every dialect is written with: number and name fragments, `Rule` and `Dialect`.

A dialect is data, a tuple of rules, so that it can be listed, tested and extended without touching
the reader. The fragments use possessive quantifiers where a run of characters can end in one place
only: no pattern backtracks more than linearly in the line.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from fitlog_parsers.records import Record

# Eighteen digits fit into 64 bits; what is longer is no count.
INT = r"[0-9]{1,18}+"
# What C's printf and Python's % write for a float; `[0-9]`, for \d takes in other scripts' digits.
FLOAT = r"[-+]?(?:[0-9]++(?:\.[0-9]*+)?(?:[eE][-+]?[0-9]++)?|nan|inf)"
# MXNet lets a metric have any name ('x y=z' is legal). A tab ends a field, a comma separates fields
# in other writers' lines, and `Epoch[` begins the next record where two lines were glued together.
NAME = r"(?:(?!Epoch\[)[^\t\r\n,])+?"
# Where a field's value must end, so that `0.5x` or `0.5, loss` is not read as 0.5.
FIELD_END = r"(?=\t|[ \r]*+(?:$|Epoch\[))"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One form of line: how to recognise it and what it says.

    `starts` are the literals a match can begin with: the reader looks for these before it tries any
    pattern. `pattern` is matched from there on. `build` turns a match into records. `example` is a
    line that a real program wrote, `source` names that program. `decimals` is how many digits the
    writer prints after the point of a number that ends the line: it tells a torn last line from a
    whole one (None: not known).
    """

    name: str
    starts: tuple[str, ...]
    pattern: re.Pattern[str]
    build: Callable[[re.Match[str]], tuple[Record, ...]]
    example: str
    source: str
    decimals: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """The lines of one family of writers; the first rule that matches decides."""

    name: str
    title: str
    rules: tuple[Rule, ...]


def compile_pattern(pattern: str) -> re.Pattern[str]:
    """Compile a verbose pattern; blanks that count are written as `[ ]`."""
    return re.compile(pattern, re.VERBOSE)
