"""The lines of language's toolkits, of Gluon's Estimator and of Horovod, in their variants."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from fitlog_parsers import LogReader, Row, Speed
from lines import read, records, tell, unparsed

# (line, what it says: throughputs, `split scope name=value` of metrics, `kind=value` of events)
LINES = [
    (
        "[Epoch 3 Batch 200/372] current loss 6.5, ppl inf, throughput 41.25 samples/s, lr 30.00",
        ["train window current loss=6.5", "train window ppl=inf", "41.25", "lr=30.0"],
    ),
    (
        "[Epoch 3 Batch 1000] loss nan, ppl nan, throughput 9.5 samples/s",
        ["train window loss=nan", "train window ppl=nan", "9.5"],
    ),
    (
        "[Epoch 3 Batch 10/99] loss=2.5, ppl=12.25, gnorm=0.5 throughput=64.1K wps, wc=1.5M",
        [
            "train window loss=2.5",
            "train window ppl=12.25",
            "train window gnorm=0.5",
            "train window wps=64100.0",
            "train window wc=1500000.0",
        ],
    ),
    (
        "[Epoch 3 Batch 9/99] elapsed 2.50 s,                       avg loss 0.5,"
        " throughput 4.35K wps",
        ["train window elapsed=2.5", "train window avg loss=0.5", "train window wps=4350.0"],
    ),
    (
        "[Epoch 3 Batch 9/99] loss=0.5, lr=0.0000020, metrics:accuracy:0.75,f1:nan",
        [
            "train window loss=0.5",
            "lr=2e-06",
            "train running accuracy=0.75",
            "train running f1=nan",
        ],
    ),
    ("[Epoch 3] throughput 812.50 samples/s", ["812.5"]),
    (
        "[Epoch 3] time cost 12.50s, valid loss 4.5, valid ppl 90.0",
        ["time_cost=12.5", "validation epoch loss=4.5", "validation epoch ppl=90.0"],
    ),
    (
        "[Epoch 3] test loss -4.5, test ppl 1e-05",
        ["validation epoch test-loss=-4.5", "validation epoch test-ppl=1e-05"],
    ),
    (
        "[Epoch 3] valid loss=0.5, valid acc=0.75, best valid acc=0.875",
        [
            "validation epoch loss=0.5",
            "validation epoch acc=0.75",
            "validation epoch best-acc=0.875",
        ],
    ),
    (
        "[Epoch 3] train avg loss 0.5, dev acc 0.75, dev avg loss 0.25, throughput 1.5K wps",
        [
            "train epoch avg loss=0.5",
            "validation epoch acc=0.75",
            "validation epoch avg loss=0.25",
            "train epoch wps=1500.0",
        ],
    ),
    (
        "[Epoch 3]    dev intent/slot = 0.500/0.250, slot f1 = 84.5, intent acc = 92.0",
        [
            "validation epoch intent=0.5",
            "validation epoch slot=0.25",
            "validation epoch slot f1=84.5",
            "validation epoch intent acc=92.0",
        ],
    ),
    (
        "[Epoch 3][Iter 9/99] validation loss/ppl=0.5/1.5, Raw SacreBlEU=26.5, BPE SacreBLUE=27.5",
        [
            "validation epoch loss=0.5",
            "validation epoch ppl=1.5",
            "validation epoch Raw SacreBlEU=26.5",
            "validation epoch BPE SacreBLUE=27.5",
        ],
    ),
    (
        "[step 9]\tmlm_loss=7.5\tnsp_loss= 0.50\tthroughput=12.3K tks/s\tlr=2.50e-05 time=2.50",
        [
            "train window mlm_loss=7.5",
            "train window nsp_loss=0.5",
            "train window tokens_per_sec=12300.0",
            "lr=2.5e-05",
            "train window time=2.5",
        ],
    ),
    (
        "[step 9], Loss mlm/nsp=7.5/0.5,  LR=0.5, grad_norm=1.5. Time cost=2.5 s,"
        " Throughput=12.3K tks/s, ETA=9.5 h",
        [
            "train window Loss mlm=7.5",
            "train window Loss nsp=0.5",
            "lr=0.5",
            "train window grad_norm=1.5",
            "train window Time cost=2.5",
            "train window tokens_per_sec=12300.0",
        ],
    ),
    (
        "Epoch: 3, Batch: 9/99, Loss=0.5, lr=0.25 Time cost=2.5 Thoughput=12.5 samples/s",
        ["train window Loss=0.5", "lr=0.25", "train window Time cost=2.5", "12.5"],
    ),
    (
        "Batch: 9/99, Loss=0.5, lr=0.25 Thoughput=12.5 samples/s",
        ["train window Loss=0.5", "lr=0.25", "12.5"],
    ),
    ("Batch: 9/99", []),
    ("validation metrics:mcc:-0.5", ["validation epoch mcc=-0.5"]),
    ("Learning rate change to 5e-05", ["lr=5e-05"]),
    ("Total training throughput 12.5 samples/s", ["12.5"]),
    ("Total time cost 12.5s", ["end=12.5"]),
    (
        "[Epoch 3][Batch 9][Samples 40] time/batch: 0.5s train accuracy: 0.25, train a b: nan",
        [
            "train window time/batch=0.5",
            "train running accuracy=0.25",
            "train running a b=nan",
        ],
    ),
    ("[Epoch 3][Batch 9][Samples 40] time/interval: 0.5s", ["train window time/interval=0.5"]),
    (
        "[Epoch 3] Finished in 2.500s, train accuracy: 0.5, validation accuracy: 0.25",
        ["train epoch accuracy=0.5", "validation epoch accuracy=0.25", "time_cost=2.5"],
    ),
    ("[Epoch 3] Finished in 2.500s", ["time_cost=2.5"]),
    (
        "Epoch[3] Rank[0]\tValidation-accuracy=0.5\tValidation-top_k_accuracy_5=nan",
        ["validation epoch accuracy=0.5", "validation epoch top_k_accuracy_5=nan"],
    ),
    ("Epoch[3]\tSpeed: 12.50 samples/sec", ["12.5"]),
    ("Epoch[3]\tSpeed=12.50 samples/s\tTime cost=2.5", ["12.5", "time_cost=2.5"]),
    (
        "Epoch[3] Batch [9]\tSpeed: 1.5 samples/sec 12.5 tokens/sec\tppl=0.5",
        ["1.5", "train window tokens_per_sec=12.5", "train running ppl=0.5"],
    ),
    (
        "Checkpoint [2]\tUpdates=9 Epoch=3 Samples=99 Time-cost=2.500",
        ["checkpoint=None", "train window Time-cost=2.5"],
    ),
    (
        "Iter[3] Batch [9] \tloss 0.5, ppl 1000000000000000000.0",
        ["train window loss=0.5", "train window ppl=1e+18"],
    ),
]


@pytest.mark.parametrize(("line", "said"), LINES, ids=[line for line, _ in LINES])
def test_a_line_says_what_its_writer_meant(line: str, said: list[str]) -> None:
    text = f"INFO:root:{line}\r\n"

    assert [tell(record) for record in records(text)] == said
    assert unparsed(text) == []


@pytest.mark.parametrize(
    "line",
    [
        "[Epoch 3 Batch 9/99] loss 0.5 of 3 bits",
        "[Epoch 3 Batch 9/99] loss 0.5x",
        "[Epoch 3] loss 0.5",
        "[Epoch 3] Finished in good time",
        "[step 9] of 12 steps",
        "Epoch 3 took hours",
        "Checkpoint [2] of 9",
        "Iter[3] Batch [9] loss",
        "Epoch[3] Rank[0] Batch[9]\taccuracy=0.5 or so",
    ],
)
def test_what_is_no_such_record_is_reported(line: str) -> None:
    assert records(f"{line}\n") == []
    assert [text for _, text, _ in unparsed(f"{line}\n")] == [line]


@pytest.mark.parametrize("line", ["Validation-perplexity improved to 12.5 (delta=0.5)."])
def test_prose_is_passed_over(line: str) -> None:
    assert read(f"{line}\n") == []


def test_the_epoch_of_an_estimators_validation_is_that_which_began_last() -> None:
    log = (
        "[Epoch 5] Begin, current learning rate: 0.5000\n"
        "Validation Begin\n"
        "[Epoch 0][Batch 0][Samples 32] time/interval: 0.250s validation accuracy: 0.5000\n"
        "[Epoch 0] Finished in 2.500s, validation accuracy: 0.7500\n"
        "[Epoch 5] Finished in 8.500s, training accuracy: 0.8750\n"
    )

    assert [(record.epoch, tell(record)) for record in records(log)] == [
        (5, "lr=0.5"),
        (5, "validation window time/interval=0.25"),
        (5, "validation running accuracy=0.5"),
        (5, "validation epoch accuracy=0.75"),
        (5, "train epoch accuracy=0.875"),
        (5, "time_cost=8.5"),
    ]


def test_the_epoch_of_an_estimators_lone_validation_is_not_known() -> None:
    (record,) = records("[Epoch 0] Finished in 2.500s, validation accuracy: 0.7500\n")

    assert (record.epoch, tell(record)) == (None, "validation epoch accuracy=0.75")


def test_a_validation_below_a_finetuning_has_its_epoch() -> None:
    log = (
        "INFO:root:01:02:03 [Epoch 3 Batch 9/99] loss=0.5, lr=0.25, metrics:f1:0.5\n"
        "INFO:root:01:02:04 Now we are doing evaluation on dev with gpu(0).\n"
        "INFO:root:01:02:05 [Batch 9/19] loss=0.5, metrics:f1:0.25\n"
        "INFO:root:01:02:06 validation metrics:f1:0.75\n"
        "INFO:root:01:02:07 Time cost=2.50s, throughput=12.50 samples/s\n"
        "INFO:root:01:02:08 Time cost=8.50s\n"
    )

    below = records(log)[3:]

    assert [(record.epoch, tell(record)) for record in below] == [
        (3, "validation window loss=0.5"),
        (3, "validation running f1=0.25"),
        (3, "validation epoch f1=0.75"),
        (3, "12.5"),
        (3, "time_cost=8.5"),
    ]
    assert [record.split for record in below if isinstance(record, Speed)] == ["validation"]


def test_the_speed_of_a_prediction_is_the_validations() -> None:
    speed = "Time cost=2.50 s, Thoughput=12.50 samples/s"
    log = (
        "Epoch: 0, Batch: 9/99, Loss=0.5, lr=0.25 Time cost=2.5 Thoughput=12.5 samples/s\n"
        f"{speed}\nstart prediction\n{speed}\n"
    )

    speeds = [record for record in records(log) if isinstance(record, Speed)]

    assert [(record.split, record.epoch) for record in speeds] == [
        ("train", 0),
        ("train", 0),
        ("validation", 0),
    ]


def test_a_line_below_another_keeps_its_own_time() -> None:
    log = (
        "2018-02-20 11:09:02,418 Iter[3] Batch [200] \tloss 6.5, ppl 665.0\n"
        "2018-02-20 11:20:09,384 eval batch 99 : 5.5\n"
    )

    *_, row = (entry for entry in read(log) if isinstance(entry, Row))

    assert (row.record.epoch, tell(row.record)) == (3, "validation running loss=5.5")
    assert row.time == microseconds(datetime(2018, 2, 20, 11, 20, 9, 384_000, UTC))


def test_sockeyes_stamps_are_read() -> None:
    (row, *_) = read(
        "[2018-04-11:09:31:46:INFO:sockeye.training:fit] Checkpoint [1]\tTrain-perplexity=8.5\n"
    )

    assert isinstance(row, Row)
    assert row.time == microseconds(datetime(2018, 4, 11, 9, 31, 46, 0, UTC))


def test_several_checkpoints_in_an_epoch_are_one_run() -> None:
    log = "".join(
        f"Epoch[0] Batch [{updates}]\tSpeed: 9.50 samples/sec 99.50 tokens/sec\tppl=0.500000\n"
        f"Checkpoint [{n}]\tUpdates={updates} Epoch=0 Samples=99 Time-cost={n}.500\n"
        f"Checkpoint [{n}]\tTrain-ppl={n}.500000\n"
        f"Checkpoint [{n}]\tValidation-ppl={n}.250000\n"
        for n, updates in enumerate((50, 100, 150), 1)
    )

    rows = [entry for entry in read(log) if isinstance(entry, Row)]

    assert {row.run for row in rows} == {0}
    assert {row.record.epoch for row in rows} == {0}


def test_an_epoch_trained_again_after_its_validation_is_a_new_run() -> None:
    epoch = (
        "[Epoch 0 Batch 100/372] loss 0.5\n"
        "[Epoch 0 Batch 200/372] loss 0.5\n"
        "[Epoch 0] valid loss 0.5\n"
    )

    rows = [entry for entry in read(epoch * 2) if isinstance(entry, Row)]

    assert [row.run for row in rows] == [0, 0, 0, 1, 1, 1]


def test_each_rank_of_horovod_has_its_own_rows() -> None:
    log = "".join(f"Epoch[0] Rank[{n}] Batch[9]\taccuracy=0.500000\tlr=0.1\n" for n in (3, 0, 11))

    assert [entry.node for entry in read(log) if isinstance(entry, Row)] == [3, 3, 0, 0, 11, 11]


def test_a_torn_last_number_is_not_read() -> None:
    reader = LogReader()

    entries = reader.feed(b"[Epoch 3] valid loss 0.50, valid ppl 1.2") + reader.close()

    assert not any(isinstance(entry, Row) and "1.2" in tell(entry.record) for entry in entries)


def microseconds(moment: datetime) -> int:
    return round(moment.timestamp() * 1_000_000)
