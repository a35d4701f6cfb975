"""What is known of a run's machine and settings, from real records and bare logs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from fitlog.errors import TrainingError
from fitlog.fingerprint import differences, fingerprint_of
from fitlog.ledger import read_ledger
from fitlog.machine import describe_machine
from fitlog.readings import read_run
from fitlog.run.record import describe_host
from fitlog.run_folder import RECORD
from fitlog.usage import read_usage
from speeds import log_of, write_run
from support import Fitlog


def test_a_real_run_tells_its_machine_settings_and_processor_time(
    mx: Any, tmp_path: Path, fitlog: Fitlog
) -> None:
    assert mx
    trained = fitlog("run", "--num-epochs", "2", "--disp-batches", "2", "--network", "mlp")
    (log,) = (tmp_path / "runs").glob("*/run.log")

    added = fitlog("history", "add", "ledger.jsonl", log)
    again = fitlog("check", log, "--history", "ledger.jsonl")

    assert (trained.returncode, added.returncode) == (0, 0)
    (entry,) = read_ledger(tmp_path / "ledger.jsonl").entries
    assert entry.like_source == RECORD
    assert entry.like["network"] == "mlp"
    assert entry.like["batch_size"] == "64"
    assert entry.like["window"] == "2"
    assert entry.like["mxnet"] == "1.9.1"
    assert entry.usage is not None
    assert entry.usage.cpu_share > 0
    assert entry.usage.load is not None
    assert entry.start.startswith("20")
    assert set(entry.measures) >= {"pace", "throughput", "validation-accuracy"}
    assert again.returncode == 2
    assert "no run but the candidate itself" in again.stderr


def test_this_machine_is_described_as_its_record_describes_it() -> None:
    host = describe_host()

    assert describe_machine() == {name: host[name] for name in describe_machine()}


def test_a_bare_log_tells_its_settings_and_is_assumed_to_be_from_here() -> None:
    text = b"start with arguments Namespace(batch_size=32, lr=0.1, network='resnet')\n"

    print_ = fingerprint_of(read_run(text + log_of(1000)), series="r50", warm_up=3)

    assert print_.source != RECORD
    assert print_.fields["batch_size"] == "32"
    assert print_.fields["network"] == "resnet"
    assert "lr" not in print_.fields
    assert print_.fields["window"] == "10"
    assert print_.fields["warmup"] == "3"
    assert print_.fields["series"] == "r50"
    assert print_.fields["cpu"] == describe_machine()["cpu"]


def test_what_only_one_run_knows_is_not_compared() -> None:
    ours, theirs = {"cpu": "A", "mxnet": "1.9.1"}, {"cpu": "B", "network": "mlp"}

    assert differences(ours, theirs) == ["cpu is 'A' here and 'B' there"]
    assert differences(ours, theirs, ignore=["cpu"]) == []


@pytest.mark.parametrize(
    "text", ["{", "[]", "{}", '{"schema": 1, "host": 3}', '{"schema": 2, "host": {}}', ""]
)
def test_a_record_that_is_none_is_an_error(text: str, tmp_path: Path) -> None:
    log = write_run(tmp_path / "run", log_of(1000))
    (log.parent / "run.json").write_text(text)

    with pytest.raises(TrainingError, match=r"run\.json"):
        fingerprint_of(read_run(log))


def test_a_log_beside_no_record_is_a_bare_log(tmp_path: Path) -> None:
    log = write_run(tmp_path / "run", log_of(1000))
    (log.parent / "run.json").unlink()

    assert fingerprint_of(read_run(log)).source != RECORD
    assert read_usage(log.parent) is None


def test_the_usage_is_of_the_last_fit_and_of_whole_lines(tmp_path: Path) -> None:
    def window(seconds: float, spent: float, **more: Any) -> str:
        record = {"kind": "window", "part": "window", "seconds": seconds, "cpu_seconds": spent}
        record["phases"] = {"data": 0.0}
        return json.dumps({**record, **more})

    lines = [
        '{"kind": "fit"}',
        window(1.0, 0.1),
        '{"kind": "fit"}',
        window(9.0, 0.0, part="first"),
        window(9.0, 0.0, split="validation"),
        window(2.0, 1.0, involuntary_switches=30, load=1.5, phases={"data": 0.5}),
        window(0.0, 1.0),
        "[]",
        '{"kind": "window", "part": "wind',
    ]
    (tmp_path / "phases.jsonl").write_text("\n".join(lines))

    usage = read_usage(tmp_path)

    assert usage is not None
    assert (usage.cpu_share, usage.data_share, usage.switches, usage.load) == (0.5, 0.25, 30, 1.5)
    assert read_usage(tmp_path, skip=1) is None
