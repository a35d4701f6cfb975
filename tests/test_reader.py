"""The reader: every form of line, what stands before it, and what is none."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pytest

from fitlog_parsers import Event, Finding, LogReader, Metric, Record, Row
from lines import read, records, speed, unparsed, whole, window

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
        "[=====>....] 45%\r",
        "loss is nan, stopping? ",
        "\ufeff",
        "训练 ",
    ],
)
def test_what_stands_before_a_record_does_not_hide_it(prefix: str) -> None:
    assert records(f"{prefix}Epoch[3] Time cost=1.500\n") == [
        Event(kind="time_cost", text="Epoch[3] Time cost=1.500", epoch=3, value=1.5)
    ]


def test_a_progress_bar_is_one_event_until_another_record_breaks_it() -> None:
    log = "[----] 0%\r[==--] 45.0%\rEpoch[3] Time cost=1.500\nINFO:root:[====] 100%\r\n"

    assert records(log) == [
        Event(kind="progress", text="[==--] 45.0%", value=45.0),
        Event(kind="time_cost", text="Epoch[3] Time cost=1.500", epoch=3, value=1.5),
        Event(kind="progress", text="[====] 100%", value=100.0),
    ]


def test_a_speed_that_names_no_place_is_no_repetition() -> None:
    log = "INFO: Speed: 9120.44 samples/sec\nINFO: Speed: 9120.44 samples/sec\n"

    entries = read(log)

    assert [type(entry) for entry in entries] == [Row, Row]


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


@pytest.mark.parametrize(
    "line",
    [
        "Epoch[0] Train-accuracy=oops",
        "Epoch[x] Train-accuracy=0.5",
        "Epoch[0] Batch [10-20]\tSpeed: 12.0",
        "Epoch[0] Batch [10-20]\tSpeed: fast samples/sec",
        "Epoch[99999999999999999999] Time cost=1.000",
        "Epoch[5] Batch [490]\tIter: 2990/3000\tLr: 0.00250\tSpeed: 3.00 samples/sec",
        "speed: fast samples/s",
        "[Epoch 0] training: accuracy=half",
    ],
)
def test_what_resembles_a_record_and_is_none_is_reported_whole(line: str) -> None:
    assert records(line + "\n") == []
    assert "".join(text for _, text, _ in unparsed(line + "\n")).strip() == line


@pytest.mark.parametrize(
    "line",
    [
        "Epoch[0] Train-accuracy=0.91 Train-loss=0.3",
        "Update[1001]: Change learning rate to 5.0000",
        "Update[1001]: Change learning rate to 5.00Epoch[0] T",
    ],
)
def test_what_another_writer_or_a_tear_made_is_not_taken_for_the_modules(line: str) -> None:
    assert records(line + "\n") == []
    assert unparsed(line + "\n")


def test_a_time_in_milliseconds_is_told_by_its_missing_point() -> None:
    (record,) = records("Epoch[1] Time cost=464187\n")

    assert isinstance(record, Event)
    assert (record.kind, record.value) == ("time_cost", 464.187)


def test_nul_bytes_in_a_log_are_found_once() -> None:
    entries = read(
        b"Epoch[0] Time cost=1.000\n" + "Epoch[1] Time cost=1.000\n\n".encode("utf-16-le")
    )

    assert [(e.code, e.line) for e in entries if isinstance(e, Finding)] == [("nul-bytes", 2)]


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


def test_what_waits_for_later_lines_can_be_had_before_and_changes_nothing() -> None:
    lines = [
        b"Epoch[0] Batch [0-20]\tSpeed: 90.00 samples/sec\taccuracy=0.5\n",
        b"Epoch[0] Batch [20-40]\tSpeed: 80.00 samples/sec\taccuracy=0.6\n",
        b"Epoch[0] Train-accuracy=0.55\n",
        b"Epoch[0] Time cost=1.000\n",
        b"Epoch[0] Batch [0-20]\tSpeed: 95.00 samples/sec\taccuracy=0.5\n",
        b"Epoch[0] Batch [20",
    ]
    reader = LogReader()
    counts = []
    given = []
    for line in lines:
        given += reader.feed(line)
        counts.append((len(given), len(reader.so_far())))
    given += reader.close()

    assert counts == [(0, 2), (4, 0), (5, 0), (6, 0), (6, 0), (6, 0)]
    whole = LogReader()
    assert given == [*whole.feed(b"".join(lines)), *whole.close()]
