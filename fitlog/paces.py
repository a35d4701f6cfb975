"""From a log to the one run in it that is judged, its pace, and what to doubt about it."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from fitlog.errors import LogError, NoRecordsError
from fitlog.sources import Source, name_of, read_columns
from fitlog.stats import Pace, measure_pace
from fitlog.tables import RunLog

MIN_WINDOWS: Final = 5
# What the judged run of a log is chosen by says as much as these findings would.
_TOLD_OTHERWISE: Final = ("restart",)


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgedRun:
    """A run that took part.

    `set_aside` says why it was not counted, or is empty; `doubts` are what a reader of the verdict
    should know about the log.
    """

    name: str
    pace: Pace
    set_aside: str = ""
    doubts: tuple[str, ...] = ()


class _Window(NamedTuple):
    """A training window: node is a rank, or something below every rank."""

    node: int
    run: int
    line: int
    samples_per_sec: float


def load_pace(source: Source | RunLog, *, warm_up: int | None = None) -> JudgedRun:
    """The pace of a log's last run, from the training windows of its first node.

    Raises:
        LogError: the log cannot be read, has a speed that is no speed, or too few windows.
    """
    name, windows, doubts = _windows_of(source)
    if not windows:
        raise NoRecordsError("holds no speed of a training: nothing to judge", path=name)
    node = min(window.node for window in windows)
    runs = {window.run for window in windows if window.node == node}
    speeds = [w for w in windows if w.node == node and w.run == max(runs)]
    if max(runs) > 0:
        doubts.append(f"it holds {max(runs) + 1} runs, and the last one is judged")
    bad = [w for w in speeds if not (math.isfinite(w.samples_per_sec) and w.samples_per_sec > 0)]
    if bad:
        raise LogError(
            f"{len(bad)} of {len(speeds)} speeds cannot be true, the first is"
            f" {bad[0].samples_per_sec}: the clock or the log is broken, and what it says of"
            " throughput cannot be judged",
            path=name,
            line=bad[0].line,
        )
    cut = 0 if warm_up is None else warm_up
    if len(speeds) - cut < MIN_WINDOWS + (warm_up is None):
        raise LogError(
            f"{len(speeds)} speed lines are too few to judge: {MIN_WINDOWS} are needed after the"
            " warm-up; train longer, or report more often (--disp-batches, Speedometer's frequent)",
            path=name,
        )
    pace = measure_pace([window.samples_per_sec for window in speeds], warm_up=warm_up)
    return JudgedRun(name=name, pace=pace, doubts=tuple(doubts))


def _windows_of(source: Source | RunLog) -> tuple[str, list[_Window], list[str]]:
    """The source's name, all its training windows, and what is doubtful about it."""
    rows: Iterable[tuple[Any, ...]]
    if isinstance(source, RunLog):
        name, table = source.name, source.speed
        nodes, splits = table["node"].fillna(-1), table["split"].cat.codes
        columns = (nodes, table["run"], table["line"], table["samples_per_sec"], splits)
        rows = zip(*(column.tolist() for column in columns), strict=True)
        findings = list(zip(source.warnings["code"], source.warnings["text"], strict=True))
        unread = len(source.unparsed)
    else:
        name, read = name_of(source), read_columns([source])
        speed = read.speed
        rows = zip(
            speed.node, speed.run, speed.line, speed.samples_per_sec, speed.split, strict=True
        )
        findings = [(finding.code, finding.text) for _, finding in read.findings]
        unread = len(read.unparsed)
    windows = [_Window._make(row[:4]) for row in rows if row[4] == 0]
    doubts = [text for code, text in findings if code not in _TOLD_OTHERWISE]
    if unread:
        doubts.append(f"pieces of text that look like records and were not read: {unread}")
    return name, windows, doubts
