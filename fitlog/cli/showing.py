"""`fitlog plot` and `fitlog phases`."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, cast

import typer

from fitlog.choices import PlotKind, PlotStyle, PlotX, ReportFormat
from fitlog.cli.app import (
    Logs,
    Where,
    given_options,
    read_one,
    require_one_stdin,
    require_other_file,
)
from fitlog.endings import user_errors

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from fitlog.measures import Measure
    from fitlog.plots.view import View
    from fitlog.sources import Source
    from fitlog.tables import RunLog


def plot(
    context: typer.Context,
    logs: Logs,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            help="The picture: .png, .svg or .pdf.  [default: beside the first log, .png]",
        ),
    ] = None,
    kind: Annotated[PlotKind, typer.Option(help="What to draw.")] = PlotKind.OVERVIEW,
    x: Annotated[
        PlotX | None,
        typer.Option(help="What runs along.  [default: batch for the speed, epoch for metrics]"),
    ] = None,
    metric: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="Only this metric; may be given several times."),
    ] = None,
    each: Annotated[
        bool,
        typer.Option("--each", help="A panel for each run; of --kind speed, metrics or epochs."),
    ] = False,
    smooth: Annotated[
        float | None,
        typer.Option(
            metavar="HALF-LIFE",
            help="Draw time-weighted means: half-life in units of x, in seconds for times.",
        ),
    ] = None,
    log_scale: Annotated[
        bool, typer.Option("--log-scale", help="A logarithmic axis for the values.")
    ] = False,
    clip: Annotated[bool, typer.Option(help="Leave outliers beyond the axes, and say so.")] = True,
    marks: Annotated[
        bool, typer.Option(help="Mark epochs, restarts, learning rates, checkpoints, the best.")
    ] = True,
    batch_size: Annotated[
        int | None, typer.Option(min=1, help="For --x sample, where the log does not state it.")
    ] = None,
    style: Annotated[PlotStyle, typer.Option(help="The ground to draw on.")] = PlotStyle.LIGHT,
    size: Annotated[
        str | None, typer.Option(metavar="WxH", help="Inches, such as 8x5.  [default: by content]")
    ] = None,
    dpi: Annotated[int, typer.Option(min=10, max=1200, help="Dots per inch of a .png.")] = 150,
    show: Annotated[
        bool, typer.Option("--show", help="Open the picture when it is drawn.")
    ] = False,
    terminal: Annotated[
        bool, typer.Option("--terminal", help="Draw here, as text, and write no file.")
    ] = False,
    series: Annotated[
        str | None, typer.Option(help="With --kind history: the series of the ledger to draw.")
    ] = None,
    phases: Annotated[bool, typer.Option("--phases", help="The same as --kind phases.")] = False,
    fit: Annotated[
        int | None,
        typer.Option(
            metavar="N", help="With --kind phases: of several fits, this one.  [default: the last]"
        ),
    ] = None,
    where: Where = None,
) -> None:
    """Draw trainings as a picture, of one of several kinds.

    Several logs are drawn over each other. LOG is a ledger with --kind history, and a run's folder
    or its phases.jsonl with --kind phases.
    """
    with user_errors():
        from fitlog.options import inches, positive
        from fitlog.plots.view import View

        kind = PlotKind.PHASES if phases else kind
        _require_fitting(kind, given_options(context, besides=()))
        wanted_size = inches("--size", size)
        view = View(
            x=x.value if x else None,
            smooth=positive("--smooth", smooth),
            log_scale=log_scale,
            clip=clip,
            marks=marks,
            batch_size=batch_size,
            style=style.value,
        )
        require_one_stdin(logs)
        if show and not terminal:
            require_display()
        files, target = _files(kind, logs, where, output)
        if not terminal:
            require_other_file(target, files)
        figure = _draw(kind, files, view, metrics=metric or [], each=each, fit=fit, series=series)
        if not each:
            _say_too_many(logs, len(files))
        if terminal:
            _print_figure(figure)
            return
        from fitlog.plots.themes import save_figure
        from fitlog.printable import printable

        save_figure(figure, target, dpi=dpi, size=wanted_size)
        typer.echo(f"wrote {printable(str(target))}")
        if show and typer.launch(str(target)):
            typer.echo("fitlog: no program was found that opens pictures", err=True)


# Which kinds an option is for; the others are for all.
_KINDS_OF: Final = {
    "--x": "overview speed metrics compare",
    "--metric": "overview metrics history",
    "--each": "speed metrics epochs",
    "--smooth": "overview speed metrics compare",
    "--log-scale": "overview speed metrics epochs compare",
    "--clip": "overview speed metrics compare",
    "--marks": "overview speed metrics compare",
    "--batch-size": "overview speed metrics compare",
    "--series": "history",
    "--fit": "phases",
    "--where": "overview speed metrics epochs compare",
}


def _require_fitting(kind: PlotKind, given: Sequence[str]) -> None:
    """Raise where an option is given that this kind of picture has no use for."""
    from fitlog.errors import SettingError

    for option in given:
        kinds = _KINDS_OF.get(option, kind.value).split()
        if kind.value not in kinds:
            raise SettingError(f"{option} is for --kind {' or '.join(kinds)}, not for {kind.value}")


def require_display() -> None:
    """Raise where a picture could not be opened."""
    from fitlog.errors import SettingError

    if sys.platform == "linux" and not any(map(os.environ.get, ("DISPLAY", "WAYLAND_DISPLAY"))):
        raise SettingError("--show needs a display, and there is none here: --terminal draws text")


def _files(
    kind: PlotKind, logs: list[str], where: str | None, output: Path | None
) -> tuple[list[Source | RunLog], Path]:
    """What is read, and the picture's file."""
    from fitlog.chosen import choose_runs
    from fitlog.errors import SettingError

    if kind in (PlotKind.PHASES, PlotKind.HISTORY) and len(logs) > 1:
        raise SettingError(f"{kind.value} are drawn of one run or ledger: draw each by itself")
    if kind is PlotKind.PHASES:
        from fitlog.phase_records import find_phase_file

        file = find_phase_file(logs[0])
        return [file], output or file.with_suffix(".png")
    if kind is PlotKind.HISTORY:
        return [*logs], output or _picture_beside(logs[0])
    if kind is PlotKind.COMPARE:
        from fitlog.which_run import find_runs

        return find_runs(choose_runs(logs, where)), output or Path("compared.png")
    from fitlog.sources import find_logs

    sources = find_logs(choose_runs(logs, where))
    return sources, output or _picture_beside(sources[0])


def _draw(
    kind: PlotKind,
    files: Sequence[Source | RunLog],
    view: View,
    *,
    metrics: Sequence[str],
    each: bool,
    fit: int | None,
    series: str | None,
) -> Figure:
    if kind is PlotKind.PHASES:
        from fitlog.phases import read_phases
        from fitlog.plots.phases import draw_phases

        return draw_phases(read_phases(cast(Path, files[0])), fit, view)
    if kind is PlotKind.HISTORY:
        from fitlog.ledger import read_ledger
        from fitlog.plots.history import draw_history
        from fitlog.timeline import find_timelines, only_timeline

        held = read_ledger(Path(str(files[0])))
        timelines = find_timelines(held, _measure(metrics), series=series)
        return draw_history(only_timeline(timelines), view)
    if kind is PlotKind.COMPARE:
        from fitlog.comparing import compare
        from fitlog.plots.compare import draw_comparison

        return draw_comparison(compare(*files), view)
    from fitlog.plots.pictures import draw_logs

    logs = [read_one(source) for source in files]
    return draw_logs(kind, logs, view, metrics=metrics, each=each)


def _say_too_many(named: Sequence[str], drawn: int) -> None:
    """Of more runs over each other than a reader can tell apart."""
    from fitlog.chosen import is_archive
    from fitlog.comparing import MOST_COMPARED

    if drawn > MOST_COMPARED:
        remedy = "--where CONDITION draws some" if any(map(is_archive, named)) else "name fewer"
        typer.echo(
            f"fitlog: {drawn:,} logs or runs lie over each other, and {MOST_COMPARED} can be told"
            f" apart: {remedy}",
            err=True,
        )


def _measure(metrics: Sequence[str]) -> Measure:
    """What a history is drawn of."""
    from fitlog.errors import SettingError
    from fitlog.measures import PACE, find_measure

    if len(metrics) > 1:
        raise SettingError("a history is drawn of one --metric")
    try:
        return find_measure(*metrics or [PACE])
    except SettingError:
        raise SettingError(
            f"nothing tells whether more of {metrics[0]!r} is better: say so to"
            " fitlog history show (--better higher or lower), which draws, too (--plot FILE)"
        ) from None


def _print_figure(figure: Figure) -> None:
    """As wide as the terminal, in colour where it is one."""
    import shutil

    from fitlog.plots.terminal import figure_text

    width = shutil.get_terminal_size().columns
    ascii_only = "utf" not in (sys.stdout.encoding or "").lower()
    color = sys.stdout.isatty() and "NO_COLOR" not in os.environ
    typer.echo(figure_text(figure, width, ascii_only=ascii_only, color=color), color=color)


def phases(
    run: Annotated[
        Path, typer.Argument(metavar="RUN", help="A run's folder, its log, or a phases.jsonl.")
    ],
    fit: Annotated[
        int | None, typer.Option(metavar="N", help="Only this fit of several; they count from 0.")
    ] = None,
    form: Annotated[ReportFormat, typer.Option("--format")] = ReportFormat.TEXT,
) -> None:
    """Say where the time of a training went, and what it is bound by."""
    with user_errors():
        from fitlog.errors import NoRecordsError, SettingError
        from fitlog.phase_records import find_phase_file, read_records
        from fitlog.phase_report import format_report
        from fitlog.phase_sums import sum_fit

        records = read_records(find_phase_file(run))
        if not records.fits and not records.validations:
            raise NoRecordsError("holds no fit", path=records.name)
        if fit is not None and not 0 <= fit < len(records.fits):
            raise SettingError(f"--fit {fit}: the file holds {len(records.fits)}, counted from 0")
        chosen = records.fits if fit is None else [records.fits[fit]]
        sums = [sum_fit(records, one) for one in chosen]
        if form is ReportFormat.JSON:
            import json

            typer.echo(json.dumps([one.to_dict() for one in sums], indent=2))
        else:
            typer.echo(format_report(records, sums))


def _picture_beside(log: Source | RunLog) -> Path:
    if log == "-" or not isinstance(log, (str, os.PathLike)):
        return Path("fitlog.png")
    return Path(log).with_suffix(".png")
