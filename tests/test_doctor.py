"""What the doctor says of logs, each doubt from lines that really are in doubt."""

from __future__ import annotations

import json
import subprocess
import sysconfig
from pathlib import Path

import pytest

from fitlog import read_log
from fitlog.doctor import examine, format_examination
from support import SAMPLES

START = "start with arguments Namespace(batch_size=32, num_epochs=2)"


def speed(epoch: int, start: int, end: int, value: str = "100.00") -> str:
    return f"Epoch[{epoch}] Batch [{start}-{end}]\tSpeed: {value} samples/sec\tacc=0.500000"


def doubts(*lines: str) -> dict[str, int]:
    """The codes of what is found, each with its line."""
    log = read_log("".join(f"{line}\n" for line in lines).encode())
    return {doubt.code: doubt.line for doubt in examine(log).doubts}


def statuses(*lines: str) -> list[str]:
    log = read_log("".join(f"{line}\n" for line in lines).encode())
    return [str(status) for status in log.runs["status"]]


def whole(epoch: int, *, value: float = 0.5) -> list[str]:
    return [
        *(speed(epoch, 0, 10), speed(epoch, 10, 20), f"Epoch[{epoch}] Train-acc={value + epoch:f}"),
        *(
            f"Epoch[{epoch}] Time cost={6 + epoch}.400",
            f"Epoch[{epoch}] Validation-acc=0.50000{epoch}",
        ),
    ]


def test_a_sound_log_leaves_nothing_to_doubt() -> None:
    assert doubts(START, *whole(0), *whole(1)) == {}


@pytest.mark.parametrize("value", ["inf", "nan", "0.00", "-5.00"])
def test_a_speed_that_cannot_be_is_doubted(value: str) -> None:
    assert doubts(speed(0, 0, 10), speed(0, 10, 20, value)) == {"impossible-speed": 2}


def test_a_window_before_batch_0_is_doubted() -> None:
    assert doubts(speed(0, -20, 0)) == {"negative-window": 1}


def test_windows_that_are_over_long_before_their_epoch_are_doubted() -> None:
    lines = [speed(0, 0, 10, "47827.00"), speed(0, 10, 20, "827929.00"), "Epoch[0] Time cost=6.400"]

    assert doubts(START, *lines) == {"asynchronous-speed": 2}
    assert doubts(*lines) == {}  # without the batch size the log does not tell


@pytest.mark.parametrize(
    ("arguments", "values", "codes"),
    [
        ("batch_size=32", ("inf", "inf"), {"asynchronous-speed": 2, "impossible-speed": 2}),
        ("batch_size=0", ("9000.00", "100.00"), {}),
        (f"batch_size=1{'0' * 400}", ("9000.00", "100.00"), {}),
    ],
)
def test_what_cannot_be_divided_by_is_no_obstacle(
    arguments: str, values: tuple[str, str], codes: dict[str, int]
) -> None:
    lines = [speed(0, 0, 10, values[0]), speed(0, 10, 20, values[1]), "Epoch[0] Time cost=6.400"]

    assert doubts(f"Namespace({arguments})", *lines) == codes


def test_windows_of_no_batch_are_not_compared_with_their_epoch() -> None:
    assert doubts(START, speed(0, 0, 0), "Epoch[0] Time cost=6.400") == {}


def test_steady_speeds_of_several_workers_are_not_doubted() -> None:
    lines = [speed(0, 0, 10, "800.00"), speed(0, 10, 20, "810.00"), "Epoch[0] Time cost=6.400"]

    assert doubts(START, *lines) == {}  # eight workers of 32 samples a batch


def test_a_line_that_is_lost_between_windows_is_doubted() -> None:
    assert doubts(speed(0, 0, 10), speed(0, 20, 30)) == {"lost-lines": 2}
    assert doubts(speed(0, 0, 10), speed(1, 0, 10)) == {}


def test_an_epoch_that_is_not_there_is_doubted() -> None:
    lines = [*whole(0), *whole(1), *whole(4), *whole(5)]

    assert doubts(*lines) == {"missing-epochs": 11}


def test_every_line_twice_is_doubted() -> None:
    lines = [line for line in [*whole(0), *whole(1)] for _ in range(2)]

    assert doubts(*lines) == {"doubled-lines": 6}


def test_validation_that_a_speedometer_reset_is_doubted() -> None:
    found = examine(read_log(SAMPLES / "eval-speedometer.log")).doubts

    assert [(doubt.code, doubt.line) for doubt in found] == [("evaluation-reset", 9)]


def test_what_is_left_of_an_epoch_in_old_versions_is_doubted() -> None:
    found = examine(read_log(SAMPLES / "mxnet-1.2.log")).doubts

    assert [doubt.code for doubt in found] == ["residual-metric"]


@pytest.mark.parametrize(
    ("log", "versions"),
    [
        ("mxnet-0.9", "0.7 to 0.9; any, from Perl or Scala"),
        ("no-metric", ""),
        ("mxnet-0.12", "0.10 to 1.3"),
        ("mxnet-1.4", "1.4 or newer"),
        ("canonical", "1.4 or newer"),
    ],
)
def test_the_versions_that_write_such_lines_are_named(log: str, versions: str) -> None:
    assert examine(read_log(SAMPLES / f"{log}.log")).mxnet == versions


def test_how_each_run_ended_is_told() -> None:
    assert statuses(START, *whole(0), *whole(1)) == ["finished"]
    assert statuses(START, *whole(0)) == ["cut"]  # of two epochs
    assert statuses(*whole(0), speed(1, 0, 10)) == ["cut"]
    assert statuses(*whole(0), *whole(1)[:-1]) == ["cut"]  # no validation, unlike before
    assert statuses(*whole(0), speed(1, 0, 10), *whole(0)) == ["restarted", "finished"]
    assert statuses(START, "Traceback", START, *whole(0), *whole(1)) == ["aborted", "finished"]


def test_the_command_ends_with_0_and_gives_json_to_programs() -> None:
    fitlog = Path(sysconfig.get_path("scripts")) / "fitlog"
    logs = [SAMPLES / "restarted.log", SAMPLES / "killed.log"]
    done = subprocess.run(
        [fitlog, "doctor", *logs, "--format", "json"], capture_output=True, text=True, check=True
    )

    first, second = json.loads(done.stdout)

    assert first["runs"] == [[0, "restarted"], [1, "finished"]]
    assert [doubt["code"] for doubt in first["doubts"]] == ["restart"]
    assert second["doubts"][0]["code"] == "unread"
    assert second["doubts"][0]["remedy"]


def test_a_file_that_is_no_log_hides_nothing_of_the_others(tmp_path: Path) -> None:
    (tmp_path / "a.log").write_text("hello\n")
    (tmp_path / "b.log").write_text(speed(0, 0, 10, "inf") + "\n")
    fitlog = Path(sysconfig.get_path("scripts")) / "fitlog"

    (tmp_path / "empty").mkdir()
    logs = [tmp_path / "empty", tmp_path / "*.txt", tmp_path]

    done = subprocess.run([fitlog, "doctor", *logs], capture_output=True, text=True, check=False)

    assert done.returncode == 2
    assert "line 1: impossible-speed" in done.stdout
    assert "is a folder without a log" in done.stderr
    assert "matches no file" in done.stderr
    assert "no training record in its 1 line" in done.stderr


def test_the_name_of_a_file_says_nothing_in_the_doctors_name(tmp_path: Path) -> None:
    log = tmp_path / "a\n  nothing to doubt\n.log"
    log.write_text(speed(0, 0, 10, "inf") + "\n")

    text = format_examination(examine(read_log(log)))

    assert text.splitlines()[0].endswith(r"a\n  nothing to doubt\n.log")


def test_windows_that_state_their_end_alone_are_timed_from_the_one_before() -> None:
    lines = [
        "Epoch[0] Batch [10]\tSpeed: 47827.00 samples/sec\tacc=0.500000",
        "Epoch[0] Batch [20]\tSpeed: 827929.00 samples/sec\tacc=0.500000",
        "Epoch[0] Time cost=6.400",
    ]

    assert doubts(START, *lines) == {"asynchronous-speed": 2}


def test_the_batch_size_is_that_of_the_run_and_not_of_the_next_one() -> None:
    other = START.replace("batch_size=32", "batch_size=2")

    assert doubts(START, *whole(0), *whole(1), other) == {"restart": 12}


def test_a_speed_that_thousands_of_workers_would_need_is_doubted() -> None:
    lines = [speed(0, 0, 10, "300000.00"), speed(0, 10, 20, "300000.00")]

    assert doubts(START, *lines, "Epoch[0] Time cost=22.000") == {"asynchronous-speed": 2}


def test_an_epoch_whose_first_report_is_lost_is_doubted_but_not_the_beginning_of_a_log() -> None:
    assert doubts(*whole(0), *whole(1)[1:]) == {"lost-lines": 6}
    assert doubts(*whole(0)[1:], *whole(1)) == {}


def test_validation_after_a_reset_is_doubted_also_where_it_is_a_number() -> None:
    lines = [*whole(0)[:4], speed(0, 0, 10), speed(0, 10, 20), *whole(0)[4:]]

    assert doubts(*lines) == {"evaluation-reset": 7}


def test_running_means_are_no_residuals() -> None:
    running = "Iter[0] Batch[{}] Train-acc=0.500000"

    assert doubts(running.format(10), running.format(20), "Epoch[0] Train-acc=0.5") == {}
    assert doubts(
        "Epoch[0] Train-acc=0.5",  # an epoch without a report: all of it
        "Epoch[1] Batch [10]\tSpeed: 9.50 samples/sec\tacc=0.500000",
        "Epoch[1] Train-acc=0.5",
    ) == {"residual-metric": 3}


def test_an_exception_is_told_once_with_those_that_it_raised() -> None:
    crash = ["Traceback (most recent call last):", '  File "train.py", line 3', "ValueError: no"]

    assert doubts(*whole(0), *crash, "", *crash) == {"traceback": 6}


def test_a_run_that_the_log_says_is_over_is_finished() -> None:
    stop = ':::MLL 1571234567.250 run_stop: {"metadata": {"status": "success"}}'
    aborted = ':::MLL 1571234567.250 run_stop: {"metadata": {"status": "aborted"}}'

    assert statuses(START, *whole(0), stop) == ["finished"]  # of two epochs: it was good enough
    assert statuses(START, *whole(0), aborted) == ["cut"]


def test_a_crash_behind_the_last_epoch_cuts_the_run() -> None:
    crash = "Traceback (most recent call last):"

    assert statuses(*whole(0), *whole(1), crash) == ["cut"]
    assert statuses(*whole(0), crash, *whole(1)) == ["finished"]
    assert statuses(*whole(0), crash, START, *whole(0), *whole(1)) == ["restarted", "finished"]


def test_the_workers_share_how_the_run_of_the_one_that_logs_ended() -> None:
    starts = [f"Node[{rank}] {START}" for rank in range(3)]
    epochs = [f"Node[0] {line}" for line in [*whole(0), *whole(1)]]

    assert statuses(*starts, *epochs) == ["finished"] * 3
    assert statuses(*starts, *epochs[:-1]) == ["cut"] * 3
    assert statuses(*starts) == ["aborted"] * 3


def test_epochs_without_an_end_are_whole_where_all_came_as_far() -> None:
    report = "epoch: {} iter: {} metric: ('acc', 0.5)"
    lines = [report.format(epoch, batch) for epoch in (0, 1, 2) for batch in (100, 200)]

    assert statuses(*lines) == ["finished"]
    assert statuses(*lines[:-1]) == ["cut"]


def test_a_run_that_counts_steps_is_finished_with_the_last_one() -> None:
    start = "Namespace(batch_size=32, num_steps=200)"
    report = "[step {}]\tmlm_loss=7.84120\tmlm_acc=5.06311\tthroughput=88.6K tks/s\tlr=0.1 time=1.0"

    assert statuses(start, report.format(99), report.format(199)) == ["finished"]
    assert statuses(start, report.format(99)) == ["cut"]


def test_epochs_that_count_from_1_are_as_many_as_were_to_be() -> None:
    epochs = [*whole(1), *whole(2)]

    assert statuses(START, *epochs) == ["finished"]
    assert statuses(START.replace("num_epochs=2", "num_epochs=3"), *epochs) == ["cut"]
    resumed = START.replace("num_epochs=2", "num_epochs=3, load_epoch=1")
    assert statuses(resumed, *epochs) == ["finished"]
