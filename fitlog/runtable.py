"""The table of runs: where each begins and ends in its file, and how it ended.

aborted     it died before it said anything of its training
finished    its last epoch ended, with the validation if the epochs before had one, and it is
            the last of all epochs where the log states how many there were to be
restarted   it was broken off, and another run follows in the file
cut         it was broken off, or goes on still
"""

from __future__ import annotations

from typing import Any

import numpy as np

from fitlog.course import Course, Place, Run
from fitlog_parsers import MISSING


class _Epochs:
    """The epochs of one run that were trained, ended and validated."""

    def __init__(self) -> None:
        self.trained: set[int] = set()
        self.ended: set[int] = set()
        self.validated: set[int] = set()


def run_table(course: Course) -> dict[str, Any]:
    """The table's columns: one row per (file, run, node).

    Columns: file int64, run int64, node Int64, status category, begin_epoch Int64, last_epoch
    Int64, epochs int64 (those that ended), first_line int64, last_line int64.
    """
    import pandas as pd

    told = {place: _Epochs() for place in course.runs}
    for (file, run, node, epoch), what in course.epochs.items():
        epochs = told[file, run, node]
        for is_so, those in (
            (what.is_trained, epochs.trained),
            (what.is_ended, epochs.ended),
            (what.is_validated, epochs.validated),
        ):
            if is_so:
                those.add(epoch)
    last_runs: dict[int, int] = {}
    for file, run, _ in course.runs:
        last_runs[file] = max(run, last_runs.get(file, 0))
    rows: dict[str, list[Any]] = {
        name: []
        for name in (
            *("file", "run", "node", "status", "begin_epoch", "last_epoch"),
            *("epochs", "first_line", "last_line"),
        )
    }
    for place, run_told in sorted(course.runs.items(), key=_node_last):
        file, run, node = place
        epochs = told[place]
        every = epochs.trained | epochs.ended | epochs.validated
        values = (
            file,
            run,
            pd.NA if node == MISSING else node,
            _status(run_told, epochs, is_last=run == last_runs[file]),
            min(every) if every else pd.NA,
            max(every) if every else pd.NA,
            len(epochs.ended | epochs.validated),
            run_told.first_line,
            run_told.last_line,
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


def _status(run: Run, epochs: _Epochs, *, is_last: bool) -> str:
    every = epochs.trained | epochs.ended | epochs.validated
    if not run.has_values:
        return "aborted"
    if not every:
        return "cut" if is_last else "restarted"
    last = max(every)
    ended = last in epochs.ended or last in epochs.validated
    if epochs.validated - {last} and last not in epochs.validated:
        ended = False
    if run.num_epochs is not None and last + 1 < run.num_epochs:
        ended = False
    if ended:
        return "finished"
    return "cut" if is_last else "restarted"


def _node_last(item: tuple[Place, Run]) -> tuple[int, int, bool, int]:
    file, run, node = item[0]
    return file, run, node == MISSING, node
