"""`fitlog check`."""

from __future__ import annotations

from typing import Annotated

import typer

from fitlog.choices import ReportFormat, Undecided
from fitlog.cli.app import require_one_stdin
from fitlog.endings import user_errors


def check(
    candidates: Annotated[
        list[str], typer.Argument(metavar="CANDIDATE...", help="Logs of the runs to judge.")
    ],
    baseline: Annotated[
        list[str] | None,
        typer.Option(metavar="LOG", help="A log to compare with; may be given several times."),
    ] = None,
    tolerance: Annotated[str, typer.Option(help="The slowdown that must be ruled out.")] = "5%",
    min_effect: Annotated[str, typer.Option(help="The least change that is called one.")] = "2%",
    alpha: Annotated[float, typer.Option(help="The rate of false alarms to allow.")] = 0.01,
    warmup: Annotated[
        str, typer.Option(metavar="auto|N", help="Windows to drop from each run.")
    ] = "auto",
    inconclusive: Annotated[
        Undecided, typer.Option(help="'pass' makes an undecided check end with 0.")
    ] = Undecided.FAIL,
    form: Annotated[ReportFormat, typer.Option("--format")] = ReportFormat.TEXT,
) -> None:
    """Judge the throughput of a training against that of a baseline.

    Exits with 0 (pass, improved), 1 (regression), 2 (data that cannot be judged) or 3
    (inconclusive).
    """
    with user_errors() as outcome:
        from fitlog.gate import check as check_throughput
        from fitlog.gate import format_judgement
        from fitlog.options import fraction, number_of_windows

        require_one_stdin([*candidates, *(baseline or [])])
        judgement = check_throughput(
            candidates,
            baseline=baseline or [],
            tolerance=fraction("--tolerance", tolerance),
            min_effect=fraction("--min-effect", min_effect),
            alpha=alpha,
            warm_up=number_of_windows(warmup),
        )
        undecided = judgement.verdict == "inconclusive" and inconclusive is Undecided.PASS
        outcome.exit_code = 0 if undecided else judgement.exit_code
        if form is ReportFormat.JSON:
            import json

            typer.echo(json.dumps(judgement.to_dict(), indent=2))
        else:
            from fitlog.printable import printable

            typer.echo(printable(format_judgement(judgement), keep="\n"))
        raise typer.Exit(outcome.exit_code)
