"""`fitlog history` and `fitlog check --history` as commands: messages, exit codes, files."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from fitlog.ledger import read_ledger
from fitlog.measures import PACE_MEASURE
from fitlog.timeline import find_timelines
from speeds import levels_around, log_of, make_ledger, write_logs, write_run
from support import Fitlog


@pytest.fixture
def ledger(tmp_path: Path) -> Path:
    """A ledger of 12 runs at 1000 samples/sec."""
    logs = write_logs(tmp_path / "logs", levels_around(1000, 12, spread=0.006))
    return make_ledger(tmp_path, logs)


@pytest.mark.usefixtures("ledger")
def test_a_run_is_added_checked_shown_and_exported(tmp_path: Path, fitlog: Fitlog) -> None:
    (log,) = write_logs(tmp_path / "new", [1000.0], seed=900)

    checked = fitlog("check", log, "--history", "ledger.jsonl")
    added = fitlog("history", "add", "ledger.jsonl", log, "--note", "after the upgrade")
    listed = fitlog("history", "list", "ledger.jsonl")
    shown = fitlog("history", "show", "ledger.jsonl", "--plot", "out.png")
    exported = fitlog("history", "export", "ledger.jsonl", "-o", "out.csv")

    assert checked.returncode == 0
    assert checked.stdout.startswith("pass: the candidate is ")
    assert "the level of the last 12 of 12 runs" in checked.stdout
    assert added.stdout.startswith("added run ")
    assert "after the upgrade" in listed.stdout
    assert "ledger.jsonl: 13 runs" in listed.stdout
    assert "samples/sec, held by 13 runs" in shown.stdout
    assert (tmp_path / "out.png").read_bytes().startswith(b"\x89PNG")
    assert exported.returncode == 0
    with (tmp_path / "out.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 13
    assert float(rows[-1]["pace"]) == pytest.approx(1000, rel=0.02)
    assert all(int(row["time"]) > 1.7e9 for row in rows)


@pytest.mark.usefixtures("ledger")
def test_every_command_says_which_lines_it_skipped(tmp_path: Path, fitlog: Fitlog) -> None:
    (log,) = write_logs(tmp_path / "new", [1000.0], seed=900)
    with (tmp_path / "ledger.jsonl").open("a") as file:
        file.write("half a li\n")

    for words in (
        ("add", "ledger.jsonl", log),
        ("list", "ledger.jsonl"),
        ("show", "ledger.jsonl"),
        ("accept", "ledger.jsonl", "--reason", "it is right"),
        ("export", "ledger.jsonl"),
        ("prune", "ledger.jsonl", "--keep", "9"),
    ):
        done = fitlog("history", *words)

        assert done.returncode == 0, words
        said = done.stdout + done.stderr
        assert "of ledger.jsonl cannot be read, and was skipped" in said, words


def test_a_change_of_level_is_drawn_where_it_happened(tmp_path: Path, fitlog: Fitlog) -> None:
    levels = [*levels_around(1000, 10, spread=0.005), *levels_around(900, 6, spread=0.005)]
    logs = write_logs(tmp_path / "logs", levels)
    fitlog("history", "add", "ledger.jsonl", *logs)

    lines = fitlog("history", "show", "ledger.jsonl").stdout.splitlines()

    assert "held by 10 runs" in lines[1]
    assert "held by 6 runs, -10." in lines[2] or "held by 6 runs, -9." in lines[2]
    assert lines[13].endswith("change of level")
    assert len(lines) == 1 + 2 + 16 + 1


def test_a_picture_shows_runs_levels_and_changes(tmp_path: Path, fitlog: Fitlog) -> None:
    from fitlog.plots import draw_history

    levels = [*levels_around(1000, 10, spread=0.005), *levels_around(900, 6, spread=0.005)]
    logs = write_logs(tmp_path / "logs", levels)
    logs += write_logs(tmp_path / "logs", [500.0], name="noisy", noise=0.3)
    fitlog("history", "add", "ledger.jsonl", *logs)

    (timeline,) = find_timelines(read_ledger(tmp_path / "ledger.jsonl"), PACE_MEASURE)
    (axes,) = draw_history(timeline).axes

    legend = axes.get_legend()
    assert legend is not None
    labels = [text.get_text() for text in legend.get_texts()]
    assert labels == ["run", "set aside", "level"]
    assert axes.get_ylabel() == "samples/sec"
    assert np.asarray(axes.lines[0].get_xdata()).tolist() == list(range(1, 17))
    assert np.asarray(axes.lines[1].get_xdata()).tolist() == [17]
    (change,) = axes.texts
    assert float(change.get_text().rstrip("%")) == pytest.approx(-10, abs=1.5)


@pytest.mark.usefixtures("ledger")
def test_a_regression_is_accepted_with_a_reason(tmp_path: Path, fitlog: Fitlog) -> None:
    slow = write_logs(tmp_path / "slow", [900.0, 902.0], seed=800)

    before = fitlog("check", slow[1], "--history", "ledger.jsonl")
    fitlog("history", "add", "ledger.jsonl", slow[0])
    silent = fitlog("history", "accept", "ledger.jsonl")
    accepted = fitlog("history", "accept", "ledger.jsonl", "--reason", "encrypted data")
    after = fitlog("check", slow[1], "--history", "ledger.jsonl")

    assert before.returncode == 1
    assert (silent.returncode, silent.stderr) == (
        2,
        "fitlog: --reason is missing: say why the new level is right\n",
    )
    assert accepted.returncode == 0
    assert after.returncode == 0
    assert "encrypted data" in fitlog("history", "list", "ledger.jsonl").stdout
    assert "accepted: encrypted data" in fitlog("history", "show", "ledger.jsonl").stdout


def test_old_runs_and_bad_ones_are_pruned(ledger: Path, fitlog: Fitlog) -> None:
    runs = [entry.id for entry in read_ledger(ledger).entries]

    one = fitlog("history", "prune", "ledger.jsonl", "--run", runs[5])
    old = fitlog("history", "prune", "ledger.jsonl", "--keep", "4")

    assert (one.stdout, old.stdout) == ("removed 1 run\n", "removed 7 runs\n")
    assert [entry.id for entry in read_ledger(ledger).entries] == runs[8:]


def test_pruning_must_be_told_what_and_keeps_accepted_levels(ledger: Path, fitlog: Fitlog) -> None:
    run = read_ledger(ledger).entries[5].id
    fitlog("history", "accept", "ledger.jsonl", run, "--reason", "because")

    nothing = fitlog("history", "prune", "ledger.jsonl")
    accepted = fitlog("history", "prune", "ledger.jsonl", "--run", run)

    assert nothing.returncode == 2
    assert "either --keep N or --run RUN" in nothing.stderr
    assert accepted.returncode == 2
    assert "begins a level that was accepted (because)" in accepted.stderr


def test_an_export_does_not_write_over_its_ledger(ledger: Path, fitlog: Fitlog) -> None:
    before = ledger.read_bytes()

    done = fitlog("history", "export", "ledger.jsonl", "-o", ledger)

    assert done.returncode == 2
    assert "would write over" in done.stderr
    assert ledger.read_bytes() == before


@pytest.mark.usefixtures("ledger")
def test_a_run_is_added_once(tmp_path: Path, fitlog: Fitlog) -> None:
    done = fitlog("history", "add", "ledger.jsonl", tmp_path / "logs" / "old-03.log")

    assert done.returncode == 2
    assert "already: run" in done.stderr


@pytest.mark.usefixtures("ledger")
def test_several_series_are_shown_and_exported_one_at_a_time(
    tmp_path: Path, fitlog: Fitlog
) -> None:
    (log,) = write_logs(tmp_path / "other", [50.0], seed=700)
    fitlog("history", "add", "ledger.jsonl", log, "--series", "big")

    assert fitlog("history", "show", "ledger.jsonl").stdout.count("held by") == 2
    refused = fitlog("history", "export", "ledger.jsonl")
    assert refused.returncode == 2
    assert "there are 2 series, name one with --series" in refused.stderr
    one = fitlog("history", "export", "ledger.jsonl", "--series", "big")
    assert len(one.stdout.splitlines()) == 2
    none = fitlog("history", "show", "ledger.jsonl", "--series", "small")
    assert none.returncode == 2
    assert "no run of the series 'small'" in none.stderr


def test_a_run_without_speeds_is_added_and_that_is_said(tmp_path: Path, fitlog: Fitlog) -> None:
    (tmp_path / "a.log").write_text("Epoch[0] Validation-accuracy=0.900000\n")
    (tmp_path / "b.log").write_text("hello\n")

    added = fitlog("history", "add", "ledger.jsonl", "a.log")
    refused = fitlog("history", "add", "ledger.jsonl", "b.log")

    assert added.returncode == 0
    assert "it holds no speeds" in added.stdout
    assert refused.returncode == 2
    assert "nothing to keep (b.log)" in refused.stderr


def test_of_a_folder_every_run_is_added_once(tmp_path: Path, fitlog: Fitlog) -> None:
    """What a resumed run or a cluster leaves beside `run.log` is no run of its own."""
    for i, name in enumerate(("a", "b")):
        log = write_run(tmp_path / "runs" / name, log_of(1000, i))
        (log.parent / "run-cut-1.log").write_bytes(log_of(1000, 10 + i))
        (log.parent / "node-0.log").write_bytes(log_of(1000, 20 + i))
    write_logs(tmp_path / "runs", [1000.0, 1000.0], name="bare")

    done = fitlog("history", "add", "ledger.jsonl", "runs")

    assert done.returncode == 0
    assert [line.partition(": ")[2] for line in done.stdout.splitlines() if "added" in line] == [
        "runs/a/run.log",
        "runs/b/run.log",
        "runs/bare-00.log",
        "runs/bare-01.log",
    ]


def test_a_reason_or_a_note_makes_no_lines_of_its_own(ledger: Path, fitlog: Fitlog) -> None:
    (log,) = write_logs(ledger.parent / "new", [1000.0], seed=900)
    fitlog("history", "add", "ledger.jsonl", log, "--note", "new\n  forged")
    fitlog("history", "accept", "ledger.jsonl", "--reason", "right\n  forged")

    listed = fitlog("history", "list", "ledger.jsonl").stdout
    shown = fitlog("history", "show", "ledger.jsonl").stdout

    assert "new\\n  forged" in listed
    assert "right\\n  forged" in listed
    assert "accepted: right\\n  forged" in shown
    assert len(listed.splitlines()) == 1 + 13 + 1


def test_names_from_logs_cannot_command_the_terminal(tmp_path: Path, fitlog: Fitlog) -> None:
    log = tmp_path / "a\x1b[31m.log"
    log.write_bytes(log_of(1000))

    fitlog("history", "add", "ledger.jsonl", log)

    assert "\x1b" not in fitlog("history", "list", "ledger.jsonl").stdout


def test_a_check_against_a_ledger_of_30_imports_little(tmp_path: Path, fitlog: Fitlog) -> None:
    logs = write_logs(tmp_path / "logs", levels_around(1000, 30, spread=0.006))
    fitlog("history", "add", "ledger.jsonl", *logs)
    code = """
import json, sys
sys.argv = ["fitlog", "check", "logs/old-03.log", "--history", "ledger.jsonl"]
from fitlog.cli import main
try:
    main()
finally:
    unwanted = ["numpy", "pandas", "matplotlib", "mxnet", "scipy", "rich", "pydantic"]
    open("loaded.json", "w").write(json.dumps([n for n in unwanted if n in sys.modules]))
"""
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, timeout=60, check=False
    )

    assert done.returncode == 0, done.stderr
    assert json.loads((tmp_path / "loaded.json").read_text()) == []
