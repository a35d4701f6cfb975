"""`fitlog query`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from fitlog.choices import QUERY_BYTES, QUERY_SECONDS, TableFormat
from fitlog.endings import user_errors


def query(
    archive: Annotated[
        str | None,
        typer.Argument(metavar="ARCHIVE", help="The archive: a folder, or a URL (s3://...)."),
    ] = None,
    sql: Annotated[
        str | None,
        typer.Argument(
            metavar="[SQL]", help="One SELECT, in DuckDB's SQL; - reads it from standard input."
        ),
    ] = None,
    ask: Annotated[
        str | None, typer.Option(metavar="NAME", help="Ask a ready question instead.")
    ] = None,
    listed: Annotated[bool, typer.Option("--list", help="List the ready questions.")] = False,
    show: Annotated[
        bool, typer.Option("--sql", help="Print the SQL of the ready question, to change it.")
    ] = False,
    where: Annotated[
        str | None,
        typer.Option(metavar="CONDITION", help="Of which runs: \"network = 'lenet'\"."),
    ] = None,
    form: Annotated[
        TableFormat | None,
        typer.Option("--format", help="[default: as the ending of --output says, else table]"),
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Write to this file instead.")
    ] = None,
    timeout: Annotated[
        float, typer.Option(min=0.1, max=1e6, metavar="SECONDS", help="Stop after so long.")
    ] = QUERY_SECONDS,
    memory: Annotated[
        int, typer.Option(min=64, max=1 << 20, metavar="MB", help="The memory that it may take.")
    ] = QUERY_BYTES >> 20,
) -> None:
    """Ask an archive a question, in SQL or one of the ready ones.

    Nothing but the archive's tables is read, and nothing is written but the result.
    """
    with user_errors():
        from fitlog.archive import require_packages
        from fitlog.errors import SettingError
        from fitlog.options import positive

        if listed:
            _list()
            return
        text, left_out = _asked(sql, ask, where)
        if show:
            typer.echo(text)
            return
        if archive is None:
            raise SettingError("name the archive that is to be asked")
        positive("--timeout", timeout)  # which the bounds let pass where it is nan
        require_packages()
        from fitlog.archive.guard import go_on_limited

        ended = go_on_limited(seconds=timeout, memory=memory << 20)
        if ended is not None:
            raise typer.Exit(ended)
        target = None if output == Path("-") else output
        _answer(archive, text, left_out, where, form, target, timeout, memory << 20)


def _list() -> None:
    from fitlog.archive.questions import QUESTIONS

    for question in QUESTIONS:
        typer.echo(f"{question.name:<12}{question.text}")


def _asked(sql: str | None, ask: str | None, where: str | None) -> tuple[str, str | None]:
    """The question as SQL, and what asks which runs it leaves out, if any."""
    from fitlog.archive.questions import find_question, left_out_sql, sql_of
    from fitlog.errors import SettingError

    if (sql is None) == (ask is None):
        raise SettingError('say what to ask: either "select ...", or --ask NAME (--list has them)')
    if ask is not None:
        question = find_question(ask)
        return sql_of(question, where), left_out_sql(question, where)
    if where is not None:
        raise SettingError("--where chooses the runs of a ready question: SQL has its own WHERE")
    if str(sql).endswith(".sql"):
        raise SettingError(f"{sql} names a file: fitlog query ARCHIVE - < {sql}")
    return _standard_input() if sql == "-" else str(sql), None


def _standard_input() -> str:
    from fitlog.errors import SettingError

    try:
        return sys.stdin.buffer.read().decode()
    except UnicodeDecodeError:
        raise SettingError("standard input is no SQL: it is not text in UTF-8") from None


def _answer(
    archive: str,
    sql: str,
    left_out: str | None,
    where: str | None,
    form: TableFormat | None,
    output: Path | None,
    timeout: float,
    memory: int,
) -> None:
    from fitlog.archive.query import check_condition
    from fitlog.archive.query import query as ask_archive
    from fitlog.archive.results import MOST_SHOWN, write_result
    from fitlog.archive.unneeded import without_pandas
    from fitlog.chosen import require_outside
    from fitlog.formats import format_of

    with without_pandas():
        from fitlog.archive.reading import open_archive

    opened = open_archive(archive)
    if output is not None:
        require_outside(output, opened.store)
    tables = opened.datasets()
    if where is not None:
        check_condition(tables, where, seconds=timeout)
    with ask_archive(tables, sql, seconds=timeout, memory=memory) as result:
        is_whole = write_result(result, form.value if form else format_of(output), output)
    if not is_whole:
        typer.echo(
            f"fitlog: only the first {MOST_SHOWN:,} rows are shown; --format csv has all", err=True
        )
    if left_out is not None:
        with ask_archive(tables, left_out, seconds=timeout, memory=memory) as result:
            _tell_left_out({row["reason"]: row["runs"] for b in result for row in b.to_pylist()})


def _tell_left_out(counts: dict[str, int]) -> None:
    """Say which runs a question could not ask of."""
    runs = sum(counts.values())
    if runs:
        told = ", ".join(f"{count:,} {reason}" for reason, count in counts.items())
        verb = "run is" if runs == 1 else "runs are"
        typer.echo(f"fitlog: {runs:,} {verb} left out: {told}", err=True)
