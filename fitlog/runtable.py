"""The table of runs: where each begins and ends in its file, and how it ended.

aborted     it died before it said anything of its training
finished    its last epoch ended, with the validation if the epochs before had one, and it is
            the last of all epochs where the log states how many there were to be; or the log says
            that the training is over
restarted   it was broken off, and another run follows in the file
cut         it was broken off, or goes on still
"""

from __future__ import annotations

import bisect
import sys
from typing import Any

import numpy as np

from fitlog.course import BEGINNINGS, COUNTS, STEPS, Course, Epoch, File, Place, Run
from fitlog_parsers import MISSING

# The epochs of one run by their numbers.
Epochs = dict[int, Epoch]


def run_table(course: Course) -> dict[str, Any]:
    """The table's columns: one row per (file, run, node).

    Columns: file int64, run int64, node Int64, status category, begin_epoch Int64, last_epoch
    Int64, epochs int64 (those that ended), first_line int64, last_line int64.
    """
    import pandas as pd

    every = _epochs_by_run(course)
    statuses = _statuses(course, every)
    rows: dict[str, list[Any]] = {
        name: []
        for name in (
            *("file", "run", "node", "status", "begin_epoch", "last_epoch"),
            *("epochs", "first_line", "last_line"),
        )
    }
    for place in _places(course):
        file, number, node = place
        run, epochs = course.runs[place], every[place]
        last = max(epochs, default=MISSING)
        values = (
            file,
            number,
            pd.NA if node == MISSING else node,
            statuses[place],
            min(epochs) if epochs else pd.NA,
            last if epochs else pd.NA,
            sum(epoch < last or told.is_stated for epoch, told in epochs.items()),
            run.first_line,
            run.last_line,
        )
        for name, value in zip(rows, values, strict=True):
            rows[name].append(value)
    states = pd.CategoricalDtype(["finished", "cut", "restarted", "aborted"])
    kinds: dict[str, Any] = {
        "status": states,
        **dict.fromkeys(("node", "begin_epoch", "last_epoch"), pd.Int64Dtype()),
    }
    return {
        name: pd.array(values, dtype=kinds[name]) if name in kinds else np.array(values, "int64")
        for name, values in rows.items()
    }


def _places(course: Course) -> list[Place]:
    """The runs to be listed, in order: not what lines without a rank say of ranks' trainings."""
    ranked = {file for file, _, node in course.runs if node != MISSING}
    return sorted(
        (
            (file, run, node)
            for (file, run, node), told in course.runs.items()
            if told.has_values or (told.is_told and (node != MISSING or file not in ranked))
        ),
        key=_node_last,
    )


def _epochs_by_run(course: Course) -> dict[Place, Epochs]:
    every: dict[Place, Epochs] = {place: {} for place in course.runs}
    for (file, run, node, number), epoch in course.epochs.items():
        if epoch.is_trained or epoch.is_stated:
            every[file, run, node][number] = epoch
    return every


def _statuses(course: Course, every: dict[Place, Epochs]) -> dict[Place, str]:
    last_runs: dict[int, int] = {}
    leaders: dict[tuple[int, int], Place] = {}
    for place in sorted(course.runs, key=_node_last):
        file, run, _ = place
        last_runs[file] = max(run, last_runs.get(file, 0))
        if every[place]:
            leaders.setdefault((file, run), place)
    statuses: dict[Place, str] = {}
    for place in course.runs:
        file, run, _ = place
        # Of many workers one may log for all: the others share its fate.
        leader = place if every[place] else leaders.get((file, run), place)
        told = course.runs[leader]
        following = course.runs.get((file, run + 1, leader[2]))
        until = sys.maxsize if following is None else following.first_line
        if _is_finished(told, every[leader], course.files[file], leader[2], until):
            statuses[place] = "finished"
        elif not told.has_values:
            statuses[place] = "aborted"
        else:
            statuses[place] = "cut" if run == last_runs[file] else "restarted"
    return statuses


def _is_finished(run: Run, epochs: Epochs, file: File, node: int, until: int) -> bool:
    """Whether a run came to its end; the next one of its node begins at line `until`."""
    if not run.has_values:
        return False
    first = bisect.bisect_right(file.ends, run.first_line, key=_line_of_end)
    behind = bisect.bisect_left(file.ends, until, lo=first, key=_line_of_end)
    if any(whose in (node, MISSING) for whose, _ in file.ends[first:behind]):
        return True
    crash = bisect.bisect_right(file.crashes, run.last_line)
    if crash < len(file.crashes) and file.crashes[crash] < until:
        return False
    if not epochs:
        return 0 < run.arguments.get(STEPS, 0) <= run.loose_batch + 1
    last = max(epochs)
    validated = [epoch for epoch, told in epochs.items() if told.is_validated]
    if any(epoch.is_stated for epoch in epochs.values()):
        if not epochs[last].is_stated or (validated and last not in validated):
            return False
    elif not _are_whole(epochs):
        return False
    # Where no report names its epoch, one that follows the last end is of the next epoch.
    if run.loose > epochs[last].last_line and not any(e.is_trained for e in epochs.values()):
        return False
    return not _is_short(run, epochs)


def _are_whole(epochs: Epochs) -> bool:
    """Whether all epochs came to the same last report, where none states its end."""
    ends = {epoch.batches for epoch in epochs.values()}
    return len(epochs) > 1 and len(ends) == 1 and MISSING not in ends


def _is_short(run: Run, epochs: Epochs) -> bool:
    """Whether there were to be more epochs, counted from 0, or from 1 as some scripts do."""
    counts = [run.arguments[name] for name in COUNTS if name in run.arguments]
    from_one = min(epochs) == 1 and not any(run.arguments.get(name) for name in BEGINNINGS)
    return bool(counts) and max(epochs) + (0 if from_one else 1) < counts[0]


def _line_of_end(end: tuple[int, int]) -> int:
    return end[1]


def _node_last(place: Place) -> tuple[int, int, bool, int]:
    file, run, node = place
    return file, run, node == MISSING, node
