"""The lines of Gluon's and GluonCV's scripts, in the variants that their versions wrote."""

from __future__ import annotations

import pytest

from fitlog_parsers import LogReader, Metric, Row, Speed, Unparsed, find_dialects
from lines import read, records, tell, unparsed

# (line, what it says: throughputs, `split scope name=value` of metrics, `kind=value` of events)
LINES = [
    ("Epoch[3] Batch [99]\tSpeed: 41.250000 samples/sec", ["41.25"]),
    (
        "Epoch [3] Batch [99], Speed: 41.250000 samples/sec, acc=0.5, f1=nan",
        ["41.25", "train running acc=0.5", "train running f1=nan"],
    ),
    (
        "Epoch[003] Batch [0039]/[0056]\tSpeed: 9.5 samples/sec\t acc=31.5\t loss=-2.5\t lr=1e-05",
        ["9.5", "train running acc=31.5", "train running loss=-2.5", "lr=1e-05"],
    ),
    (
        "[Epoch 3 Batch 9] speed: 12.5 samples/s, training: accuracy=0.5, f1=0.25",
        ["12.5", "train running accuracy=0.5", "train running f1=0.25"],
    ),
    ("[Epoch 3 Batch 9] Training: accuracy=0.5", ["train running accuracy=0.5"]),
    (
        "[Epoch 3] training: err-top1=0.5 err-top5=0.25 loss=inf",
        ["train epoch err-top1=0.5", "train epoch err-top5=0.25", "train epoch loss=inf"],
    ),
    (
        "[Epoch 003] training: accuracy=31.5\t loss=2.5",
        ["train epoch accuracy=31.5", "train epoch loss=2.5"],
    ),
    (
        "[Epoch 3] validation: acc-top1=0.5, lr=0.125, accept ratio=0.75",
        [
            "validation epoch acc-top1=0.5",
            "lr=0.125",
            "validation epoch accept ratio=0.75",
        ],
    ),
    ("[Epoch 3] time cost: 12.5", ["time_cost=12.5"]),
    ("[Epoch 3] speed: 812 samples/sec\ttime cost: 12.5", ["812.0", "time_cost=12.5"]),
    (
        "[Epoch 3] train=0.5 loss=2.5 time: 12.5",
        ["train epoch train=0.5", "train epoch loss=2.5", "time_cost=12.5"],
    ),
    (
        "[Epoch 3] Train-acc: 0.5, loss: 2.5 | Val-acc: 0.25 | time: 12.5",
        [
            "train epoch acc=0.5",
            "train epoch loss=2.5",
            "validation epoch acc=0.25",
            "time_cost=12.5",
        ],
    ),
    (
        "Epoch[3]\t\tSpeed: 812 samples/sec over 174 secs\tloss=0.5",
        ["812.0", "train epoch loss=0.5", "time_cost=174.0"],
    ),
    ("[Epoch 3][Batch 99], Speed: 41.250 samples/sec", ["41.25"]),
    (
        "[Epoch 3][Batch 99], LR: 1.00E-03, Speed: 41.250 samples/sec, A=0.5,B=nan",
        ["41.25", "train running A=0.5", "train running B=nan", "lr=0.001"],
    ),
    (
        "[Epoch 3] Training cost: 12.500, A=0.5,B=-0.25",
        ["train epoch A=0.5", "train epoch B=-0.25", "time_cost=12.5"],
    ),
    ("[Epoch 3 Iteration 100] Set learning rate to 5e-05", ["lr=5e-05"]),
    ("[Epoch 3] Saving parameters to a_0003_0.5.params", ["checkpoint=None"]),
    (
        "Epoch 3. Loss: 0.5, Train_acc 0.75, Test_acc 0.625",
        ["train epoch Loss=0.5", "train epoch acc=0.75", "validation epoch test-acc=0.625"],
    ),
    (
        "Epoch 3. Train loss: 2.5, Val loss 2.25, Val accuracy 0.5, Time 01:00:02, lr 0.125",
        [
            "train epoch loss=2.5",
            "validation epoch loss=2.25",
            "validation epoch accuracy=0.5",
            "lr=0.125",
            "time_cost=3602.0",
        ],
    ),
    ("Epoch 3, train loss: 0.5", ["train epoch loss=0.5"]),
    (
        "Epoch 3 iteration 0020/1234: training loss nan, batch time 2.5",
        ["train running loss=nan", "train window batch time=2.5"],
    ),
    (
        "Epoch 3 validation pixAcc: 0.5, mIoU: 0.25",
        ["validation epoch pixAcc=0.5", "validation epoch mIoU=0.25"],
    ),
    (
        "Epoch 3, training loss 0.5:  45%|####5     | 5/11 [00:04<00:05,  1.10it/s]",
        ["train running loss=0.5"],
    ),
    (
        " Average Recall     (AR) @[ IoU=0.50      | area= small | maxDets= 10 ] = -1.000",
        ["validation epoch AR[IoU=0.50|area=small|maxDets=10]=-1.0"],
    ),
]


@pytest.mark.parametrize(("line", "said"), LINES, ids=[line for line, _ in LINES])
def test_a_line_says_what_its_script_meant(line: str, said: list[str]) -> None:
    text = f"INFO:root:{line}\r\n"

    assert [tell(record) for record in records(text)] == said
    assert unparsed(text) == []


@pytest.mark.parametrize(
    "line",
    [
        "[Epoch 3] training: accuracy=0.5 in all",
        "[Epoch 3] validation: accuracy=0.5x",
        "[Epoch 3] Training cost: soon",
        "[Epoch 3][Batch 9][Samples 40] time/batch: 0.5s accuracy: 0.5",
        "[Epoch 3 Batch 9] loss 0.5, ppl 1.6, throughput 12.5 samples/s",
        "Epoch[3] Batch [9]\tSpeed: 1.5 samples/sec\tTrain-A=0.5,\tB=0.25,\t",
        "Epoch[3] Batch [9]\tSpeed: 1.5 samples/sec 12.5 tokens/sec\tppl=0.5",
        "Epoch 3/10 - loss: 0.5",
    ],
)
def test_what_other_writers_made_is_not_taken_for_a_scripts(line: str) -> None:
    dialects = (*find_dialects("gluon"), *find_dialects("gluoncv"))

    entries = LogReader(dialects).feed(f"{line}\n".encode())

    assert [entry.text for entry in entries if isinstance(entry, Unparsed)] == [line.strip()]
    assert len(entries) == 1


def test_speedometer_writes_two_decimals_and_scripts_six() -> None:
    log = b"Epoch[0] Batch [9]\tSpeed: 212.500000 samples/sec\tloss=0.500000\n"
    (dialect,) = find_dialects("module")

    assert not any(isinstance(entry, Row) for entry in LogReader((dialect,)).feed(log))


def test_values_below_a_validation_have_its_epoch() -> None:
    log = "[Epoch 3] Validation: \ntraffic light=0.5\nmAP=nan\nseed=1 of 3\nlater=0.5\n"

    said = [(r.epoch, tell(r)) for r in records(log)]

    assert said == [(3, "validation epoch traffic light=0.5"), (3, "validation epoch mAP=nan")]


def test_a_block_is_read_through_other_ranks_lines_and_has_its_rank() -> None:
    log = "".join(
        f"{line}\n"
        for line in [
            "[1,4]<stderr>:INFO:root:[Epoch 0] Validation: ",
            "[1,0]<stderr>:unrelated=0.5",
            "[1,4]<stderr>:~~~~ Summary bbox metrics ~~~~",
            "[1,4]<stdout>:done",
            "[1,4]<stderr>:~~~~ Mean AP for bbox ~~~~",
            "[1,4]<stderr>:=31.5",
        ]
    )

    rows = [entry for entry in read(log) if isinstance(entry, Row)]

    assert [(row.node, row.record.epoch, tell(row.record)) for row in rows] == [
        (4, 0, "validation epoch Mean AP for bbox=31.5")
    ]


def test_each_update_of_a_bar_is_a_record() -> None:
    bars = [
        f"\rEpoch 0, training loss 0.5:  10%|#   | {n}/11 [00:04<00:05,  1.10it/s]" for n in (1, 2)
    ]

    metrics = [r for r in records(f"  0%|    | 0/11{''.join(bars)}\n") if isinstance(r, Metric)]

    assert [metric.batch_end for metric in metrics] == [1, 2]


def test_the_speed_of_an_epoch_is_not_taken_for_the_evaluations() -> None:
    log = (
        "[Epoch 0] training: accuracy=0.5\n"
        "[Epoch 0] speed: 812 samples/sec\ttime cost: 12.5\n"
        "[Epoch 0] validation: err-top1=0.5\n"
    )

    rows = [entry for entry in read(log) if isinstance(entry, Row)]

    assert [row.record.split for row in rows if isinstance(row.record, Speed)] == ["train"]
    assert {row.run for row in rows} == {0}


def test_an_evaluation_that_ends_within_the_next_epoch_opens_no_run() -> None:
    log = (
        "[Epoch 0][Batch 99], Speed: 8.000 samples/sec\n"
        "[Epoch 1][Batch 99], Speed: 8.000 samples/sec\n"
        "[Epoch 0] Validation: \n"
        "mAP=0.5\n"
        "[Epoch 1][Batch 199], Speed: 9.000 samples/sec\n"
    )

    assert [entry.run for entry in read(log) if isinstance(entry, Row)] == [0, 0, 0, 0]


def test_a_torn_last_number_is_not_read() -> None:
    reader = LogReader()

    entries = reader.feed(b"[Epoch 3] validation: accuracy=0.500000, f1=0.2") + reader.close()

    said = [tell(entry.record) for entry in entries if isinstance(entry, Row)]
    assert said == ["validation epoch accuracy=0.5"]
