"""`fitlog compare` as a process, on real trainings."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from fitlog import compare
from fitlog.plots import draw_comparison
from support import SAMPLES, Fitlog

ONE, SLOW = SAMPLES / "lenet-1.log", SAMPLES / "lenet-naive-1.log"


@pytest.fixture(scope="module")
def trained(mx: object, tmp_path_factory: pytest.TempPathFactory) -> Path:  # noqa: ARG001  # needed to train
    """A folder with two runs that differ in batch size and learning rate."""
    folder = tmp_path_factory.mktemp("trained")
    for name, options in (("one", ["64", "--lr", "0.1"]), ("other", ["32", "--lr", "0.01"])):
        subprocess.run(
            [
                *(sys.executable, "-m", "fitlog", "run", "--network", "mlp", "--name", name),
                *("--num-epochs", "2", "--disp-batches", "2", "--batch-size", *options),
            ],
            cwd=folder,
            check=True,
            capture_output=True,
            timeout=300,
        )
    return folder / "runs"


def test_two_trainings_are_compared_by_their_folders(trained: Path, fitlog: Fitlog) -> None:
    done = fitlog("compare", f"{trained}/*", "--format", "json")

    assert (done.returncode, done.stderr) == (0, "")
    plain = json.loads(done.stdout)
    assert [run["name"].rpartition("-")[2] for run in plain["runs"]] == ["one", "other"]
    assert [(s["name"], s["values"]) for s in plain["settings"]] == [
        ("batch_size", ["64", "32"]),
        ("lr", ["0.1", "0.01"]),
    ]
    groups = {q["group"] for q in plain["quantities"]}
    assert {"throughput", "time per epoch", "phases of an epoch, seconds"} <= groups
    accuracy = next(q for q in plain["quantities"] if q["group"] == "validation-accuracy")
    low, high = accuracy["differences"][1]["interval"]
    assert low < accuracy["differences"][1]["effect"] < high


def test_the_table_says_what_differs_and_how_sure_it_is(fitlog: Fitlog) -> None:
    done = fitlog("compare", ONE, SLOW)

    assert (done.returncode, done.stderr) == (0, "")
    rest = done.stdout.splitlines()
    said = " ".join(done.stdout.split())  # a long path is wrapped
    assert "lenet-1.log (finished, 15 epochs), the baseline B " in said
    assert "  samples/sec      16,273    14,380    -11.6%  -17.9% to -4.9%    worse, likely" in rest
    assert any(line.startswith("note: each column is one run") for line in rest)


def test_the_baseline_is_the_one_that_is_named(fitlog: Fitlog) -> None:
    done = fitlog("compare", ONE, "--baseline", SLOW)

    assert done.returncode == 0
    assert "  samples/sec      14,380    16,273    +13.2%" in done.stdout
    assert "better, likely" in done.stdout


def test_standard_input_can_be_one_of_the_runs(fitlog: Fitlog) -> None:
    done = fitlog("compare", "-", SLOW, stdin=ONE.read_bytes())

    assert done.returncode == 0
    assert done.stdout.startswith("A  <stdin> (finished, 15 epochs), the baseline\n")


@pytest.mark.parametrize(
    ("form", "begin"),
    [("markdown", "| | run |"), ("json", "{\n"), ("csv", "group,"), ("html", "<!DOCTYPE html>")],
)
def test_each_format_is_written(form: str, begin: str, fitlog: Fitlog) -> None:
    done = fitlog("compare", ONE, SLOW, "--format", form)

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(begin)


def test_a_direction_of_ones_own_turns_the_judgement(fitlog: Fitlog) -> None:
    logs = SAMPLES / "lenet-1.log", SAMPLES / "lenet-2.log"

    done = fitlog("compare", *logs, "--better", "cross-entropy=higher", "--format", "json")

    by_group = {(q["group"], q["name"]): q for q in json.loads(done.stdout)["quantities"]}
    last = by_group["validation-cross-entropy", "last"]
    assert last["higher_is_better"] is True
    assert last["differences"][1]["is_better"] is False


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["compare", ONE], "one run alone cannot be compared"),
        (["compare", ONE, ONE], "is named twice"),
        (["compare", "-", "-"], "- is named twice"),
        (["compare", "-", ONE, "--baseline", "-", "-"], "- is named twice"),
        (["compare", ONE, "missing.log"], "cannot be opened"),
        (["compare", ONE, "."], "is a folder without a log"),
        (["compare", ONE, SLOW, "--metric", "f1"], "not all runs have it"),
        (["compare", ONE, SLOW, "--better", "accuracy"], "must be NAME=higher or NAME=lower"),
        (["compare", ONE, SLOW, "--target", "nan"], "must be a finite number"),
        (["compare", ONE, SLOW, "--plot", "out.txt"], "the ending must be one of"),
        (["compare", ONE, SLOW, "--format", "xml"], "Invalid value for '--format'"),
    ],
)
def test_bad_input_exits_with_2_and_says_why(
    arguments: list[object], message: str, fitlog: Fitlog
) -> None:
    done = fitlog(*arguments)

    assert (done.returncode, done.stdout) == (2, "")
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def test_a_picture_is_not_drawn_over_a_log(fitlog: Fitlog, tmp_path: Path) -> None:
    log = tmp_path / "log.png"
    log.write_bytes(ONE.read_bytes())

    done = fitlog("compare", "log.png", SLOW, "--plot", "log.png")

    assert done.returncode == 2
    assert "would write over a log" in done.stderr
    assert log.read_bytes() == ONE.read_bytes()


def test_the_picture_is_drawn_beside_the_table(fitlog: Fitlog, tmp_path: Path) -> None:
    done = fitlog("compare", ONE, SLOW, "--plot", "both.png")

    assert done.returncode == 0
    assert done.stdout.startswith("A  ")
    assert (tmp_path / "both.png").read_bytes().startswith(b"\x89PNG")


def test_the_picture_has_the_runs_by_their_letters_over_epochs_and_over_time() -> None:
    both = ONE.read_bytes() + SLOW.read_bytes()
    comparison = compare(ONE, both)

    figure = draw_comparison(comparison)

    titles = [axes.get_title(loc="left") for axes in figure.axes]
    assert titles == ["Throughput", "accuracy", "cross-entropy", "validation accuracy over time"]
    names = [text.get_text() for legend in figure.legends for text in legend.get_texts()]
    assert names[:2] == ["A: lenet-1.log", "B: <bytes>"]
    one, other = figure.axes[-1].get_lines()
    assert list(one.get_xdata()) == list(comparison.runs[0].wall_seconds.values())  # type: ignore[arg-type]  # arrays here
    assert len(list(other.get_xdata())) == 15  # type: ignore[arg-type]
    assert one.get_color() != other.get_color()
    assert figure.axes[-1].get_xlabel() == "seconds of training, by the epochs' time costs"


def test_without_time_costs_there_is_no_picture_over_time() -> None:
    bare = [b"Epoch[0] Train-accuracy=0.5\n", b"Epoch[0] Train-accuracy=0.6\n"]

    figure = draw_comparison(compare(*bare))

    assert [axes.get_title(loc="left") for axes in figure.axes] == ["accuracy"]
