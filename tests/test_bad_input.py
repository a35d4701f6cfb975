"""What is no log, or cannot be read or written: the reason, exit code 2, never a traceback."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from support import SAMPLES, Fitlog

CANONICAL = SAMPLES / "canonical.log"
# Each command that reads a log, with the log in the place of `{}`.
READERS = {
    "parse": ["parse", "{}"],
    "plot": ["plot", "{}"],
    "check": ["check", "{}", "--baseline", str(SAMPLES / "lenet-1.log")],
    "check, baseline": ["check", str(SAMPLES / "lenet-1.log"), "--baseline", "{}"],
}
readers = pytest.mark.parametrize("command", READERS.values(), ids=READERS)


def with_log(command: list[str], log: object) -> list[str]:
    return [str(log) if part == "{}" else part for part in command]


BAD_INPUTS = {
    "empty": (b"", "is empty (bad.log)|holds no speed"),
    "binary": (bytes(range(256)) * 64, "is binary data, not a log (bad.log)"),
    "png": (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" * 9, "is binary data, not a log (bad.log)"),
    "not a log": (b"hello\nworld\n" * 50, "no training record|holds no speed"),
    "one giant line": (b"x" * (5 << 20), "a line of more than 1,048,576 bytes|holds no speed"),
    "damaged gzip": (b"\x1f\x8b\x08\0\0\0\0\0\0\x03garbage", "is damaged"),
    "html": (b"<html><body>404</body></html>\n", "no training record|holds no speed"),
}


@readers
@pytest.mark.parametrize("kind", BAD_INPUTS)
def test_what_is_no_log_is_refused_with_the_reason(
    kind: str, command: list[str], fitlog: Fitlog, tmp_path: Path
) -> None:
    data, reasons = BAD_INPUTS[kind]
    (tmp_path / "bad.log").write_bytes(data)

    done = fitlog(*with_log(command, "bad.log"))

    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith("fitlog: ")
    assert done.stderr.count("\n") == 1
    assert "bad.log" in done.stderr
    assert any(reason in done.stderr for reason in reasons.split("|"))


@readers
def test_a_file_that_is_not_there_is_named(command: list[str], fitlog: Fitlog) -> None:
    done = fitlog(*with_log(command, "no.log"))

    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "fitlog: cannot be opened: no such file or directory (no.log)\n"


@readers
def test_a_folder_without_a_log_is_refused(
    command: list[str], fitlog: Fitlog, tmp_path: Path
) -> None:
    done = fitlog(*with_log(command, tmp_path))

    assert (done.returncode, done.stdout) == (2, "")
    reason = "is a folder without a log (*.log, *.txt, *.out)"
    assert done.stderr == f"fitlog: {reason} ({tmp_path})\n"


@readers
@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_without_permission_is_refused(
    command: list[str], fitlog: Fitlog, tmp_path: Path
) -> None:
    (tmp_path / "secret.log").write_bytes(CANONICAL.read_bytes())
    (tmp_path / "secret.log").chmod(0)

    done = fitlog(*with_log(command, "secret.log"))

    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "fitlog: cannot be opened: permission denied (secret.log)\n"


@readers
@pytest.mark.skipif(not Path("/proc/self/mem").exists(), reason="needs Linux")
def test_a_file_that_cannot_be_read_is_refused(command: list[str], fitlog: Fitlog) -> None:
    done = fitlog(*with_log(command, "/proc/self/mem"))

    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "fitlog: cannot be read: input/output error (/proc/self/mem)\n"


@readers
def test_a_name_with_control_characters_is_shown_harmless(
    command: list[str], fitlog: Fitlog
) -> None:
    done = fitlog(*with_log(command, "no\x1b[31m.log"))

    assert done.returncode == 2
    assert r"(no\x1b[31m.log)" in done.stderr
    assert "\x1b" not in done.stderr


def test_a_log_with_nothing_that_can_be_drawn_is_refused(fitlog: Fitlog, tmp_path: Path) -> None:
    (tmp_path / "bad.log").write_text("Epoch[0] Time cost=1.000\n")

    done = fitlog("plot", "bad.log")

    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "fitlog: has neither a speed nor a metric to draw (bad.log)\n"


@pytest.mark.parametrize("target", ["no/p.png", "p.jpeg2", "."])
def test_a_picture_that_cannot_be_written_is_refused(target: str, fitlog: Fitlog) -> None:
    done = fitlog("plot", CANONICAL, "-o", target)

    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("fitlog: cannot ")


@pytest.mark.parametrize("target", ["no/t.csv", "."])
def test_a_table_that_cannot_be_written_is_refused(target: str, fitlog: Fitlog) -> None:
    done = fitlog("parse", CANONICAL, "-o", target)

    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("fitlog: cannot write ")


@pytest.mark.parametrize(
    ("command", "message"),
    [
        (["parse", "-", "-"], "- is named twice: standard input can be read only once"),
        (["plot", "-", "-"], "- is named twice"),
        (["check", "-", "--baseline", "-"], "- is named twice"),
        (["parse", ""], "the name of a log is empty"),
        (["plot", "."], "is a folder without a log (*.log, *.txt, *.out) (.)"),
        (["parse", "a" * 5000], "cannot be opened: file name too long"),
        (["parse", str(CANONICAL), "-o", "a" * 5000], "File name too long"),
    ],
)
def test_names_that_make_no_sense_are_refused(
    command: list[str], message: str, fitlog: Fitlog
) -> None:
    done = fitlog(*command)

    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("fitlog: ")
    assert message in done.stderr


@pytest.mark.skipif(not Path("/dev/full").is_char_device(), reason="needs /dev/full")
@pytest.mark.parametrize(
    "command",
    [
        f"parse {CANONICAL}",
        f"check {SAMPLES}/lenet-1.log --baseline {SAMPLES}/lenet-2.log --format json",
    ],
)
def test_output_that_cannot_be_written_is_an_error(command: str) -> None:
    done = subprocess.run(
        ["bash", "-c", f"{sys.executable} -m fitlog {command} > /dev/full"],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )

    assert done.returncode == 2
    assert done.stderr == "fitlog: cannot use standard output: No space left on device\n"


@pytest.mark.skipif(not Path("/dev/full").is_char_device(), reason="needs /dev/full")
@pytest.mark.parametrize(
    ("command", "exit_code"),
    [
        ("parse no.log 2> /dev/full", 2),
        ("parse no.log 2> >(exec 0<&-)", 2),
        (f"check no.log --baseline {SAMPLES}/lenet-1.log 2> >(exec 0<&-)", 2),
        (f"check no.log --baseline {SAMPLES}/lenet-1.log 2> /dev/full", 2),
        (f"parse {SAMPLES}/killed.log 2> /dev/full", 0),
        ("parse --no-such-option 2> /dev/full", 2),
        ("--help > /dev/full", 2),
        ("run --num-epochs 1 > /dev/full", 2),
        ("--version > /dev/full", 2),
    ],
)
def test_that_nobody_hears_a_message_changes_no_exit_code(
    command: str, exit_code: int, tmp_path: Path
) -> None:
    done = subprocess.run(
        ["bash", "-c", f"{sys.executable} -m fitlog {command}"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )

    assert done.returncode == exit_code
    assert "Traceback" not in done.stderr


def test_a_disk_that_is_full_is_an_error_without_a_buffer_too(tmp_path: Path) -> None:
    command = f"ulimit -f 1; {sys.executable} -m fitlog parse {SAMPLES}/long.log --table speed"

    done = subprocess.run(
        ["bash", "-c", f"{command} --format csv > out.csv"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )

    assert done.returncode == 2
    assert done.stderr == "fitlog: cannot use standard output: File too large\n"


@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&-"])
def test_a_closed_stream_is_no_traceback(closed: str) -> None:
    done = subprocess.run(
        ["bash", "-c", f"{sys.executable} -m fitlog parse {CANONICAL} {closed}"],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )

    assert done.returncode == 0
    assert done.stderr == ""


def test_a_name_that_the_terminal_cannot_show_is_written_out(
    fitlog: Fitlog, tmp_path: Path
) -> None:
    (tmp_path / "u.log").write_text("Epoch[0] Train-精度=0.500000\n", "utf-8")

    done = fitlog("parse", "u.log", PYTHONIOENCODING="ascii")

    assert done.returncode == 0
    assert r"train-\u7cbe\u5ea6" in done.stdout


def test_json_is_valid_whatever_the_terminal_can_show(fitlog: Fitlog, tmp_path: Path) -> None:
    (tmp_path / "u.log").write_text("Epoch[0] Train-é\u200b\x7f=0.500000\n", "utf-8")
    options = "--format", "json", "--table", "metrics"

    done = fitlog("parse", "u.log", *options, PYTHONIOENCODING="ascii")

    assert json.loads(done.stdout)[0]["metric"] == "é\u200b\x7f"


def test_a_file_whose_name_is_no_utf_8_can_be_read(tmp_path: Path) -> None:
    log = os.fsencode(tmp_path) + b"/\xff.log"
    Path(os.fsdecode(log)).write_bytes(CANONICAL.read_bytes())

    done = subprocess.run(
        [sys.executable, "-m", "fitlog", "parse", log, str(CANONICAL), "-o", "t.csv"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )

    assert (done.returncode, done.stderr) == (0, "")
    assert r"/\xff.log,0," in (tmp_path / "t.csv").read_text("utf-8")


def test_standard_input_is_not_written_over(tmp_path: Path) -> None:
    log = tmp_path / "s.log"
    log.write_bytes(CANONICAL.read_bytes())

    with log.open("rb") as stdin:
        done = subprocess.run(
            [sys.executable, "-m", "fitlog", "parse", "-", "-o", log],
            stdin=stdin,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )

    assert done.returncode == 2
    assert "would write over a log or ledger that is read" in done.stderr
    assert log.read_bytes() == CANONICAL.read_bytes()
