"""What lines of R, Julia, Clojure, R-CNN and InsightFace say, where that is not plain to see."""

from __future__ import annotations

from fitlog_parsers import Event, Metric, Speed
from lines import read, records, unparsed


def test_a_julia_epoch_is_named_above_its_sums_and_below_its_speeds() -> None:
    log = (
        "[ Info: Speed:  95.50 samples/sec\n"
        "[ Info: == Epoch 001/002 ==========\n"
        "[ Info: ## Training summary\n"
        "[ Info:           accuracy = 0.7500\n"
        "[ Info:               time = 4.5000 seconds\n"
        "[ Info: ## Validation summary\n"
        "[ Info:           accuracy = NaN\n"
        "[ Info:                 lr = 0.1\n"
        "[ Info: other = 0.1\n"
    )

    speed, accuracy, time, *validation = records(log)

    assert speed == Speed(epoch=None, batch_start=None, batch_end=None, samples_per_sec=95.5)
    assert accuracy == Metric(epoch=1, split="train", scope="epoch", metric="accuracy", value=0.75)
    assert isinstance(time, Event)
    assert (time.kind, time.epoch, time.value) == ("time_cost", 1, 4.5)
    assert [(type(record), record.epoch) for record in validation] == [(Metric, 1), (Event, 1)]


def test_an_epoch_of_r_is_read_where_a_line_begins_with_it_and_nowhere_else() -> None:
    log = "    ## [2] Train-rmse=9.4e-05\n[3] foo=1\nEpoch [4] Train-rmse=0.5\n"

    assert records(log) == [
        Metric(epoch=2, split="train", scope="epoch", metric="rmse", value=9.4e-05)
    ]
    assert [line for line, _, _ in unparsed(log)] == [3]


def test_a_verification_is_of_a_batch_counted_since_training_began_and_of_no_epoch() -> None:
    log = "[lfw][400]Accuracy-Flip: 0.99500+-0.00250\n[400]Accuracy-Highest: 0.98000\n"

    found = [record for record in records(log) if isinstance(record, Metric)]

    assert [(metric.metric, metric.value) for metric in found] == [
        ("lfw-Accuracy-Flip", 0.995),
        ("lfw-Accuracy-Flip-std", 0.0025),
        ("Accuracy-Highest", 0.98),
    ]
    assert {(metric.epoch, metric.batch_end, metric.split) for metric in found} == {
        (None, 400, "validation")
    }


def test_fields_that_end_in_commas_are_rcnns_with_tabs_and_with_blanks() -> None:
    tabs = "Epoch[0] Batch [20]\tSpeed: 1.50 samples/sec\tTrain-RPNAcc=0.5,\tRPNL1Loss=nan,\t\n"
    blanks = tabs.replace("\t", " ")

    for log in (tabs, blanks):
        entries = records(log)

        assert [type(record) for record in entries] == [Speed, Metric, Metric]
        assert unparsed(log) == []


def test_metrics_below_a_speed_line_do_not_end_its_epoch() -> None:
    log = (
        "Epoch[0] Batch [20]\tSpeed: 1.50 samples/sec\tTrain-RPNAcc=0.5,\tRPNL1Loss=0.5,\n"
        "\t\t\t\t\t\t\tTrain-RCNNAcc=0.8,\tRCNNL1Loss=0.7\n"
        "Epoch[0] Batch [40]\tSpeed: 1.25 samples/sec\tTrain-RPNAcc=0.6,\tRPNL1Loss=0.4,\n"
    )

    speeds = [record for record in records(log) if isinstance(record, Speed)]

    assert [(speed.batch_end, speed.split) for speed in speeds] == [(20, "train"), (40, "train")]


def test_clojure_counts_milliseconds_behind_a_dash() -> None:
    (time,) = records("Epoch  3  Time cost- 8392\n")

    assert isinstance(time, Event)
    assert (time.kind, time.epoch, time.value) == ("time_cost", 3, 8.392)


def test_other_programs_bars_and_brackets_are_passed_over() -> None:
    log = (
        "100/100 [====>.....] - ETA: 1s\n[WARN][12] low\n(2, [-1, 3])\n"
        "Batch: 12 Loss: 0.53\nStart training with 100 samples\n"
    )

    assert read(log) == []
