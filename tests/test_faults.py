"""What goes wrong in a training is said, and hangs nothing."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import fitlog
from fitlog import TrainingError
from fitlog.errors import Termination
from fitlog.run.launch import train
from fitlog.run.settings import RunOptions
from networks import BATCH, make_arrays, make_data, make_module


class BrokenDataError(Exception):
    """What an iterator of somebody's raises."""


def breaking_data(mx: Any, at: int, *, labelled: bool = True) -> Any:
    """Data whose batch number `at` cannot be fetched; batches are counted over all epochs."""

    class Breaking(mx.io.NDArrayIter):  # type: ignore[misc]  # MXNet has no types
        fetched = 0

        def next(self) -> Any:
            self.fetched += 1
            if self.fetched > at:
                raise BrokenDataError(at)
            return super().next()

    images, labels = make_arrays()
    return Breaking(images, labels if labelled else None, BATCH)


def prefetching(mx: Any, iterators: Any, **settings: Any) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # MXNet's Thread.setDaemon
        return mx.io.PrefetchingIter(iterators, **settings)


@pytest.mark.parametrize(("at", "done"), [(3, [(0, 2, False)]), (9, [(0, 7, True)])])
def test_an_error_in_a_prefetching_thread_reaches_the_training(
    mx: Any, at: int, done: list[tuple[int, int, bool]]
) -> None:
    records: list[dict[str, Any]] = []
    data = prefetching(mx, breaking_data(mx, at))

    with pytest.raises(BrokenDataError):
        fitlog.fit(make_module(mx), data, num_epoch=3, phases=records.append)

    epochs = [r for r in records if r["kind"] == "epoch"]
    assert [(r["epoch"], r["batches"], r["complete"]) for r in epochs] == done
    assert records[-1]["status"] == "failed"


def test_an_error_in_one_of_several_prefetching_threads_reaches_the_training(mx: Any) -> None:
    good, bad = make_data(mx), breaking_data(mx, 4, labelled=False)
    names = [{"data": "data"}, {"data": "more"}]
    data = prefetching(mx, [good, bad], rename_data=names)
    net = mx.sym.FullyConnected(mx.sym.Variable("data") + mx.sym.Variable("more"), num_hidden=4)
    net = mx.sym.SoftmaxOutput(net, name="softmax")
    module = mx.mod.Module(net, ("data", "more"))

    with pytest.raises(BrokenDataError):
        fitlog.fit(module, data, num_epoch=2, phases=lambda record: None)


def test_a_prefetching_thread_that_is_dead_is_said_to_be(
    mx: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(threading, "excepthook", lambda args: None)
    data = prefetching(mx, breaking_data(mx, 0))
    data.prefetch_threads[0].join()

    with pytest.raises(TrainingError, match="died before the training began"):
        fitlog.fit(make_module(mx), data, num_epoch=2, phases=lambda record: None)


Ended = tuple[int, str, Path]


def stopped(folder: Path, ask: Callable[[subprocess.Popen[str]], None], **options: Any) -> Ended:
    """Exit code, stderr and folder of a real `fitlog run` that is asked to stop in its midst."""
    process = subprocess.Popen(
        [sys.executable, "-m", "fitlog", "run", "--network", "mlp", "--num-epochs", "10000"],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **options,
    )
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith("Epoch[1] Batch"):
            break
    ask(process)
    _, errors = process.communicate(timeout=60)
    (run,) = (folder / "runs").iterdir()
    return process.returncode, errors, run


def json_of(path: Path) -> Any:
    text = path.read_text()
    return json.loads(text.splitlines()[-1] if path.suffix == ".jsonl" else text)


@pytest.mark.parametrize(
    ("number", "code", "word"),
    [(signal.SIGINT, 130, "interrupted"), (signal.SIGTERM, 143, "terminated")],
)
def test_a_training_that_is_asked_to_stop_finishes_its_batch(
    number: signal.Signals, code: int, word: str, mx: Any, tmp_path: Path
) -> None:
    returned, errors, run = stopped(tmp_path, lambda process: process.send_signal(number))

    assert returned == code
    said = f"fitlog: {number.name}: stopping after this batch; once more stops at once"
    assert errors.splitlines() == [
        said,
        f"fitlog: {word} (the log so far: runs/{run.name}/run.log)",
    ]
    record = json_of(run / "run.json")
    assert record["status"] == "interrupted"
    assert record["stopped"]["signal"] == number.name
    epoch, nbatch = record["stopped"]["epoch"], record["stopped"]["nbatch"]
    last = (run / "run.log").read_text().splitlines()[-1]
    assert last == f"Stopped by {number.name} after batch {nbatch} of epoch {epoch}"
    assert json_of(run / "phases.jsonl")["status"] == "interrupted"
    parameters = mx.nd.load(str(tmp_path / record["stopped"]["parameters"]))
    assert "arg:output_weight" in parameters


def test_a_second_signal_stops_at_once(mx: Any, tmp_path: Path) -> None:
    assert mx is not None

    def twice(process: subprocess.Popen[str]) -> None:
        process.send_signal(signal.SIGSTOP)  # both are there when it goes on
        process.send_signal(signal.SIGINT)
        process.send_signal(signal.SIGTERM)
        process.send_signal(signal.SIGCONT)

    returned, _, run = stopped(tmp_path, twice)

    assert returned in (130, 143)  # which of two is handled first is the system's choice
    record = json_of(run / "run.json")
    assert record["status"] == "interrupted"
    assert record["stopped"]["parameters"] is None
    assert "Stopped by" in (run / "run.log").read_text()


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="needs /proc")
def test_a_second_signal_while_parameters_are_saved_leaves_them_out(
    mx: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert mx is not None
    sync = os.fsync
    sent: list[signal.Signals] = []

    def asking(descriptor: int) -> None:
        sync(descriptor)
        name = str(Path(f"/proc/self/fd/{descriptor}").readlink())
        number = signal.SIGTERM if "interrupted" in name else signal.SIGINT
        if ".params" in name and number not in sent:
            sent.append(number)
            os.kill(os.getpid(), number)

    monkeypatch.setattr(os, "fsync", asking)
    with pytest.raises(Termination):
        train(RunOptions(network="mlp", num_epochs=10, out=tmp_path))

    assert sent == [signal.SIGINT, signal.SIGTERM]
    (run,) = tmp_path.iterdir()
    record = json_of(run / "run.json")
    assert (record["status"], record["stopped"]["signal"]) == ("interrupted", "SIGTERM")
    assert record["stopped"]["parameters"] is None
    assert not list(run.glob("*interrupted*"))
    assert (run / "run.log").read_text().splitlines()[-1].startswith("Stopped by SIGTERM after")


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="needs /proc")
def test_a_signal_while_the_end_is_written_down_changes_nothing(
    mx: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert mx is not None
    sync = os.fsync

    def asking(descriptor: int) -> None:
        sync(descriptor)
        if "run.json" in str(
            Path(f"/proc/self/fd/{descriptor}").readlink()
        ):  # at the beginning, too
            os.kill(os.getpid(), signal.SIGINT)
            os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr(os, "fsync", asking)
    with pytest.raises(KeyboardInterrupt):
        train(RunOptions(network="mlp", num_epochs=10, out=tmp_path))

    (run,) = tmp_path.iterdir()
    assert json_of(run / "run.json")["status"] == "interrupted"


def test_a_run_that_ignores_interrupts_goes_on_ignoring_them(mx: Any, tmp_path: Path) -> None:
    assert mx is not None

    def both(process: subprocess.Popen[str]) -> None:
        process.send_signal(signal.SIGINT)
        process.send_signal(signal.SIGTERM)

    def ignore() -> None:
        signal.signal(signal.SIGINT, signal.SIG_IGN)

    returned, _, run = stopped(tmp_path, both, preexec_fn=ignore)

    assert returned == 143
    assert json_of(run / "run.json")["stopped"]["signal"] == "SIGTERM"


def diverging(folder: Path, on_nan: str) -> RunOptions:
    return RunOptions(
        network="mlp", lr=1e6, num_epochs=2, metric=("ce",), on_nan=on_nan, out=folder
    )


def test_a_loss_that_is_nan_stops_the_training_where_it_is_to(mx: Any, tmp_path: Path) -> None:
    assert mx is not None

    with pytest.raises(TrainingError, match=r"nan in epoch 0.*smaller learning rate"):
        train(diverging(tmp_path, "stop"))

    (run,) = tmp_path.iterdir()
    record = json_of(run / "run.json")
    assert record["status"] == "failed"
    assert "is nan in epoch 0" in record["error"]
    assert record["error"] in (run / "run.log").read_text().splitlines()[-1]


def test_a_loss_that_is_nan_is_said_once_where_the_training_goes_on(
    mx: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert mx is not None

    result = train(diverging(tmp_path, "warn"))

    assert result.record["status"] == "finished"
    assert capsys.readouterr().err.count("the training goes on") == 1


def test_a_parameter_that_is_nan_is_found_where_no_metric_shows_it(mx: Any, tmp_path: Path) -> None:
    assert mx is not None
    options = RunOptions(
        network="mlp", lr=1e6, num_epochs=2, metric=("accuracy",), on_nan="stop", out=tmp_path
    )

    with pytest.raises(TrainingError, match="holds nan after epoch 0"):
        train(options)

    (run,) = tmp_path.iterdir()
    assert not list(run.glob("*.params"))  # nothing to go on from


@pytest.mark.skipif(not Path("/dev/full").is_char_device(), reason="needs /dev/full")
def test_a_full_standard_output_does_not_end_the_training(mx: Any, tmp_path: Path) -> None:
    assert mx is not None
    command = f"{sys.executable} -m fitlog run --network mlp --num-epochs 2 > /dev/full"

    done = subprocess.run(
        ["bash", "-c", command], cwd=tmp_path, capture_output=True, text=True, check=False
    )

    assert done.returncode == 2  # the summary could not be shown
    assert done.stderr.splitlines() == [
        "fitlog: nothing more is shown: cannot write standard output: No space left on device",
        "fitlog: cannot use standard output: No space left on device",
    ]
    (run,) = (tmp_path / "runs").iterdir()
    assert json_of(run / "run.json")["status"] == "finished"


@pytest.mark.skipif(not Path("/proc/self").is_dir(), reason="needs a folder to write nothing into")
def test_a_place_for_checkpoints_is_tried_before_the_training(mx: Any, tmp_path: Path) -> None:
    assert mx is not None

    with pytest.raises(TrainingError, match="--model-prefix /proc/mlp: cannot write into /proc:"):
        train(RunOptions(network="mlp", model_prefix=Path("/proc/mlp"), out=tmp_path / "runs"))

    assert not (tmp_path / "runs").exists()
