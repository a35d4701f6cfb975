"""The table of runs: where each begins and ends in its file, and how it ended.

aborted     it died before it said anything of its training
finished    its last epoch ended, with the validation if the epochs before had one, and it is
            the last of all epochs where the log states how many there were to be
restarted   it was broken off, and another run follows in the file
cut         it was broken off, or goes on still
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np

from fitlog.hparams import parse_hparams
from fitlog.segments import find_segments
from fitlog_parsers import MISSING
from fitlog_parsers.columns import SCOPES, SPLITS, Columns

_COUNTS: Final = ("num_epochs", "num_epoch", "epochs", "end_epoch")


@dataclass(slots=True)
class _Run:
    """What is known of one run of one node."""

    first_line: int
    last_line: int
    trained: set[int] = field(default_factory=set)
    ended: set[int] = field(default_factory=set)
    validated: set[int] = field(default_factory=set)
    has_values: bool = False
    num_epochs: int | None = None


def run_table(columns: Columns) -> dict[str, Any]:
    """The table's columns: one row per (file, run, node).

    Columns: file int64, run int64, node Int64, status category, begin_epoch Int64, last_epoch
    Int64, epochs int64 (those that ended), first_line int64, last_line int64.
    """
    import pandas as pd

    runs = _runs(columns)
    last_runs: dict[int, int] = {}
    for file, run, _ in runs:
        last_runs[file] = max(run, last_runs.get(file, 0))
    rows: dict[str, list[Any]] = {
        name: []
        for name in (
            *("file", "run", "node", "status", "begin_epoch", "last_epoch"),
            *("epochs", "first_line", "last_line"),
        )
    }
    for (file, run, node), told in sorted(runs.items(), key=_node_last):
        epochs = told.trained | told.ended | told.validated
        values = (
            file,
            run,
            pd.NA if node == MISSING else node,
            _status(told, is_last=run == last_runs[file]),
            min(epochs) if epochs else pd.NA,
            max(epochs) if epochs else pd.NA,
            len(told.ended | told.validated),
            told.first_line,
            told.last_line,
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


def _status(run: _Run, *, is_last: bool) -> str:
    epochs = run.trained | run.ended | run.validated
    if not run.has_values:
        return "aborted"
    if not epochs:
        return "cut" if is_last else "restarted"
    last = max(epochs)
    ended = last in run.ended or last in run.validated
    if run.validated - {last} and last not in run.validated:
        ended = False
    if run.num_epochs is not None and last + 1 < run.num_epochs:
        ended = False
    if ended:
        return "finished"
    return "cut" if is_last else "restarted"


def _runs(columns: Columns) -> dict[tuple[int, int, int], _Run]:
    runs: dict[tuple[int, int, int], _Run] = {}
    speed, metrics, events = columns.speed, columns.metrics, columns.events
    whole, validation = SCOPES.index("epoch"), SPLITS.index("validation")
    for place, epoch, first, last, _ in _segments(speed, np.zeros(len(speed), "i1")):
        run = _seen(runs, place, first, last)
        run.has_values = True
        if epoch != MISSING:
            run.trained.add(epoch)
    kinds = np.where(np.asarray(metrics.scope) == whole, 1 + np.asarray(metrics.split), 0)
    for place, epoch, first, last, kind in _segments(metrics, kinds):
        run = _seen(runs, place, first, last)
        run.has_values = True
        if epoch != MISSING:
            which = {0: run.trained, 1: run.ended, 1 + validation: run.validated}[kind]
            which.add(epoch)
    for i, kind_name in enumerate(events.kind):
        place = int(events.file[i]), int(events.run[i]), int(events.node[i])
        run = _seen(runs, place, int(events.line[i]), int(events.line[i]))
        if kind_name == "time_cost" and events.epoch[i] != MISSING:
            run.has_values = True
            run.ended.add(int(events.epoch[i]))
        elif kind_name == "start" and "Namespace(" in events.text[i]:
            run.num_epochs = _num_epochs(events.text[i])
    return runs


def _segments(table: Any, kind: Any) -> Iterator[tuple[tuple[int, int, int], int, int, int, int]]:
    """Where the run, the epoch or the kind changes: place, epoch, first and last line, kind."""
    columns = [np.asarray(getattr(table, name)) for name in ("file", "run", "node", "epoch")]
    columns.append(np.asarray(kind))
    line = np.asarray(table.line)
    heads, tails = find_segments(columns)
    rows = [column[heads].tolist() for column in columns]
    for file, run, node, epoch, what, first, last in zip(
        *rows, line[heads].tolist(), line[tails].tolist(), strict=True
    ):
        yield (file, run, node), epoch, first, last, what


def _seen(
    runs: dict[tuple[int, int, int], _Run], place: tuple[int, int, int], first: int, last: int
) -> _Run:
    run = runs.get(place)
    if run is None:
        run = runs[place] = _Run(first, last)
    run.first_line, run.last_line = min(run.first_line, first), max(run.last_line, last)
    return run


def _num_epochs(text: str) -> int | None:
    """How many epochs a script was told to train, as it logs its arguments."""
    arguments = parse_hparams(text)
    for name in _COUNTS:
        if isinstance(arguments.get(name), int):
            return int(arguments[name])
    return None


def _node_last(item: tuple[tuple[int, int, int], _Run]) -> tuple[int, int, bool, int]:
    file, run, node = item[0]
    return file, run, node == MISSING, node
