"""`fitlog parse`, `fitlog doctor` and `fitlog dialects`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fitlog.choices import ReportFormat, Table, TableFormat
from fitlog.cli.app import (
    DialectFile,
    DialectName,
    Logs,
    read_one,
    require_one_stdin,
    require_other_file,
)
from fitlog.cli.completing import complete_dialect
from fitlog.endings import user_errors

if TYPE_CHECKING:
    from fitlog.sources import Source
    from fitlog.streams import TableStream


def parse(
    logs: Logs,
    table: Annotated[Table, typer.Option(help="What to print.")] = Table.EPOCHS,
    form: Annotated[
        TableFormat | None,
        typer.Option("--format", help="[default: as the ending of --output says, else table]"),
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Write to this file instead.")
    ] = None,
    dialect: DialectName = None,
    dialect_file: DialectFile = None,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Go on as the log grows, until Ctrl-C; as CSV.")
    ] = False,
) -> None:
    """Print a table of what training logs say.

    A folder or a quoted glob stands for its logs. With several logs, a column names the file of
    each row. What was not read is counted on stderr.
    """
    with user_errors():
        if follow:
            _follow(logs, table, form, output, dialect, dialect_file)
            return
        from fitlog.formats import format_of, write_parts
        from fitlog.progress import shown_reading
        from fitlog.sources import find_logs
        from fitlog.streams import TableStream

        require_one_stdin(logs)
        found = find_logs(logs)
        if output:
            require_other_file(output, found)
        format_ = form.value if form else format_of(output)
        whole = format_ in ("table", "parquet")
        with shown_reading(found, amid_output=not whole and output is None) as progress:
            stream = TableStream(
                found,
                table.value,
                with_file=found != logs or len(logs) > 1,
                whole=whole,
                dialect=dialect,
                dialect_file=dialect_file,
                progress=progress,
            )
            write_parts(stream, format_, output)
        _print_doubts(stream)


def doctor(
    logs: Logs,
    form: Annotated[ReportFormat, typer.Option("--format")] = ReportFormat.TEXT,
    dialect_file: DialectFile = None,
) -> None:
    """Say what in training logs should not be trusted, and why.

    Each doubt has a line, a reason and a remedy. Exits with 0 whatever it finds, and with 2 where a
    log is none; the others are examined all the same.
    """
    with user_errors():
        from fitlog.doctor import examine, format_examination
        from fitlog.errors import LogError
        from fitlog.printable import printable
        from fitlog.sources import find_logs

        require_one_stdin(logs)
        sources: list[Source] = []
        found, errors = [], []
        for log in logs:
            try:
                sources += find_logs([log])
            except LogError as error:
                errors.append(error)
        for source in sources:
            try:
                found.append(examine(read_one(source, dialect_file)))
            except LogError as error:
                errors.append(error)
        if form is ReportFormat.JSON:
            import json

            typer.echo(json.dumps([one.to_dict() for one in found], indent=2))
        elif found:
            typer.echo(printable("\n".join(map(format_examination, found)), keep="\n"))
        for other in errors[:-1]:
            typer.echo(f"fitlog: {printable(str(other))}", err=True)
        if errors:
            raise errors[-1]


def dialects(
    log: Annotated[
        str | None, typer.Argument(metavar="[LOG]", help="Say whose lines this log holds.")
    ] = None,
    rules: Annotated[
        str | None,
        typer.Option(
            metavar="DIALECT",
            autocompletion=complete_dialect,
            help="List this dialect's lines instead.",
        ),
    ] = None,
    dialect_file: DialectFile = None,
) -> None:
    """List the writers whose lines are read, each with an example."""
    with user_errors():
        from fitlog.printable import printable
        from fitlog.reading import more_dialects
        from fitlog.sources import read_beginning
        from fitlog_parsers import find_dialects, own_rules, sniff_dialect

        more = more_dialects(dialect_file)
        every = find_dialects(None, more)
        if log is not None:
            typer.echo(printable(sniff_dialect(read_beginning(log), every, path=log).name))
        elif rules is not None:
            (dialect,) = find_dialects(rules, more)
            for rule in dialect.rules:
                typer.echo(f"{printable(rule.name)}\n    {printable(rule.example)}")
        else:
            for i, dialect in enumerate(every):
                typer.echo(f"{printable(dialect.name):<12}{printable(dialect.about)}")
                typer.echo(f"{'':<12}{printable(own_rules(dialect, every[:i])[0].example)}")


def _follow(
    logs: list[str],
    table: Table,
    form: TableFormat | None,
    output: Path | None,
    dialect: str | None,
    dialect_file: Path | None,
) -> None:
    from fitlog.errors import SettingError
    from fitlog.follow import follow_table, until_interrupted
    from fitlog.formats import write_parts
    from fitlog.printable import printable
    from fitlog.tables import ROW_TABLES

    if len(logs) > 1:
        raise SettingError("--follow reads one log: follow each by a command of its own")
    if table.value not in ROW_TABLES:
        raise SettingError(
            f"--follow needs a table whose rows come line by line: --table {', '.join(ROW_TABLES)}"
        )
    if form not in (None, TableFormat.CSV):
        raise SettingError("--follow writes CSV only")
    if output:
        require_other_file(output, logs)
    with until_interrupted() as wait:
        parts = follow_table(
            logs[0],
            table.value,
            dialect=dialect,
            dialect_file=dialect_file,
            wait=wait,
            report=lambda found: typer.echo(
                f"fitlog: line {found.line}: {found.code}: {printable(found.text)}", err=True
            ),
        )
        write_parts(parts, "csv", output)


def _print_doubts(stream: TableStream) -> None:
    """Say on stderr what the table does not hold."""
    if stream.recordless:
        from fitlog.printable import printable

        more = f" and {len(stream.recordless) - 1} more" if len(stream.recordless) > 1 else ""
        typer.echo(f"fitlog: no record in {printable(stream.recordless[0])}{more}", err=True)
    if stream.unparsed:
        typer.echo(
            f"fitlog: not read, though like a record: {stream.unparsed} (--table unparsed)",
            err=True,
        )
    if stream.warnings:
        typer.echo(f"fitlog: warnings: {stream.warnings} (--table warnings)", err=True)
