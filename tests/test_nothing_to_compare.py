"""`fitlog check` with nothing to stand on: never a pass, and a message that says what is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from speeds import HOST, levels_around, log_of, make_ledger, write_logs, write_run
from support import Fitlog

BUSY = "is set aside: its windows scatter"


@pytest.fixture
def ledger(tmp_path: Path) -> Path:
    """A ledger of 12 runs at 1000 samples/sec."""
    logs = write_logs(tmp_path / "logs", levels_around(1000, 12, spread=0.006))
    return make_ledger(tmp_path, logs)


def refusals(folder: Path) -> dict[str, tuple[list[object], int, str]]:
    """Checks that have nothing to stand on: arguments, exit code, a part of the message."""
    good, noisy = log_of(1000, 1), log_of(1000, 1, noise=0.3)
    files = {
        "good.log": good,
        "empty.log": b"",
        "one.log": log_of(1000, 2, windows=1),
        "noisy.log": noisy,
        "noisy2.log": log_of(1000, 9, noise=0.3),
        "copy.log": good,
        "empty.jsonl": b"",
        "binary.jsonl": bytes(range(256)),
        "three.log": log_of(1000, 3, ends="Epoch[{epoch}] Validation-accuracy=0.9\n"),
        "four.log": log_of(1000, 4, windows=80, ends="Epoch[{epoch}] Validation-accuracy=0.9\n"),
    }
    lines = good.splitlines(keepends=True)
    lines[5] = b"Epoch[0] Batch [50-60]\tSpeed: nan samples/sec\n"
    files["nan.log"] = b"".join(lines)
    for name, text in files.items():
        (folder / name).write_bytes(text)
    other = write_run(folder / "other", log_of(1000, 5), host={**HOST, "cpu": "another"})
    mine = write_run(folder / "mine", log_of(1000, 6))
    return {
        "an empty log": (["empty.log", "--history", "ledger.jsonl"], 2, "holds no speed"),
        "a missing log": (["no.log", "--history", "ledger.jsonl"], 2, "no.log"),
        "a missing ledger": (["good.log", "--history", "no.jsonl"], 2, "there is no ledger"),
        "an empty ledger": (["good.log", "--history", "empty.jsonl"], 2, "holds no run"),
        "no baseline": (["good.log"], 2, "no baseline to compare with"),
        "a renamed series": (
            ["good.log", "--history", "ledger.jsonl", "--series", "renamed"],
            2,
            "no run in ledger.jsonl is like good.log: series is 'renamed' here",
        ),
        "a renamed metric": (
            ["three.log", "--history", "ledger.jsonl", "--metric", "validation-acc"],
            2,
            "holds no 'validation-acc'; known: pace, throughput, time_cost, validation-accuracy",
        ),
        "a metric the ledger lacks": (
            ["three.log", "--history", "ledger.jsonl", "--metric", "validation-accuracy"],
            2,
            "no comparable run in ledger.jsonl has 'validation-accuracy'; known: pace",
        ),
        "a speed that is none": (
            ["nan.log", "--history", "ledger.jsonl"],
            2,
            "1 of 60 speeds cannot be true, the first is nan",
        ),
        "one window": (
            ["one.log", "--history", "ledger.jsonl"],
            2,
            "1 speed line is too few to judge",
        ),
        "a noisy run": (["noisy.log", "--history", "ledger.jsonl"], 3, BUSY),
        "noisy runs on both sides": (["noisy.log", "--baseline", "good.log"], 3, BUSY),
        "only noisy runs": (["noisy.log", "--baseline", "noisy2.log"], 3, BUSY),
        "an empty baseline": (["good.log", "--baseline", "empty.log"], 2, "holds no speed"),
        "a missing baseline": (
            ["good.log", "--baseline", "no.log"],
            2,
            "cannot be opened: no such file or directory (no.log)",
        ),
        "a glob without a match": (["good.log", "--baseline", "no*.txt"], 2, "matches no file"),
        "a baseline of speeds that are none": (
            ["good.log", "--baseline", "nan.log"],
            2,
            "1 of 60 speeds cannot be true, the first is nan",
        ),
        "a baseline of one window": (
            ["good.log", "--baseline", "one.log"],
            2,
            "1 speed line is too few to judge",
        ),
        "another machine's baseline": (
            [mine, "--baseline", other],
            2,
            "cpu is 'A' here and 'another' there",
        ),
        "a copy of the candidate": (
            ["good.log", "--baseline", "copy.log"],
            2,
            "one and the same run: it is both candidate and baseline",
        ),
        "a ledger that is none": (
            ["good.log", "--history", "binary.jsonl"],
            2,
            "binary.jsonl holds no run: nothing to compare with (line 1 of binary.jsonl cannot be",
        ),
        "a ledger that is a folder": (["good.log", "--history", "other"], 2, "cannot read the led"),
        "another machine's ledger": (
            [other, "--history", "ledger.jsonl"],
            2,
            "cpu is 'another' here and",
        ),
        "epochs that do not match": (
            ["four.log", "--baseline", "three.log", "--metric", "validation-accuracy"],
            2,
            "epochs do not match: four.log ends with epoch 3, three.log with epoch 2",
        ),
        "the candidate alone in the ledger": (
            ["good.log", "--history", "alone.jsonl"],
            2,
            "holds no run but the candidate itself",
        ),
    }


CASES = [
    "an empty log", "a missing log", "a missing ledger", "an empty ledger", "no baseline",
    "a renamed series", "a renamed metric", "a metric the ledger lacks", "a speed that is none",
    "one window", "a noisy run", "noisy runs on both sides", "another machine's ledger",
    "epochs that do not match", "the candidate alone in the ledger", "only noisy runs",
    "an empty baseline", "a missing baseline", "a glob without a match",
    "a baseline of speeds that are none", "a baseline of one window", "another machine's baseline",
    "a copy of the candidate", "a ledger that is none", "a ledger that is a folder",
]  # fmt: skip


@pytest.mark.usefixtures("ledger")
@pytest.mark.parametrize("case", CASES)
def test_nothing_to_compare_is_never_a_pass(case: str, tmp_path: Path, fitlog: Fitlog) -> None:
    arguments, code, message = refusals(tmp_path)[case]
    if "alone.jsonl" in arguments:
        fitlog("history", "add", "alone.jsonl", "good.log")

    done = fitlog("check", *arguments)

    assert done.returncode == code
    assert message in done.stdout + done.stderr
    assert "Traceback" not in done.stderr


def test_all_past_runs_set_aside_is_no_pass(tmp_path: Path, fitlog: Fitlog) -> None:
    """Where every past run scatters, a quiet candidate has nothing to stand on."""
    logs = write_logs(tmp_path / "logs", [1000.0] * 9, noise=0.04)
    runs = [
        write_run(tmp_path / f"run-{i}", log.read_bytes(), share=0.5 if i else 1.0, load=5.0)
        for i, log in enumerate(logs[:4])
    ]
    fitlog("history", "add", "ledger.jsonl", *runs)
    candidate = write_run(tmp_path / "new", log_of(1000, 77), share=1.0)

    done = fitlog("check", candidate, "--history", "ledger.jsonl")

    assert done.returncode == 3
    assert "too few runs are left to judge" in done.stdout
