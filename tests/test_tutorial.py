"""The tutorial: its shell blocks are run one after the other, with real trainings."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from support import PROJECT, SAMPLES

PAGE = (PROJECT / "docs" / "tutorial.md").read_text("utf-8")


def test_the_tutorials_commands_work_in_their_order(mx: Any, tmp_path: Path) -> None:
    del mx  # it is installed
    shutil.copytree(SAMPLES, tmp_path / "sample_logs")
    (tmp_path / "bin").mkdir()
    program = tmp_path / "bin" / "fitlog"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m fitlog "$@"\n')
    program.chmod(0o755)
    blocks = re.findall(r"^```sh\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
    commands = [block for block in blocks if not block.startswith("# install")]
    codes = []

    for command in commands:
        done = subprocess.run(
            ["bash", "-ec", command],
            cwd=tmp_path, capture_output=True, text=True, timeout=300, check=False,
            env={**os.environ, "PATH": f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}"},
        )  # fmt: skip
        codes.append(done.returncode)
        assert "Traceback" not in done.stderr, command

    # What is judged in the end depends on the machine: it may be anything but an error.
    assert codes[:-1] == [0] * (len(commands) - 1)
    assert codes[-1] in (0, 1, 3)
    assert len(list(tmp_path.glob("runs/*-good/run.log"))) == 3
    assert list(tmp_path.glob("runs/*-first/run.png"))
