"""Runs in one file, and evaluation windows, told as a person would tell them."""

from __future__ import annotations

import pytest

from fitlog_parsers import Entry, Finding, LogReader, Metric, Row, Speed


def read(*lines: str) -> list[Entry]:
    reader = LogReader()
    return reader.feed("".join(f"{line}\n" for line in lines).encode()) + reader.close()


def runs(*lines: str) -> list[int]:
    """The run of each line that has a record."""
    by_line = {entry.line: entry.run for entry in read(*lines) if isinstance(entry, Row)}
    return [by_line[line] for line in sorted(by_line)]


def splits(*lines: str) -> list[str]:
    """The split of each line with a speed, in order."""
    rows = [entry for entry in read(*lines) if isinstance(entry, Row)]
    return [row.record.split for row in rows if isinstance(row.record, Speed)]


def speed(epoch: int, end: int, value: float = 100.0) -> str:
    return f"Epoch[{epoch}] Batch [{end - 10}-{end}]\tSpeed: {value:.2f} samples/sec\tacc=0.500000"


def closing(epoch: int, seconds: float = 1.0) -> list[str]:
    return [f"Epoch[{epoch}] Train-acc={epoch / 10:f}", f"Epoch[{epoch}] Time cost={seconds:.3f}"]


def validation(epoch: int) -> str:
    return f"Epoch[{epoch}] Validation-acc=0.500000"


START = "start with arguments Namespace(lr=0.1)"


def test_a_whole_training_is_one_run() -> None:
    lines = [START]
    for epoch in range(3):
        lines += [speed(epoch, 10), speed(epoch, 20), *closing(epoch), validation(epoch)]

    assert set(runs(*lines)) == {0}


def test_an_epoch_that_goes_back_opens_a_run() -> None:
    assert runs(speed(3, 10), speed(4, 10), speed(0, 10)) == [0, 0, 1]


def test_an_epoch_that_jumps_ahead_does_not() -> None:
    assert runs(speed(3, 10), speed(9, 10)) == [0, 0]


def test_a_batch_that_goes_back_within_its_epoch_opens_a_run() -> None:
    assert runs(speed(0, 10), speed(0, 20), speed(0, 10)) == [0, 0, 1]


def test_an_epoch_that_trains_again_after_its_validation_opens_a_run() -> None:
    assert runs(speed(0, 10), *closing(0), validation(0), speed(0, 10)) == [0, 0, 0, 0, 1]


def test_an_epoch_that_ends_a_second_time_opens_a_run() -> None:
    assert runs(*closing(0, 1.0), "Epoch[0] Time cost=2.000") == [0, 0, 1]


def test_a_start_line_after_records_opens_a_run() -> None:
    assert runs(speed(0, 10), START, speed(1, 10)) == [0, 1, 1]


def test_a_start_that_dies_before_its_first_line_is_a_run_of_its_own() -> None:
    assert runs(START, "Traceback", START, "Traceback", START, speed(0, 10)) == [0, 1, 2, 2]


def test_a_start_line_written_by_two_handlers_is_one_start() -> None:
    assert runs(f"INFO:root:{START}", START, speed(0, 10)) == [0, 0, 0]


def test_feedforward_names_its_devices_in_the_run_of_its_arguments() -> None:
    assert runs(START, "Start training with [cpu(0)]", speed(0, 10)) == [0, 0, 0]


def test_a_training_logged_twice_by_two_handlers_is_one_run() -> None:
    lines = [speed(0, 10), *closing(0), validation(0), speed(1, 10), *closing(1), validation(1)]
    doubled = [line for line in lines for _ in range(2)]

    assert set(runs(*doubled)) == {0}


def test_each_node_has_its_own_runs() -> None:
    lines = [
        "Node[0] Epoch[1] Time cost=1.000",
        "Node[1] Epoch[0] Time cost=1.000",
        "Node[0] Epoch[0] Time cost=1.000",
        "Node[1] Epoch[1] Time cost=1.000",
    ]

    assert runs(*lines) == [0, 0, 1, 0]


def test_speeds_between_an_epochs_end_and_its_validation_are_the_validations() -> None:
    lines = [speed(0, 10), *closing(0), speed(0, 10), speed(0, 20), validation(0), speed(1, 10)]

    assert splits(*lines) == ["train", "validation", "validation", "train"]
    assert set(runs(*lines)) == {0}


def test_speeds_after_an_epochs_end_without_validation_are_a_new_runs() -> None:
    lines = [speed(0, 10), *closing(0, 1.0), speed(0, 10), *closing(0, 2.0)]

    assert splits(*lines) == ["train", "train"]
    assert runs(*lines) == [0, 0, 0, 1, 1, 1]


@pytest.mark.parametrize(("seen", "split"), [(True, "validation"), (False, "train")])
def test_speeds_that_the_log_ends_on_are_judged_by_what_it_did_before(
    seen: bool, split: str
) -> None:
    before = [speed(0, 10), *closing(0), validation(0)] if seen else [speed(0, 10), *closing(0)]
    lines = [*before, speed(1, 10), *closing(1), speed(1, 10)]

    assert splits(*lines)[-1] == split
    assert "undecided-windows" in [e.code for e in read(*lines) if isinstance(e, Finding)]


def test_windows_that_only_seem_the_evaluations_are_said_to_be_a_guess() -> None:
    guessed = read(speed(0, 20), *closing(0), speed(0, 20), START, speed(0, 20))
    told = read(speed(0, 20), *closing(0), speed(0, 20), validation(0), speed(1, 20))

    assert "undecided-windows" in [e.code for e in guessed if isinstance(e, Finding)]
    assert not [e for e in told if isinstance(e, Finding)]


def test_a_run_killed_in_its_evaluation_and_the_next_one_are_told_apart() -> None:
    lines = [
        *(speed(0, 10), speed(0, 20), *closing(0, 1.0), speed(0, 10), speed(0, 20)),
        *(speed(0, 10, 50.0), speed(0, 20, 50.0), *closing(0, 2.0)),
    ]

    assert splits(*lines) == ["train", "train", "validation", "validation", "train", "train"]
    assert runs(*lines) == [0, 0, 0, 0, 0, 0, 1, 1, 1, 1]


def test_an_evaluations_line_for_each_metric_is_one_speed_too() -> None:
    eval_lines = [
        "Epoch[0] Batch [10]\tSpeed: 89.25 samples/sec\tTrain-accuracy=0.105114",
        "Epoch[0] Batch [10]\tSpeed: 89.25 samples/sec\tTrain-cross-entropy=2.373344",
    ]

    assert splits(speed(0, 10), *closing(0), *eval_lines, validation(0)) == ["train", "validation"]


def test_the_line_for_each_metric_of_old_versions_is_one_speed() -> None:
    lines = [
        "Epoch[0] Batch [10]\tSpeed: 89.25 samples/sec\tTrain-accuracy=0.105114",
        "Epoch[0] Batch [10]\tSpeed: 89.25 samples/sec\tTrain-cross-entropy=2.373344",
    ]

    rows = [entry.record for entry in read(*lines) if isinstance(entry, Row)]

    assert [type(record) for record in rows] == [Speed, Metric, Metric]


def test_another_speed_for_the_same_batch_is_kept_and_warned_of_once() -> None:
    entries = read(speed(0, 10, 1.0), speed(0, 10, 2.0), speed(0, 20, 1.0), speed(0, 20, 2.0))

    speeds = [e for e in entries if isinstance(e, Row) and isinstance(e.record, Speed)]
    assert len(speeds) == 4
    found = [(e.code, e.line) for e in entries if isinstance(e, Finding)]
    assert found == [("repeated-batch", 2), ("interleaved-workers", 4)]


def test_a_restart_is_a_finding_that_says_why() -> None:
    (finding,) = (e for e in read(speed(2, 10), speed(0, 10)) if isinstance(e, Finding))

    assert finding == Finding(code="restart", line=2, text="run 1 begins: epoch 0 after epoch 2")


def test_a_first_mean_that_is_logged_twice_is_a_mean_both_times() -> None:
    def means(end: int) -> str:
        return f"Epoch[0] Batch [0-{end}]\tSpeed: 1.00 samples/sec\tacc=0.500000"

    rows = [e for e in read(means(10), means(10), means(20)) if isinstance(e, Row)]
    scopes = [row.record.scope for row in rows if isinstance(row.record, Metric)]

    assert scopes == ["running", "running", "running"]


def test_reports_without_a_speed_that_begin_again_after_the_end_are_a_new_run() -> None:
    report = "Iter[0] Batch[{}] Train-acc=0.500000"
    lines = [report.format(0), report.format(10), "Epoch[0] Train-acc=0.500000", report.format(0)]

    assert runs(*lines) == [0, 0, 0, 1]


def test_an_epoch_that_ends_again_after_its_validation_is_a_new_run() -> None:
    lines = ["Epoch[0] Train-acc=0.500000", "Epoch[0] Validation-acc=0.500000"]

    assert runs(*lines, *lines) == [0, 0, 1, 1]
    assert runs(*(line for line in lines for _ in range(2))) == [0, 0, 0, 0]
