"""Input that is made to hurt: giant lines, huge numbers, every way to cut it in pieces."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fitlog_parsers import LogReader, Row
from fitlog_parsers.lines import MAX_LINE_BYTES
from lines import read, records, unparsed


def test_a_line_over_the_limit_is_reported_and_the_next_one_is_read() -> None:
    text = b"x" * (MAX_LINE_BYTES + 1) + b"\nEpoch[0] Time cost=1.000\n"

    assert len(records(text)) == 1
    assert [(line, len(shown)) for line, shown, _ in unparsed(text)] == [(1, 1000)]


def test_a_line_at_the_limit_is_read() -> None:
    tail = b"Epoch[0] Time cost=1.000"

    assert len(records(b"x" * (MAX_LINE_BYTES - len(tail)) + tail + b"\n")) == 1


def test_a_reader_keeps_no_more_than_a_line() -> None:
    reader = LogReader()

    for _ in range(64):
        reader.feed(b"x" * (1 << 18))

    assert len(reader._buffer._rest) <= MAX_LINE_BYTES


def test_the_text_of_an_unread_record_is_kept_short() -> None:
    ((_, text, _),) = unparsed("Epoch[0] " + "x" * 100_000 + "\n")

    assert len(text) < 1100
    assert text.endswith("...")


@pytest.mark.parametrize(
    "line",
    [
        "[Epoch 0 Batch 200/518] loss 1e99999999999999999999",
        "[Epoch 0 Batch 200/518] loss 6.12, throughput 1e999999K wps",
        f"Epoch 0. Train_acc 0.5, Time {'9' * 400}:00:00",
    ],
)
def test_a_number_beyond_all_numbers_is_reported_and_not_read(line: str) -> None:
    assert records(line + "\n") == []
    assert [text for _, text, _ in unparsed(line + "\n")] == [line]


ODD_PIECES = [
    "Epoch[0] Batch [0-20]\tSpeed: 9.50 samples/sec\ta=0.500000\n",
    "Epoch[0] Batch [20]\tSpeed: 9.50 samples/sec\tTrain-a=0.500000\n",
    "Epoch[1] Train-x y=z=nan\r\n",
    "Epoch[1] Time cost=1.250\n",
    "Epoch[1] Validation-a=1e-05\n",
    "2018-03-07 10:29:27,419 Node[2] Epoch[0] Time cost=3.000\n",
    "Iter[0] Batch[3] Train-a=0.25",
    "Epoch[",
    "\n",
    "\r",
    "\ufeff",
    "\x00",
    "\x1b[32m",
    "训练\n",
    "samples/sec",
    "x" * 300,
]
ODD_TEXT = st.lists(st.sampled_from(ODD_PIECES) | st.text(max_size=20), max_size=30).map("".join)


@given(ODD_TEXT, st.data())
def test_the_cutting_of_the_input_changes_nothing(text: str, data: st.DataObject) -> None:
    raw = text.encode("utf-8", "surrogatepass")
    cuts = sorted(data.draw(st.lists(st.integers(0, len(raw)), max_size=8)))
    reader = LogReader()

    pieces = [raw[a:b] for a, b in zip([0, *cuts], [*cuts, len(raw)], strict=True)]
    entries = [entry for piece in pieces for entry in reader.feed(piece)] + reader.close()

    assert [repr(entry) for entry in entries] == [repr(entry) for entry in read(raw)]


def test_a_log_fed_byte_by_byte_reads_the_same() -> None:
    raw = "".join(ODD_PIECES).encode("utf-16")
    reader = LogReader()

    entries = [e for i in range(len(raw)) for e in reader.feed(raw[i : i + 1])] + reader.close()

    assert [repr(entry) for entry in entries] == [repr(entry) for entry in read(raw)]
    assert any(isinstance(entry, Row) for entry in entries)
