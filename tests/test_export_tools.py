"""What is exported to TensorBoard, MLflow and W&B, read back with what these read it with."""

from __future__ import annotations

import json
import struct
import warnings
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fitlog import read_log
from fitlog.export import export_followed, export_logs
from support import SAMPLES, Fitlog

LINE = (
    "2026-03-01 12:00:{:02d},250 Epoch[0] Batch [{}-{}]\tSpeed: 100.00 samples/sec\taccuracy={}\n"
)
BEGIN = datetime(2026, 3, 1, 12).timestamp()


def scalars(folder: Path) -> dict[str, list[tuple[float, int, float]]]:
    """Wall time, step and value of each tag, by TensorBoard's own reader."""
    reader = "tensorboard.backend.event_processing.event_accumulator"
    events = pytest.importorskip(reader).EventAccumulator(
        str(folder), size_guidance={"scalars": 0, "tensors": 0}
    )
    events.Reload()
    return {
        tag: [(e.wall_time, e.step, e.value) for e in events.Scalars(tag)]
        for tag in events.Tags()["scalars"]
    }


def test_tensorboard_reads_every_value_with_the_logs_time_and_step(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    log = read_log(SAMPLES / "timestamps.log")

    came_to = export_logs([SAMPLES / "timestamps.log"], "tensorboard", str(tmp_path))

    read = scalars(tmp_path / "run-0")
    assert sum(map(len, read.values())) == came_to.points == 42
    assert set(read) == {
        "window/train-samples_per_sec",
        "window/train-accuracy",
        "window/train-cross-entropy",
        "epoch/train-accuracy",
        "epoch/train-cross-entropy",
        "epoch/validation-accuracy",
        "epoch/validation-cross-entropy",
        "epoch/time_cost",
    }
    rows = log.metrics.query("metric == 'accuracy' and scope == 'window'")
    stamps = [time.to_pydatetime().timestamp() for time in rows["time"]]
    assert read["window/train-accuracy"] == list(
        zip(
            stamps,
            range(10, 100, 10),
            np.asarray(rows["value"], dtype="float32").tolist(),
            strict=True,
        )
    )
    assert [step for _, step, _ in read["epoch/validation-accuracy"]] == [0, 1, 2]


def test_tensorboard_has_a_folder_for_each_run_of_each_log(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    logs = [SAMPLES / "restarted.log", SAMPLES / "node-prefix.log"]

    export_logs([*logs], "tensorboard", str(tmp_path))
    export_logs([*logs], "tensorboard", str(tmp_path))  # replaces the first, and doubles nothing

    folders = sorted(path.parent.relative_to(tmp_path) for path in tmp_path.rglob("*tfevents*"))
    assert list(map(str, folders)) == [
        "node-prefix/run-0-node-0",
        "restarted/run-0",
        "restarted/run-1",
    ]
    assert len(scalars(tmp_path / "restarted" / "run-1")["epoch/time_cost"]) == 3


def test_tensorboard_sees_a_log_that_is_followed_as_it_grows(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    log, out = tmp_path / "run.log", tmp_path / "board"
    log.write_text(LINE.format(0, 0, 10, 0.5) + LINE.format(1, 10, 20, 0.5), encoding="utf-8")
    seen: list[list[tuple[float, int, float]]] = []

    def wait() -> bool:
        seen.append(scalars(out / "run-0")["window/train-accuracy"])
        with log.open("a", encoding="utf-8") as more:
            more.write(LINE.format(2, 20, 30, 0.75))
        return len(seen) < 2

    export_followed(log, "tensorboard", str(out), wait=wait)

    first = [(BEGIN + 0.25, 10, 0.5), (BEGIN + 1.25, 20, 0.5)]
    assert seen == [first, [*first, (BEGIN + 2.25, 30, 0.75)]]


def imported_mlflow() -> Any:
    """MLflow, where it and what it needs for SQLite are installed."""
    pytest.importorskip("sqlalchemy")
    pytest.importorskip("alembic")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pytest.importorskip("mlflow")


@pytest.fixture
def hparams_log(tmp_path: Path) -> Path:
    """A log with settings, a value that is nan, and a metric whose name MLflow does not take."""
    log = tmp_path / "run.log"
    log.write_text(
        "2026-03-01 12:00:00,000 start with arguments Namespace(lr=0.1, network='lenet')\n"
        + LINE.format(0, 0, 10, 0.5)
        + LINE.format(1, 10, 20, "nan")
        + "2026-03-01 12:00:02,000 Epoch[0] Train-acc@5=0.500000\n"
        + "2026-03-01 12:00:02,000 Epoch[0] Time cost=2.000\n",
        encoding="utf-8",
    )
    (tmp_path / "run.json").write_text("{}", encoding="utf-8")
    return log


def test_mlflow_has_params_metrics_with_step_and_time_and_the_files(
    hparams_log: Path, fitlog: Fitlog, tmp_path: Path
) -> None:
    mlflow = imported_mlflow()

    done = fitlog("export", hparams_log, "--to", "mlflow", "-o", "store.db")

    assert (done.returncode, done.stderr) == (0, "")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        client = mlflow.MlflowClient(f"sqlite:///{tmp_path / 'store.db'}")
        (run,) = client.search_runs([client.get_experiment_by_name("fitlog").experiment_id])
        number = run.info.run_id
        history = client.get_metric_history(number, "window/train-accuracy")
        assert [(m.timestamp, m.step) for m in history] == [
            (round(BEGIN * 1000) + 250, 10),
            (round(BEGIN * 1000) + 1250, 20),
        ]
        assert history[0].value == 0.5
        assert np.isnan(history[1].value)
        assert run.data.params == {"lr": "0.1", "network": "lenet"}
        assert run.data.metrics["epoch/train-acc_5"] == 0.5
        assert run.info.status == "FINISHED"
        assert run.info.start_time == round(BEGIN * 1000) + 250
        assert run.info.end_time == round(BEGIN * 1000) + 2000
        assert {file.path for file in client.list_artifacts(number)} == {"run.log", "run.json"}


def test_a_file_that_is_no_database_is_refused(
    hparams_log: Path, fitlog: Fitlog, tmp_path: Path
) -> None:
    imported_mlflow()
    (tmp_path / "store.db").write_text("some text\n" * 100, encoding="utf-8")

    done = fitlog("export", hparams_log, "--to", "mlflow", "-o", "store.db")

    assert done.returncode == 2
    assert done.stderr == "fitlog: cannot use store.db as an SQLite file: file is not a database\n"


def offline_records(path: Path) -> Iterator[Any]:
    """The messages of an offline run: LevelDB's log format behind seven bytes of header."""
    messages = pytest.importorskip("wandb.proto.wandb_internal_pb2")
    data, at, whole = path.read_bytes(), 7, b""
    while at + 7 <= len(data):
        if 32768 - at % 32768 < 7:  # the rest of a block that no header fits into
            at += 32768 - at % 32768
            continue
        _, length, kind = struct.unpack_from("<IHB", data, at)
        whole += data[at + 7 : at + 7 + length]
        at += 7 + length
        if kind in (1, 4):  # a whole message, or the last piece of one
            record = messages.Record()
            record.ParseFromString(whole)
            whole = b""
            yield record


def test_wandb_has_rows_with_the_logs_time_and_an_axis_for_each_kind(
    hparams_log: Path, fitlog: Fitlog, tmp_path: Path
) -> None:
    pytest.importorskip("wandb")

    done = fitlog("export", hparams_log, "--to", "wandb", "-o", "out")

    assert (done.returncode, done.stderr) == (0, "")
    (path,) = (tmp_path / "out" / "wandb").glob("offline-run-*/*.wandb")
    records = list(offline_records(path))
    rows = [
        {item.key or item.nested_key[0]: json.loads(item.value_json) for item in r.history.item}
        for r in records
        if r.WhichOneof("record_type") == "history"
    ]
    assert [(row.get("batch"), row["epoch"], row["_timestamp"]) for row in rows] == [
        (10, 0, BEGIN + 0.25),
        (20, 0, BEGIN + 1.25),
        (None, 0, BEGIN + 2),
        (None, 0, BEGIN + 2),
    ]
    assert rows[0]["window/train-accuracy"] == 0.5
    assert rows[3]["epoch/time_cost"] == 2.0
    (run,) = [r.run for r in records if r.WhichOneof("record_type") == "run"]
    config = {update.key: json.loads(update.value_json) for update in run.config.update}
    assert (config["lr"], config["network"]) == (0.1, "lenet")
    assert run.display_name == "run-0"
