"""What the writer writes is read back; what no line says is refused."""

from __future__ import annotations

import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fitlog_parsers import Metric, Record, format_line
from lines import records, speed, whole, window

# What the grammar reads as something else than a name: see NAME in grammar.py.
NO_NAME = re.compile(r"^Train-|(?:Epoch|Iter|Iteration)\[|=[-+]?(?:[0-9.]|nan|inf)\S* ")
NAMES = st.text(
    st.characters(
        codec="utf-8", exclude_categories=["Cc", "Cs", "Zl", "Zp"], exclude_characters=","
    ),
    min_size=1,
    max_size=12,
).filter(lambda name: name == name.strip() and not NO_NAME.search(name))
VALUES = st.integers(-(10**12), 10**12).map(lambda n: n / 1e6) | st.sampled_from(
    [math.inf, math.nan]
)


@given(st.integers(0, 9999), st.integers(-50, 10**6), st.integers(0, 10**6), VALUES, st.data())
def test_what_the_writer_writes_is_read_back(
    epoch: int, start: int, end: int, value: float, data: st.DataObject
) -> None:
    names = data.draw(st.lists(NAMES, max_size=4, unique=True))
    said: list[Record] = [
        speed(epoch, start, end, round(abs(value), 2))
        if value == value
        else speed(epoch, start, end, 1.0)
    ]
    said += window(epoch, start, end, dict.fromkeys(names, value))
    closing = whole(epoch, "validation", data.draw(NAMES), value)

    lines = format_line(said) + "\n" + format_line([closing]) + "\n"

    assert [repr(record) for record in records(lines)] == [repr(r) for r in [*said, closing]]


@pytest.mark.parametrize(
    "said",
    [
        [],
        [whole(0, "train", "a", 0.5), whole(0, "train", "b", 0.5)],
        [speed(0, 0, 20, 1.0), whole(0, "train", "a", 0.5)],
        [speed(None, None, 20, 1.0), *window(0, None, 20, {"a": 0.5})],
        [Metric(epoch=None, split="train", scope="epoch", metric="a", value=0.5)],
    ],
)
def test_the_writer_refuses_what_no_line_says(said: list[Record]) -> None:
    with pytest.raises(ValueError, match=r"no line of MXNet's|does not belong"):
        format_line(said)
