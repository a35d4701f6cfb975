"""From a log to the one run in it that is judged, its pace, and what to doubt about it."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from fitlog.errors import LogError, NoRecordsError, SettingError
from fitlog.reading import read_columns
from fitlog.remedies import TOLD_BY_TABLES
from fitlog.sources import Source, name_of, size_of
from fitlog.stats import Pace, measure_pace
from fitlog.tables import RunLog

MIN_WINDOWS: Final = 5
_LARGE_BYTES: Final = 1 << 20


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
    log = _read(source)
    name = log.name
    ranks = {window.node for window in log.windows}
    if not ranks:
        raise NoRecordsError("holds no speed of a training: nothing to judge", path=name)
    node = min(ranks, key=lambda rank: (rank < 0, rank))  # below 0: lines that name no rank
    last = log.last_runs[node]
    speeds = [w for w in log.windows if (w.node, w.run) == (node, last)]
    if not speeds:
        raise NoRecordsError(
            f"the last of its {last + 1} runs reports no speed: did it die before?", path=name
        )
    doubts = log.doubts
    if last > 0:
        doubts.append(f"it holds {last + 1} runs, and the last one is judged")
    if len(ranks) > 1:
        doubts.append(f"of {len(ranks)} nodes, the first one's windows are judged")
    bad = [w for w in speeds if not (math.isfinite(w.samples_per_sec) and w.samples_per_sec > 0)]
    if bad:
        raise LogError(
            f"{len(bad)} of {len(speeds)} speeds cannot be true, the first is"
            f" {bad[0].samples_per_sec}: the clock or the log is broken, and what it says of"
            " throughput cannot be judged",
            path=name,
            line=bad[0].line,
        )
    values = [window.samples_per_sec for window in speeds]
    pace = measure_pace(values, warm_up=warm_up) if len(values) > (warm_up or 0) else None
    if pace is None or pace.windows < MIN_WINDOWS:
        raise LogError(
            f"{len(speeds)} speed lines are too few to judge: {MIN_WINDOWS} are needed after the"
            " warm-up; train longer, or report more often (--disp-batches, Speedometer's frequent)",
            path=name,
        )
    return JudgedRun(name=name, pace=pace, doubts=tuple(doubts))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Log:
    """What the choice rests on: training windows, the last run of each node, and doubts."""

    name: str
    windows: list[_Window]
    last_runs: dict[int, int]
    doubts: list[str]


def _read(source: Source | RunLog) -> _Log:
    rows: Iterable[tuple[Any, ...]]
    places: list[tuple[Any, Any]] = []
    if isinstance(source, RunLog):
        if "file" in source.speed:
            raise SettingError("several logs that were read as one cannot be judged as one run")
        name, table = source.name, source.speed
        nodes, splits = table["node"].fillna(-1), table["split"].cat.codes
        columns = (nodes, table["run"], table["line"], table["samples_per_sec"], splits)
        rows = zip(*(column.tolist() for column in columns), strict=True)
        for frame in (source.speed, source.metrics, source.events):
            ranks = frame["node"].fillna(-1).tolist()
            places += zip(ranks, frame["run"].tolist(), strict=True)
        findings = list(zip(source.warnings["code"], source.warnings["text"], strict=True))
        unread = len(source.unparsed)
    else:
        # For a log of ordinary size numpy would cost more than it saves.
        name = name_of(source)
        read = read_columns([source], bulk=size_of(source) > _LARGE_BYTES)
        speed = read.speed
        values = (speed.node, speed.run, speed.line, speed.samples_per_sec, speed.split)
        rows = zip(*(column.tolist() for column in values), strict=True)
        for part in (read.speed, read.metrics, read.events):
            places += zip(part.node.tolist(), part.run.tolist(), strict=True)
        findings = [(finding.code, finding.text) for _, finding in read.findings]
        unread = len(read.unparsed)
    last_runs: dict[int, int] = {}
    for node, run in places:
        last_runs[node] = max(run, last_runs.get(node, 0))
    # Restarts are told by the runs' number; what tables tell, this reads for itself.
    doubts = [text for code, text in findings if code not in {"restart", *TOLD_BY_TABLES}]
    if unread:
        doubts.append(f"pieces of text that look like records and were not read: {unread}")
    return _Log(
        name=name,
        windows=[_Window._make(row[:4]) for row in rows if row[4] == 0],
        last_runs=last_runs,
        doubts=doubts,
    )
