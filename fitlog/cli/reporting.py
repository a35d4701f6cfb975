"""`fitlog report`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from fitlog.cli.app import PastWhere, Where, require_one_stdin, require_other_file
from fitlog.endings import BAD_INPUT, user_errors


def report(
    logs: Annotated[
        list[str], typer.Argument(metavar="LOG...", help="Logs, runs' folders or globs, or -.")
    ],
    output: Annotated[Path, typer.Option("--output", "-o", help="The page to write.")] = Path(
        "report.html"
    ),
    baseline: Annotated[
        list[str] | None,
        typer.Option(metavar="LOG", help="A log to judge by; may be given several times."),
    ] = None,
    history: Annotated[
        str | None,
        typer.Option(
            metavar="LEDGER",
            help="The past runs to judge by: a ledger (fitlog history), or an archive.",
        ),
    ] = None,
    ignore: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="Judge although this setting or part differs."),
    ] = None,
    where: Where = None,
    past_where: PastWhere = None,
    title: Annotated[
        str | None, typer.Option(help="The page's title.  [default: the run's name]")
    ] = None,
) -> None:
    """Write one page of runs that needs nothing else: charts, comparison, verdict, tables.

    Ends with 0 whatever the verdict is, `fitlog check` is for that; with 2 where runs that are to
    be judged cannot be, and the page says why.
    """
    with user_errors():
        from fitlog.chosen import choose_sides
        from fitlog.errors import OutputError
        from fitlog.printable import printable
        from fitlog.report import write_report
        from fitlog.which_run import find_runs

        old = baseline or []
        require_one_stdin([*logs, *old])
        if output.is_dir():
            raise OutputError(f"{output} is a folder: name a file with --output")
        sides = choose_sides(logs, old, history, where, past_where)
        ledger = [sides.history] if isinstance(sides.history, str) else []
        require_other_file(output, [*find_runs([*sides.candidates, *sides.baseline]), *ledger])
        contents = write_report(
            sides.candidates,
            output,
            baseline=sides.baseline,
            history=sides.history,
            title=title,
            ignore=ignore or (),
        )
        size = output.stat().st_size / 1e6
        typer.echo(f"wrote {printable(str(output))} ({size:.1f} MB)")
        for problem in contents.problems:
            typer.echo(f"fitlog: {printable(problem.text)}; {problem.remedy}", err=True)
        if contents.unjudged:
            typer.echo(f"fitlog: not judged: {printable(contents.unjudged)}", err=True)
            raise typer.Exit(BAD_INPUT)
