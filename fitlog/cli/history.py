"""`fitlog history`: the ledger of past runs, kept and shown."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fitlog.cli.app import Logs, Where, require_one_stdin, require_other_file
from fitlog.cli.completing import complete_measure
from fitlog.endings import user_errors

if TYPE_CHECKING:
    from fitlog.ledger import Entry, Ledger

history = typer.Typer(
    help="Keep the runs that `fitlog check --history` judges by.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

LedgerFile = Annotated[Path, typer.Argument(metavar="LEDGER", help="The file, one run a line.")]
Metric = Annotated[
    str,
    typer.Option(
        autocompletion=complete_measure,
        help="pace, throughput, time_cost, or a metric of epochs.",
    ),
]
Better = Annotated[
    str | None, typer.Option(metavar="higher|lower", help="If the metric's name does not tell.")
]
Series = Annotated[
    str | None, typer.Option(metavar="NAME", help="Only the runs that were added under this name.")
]


@history.command()
def add(
    ledger: LedgerFile,
    logs: Logs,
    series: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Keeps trainings apart whose logs look the same."),
    ] = None,
    warmup: Annotated[
        str, typer.Option(metavar="auto|N", help="Windows to drop from each run.")
    ] = "auto",
    note: Annotated[str, typer.Option(help="Anything to be remembered of these runs.")] = "",
    where: Where = None,
) -> None:
    """Add runs to the ledger, in the order given; of an archive those that are new."""
    with user_errors():
        from datetime import UTC, datetime

        from fitlog.chosen import ORDER_OF_UNDATED, choose_runs
        from fitlog.errors import LogError
        from fitlog.fingerprint import BARE
        from fitlog.ledger import add_entries, read_ledger
        from fitlog.options import number_of_windows
        from fitlog.past import make_entry
        from fitlog.printable import printable
        from fitlog.readings import read_run
        from fitlog.tables import RunLog
        from fitlog.which_run import find_every_run

        require_one_stdin(logs)
        warm_up = number_of_windows(warmup)
        entries: list[Entry] = []
        archived: set[str] = set()
        for source in find_every_run(choose_runs(logs, where)):
            try:
                entry = make_entry(
                    read_run(source),
                    added=datetime.now(UTC),
                    series=series,
                    warm_up=warm_up,
                    note=note,
                )
            except LogError as error:
                if not isinstance(source, RunLog):
                    raise
                typer.echo(f"fitlog: left out: {printable(str(error))}", err=True)
                continue
            entries.append(entry)
            if isinstance(source, RunLog):
                archived.add(entry.id)
        added = add_entries(ledger, entries, skip=archived)
        if known := len(entries) - len(added):
            typer.echo(f"known already, or twice in the archive: {known}")
        if undated := sum(not entry.start for entry in added if entry.id in archived):
            typer.echo(f"fitlog: runs without a date: {undated}, {ORDER_OF_UNDATED}", err=True)
        for entry in added:
            typer.echo(printable(f"added run {entry.id}: {entry.log}"))
            if "pace" not in entry.measures:
                typer.echo("  it holds no speeds: only metrics and times can be judged by it")
            if entry.like_source == BARE:
                typer.echo("  no run.json tells where it ran: this machine is assumed")
        _say_doubts(read_ledger(ledger))


@history.command("list")
def list_runs(ledger: LedgerFile) -> None:
    """List the runs, a line each, and what was accepted."""
    with user_errors():
        from fitlog.ledger import read_ledger
        from fitlog.timeline import format_list

        typer.echo(format_list(read_ledger(ledger)))


@history.command()
def show(
    ledger: LedgerFile,
    metric: Metric = "pace",
    better: Better = None,
    series: Series = None,
    plot: Annotated[
        Path | None, typer.Option(help="Draw a picture as well: .png, .svg or .pdf.")
    ] = None,
) -> None:
    """Show the runs, their levels, and where these changed."""
    with user_errors():
        from fitlog.ledger import read_ledger
        from fitlog.measures import find_measure
        from fitlog.printable import printable
        from fitlog.timeline import find_timelines, format_timeline, only_timeline

        held = read_ledger(ledger)
        timelines = find_timelines(held, find_measure(metric, better), series=series)
        text = "\n\n".join(format_timeline(timeline) for timeline in timelines)
        typer.echo("\n".join([text, *map(printable, held.doubts)]))
        if plot is not None:
            from fitlog.plots import draw_history, save_figure

            save_figure(draw_history(only_timeline(timelines)), plot)
            typer.echo(f"wrote {printable(str(plot))}")


@history.command()
def accept(
    ledger: LedgerFile,
    run: Annotated[
        str | None, typer.Argument(help="The first run of the new level.  [default: the last one]")
    ] = None,
    reason: Annotated[str, typer.Option(help="Why the new level is right.")] = "",
) -> None:
    """Accept a new level: from this run on, new ones are judged by it."""
    with user_errors():
        from datetime import UTC, datetime

        from fitlog.errors import BaselineError, SettingError
        from fitlog.ledger import Acceptance, read_ledger
        from fitlog.ledger import accept as write_acceptance
        from fitlog.past import who

        if not reason.strip():
            raise SettingError("--reason is missing: say why the new level is right")
        held = read_ledger(ledger)
        _say_doubts(held)
        if not held.entries:
            raise BaselineError(f"{ledger} holds no run whose level could be accepted")
        entry = held.entries[-1] if run is None else held.find(run)
        added = datetime.now(UTC).isoformat(timespec="seconds")
        write_acceptance(ledger, Acceptance(run=entry.id, reason=reason, added=added, by=who()))
        typer.echo(f"from run {entry.id} on, a new level holds")


@history.command()
def prune(
    ledger: LedgerFile,
    keep: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Keep the last N runs of each series.")
    ] = None,
    run: Annotated[list[str] | None, typer.Option(metavar="RUN", help="Remove this run.")] = None,
) -> None:
    """Remove runs from the ledger."""
    with user_errors():
        from fitlog.errors import SettingError
        from fitlog.ledger import prune as remove_runs
        from fitlog.ledger import read_ledger
        from fitlog.past import choose_pruned

        if (keep is None) == (not run):
            raise SettingError("say either --keep N or --run RUN: what to remove")
        removed = remove_runs(ledger, lambda held: choose_pruned(held, keep=keep, runs=run or ()))
        typer.echo(f"removed {len(removed)} run{'s' * (len(removed) != 1)}")
        _say_doubts(read_ledger(ledger))


@history.command()
def export(
    ledger: LedgerFile,
    metric: Metric = "pace",
    better: Better = None,
    series: Series = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="The file.  [default: standard output]")
    ] = None,
) -> None:
    """Write one series as CSV, which Apache Otava reads as well."""
    with user_errors():
        from fitlog.errors import OutputError
        from fitlog.ledger import read_ledger
        from fitlog.measures import find_measure
        from fitlog.printable import printable
        from fitlog.timeline import find_timelines, format_csv, only_timeline

        if output is not None:
            require_other_file(output, [ledger])
        measure = find_measure(metric, better)
        held = read_ledger(ledger)
        _say_doubts(held)
        found = find_timelines(held, measure, series=series)
        text = format_csv(only_timeline(found))
        if output is None:
            typer.echo(text, nl=False)
            return
        try:
            output.write_text(text, encoding="utf-8")
        except OSError as error:
            raise OutputError(f"cannot write {output}: {error.strerror}") from None
        typer.echo(f"wrote {printable(str(output))}")


def _say_doubts(held: Ledger) -> None:
    """Of the lines that were skipped; on standard error, for the output may be read by programs."""
    from fitlog.printable import printable

    for doubt in held.doubts:
        typer.echo(f"fitlog: {printable(doubt)}", err=True)
