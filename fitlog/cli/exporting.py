"""`fitlog export`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fitlog.choices import ExportTarget
from fitlog.cli.app import DialectFile, DialectName, Logs, require_one_stdin, require_other_file
from fitlog.endings import user_errors

if TYPE_CHECKING:
    from fitlog.export import Exported

_ESTIMATED = (
    "times without a stamp in the log are estimated, from the log's time costs and speeds, back"
    " from when its file was last changed"
)


def export(
    logs: Logs,
    to: Annotated[ExportTarget, typer.Option(help="Whom it is for.")],
    output: Annotated[
        str,
        typer.Option(
            "--output",
            "-o",
            metavar="OUT",
            help="A folder (tensorboard, wandb), an SQLite file or tracking URI (mlflow), or a"
            " file.",
        ),
    ],
    dialect: DialectName = None,
    dialect_file: DialectFile = None,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Go on as the log grows, until Ctrl-C.")
    ] = False,
) -> None:
    """Write the numbers of logs for another tool, with time and step."""
    with user_errors():
        from fitlog.printable import printable

        if follow:
            _follow(logs, to.value, output, dialect, dialect_file)
            return
        from fitlog.export import SUMMARIES, export_logs
        from fitlog.progress import shown_reading
        from fitlog.sources import find_logs

        require_one_stdin(logs)
        found = find_logs(logs)
        require_other_file(Path(output), found)
        with shown_reading(found) as progress:
            exported = export_logs(
                found,
                to.value,
                output,
                dialect=dialect,
                dialect_file=dialect_file,
                progress=progress,
            )
        _tell(exported)
        summary = "a summary of " * (to.value in SUMMARIES)
        typer.echo(
            f"wrote {summary}{exported.points:,} values of {exported.runs}"
            f" run{'s' * (exported.runs != 1)} to {printable(_shown(output))}"
        )


def _follow(
    logs: list[str], to: str, output: str, dialect: str | None, dialect_file: Path | None
) -> None:
    from fitlog.errors import SettingError
    from fitlog.export import export_followed
    from fitlog.follow import until_interrupted
    from fitlog.printable import printable

    if len(logs) > 1:
        raise SettingError("--follow reads one log: follow each by a command of its own")
    require_other_file(Path(output), logs)
    with until_interrupted() as wait:
        exported = export_followed(
            logs[0],
            to,
            output,
            dialect=dialect,
            dialect_file=dialect_file,
            wait=wait,
            report=lambda found: typer.echo(
                f"fitlog: line {found.line}: {found.code}: {printable(found.text)}", err=True
            ),
        )
        _tell(exported)


def _tell(exported: Exported) -> None:
    """Say on stderr which times are not the log's."""
    if exported.time_sources.get("estimated"):
        typer.echo(f"fitlog: {_ESTIMATED}", err=True)
    if exported.time_sources.get("read"):
        typer.echo(
            "fitlog: lines without a time stamp have the time at which they were read", err=True
        )


def _shown(output: str) -> str:
    """A tracking URI without its password."""
    scheme, separator, rest = output.partition("://")
    place = rest.rpartition("@")[2] if separator else rest
    return f"{scheme}{separator}{place}"
