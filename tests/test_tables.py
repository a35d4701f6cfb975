"""The tables: fixed columns and dtypes, missing told from nan, many files, hyper-parameters."""

from __future__ import annotations

import math
from pathlib import Path

import pandas as pd
import pytest

from fitlog import RunLog, read_log, read_logs
from fitlog.tables import TABLES

SCHEMAS = {
    "speed": {
        "run": "int64",
        "node": "Int64",
        "epoch": "Int64",
        "batch_start": "Int64",
        "batch_end": "Int64",
        "split": "category",
        "samples_per_sec": "float64",
        "time": "datetime64[us]",
        "line": "int64",
    },
    "metrics": {
        "run": "int64",
        "node": "Int64",
        "epoch": "Int64",
        "batch_start": "Int64",
        "batch_end": "Int64",
        "split": "category",
        "scope": "category",
        "metric": "category",
        "value": "float64",
        "time": "datetime64[us]",
        "line": "int64",
    },
    "epochs": {
        "run": "int64",
        "node": "Int64",
        "epoch": "Int64",
        "time_cost": "Float64",
        "speed_median": "Float64",
        "batches": "Int64",
        "lr": "Float64",
    },
    "events": {
        "run": "int64",
        "node": "Int64",
        "epoch": "Int64",
        "kind": "category",
        "text": "string",
        "value": "Float64",
        "time": "datetime64[us]",
        "line": "int64",
    },
    "runs": {
        "run": "int64",
        "node": "Int64",
        "status": "category",
        "begin_epoch": "Int64",
        "last_epoch": "Int64",
        "epochs": "int64",
        "first_line": "int64",
        "last_line": "int64",
    },
    "unparsed": {"line": "int64", "text": "string", "reason": "string"},
    "warnings": {"code": "string", "line": "int64", "text": "string"},
}


def schema(log: RunLog, table: str) -> dict[str, str]:
    return {str(name): str(dtype) for name, dtype in getattr(log, table).dtypes.items()}


@pytest.mark.parametrize("table", TABLES)
def test_a_table_has_its_columns_and_dtypes_even_when_empty(table: str, samples: Path) -> None:
    full = schema(read_log(samples / "lr-schedule.log"), table)
    empty = schema(read_log(b""), table)

    assert {name: full[name] for name in SCHEMAS[table]} == SCHEMAS[table]
    assert empty == SCHEMAS[table]


def test_epochs_has_a_column_for_each_metric_of_whole_epochs(samples: Path) -> None:
    log = read_log(samples / "canonical.log")

    assert schema(log, "epochs") == {
        **SCHEMAS["epochs"],
        "train-accuracy": "Float64",
        "train-cross-entropy": "Float64",
        "validation-accuracy": "Float64",
        "validation-cross-entropy": "Float64",
    }


def test_what_an_epoch_does_not_state_is_missing_and_what_it_states_as_nan_is_nan() -> None:
    log = read_log(b"Epoch[0] Train-a=nan\nEpoch[1] Time cost=2.000\n")

    first, second = log.epochs["train-a"].tolist()
    assert math.isnan(first)
    assert second is pd.NA
    assert log.epochs["time_cost"].tolist() == [pd.NA, 2.0]


def test_of_a_value_logged_twice_the_epoch_shows_the_last() -> None:
    log = read_log(b"Epoch[0] Validation-a=0.5\nEpoch[0] Validation-a=nan\n")

    assert math.isnan(log.epochs["validation-a"][0])


def test_an_epoch_is_summed_up_from_its_training_windows(samples: Path) -> None:
    log = read_log(samples / "eval-speedometer.log")
    training = log.speed[(log.speed["split"] == "train") & (log.speed["epoch"] == 0)]

    row = log.epochs.iloc[0]
    assert len(training) == 3
    assert row["speed_median"] == training["samples_per_sec"].median()
    assert row["batches"] == 30


def test_the_learning_rate_of_an_epoch_is_the_one_at_its_end(samples: Path) -> None:
    assert read_log(samples / "lr-schedule.log").epochs["lr"].tolist() == [0.05, 0.025, 0.02]


def test_a_learning_rate_is_unknown_until_the_log_sets_one() -> None:
    log = read_log(
        b"Epoch[0] Time cost=1.000\nUpdate[9]: Change learning rate to 5.00000e-02\n"
        b"Epoch[1] Time cost=1.000\n"
    )

    assert log.epochs["lr"].tolist() == [pd.NA, 0.05]


def test_means_that_run_since_the_epoch_began_are_told_from_windows(samples: Path) -> None:
    running = read_log(samples / "running-means.log").metrics
    windows = read_log(samples / "canonical.log").metrics

    assert set(running.loc[running["batch_end"].notna(), "scope"]) == {"running"}
    assert set(windows.loc[windows["batch_end"].notna(), "scope"]) == {"window"}


def test_times_are_the_writers_own(samples: Path) -> None:
    first = (samples / "timestamps.log").read_text().split(" Epoch", 1)[0]

    assert read_log(samples / "timestamps.log").speed["time"][0] == pd.Timestamp(
        first.replace(",", ".")
    )
    assert read_log(samples / "canonical.log").speed["time"].isna().all()


def test_many_logs_are_one_with_a_column_for_the_file(samples: Path) -> None:
    paths = [samples / "canonical.log", samples / "restarted.log"]

    log = read_logs(paths)

    alone = [read_log(path) for path in paths]
    for table in TABLES:
        rows = getattr(log, table)
        assert rows.columns[0] == "file"
        assert rows["file"].dtype == "category"
        for path, one in zip(paths, alone, strict=True):
            part = rows[rows["file"] == str(path)]
            assert len(part) == len(getattr(one, table))
    assert log.lines == sum(one.lines for one in alone)


def test_logged_arguments_are_read_without_being_run() -> None:
    log = read_log(
        b"INFO:root:start with arguments Namespace(lr=0.1, gpus=None, "
        b"net='resnet', steps=[30, 60], fn=<function f at 0x7f>)\n"
        b"start with arguments Namespace(lr=0.2, gpus='0,1', ctx=cpu(0), warm=-1)\n"
    )

    assert log.hparams == {"lr": 0.2, "gpus": "0,1", "ctx": "cpu(0)", "warm": -1}


@pytest.mark.parametrize(
    ("arguments", "hparams"),
    [
        ("lr=0.1, fn=<function f at 0x7f>", {"lr": 0.1, "fn": "<function f at 0x7f>"}),
        ("a={[1]: 2}, b=1", {"a": "{[1]: 2}", "b": 1}),
        ("a='x, y', b=[1, (2, 3)]", {"a": "x, y", "b": [1, (2, 3)]}),
        ("a='it\\'s', b=2", {"a": "it's", "b": 2}),
        ("path='C:\\\\data\\\\', lr=0.1", {"path": "C:\\data\\", "lr": 0.1}),
        ("a=" + "-" * 3000 + "1", {"a": "-" * 3000 + "1"}),
        ("", {}),
    ],
)
def test_an_argument_that_is_no_literal_stays_as_its_text(
    arguments: str, hparams: dict[str, object]
) -> None:
    log = read_log(f"Namespace({arguments})\n".encode())

    assert log.hparams == hparams
    assert log.events["kind"].tolist() == ["start"]


def test_a_rate_set_by_the_server_counts_for_every_run_under_way() -> None:
    log = read_log(
        b"Node[0] Epoch[0] Time cost=1.000\nNode[1] Epoch[0] Time cost=1.000\n"
        b"Node[0] Epoch[1] Batch [10]\tSpeed: 1.00 samples/sec\n"
        b"Server[0] Update[2]: Change learning rate to 1.00000e-02\n"
        b"Node[0] Epoch[1] Time cost=1.000\nNode[1] Epoch[1] Time cost=1.000\n"
    )

    known = log.epochs[log.epochs["lr"].notna()]
    assert known[["node", "epoch", "lr"]].to_numpy().tolist() == [[0, 1, 0.01], [1, 1, 0.01]]


def test_many_metrics_are_no_more_work_than_many_rows() -> None:
    lines = [f"Epoch[{i // 215}] Train-m{i}=0.5\n" for i in range(1500)]

    log = read_log("".join(lines).encode())

    assert log.epochs.shape == (7, 7 + 1500)
    assert log.epochs.notna().sum().sum() == 7 * 2 + 1500


def test_lines_are_counted_by_dialect() -> None:
    log = read_log(
        b"Loading\nEpoch[0] Time cost=1.000\nEpoch[1] Time cost=1.000Epoch[1] Train-a=1\n"
    )

    assert log.lines == 3
    assert log.dialects == {"module": 2}
