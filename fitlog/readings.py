"""From a log to the one run in it that is judged: its speeds, epochs and metrics, and its doubts.

Of a log that holds several runs the last counts, of several nodes the first.
"""

from __future__ import annotations

import itertools
import statistics
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final, NamedTuple, cast

from fitlog.errors import SettingError
from fitlog.hparams import find_hparams
from fitlog.reading import read_columns
from fitlog.remedies import TOLD_BY_TABLES
from fitlog.run_folder import RUN_LOG
from fitlog.sources import Source, is_large, name_of
from fitlog.tables import RunLog
from fitlog.which_run import choose_run
from fitlog_parsers.columns import MISSING, SCOPES, SPLITS

_WHOLE_EPOCH: Final = SCOPES.index("epoch")


class Window(NamedTuple):
    """A speed that was reported of the training, and its line."""

    line: int
    samples_per_sec: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What a log says of the run that is judged.

    `windows` are the training's in order, `time_costs` seconds by epoch, `metrics` values by epoch
    for names such as 'validation-accuracy'. `frequent` is the commonest number of batches of a
    window. `runs` are those the log holds, `start` is the time of the first window, by the writer's
    clock, or empty, `folder` is the run's where `fitlog run` made one. `record` is its `run.json`
    as an archive has it, see `RunLog`: such a run is known by the archive alone, and has no folder.
    """

    name: str
    windows: tuple[Window, ...]
    time_costs: dict[int, float]
    metrics: dict[str, dict[int, float]]
    frequent: int | None
    hparams: dict[str, Any]
    runs: int
    start: str
    folder: Path | None
    doubts: tuple[str, ...]
    record: dict[str, Any] | None = None


class _Speed(NamedTuple):
    node: int
    run: int
    line: int
    samples_per_sec: float
    time: int
    batch_end: int


class _Value(NamedTuple):
    node: int
    run: int
    epoch: int
    name: str
    value: float


@dataclass(frozen=True, slots=True, kw_only=True)
class _Rows:
    """The rows of a log: training windows, metrics of whole epochs, times of epochs, places."""

    name: str
    speeds: list[_Speed]
    values: list[_Value]
    time_costs: list[_Value]
    places: set[tuple[int, int]]
    doubts: list[str]
    hparams: dict[str, Any] = field(default_factory=dict)


def read_run(source: Source | RunLog) -> Reading:
    """The run of a log that is judged.

    Raises:
        LogError: the log cannot be read. SettingError: several logs that were read as one.
    """
    rows = _rows_of_tables(source) if isinstance(source, RunLog) else _rows_of_source(source)
    choice = choose_run({(speed.node, speed.run) for speed in rows.speeds}, rows.places)
    here = choice.node, choice.run
    speeds = [speed for speed in rows.speeds if (speed.node, speed.run) == here]
    record = source.record if isinstance(source, RunLog) else None
    metrics: dict[str, dict[int, float]] = {}
    for value in rows.values:
        if (value.node, value.run) == here:
            metrics.setdefault(value.name, {})[value.epoch] = value.value
    return Reading(
        name=rows.name,
        windows=tuple(Window(speed.line, speed.samples_per_sec) for speed in speeds),
        time_costs={v.epoch: v.value for v in rows.time_costs if (v.node, v.run) == here},
        metrics=metrics,
        frequent=_frequent(speeds),
        hparams=rows.hparams,
        runs=choice.run + 1,
        start=_start_of(speeds),
        folder=_folder_of(rows.name) if record is None else None,
        doubts=(*rows.doubts, *choice.notes),
        record=record,
    )


def doubts_of(findings: Iterable[tuple[str, str]], unread: Any) -> list[str]:
    """What findings, as code and text, and unread pieces say against trusting a log.

    Restarts are told by the runs' number; what tables tell, who reads them sees.
    """
    doubts = [text for code, text in findings if code not in {"restart", *TOLD_BY_TABLES}]
    if len(unread):
        count = len(unread)
        doubts.append(f"pieces of text that look like records and were not read: {count}")
    return doubts


def _frequent(speeds: list[_Speed]) -> int | None:
    """The commonest step from one report to the next, of those within an epoch."""
    steps = [
        later.batch_end - earlier.batch_end
        for earlier, later in itertools.pairwise(speeds)
        if MISSING not in (earlier.batch_end, later.batch_end)
        and later.batch_end > earlier.batch_end
    ]
    return statistics.mode(steps) if steps else None


def _start_of(speeds: list[_Speed]) -> str:
    microseconds = speeds[0].time if speeds else MISSING
    try:
        start = datetime(1970, 1, 1) + timedelta(microseconds=microseconds)
    except OverflowError:  # missing, or no time that a calendar has
        return ""
    return start.isoformat(timespec="seconds")


def _folder_of(name: str) -> Path | None:
    path = Path(name)
    return path.parent if path.name == RUN_LOG and path.is_file() else None


def _rows_of_source(source: Source) -> _Rows:
    read = read_columns([source], bulk=is_large(source))
    speed, metrics, events = read.speed, read.metrics, read.events
    windows = zip(
        *_lists(speed.node, speed.run, speed.line, speed.samples_per_sec),
        *_lists(speed.time, speed.batch_end, speed.split),
        strict=True,
    )
    values = zip(
        *_lists(metrics.node, metrics.run, metrics.epoch, metrics.split),
        *_lists(metrics.scope, metrics.metric, metrics.value),
        strict=True,
    )
    names = metrics.names
    places: set[tuple[int, int]] = set()
    for part in (speed, metrics, events):
        places.update(zip(*_lists(part.node, part.run), strict=True))
    return _Rows(
        name=name_of(source),
        speeds=[_Speed._make(row[:6]) for row in windows if row[6] == 0],
        values=[
            _Value(node, run, epoch, f"{SPLITS[split]}-{names[metric]}", value)
            for node, run, epoch, split, scope, metric, value in values
            if scope == _WHOLE_EPOCH
        ],
        time_costs=[
            _Value(node, run, epoch, kind, value)
            for node, run, epoch, kind, value in zip(
                *_lists(events.node, events.run, events.epoch),
                events.kind,
                events.value,
                strict=True,
            )
            if kind == "time_cost"
        ],
        places=places,
        doubts=doubts_of([(found.code, found.text) for _, found in read.findings], read.unparsed),
        hparams=find_hparams(events),
    )


def _rows_of_tables(log: RunLog) -> _Rows:
    if "file" in log.speed:
        raise SettingError("several logs that were read as one cannot be judged as one run")
    speed = log.speed[log.speed["split"] == "train"]
    metrics = log.metrics[log.metrics["scope"] == "epoch"]
    costs = log.events[log.events["kind"] == "time_cost"]
    place = ("node", "run")
    window = (*place, "line", "samples_per_sec", "time", "batch_end")
    places: set[tuple[int, int]] = set()
    for table in (log.speed, log.metrics, log.events):
        places.update(_table_rows(table, place))
    return _Rows(
        name=log.name,
        speeds=[_Speed._make(row) for row in _table_rows(speed, window)],
        values=[
            _Value(node, run, epoch, f"{split}-{metric}", value)
            for node, run, epoch, split, metric, value in _table_rows(
                metrics, (*place, "epoch", "split", "metric", "value")
            )
        ],
        time_costs=[_Value(*row) for row in _table_rows(costs, (*place, "epoch", "kind", "value"))],
        places=places,
        doubts=doubts_of(
            zip(log.warnings["code"], log.warnings["text"], strict=True), log.unparsed
        ),
        hparams=log.hparams,
    )


def _table_rows(table: Any, names: tuple[str, ...]) -> Iterable[tuple[Any, ...]]:
    return zip(*(_table_column(table[name]) for name in names), strict=True)


def _table_column(column: Any) -> list[Any]:
    """A column's values; what is missing of integers and times is `MISSING`."""
    if column.dtype.kind == "M":
        return cast("list[Any]", column.astype("datetime64[us]").astype("int64").tolist())
    integers = column.fillna(MISSING) if column.name in ("node", "epoch", "batch_end") else column
    return cast("list[Any]", integers.tolist())


def _lists(*columns: Any) -> list[list[Any]]:
    return [column.tolist() for column in columns]
