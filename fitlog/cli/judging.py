"""`fitlog check`."""

from __future__ import annotations

from typing import Annotated

import typer

from fitlog.choices import Undecided, VerdictFormat
from fitlog.cli.app import PastWhere, Where, require_one_stdin
from fitlog.cli.completing import complete_measure
from fitlog.cli.verdicts import errors_written, exit_code_of, write_judgement
from fitlog.endings import user_errors


def check(
    candidates: Annotated[
        list[str],
        typer.Argument(metavar="CANDIDATE...", help="The runs to judge: logs, folders or globs."),
    ],
    baseline: Annotated[
        list[str] | None,
        typer.Option(metavar="LOG...", help="The runs to compare with, likewise."),
    ] = None,
    history: Annotated[
        str | None,
        typer.Option(
            metavar="LEDGER",
            help="The past runs to compare with: a ledger (fitlog history), or an archive.",
        ),
    ] = None,
    metric: Annotated[
        str,
        typer.Option(
            autocompletion=complete_measure,
            help="pace, throughput, time_cost, or one such as validation-accuracy.",
        ),
    ] = "pace",
    better: Annotated[
        str | None, typer.Option(metavar="higher|lower", help="If the metric's name does not tell.")
    ] = None,
    tolerance: Annotated[str, typer.Option(help="The slowdown that must be ruled out.")] = "5%",
    min_effect: Annotated[str, typer.Option(help="The least change that is called one.")] = "2%",
    alpha: Annotated[
        str | None,
        typer.Option(help="The rate of false alarms to allow.  [default: 0.005 to 0.01]"),
    ] = None,
    warmup: Annotated[
        str, typer.Option(metavar="auto|N", help="Windows to drop from each run.")
    ] = "auto",
    series: Annotated[
        str | None, typer.Option(metavar="NAME", help="Compare with runs added under this name.")
    ] = None,
    ignore: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="Compare although this setting or part differs."),
    ] = None,
    where: Where = None,
    past_where: PastWhere = None,
    inconclusive: Annotated[
        Undecided, typer.Option(help="'pass' makes an undecided check end with 0.")
    ] = Undecided.FAIL,
    form: Annotated[VerdictFormat, typer.Option("--format")] = VerdictFormat.TEXT,
) -> None:
    """Judge trainings by a baseline or a history.

    Their throughput is judged, or what --metric names. Exits with 0 (pass, improved), 1
    (regression), 2 (data that cannot be judged) or 3 (inconclusive).
    """
    with user_errors() as outcome, errors_written(form, metric):
        from fitlog.chosen import choose_sides
        from fitlog.gate import check as check_runs
        from fitlog.options import fraction, number_of_windows

        require_one_stdin([*candidates, *(baseline or [])])
        warm_up = number_of_windows(warmup)
        sides = choose_sides(
            candidates,
            baseline or [],
            history,
            where,
            past_where,
            series=series,
            warm_up=warm_up,
        )
        judgement = check_runs(
            sides.candidates,
            baseline=sides.baseline,
            history=sides.history,
            metric=metric,
            better=better,
            tolerance=fraction("--tolerance", tolerance),
            min_effect=fraction("--min-effect", min_effect),
            alpha=fraction("--alpha", alpha) if alpha is not None else None,
            warm_up=warm_up,
            series=series,
            ignore=ignore or (),
        )
        outcome.exit_code = exit_code_of(judgement, inconclusive)
        write_judgement(judgement, form, inconclusive)
        raise typer.Exit(outcome.exit_code)
