"""What a report says of its runs, gathered from their logs and from what lies beside them."""

from __future__ import annotations

import os
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from fitlog.compared import RunFacts, read_facts
from fitlog.comparing import MOST_COMPARED, compare
from fitlog.comparison import Comparison
from fitlog.doctor import Examination, examine
from fitlog.errors import FitlogError, LogError
from fitlog.gate import Judgement, check
from fitlog.phase_records import find_phase_file, read_records
from fitlog.phase_sums import FitSums, sum_fit
from fitlog.phases import build_phase_log
from fitlog.plots.curves import Curve, make_curves
from fitlog.report.raw import joined_tables
from fitlog.report.series import Chart, make_charts
from fitlog.report.stacks import Stack, make_stack
from fitlog.sources import Source, opened
from fitlog.tables import TABLES, RunLog, read_log
from fitlog.which_run import find_runs

if TYPE_CHECKING:
    import pandas as pd

    from fitlog.ledger import Ledger


_MOST_STACKS: Final = 6
_LONGEST_LINE: Final = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportedRun:
    """A log of the report: `lines` are the texts of those that a warning names, by number."""

    name: str
    is_baseline: bool
    log: RunLog
    facts: RunFacts
    examination: Examination
    lines: dict[int, str]
    phases: FitSums | None
    stack: Stack | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Contents:
    """All that a page shows; `unjudged` says why there is no judgement where one was asked for."""

    title: str
    runs: tuple[ReportedRun, ...]
    curves: tuple[Curve, ...]
    charts: tuple[Chart, ...]
    comparison: Comparison | None
    judgement: Judgement | None
    unjudged: str
    notes: tuple[str, ...]
    tables: dict[str, pd.DataFrame]


def gather(
    logs: Sequence[Source | RunLog],
    *,
    baseline: Sequence[Source | RunLog] = (),
    history: str | os.PathLike[str] | Ledger | None = None,
    title: str | None = None,
    ignore: Collection[str] = (),
) -> Contents:
    """Read the logs and what lies beside them.

    Raises:
        LogError: a log or the phases beside it cannot be read. NoRecordsError: one holds no record.
        TrainingError: a damaged `run.json` beside a log.
    """
    named = [(source, False) for source in find_runs(logs)]
    named += [(source, True) for source in find_runs(baseline)]
    read = [(_read(source), source, is_old) for source, is_old in named]
    names = _names([facts.name for (_, facts), _, _ in read])
    runs = tuple(
        _run(name, log, facts, source, is_old, number)
        for number, (name, ((log, facts), source, is_old)) in enumerate(
            zip(names, read, strict=True)
        )
    )
    new, old = ([run.log for run in runs if run.is_baseline is side] for side in (False, True))
    curves = tuple(make_curves([run.log for run in runs], names))
    notes = []
    comparison = None
    if len(runs) > MOST_COMPARED:
        notes.append(f"{len(runs)} runs are not compared: {MOST_COMPARED} can be told apart")
    elif len(runs) > 1:
        comparison = compare(*new, *old, baseline=old[0] if old else None)
    judgement, unjudged = None, ""
    if old or history is not None:
        try:
            judgement = check(new, baseline=old, history=history, ignore=ignore)
        except FitlogError as error:
            unjudged = str(error)
    return Contents(
        title=title or (names[0] if len(names) == 1 else f"{len(names)} runs"),
        runs=runs,
        curves=curves,
        charts=tuple(make_charts(curves)),
        comparison=comparison,
        judgement=judgement,
        unjudged=unjudged,
        notes=tuple(notes),
        tables={
            table: joined_tables([(run.name, getattr(run.log, table)) for run in runs])
            for table in TABLES
        },
    )


def _read(source: Source | RunLog) -> tuple[RunLog, RunFacts]:
    log = source if isinstance(source, RunLog) else read_log(source)
    return log, read_facts(log)


def _names(names: Sequence[str]) -> list[str]:
    """The logs' folders or files, with as much of the path as tells them apart."""
    short = [Path(name).stem if Path(name).suffix else Path(name).name for name in names]
    return [
        each if short.count(each) == 1 else whole for each, whole in zip(short, names, strict=True)
    ]


def _run(
    name: str,
    log: RunLog,
    facts: RunFacts,
    source: Source | RunLog,
    is_baseline: bool,
    number: int,
) -> ReportedRun:
    examination = examine(log)
    lines = _lines_of(source, {doubt.line for doubt in examination.doubts})
    phases, stack = _phases_of(source, number)
    return ReportedRun(
        name=name,
        is_baseline=is_baseline,
        log=log,
        facts=facts,
        examination=examination,
        lines=lines,
        phases=phases,
        stack=stack,
    )


def _phases_of(source: Source | RunLog, number: int) -> tuple[FitSums | None, Stack | None]:
    """The last fit of the file beside a run's log, where there is one."""
    place = source.name if isinstance(source, RunLog) else source
    if not isinstance(place, (str, os.PathLike)) or Path(place).name.split(".")[0] != "run":
        return None, None
    try:
        records = read_records(find_phase_file(place))
    except LogError:  # there is none, or nothing in it; facts.notes say so
        return None, None
    if not records.fits:
        return None, None
    fit = records.fits[-1]
    stack = None
    if number < _MOST_STACKS:
        stack = make_stack(build_phase_log(records), fit.number, f"phases-{number}")
    return sum_fit(records, fit), stack


def _lines_of(source: Any, wanted: set[int]) -> dict[int, str]:
    """The texts of these lines of a file; what is not a file can be read only once."""
    if not wanted or not isinstance(source, (str, os.PathLike)) or os.fspath(source) == "-":
        return {}
    found: dict[int, str] = {}
    last, number, rest = max(wanted), 1, b""
    with opened(source) as file:
        while number <= last and (piece := file.read()):
            *whole, rest = (rest + piece).split(b"\n")
            for line in whole:
                if number in wanted:
                    found[number] = _shown(line)
                number += 1
    if number in wanted and rest:
        found[number] = _shown(rest)
    return found


def _shown(line: bytes) -> str:
    text = line.decode("utf-8", "replace").rstrip("\r")
    return text if len(text) <= _LONGEST_LINE else f"{text[:_LONGEST_LINE]}..."
