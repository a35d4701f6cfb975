"""What a tear left of a record is read as far as it is certain, and else reported."""

from __future__ import annotations

import pytest

from fitlog_parsers import Event, Metric, Record
from lines import records, speed, unparsed, whole, window


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
            'Saved checkpoint to "m-0001.paSaved checkpoint to "m-0002.params"',
            [Event(kind="checkpoint", text='Saved checkpoint to "m-0002.params"')],
            'Saved checkpoint to "m-0001.pa',
        ),
        (
            "Batch:      16 Epoch[0] Batch [20]\tSpeed: 9.00 samples/sec\tppl=1234.500000",
            [speed(0, None, 20, 9.0), *window(0, None, 20, {"ppl": 1234.5})],
            "Batch:      16",
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
