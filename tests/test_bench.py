"""Two commands run by turns and judged: with real processes, signals and a training slowed down."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from fitlog import SettingError
from fitlog.bench import parse_command
from fitlog.options import seconds
from support import Fitlog, living_in_groups

# Writes a log of a training at once, at a speed of its own.
WRITER = """
import os, random, sys
speed = float(sys.argv[1]) * float(os.environ.get("FACTOR", 1))
noisy = random.Random(os.getpid())
for i in range(40):
    value = speed * (1 + noisy.gauss(0, 0.01))
    print(f"Epoch[0] Batch [{i * 5}-{i * 5 + 5}]\\tSpeed: {value:.2f} samples/sec\\taccuracy=0.5")
"""
# Trains, with a callback after each batch that keeps it from being faster than the pace given: so
# that a busy machine matters little.
TRAINING = """
import logging, sys, time
import fitlog.run.shim
mx = fitlog.run.shim.import_mxnet()
import numpy as np
seconds = float(sys.argv[1])
logging.basicConfig(level=logging.INFO, format="%(message)s")
data = mx.io.NDArrayIter(np.random.rand(800, 8).astype("float32"), np.zeros(800), batch_size=8)
dense = mx.sym.FullyConnected(mx.sym.var("data"), num_hidden=2)
output = mx.sym.SoftmaxOutput(dense, name="softmax")
due = None
def slowed(param):
    global due
    due = seconds + (time.perf_counter() if due is None else due)
    time.sleep(max(0, due - time.perf_counter()))
mx.mod.Module(output).fit(
    data, num_epoch=1, batch_end_callback=[slowed, mx.callback.Speedometer(8, frequent=4)],
)
"""


@pytest.fixture
def writer(tmp_path: Path) -> str:
    """The command of a script that only writes a log."""
    (tmp_path / "writer.py").write_text(WRITER)
    return f"{sys.executable} writer.py"


def folders(tmp_path: Path) -> list[str]:
    """The runs of the only bench in the order in which they were begun, by the record."""
    runs = [json.loads(path.read_text()) for path in tmp_path.glob("runs/*-bench/*/run.json")]
    return [run["name"] for run in sorted(runs, key=lambda run: run["start"])]


@pytest.mark.usefixtures("mx")
def test_a_training_that_is_slowed_down_is_a_regression_and_passes_when_that_is_undone(
    fitlog: Fitlog, tmp_path: Path
) -> None:
    (tmp_path / "train.py").write_text(TRAINING)
    baseline, slower = (f"{sys.executable} train.py {seconds}" for seconds in (0.005, 0.008))
    options = ("--tolerance", "15%", "--min-runs", "2")

    slowed = fitlog("bench", "--baseline", baseline, "--candidate", slower, *options)
    undone = fitlog("bench", "--baseline", baseline, "--candidate", baseline, *options)

    assert slowed.returncode == 1, slowed.stdout + slowed.stderr
    assert "\nregression: the candidate is " in slowed.stdout
    assert undone.returncode == 0, undone.stdout + undone.stderr
    assert "\npass: " in undone.stdout


def test_the_turns_are_abba_and_each_run_is_told_as_it_comes(
    fitlog: Fitlog, writer: str, tmp_path: Path
) -> None:
    done = fitlog("bench", "--baseline", f"{writer} 1000", "--candidate", f"{writer} 1000")

    assert done.returncode == 0, done.stderr
    names = ["baseline-1", "candidate-1", "candidate-2", "baseline-2", "baseline-3", "candidate-3"]
    assert [line.partition(":")[0] for line in done.stdout.splitlines()[:7]] == [*names, "pass"]
    assert folders(tmp_path) == names


def test_runs_are_added_only_while_it_is_inconclusive(
    fitlog: Fitlog, writer: str, tmp_path: Path
) -> None:
    undecidable = fitlog(
        "bench", "--baseline", f"{writer} 1000", "--candidate", f"{writer} 1000",
        "--tolerance", "0.2%", "--min-runs", "1", "--max-runs", "3",
    )  # fmt: skip

    assert undecidable.returncode == 3
    assert "note: it ended after 3 of each side: --max-runs" in undecidable.stdout
    assert len(folders(tmp_path)) == 6


def test_a_time_limit_ends_what_is_inconclusive(
    fitlog: Fitlog, writer: str, tmp_path: Path
) -> None:
    done = fitlog(
        "bench", "--baseline", f"{writer} 1000", "--candidate", f"{writer} 960",
        "--time-limit", "1s", "--min-runs", "1000", "--max-runs", "1000",
        "--inconclusive", "pass",
    )  # fmt: skip

    assert "of each side: --time-limit" in done.stdout
    assert 2 <= len(folders(tmp_path)) < 2000


def test_variables_before_a_command_are_set_for_it_alone(fitlog: Fitlog, writer: str) -> None:
    done = fitlog(
        "bench", "--baseline", f"{writer} 1000", "--candidate", f"FACTOR=0.5 {writer} 1000",
        "--format", "json", "--min-runs", "1",
    )  # fmt: skip

    assert done.returncode == 1
    assert json.loads(done.stdout)["effect"] == pytest.approx(-0.5, abs=0.02)
    assert [line.partition(":")[0] for line in done.stderr.splitlines()[:2]] == [
        "baseline-1",
        "candidate-1",
    ]


@pytest.mark.usefixtures("mx")
def test_scripts_are_measured_and_options_of_fitlog_run_are_taken(
    fitlog: Fitlog, tmp_path: Path
) -> None:
    (tmp_path / "train.py").write_text(TRAINING)

    done = fitlog(
        "bench", "--baseline", "train.py 0", "--candidate", "fitlog run --num-epochs 6",
        "--max-runs", "1", "--min-runs", "1", "--ignore", "window",
    )  # fmt: skip

    assert done.returncode in (0, 1, 3), done.stderr
    assert len(list(tmp_path.glob("runs/*-bench/*/phases.jsonl"))) == 2


def test_a_run_that_fails_ends_it_with_its_last_lines(fitlog: Fitlog, writer: str) -> None:
    done = fitlog("bench", "--baseline", f"{writer} 1000", "--candidate", f"{writer} fast")

    assert done.returncode == 2
    assert "candidate-1 failed with exit code 1" in done.stderr
    assert "candidate-1/run.log" in done.stderr
    assert "could not convert string to float: 'fast'" in done.stderr
    assert "pass" not in done.stdout


def test_runs_without_a_speed_are_no_pass(fitlog: Fitlog) -> None:
    done = fitlog("bench", "--baseline", "true", "--candidate", "true", "--format", "junit")

    assert done.returncode == 2
    assert "holds no speed of a training" in done.stderr
    assert "<error " in done.stdout


def test_a_run_that_goes_elsewhere_is_said(fitlog: Fitlog) -> None:
    done = fitlog("bench", "--baseline", "fitlog run --out x -- echo", "--candidate", "true")

    assert done.returncode == 2
    assert "--out and --name of the runs are set by fitlog bench" in done.stderr


def test_that_nobody_reads_any_more_does_not_make_it_pass(writer: str, tmp_path: Path) -> None:
    command = (
        f"{sys.executable} -m fitlog bench --baseline '{writer} 1000' --candidate '{writer} 500'"
    )
    done = subprocess.run(
        ["bash", "-c", f"{command} | head -1 >shown; exit ${{PIPESTATUS[0]}}"],
        cwd=tmp_path, capture_output=True, timeout=120, check=False,
    )  # fmt: skip

    assert done.returncode == 1


WAITER = """
import os, signal, sys
if sys.argv[1] == "stubborn":
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
with open("started.part", "w") as file:
    file.write(str(os.getpgrp()))
os.rename("started.part", "started")
while True:
    signal.pause()
"""


@pytest.mark.parametrize(
    ("kind", "signals", "code", "message"),
    [
        ("willing", [signal.SIGINT], 130, "interrupted (the runs so far: runs/"),
        ("willing", [signal.SIGTERM], 143, "terminated (the runs so far: runs/"),
        ("stubborn", [signal.SIGINT, signal.SIGTERM], 130, "interrupted (the runs so far: runs/"),
    ],
)
def test_a_signal_ends_the_run_at_hand_and_leaves_nothing_behind(
    tmp_path: Path, kind: str, signals: list[int], code: int, message: str
) -> None:
    pytest.importorskip("psutil")
    (tmp_path / "waiter.py").write_text(WAITER)
    command = f"{sys.executable} waiter.py {kind}"
    with subprocess.Popen(
        [sys.executable, "-m", "fitlog", "bench", "--baseline", command, "--candidate", "true"],
        cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        started = tmp_path / "started"
        deadline = time.monotonic() + 60
        while not started.exists() and time.monotonic() < deadline and process.poll() is None:
            os.sched_yield()
        group = int(started.read_text())
        for number in signals:
            process.send_signal(number)
        _, errors = process.communicate(timeout=60)

    assert process.returncode == code, errors
    assert message in errors
    assert living_in_groups([group]) == []


def test_commands_are_split_as_a_shell_does() -> None:
    script = parse_command("baseline", "A=1 B='x y' train.py --name 'two words'")

    assert script.words == ("train.py", "--name", "two words")
    assert script.variables == {"A": "1", "B": "x y"}
    assert parse_command("baseline", "fitlog run --lr 0.1").words == ("--lr", "0.1")
    assert parse_command("candidate", "mpirun -np 2 python t.py").words[:2] == ("--", "mpirun")


@pytest.mark.parametrize("text", ["", "  ", "A=1", "echo 'open"])
def test_a_command_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(SettingError, match="--candidate"):
        parse_command("candidate", text)


@pytest.mark.parametrize(("text", "value"), [("90s", 90), ("30m", 1800), ("2h", 7200)])
def test_a_time_is_read_with_its_unit(text: str, value: float) -> None:
    assert seconds("--time-limit", text) == value


@pytest.mark.parametrize("text", ["", "10", "0s", "-5m", "1.5h", "m", "5 m"])
def test_a_time_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(SettingError, match="such as 90s, 30m or 2h"):
        seconds("--time-limit", text)


@pytest.mark.parametrize(("least", "most"), [("0", "3"), ("4", "3")])
def test_numbers_of_runs_that_cannot_be_are_refused(fitlog: Fitlog, least: str, most: str) -> None:
    done = fitlog(
        "bench", "--baseline", "true", "--candidate", "true",
        "--min-runs", least, "--max-runs", most,
    )  # fmt: skip

    assert done.returncode == 2
    assert f"--min-runs {least}, --max-runs {most}" in done.stderr
