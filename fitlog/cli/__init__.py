"""The command `fitlog`: parses options, calls one function, prints, and gives the exit code.

0 fine; 1 regression; 2 wrong usage, unreadable or missing data; 3 inconclusive; 130 interrupted.
Whatever a command needs is imported when it runs: `fitlog --help` loads none of it.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from fitlog.cli.app import app
from fitlog.cli.judging import check
from fitlog.cli.reading import dialects, doctor, parse
from fitlog.cli.running import run
from fitlog.cli.showing import plot

for command in (run, parse, doctor, dialects, plot, check):
    app.command()(command)


def main() -> None:
    """Run the command line."""
    for stream in ("stdout", "stderr"):
        if getattr(sys, stream) is None:  # closed by whoever started the command
            setattr(sys, stream, Path(os.devnull).open("w", encoding="utf-8"))  # noqa: SIM115  # for good
        # A name that the terminal's encoding lacks is written out; it is no reason to fail.
        getattr(sys, stream).reconfigure(errors="backslashreplace")
    app()
