"""The reader: forms, oddities, torn lines, and that the cutting of the input changes nothing."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fitlog_parsers import (
    DIALECTS,
    Event,
    Finding,
    LogReader,
    Metric,
    Record,
    Row,
    Speed,
    Unparsed,
    format_line,
)
from fitlog_parsers.reader import MAX_LINE_BYTES
from fitlog_parsers.runs import Entry


def read(text: str | bytes) -> list[Entry]:
    reader = LogReader()
    return reader.feed(text if isinstance(text, bytes) else text.encode()) + reader.close()


def records(text: str | bytes) -> list[Record]:
    return [entry.record for entry in read(text) if isinstance(entry, Row)]


def unparsed(text: str | bytes) -> list[tuple[int, str, str]]:
    return [(e.line, e.text, e.reason) for e in read(text) if isinstance(e, Unparsed)]


def window(epoch: int, start: int | None, end: int, metrics: dict[str, float]) -> list[Metric]:
    return [
        Metric(
            epoch=epoch,
            batch_start=start,
            batch_end=end,
            split="train",
            scope="window",
            metric=name,
            value=value,
        )
        for name, value in metrics.items()
    ]


def speed(epoch: int | None, start: int | None, end: int, value: float) -> Speed:
    return Speed(epoch=epoch, batch_start=start, batch_end=end, samples_per_sec=value)


def whole(epoch: int, split: str, name: str, value: float) -> Metric:
    assert split in ("train", "validation")
    return Metric(epoch=epoch, split=split, scope="epoch", metric=name, value=value)  # type: ignore[arg-type]  # narrowed above


# One table of lines and what they say, for the reader alone.
LINES: list[tuple[str, Sequence[Record]]] = [
    ("Batch [50]\tSpeed: 100.00 samples/sec", [speed(None, None, 50, 100.0)]),
    ("Iter[3] Batch [50]\tSpeed: 100.00 samples/sec", [speed(3, None, 50, 100.0)]),
    (
        "Epoch[0] Batch [10]\tSpeed: 89264.25 samples/sec\tTrain-accuracy=0.105114",
        [speed(0, None, 10, 89264.25), *window(0, None, 10, {"accuracy": 0.105114})],
    ),
    (
        "Epoch[2] Batch [20]\tSpeed: inf samples/sec\tacc=0.5\tloss=-1.250000",
        [speed(2, None, 20, math.inf), *window(2, None, 20, {"acc": 0.5, "loss": -1.25})],
    ),
    (
        "Epoch[1] Batch [-20-0]\tSpeed: -0.09 samples/sec\tacc=1e-05",
        [speed(1, -20, 0, -0.09), *window(1, -20, 0, {"acc": 1e-05})],
    ),
    (
        "Epoch[0] Batch [50]   Speed: 1.16 samples/sec Train-accuracy=0.894318",
        [speed(0, None, 50, 1.16), *window(0, None, 50, {"accuracy": 0.894318})],
    ),
    ("Epoch[7] Train-top_k_accuracy_5=0.25", [whole(7, "train", "top_k_accuracy_5", 0.25)]),
    (
        "Epoch[7] Validation-x y=z=-0.000000",
        [whole(7, "validation", "x y=z", -0.0)],
    ),
    ("Iteration[0] Train-accuracy=0.507613", [whole(0, "train", "accuracy", 0.507613)]),
    (
        "Epoch[12] Time cost=91.574",
        [Event(kind="time_cost", text="Epoch[12] Time cost=91.574", epoch=12, value=91.574)],
    ),
    (
        "Iteration[3] Time cost=34.800",
        [Event(kind="time_cost", text="Iteration[3] Time cost=34.800", epoch=3, value=34.8)],
    ),
    (
        "Server[0] Update[21]: Change learning rate to 1.50000e-01",
        [Event(kind="lr", text="Update[21]: Change learning rate to 1.50000e-01", value=0.15)],
    ),
    (
        "Update[9]: now learning rate arrived at 1.00000e-08, will not change in the future",
        [
            Event(
                kind="lr",
                text="Update[9]: now learning rate arrived at 1.00000e-08,"
                " will not change in the future",
                value=1e-08,
            )
        ],
    ),
]


@pytest.mark.parametrize(("line", "said"), LINES, ids=[line[:40] for line, _ in LINES])
def test_a_line_says_what_its_writer_meant(line: str, said: Sequence[Record]) -> None:
    assert records(line + "\n") == list(said)


@pytest.mark.parametrize(
    "prefix",
    [
        "INFO:root:",
        "2016-11-16 16:04:33,752 Node[0] ",
        "2018-03-07 10:29:27,419 - ",
        "16/06/2019 06:08:20 PM: INFO: ",
        "04-05 01:28 root         INFO     ",
        "06-11 19:35:28 ",
        "04:38:54 INFO:",
        "Node[1] 06:49:12 INFO:root:",
        "\x1b[32mI0505 00:29:47 3525 base_module.py:fit:480]\x1b[0m ",
        "> ",
        "# ",
        ";; ",
        "    \t",
        "[=====-----] 45%\r",
        "loss is nan, stopping? ",
        "\ufeff",
        "训练 ",
    ],
)
def test_what_stands_before_a_record_does_not_hide_it(prefix: str) -> None:
    assert records(f"{prefix}Epoch[3] Time cost=1.500\n") == [
        Event(kind="time_cost", text="Epoch[3] Time cost=1.500", epoch=3, value=1.5)
    ]


def test_time_and_rank_are_taken_from_the_prefix() -> None:
    entries = read(
        "1970-01-01 00:00:02,5 Node[3] Epoch[0] Time cost=1.000\nEpoch[0] Time cost=2.000\n"
    )

    rows = [entry for entry in entries if isinstance(entry, Row)]
    assert [(row.time, row.node) for row in rows] == [(2_500_000, 3), (None, None)]


def test_an_impossible_date_is_no_time() -> None:
    (row,) = read("2017-02-30 10:00:00 Epoch[0] Time cost=1.000\n")

    assert isinstance(row, Row)
    assert row.time is None


@pytest.mark.parametrize("value", ["nan", "inf", "-inf", "5e-07", "1e+300", "-0.000000", "7"])
def test_numbers_are_read_as_c_prints_them(value: str) -> None:
    (record,) = records(f"Epoch[0] Validation-loss={value}\n")

    assert isinstance(record, Metric)
    assert repr(record.value) == repr(float(value))


def test_an_unfinished_last_line_is_read_at_close() -> None:
    assert records("Epoch[0] Validation-accuracy=0.971000") == [
        whole(0, "validation", "accuracy", 0.971)
    ]


@pytest.mark.parametrize(
    ("text", "kept", "lost"),
    [
        ("Epoch[0] Validation-accuracy=0.97", [], "Epoch[0] Validation-accuracy=0.97"),
        ("Epoch[0] Time cost=12.", [], "Epoch[0] Time cost=12."),
        (
            "Epoch[0] Batch [0-20]\tSpeed: 9.50 samples/sec\ta=0.500000\tb=0.25",
            [speed(0, 0, 20, 9.5), *window(0, 0, 20, {"a": 0.5})],
            "b=0.25",
        ),
        (
            "Epoch[0] Batch [0-20]\tSpeed: 9.50 samples/sec\taccu",
            [speed(0, 0, 20, 9.5)],
            "accu",
        ),
        ("Epoch[0] Batch [0-20]\tSpeed: 9.5", [], "Epoch[0] Batch [0-20]\tSpeed: 9.5"),
    ],
)
def test_a_number_cut_by_the_end_of_the_log_is_reported_and_not_read(
    text: str, kept: list[Record], lost: str
) -> None:
    assert records(text) == kept
    assert [(line, shown) for line, shown, _ in unparsed(text)] == [(1, lost)]


def test_a_whole_number_of_few_digits_is_read_where_its_line_ends() -> None:
    assert records("Epoch[0] Validation-accuracy=0.97\n") == [
        whole(0, "validation", "accuracy", 0.97)
    ]


def test_records_glued_together_are_read_and_the_torn_part_is_reported() -> None:
    text = (
        "Epoch[2] Batch [40]\tSpeed: 10.00 samples/sec\tacc=0.500000\ttop_k_aEpoch[2] Batch [60]"
        "\tSpeed: 11.00 samples/sec\tacc=0.750000\n"
    )

    assert records(text) == [
        speed(2, None, 40, 10.0),
        *window(2, None, 40, {"acc": 0.5}),
        speed(2, None, 60, 11.0),
        *window(2, None, 60, {"acc": 0.75}),
    ]
    assert unparsed(text) == [(1, "top_k_a", "text after the record")]


def test_a_value_glued_to_the_next_record_keeps_its_own_digits() -> None:
    assert records("Epoch[2] Train-acc=0.100000Epoch[2] Time cost=1.000\n") == [
        whole(2, "train", "acc", 0.1),
        Event(kind="time_cost", text="Epoch[2] Time cost=1.000", epoch=2, value=1.0),
    ]


@pytest.mark.parametrize(
    "line",
    [
        "Epoch[0] Train-accuracy=oops",
        "Epoch[x] Train-accuracy=0.5",
        "Epoch[0] Batch [10-20]\tSpeed: 12.0",
        "Epoch[0] Batch [10-20]\tSpeed: fast samples/sec",
        "Epoch[99999999999999999999] Time cost=1.000",
        "Epoch[5] Batch [490]\tIter: 2990/3000\tLr: 0.00250\tSpeed: 3.00 samples/sec",
        "speed: 8113 samples/s",
        "[Epoch 0] training: accuracy=0.5",
    ],
)
def test_what_resembles_a_record_and_is_none_is_reported_whole(line: str) -> None:
    assert records(line + "\n") == []
    assert "".join(text for _, text, _ in unparsed(line + "\n")).strip() == line


@pytest.mark.parametrize(
    ("text", "kept", "lost"),
    [
        (
            "Epoch[0] Batch [20]\tSpeed: 9.00 samples/sec\tppl=1Epoch[0] Batch [40]"
            "\tSpeed: 9.00 samples/sec\tppl=1234.500000",
            [
                speed(0, None, 20, 9.0),
                speed(0, None, 40, 9.0),
                *window(0, None, 40, {"ppl": 1234.5}),
            ],
            "ppl=1",
        ),
        (
            "Epoch[5] Train-acc=0.9Epoch[0] Train-acc=0.100000",
            [whole(0, "train", "acc", 0.1)],
            "Epoch[5] Train-acc=0.9",
        ),
        (
            "Iter[0] Batch[50] Train-accIter[0] Batch[100] Train-acc=0.910000",
            [
                Metric(
                    epoch=0,
                    batch_end=100,
                    split="train",
                    scope="running",
                    metric="acc",
                    value=0.91,
                )
            ],
            "Iter[0] Batch[50] Train-acc",
        ),
        (
            "Iteration[5] Train-accIteration[6] Train-acc=0.500000",
            [whole(6, "train", "acc", 0.5)],
            "Iteration[5] Train-acc",
        ),
    ],
)
def test_what_the_next_record_cuts_off_is_reported_and_not_read(
    text: str, kept: list[Record], lost: str
) -> None:
    assert records(text + "\n") == kept
    assert [shown for _, shown, _ in unparsed(text + "\n")] == [lost]


@pytest.mark.parametrize(
    "line",
    [
        "Epoch[0] Train-accuracy=0.91 Train-loss=0.3",
        "Epoch[0] Batch [99]\tSpeed: 704.934927 samples/sec\tloss=0.001114\tlr=0.001000",
        "Update[1001]: Change learning rate to 5.0000",
        "Update[1001]: Change learning rate to 5.00Epoch[0] T",
    ],
)
def test_what_another_writer_or_a_tear_made_is_not_taken_for_the_modules(line: str) -> None:
    assert records(line + "\n") == []
    assert unparsed(line + "\n")


@pytest.mark.parametrize(
    "text",
    [
        "Update[1001]: Change learning rate to 5.00000e-0",
        "Update[1001]: Change learning rate to 5.000",
        "Adjust learning rate to 1.000000e-03 for epoch 3",
        "Epoch[0] Time cost=46",
    ],
)
def test_a_number_that_the_end_of_the_log_may_have_cut_is_not_read(text: str) -> None:
    assert records(text) == []
    assert unparsed(text)


def test_a_rate_that_is_whole_is_read_at_the_end_of_the_log() -> None:
    (record,) = records("Update[1001]: Change learning rate to 5.00000e-02")

    assert isinstance(record, Event)
    assert record.value == 0.05


def test_a_time_in_milliseconds_is_told_by_its_missing_point() -> None:
    (record,) = records("Epoch[1] Time cost=464187\n")

    assert isinstance(record, Event)
    assert (record.kind, record.value) == ("time_cost", 464.187)


def test_a_stamp_of_twelve_hours_is_no_time() -> None:
    for stamp in ("2019-06-16 06:08:20 PM", "2019-06-16 06:08:20,123 PM", "2019-06-16 06:08:20PM"):
        (row,) = read(f"{stamp}: INFO: Epoch[0] Time cost=1.000\n")
        assert isinstance(row, Row)
        assert row.time is None


def test_nul_bytes_in_a_log_are_found_once() -> None:
    entries = read(
        b"Epoch[0] Time cost=1.000\n" + "Epoch[1] Time cost=1.000\n\n".encode("utf-16-le")
    )

    assert [(e.code, e.line) for e in entries if isinstance(e, Finding)] == [("nul-bytes", 2)]


def test_the_text_of_an_unread_record_is_kept_short() -> None:
    ((_, text, _),) = unparsed("Epoch[0] " + "x" * 100_000 + "\n")

    assert len(text) < 1100
    assert text.endswith("...")


STARTS = sorted({start for dialect in DIALECTS for rule in dialect.rules for start in rule.starts})
HOSTILE = [
    *STARTS,
    *(rule.example for dialect in DIALECTS for rule in dialect.rules),
    *(rule.example[:-1] + "x" for dialect in DIALECTS for rule in dialect.rules),
    "Iteration[0] Train-",
    "Iter[0] Batch[0] Train-a=1x",
    "Epoch[0] Batch [1]\tSpeed: 1.00 samples/sec\ta=1 ",
    "Train-",
    "Validation-a",
    "Namespace() x",
    "a=1\t",
    "=1",
    "\t",
    "\x1b[3",
    "[====] 5%\r",
]


@pytest.mark.parametrize("piece", HOSTILE)
def test_no_line_takes_more_than_linear_work(piece: str) -> None:
    # CPU time of this process, as a ratio of two in one run.
    def work(length: int) -> float:
        reader = LogReader()
        raw = (piece * (length // len(piece)) + "\n").encode()
        begin = time.process_time()
        reader.feed(raw)
        return time.process_time() - begin

    small, large = work(12_500), work(100_000)

    # Eight times the line: quadratic work is sixty-four times. The floor hides the clock's grain.
    assert large < 24 * max(small, 0.01)


def test_a_field_that_is_no_number_is_reported_beside_the_speed() -> None:
    text = "Epoch[0] Batch [5]\tSpeed: 10.00 samples/sec\tacc=0.5x\n"

    assert records(text) == [speed(0, None, 5, 10.0)]
    assert unparsed(text) == [(1, "acc=0.5x", "text after the record")]


def test_other_output_is_counted_and_not_reported() -> None:
    reader = LogReader()

    entries = reader.feed(b"Loading...\n[05:18:24] ../src/io.cc:94: done\nE=mc2\n") + reader.close()

    assert entries == []
    assert reader.lines == 3
    assert not reader.dialect_lines


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_utf_16_with_a_byte_order_mark_is_read(encoding: str) -> None:
    text = "\ufeffEpoch[0] Train-läss=0.500000\r\nEpoch[0] Time cost=1.000\r\n"

    assert records(text.encode(encoding)) == [
        whole(0, "train", "läss", 0.5),
        Event(kind="time_cost", text="Epoch[0] Time cost=1.000", epoch=0, value=1.0),
    ]


def test_bytes_that_are_no_utf_8_are_written_out() -> None:
    (record,) = records(b"Epoch[0] Train-l\xe4ss=0.500000\n")

    assert isinstance(record, Metric)
    assert record.metric == r"l\xe4ss"


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

    assert len(reader._rest) <= MAX_LINE_BYTES


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


NAMES = st.text(
    st.characters(
        codec="utf-8", exclude_categories=["Cc", "Cs", "Zl", "Zp"], exclude_characters=","
    ),
    min_size=1,
    max_size=12,
).filter(
    lambda name: name == name.strip() and "Epoch[" not in name and not name.startswith("Train-")
)
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
