"""`fitlog watch`."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from fitlog.endings import user_errors


def watch(
    places: Annotated[
        list[str],
        typer.Argument(
            metavar="LOG|RUN|FOLDER...",
            help="Logs, runs' folders, or folders in which runs are looked for.",
        ),
    ],
    once: Annotated[bool, typer.Option("--once", help="Print what is known now, and end.")] = False,
) -> None:
    """Show trainings as they go on: speed, metrics, time left, phases and warnings.

    Ends when all runs are over, with q, or with Ctrl-C; a folder is watched on. Where the output is
    no terminal, it prints a line for each epoch, validation and warning.
    """
    with user_errors():
        from rich.console import Console

        from fitlog.watch_files import Watch
        from fitlog.watch_lines import EpochLines
        from fitlog.watch_screen import print_once, watch_lines, watch_screen

        _require_files(places)
        console = Console(file=sys.stdout)
        if once:
            print_once(Watch(places), console)
        elif sys.stdout.isatty() and not console.is_dumb_terminal:
            watch_screen(Watch(places), console)
        else:
            lines: list[EpochLines] = []

            def listen() -> EpochLines:
                lines.append(EpochLines(_say))
                return lines[-1]

            watch_lines(Watch(places, listen), lines)


def _require_files(places: list[str]) -> None:
    from fitlog.errors import SettingError

    if "-" in places:
        raise SettingError(
            "-: only files can be watched; fitlog parse --follow reads standard input as it comes"
        )
    if "" in places:
        raise SettingError("the name of a log is empty")


def _say(line: str) -> None:
    typer.echo(line)
    sys.stdout.flush()
