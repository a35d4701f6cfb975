"""`fitlog watch` and the view of `fitlog run`: real processes, terminals and signals."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from support import Fitlog
from terminals import SECONDS, FitlogTerminal
from test_watch import RECORD, append, epoch_text, window

SCREEN, NORMAL, CURSOR = b"\x1b[?1049h", b"\x1b[?1049l", b"\x1b[?25h"


@pytest.fixture
def run(tmp_path: Path) -> Path:
    folder = tmp_path / "lenet"
    folder.mkdir()
    (folder / "run.json").write_text(json.dumps(RECORD), encoding="utf-8")
    text = epoch_text(0) + window(1, 5, 950.0) + window(1, 10, 900.0)
    (folder / "run.log").write_text(text, encoding="utf-8")
    return folder


def end(run: Path, status: str) -> None:
    (run / "run.json").write_text(json.dumps({**RECORD, "status": status}), encoding="utf-8")


def test_a_terminal_shows_a_run_as_it_goes_on_until_it_is_over(run: Path) -> None:
    terminal = FitlogTerminal("watch", "lenet", cwd=run.parent)
    terminal.wait_for("Epoch[1] of 4, batch 10 of 20")
    append(run / "run.log", window(1, 15, 800.0))
    terminal.wait_for("Epoch[1] of 4, batch 15 of 20")
    end(run, "finished")

    assert terminal.wait() == 0
    before, _, after = terminal.shown.partition(NORMAL)
    assert before.startswith(SCREEN)
    assert CURSOR in before
    assert b"finished" in after  # what was last seen stays
    assert b"800 samples/sec" in after


@pytest.mark.parametrize(
    ("how", "code", "said"),
    [
        ("q", 0, b""),
        ("\x03", 130, b"fitlog: interrupted\r\n"),
        (signal.SIGINT, 130, b"fitlog: interrupted\r\n"),
        (signal.SIGTERM, 143, b"fitlog: terminated\r\n"),
    ],
)
def test_whoever_leaves_finds_the_terminal_as_it_was(
    how: str | signal.Signals, code: int, said: bytes, run: Path
) -> None:
    terminal = FitlogTerminal("watch", "lenet", cwd=run.parent)
    before = terminal.settings
    terminal.wait_for("Epoch[1]")

    if isinstance(how, str):
        terminal.type(how.encode())
    else:
        terminal.process.send_signal(how)

    assert terminal.wait() == code
    assert terminal.settings == before
    assert terminal.shown.endswith(CURSOR + NORMAL + said)


def test_a_new_size_is_drawn_in(run: Path) -> None:
    terminal = FitlogTerminal("watch", "lenet", cwd=run.parent)
    terminal.wait_for("validation")

    terminal.resize(40)
    terminal.wait_for("valid. ")
    terminal.resize(120)
    terminal.wait_for("validation")
    terminal.type(b"q")

    assert terminal.wait() == 0


def test_a_run_that_begins_in_a_folder_is_shown(run: Path) -> None:
    (run.parent / "new").mkdir()
    terminal = FitlogTerminal("watch", "new", cwd=run.parent)
    terminal.wait_for("no run yet in new")

    run.rename(run.parent / "new" / "lenet")
    terminal.wait_for("Epoch[1]")
    terminal.type(b"q")

    assert terminal.wait() == 0


def test_a_pipe_gets_plain_lines_until_the_run_is_over(run: Path) -> None:
    append(run / "phases.jsonl", '{"kind": "warning", "text": "a \\u001b[2J warning"}\n')
    with subprocess.Popen(
        [sys.executable, "-m", "fitlog", "watch", str(run)], stdout=subprocess.PIPE, text=True
    ) as process:
        limit = threading.Timer(SECONDS, process.kill)
        limit.start()
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(3)]
        append(run / "run.log", epoch_text(2, 0.8))
        end(run, "interrupted")
        lines += process.stdout.readlines()
        limit.cancel()

    assert process.returncode == 0
    assert [line.partition(", ETA")[0].rstrip("\n") for line in lines] == [
        "lenet: warning: a \\x1b[2J warning",
        "lenet: Epoch[0] of 4: train accuracy=0.45, 1,000 samples/sec, 10 s",
        "lenet: Epoch[0] of 4: validation accuracy=0.5",
        "lenet: Epoch[2] of 4: train accuracy=0.45, 1,002 samples/sec, 10 s",
        "lenet: Epoch[2] of 4: validation accuracy=0.8",
        "lenet: interrupted",
    ]


def test_plain_lines_end_with_ctrl_c(run: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "fitlog", "watch", str(run)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=SECONDS)

    assert (process.returncode, errors) == (130, b"fitlog: interrupted\n")


def test_once_prints_what_is_known_and_ends(run: Path, fitlog: Fitlog) -> None:
    end(run, "failed")

    done = fitlog("watch", "--once", run, COLUMNS="60")

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [
        "lenet                                                 failed",
        "Epoch[1] of 4, batch 10 of 20  ━━━━━━━━━━─────────────────",
        "900 samples/sec ██▇",
        "metric                    train validation      best (epoch)",
        "accuracy                 60.00%     50.00%        50.00% (0)",
    ]


def test_a_terminal_without_unicode_gets_other_signs(run: Path, fitlog: Fitlog) -> None:
    done = fitlog("watch", "--once", run, PYTHONIOENCODING="ascii")

    assert done.stdout.isascii()
    assert "900 samples/sec ##*" in done.stdout
    assert "\\" not in done.stdout


@pytest.mark.parametrize(
    ("place", "message"),
    [
        ("nowhere", "cannot be opened: no such file or directory (nowhere)"),
        (".", "holds no run (.)"),
        ("-", "-: only files can be watched; fitlog parse --follow reads standard input"),
        ("", "the name of a log is empty"),
    ],
)
def test_what_cannot_be_watched_is_said(place: str, message: str, fitlog: Fitlog) -> None:
    done = fitlog("watch", "--once", place)

    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"fitlog: {message}")


def test_a_training_shows_the_same_view_of_itself(mx: Any, tmp_path: Path) -> None:
    del mx
    arguments = ("run", "--network", "mlp", "--num-epochs", 3, "--name", "mine")
    terminal = FitlogTerminal(*arguments, cwd=tmp_path)

    assert terminal.wait() == 0
    text = terminal.shown.decode()
    view = text[: text.index("validation accuracy")]
    assert "finished" in view
    assert "Epoch[2] of 3" in view
    assert "samples/sec" in view
    assert "best (epoch)" in view
    assert "time  " in view  # the phases of its last epoch
    assert SCREEN not in terminal.shown  # the view stays, with the summary below


def test_a_training_that_is_stopped_says_so_in_its_view(mx: Any, tmp_path: Path) -> None:
    del mx
    arguments = ("run", "--network", "mlp", "--num-epochs", 100_000, "--name", "mine")
    terminal = FitlogTerminal(*arguments, cwd=tmp_path)
    terminal.wait_for("Epoch[1")

    terminal.type(b"\x03")

    assert terminal.wait() == 130
    assert terminal.shown.rindex(b"interrupted") > terminal.shown.rindex(b"samples/sec") > 0
    assert CURSOR in terminal.shown
