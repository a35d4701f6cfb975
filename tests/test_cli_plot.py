"""`fitlog plot`: kinds, options, refusals, and pictures as text."""

from __future__ import annotations

import os
import select
import shutil
import sys
from pathlib import Path

import pytest

from support import SAMPLES, Fitlog

LENET = SAMPLES / "lenet-1.log"
NAIVE = SAMPLES / "lenet-naive-1.log"
PHASES = SAMPLES / "lenet-phases.jsonl"


@pytest.mark.parametrize(
    "options",
    [
        ["--kind", "speed", "--x", "relative", "--smooth", "0.5", "--style", "dark"],
        ["--kind", "metrics", "--metric", "accuracy", "--x", "batch", "--log-scale"],
        ["--kind", "epochs", "--size", "5x3", "--dpi", "50"],
        ["--kind", "overview", "--no-clip", "--no-marks", "--x", "sample", "--batch-size", "64"],
    ],
)
def test_a_kind_is_drawn_with_its_options(
    options: list[str], fitlog: Fitlog, tmp_path: Path
) -> None:
    done = fitlog("plot", LENET, "-o", "p.png", *options)

    assert (done.returncode, done.stdout, done.stderr) == (0, "wrote p.png\n", "")
    assert (tmp_path / "p.png").read_bytes().startswith(b"\x89PNG")


def test_size_and_resolution_are_those_of_the_file(fitlog: Fitlog, tmp_path: Path) -> None:
    fitlog("plot", LENET, "--kind", "speed", "--size", "5x3", "--dpi", "50", "-o", "p.png")

    header = (tmp_path / "p.png").read_bytes()[16:24]
    assert (int.from_bytes(header[:4]), int.from_bytes(header[4:])) == (250, 150)


def test_runs_are_compared_and_phases_drawn(fitlog: Fitlog, tmp_path: Path) -> None:
    assert fitlog("plot", LENET, NAIVE, "--kind", "compare").stdout == "wrote compared.png\n"
    done = fitlog("plot", PHASES, "--kind", "phases", "-o", "phases.svg")

    assert done.stdout == "wrote phases.svg\n"
    assert ">Time of each epoch<" in (tmp_path / "phases.svg").read_text()


def test_a_history_is_drawn_of_a_ledger(fitlog: Fitlog, tmp_path: Path) -> None:
    fitlog("history", "add", "ledger.jsonl", *[SAMPLES / f"lenet-{i}.log" for i in (1, 2, 3)])

    done = fitlog("plot", "ledger.jsonl", "--kind", "history", "-o", "p.svg")

    assert (done.returncode, done.stderr) == (0, "")
    assert ">samples/sec<" in (tmp_path / "p.svg").read_text()


def test_a_history_is_drawn_of_any_metric(fitlog: Fitlog, tmp_path: Path) -> None:
    fitlog("history", "add", "ledger.jsonl", *[SAMPLES / f"lenet-{i}.log" for i in (1, 2, 3)])
    history = ("plot", "ledger.jsonl", "--kind", "history", "-o", "p.svg")

    done = fitlog(*history, "--metric", "validation-accuracy")
    two = fitlog(*history, "--metric", "pace", "--metric", "time_cost")
    unclear = fitlog(*history, "--metric", "validation-zeal")

    assert (done.returncode, done.stderr) == (0, "")
    assert ": validation-accuracy<" in (tmp_path / "p.svg").read_text()
    assert (two.returncode, unclear.returncode) == (2, 2)
    assert "of one --metric" in two.stderr
    assert "fitlog history show (--better higher or lower)" in unclear.stderr


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--x", "time"], "lenet-1 has no dates before its lines"),
        (["--size", "big"], "--size big: must be width and height in inches"),
        (["--smooth", "0"], "--smooth 0: must be more than 0"),
        (["--smooth", "nan"], "--smooth nan: must be more than 0"),
        (["--kind", "epochs", "--smooth", "3"], "--smooth is for --kind"),
        (["--each"], "--each is for --kind speed or metrics or epochs, not for overview"),
        (["--kind", "compare"], "one run alone cannot be compared"),
        (["--kind", "history"], "holds no run (line 1 of lenet-1.log cannot be read"),
        (["--kind", "phases", "--fit", "9"], "is no phases.jsonl"),
        (["--show"], "--show needs a display, and there is none here"),
    ],
)
def test_what_cannot_be_drawn_is_refused_in_words(
    options: list[str], message: str, fitlog: Fitlog, tmp_path: Path
) -> None:
    if options == ["--show"] and sys.platform != "linux":
        pytest.skip("a display is always there")
    shutil.copy(LENET, tmp_path / "lenet-1.log")

    done = fitlog("plot", "lenet-1.log", *options, DISPLAY="", WAYLAND_DISPLAY="")

    assert done.returncode == 2
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["lenet-1.log"]


@pytest.mark.skipif(sys.platform != "linux", reason="another program opens pictures elsewhere")
def test_a_picture_is_shown_by_what_opens_pictures_here(fitlog: Fitlog, tmp_path: Path) -> None:
    opener, shown = tmp_path / "xdg-open", tmp_path / "shown"
    os.mkfifo(shown)
    opener.write_text(f'#!/bin/sh\necho "$@" > {shown}\n')
    opener.chmod(0o755)
    reader = os.open(shown, os.O_RDONLY | os.O_NONBLOCK)
    plot = ("plot", LENET, "-o", "p.png", "--show")

    done = fitlog(*plot, DISPLAY=":9", PATH=f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    alone = fitlog(*plot, DISPLAY=":9", PATH=str(tmp_path / "nothing"))

    assert (done.returncode, done.stdout, done.stderr) == (0, "wrote p.png\n", "")
    select.select([reader], [], [], 30)
    assert os.read(reader, 100) == b"p.png\n"
    assert (alone.returncode, alone.stdout) == (0, "wrote p.png\n")
    assert "no program was found that opens pictures" in alone.stderr


def test_a_terminal_gets_text_of_its_width_and_no_file(fitlog: Fitlog, tmp_path: Path) -> None:
    done = fitlog("plot", LENET, "--terminal", COLUMNS="90", PYTHONIOENCODING="utf-8")

    assert (done.returncode, done.stderr) == (0, "")
    assert max(map(len, done.stdout.splitlines())) == 90
    for word in ("Throughput", "accuracy", "cross-entropy", "samples/sec", "16,000", "validation"):
        assert word in done.stdout
    assert "\x1b" not in done.stdout
    assert not list(tmp_path.iterdir())


def test_a_terminal_that_knows_only_ascii_gets_ascii(fitlog: Fitlog) -> None:
    done = fitlog("plot", LENET, NAIVE, "--terminal", "--kind", "speed", PYTHONIOENCODING="ascii")

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.isascii()
    assert "* lenet-1 " in done.stdout
    assert "o lenet-naive-1" in done.stdout


def test_values_that_are_not_finite_leave_gaps_in_the_text(fitlog: Fitlog) -> None:
    log = b"".join(
        b"Epoch[%d] Batch [0-10]\tSpeed: %s samples/sec\tloss=%s\n" % (i, speed, loss)
        for i, (speed, loss) in enumerate([(b"9.00", b"nan"), (b"inf", b"0.5"), (b"8.00", b"inf")])
    )

    for text in (log, b"Epoch[0] Train-loss=nan\n", b"Epoch[0] Train-loss=0.5\n"):
        done = fitlog("plot", "-", "--terminal", stdin=text)

        assert "Traceback" not in done.stderr
        assert done.returncode in (0, 2)


def test_phases_have_no_text_but_a_command(fitlog: Fitlog) -> None:
    done = fitlog("plot", PHASES, "--kind", "phases", "--terminal")

    assert done.returncode == 2
    assert "phases are printed by `fitlog phases`" in done.stderr
