"""`fitlog query`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from fitlog.choices import TableFormat
from fitlog.endings import user_errors


def query(
    archive: Annotated[
        str, typer.Argument(metavar="ARCHIVE", help="The archive: a folder, or a URL (s3://...).")
    ],
    sql: Annotated[
        str | None, typer.Argument(metavar="[SQL]", help="One SELECT, in DuckDB's SQL.")
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
    ] = 60.0,
    memory: Annotated[
        int, typer.Option(min=64, max=1 << 20, metavar="MB", help="The memory that it may take.")
    ] = 1024,
) -> None:
    """Ask an archive a question, in SQL or one of the ready ones.

    Nothing but the archive's tables is read, and nothing is written but the result.
    """
    with user_errors():
        from fitlog.archive import require_packages
        from fitlog.options import positive

        require_packages()
        positive("--timeout", timeout)  # which the bounds let pass where it is nan
        if listed:
            _list()
            return
        text = _text_of(sql, ask, where)
        if show:
            typer.echo(text)
            return
        from fitlog.archive.guard import go_on_limited

        ended = go_on_limited(seconds=timeout, memory=memory << 20)
        if ended is not None:
            raise typer.Exit(ended)
        _answer(archive, text, where, form, output, timeout, memory << 20)


def _list() -> None:
    from fitlog.archive.questions import QUESTIONS

    for question in QUESTIONS:
        typer.echo(f"{question.name:<12}{question.text}")


def _text_of(sql: str | None, ask: str | None, where: str | None) -> str:
    """The question as SQL."""
    from fitlog.archive.questions import find_question, sql_of
    from fitlog.errors import SettingError

    if (sql is None) == (ask is None):
        raise SettingError('say what to ask: either "select ...", or --ask NAME (--list has them)')
    if sql is None:
        return sql_of(find_question(str(ask)), where)
    if where is not None:
        raise SettingError("--where chooses the runs of a ready question: SQL has its own WHERE")
    return sql


def _answer(
    archive: str,
    sql: str,
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
