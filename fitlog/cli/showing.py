"""`fitlog plot`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from fitlog.cli.app import Logs, read_each, require_one_stdin, require_other_file
from fitlog.endings import user_errors


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

        require_one_stdin(logs)
        read = list(read_each(logs))
        target = output or _picture_beside(logs[0])
        require_other_file(target, logs)
        save_figure(plot_logs(read), target)
        typer.echo(f"wrote {printable(str(target))}")


def _picture_beside(log: str) -> Path:
    return Path("fitlog.png") if log == "-" else Path(log).with_suffix(".png")
