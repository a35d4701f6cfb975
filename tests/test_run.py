"""`fitlog run`: real trainings, what they leave behind, and how they end otherwise."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import pty
import re
import subprocess
import sys
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fitlog import TrainingError, read_log
from fitlog.run.folders import new_folder
from fitlog.run.launch import train
from fitlog.run.record import describe_git
from fitlog.run.recorded import RunResult
from fitlog.run.samples import load_digits
from fitlog.run.settings import RunOptions
from support import Fitlog


def lines_of(path: Path) -> list[str]:
    return path.read_text("utf-8").splitlines()


def without_times(lines: list[str]) -> list[str]:
    """The lines but for what differs between two runs: speeds, times and the folder."""
    varying = re.compile(r'(Speed: |Time cost=|to ").+?(?= samples|/lenet|$)')
    return [varying.sub(r"\1?", line) for line in lines]


@pytest.fixture(scope="module")
def run(mx: Any, tmp_path_factory: pytest.TempPathFactory) -> tuple[RunResult, list[str]]:
    """A default training, and the messages that upstream gave to logging meanwhile."""
    assert mx is not None
    messages: list[str] = []

    class Collector(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            messages.append(record.getMessage())

    collector = Collector()
    logging.getLogger().addHandler(collector)
    try:
        result = train(RunOptions(out=tmp_path_factory.mktemp("runs")))
    finally:
        logging.getLogger().removeHandler(collector)
    return result, messages


def test_the_digits_are_always_split_alike() -> None:
    train_samples, validation_samples = load_digits()

    assert validation_samples is not None
    assert train_samples.images.shape == (1437, 1, 8, 8)
    assert validation_samples.images.shape == (360, 1, 8, 8)
    assert train_samples.images.dtype == train_samples.labels.dtype == np.float32
    assert train_samples.images.min() == 0.0
    assert train_samples.images.max() == 1.0
    everything = np.concatenate([train_samples.labels, validation_samples.labels])
    assert np.bincount(everything.astype(int)).tolist() == [
        178, 182, 177, 183, 181, 182, 181, 179, 174, 180,
    ]  # fmt: skip
    np.testing.assert_array_equal(load_digits()[0].images, train_samples.images)


def test_the_default_training_reaches_97_percent(run: tuple[RunResult, list[str]]) -> None:
    log = read_log(run[0].folder / "run.log")

    assert log.epochs["validation-accuracy"].tolist()[-1] >= 0.97
    assert len(log.epochs) == 15
    assert len(log.speed) == 60
    assert log.unparsed.empty


def test_the_log_is_upstreams_byte_for_byte(run: tuple[RunResult, list[str]]) -> None:
    result, messages = run

    assert (result.folder / "run.log").read_bytes() == "".join(
        f"{message}\n" for message in messages
    ).encode()
    assert len(messages) == 15 * (4 + 2 + 1 + 1 + 2)


def test_the_record_says_what_was_run_and_how_it_ended(run: tuple[RunResult, list[str]]) -> None:
    record = json.loads((run[0].folder / "run.json").read_text("utf-8"))

    assert record["status"] == "finished"
    assert record["arguments"]["seed"] == 0
    assert record["arguments"]["batch_size"] == 64
    assert record["arguments"]["data"] == "digits"
    assert record["versions"]["mxnet"] == "1.9.1"
    assert record["versions"]["python"] == ".".join(map(str, sys.version_info[:3]))
    assert record["host"]["cpus"] == os.cpu_count()
    start, end = (datetime.fromisoformat(record[key]) for key in ("start", "end"))
    assert start.utcoffset() is not None
    assert (end - start).total_seconds() == pytest.approx(record["seconds"], abs=0.01)
    accuracy = record["results"]["metrics"]["validation-accuracy"]
    assert 0.97 <= accuracy["last"] <= accuracy["best"]
    assert record["results"]["windows"] == 60
    assert record == run[0].record


def test_checkpoints_load_in_plain_mxnet(run: tuple[RunResult, list[str]], mx: Any) -> None:
    symbol, arguments, _ = mx.model.load_checkpoint(str(run[0].folder / "lenet"), 15)

    assert symbol.list_outputs() == ["softmax_output"]
    assert arguments["output_weight"].shape == (10, 128)


def test_the_phases_of_every_epoch_are_recorded(run: tuple[RunResult, list[str]]) -> None:
    records = [json.loads(line) for line in lines_of(run[0].folder / "phases.jsonl")]

    epochs = [record for record in records if record["kind"] == "epoch"]
    assert [epoch["epoch"] for epoch in epochs] == list(range(15))
    assert all(epoch["samples"] == 1437 for epoch in epochs)
    assert records[-1]["status"] == "finished"


def test_the_same_seed_gives_the_same_digits(run: tuple[RunResult, list[str]]) -> None:
    folder = run[0].folder

    again = train(RunOptions(out=folder.parent))
    other = train(RunOptions(out=folder.parent, seed=1, num_epochs=1))

    assert without_times(lines_of(again.folder / "run.log")) == without_times(
        lines_of(folder / "run.log")
    )
    first_window = [lines_of(f / "run.log")[0].split("\t")[2:] for f in (folder, other.folder)]
    assert first_window[0] != first_window[1]


def test_the_command_trains_reports_and_says_what_to_do_next(
    fitlog: Fitlog, tmp_path: Path, mx: Any
) -> None:
    assert mx is not None

    done = fitlog("run", "--network", "mlp", "--num-epochs", 2, "--name", "first", "--seed", 7)

    assert done.returncode == 0, done.stderr
    (folder,) = (tmp_path / "runs").iterdir()
    assert re.fullmatch(r"\d{8}-\d{6}-first", folder.name)
    shown = done.stdout.splitlines()
    written = lines_of(folder / "run.log")
    assert shown[: len(written)] == written
    assert "validation accuracy" in done.stdout
    (following,) = (line for line in shown if f"plot runs/{folder.name}/run.log" in line)
    assert subprocess.run(following.strip(), shell=True, cwd=tmp_path, check=True).returncode == 0  # noqa: S602  # as a person pastes it
    assert (folder / "run.png").exists()
    record = json.loads((folder / "run.json").read_text("utf-8"))
    assert record["arguments"]["network"] == "mlp"
    assert record["arguments"]["seed"] == 7


def test_a_terminal_shows_a_view_of_the_run_instead_of_the_log(mx: Any, tmp_path: Path) -> None:
    assert mx is not None
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "fitlog", "run", "--network", "mlp", "--num-epochs", "3"],
        cwd=tmp_path,
        stdin=subprocess.DEVNULL,
        stdout=theirs,
        stderr=theirs,
        env={**os.environ, "TERM": "xterm-256color", "COLUMNS": "80"},
    )
    os.close(theirs)
    shown = b""
    with contextlib.suppress(OSError):  # how Linux says that the other side has closed
        while piece := os.read(ours, 4096):
            shown += piece
    os.close(ours)

    assert process.wait(timeout=60) == 0
    text = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", shown.decode())
    assert re.search(r"mlp-digits +finished\r\nEpoch\[2\] of 3 .*\r\n[\d,]+ samples/sec \S", text)
    assert "Train-accuracy=" not in text
    assert "validation accuracy  " in text


def test_two_runs_of_one_second_have_folders_of_their_own(tmp_path: Path) -> None:
    start = datetime(2026, 1, 2, 3, 4, 5).astimezone()

    names = [new_folder(tmp_path, "lenet-digits", start).name for _ in range(3)]

    assert names == [f"20260102-030405-lenet-digits{end}" for end in ("", "-2", "-3")]


def test_an_epoch_too_short_for_a_speed_line_is_pointed_out(fitlog: Fitlog, mx: Any) -> None:
    assert mx is not None

    done = fitlog("run", "--network", "mlp", "--num-epochs", 1, "--disp-batches", 50)

    assert done.returncode == 0
    assert "no speed line: an epoch has no more batches than --disp-batches" in done.stdout


def test_a_reader_that_stops_listening_does_not_stop_the_training(mx: Any, tmp_path: Path) -> None:
    assert mx is not None
    command = f"{sys.executable} -m fitlog run --network mlp --num-epochs 3 | head -1"

    done = subprocess.run(
        ["bash", "-c", f"set -o pipefail; {command}"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )

    (folder,) = (tmp_path / "runs").iterdir()
    assert json.loads((folder / "run.json").read_text())["status"] == "finished"
    assert len(read_log(folder / "run.log").epochs) == 3
    assert "Traceback" not in done.stderr
    assert "BrokenPipe" not in done.stderr


def test_a_killed_training_leaves_a_record_that_says_running(mx: Any, tmp_path: Path) -> None:
    assert mx is not None
    process = subprocess.Popen(
        [sys.executable, "-m", "fitlog", "run", "--num-epochs", "10000"],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    seen = []
    for line in process.stdout:
        seen.append(line)
        if "Validation-cross" in line:
            break
    process.kill()
    process.wait()
    process.stdout.close()

    (folder,) = (tmp_path / "runs").iterdir()
    record = json.loads((folder / "run.json").read_text())
    assert (record["status"], record["end"]) == ("running", None)
    assert (folder / "run.log").read_text().startswith("".join(seen))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--batch-size", "0"], "--batch-size 0: must be at least 1"),
        (["--batch-size", "2000"], "--batch-size 2000: must be from 1 to 1437"),
        (["--lr", "nan"], "--lr nan: the learning rate must be a number above 0"),
        (["--lr", "-1"], "--lr -1.0: the learning rate must be a number above 0"),
        (["--num-epochs", "0"], "--num-epochs 0: there is nothing to train"),
        (["--disp-batches", "0"], "--disp-batches 0: must be at least 1"),
        (["--seed", "-1"], "--seed -1: must be from 0 to 2147483647"),
        (["--name", "a/b"], "--name 'a/b': must do as the name of a folder"),
        (["--name", ".."], "--name '..': must do as the name of a folder"),
        (["--name", "\x1b[31m"], "--name '\\x1b[31m': must do as the name of a folder"),
    ],
)
def test_options_that_make_no_sense_are_refused_before_anything_is_written(
    arguments: list[str], message: str, fitlog: Fitlog, tmp_path: Path
) -> None:
    done = fitlog("run", *arguments)

    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"fitlog: {message}")
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_optimizer_is_refused_with_the_known_ones(fitlog: Fitlog, mx: Any) -> None:
    assert mx is not None

    done = fitlog("run", "--optimizer", "sdg")

    assert done.returncode == 2
    assert "fitlog: no optimizer named 'sdg'; known: " in done.stderr
    assert "adam" in done.stderr


def test_a_folder_that_cannot_be_made_is_named(mx: Any, tmp_path: Path) -> None:
    assert mx is not None
    (tmp_path / "runs").write_text("a file")

    with pytest.raises(TrainingError, match=r"cannot make the folder|not a folder"):
        train(RunOptions(out=tmp_path / "runs"))


def test_without_mxnet_run_says_what_to_install(fitlog: Fitlog, tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(
        "import importlib.util as u\nfind = u.find_spec\n"
        "u.find_spec = lambda name, *a: None if name == 'mxnet' else find(name, *a)\n"
    )

    done = fitlog("run", PYTHONPATH=str(tmp_path))

    assert done.returncode == 2
    assert 'mxnet is not installed; install it with: pip install "mxnet==1.9.1"' in done.stderr


def test_the_commit_is_recorded_where_there_is_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in os.environ if name.startswith("GIT_")]:
        monkeypatch.delenv(name)  # a git hook sets them, and they name another repository

    def git(*arguments: str) -> str:
        identity = ["-c", "user.name=Test", "-c", "user.email=test@example.org"]
        identity += ["-c", "commit.gpgsign=false"]
        done = subprocess.run(
            ["git", *identity, *arguments], cwd=tmp_path, capture_output=True, text=True, check=True
        )
        return done.stdout.strip()

    assert describe_git(tmp_path) is None
    git("init", "-q")
    assert describe_git(tmp_path) is None
    (tmp_path / "train.py").write_text("pass\n")
    git("add", "train.py")
    git("commit", "-q", "-m", "Train")

    assert describe_git(tmp_path) == {"commit": git("rev-parse", "HEAD"), "dirty": False}
    (tmp_path / "train.py").write_text("changed\n")
    assert describe_git(tmp_path) == {"commit": git("rev-parse", "HEAD"), "dirty": True}
