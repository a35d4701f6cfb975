"""`fitlog plot` and `fitlog phases`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fitlog.choices import ReportFormat
from fitlog.cli.app import Logs, Where, read_one, require_one_stdin, require_other_file
from fitlog.endings import user_errors

if TYPE_CHECKING:
    from fitlog.sources import Source
    from fitlog.tables import RunLog


def plot(
    logs: Logs,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            help="The picture: .png, .svg or .pdf.  [default: beside the first log, .png]",
        ),
    ] = None,
    phases: Annotated[
        bool,
        typer.Option("--phases", help="Draw where the time of one run went, by its phases.jsonl."),
    ] = False,
    fit: Annotated[
        int | None,
        typer.Option(metavar="N", help="Of several fits, this one.  [default: the last]"),
    ] = None,
    where: Where = None,
) -> None:
    """Draw speed and metrics of one training, or of several over each other, as a picture."""
    with user_errors():
        if phases:
            _plot_phases(logs, output, fit)
            return
        from fitlog.chosen import choose_runs
        from fitlog.plots import plot_logs, save_figure
        from fitlog.printable import printable
        from fitlog.sources import find_logs

        require_one_stdin(logs)
        found = find_logs(choose_runs(logs, where))
        target = output or _picture_beside(found[0])
        require_other_file(target, found)
        save_figure(plot_logs([read_one(source) for source in found]), target)
        typer.echo(f"wrote {printable(str(target))}")


def _plot_phases(logs: list[str], output: Path | None, fit: int | None) -> None:
    from fitlog.errors import SettingError
    from fitlog.phase_plots import plot_phases
    from fitlog.phase_records import find_phase_file
    from fitlog.phases import read_phases
    from fitlog.plots import save_figure
    from fitlog.printable import printable

    if len(logs) > 1:
        raise SettingError("--phases draws one run: draw each by a command of its own")
    file = find_phase_file(logs[0])
    target = output or file.with_suffix(".png")
    require_other_file(target, [file])
    save_figure(plot_phases(read_phases(file), fit), target)
    typer.echo(f"wrote {printable(str(target))}")


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
