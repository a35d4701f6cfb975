"""Numbers of logs go to other tools with the log's own time and step."""

from __future__ import annotations

import csv
import json
import os
import sys
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from fitlog import NoRecordsError, OutputError, SettingError
from fitlog.export import export_followed, export_logs
from fitlog.export.points import posix_seconds
from support import SAMPLES, Fitlog

SPEED = "Epoch[{}] Batch [{}-{}]\tSpeed: {:.2f} samples/sec\taccuracy=0.500000\n"
# When the files of these tests were last changed.
CHANGED = datetime(2026, 3, 1, 12, 0, 0)

Rows = list[dict[str, str]]


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "run.log"


def write(log: Path, text: str) -> Path:
    log.write_text(text, encoding="utf-8")
    os.utime(log, (CHANGED.timestamp(), CHANGED.timestamp()))
    return log


def exported(log: Path | bytes, out: Path) -> Rows:
    export_logs([log], "csv", str(out))
    with out.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def curve(rows: Rows, scope: str, name: str, split: str = "train") -> Rows:
    key = (scope, name, split)
    return [row for row in rows if (row["scope"], row["name"], row["split"]) == key]


def column(rows: Rows, name: str) -> list[str]:
    return [row[name] for row in rows]


def seconds(rows: Rows) -> list[float]:
    return [
        round((CHANGED - datetime.fromisoformat(row["time"])).total_seconds(), 3) for row in rows
    ]


def test_a_point_has_the_logs_own_time_and_step(tmp_path: Path) -> None:
    rows = exported(SAMPLES / "timestamps.log", tmp_path / "out.csv")

    speeds = curve(rows, "window", "samples_per_sec")
    assert column(speeds, "step") == ["10", "20", "30", "40", "50", "60", "70", "80", "90"]
    assert column(speeds, "time")[:2] == [
        "2026-11-23 15:07:13.795000",
        "2026-11-23 15:07:13.806000",
    ]
    assert set(column(rows, "time_source")) == {"logged"}
    assert set(column(speeds, "unit")) == {"samples/sec"}
    whole = curve(rows, "epoch", "accuracy", "validation")
    assert column(whole, "step") == ["0", "1", "2"]


def test_a_run_that_goes_on_from_an_epoch_goes_on_from_its_step(log: Path, tmp_path: Path) -> None:
    text = "".join(SPEED.format(e, b, b + 10, 100) for e in (0, 1) for b in (0, 10))
    start = "Epoch[1] Batch [0-10]\tSpeed: 90.00 samples/sec\taccuracy=0.500000\n"

    rows = exported(write(log, text + start), tmp_path / "out.csv")

    speeds = curve(rows, "window", "samples_per_sec")
    assert column(speeds, "run") == ["0", "0", "0", "0", "1"]
    assert column(speeds, "step") == ["10", "20", "30", "40", "30"]


def test_the_windows_of_an_epoch_share_its_time_cost(log: Path, tmp_path: Path) -> None:
    text = (
        SPEED.format(0, 0, 10, 100)
        + SPEED.format(0, 10, 20, 300)
        + "Epoch[0] Time cost=8.000\n"
        + SPEED.format(1, 0, 10, 200)
        + "Epoch[1] Time cost=2.000\nEpoch[1] Validation-accuracy=0.500000\n"
    )

    rows = exported(write(log, text), tmp_path / "out.csv")

    assert seconds(curve(rows, "window", "samples_per_sec")) == [4.0, 2.0, 0.0]
    assert seconds(curve(rows, "epoch", "time_cost", "")) == [2.0, 0.0]
    assert seconds(curve(rows, "epoch", "accuracy", "validation")) == [0.0]
    assert set(column(rows, "time_source")) == {"estimated"}


def test_an_epoch_without_time_cost_takes_what_the_batch_size_says(
    log: Path, tmp_path: Path
) -> None:
    text = "start with arguments Namespace(batch_size=50)\n"
    text += SPEED.format(0, 0, 10, 100) + SPEED.format(0, 10, 20, 250)

    rows = exported(write(log, text), tmp_path / "out.csv")

    assert seconds(curve(rows, "window", "samples_per_sec")) == [2.0, 0.0]


def test_the_runs_of_a_file_follow_each_other(log: Path, tmp_path: Path) -> None:
    run = SPEED.format(0, 0, 10, 100) + "Epoch[0] Time cost=3.000\n"

    rows = exported(write(log, run + run.replace("100", "200")), tmp_path / "out.csv")

    assert column(curve(rows, "epoch", "time_cost", ""), "run") == ["0", "1"]
    assert seconds(curve(rows, "epoch", "time_cost", "")) == [3.0, 0.0]


def test_numbers_that_are_nonsense_break_no_estimate(log: Path, tmp_path: Path) -> None:
    text = "".join(
        SPEED.format(epoch, 0, 10**15, 0.01)
        + SPEED.format(epoch, 10**15, 10**15 + 10, 0)
        + f"Epoch[{epoch}] Time cost={cost}.000\n"
        for epoch, cost in enumerate(("9" * 12, "9" * 9, "1"))
    )

    rows = exported(write(log, text), tmp_path / "out.csv")

    assert len(rows) == 15
    assert all(datetime.fromisoformat(row["time"]).year <= 2026 for row in rows)


@pytest.mark.parametrize("to", ["tensorboard", "parquet"])
def test_steps_and_values_beyond_what_a_tool_can_hold_break_nothing(
    to: str, log: Path, tmp_path: Path
) -> None:
    pytest.importorskip({"tensorboard": "tensorboard", "parquet": "pyarrow"}[to])
    text = SPEED.format(0, 0, 10**15, 10**15) + SPEED.format(10**15, 0, 10, 100)
    text += "Epoch[0] Train-loss=1" + "0" * 80 + ".000000\n"

    came_to = export_logs([write(log, text)], to, str(tmp_path / "out"))

    assert came_to.points == 5


def test_a_time_without_a_date_counts_from_1970_in_every_zone() -> None:
    assert posix_seconds(datetime(1970, 1, 1, 10, 0, 0)) == 36000.0
    assert posix_seconds(CHANGED) == CHANGED.timestamp()


def test_json_lines_say_null_for_what_is_missing_and_nan_for_what_is_nan(
    log: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out.jsonl"

    export_logs([write(log, "Epoch[0] Train-accuracy=nan\n")], "jsonl", str(out))

    (row,) = map(json.loads, out.read_text("utf-8").splitlines())
    assert row == {
        "log": str(log),
        "run": 0,
        "node": None,
        "epoch": 0,
        "step": 0,
        "time": "2026-03-01T12:00:00.000000",
        "time_source": "estimated",
        "scope": "epoch",
        "split": "train",
        "name": "accuracy",
        "value": "nan",
        "unit": "share",
        "line": 1,
    }


def test_parquet_has_units_in_its_schema(tmp_path: Path) -> None:
    pq: Any = pytest.importorskip("pyarrow.parquet")
    out = tmp_path / "out.parquet"

    export_logs([SAMPLES / "node-prefix.log"], "parquet", str(out))

    table = pq.read_table(out)
    assert table.schema.field("step").metadata[b"unit"] == b"batches or epochs"
    assert b"without a zone" in table.schema.field("time").metadata[b"description"]
    rows = table.to_pylist()
    assert rows[0]["node"] == 0
    assert rows[0]["time"] == datetime(2026, 11, 23, 15, 7, 9, 363000)
    assert {row["unit"] for row in rows} == {"samples/sec", "share", "nats", "seconds"}


def test_a_parquet_file_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    out = tmp_path / "nowhere" / "out.parquet"

    with pytest.raises(OutputError, match=r"cannot write .*nowhere"):
        export_logs([SAMPLES / "timestamps.log"], "parquet", str(out))


def test_prometheus_gets_the_latest_values_of_the_last_run(log: Path, tmp_path: Path) -> None:
    out = tmp_path / "fitlog.prom"
    first = SPEED.format(0, 0, 10, 100) + "Epoch[0] Time cost=3.000\n"
    last = SPEED.format(0, 0, 10, 200) + SPEED.format(0, 10, 20, 300)

    export_logs([write(log, first + last)], "prometheus", str(out))

    lines = out.read_text("utf-8").splitlines()
    labels = f'log="{log}",run="1",node=""'
    assert f'fitlog_samples_per_second{{{labels},split="train"}} 300.0' in lines
    assert f"fitlog_batches{{{labels}}} 20" in lines
    assert f"fitlog_last_value_timestamp_seconds{{{labels}}} {CHANGED.timestamp()}" in lines
    assert not [line for line in lines if 'run="0"' in line]
    assert lines[:2] == [
        "# HELP fitlog_samples_per_second Throughput of the last report.",
        "# TYPE fitlog_samples_per_second gauge",
    ]
    assert [path.name for path in tmp_path.iterdir() if path != log] == ["fitlog.prom"]


def test_prometheus_labels_are_escaped_and_numbers_are_its_own(tmp_path: Path) -> None:
    log = write(tmp_path / 'a"b\\c.log', "Epoch[0] Train-loss=inf\nEpoch[0] Train-acc=nan\n")
    out = tmp_path / "fitlog.prom"

    export_logs([log], "prometheus", str(out))

    text = out.read_text("utf-8")
    assert r'a\"b\\c.log"' in text
    assert 'metric="loss"} +Inf\n' in text
    assert 'metric="acc"} NaN\n' in text


def test_a_prometheus_file_is_replaced_and_never_written_into(tmp_path: Path) -> None:
    out = tmp_path / "fitlog.prom"
    out.write_text("as before\n", encoding="utf-8")

    with out.open(encoding="utf-8") as scraped:
        export_logs([SAMPLES / "timestamps.log"], "prometheus", str(out))

        assert scraped.read() == "as before\n"
    assert "fitlog_metric" in out.read_text("utf-8")


def test_the_node_exporter_reads_no_other_ending(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"end in \.prom"):
        export_logs([SAMPLES / "timestamps.log"], "prometheus", str(tmp_path / "out.txt"))


def test_otava_gets_a_row_for_each_run_the_oldest_first(tmp_path: Path) -> None:
    stamp = "2026-03-0{} 10:00:00,000 "
    logs = []
    for day, speed in ((2, 100.0), (1, 200.0)):
        windows = [SPEED.format(0, b, b + 10, speed + b) for b in (0, 10, 20)]
        text = "".join(stamp.format(day) + line for line in windows)
        folder = tmp_path / str(day)
        folder.mkdir()
        logs.append(write(folder / "run.log", text))
    aborted = write(tmp_path / "aborted.log", "Epoch[0] Train-accuracy=0.5\n")
    out = tmp_path / "history.csv"

    export_logs([*logs, aborted], "otava", str(out))

    with out.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert column(rows, "samples_per_sec") == ["215.0", "115.0"]
    assert column(rows, "log") == [str(logs[1]), str(logs[0])]
    first = datetime.fromisoformat(rows[0]["time"])
    assert first.tzinfo is not None
    assert first.timestamp() == datetime(2026, 3, 1, 10).timestamp()


def test_a_followed_log_is_exported_as_it_grows(log: Path, tmp_path: Path) -> None:
    write(log, SPEED.format(0, 0, 10, 100) + SPEED.format(0, 10, 20, 200))
    out = tmp_path / "out.csv"
    seen: list[list[str]] = []

    def wait() -> bool:
        with out.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        seen.append(column(curve(rows, "window", "samples_per_sec"), "step"))
        with log.open("a", encoding="utf-8") as more:
            more.write(SPEED.format(0, 10 + 10 * len(seen), 20 + 10 * len(seen), 300))
        return len(seen) < 3

    before = datetime.now()
    came_to = export_followed(log, "csv", str(out), wait=wait)

    assert seen == [["10", "20"], ["10", "20", "30"], ["10", "20", "30", "40"]]
    assert came_to.time_sources == {"read": came_to.points}
    with out.open(encoding="utf-8", newline="") as file:
        times = [datetime.fromisoformat(row["time"]) for row in csv.DictReader(file)]
    assert before <= min(times) <= max(times) <= datetime.now()


@pytest.mark.parametrize("to", ["otava", "parquet"])
def test_what_is_whole_only_at_the_end_cannot_follow(to: str, tmp_path: Path) -> None:
    with pytest.raises(SettingError, match=f"cannot write {to}"):
        export_followed(SAMPLES / "timestamps.log", to, str(tmp_path / "out"), wait=lambda: False)


def test_a_log_without_a_number_makes_no_output(tmp_path: Path) -> None:
    out = tmp_path / "out.csv"

    with pytest.raises(NoRecordsError, match="no training record"):
        export_logs([b"nothing\n"], "csv", str(out))

    assert not out.exists()


def test_the_command_says_which_times_are_estimated(fitlog: Fitlog, tmp_path: Path) -> None:
    stamped = fitlog("export", SAMPLES / "timestamps.log", "--to", "csv", "-o", "a.csv")
    bare = fitlog("export", SAMPLES / "restarted.log", "--to", "jsonl", "-o", "b.jsonl")
    latest = fitlog("export", SAMPLES / "timestamps.log", "--to", "prometheus", "-o", "a.prom")

    assert (stamped.returncode, stamped.stderr) == (0, "")
    assert stamped.stdout == "wrote 42 values of 1 run to a.csv\n"
    assert latest.stdout == "wrote a summary of 42 values of 1 run to a.prom\n"
    assert bare.returncode == 0
    assert "are estimated" in bare.stderr
    assert bare.stdout == "wrote 59 values of 2 runs to b.jsonl\n"
    assert len((tmp_path / "b.jsonl").read_text("utf-8").splitlines()) == 59


def test_the_command_follows_a_pipe_to_its_end(fitlog: Fitlog, tmp_path: Path) -> None:
    text = SPEED.format(0, 0, 10, 100).encode()

    done = fitlog("export", "-", "--to", "csv", "-o", "out.csv", "--follow", stdin=text)

    assert done.returncode == 0
    assert "the time at which they were read" in done.stderr
    assert len((tmp_path / "out.csv").read_text("utf-8").splitlines()) == 3


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["run.log", "--to", "csv", "-o", "run.log"], "would write over a log"),
        (["run.log", "run.log", "--to", "csv", "-o", "a.csv", "-f"], "--follow reads one log"),
        (["missing.log", "--to", "csv", "-o", "a.csv"], "missing.log"),
        (["run.log", "--to", "csv", "-o", "nowhere/a.csv"], "cannot write nowhere/a.csv"),
        (["run.log", "--to", "prometheus", "-o", "nowhere/a.prom"], "cannot write"),
        (["run.log", "--to", "otava", "-o", "nowhere/a.csv"], "cannot write nowhere/a.csv"),
    ],
)
def test_what_cannot_be_exported_is_said_and_exits_with_2(
    arguments: list[str], message: str, fitlog: Fitlog, log: Path
) -> None:
    write(log, SPEED.format(0, 0, 10, 100))

    done = fitlog("export", *arguments)

    assert done.returncode == 2
    assert message in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("extra", "package"),
    [
        ("tensorboard", "tensorboard>"),
        ("mlflow", "alembic>"),
        ("wandb", "wandb>"),
        ("parquet", "pyarrow<"),
    ],
)
def test_a_missing_package_is_said_with_its_extra(
    extra: str, package: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("tensorboard.compat.proto.event_pb2", "mlflow", "wandb", "pyarrow"):
        monkeypatch.setitem(sys.modules, name, None)

    with pytest.raises(OutputError) as raised:
        export_logs([SAMPLES / "timestamps.log"], extra, str(tmp_path / "out"))

    assert f"(fitlog's extra {extra})" in str(raised.value)
    assert f'pip install "{package}' in str(raised.value)
    assert not (tmp_path / "out").exists()
