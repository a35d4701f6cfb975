"""`fitlog run --resume`: a run that was stopped comes to what it would have come to."""

from __future__ import annotations

import io
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fitlog import TrainingError, read_log
from fitlog.run.launch import train
from fitlog.run.resume import resume
from fitlog.run.settings import RunOptions
from stopping import all_lines, log_of, outcome, run_folder, train_all
from support import Fitlog


@pytest.fixture(scope="module")
def finished(mx: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run of three epochs."""
    assert mx is not None
    return train(options(tmp_path_factory.mktemp("finished"), num_epochs=3)).folder


@pytest.fixture
def run(finished: Path, tmp_path: Path) -> Path:
    """A copy of that run of one's own."""
    return shutil.copytree(finished, tmp_path / "run")


def options(out: Path, **changes: Any) -> RunOptions:
    return RunOptions(**{"network": "mlp", "out": out, "num_epochs": 3, **changes})


def change_record(run: Path, **changes: Any) -> None:
    record = json.loads((run / "run.json").read_text())
    (run / "run.json").write_text(json.dumps({**record, **changes}))


def as_killed(run: Path, *, epochs: int) -> None:
    """As the run would be, had it been killed in the epoch after so many."""
    change_record(run, status="running", end=None)
    for path in [*run.glob("*.json"), *run.glob("*.params"), *run.glob("*.states")]:
        if (match := re.search(r"-(\d{4})", path.name)) and int(match[1]) > epochs:
            path.unlink()


def params_of(run: Path, epoch: int) -> bytes:
    return (run / f"mlp-{epoch:04d}.params").read_bytes()


def test_a_finished_run_is_left_as_it_is(run: Path, fitlog: Fitlog) -> None:
    before = {path.name: path.read_bytes() for path in run.iterdir()}

    done = fitlog("run", "--resume", run)

    assert done.returncode == 0
    assert "has finished: nothing to do" in done.stderr
    assert {path.name: path.read_bytes() for path in run.iterdir()} == before


def test_a_finished_run_goes_on_to_more_epochs_as_if_it_had_been_meant_to(
    run: Path, tmp_path: Path, fitlog: Fitlog
) -> None:
    straight = train(options(tmp_path / "straight", num_epochs=5)).folder

    done = fitlog("run", "--resume", run, "--num-epochs", 5)

    assert done.returncode == 0, done.stderr
    assert "3 epochs are done: going on from mlp-0003.json" in done.stderr
    assert log_of(run) == log_of(straight)
    assert params_of(run, 5) == params_of(straight, 5)
    record = json.loads((run / "run.json").read_text())
    assert record["arguments"]["num_epochs"] == 5
    assert [(r["epoch"], r["from"]) for r in record["resumptions"]] == [(3, "finished")]
    assert record["resumptions"][0]["time"] > record["start"]


@pytest.mark.parametrize(
    "changes",
    [
        {"optimizer": "nadam"},  # counts in the optimizer itself
        {"optimizer": "sgld"},  # draws at random as it updates
        {"optimizer": "lbsgd"},  # logs that it was made
        {"kv_store": "device", "optimizer": "adam"},  # updated by the store, of two devices
        {"benchmark": True, "num_examples": 640},
        {"lr_step_epochs": (1, 3), "warmup_epochs": 1},
    ],
    ids=str,
)
def test_whatever_the_training_holds_is_resumed(
    changes: dict[str, Any], tmp_path: Path, mx: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert mx is not None
    if changes.get("kv_store") == "device":
        monkeypatch.setattr(
            "fitlog.run.training._devices", lambda mx, _: [mx.cpu(number) for number in (0, 1)]
        )
    whole = train(options(tmp_path / "whole", num_epochs=4, lr=0.01, **changes)).folder
    run = train(options(tmp_path / "run", num_epochs=2, lr=0.01, **changes)).folder

    resume(run, num_epochs=4, say=print)

    assert outcome(run) == outcome(whole)


def test_images_of_a_record_file_come_in_the_same_order(
    tmp_path: Path, mx: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from PIL import Image

    monkeypatch.chdir(tmp_path)
    record = mx.recordio.MXRecordIO("d.rec", "w")
    for number in range(67):
        file = io.BytesIO()
        Image.new("L", (8, 8), number).save(file, "PNG")
        header = mx.recordio.IRHeader(0, float(number % 3), 0, 0)
        record.write(mx.recordio.pack(header, file.getvalue()))
    record.close()
    changes = {"data": "rec:d.rec", "image_shape": (1, 8, 8), "batch_size": 10}
    whole = train(options(Path("whole"), num_epochs=4, **changes)).folder
    run = train(options(Path("run"), num_epochs=2, **changes)).folder

    resume(run, num_epochs=4, say=print)

    assert outcome(run) == outcome(whole)


def test_what_stood_behind_the_checkpoint_is_kept(run: Path, finished: Path) -> None:
    before = (run / "run.log").read_text()
    with (run / "run.log").open("a") as log:
        log.write("Epoch[3] Batch [0-")
    as_killed(run, epochs=1)
    said: list[str] = []

    resume(run, say=said.append)

    assert said == [
        "1 epochs are done: going on from mlp-0001.json",
        "the lines of what was not finished are now in run-cut-1.log",
    ]
    one_epoch = json.loads((run / "mlp-0001.json").read_text())["log_bytes"]
    assert (run / "run-cut-1.log").read_text() == before[one_epoch:] + "Epoch[3] Batch [0-"
    assert log_of(run) == log_of(finished)
    assert params_of(run, 3) == params_of(finished, 3)

    as_killed(run, epochs=2)
    resume(run, say=said.append)

    assert len(list(run.glob("run-cut-*.log"))) == 2
    assert len(all_lines(run)) == 3 * 10 + (2 * 10 + 1) + 10
    assert len(read_log(run / "run.log").epochs) == 3


@pytest.mark.parametrize("suffix", ["params", "states", "json"])
def test_a_damaged_checkpoint_is_named_and_the_one_before_it_taken(
    suffix: str, run: Path, finished: Path
) -> None:
    as_killed(run, epochs=2)
    damaged = run / f"mlp-0002.{suffix}"
    damaged.write_bytes(damaged.read_bytes()[:-9])
    said: list[str] = []

    resume(run, say=said.append)

    assert said[0].startswith("the checkpoint mlp-0002.json cannot be used: ")
    assert said[0].endswith("Expecting ',' delimiter") or f"mlp-0002.{suffix}" in said[0]
    assert said[1] == "1 epochs are done: going on from mlp-0001.json"
    assert log_of(run) == log_of(finished)
    assert params_of(run, 3) == params_of(finished, 3)


def test_a_run_without_a_checkpoint_begins_anew_in_its_folder(run: Path, finished: Path) -> None:
    as_killed(run, epochs=0)
    said: list[str] = []

    resume(run, say=said.append)

    assert said[0] == "no epoch has a checkpoint: beginning anew"
    assert log_of(run) == log_of(finished)
    assert params_of(run, 3) == params_of(finished, 3)


def test_a_run_killed_after_its_last_epoch_is_only_closed(run: Path, finished: Path) -> None:
    as_killed(run, epochs=3)

    result = resume(run, say=print)

    assert result.record["status"] == "finished"
    assert result.record["results"] == json.loads((finished / "run.json").read_text())["results"]
    assert (run / "run.log").read_bytes() == (finished / "run.log").read_bytes()


def test_checkpoints_every_second_epoch_are_gone_on_from(
    finished: Path, tmp_path: Path, mx: Any
) -> None:
    assert mx is not None
    run = train(options(tmp_path, save_period=2)).folder
    assert sorted(path.name for path in run.glob("*.params")) == ["mlp-0002.params"]
    change_record(run, status="failed", error="the power went")
    said: list[str] = []

    record = resume(run, say=said.append).record

    assert said[0] == "2 epochs are done: going on from mlp-0002.json"
    assert record["resumptions"][0]["from"] == "failed"
    assert record["error"] is None
    same = [line for line in log_of(finished) if "Saved" not in line]
    assert [line for line in log_of(run) if "Saved" not in line] == same


def test_runs_that_share_a_prefix_go_on_from_checkpoints_of_their_own(
    finished: Path, tmp_path: Path, mx: Any
) -> None:
    assert mx is not None
    prefix = tmp_path / "models" / "mlp"
    run = train(options(tmp_path / "one", num_epochs=1, model_prefix=prefix)).folder
    train(options(tmp_path / "two", seed=1, model_prefix=prefix))
    said: list[str] = []

    resume(run, num_epochs=3, say=said.append)

    assert said[0] == "no epoch has a checkpoint: beginning anew"  # the other wrote over its own
    assert prefix.with_name("mlp-0003.params").read_bytes() == params_of(finished, 3)


def test_phases_go_on_behind_whole_lines(run: Path) -> None:
    as_killed(run, epochs=2)
    with (run / "phases.jsonl").open("a") as file:
        file.write('{"kind": "wind')

    resume(run, say=print)

    records = [json.loads(line) for line in (run / "phases.jsonl").read_text().splitlines()]
    assert [r["epoch"] for r in records if r["kind"] == "epoch"] == [0, 1, 2, 2]
    assert records[-1]["status"] == "finished"


def test_other_settings_of_the_machine_are_warned_of(run: Path) -> None:
    record = json.loads((run / "run.json").read_text())
    record["host"]["environment"]["OMP_NUM_THREADS"] = "7"
    change_record(run, host=record["host"])
    as_killed(run, epochs=2)
    said: list[str] = []

    resume(run, say=said.append)

    (warning,) = (line for line in said if "OMP_NUM_THREADS" in line)
    assert warning.startswith("warning: OMP_NUM_THREADS was 7 and is ")
    assert "the last digits may differ" in warning


def test_the_number_of_threads_is_recorded_and_taken_again(
    tmp_path: Path, mx: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert mx is not None
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    small = ["--network", "mlp", "--num-epochs", "1"]
    train_all(tmp_path, [small])
    run = run_folder(tmp_path)
    record = json.loads((run / "run.json").read_text())
    pinned = record["host"]["environment"]["OMP_NUM_THREADS"]
    assert int(pinned) >= 1

    # Fewer, if there are: more threads than processors wait for each other most of the time.
    record["host"]["environment"]["OMP_NUM_THREADS"] = "2" if pinned == "1" else "1"
    change_record(run, host=record["host"])
    errors = train_all(tmp_path, [["--resume", str(run), "--num-epochs", "2"]])

    assert "warning" not in errors


def test_a_run_that_is_being_trained_is_not_trained_twice(
    tmp_path: Path, fitlog: Fitlog, mx: Any
) -> None:
    assert mx is not None
    with subprocess.Popen(
        [sys.executable, "-m", "fitlog", "run", "--network", "mlp", "--num-epochs", "100000"],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        run = run_folder(tmp_path)

        done = fitlog("run", "--resume", run)
        process.kill()

    assert done.returncode == 2
    assert f"{run} is being trained by another process" in done.stderr
    assert "Traceback" not in done.stderr


def not_a_run(run: Path) -> None:
    (run / "run.json").unlink()


def other_schema(run: Path) -> None:
    change_record(run, schema=99)


def no_json(run: Path) -> None:
    (run / "run.json").write_text("{")


def deep_json(run: Path) -> None:
    (run / "run.json").write_text("[" * 100_000)


def spoilt_json(run: Path) -> None:
    change_record(run, results=5)


def other_mxnet(run: Path) -> None:
    change_record(run, versions={"mxnet": "1.5.0"})


def other_options(run: Path) -> None:
    arguments = json.loads((run / "run.json").read_text())["arguments"]
    change_record(run, arguments={**arguments, "colour": "red"})


def no_arguments(run: Path) -> None:
    change_record(run, arguments=None)


def of_a_script(run: Path) -> None:
    change_record(run, exit_code=None, arguments={"script": "train.py"})


def of_a_cluster(run: Path) -> None:
    change_record(run, cluster={"workers": 2})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (of_a_script, "is of a script or a command; only fitlog's own trainings can be resumed"),
        (of_a_cluster, "is of several workers, which cannot be resumed; --model-prefix and"),
        (not_a_run, "is no run's folder: there is no run.json in it"),
        (other_schema, "is no record that this fitlog reads: its schema is 99"),
        (no_json, "is no record of a run: "),
        (deep_json, "is no record of a run: "),
        (spoilt_json, "run.json is damaged: its 'results' makes no sense"),
        (other_mxnet, "the run was begun with mxnet 1.5.0; this is 1.9.1"),
        (no_arguments, "its 'arguments' makes no sense"),
        (other_options, "was made by a fitlog with other options than this: colour"),
    ],
)
def test_what_cannot_be_resumed_is_refused_and_left_alone(
    change: Any, message: str, run: Path, fitlog: Fitlog
) -> None:
    as_killed(run, epochs=1)
    change(run)
    before = {path.name: path.read_bytes() for path in run.iterdir()}

    done = fitlog("run", "--resume", run)

    assert done.returncode == 2
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert {path.name: path.read_bytes() for path in run.iterdir()} == before


def test_options_that_were_settled_when_the_run_began_are_refused(
    run: Path, fitlog: Fitlog
) -> None:
    settled = fitlog("run", "--resume", run, "--lr", 0.5)
    fewer = fitlog("run", "--resume", run, "--num-epochs", 2)
    missing = fitlog("run", "--resume", run / "nowhere")

    assert (settled.returncode, fewer.returncode, missing.returncode) == (2, 2, 2)
    assert "--lr: a run that is resumed keeps its settings" in settled.stderr
    assert "--num-epochs 2: 3 epochs are done already" in fewer.stderr
    assert "is no run's folder" in missing.stderr


def test_other_data_are_refused(tmp_path: Path, mx: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    assert mx is not None
    monkeypatch.chdir(tmp_path)
    random_ = np.random.RandomState(0)
    np.savez("data.npz", images=random_.rand(64, 1, 8, 8), labels=np.arange(64) % 4)
    run = train(options(tmp_path / "runs", num_epochs=1, data="npz:data.npz", batch_size=16)).folder
    resume(run, num_epochs=2, say=print)

    monkeypatch.chdir("/")
    with pytest.raises(TrainingError, match=f"names files relative to {tmp_path}"):
        resume(run, num_epochs=3, say=print)
    monkeypatch.chdir(tmp_path)
    np.savez("data.npz", images=random_.rand(64, 1, 8, 8), labels=np.arange(64) % 4)
    with pytest.raises(TrainingError, match=r"data\.npz is not what the run was begun with"):
        resume(run, num_epochs=3, say=print)
    Path("data.npz").unlink()
    with pytest.raises(TrainingError, match=r"cannot read data\.npz: No such file"):
        resume(run, num_epochs=3, say=print)
