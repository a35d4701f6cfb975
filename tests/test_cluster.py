"""`fitlog run --workers`: real processes of MXNet's parameter server over loopback."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest
import typer

import fitlog
from fitlog.endings import user_errors
from fitlog.errors import Termination, TrainingError
from fitlog.run.ranks import RankResult, find_stragglers, read_rank, summarize_ranks
from fitlog.run.settings import RunOptions
from fitlog.run.worker import Task, format_task, parse_task
from support import Fitlog, living_in_groups

TRAIN = ("run", "--network", "mlp", "--workers", "2", "--out", "runs", "--name", "pair")


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """A run that has ended: what the command showed, and the run's folder."""

    stdout: str
    folder: Path

    @property
    def record(self) -> dict[str, Any]:
        record: dict[str, Any] = json.loads((self.folder / "run.json").read_text("utf-8"))
        return record

    def lines(self, name: str) -> list[str]:
        return (self.folder / name).read_text("utf-8").splitlines()


def run_in(folder: Path, *arguments: object, **environment: str) -> Finished:
    done = subprocess.run(
        [sys.executable, "-m", "fitlog", *TRAIN, *map(str, arguments)],
        cwd=folder,
        capture_output=True,
        text=True,
        env={**os.environ, **environment},
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    (run,) = (folder / "runs").iterdir()
    return Finished(stdout=done.stdout, folder=run)


@pytest.fixture(scope="module")
def pair(mx: Any, tmp_path_factory: pytest.TempPathFactory) -> Finished:
    """Two workers and a server, two epochs in step."""
    assert mx is not None
    return run_in(tmp_path_factory.mktemp("pair"), "--kv-store", "dist_sync", "--num-epochs", 2)


def test_workers_in_step_agree_on_the_parameters(pair: Finished) -> None:
    hashes = [pair.lines(f"node-{rank}.log")[-1].partition("Parameters ")[2] for rank in (0, 1)]

    assert re.fullmatch(r"sha256=[0-9a-f]{64}", hashes[0])
    assert hashes[0] == hashes[1]
    assert pair.record["results"]["parameters_agree"] is True
    validations = [
        [line[8:] for line in pair.lines(f"node-{rank}.log") if "Validation-" in line]
        for rank in (0, 1)
    ]
    assert validations[0] == validations[1]
    assert len(validations[0]) == 4


def test_each_worker_trains_a_part_of_its_own(pair: Finished) -> None:
    logs = [fitlog.read_log(pair.folder / f"node-{rank}.log") for rank in (0, 1)]

    assert [log.speed["node"].unique().tolist() for log in logs] == [[0], [1]]
    accuracy = [log.epochs["train-accuracy"].tolist() for log in logs]
    assert accuracy[0] != accuracy[1]
    for rank in (0, 1):
        epochs = [json.loads(line) for line in pair.lines(f"phases-{rank}.jsonl")]
        assert [e["samples"] for e in epochs if e["kind"] == "epoch"] == [718, 718]


def test_the_merged_log_has_every_line_of_every_rank_once(pair: Finished) -> None:
    merged = pair.lines("run.log")

    assert [line for line in merged if line.startswith("Node[0] ")] == pair.lines("node-0.log")
    assert [line for line in merged if line.startswith("Node[1] ")] == pair.lines("node-1.log")
    assert len(merged) == len(pair.lines("node-0.log")) + len(pair.lines("node-1.log"))
    assert pair.stdout.splitlines()[: len(merged)] == merged


def test_all_ranks_are_read_back_from_the_merged_log_and_from_their_own(pair: Finished) -> None:
    merged = fitlog.read_log(pair.folder / "run.log")
    parts = fitlog.read_logs([pair.folder / "node-0.log", pair.folder / "node-1.log"])

    assert sorted(zip(merged.epochs["node"], merged.epochs["epoch"], strict=True)) == [
        (0, 0), (0, 1), (1, 0), (1, 1),
    ]  # fmt: skip
    assert merged.unparsed.empty
    assert merged.warnings.empty
    columns = ["node", "epoch", "batch_end", "samples_per_sec"]
    order = ["node", "epoch", "batch_end"]
    assert (
        merged.speed.sort_values(order)[columns].to_numpy().tolist()
        == parts.speed.sort_values(order)[columns].to_numpy().tolist()
    )
    assert merged.hparams is not None
    assert merged.hparams["kv_store"] == "dist_sync"


def test_the_record_names_every_process(pair: Finished) -> None:
    cluster = pair.record["cluster"]

    assert (cluster["workers"], cluster["servers"], cluster["hosts"]) == (2, 1, [])
    assert re.fullmatch(r"127\.0\.0\.1:\d+", cluster["scheduler"])
    processes = cluster["processes"]
    assert [process["role"] for process in processes] == [
        "scheduler", "server", "worker", "worker",
    ]  # fmt: skip
    assert sorted(p["rank"] for p in processes if p["role"] == "worker") == [0, 1]
    assert [process["exit"] for process in processes] == [0, 0, 0, 0]
    assert len({process["pid"] for process in processes}) == 4


def test_the_summary_tells_the_clusters_throughput_and_each_ranks(pair: Finished) -> None:
    results = pair.record["results"]
    speeds = [rank["samples_per_sec"] for rank in results["ranks"]]

    assert results["samples_per_sec"] == pytest.approx(sum(speeds))
    assert results["stragglers"] is None  # of two epochs, two batches were measured: too few
    assert (
        f"throughput           {sum(speeds):,.0f} samples/sec, sum of the ranks' medians,"
        " of 8 windows" in pair.stdout
    )
    assert f"rank 1               {speeds[1]:,.0f} samples/sec" in pair.stdout


def test_only_rank_0_saves_checkpoints_which_plain_mxnet_loads(pair: Finished, mx: Any) -> None:
    assert [line[:8] for line in pair.lines("run.log") if "Saved" in line] == ["Node[0] "] * 2
    symbol, arguments, _ = mx.model.load_checkpoint(str(pair.folder / "mlp"), 2)

    assert symbol.list_outputs() == ["softmax_output"]
    assert arguments["output_weight"].shape[0] == 10


def test_workers_out_of_step_train_on_their_own(mx: Any, tmp_path: Path) -> None:
    assert mx is not None

    done = run_in(tmp_path, "--kv-store", "dist_async", "--num-epochs", 1)

    assert len(fitlog.read_log(done.folder / "run.log").epochs) == 2
    assert done.record["status"] == "finished"


def test_workers_are_started_on_hosts(mx: Any, tmp_path: Path) -> None:
    assert mx is not None
    ssh = tmp_path / "bin" / "ssh"
    ssh.parent.mkdir()
    # In the place of ssh: what it would run there runs here, in a session of its own.
    ssh.write_text('#!/bin/sh\nfor last; do :; done\nexec setsid --wait sh -c "$last"\n')
    ssh.chmod(0o755)
    (tmp_path / "hosts").write_text("127.0.0.1\nlocalhost:2222\n")

    done = run_in(
        tmp_path,
        *("--kv-store", "dist_device_sync", "--num-epochs", 1, "--hosts", "hosts"),
        PATH=f"{ssh.parent}{os.pathsep}{os.environ['PATH']}",
    )

    processes = done.record["cluster"]["processes"]
    assert [process["host"] for process in processes] == [
        None, "127.0.0.1", "localhost", "127.0.0.1",
    ]  # fmt: skip
    assert done.record["results"]["parameters_agree"] is True
    assert len(done.lines("node-1.log")) > 5


class Started:
    """A training that goes on, as soon as both its workers have trained an epoch."""

    def __init__(self, folder: Path, *arguments: object) -> None:
        command = [*TRAIN, "--kv-store", "dist_sync", "--num-epochs", 10000, *arguments]
        self.process = subprocess.Popen(
            [sys.executable, "-m", "fitlog", *map(str, command)],
            cwd=folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.out = folder / "runs"
        waiting = {"Node[0] Epoch[0] Validation-acc", "Node[1] Epoch[0] Validation-acc"}
        assert self.process.stdout is not None
        while waiting:
            line = self.process.stdout.readline()
            assert line, self.process.communicate()[1]
            waiting = {head for head in waiting if not line.startswith(head)}
        self.members = {
            (member.environ()["DMLC_ROLE"], member.pid)
            for member in psutil.Process(self.process.pid).children()
        }

    def pid_of(self, role: str) -> int:
        return min(int(pid) for name, pid in self.members if name == role)

    def end(self) -> tuple[int, str, dict[str, Any]]:
        """Exit code, messages and record, once it has ended by itself and left nothing behind."""
        _, errors = self.process.communicate(timeout=120)
        assert len(self.members) == 4
        assert living_in_groups(pid for _, pid in self.members) == []
        (folder,) = self.out.iterdir()
        return self.process.returncode, errors, json.loads((folder / "run.json").read_text())


@pytest.fixture
def start(mx: Any, tmp_path: Path) -> Callable[..., Started]:
    assert mx is not None
    return lambda *arguments: Started(tmp_path, *arguments)


@pytest.mark.parametrize("role", ["server", "worker"])
def test_a_killed_process_ends_the_training_with_the_reason(
    start: Callable[..., Started], role: str
) -> None:
    training = start()
    pid = training.pid_of(role)

    os.kill(pid, signal.SIGKILL)
    code, errors, record = training.end()

    assert code == 2
    rank = r"rank [01], " if role == "worker" else ""
    assert re.match(
        rf"fitlog: the training failed: {role} [01] \({rank}pid {pid}\) was killed by SIGKILL"
        r" \(its log: runs/[^/]+/run\.log\)\n",
        errors,
    )
    assert record["status"] == "failed"
    assert f"pid {pid}) was killed by SIGKILL" in record["error"]
    exits = {process["pid"]: process["exit"] for process in record["cluster"]["processes"]}
    assert exits[pid] == -9


def test_a_stopped_worker_ends_the_training_with_the_reason(start: Callable[..., Started]) -> None:
    training = start("--hang-seconds", 3)
    pid = training.pid_of("worker")

    os.kill(pid, signal.SIGSTOP)
    code, errors, _ = training.end()

    assert code == 2
    assert re.search(rf"worker 0 \(rank [01], pid {pid}\) hangs: it was stopped by a sig", errors)


@pytest.mark.parametrize(
    ("number", "exit_code", "word"),
    [(signal.SIGINT, 130, "interrupted"), (signal.SIGTERM, 143, "terminated")],
)
def test_a_training_that_is_asked_to_stop_leaves_its_logs(
    start: Callable[..., Started], number: signal.Signals, exit_code: int, word: str
) -> None:
    training = start()

    training.process.send_signal(number)
    code, errors, record = training.end()

    assert code == exit_code
    assert errors.startswith(f"fitlog: {word} (the log so far: runs/")
    assert "Traceback" not in errors
    assert (record["status"], record["stopped"]) == ("interrupted", {"signal": number.name})
    (folder,) = training.out.iterdir()
    assert fitlog.read_log(folder / "run.log").unparsed.empty


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--workers", "2"], "--kv-store local: several workers need dist_sync, dist_device_sync"),
        (["--workers", "0", "--kv-store", "dist_sync"], "--workers 0: must be at least 1"),
        (["--hosts", "none"], "--hosts none: for how many? say so by --workers"),
        (
            ["--workers", "2", "--kv-store", "dist_sync", "--hosts", "none"],
            "--hosts none: cannot be read: No such file or directory",
        ),
        (
            ["--workers", "2", "--kv-store", "dist_sync", "--hang-seconds", "-1"],
            "--hang-seconds -1.0: must be a number from 0 on",
        ),
    ],
)
def test_a_cluster_that_makes_no_sense_is_refused_before_anything_is_written(
    arguments: list[str], message: str, fitlog: Fitlog, tmp_path: Path
) -> None:
    done = fitlog("run", *arguments)

    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"fitlog: {message}")
    assert list(tmp_path.iterdir()) == []


def test_what_workers_are_told_survives_the_command_line() -> None:
    options = RunOptions(lr_step_epochs=(3, 5), model_prefix=Path("a b/c"), data="csv:it's.csv")
    task = Task(options=options, folder=Path("runs/x"))

    assert parse_task(format_task(task)) == task


@pytest.mark.parametrize(
    ("options", "folder", "code", "message"),
    [
        ({"optimizer": "sdg"}, "run", 2, "fitlog: no optimizer named 'sdg'; known: "),
        (
            {"lr": 1e6, "metric": ("ce",), "on_nan": "stop", "fast": True},
            "run",
            2,
            "fitlog: cross-entropy is nan in epoch 0",
        ),
        ({}, "task/run", 1, "NotADirectoryError: [Errno 20] Not a directory: 'task/run'"),
    ],
)
def test_a_worker_that_fails_says_why_and_leaves(
    options: dict[str, Any], folder: str, code: int, message: str, mx: Any, tmp_path: Path
) -> None:
    assert mx is not None
    (tmp_path / "task").touch()
    task = Task(options=RunOptions(network="mlp", num_epochs=1, **options), folder=Path(folder))

    done = subprocess.run(
        [sys.executable, "-m", "fitlog.run.worker", format_task(task)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert done.returncode == code
    assert done.stderr.splitlines()[-1].startswith(message)
    assert done.stdout.startswith("Node[0] start with arguments Namespace(")


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (Termination("(the log so far: x)"), 143, "fitlog: terminated (the log so far: x)\n"),
        (
            TrainingError("it failed", details=["  File x", "ValueError: \x1b[31m"]),
            2,
            "fitlog: it failed\n    File x\n  ValueError: \\x1b[31m\n",
        ),
    ],
)
def test_what_ends_a_group_becomes_messages_and_an_exit_code(
    error: BaseException, code: int, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(typer.Exit) as ending, user_errors():
        raise error

    assert ending.value.exit_code == code
    assert capsys.readouterr().err == message


def rank_result(rank: int, own_seconds: float | None, parameters: str | None = "a") -> RankResult:
    return RankResult(
        rank=rank,
        samples_per_sec=100.0,
        windows=4,
        own_seconds=own_seconds,
        parameters=parameters,
    )


@pytest.mark.parametrize(
    ("seconds", "stragglers"),
    [
        ([0.10, 0.11, 0.131], []),
        ([0.10, 0.11, 0.133], [2]),
        ([0.10, 0.10, 0.119], []),
        ([0.10, 0.30], [1]),  # of two, the faster is what the other is held to
        ([0.0001, 0.0004], []),  # less than a millisecond
        ([0.10, None], None),
        ([], None),
    ],
)
def test_stragglers_take_a_fifth_longer_than_the_median_rank(
    seconds: list[float | None], stragglers: list[int] | None
) -> None:
    assert find_stragglers([rank_result(i, s) for i, s in enumerate(seconds)]) == stragglers


def test_ranks_with_other_parameters_are_told() -> None:
    results = summarize_ranks([rank_result(0, 0.1, "a"), rank_result(1, 0.1, "b")])

    assert results["parameters_agree"] is False
    assert results["samples_per_sec"] == 200.0
    unknown = summarize_ranks([rank_result(0, 0.1, "a"), rank_result(1, 0.1, None)])
    assert unknown["parameters_agree"] is None


def window(data: float, **measured: float) -> dict[str, Any]:
    record = {"kind": "window", "split": "train", "batches": 5, "seconds": data + 0.5}
    record |= {"phases": {"data": data}}
    return {**record, "measured": measured} if measured else record


def test_a_ranks_own_time_leaves_out_what_it_waits_for_the_others(tmp_path: Path) -> None:
    (tmp_path / "node-3.log").write_text("Node[3] Epoch[0] Batch [5]\tSpeed: 50.00 samples/sec\n")
    records = [window(0.05, batches=1, forward=0.02, backward=0.03, update=9.0)] * 5
    records.append(window(0.05))
    records.append({**window(7.0, batches=1, forward=7.0), "split": "validation"})
    (tmp_path / "phases-3.jsonl").write_text("".join(f"{json.dumps(r)}\n" for r in records))

    result = read_rank(tmp_path, 3)

    assert result.own_seconds == pytest.approx(0.06)
    assert result.samples_per_sec == 50.0
    assert result.parameters is None
    (tmp_path / "phases-3.jsonl").unlink()
    assert read_rank(tmp_path, 3).own_seconds is None
