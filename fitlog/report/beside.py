"""What lies beside a run's log, as far as it can be used: a damaged file is told, and left out."""

from __future__ import annotations

import dataclasses
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from fitlog.compared import RunFacts, read_facts
from fitlog.errors import LogError, TrainingError
from fitlog.phase_records import find_phase_file, read_records
from fitlog.phase_sums import FitSums, sum_fit
from fitlog.phases import build_phase_log
from fitlog.report.stacks import Stack, make_stack
from fitlog.sources import Source
from fitlog.tables import RunLog, is_archived

_MOST_STACKS: Final = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """A file that could not be used: what is wrong with it, and what can be done."""

    text: str
    remedy: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Beside:
    """What is known of a run; `comparable` is its log without the files that could not be used."""

    facts: RunFacts
    comparable: RunLog
    phases: FitSums | None
    stack: Stack | None
    problems: tuple[Problem, ...]


def read_beside(log: RunLog, source: Source | RunLog, number: int) -> Beside:
    """Read what lies beside the log of a source; `number` is the run's among all.

    Raises:
        NoRecordsError: the log holds no record. SettingError: several logs that were read as one.
    """
    problems = []
    comparable = log
    try:
        facts = read_facts(log)
    except TrainingError as error:
        remedy = (
            "put a whole one back, or move it away: the log is shown without it, and compared"
            " without its phases"
        )
        problems.append(Problem(text=str(error), remedy=remedy))
        comparable = dataclasses.replace(log, record={})
        facts = read_facts(comparable)
    phases, stack = None, None
    try:
        phases, stack = _read_phases(source, number)
    except LogError as error:
        remedy = "put a whole one back, or move it away: the run is shown without its phases"
        problems.append(Problem(text=str(error), remedy=remedy))
    return Beside(
        facts=facts, comparable=comparable, phases=phases, stack=stack, problems=tuple(problems)
    )


def _read_phases(source: Source | RunLog, number: int) -> tuple[FitSums | None, Stack | None]:
    """The last fit of the file beside a run's log, where there is one; an archive has none."""
    if is_archived(source):
        return None, None
    place = source.name if isinstance(source, RunLog) else source
    if not isinstance(place, (str, os.PathLike)) or Path(place).name.split(".")[0] != "run":
        return None, None
    try:
        file = find_phase_file(place)
    except LogError:  # there is none
        return None, None
    records = read_records(file)
    if not records.fits:
        return None, None
    fit = records.fits[-1]
    stack = None
    if number < _MOST_STACKS:
        stack = make_stack(build_phase_log(records), fit.number, f"phases-{number}")
    return sum_fit(records, fit), stack
