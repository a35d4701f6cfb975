"""`LineWriter`: upstream's text from any loop, read back by the same grammar; how runs end."""

from __future__ import annotations

import io
import json
import logging
import math
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import fitlog
from fitlog.run.results import read_results
from fitlog_parsers import Metric, Speed
from lines import records, unparsed
from networks import logged

BATCH = 8
BATCHES = 7
EPOCHS = 2


class Clock:
    """Seconds that pass when they are told to."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def write(data: Any, epochs: int) -> str:
    """A log of some epochs whose metric is the batch itself."""
    text = io.StringIO()
    with fitlog.LineWriter(text, batch_size=1, frequent=2) as log:
        for _ in log.epochs(epochs):
            for batch in log.batches(data):
                log.metric(loss=batch)
    return text.getvalue()


def upstream_lines(
    mx: Any,
    monkeypatch: pytest.MonkeyPatch,
    values: list[float],
    durations: list[float],
    frequent: int,
) -> list[str]:
    """What real `Module.fit` and Speedometer log where metrics and clock say these values."""
    clock, script, waits = Clock(), iter(values), iter(durations)
    for module in (mx.callback, sys.modules["mxnet.module.base_module"]):
        monkeypatch.setattr(module, "time", SimpleNamespace(time=clock))

    class Data(mx.io.NDArrayIter):  # type: ignore[misc]
        def next(self) -> Any:
            batch = super().next()
            clock.now += next(waits)
            return batch

    images = np.zeros((BATCH * BATCHES, 3), "float32")
    net = mx.sym.FullyConnected(mx.sym.Variable("data"), num_hidden=2)
    module = mx.mod.Module(mx.sym.SoftmaxOutput(net, name="softmax"))
    metrics = [mx.metric.np(lambda label, pred: next(script), name=n) for n in ("loss", "a b-c")]
    with logged() as messages:
        module.fit(
            Data(images, np.zeros(len(images), "float32"), BATCH),
            eval_data=mx.io.NDArrayIter(images[:BATCH], np.zeros(BATCH, "float32"), BATCH),
            eval_metric=metrics,
            batch_end_callback=mx.callback.Speedometer(BATCH, frequent),
            num_epoch=EPOCHS,
        )
    return messages


@pytest.mark.parametrize("frequent", [1, 2, 3, 6, 50])
@pytest.mark.parametrize("odd", [[], [math.nan], [math.inf], [-math.inf, 1e300], [-0.0, 5e-7]])
def test_the_text_is_that_of_module_fit_and_speedometer(
    frequent: int, odd: list[float], mx: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    random = np.random.RandomState(frequent)
    count = (BATCHES + 1) * 2 * EPOCHS
    values = [float(value) for value in random.lognormal(0, 3, count)]
    values[9 : 9 + len(odd)] = odd
    durations = [float(value) for value in random.exponential(0.1, BATCHES * EPOCHS)]
    durations[2:5] = [0.0, 0.0, 0.0]
    theirs = upstream_lines(mx, monkeypatch, values, durations, frequent)
    clock, script, waits = Clock(), iter(values), iter(durations)

    def loader() -> Iterator[int]:
        for batch in range(BATCHES):
            clock.now += next(waits)
            yield batch

    text = io.StringIO()
    with fitlog.LineWriter(text, batch_size=BATCH, frequent=frequent, clock=clock) as log:
        for _ in log.epochs(EPOCHS):
            for _ in log.batches(loader()):
                log.metric({"loss": next(script), "a b-c": next(script)})
            log.validation({"loss": next(script), "a b-c": next(script)})

    assert text.getvalue().splitlines() == theirs
    assert len(theirs) >= EPOCHS * 5
    assert any("Speed: inf" in line for line in theirs) == (frequent <= 3)


def test_what_is_written_is_read_back() -> None:
    clock, text = Clock(), io.StringIO()

    with fitlog.LineWriter(text, batch_size=10, frequent=2, clock=clock) as log:
        for epoch in log.epochs(7, begin_epoch=5):
            for batch in log.batches(range(6)):
                clock.now += 0.5
                log.metric(loss=batch / 8, accuracy=epoch)
            log.validation(loss=math.nan)

    assert unparsed(text.getvalue()) == []
    said = records(text.getvalue())
    speeds = [record for record in said if isinstance(record, Speed)]
    assert [(s.epoch, s.batch_start, s.batch_end, s.samples_per_sec) for s in speeds] == [
        (epoch, start, start + 2, 20.0) for epoch in (5, 6) for start in (0, 2)
    ]
    losses = [r.value for r in said if isinstance(r, Metric) and r.metric == "loss"]
    assert losses[:3] == [0.125, 0.4375, 0.3125]
    assert math.isnan(losses[3])
    assert fitlog.read_log(text.getvalue().encode()).epochs["time_cost"].tolist() == [3.0, 3.0]


def test_means_weigh_by_the_samples_of_each_batch() -> None:
    text = io.StringIO()

    with fitlog.LineWriter(text, batch_size=64) as log:
        for _ in log.epochs(1):
            for samples in log.batches([64, 64, 16]):
                log.metric(correct=samples == 16, samples=samples)

    assert "Epoch[0] Train-correct=0.111111\n" in text.getvalue()


def test_a_metric_without_a_value_in_a_window_is_nan_there() -> None:
    text = io.StringIO()

    with fitlog.LineWriter(text, batch_size=1, frequent=1) as log:
        for _ in log.epochs(1):
            for batch in log.batches(range(4)):
                log.metric(loss=batch)
                if batch == 1:
                    log.metric(norm=9)

    fields = [line.split("\t")[2:] for line in text.getvalue().splitlines() if "Speed" in line]
    assert fields == [
        ["loss=0.500000", "norm=9.000000"],
        ["loss=2.000000", "norm=nan"],
        ["loss=3.000000", "norm=nan"],
    ]


def test_epochs_of_one_batch_have_no_speed() -> None:
    text = write([0.25], epochs=3)

    assert "Speed" not in text
    assert text.count("Train-loss=0.250000") == 3


def test_a_loop_that_leaves_its_batches_early_ends_the_epoch_all_the_same() -> None:
    text = io.StringIO()

    with fitlog.LineWriter(text, batch_size=1, frequent=1) as log:
        for _ in log.epochs(3):
            for batch in log.batches(range(100)):
                log.metric(loss=batch)
                if batch == 2:
                    break
            log.validation(loss=7)
            break

    lines = [
        re.sub(r"(Speed: |cost=)[\d.]+", r"\1?", line) for line in text.getvalue().splitlines()
    ]
    assert lines == [
        "Epoch[0] Batch [0-1]\tSpeed: ? samples/sec\tloss=0.500000",
        "Epoch[0] Train-loss=1.000000",
        "Epoch[0] Time cost=?",
        "Epoch[0] Validation-loss=7.000000",
    ]


def test_a_loop_without_batches_of_its_own_has_the_lines_of_epochs() -> None:
    text = io.StringIO()

    with fitlog.LineWriter(text, batch_size=1, clock=Clock()) as log:
        for epoch in log.epochs(2):
            log.metric(loss=epoch)

    assert text.getvalue() == (
        "Epoch[0] Train-loss=0.000000\nEpoch[0] Time cost=0.000\n"
        "Epoch[1] Train-loss=1.000000\nEpoch[1] Time cost=0.000\n"
    )


def test_a_folder_gets_the_log_and_the_record(tmp_path: Path) -> None:
    clock, folder = Clock(), tmp_path / "runs" / "mine"

    with fitlog.LineWriter(
        folder, batch_size=4, frequent=1, arguments={"lr": 0.1, "to": tmp_path}, clock=clock
    ) as log:
        begun = json.loads((folder / "run.json").read_text("utf-8"))
        for _ in log.epochs(1):
            for batch in log.batches(range(3)):
                clock.now += 0.5
                log.metric(loss=batch)
            log.validation(accuracy=0.75, divergence=math.inf)

    record = json.loads((folder / "run.json").read_text("utf-8"))
    assert (begun["status"], begun["end"], begun["name"]) == ("running", None, "mine")
    assert begun["arguments"] == {"lr": 0.1, "to": str(tmp_path)}
    assert begun["versions"]["python"]
    assert (record["status"], record["error"]) == ("finished", None)
    assert record["seconds"] >= 0
    assert record["results"] == {
        "metrics": {
            "train-loss": {"last": 1.0, "best": 1.0, "best_epoch": 0},
            "validation-accuracy": {"last": 0.75, "best": 0.75, "best_epoch": 0},
            "validation-divergence": {"last": None, "best": None, "best_epoch": None},
        },
        "samples_per_sec": 8.0,
        "windows": 2,
    }
    assert record["results"] == read_results(folder / "run.log")
    assert fitlog.read_log(folder / "run.log").speed["samples_per_sec"].tolist() == [8.0, 8.0]


def test_the_record_has_the_version_of_what_trains(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fitlog.run.outputs._FRAMEWORKS", ("pytest", "fitlog", "nowhere"))

    fitlog.LineWriter(tmp_path, batch_size=1).close()

    versions = json.loads((tmp_path / "run.json").read_text("utf-8"))["versions"]
    assert versions["pytest"] == pytest.__version__
    assert not {"fitlog", "nowhere"} & set(versions)  # no distribution of that name; not imported


@pytest.mark.parametrize(
    ("raised", "status", "text"),
    [
        (KeyboardInterrupt(), "interrupted", None),
        (ZeroDivisionError("by zero"), "failed", "ZeroDivisionError: by zero"),
    ],
)
def test_the_record_says_how_a_run_ended(
    raised: BaseException, status: str, text: str | None, tmp_path: Path
) -> None:
    log = fitlog.LineWriter(tmp_path, batch_size=1, frequent=1)

    def train() -> None:
        with log:
            for _ in log.epochs(3):
                for batch in log.batches(range(4)):
                    log.metric(loss=batch)
                    if batch == 2:
                        raise raised

    with pytest.raises(type(raised)):
        train()

    record = json.loads((tmp_path / "run.json").read_text("utf-8"))
    assert (record["status"], record["error"]) == (status, text)
    assert record["end"] >= record["start"]
    # What was cut short is no epoch.
    assert (record["results"]["windows"], record["results"]["metrics"]) == (1, {})
    assert (tmp_path / "run.log").read_text("utf-8").count("\n") == 1


def test_a_killed_process_leaves_all_it_wrote(tmp_path: Path) -> None:
    code = """
import os, signal, fitlog
with fitlog.LineWriter("run", batch_size=1, frequent=1) as log:
    for epoch in log.epochs(3):
        for batch in log.batches(range(5)):
            log.metric(loss=batch)
            if (epoch, batch) == (1, 3):
                os.kill(os.getpid(), signal.SIGKILL)
"""

    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=False, timeout=60)

    assert done.returncode == -signal.SIGKILL
    said = (tmp_path / "run" / "run.log").read_text("utf-8")
    assert len(re.findall(r"^Epoch.*loss=.*\n", said, re.MULTILINE)) == 4 + 1 + 2
    assert json.loads((tmp_path / "run" / "run.json").read_text("utf-8"))["status"] == "running"


def test_a_logger_and_a_file_take_the_same_lines(caplog: pytest.LogCaptureFixture) -> None:
    text, logger = io.StringIO(), logging.getLogger("loop")

    with (
        caplog.at_level(logging.INFO),
        fitlog.LineWriter(text, logger, batch_size=1, frequent=1) as log,
    ):
        for _ in log.epochs(1):
            for batch in log.batches(range(3)):
                log.metric({"100 %s %": batch})

    assert [record.getMessage() for record in caplog.records] == text.getvalue().splitlines()
    assert {(record.name, record.levelno) for record in caplog.records} == {("loop", logging.INFO)}
    assert len(caplog.records) == 4


def test_a_logger_adapter_is_a_logger(caplog: pytest.LogCaptureFixture) -> None:
    adapter = logging.LoggerAdapter(logging.getLogger("loop"), {})

    with caplog.at_level(logging.INFO), fitlog.LineWriter(adapter, batch_size=1) as log:
        for _ in log.epochs(1):
            log.metric(loss=1)

    assert caplog.messages[0] == "Epoch[0] Train-loss=1.000000"


def test_closing_says_that_a_run_without_a_block_is_finished(tmp_path: Path) -> None:
    log = fitlog.LineWriter(tmp_path, batch_size=1)
    next(log.epochs(1))
    log.metric(loss=1)

    log.close()
    log.close()

    assert "Train-loss=1.000000\n" in (tmp_path / "run.log").read_text("utf-8")
    assert json.loads((tmp_path / "run.json").read_text("utf-8"))["status"] == "finished"


def test_a_folder_that_holds_a_run_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "run.log").write_text("Epoch[0] Time cost=1.000\n")

    with pytest.raises(fitlog.OutputError, match=r"holds a run already: name another folder"):
        fitlog.LineWriter(tmp_path, batch_size=1)

    assert (tmp_path / "run.log").read_text() == "Epoch[0] Time cost=1.000\n"
    with pytest.raises(fitlog.OutputError, match=r"run\.log: not a folder"):
        fitlog.LineWriter(tmp_path / "run.log", batch_size=1)


def test_a_full_disk_is_told_and_recorded(tmp_path: Path) -> None:
    code = """
import resource, fitlog
resource.setrlimit(resource.RLIMIT_FSIZE, (8192, 8192))
with fitlog.LineWriter("run", batch_size=1, frequent=1) as log:
    for epoch in log.epochs(1):
        for batch in log.batches(range(1000)):
            log.metric(loss=batch)
"""

    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )

    said = f"OutputError: cannot write to {Path('run', 'run.log')}: File too large"
    assert done.stderr.splitlines()[-1].endswith(said)
    assert done.stderr.count("Traceback") == 2  # the error and its cause: none while cleaning up
    record = json.loads((tmp_path / "run" / "run.json").read_text("utf-8"))
    assert (record["status"], record["error"]) == ("failed", said)
    assert (tmp_path / "run" / "run.log").stat().st_size == 8192


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"batch_size": 0}, "batch_size 0: must be at least 1"),
        ({"batch_size": 1, "frequent": 0}, "frequent 0: must be at least 1"),
    ],
)
def test_settings_that_cannot_be_are_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(fitlog.SettingError, match=message):
        fitlog.LineWriter(io.StringIO(), **settings)


def test_outputs_that_take_no_text_are_refused() -> None:
    with pytest.raises(fitlog.SettingError, match="nowhere to write"):
        fitlog.LineWriter(batch_size=1)
    for output in (io.BytesIO(), 3):
        with pytest.raises(fitlog.SettingError, match="a file opened as text"):
            fitlog.LineWriter(output, batch_size=1)  # type: ignore[arg-type]


def started() -> fitlog.LineWriter:
    log = fitlog.LineWriter(io.StringIO(), batch_size=1)
    next(log.epochs(1))
    return log


def test_epochs_of_nothing_are_refused() -> None:
    for begin, end in ((3, 3), (0, 0), (-1, 2)):
        with pytest.raises(fitlog.SettingError, match="nothing to train"):
            next(fitlog.LineWriter(io.StringIO(), batch_size=1).epochs(end, begin))


@pytest.mark.parametrize("value", ["high", [1, 2], None, np.zeros(3)])
def test_a_value_that_is_no_number_is_named(value: Any) -> None:
    with pytest.raises(fitlog.TrainingError, match="metric 'loss' is no single number"):
        started().metric(loss=value)


@pytest.mark.parametrize(
    "name", ["", " a", "a\tb", "a\nb", "a,b", "Train-a", "Epoch[0] a", "x" * 201, "a=1 b", "\ud800"]
)
def test_a_name_that_would_not_be_read_back_is_refused(name: str) -> None:
    with pytest.raises(fitlog.TrainingError, match="is no name for a metric"):
        started().metric({name: 1.0})


@pytest.mark.parametrize("name", ["cross-entropy", "x y", "loss/train", "größe", "a=b", "%s"])
def test_any_name_that_is_read_back_is_taken(name: str) -> None:
    started().metric({name: 1.0})


def test_a_value_may_be_an_array_of_one_element() -> None:
    text = io.StringIO()

    with fitlog.LineWriter(text, batch_size=1) as log:
        for _ in log.epochs(1):
            log.metric(loss=np.full((1, 1), 0.5), accuracy=np.float16(1), norm=True)

    assert [line[9:] for line in text.getvalue().splitlines()[:3]] == [
        "Train-loss=0.500000",
        "Train-accuracy=1.000000",
        "Train-norm=1.000000",
    ]


def test_a_metric_outside_of_an_epoch_is_refused() -> None:
    log = fitlog.LineWriter(io.StringIO(), batch_size=1)

    with pytest.raises(fitlog.TrainingError, match=r"metric\(\) before any epoch"):
        log.metric(loss=1)
    next(log.epochs(1))
    log.validation(loss=1)
    with pytest.raises(fitlog.TrainingError, match="after the training of epoch 0"):
        log.metric(loss=1)


def test_validation_amid_the_batches_is_refused() -> None:
    log = started()
    batches = log.batches(range(3))
    next(batches)
    log.validation(loss=1)

    with pytest.raises(fitlog.TrainingError, match="amid the batches of epoch 0"):
        next(batches)


def test_a_generator_that_is_used_up_is_told() -> None:
    with pytest.raises(fitlog.TrainingError, match=r"no batch in epoch 1: .*anew for each epoch"):
        write((batch for batch in range(3)), epochs=2)


def test_a_batch_of_no_samples_is_refused() -> None:
    with pytest.raises(fitlog.TrainingError, match="samples 0: a batch has at least one"):
        started().metric(loss=1, samples=0)


def test_nothing_heavy_is_imported(tmp_path: Path) -> None:
    code = """
import sys, fitlog
with fitlog.LineWriter("run", batch_size=1) as log:
    for epoch in log.epochs(1):
        for batch in log.batches(range(60)):
            log.metric(loss=batch)
print([name for name in ("numpy", "pandas", "mxnet", "matplotlib", "rich") if name in sys.modules])
"""

    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )

    assert done.stdout == "[]\n"
