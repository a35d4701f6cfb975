"""The application itself, and what the commands share."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperCommand

from fitlog.cli.completing import complete_dialect

if TYPE_CHECKING:
    from fitlog.sources import Source
    from fitlog.tables import RunLog

app = typer.Typer(
    name="fitlog",
    help="Run, read, plot and judge trainings with MXNet's Module.fit.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # rich's help costs more time than most commands
)


class Command(TyperCommand):
    """A command whose help puts the options of a panel under its name, without rich's help."""

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write the parameters, panel by panel in the order of their first."""
        panels: dict[str, list[tuple[str, str]]] = {}
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx)
            if record is not None:
                kind = "Arguments" if parameter.param_type_name == "argument" else "Options"
                panel = getattr(parameter, "rich_help_panel", None) or kind
                panels.setdefault(panel, []).append(record)
        for panel, records in panels.items():
            with formatter.section(panel):
                formatter.write_dl(records)


Logs = Annotated[
    list[str],
    typer.Argument(metavar="LOG...", help="Log files, folders or globs, or - for standard input."),
]

DialectName = Annotated[
    str | None,
    typer.Option(autocompletion=complete_dialect, help="Read lines of this dialect only."),
]

Where = Annotated[
    str | None,
    typer.Option(metavar="CONDITION", help="Of an archive, which runs: \"network = 'lenet'\"."),
]

PastWhere = Annotated[
    str | None,
    typer.Option(
        metavar="CONDITION",
        help="Of an archive as baseline or history, which runs."
        "  [default: --where, if no candidate is of an archive]",
    ),
]

DialectFile = Annotated[
    Path | None, typer.Option(help="A TOML file that describes one dialect more.")
]


@app.callback(invoke_without_command=True)
def _version(
    version: Annotated[bool, typer.Option("--version", help="Print the version and exit.")] = False,
) -> None:
    if version:
        from fitlog import __version__

        typer.echo(f"fitlog {__version__}")
        raise typer.Exit


def given_options(context: typer.Context, *, besides: Sequence[str]) -> list[str]:
    """The options that stand on the command line, as they are written, besides those named."""
    return [
        option.opts[0]
        for option in context.command.params
        if option.name not in besides
        and (source := context.get_parameter_source(option.name or "")) is not None
        and source.name == "COMMANDLINE"
    ]


def read_one(source: Source | RunLog, dialect_file: Path | None = None) -> RunLog:
    """A log that holds a record, with a bar for those who wait; one that is read is that already.

    Raises:
        LogError: it cannot be read, or holds none.
    """
    from fitlog.progress import shown_reading
    from fitlog.streams import no_records
    from fitlog.tables import RunLog, read_log

    if isinstance(source, RunLog):
        return source
    with shown_reading([source]) as progress:
        log = read_log(source, dialect_file=dialect_file, progress=progress)
    if not log.has_records:
        reason = str(log.unparsed["reason"].iloc[0]) if len(log.unparsed) else ""
        raise no_records(log.name, log.lines, reason)
    return log


def require_one_stdin(logs: list[str]) -> None:
    """Raise where standard input is named twice."""
    from fitlog.errors import SettingError

    if logs.count("-") > 1:
        raise SettingError("- is named twice: standard input can be read only once")


def require_other_file(target: Path, logs: Sequence[Source | RunLog]) -> None:
    """Raise where the file to be written is one of those read, by whatever name."""
    from fitlog.errors import OutputError

    if not target.exists():
        return
    for log in logs:
        same = (
            os.path.samestat(target.stat(), os.fstat(0))
            if log == "-"
            else isinstance(log, (str, os.PathLike)) and Path(log).exists() and target.samefile(log)
        )
        if same and target.is_file():
            raise OutputError(
                f"{target} would write over a log or ledger that is read; name another file with"
                " --output"
            )
