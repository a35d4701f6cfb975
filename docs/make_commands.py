"""Write docs/commands.md, the help of every command: `python docs/make_commands.py`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import typer

import fitlog.cli  # noqa: F401  # adds the commands to the application

PAGE = Path(__file__).resolve().parent / "commands.md"
WIDTH = 90
INTRODUCTION = """\
# All commands

What `--help` prints. `fitlog --install-completion` lets the shell that it is run in (bash, zsh or
fish) complete commands, options, names of files and dialects, and the metrics of the logs that
stand on the line. It takes effect in the next shell; in zsh, whose first TAB loads it, from the
second TAB on.

## Exit codes

| exit code | when |
|---|---|
| 0 | it did what it was asked for; of `check` and `bench`, pass or improved |
| 1 | a regression (`check`, `bench`) |
| 2 | it could not: wrong options, no log, a file that cannot be read or written, nothing to \
compare with, a package that is not installed, a training that failed |
| 3 | inconclusive (`check`, `bench`) |
| 130 | stopped by Ctrl-C |
| 143 | stopped by SIGTERM |

`fitlog run SCRIPT.py` and `fitlog run -- COMMAND` end with the code of what they ran. What went
wrong is said on standard error, in a line that begins with `fitlog:`, or `Error:` where the command
line is wrong. A finding is no error: `doctor`, `compare` and `report` end with 0 whatever they
find.
"""


def format_commands() -> str:
    """The page: a section for each command, with its help at a fixed width."""
    from fitlog.cli.app import app

    sections = [INTRODUCTION]
    for name, text in _helps(typer.main.get_command(app), "fitlog"):
        level = "##" if name.count(" ") < 2 else "###"
        sections.append(f"{level} {name}\n\n```text\n{text}\n```\n")
    return "\n".join(sections)


def _helps(command: Any, name: str) -> list[tuple[str, str]]:
    """Of a command and those below it, the name and the help."""
    context = command.context_class(
        command, info_name=name, terminal_width=WIDTH, max_content_width=WIDTH
    )
    text = "\n".join(line.rstrip() for line in command.get_help(context).splitlines())
    found = [(name, text)]
    for sub, one in getattr(command, "commands", {}).items():
        found += _helps(one, f"{name} {sub}")
    return found


if __name__ == "__main__":
    PAGE.write_text(format_commands(), "utf-8")
    sys.stdout.write(f"wrote {PAGE}\n")
