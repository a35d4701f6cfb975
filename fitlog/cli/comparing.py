"""`fitlog compare`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from fitlog.choices import ComparisonFormat
from fitlog.cli.app import PastWhere, Where, require_one_stdin, require_other_file
from fitlog.cli.completing import complete_metric
from fitlog.endings import user_errors


def compare(
    logs: Annotated[
        list[str],
        typer.Argument(metavar="RUN...", help="Runs' folders, logs or globs, or -."),
    ],
    baseline: Annotated[
        str | None,
        typer.Option(metavar="RUN", help="What to compare with.  [default: the first]"),
    ] = None,
    metric: Annotated[
        str | None,
        typer.Option(
            autocompletion=complete_metric,
            help="The metric whose rise is timed.  [default: validated accuracy]",
        ),
    ] = None,
    target: Annotated[
        float | None,
        typer.Option(help="Time until this value of it.  [default: the best that all reach]"),
    ] = None,
    better: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=higher|lower",
            help="Which values of a metric are better; may be given several times.",
        ),
    ] = None,
    picture: Annotated[
        Path | None,
        typer.Option("--plot", help="Draw the runs over each other: .png, .svg or .pdf."),
    ] = None,
    where: Where = None,
    past_where: PastWhere = None,
    form: Annotated[ComparisonFormat, typer.Option("--format")] = ComparisonFormat.TEXT,
) -> None:
    """Compare runs: settings, throughput, times, metrics, phases.

    It judges nothing, and ends with 0 whatever differs; `fitlog check` is for that.
    """
    with user_errors():
        from fitlog.chosen import choose_sides
        from fitlog.compare_formats import format_comparison
        from fitlog.comparing import MOST_COMPARED
        from fitlog.comparing import compare as compare_runs
        from fitlog.options import directions
        from fitlog.which_run import find_runs

        old = [] if baseline is None else [baseline]
        require_one_stdin(logs if baseline in logs else [*logs, *old])
        sides = choose_sides(logs, old, None, where, past_where, most=MOST_COMPARED, most_past=1)
        if picture is not None:
            require_other_file(picture, find_runs([*sides.candidates, *sides.baseline]))
        comparison = compare_runs(
            *sides.candidates,
            baseline=sides.baseline[0] if sides.baseline else None,
            metric=metric,
            target=target,
            better=directions("--better", better or []),
        )
        if picture is not None:
            from fitlog.plots import draw_comparison, save_figure

            save_figure(draw_comparison(comparison), picture)
        typer.echo(format_comparison(comparison, form.value), nl=False)
