"""Which runs are compared, however they are named, and what cannot be."""

from __future__ import annotations

import gzip
import math
from pathlib import Path
from typing import Any

import pytest

from comparing import difference, log_of, record_of, row
from fitlog import (
    LogError,
    NoRecordsError,
    SettingError,
    TrainingError,
    compare,
    read_log,
    read_logs,
)
from fitlog.contrasts import (
    Difference,
)


def test_the_run_that_was_taken_of_several_is_said() -> None:
    both = log_of(level=500.0) + log_of(level=2000.0)

    comparison = compare(log_of(level=2000.0), both)

    assert row(comparison, "throughput", "samples/sec").values[1] == pytest.approx(2000, rel=0.02)
    assert comparison.runs[1].notes == ("it holds 2 runs, and the last one (run 1) is taken",)
    assert comparison.runs[0].epochs == comparison.runs[1].epochs == 4


def test_the_first_of_several_nodes_is_taken_and_that_is_said() -> None:
    nodes = [
        b"".join(b"Node[%d] " % node + line for line in log.splitlines(keepends=True))
        for node, log in ((0, log_of(level=500.0)), (1, log_of(level=900.0)))
    ]

    comparison = compare(log_of(), b"".join(reversed(nodes)))

    assert "of its 2 nodes, node 0 is taken" in comparison.runs[1].notes
    assert row(comparison, "throughput", "samples/sec").values[1] == pytest.approx(500, rel=0.02)


def test_the_baseline_may_be_one_of_the_runs_or_another(samples: Path) -> None:
    one, two, three = (samples / f"lenet-{i}.log" for i in (1, 2, 3))

    among = compare(one, two, three, baseline=samples / ".." / samples.name / "lenet-2.log")
    other = compare(one, three, baseline=two)

    names = [[Path(run.name).name for run in each.runs] for each in (among, other)]
    assert names[0] == names[1] == ["lenet-2.log", "lenet-1.log", "lenet-3.log"]
    assert [run.label for run in among.runs] == ["A", "B", "C"]


def test_logs_are_compared_whatever_they_are_given_as(samples: Path, tmp_path: Path) -> None:
    path, other = samples / "lenet-1.log", samples / "lenet-2.log"
    packed = tmp_path / "lenet-1.log.gz"
    packed.write_bytes(gzip.compress(path.read_bytes()))
    whole = compare(path, other).quantities

    assert compare(packed, read_log(other)).quantities == whole
    assert compare(path.read_bytes(), other).quantities == whole


def test_a_folder_stands_for_its_log_and_a_glob_for_what_it_matches(tmp_path: Path) -> None:
    record_of(tmp_path / "one")
    record_of(tmp_path / "other")
    log = tmp_path / "other" / "run.log"
    (tmp_path / "other" / "run.log.gz").write_bytes(gzip.compress(log.read_bytes()))
    log.unlink()

    comparison = compare(tmp_path / "*")

    assert [Path(run.name).name for run in comparison.runs] == ["one", "run.log.gz"]
    assert [run.settings_source for run in comparison.runs] == ["run.json", "run.json"]


def test_a_run_that_has_not_finished_is_said_to_be_so(samples: Path, tmp_path: Path) -> None:
    failed = record_of(tmp_path / "failed", status="failed")

    comparison = compare(log_of(), failed, samples / "killed.log")

    assert comparison.runs[1].notes == ("it has not finished: failed",)
    assert "it has not finished: cut" in comparison.runs[2].notes


def test_runs_that_begin_with_unlike_epochs_are_said_to() -> None:
    notes = compare(log_of(), log_of(first=2)).notes

    assert any("unlike epochs (A: 0, B: 2)" in note for note in notes)


def test_speeds_that_are_missing_too_few_or_untrue_leave_the_throughput_out() -> None:
    few = b"".join(b"Epoch[0] Batch [%d]\tSpeed: 9.00 samples/sec\n" % i for i in (5, 10, 15))
    untrue = log_of() + b"Epoch[4] Batch [10]\tSpeed: inf samples/sec\n"

    comparison = compare(log_of(), few, untrue)

    assert row(comparison, "throughput", "samples/sec").values[1:] == (None, None)
    assert any("3 speed lines, and 5 are needed" in note for note in comparison.runs[1].notes)
    assert any("speeds that cannot be true" in note for note in comparison.runs[2].notes)


def test_runs_without_anything_in_common_are_compared_as_far_as_that_goes() -> None:
    comparison = compare(b"Epoch[0] Train-accuracy=0.5\n", b"Epoch[1] Time cost=3.0\n")

    assert row(comparison, "train-accuracy", "best").values == (0.5, None)
    assert row(comparison, "time per epoch", "seconds").values == (None, 3.0)
    assert all(difference(q) == Difference() for q in comparison.quantities)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"metric": "f1"}, "metric f1: not all runs have it; known: validation-accuracy"),
        ({"better": {"f1": "lower"}}, "no run has this metric; known: validation-accuracy"),
        ({"better": {"accuracy": "more"}}, "must be higher or lower"),
    ],
)
def test_a_metric_that_is_not_there_is_an_error(options: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingError, match=message):
        compare(log_of(), log_of(level=9.0), **options)


def test_what_cannot_be_compared_is_an_error(samples: Path, tmp_path: Path) -> None:
    log, other = samples / "lenet-1.log", samples / "lenet-2.log"
    (tmp_path / "a.log").write_bytes(log_of())
    (tmp_path / "b.log").write_bytes(log_of())

    with pytest.raises(SettingError, match="one run alone cannot be compared"):
        compare(log)
    with pytest.raises(SettingError, match="is named twice: a run does not differ from itself"):
        compare(log, other, log)
    with pytest.raises(SettingError, match="27 runs are too many"):
        compare(*(log_of(level=float(i)) for i in range(10, 37)))
    with pytest.raises(SettingError, match="cannot be compared as one run"):
        compare(log, read_logs([log, other]))
    with pytest.raises(NoRecordsError, match="is empty"):
        compare(log, b"")
    with pytest.raises(LogError, match="cannot be opened"):
        compare(log, tmp_path / "missing.log")
    with pytest.raises(LogError, match="matches no file"):
        compare(log, tmp_path / "*.txt")
    with pytest.raises(LogError, match=r"holds 2 logs and no run\.log: name the logs"):
        compare(log, tmp_path)
    with pytest.raises(SettingError, match="target nan: must be a finite number"):
        compare(log, other, target=math.nan)
    with pytest.raises(SettingError, match="no metric in common"):
        compare(b"Epoch[0] Time cost=3.0\n", b"Epoch[0] Time cost=4.0\n", target=0.5)


def test_a_damaged_record_is_an_error_and_one_with_strange_parts_is_none(tmp_path: Path) -> None:
    strange = record_of(tmp_path / "strange", host=5, git="?", arguments=None, versions=[])
    broken = record_of(tmp_path / "broken")
    (broken / "run.json").write_text("{", "utf-8")

    assert compare(log_of(), strange).settings == ()
    with pytest.raises(TrainingError, match=r"run\.json is no record of a run"):
        compare(log_of(), broken)


def test_phases_that_cannot_be_read_are_left_out_and_a_record_without_status_says_nothing(
    tmp_path: Path,
) -> None:
    damaged = record_of(tmp_path / "damaged", status=None)
    (damaged / "phases.jsonl").write_bytes(gzip.compress(b"")[:12])

    run = compare(log_of(), damaged).runs[1]

    assert run.status == "finished"
    assert [note for note in run.notes if "its phases are left out: is damaged" in note]
