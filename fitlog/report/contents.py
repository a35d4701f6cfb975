"""What a report says of its runs, gathered from their logs and from what lies beside them."""

from __future__ import annotations

import os
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from fitlog.compared import RunFacts
from fitlog.comparing import MOST_COMPARED, compare
from fitlog.comparison import Comparison
from fitlog.doctor import Examination, examine
from fitlog.errors import FitlogError
from fitlog.gate import Judgement, check
from fitlog.phase_sums import FitSums
from fitlog.plots.curves import Curve, make_curves
from fitlog.report.beside import Beside, Problem, read_beside
from fitlog.report.raw import joined_tables
from fitlog.report.series import Chart, make_charts
from fitlog.report.stacks import Stack
from fitlog.sources import Source, opened
from fitlog.tables import TABLES, RunLog, is_archived, read_log
from fitlog.which_run import find_runs

if TYPE_CHECKING:
    import pandas as pd

    from fitlog.ledger import Ledger


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
    """All that a page shows; `unjudged` says why there is no judgement where one was asked for.

    `problems` are files that could not be used.
    """

    title: str
    runs: tuple[ReportedRun, ...]
    curves: tuple[Curve, ...]
    charts: tuple[Chart, ...]
    comparison: Comparison | None
    judgement: Judgement | None
    unjudged: str
    notes: tuple[str, ...]
    problems: tuple[Problem, ...]
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
        LogError: a log cannot be read. NoRecordsError: one holds no record.
    """
    notes = []
    sources = [(source, False) for source in find_runs(logs)]
    archived = {source.name for source, _ in sources if is_archived(source)}
    for source in find_runs(baseline):
        if is_archived(source) and source.name in archived:
            notes.append(f"{source.name} is a candidate, and is left out of the baseline")
        else:
            sources.append((source, True))
    read = [source if isinstance(source, RunLog) else read_log(source) for source, _ in sources]
    beside = [
        read_beside(log, source, number)
        for number, (log, (source, _)) in enumerate(zip(read, sources, strict=True))
    ]
    names = _names([each.facts.name for each in beside])
    runs = tuple(
        _run(name, log, source, is_old, each)
        for name, log, (source, is_old), each in zip(names, read, sources, beside, strict=True)
    )
    new, old = ([run.log for run in runs if run.is_baseline is side] for side in (False, True))
    curves = tuple(make_curves([run.log for run in runs], names))
    comparison = None
    if len(runs) > MOST_COMPARED:
        notes.append(f"{len(runs)} runs are not compared: {MOST_COMPARED} can be told apart")
    elif len(runs) > 1:
        comparable = [each.comparable for each in beside]
        comparison = compare(*comparable, baseline=comparable[len(new)] if old else None)
    judgement, unjudged = None, ""
    if baseline or history is not None:
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
        problems=tuple(problem for each in beside for problem in each.problems),
        tables={
            table: joined_tables([(run.name, getattr(run.log, table)) for run in runs])
            for table in TABLES
        },
    )


def _names(names: Sequence[str]) -> list[str]:
    """The logs' folders or files, with as much of the path as tells them apart."""
    short = [Path(name).stem if Path(name).suffix else Path(name).name for name in names]
    return [
        each if short.count(each) == 1 else whole for each, whole in zip(short, names, strict=True)
    ]


def _run(
    name: str, log: RunLog, source: Source | RunLog, is_baseline: bool, beside: Beside
) -> ReportedRun:
    examination = examine(log)
    return ReportedRun(
        name=name,
        is_baseline=is_baseline,
        log=log,
        facts=beside.facts,
        examination=examination,
        lines=_lines_of(source, {doubt.line for doubt in examination.doubts}),
        phases=beside.phases,
        stack=beside.stack,
    )


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
