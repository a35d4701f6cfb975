"""What was met in real logs and is not as one would think: read right, or said to be not read.

Each log is read by both readers, whose tables must be the same.
"""

from __future__ import annotations

from typing import Any

import pytest

from bothways import read_both, rows
from fitlog import RunLog

METRICS = ("run", "epoch", "batch_end", "split", "metric", "value", "line")
SPEEDS = ("run", "epoch", "batch_end", "samples_per_sec", "line")
RUNS = ("run", "status", "begin_epoch", "last_epoch", "epochs", "first_line", "last_line")


def log_of(*lines: str) -> RunLog:
    return read_both("".join(f"{line}\n" for line in lines))


def unread(log: RunLog) -> list[tuple[Any, ...]]:
    return rows(log.unparsed, "line", "text")


def codes(log: RunLog) -> list[tuple[Any, ...]]:
    return rows(log.warnings, "code", "line")


def single(epoch: int, end: int, speed: float, *fields: str) -> str:
    """A report as MXNet up to 1.3 wrote it."""
    return "\t".join([f"Epoch[{epoch}] Batch [{end}]", f"Speed: {speed:.2f} samples/sec", *fields])


def ranged(epoch: int, start: int, end: int, speed: float, value: float) -> str:
    return f"Epoch[{epoch}] Batch [{start}-{end}]\tSpeed: {speed:.2f} samples/sec\tmcc={value:.6f}"


def closing(epoch: int, value: float, seconds: float) -> list[str]:
    return [f"Epoch[{epoch}] Train-mcc={value:.6f}", f"Epoch[{epoch}] Time cost={seconds:.3f}"]


def validation(epoch: int, value: float) -> str:
    return f"Epoch[{epoch}] Validation-mcc={value:.6f}"


# 1. Records that a torn write glued.
def test_two_records_glued_by_a_torn_write_are_two_points() -> None:
    log = log_of(
        single(31, 400, 512.5, "mcc=0.250000", "top_k_m") + single(31, 420, 498.25, "mcc=0.500000")
    )

    assert rows(log.speed, *SPEEDS) == [(0, 31, 400, 512.5, 1), (0, 31, 420, 498.25, 1)]
    assert rows(log.metrics, *METRICS) == [
        (0, 31, 400, "train", "mcc", 0.25, 1),
        (0, 31, 420, "train", "mcc", 0.5, 1),
    ]
    assert unread(log) == [(1, "top_k_m")]


def test_a_number_that_a_torn_write_cut_is_not_taken_for_a_number() -> None:
    log = log_of(single(31, 400, 512.5, "mcc=0.25") + "Epoch[31] Time cost=8.500")

    assert rows(log.speed, *SPEEDS) == [(0, 31, 400, 512.5, 1)]
    assert log.metrics.empty
    assert rows(log.events, "epoch", "value", "line") == [(31, 8.5, 1)]
    assert unread(log) == [(1, "mcc=0.25")]


# 2. Records inside other output.
def test_a_record_that_begins_inside_other_output_is_read() -> None:
    log = log_of(
        "fetching shard 3 of 8 " + single(0, 20, 512.5, "mcc=0.250000"),
        " 64%|######4   | 16/25 [00:07<00:04,  2.2it/s]Epoch[0] Time cost=8.500",
        "[09:12:44] src/io/iter_prefetcher.h:55: 4 threads" + validation(0, 0.5),
    )

    assert rows(log.speed, *SPEEDS) == [(0, 0, 20, 512.5, 1)]
    assert rows(log.metrics, *METRICS) == [
        (0, 0, 20, "train", "mcc", 0.25, 1),
        (0, 0, None, "validation", "mcc", 0.5, 3),
    ]
    assert rows(log.events, "kind", "value", "line") == [("time_cost", 8.5, 2)]
    assert unread(log) == []


def test_other_output_that_begins_inside_a_record_is_told_from_it() -> None:
    log = log_of(
        single(0, 20, 512.5, "mcc=0.250000 fetching shard 4"),
        validation(0, 0.5) + " fetching shard 5",
    )

    assert rows(log.speed, *SPEEDS) == [(0, 0, 20, 512.5, 1)]
    assert log.metrics.empty
    assert unread(log) == [
        (1, "mcc=0.250000 fetching shard 4"),
        (2, "Epoch[0] Validation-mcc=0.500000 fetching shard 5"),
    ]


# 3. Ends of lines, progress bars, colours.
def test_lines_that_end_as_on_windows_are_read() -> None:
    log = read_both(f"{single(0, 20, 512.5, 'mcc=0.250000')}\r\n{validation(0, 0.5)}\r\n")

    assert log.lines == 2
    assert rows(log.metrics, *METRICS) == [
        (0, 0, 20, "train", "mcc", 0.25, 1),
        (0, 0, None, "validation", "mcc", 0.5, 2),
    ]


def test_a_bar_that_is_drawn_over_and_over_hides_no_record() -> None:
    bar = "".join(f"[{'=' * n}{'-' * (9 - n)}] {n * 11}%\r" for n in range(10))
    others = "".join(f"batch {n}/300\r" for n in range(300))

    log = read_both(f"{bar}{validation(0, 0.5)}\r\n{others}{validation(1, 0.75)}\r\n")

    assert rows(log.metrics, *METRICS) == [
        (0, 0, None, "validation", "mcc", 0.5, 1),
        (0, 1, None, "validation", "mcc", 0.75, 2),
    ]
    assert rows(log.events, "kind", "text", "value") == [("progress", "[=========] 99%", 99.0)]
    assert unread(log) == []


def test_colours_and_a_missing_last_line_end_are_no_obstacle() -> None:
    log = read_both(
        f"\x1b[32mI0406 09:12:44 77 fit.py:run:9]\x1b[0m \x1b[1m{validation(0, 0.5)}\x1b[0m\n"
        f"{validation(1, 0.75)}"
    )

    assert rows(log.metrics, *METRICS) == [
        (0, 0, None, "validation", "mcc", 0.5, 1),
        (0, 1, None, "validation", "mcc", 0.75, 2),
    ]
    assert unread(log) == []


# 4. Values that are no everyday numbers.
def test_values_that_are_no_everyday_numbers_are_kept_as_they_are() -> None:
    fields = ["a=nan", "b=inf", "c=-inf", "d=1e-05", "e=-0.000000", "f=2.5E+3"]

    log = log_of(single(0, 20, 512.5, *fields))

    assert [repr(float(value)) for value in log.metrics["value"]] == [
        *("nan", "inf", "-inf", "1e-05", "-0.0", "2500.0"),
    ]
    assert unread(log) == []


def test_validation_that_is_nan_in_every_epoch_is_nan_and_not_missing() -> None:
    log = log_of(*(f"Epoch[{epoch}] Validation-mcc=nan" for epoch in range(80)))

    assert rows(log.epochs, "epoch", "validation-mcc") == [(epoch, "nan") for epoch in range(80)]


# 5. Restarts in one file.
def test_nine_trainings_in_one_file_are_nine_runs() -> None:
    lines = [
        line
        for n in range(9)
        for epoch in (0, 1)
        for line in (*closing(epoch, n / 10, n + 1.5), validation(epoch, n / 10))
    ]

    log = log_of(*lines)

    assert rows(log.epochs, "run", "epoch", "validation-mcc") == [
        (n, epoch, n / 10) for n in range(9) for epoch in (0, 1)
    ]
    assert codes(log) == [("restart", 6 * n + 1) for n in range(1, 9)]


def test_an_epoch_that_is_logged_twice_belongs_to_two_runs() -> None:
    log = log_of(*closing(4, 0.5, 8.5), *closing(5, 0.625, 8.25), *closing(5, 0.75, 9.5))

    assert rows(log.runs, *RUNS) == [
        (0, "finished", 4, 5, 2, 1, 4),
        (1, "finished", 5, 5, 1, 5, 6),
    ]
    assert rows(log.epochs, "run", "epoch", "train-mcc", "time_cost") == [
        (0, 4, 0.5, 8.5),
        (0, 5, 0.625, 8.25),
        (1, 5, 0.75, 9.5),
    ]
    assert codes(log) == [("restart", 5)]


def test_a_start_that_dies_before_its_first_line_is_a_run_that_aborted() -> None:
    start = "start with arguments Namespace(batch_size=8, num_epochs=1)"

    log = log_of(start, "MemoryError", start, *closing(0, 0.5, 8.5))

    assert rows(log.runs, *RUNS) == [
        (0, "aborted", None, None, 0, 1, 1),
        (1, "finished", 0, 0, 1, 3, 5),
    ]
    assert codes(log) == [("restart", 3)]


# 6. Epochs that begin late and go far.
def test_a_resumed_training_begins_past_epoch_0() -> None:
    log = log_of(*closing(7998, 0.5, 8.5), *closing(7999, 0.625, 8.25))

    assert rows(log.runs, *RUNS) == [(0, "finished", 7998, 7999, 2, 1, 4)]
    assert rows(log.epochs, "epoch", "train-mcc") == [(7998, 0.5), (7999, 0.625)]
    assert codes(log) == []


# 7. Ranges that grow.
@pytest.mark.parametrize(("first", "scope"), [((0, 0, 0), "running"), ((0, 20, 40), "window")])
def test_ranges_that_all_begin_at_0_are_running_means(first: tuple[int, ...], scope: str) -> None:
    bounds = list(zip(first, (20, 40, 60), strict=True))

    log = log_of(*(ranged(0, start, end, 512.5, end / 100) for start, end in bounds))

    assert rows(log.metrics, "batch_start", "batch_end", "scope", "value") == [
        (start, end, scope, end / 100) for start, end in bounds
    ]
    assert rows(log.runs, *RUNS) == [(0, "cut", 0, 0, 0, 1, 3)]


# 8. Counts among the metrics.
def test_counts_are_metrics_like_others() -> None:
    log = log_of(
        "Epoch[3] Validation-correct-count=1874.000000",
        "Epoch[3] Validation-total-count=2000.000000",
        "Epoch[3] Validation-mcc=0.937000",
    )

    assert rows(log.epochs, "validation-correct-count", "validation-total-count") == [
        (1874.0, 2000.0)
    ]
    assert rows(log.epochs, "epoch", "validation-mcc") == [(3, 0.937)]


# 9. Validation that is not there.
def test_validation_that_is_not_there_is_missing_and_makes_no_run() -> None:
    log = log_of(
        *closing(0, 0.5, 8.5),
        *(*closing(1, 0.625, 8.25), validation(1, 0.5), "Epoch[1] Validation-loss=1.250000"),
        *closing(2, 0.75, 8.125),
        *(*closing(3, 0.875, 8.0), validation(3, 0.625)),
    )

    columns = ("run", "epoch", "time_cost", "validation-mcc", "validation-loss")
    assert rows(log.epochs, *columns) == [
        (0, 0, 8.5, None, None),
        (0, 1, 8.25, 0.5, 1.25),
        (0, 2, 8.125, None, None),
        (0, 3, 8.0, 0.625, None),
    ]
    assert rows(log.runs, *RUNS) == [(0, "finished", 0, 3, 4, 1, 11)]


# 10. No training line of the epoch.
def test_an_epoch_without_its_training_line_has_its_time_and_validation() -> None:
    log = log_of(
        ranged(0, 0, 20, 512.5, 0.25),
        *("Epoch[0] Resetting Data Iterator", "Epoch[0] Time cost=8.500", validation(0, 0.5)),
    )

    assert "train-mcc" not in log.epochs
    assert rows(log.epochs, "epoch", "time_cost", "batches", "validation-mcc") == [
        (0, 8.5, 20, 0.5)
    ]
    assert rows(log.runs, *RUNS) == [(0, "finished", 0, 0, 1, 1, 4)]


# 11. Several workers.
def test_workers_without_a_rank_are_one_run_with_a_warning() -> None:
    log = log_of(
        *(
            ranged(0, end - 20, end, 512.5 + worker, 0.25)
            for end in (20, 40, 60)
            for worker in (0, 1, 2)
        )
    )

    assert rows(log.runs, *RUNS) == [(0, "cut", 0, 0, 0, 1, 9)]
    assert log.speed["samples_per_sec"].tolist() == [512.5, 513.5, 514.5] * 3
    assert codes(log) == [("repeated-batch", 2), ("interleaved-workers", 5)]


def test_of_many_ranks_the_first_alone_logs_its_epochs() -> None:
    log = log_of(
        *(f"Node[{rank}] {ranged(0, 0, 20, 512.0, 0.25)}" for rank in range(1536)),
        *(f"Node[0] {line}" for line in closing(0, 0.5, 8.5)),
    )

    ended = log.runs[log.runs["status"] == "finished"]
    assert rows(ended, "run", "node", "epochs", "last_line") == [(0, 0, 1, 1538)]
    assert log.runs["node"].tolist() == list(range(1536))
    assert set(log.runs["run"]) == {0}
    assert codes(log) == []


# 12. Great numbers.
def test_speeds_of_millions_and_values_of_eleven_digits_lose_nothing() -> None:
    log = log_of(
        single(0, 20, 1234567.25, "perplexity=98765432101.500000"),
        single(0, 40, 98765432101.75, "perplexity=0.500000"),
    )

    assert log.speed["samples_per_sec"].tolist() == [1234567.25, 98765432101.75]
    assert log.metrics["value"].tolist() == [98765432101.5, 0.5]


# 13. Names.
def test_metrics_of_any_name_are_read_and_none_is_taken_for_another() -> None:
    names = ["cross-entropy", "top_k_accuracy_5", "M1_RPNL1Loss", "nce-auc", "x y=z", "精度"]
    alike = ["Accuracy", "accuracy", "acc", "Acc"]

    log = log_of(
        single(0, 20, 512.5, *(f"{name}=-0.000000" for name in names)),
        *(f"Epoch[0] Validation-{name}=0.{n}00000" for n, name in enumerate(alike, 1)),
        *(f"Epoch[0] Train-{name}=0.{n}00000" for n, name in enumerate(names, 1)),
    )

    assert rows(log.metrics, "split", "metric", "value") == [
        *(("train", name, 0.0) for name in names),
        *(("validation", name, n / 10) for n, name in enumerate(alike, 1)),
        *(("train", name, n / 10) for n, name in enumerate(names, 1)),
    ]
    assert unread(log) == []


@pytest.mark.parametrize("name", ["", "loss,mcc", "loss\tmcc"])
def test_a_name_that_ends_a_field_is_reported(name: str) -> None:
    log = log_of(f"Epoch[0] Validation-{name}=0.500000")

    assert log.metrics.empty
    assert unread(log) == [(1, f"Epoch[0] Validation-{name}=0.500000")]


# 14. What stands between the records.
def test_what_stands_between_the_records_is_passed_over_or_reported() -> None:
    log = log_of(
        ranged(0, 0, 20, 512.5, 0.25),
        "Traceback (most recent call last):",
        '  File "job.py", line 31, in run',
        "KeyError: 'Epoch[0] Batch'",
        "usage: job.py [-h] [--kv-store KV]",
        "第一轮训练结束,准确率上升",
        "{'optimizer': 'sgd',",
        " 'momentum': 0.9}",
        '{"epoch": 0, "mcc": 0.25}',
        '{"speed": "512.5 samples/sec"}',
        ranged(0, 20, 40, 512.5, 0.5),
    )

    assert rows(log.speed, *SPEEDS) == [(0, 0, 20, 512.5, 1), (0, 0, 40, 512.5, 11)]
    assert unread(log) == [
        (4, "KeyError: 'Epoch[0] Batch'"),
        (10, '{"speed": "512.5 samples/sec"}'),
    ]


# 15. The same run twice.
def test_a_run_that_two_handlers_logged_is_one_run() -> None:
    lines = [
        line
        for epoch in (0, 1)
        for line in (
            *(ranged(epoch, 0, 20, 512.5, 0.25), ranged(epoch, 20, 40, 498.25, 0.5)),
            *(*closing(epoch, 0.5 + epoch / 4, 8.5 + epoch), validation(epoch, 0.625)),
        )
    ]

    log = log_of(*(prefix + line for line in lines for prefix in ("", "INFO:root:")))

    assert rows(log.runs, *RUNS) == [(0, "finished", 0, 1, 2, 1, 20)]
    assert rows(log.speed, *SPEEDS) == [
        *((0, 0, 20, 512.5, 1), (0, 0, 40, 498.25, 3)),
        *((0, 1, 20, 512.5, 11), (0, 1, 40, 498.25, 13)),
    ]
    assert codes(log) == [("doubled-lines", 6)]


# 16. A killed run.
@pytest.mark.parametrize(
    "torn", ["Epoch[1] Batch [20-40]\tSpeed: 49", "Epoch[1] Validation-mcc=0.6"]
)
def test_the_last_line_of_a_killed_run_is_reported_where_it_is_cut(torn: str) -> None:
    whole = [*closing(0, 0.5, 8.5), validation(0, 0.5), ranged(1, 0, 20, 512.5, 0.25)]

    log = read_both("".join(f"{line}\n" for line in whole) + torn)

    assert rows(log.metrics, *METRICS) == [
        (0, 0, None, "train", "mcc", 0.5, 1),
        (0, 0, None, "validation", "mcc", 0.5, 3),
        (0, 1, 20, "train", "mcc", 0.25, 4),
    ]
    assert rows(log.epochs, "epoch", "time_cost", "train-mcc") == [(0, 8.5, 0.5), (1, None, None)]
    assert rows(log.runs, *RUNS) == [(0, "cut", 0, 1, 1, 1, 4)]
    assert unread(log) == [(5, torn)]
