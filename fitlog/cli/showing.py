"""`fitlog plot`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fitlog.cli.app import Logs, read_one, require_one_stdin, require_other_file
from fitlog.endings import user_errors

if TYPE_CHECKING:
    from fitlog.sources import Source


def plot(
    logs: Logs,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            help="The picture: .png, .svg or .pdf.  [default: beside the first log, .png]",
        ),
    ] = None,
) -> None:
    """Draw speed and metrics of one training, or of several over each other, as a picture."""
    with user_errors():
        from fitlog.plots import plot_logs, save_figure
        from fitlog.printable import printable
        from fitlog.sources import find_logs

        require_one_stdin(logs)
        found = find_logs(logs)
        target = output or _picture_beside(found[0])
        require_other_file(target, found)
        save_figure(plot_logs([read_one(source) for source in found]), target)
        typer.echo(f"wrote {printable(str(target))}")


def _picture_beside(log: Source) -> Path:
    if log == "-" or not isinstance(log, (str, os.PathLike)):
        return Path("fitlog.png")
    return Path(log).with_suffix(".png")
