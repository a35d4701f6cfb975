"""`fitlog --install-completion`, and what real shells in real terminals then offer at TAB."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from support import SAMPLES
from terminals import Terminal

# What each writes where it begins to read a line: keys that come before are not its own yet.
PROMPT = "\x1b[?2004h"
# Without what a machine sets up for all its users.
INTERACTIVE = {
    "bash": ("--norc", "--noprofile", "-i"),
    "zsh": ("--no-globalrcs", "-i"),
    "fish": ("--private", "-i"),
}
_FUNCTION = 'fitlog() { echo "$*>"; }'
SHOWING = {
    "bash": f"source ~/.bashrc; {_FUNCTION}",
    "zsh": _FUNCTION,
    "fish": 'function fitlog; echo "$argv>"; end',
}


@pytest.fixture(params=INTERACTIVE)
def shell(request: pytest.FixtureRequest) -> str:
    """Each of the shells that are installed; the whole path of it."""
    found = shutil.which(str(request.param))
    if found is None:
        pytest.skip(f"{request.param} is not installed")
    return found


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """An empty home, with the command on the path and a log."""
    (tmp_path / "bin").mkdir()
    program = tmp_path / "bin" / "fitlog"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m fitlog "$@"\n')
    program.chmod(0o755)
    (tmp_path / "lenet-1.log").symlink_to(SAMPLES / "lenet-1.log")
    return tmp_path


def environment(home: Path) -> dict[str, str]:
    return {
        "HOME": str(home),
        "ZDOTDIR": str(home),
        "XDG_CONFIG_HOME": str(home / ".config"),
        "XDG_DATA_HOME": str(home / ".local"),
        "PATH": f"{home / 'bin'}{os.pathsep}{os.environ['PATH']}",
        "PS1": "$ ",
    }


def install(shell: str, home: Path) -> str:
    """What is said where it is installed in this shell, which is told by who runs the command."""
    done = subprocess.run(
        [shell, "-c", "fitlog --install-completion; true"],
        cwd=home, capture_output=True, text=True, timeout=60, check=True,
        env={**os.environ, **environment(home)},
    )  # fmt: skip
    return done.stdout


def test_a_shell_completes_commands_dialects_metrics_and_files(shell: str, home: Path) -> None:
    name = Path(shell).name
    said = install(shell, home)
    terminal = Terminal(shell, *INTERACTIVE[name], cwd=home, columns=200, **environment(home))

    # Completion asks the program; what the line then runs is a function that shows its arguments.
    terminal.wait_for(PROMPT)
    terminal.type(f"{SHOWING[name]}; echo rea''dy\r".encode())
    terminal.wait_for("ready\r\n", PROMPT)
    if name == "zsh":  # the first TAB of a session loads the completion, and offers nothing yet
        terminal.type(b"fitlog \t\x15")
    for begun, whole in [
        ("docto", "doctor"),
        ("parse --dialect gluonn", "parse --dialect gluonnlp"),
        ("check lenet-1.log --metric validation-a", "validation-accuracy"),
        ("compare lenet-1.log --metric validation-c", "validation-cross-entropy"),
        ("parse lene", "parse lenet-1.log"),
    ]:
        terminal.type(f"fitlog {begun}\t".encode())
        terminal.type(b"\r")
        terminal.wait_for(f"{whole}>", PROMPT)
    terminal.type(b"exit\r")
    terminal.wait()

    assert f"{name} completion installed in {home}" in said


def test_completion_leaves_what_a_home_has(home: Path) -> None:
    (home / ".bashrc").write_text("alias ll='ls -l'\n")

    for _ in range(2):
        install("bash", home)

    lines = (home / ".bashrc").read_text().split("\n")
    assert "alias ll='ls -l'" in lines
    assert len([line for line in lines if line.startswith("source ")]) == 1


def test_a_shell_without_completion_is_wrong_usage(home: Path) -> None:
    done = subprocess.run(
        ["sh", "-c", "fitlog --install-completion; exit $?"],
        cwd=home, capture_output=True, text=True, timeout=60, check=False,
        env={**os.environ, **environment(home)},
    )  # fmt: skip

    # Where sh is another name of bash, there is one.
    assert done.returncode == (0 if "installed" in done.stdout else 2)
