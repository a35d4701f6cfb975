"""`fitlog bench`."""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fitlog.choices import Undecided, VerdictFormat
from fitlog.cli.completing import complete_measure
from fitlog.cli.verdicts import errors_written, exit_code_of, write_judgement
from fitlog.endings import user_errors

if TYPE_CHECKING:
    from fitlog.measures import Measure
    from fitlog.paces import JudgedRun


def bench(
    baseline: Annotated[
        str,
        typer.Option(metavar="COMMAND", help="What to compare with: 'train.py --epochs 3', ..."),
    ],
    candidate: Annotated[str, typer.Option(metavar="COMMAND", help="What to judge, likewise.")],
    min_runs: Annotated[int, typer.Option(help="Make so many runs a side at least.")] = 3,
    max_runs: Annotated[
        int, typer.Option(help="Make so many at most, while the verdict is inconclusive.")
    ] = 8,
    time_limit: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="Begin no run that would end later: 90s, 30m or 2h."),
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
    ignore: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="Compare although this setting or part differs."),
    ] = None,
    inconclusive: Annotated[
        Undecided, typer.Option(help="'pass' makes an undecided bench end with 0.")
    ] = Undecided.FAIL,
    out: Annotated[Path, typer.Option(help="The folder that runs are put in.")] = Path("runs"),
    form: Annotated[VerdictFormat, typer.Option("--format")] = VerdictFormat.TEXT,
) -> None:
    """Run two trainings by turns here, and judge one by the other.

    A COMMAND is what stands behind `fitlog run`: a script with its arguments, options behind
    `fitlog run`, or any command. Exits as `fitlog check` does.
    """
    with user_errors() as outcome, errors_written(form, metric):
        from fitlog.bench import Plan, parse_command, run_bench
        from fitlog.options import fraction, number_of_windows, seconds

        def say(name: str, run: JudgedRun, measure: Measure) -> None:
            from fitlog.printable import printable
            from fitlog.verdicts import format_run

            # That nobody reads any more changes no verdict.
            with contextlib.suppress(BrokenPipeError):
                text = f"{name}: {printable(format_run(run, measure))}"
                typer.echo(text, err=form is not VerdictFormat.TEXT)
                sys.stdout.flush()

        judgement = run_bench(
            parse_command("baseline", baseline),
            parse_command("candidate", candidate),
            Plan(
                min_runs=min_runs,
                max_runs=max_runs,
                time_limit=seconds("--time-limit", time_limit) if time_limit else None,
                metric=metric,
                better=better,
                tolerance=fraction("--tolerance", tolerance),
                min_effect=fraction("--min-effect", min_effect),
                alpha=fraction("--alpha", alpha) if alpha is not None else None,
                warm_up=number_of_windows(warmup),
                ignore=ignore or (),
            ),
            out=out,
            say=say,
        )
        outcome.exit_code = exit_code_of(judgement, inconclusive)
        write_judgement(judgement, form, inconclusive)
        raise typer.Exit(outcome.exit_code)
