"""The ledger's file: whole lines whoever writes at once, and what happens to broken ones."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from pathlib import Path

import pytest

from fitlog import BaselineError
from fitlog.ledger import Acceptance, Entry, accept, add_entries, pace_of, prune, read_ledger
from fitlog.past import make_entry, run_id
from fitlog.readings import read_run
from speeds import NOW, log_of

WRITER = """
import sys
from datetime import UTC, datetime
from fitlog.ledger import add_entries, prune
from fitlog.past import make_entry
from fitlog.readings import read_run
from speeds import log_of

first, ledger = int(sys.argv[1]), sys.argv[2]
entries = [
    make_entry(read_run(log_of(1000, seed, windows=12)), added=datetime.now(UTC), note="x" * 20000)
    for seed in range(first, first + 25)
]
print("ready", flush=True)
sys.stdin.readline()
for i, entry in enumerate(entries):
    add_entries(ledger, [entry])
    if len(sys.argv) > 3 and i % 5 == 0:
        prune(ledger, lambda held: [e for e in held.entries if e.id == entry.id])
"""


def entry_of(seed: int, level: float = 1000, note: str = "") -> Entry:
    return make_entry(read_run(log_of(level, seed)), added=NOW, note=note)


def write_at_once(ledger: Path, *more: str) -> None:
    """Four processes, each with 25 runs, begin together."""
    folders = [str(Path(__file__).parent), *sys.path]
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", WRITER, str(100 * i), str(ledger), *more],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(folders)},
        )
        for i in range(4)
    ]
    for writer in writers:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "ready\n"
    for writer in writers:
        assert writer.stdin is not None
        writer.stdin.write("go\n")
        writer.stdin.flush()
    for writer in writers:
        writer.communicate(timeout=120)
        assert writer.returncode == 0


def test_processes_that_write_at_once_lose_nothing(tmp_path: Path) -> None:
    ledger = tmp_path / "ledger.jsonl"

    write_at_once(ledger)

    held = read_ledger(ledger)
    assert len({entry.id for entry in held.entries}) == 100
    assert held.doubts == ()


def test_processes_that_prune_while_others_write_lose_nothing_else(tmp_path: Path) -> None:
    ledger = tmp_path / "ledger.jsonl"

    write_at_once(ledger, "prune")

    held = read_ledger(ledger)
    assert len({entry.id for entry in held.entries}) == 80
    assert held.doubts == ()
    assert [path.name for path in tmp_path.iterdir()] == ["ledger.jsonl"]


def test_what_was_kept_is_what_was_measured(tmp_path: Path) -> None:
    ledger, entry = tmp_path / "ledger.jsonl", entry_of(1, note="a note")

    add_entries(ledger, [entry])

    assert read_ledger(ledger).entries == (entry,)
    document = json.loads(ledger.read_text())
    assert document["schema"] == 1
    assert document["kind"] == "run"
    assert pace_of(entry.measures["pace"]).windows == 59


def test_a_line_that_was_cut_short_is_skipped_and_named_and_spoils_no_other(tmp_path: Path) -> None:
    ledger = tmp_path / "ledger.jsonl"
    add_entries(ledger, [entry_of(1), entry_of(2)])
    ledger.write_bytes(ledger.read_bytes()[:-40])

    add_entries(ledger, [entry_of(3)])

    held = read_ledger(ledger)
    assert [entry.id for entry in held.entries] == [entry_of(1).id, entry_of(3).id]
    assert held.doubts == (f"line 2 of {ledger} cannot be read, and was skipped",)


def test_a_run_that_stands_twice_in_a_merged_ledger_counts_once(tmp_path: Path) -> None:
    ledger = tmp_path / "ledger.jsonl"
    add_entries(ledger, [entry_of(1), entry_of(2)])
    ledger.write_text(ledger.read_text() * 2)

    held = read_ledger(ledger)

    assert [entry.id for entry in held.entries] == [entry_of(1).id, entry_of(2).id]
    assert held.doubts[0] == f"line 3 of {ledger} is run {entry_of(1).id} again: skipped"


@pytest.mark.parametrize(
    "line",
    [
        "nonsense",
        "[]",
        "{}",
        '{"schema": 1}',
        '{"schema": 1, "kind": "run"}',
        "\x00\x00",
        "null",
        pytest.param("[" * 100_000, id="deep"),
    ],
)
def test_a_line_that_is_no_run_is_skipped_and_named(line: str, tmp_path: Path) -> None:
    ledger = tmp_path / "ledger.jsonl"
    ledger.write_text(line + "\n")

    held = read_ledger(ledger)

    assert held.entries == ()
    assert len(held.doubts) == 1


PACE = {
    "pace": 7.0, "spread": 0.01, "variance": 1e-5, "warm_up": 1, "windows": 59,
    "throughput": 1000.0, "drift": 0.0, "stall_share": 0.0,
}  # fmt: skip


def test_a_run_with_a_possible_pace_is_read(tmp_path: Path) -> None:
    ledger = tmp_path / "ledger.jsonl"
    add_entries(ledger, [entry_of(1)])
    document = json.loads(ledger.read_text()) | {"measures": {"pace": PACE}}
    ledger.write_text(json.dumps(document) + "\n")

    assert len(read_ledger(ledger).entries) == 1


@pytest.mark.parametrize(
    "change",
    [
        {"measures": {"pace": {"pace": math.nan}}},
        {"measures": {"pace": {"pace": 9.0}}},
        {"measures": {"pace": 9.0}},
        {"measures": {"pace": {**PACE, "pace": 1e6}}},
        {"measures": {"pace": {**PACE, "pace": True}}},
        {"measures": {"pace": {**PACE, "drift": -1e308}}},
        {"measures": {"pace": {**PACE, "spread": -0.01}}},
        {"measures": {"pace": {**PACE, "variance": -0.01}}},
        {"measures": {"pace": {**PACE, "windows": 0}}},
        {"measures": {"pace": {**PACE, "throughput": 0.0}}},
        {"measures": {"validation-accuracy": {"value": 10**400, "epoch": 3}}},
        {"id": 5},
        {"added": 3},
        {"start": None},
        {"measures": {"validation-accuracy": {"value": math.inf, "epoch": 3}}},
        {"measures": {"validation-accuracy": {"value": 0.9}}},
        {"measures": {"validation-accuracy": {"value": "high", "epoch": 3}}},
        {"usage": {"cpu_share": 1.0}},
        {"usage": {"cpu_share": "all", "data_share": 0.0, "switches": None, "load": None}},
        {"usage": {"cpu_share": 1.0, "data_share": 0.0, "switches": None, "load": math.nan}},
        {"like": {"cpu": 3}},
        {"like": None},
        {"doubts": None},
    ],
)
def test_a_run_that_somebody_spoilt_is_skipped_and_named(
    change: dict[str, object], tmp_path: Path
) -> None:
    ledger = tmp_path / "ledger.jsonl"
    add_entries(ledger, [entry_of(1)])
    document = json.loads(ledger.read_text()) | change
    ledger.write_text(json.dumps(document) + "\n")

    held = read_ledger(ledger)

    assert held.entries == ()
    assert len(held.doubts) == 1


def test_a_ledger_of_a_newer_fitlog_is_refused(tmp_path: Path) -> None:
    ledger = tmp_path / "ledger.jsonl"
    ledger.write_text('{"schema": 2, "kind": "run"}\n')

    with pytest.raises(BaselineError, match="line 1: is of schema 2"):
        read_ledger(ledger)


def test_a_ledger_that_is_missing_or_a_folder_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(BaselineError, match=r"there is no ledger .* fitlog history add"):
        read_ledger(tmp_path / "none.jsonl")
    with pytest.raises(BaselineError, match="cannot read the ledger"):
        read_ledger(tmp_path)


def test_a_run_counts_once_under_whatever_name(tmp_path: Path) -> None:
    ledger = tmp_path / "ledger.jsonl"
    add_entries(ledger, [entry_of(1)])

    with pytest.raises(BaselineError, match=r"in .* already: run"):
        add_entries(ledger, [entry_of(2), entry_of(1)])
    with pytest.raises(BaselineError, match="already"):
        add_entries(ledger, [entry_of(2), entry_of(2)])

    assert len(read_ledger(ledger).entries) == 1


def test_a_run_has_the_same_id_from_a_file_that_was_compressed_or_stamped() -> None:
    import gzip

    text = log_of(1000)
    stamped = b"".join(b"INFO:root:" + line for line in text.splitlines(keepends=True))

    assert run_id(read_run(gzip.compress(text))) == run_id(read_run(text))
    assert run_id(read_run(stamped)) == run_id(read_run(text))
    assert run_id(read_run(log_of(1000, 1))) != run_id(read_run(text))


def test_a_level_is_accepted_only_at_a_run_that_is_there(tmp_path: Path) -> None:
    ledger = tmp_path / "ledger.jsonl"
    add_entries(ledger, [entry_of(1)])
    stranger = Acceptance(run="abc", reason="because", added="now", by="me")

    with pytest.raises(BaselineError, match="no run has an id that begins with 'abc'"):
        accept(ledger, stranger)
    accept(ledger, Acceptance(run=entry_of(1).id, reason="because", added="now", by="me"))

    assert [a.reason for a in read_ledger(ledger).acceptances] == ["because"]


def test_pruning_removes_a_run_with_what_was_accepted_there(tmp_path: Path) -> None:
    ledger = tmp_path / "ledger.jsonl"
    add_entries(ledger, [entry_of(1), entry_of(2)])
    accept(ledger, Acceptance(run=entry_of(1).id, reason="because", added="now", by="me"))

    removed = prune(ledger, lambda held: held.entries[:1])

    held = read_ledger(ledger)
    assert [entry.id for entry in removed] == [entry_of(1).id]
    assert [entry.id for entry in held.entries] == [entry_of(2).id]
    assert held.acceptances == ()
