"""The table of runs of an archive: one row a run, with all that is known of it."""

from __future__ import annotations

import bisect
import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import numpy as np
import pyarrow as pa

from fitlog.archive.rows import printed, run_id, words
from fitlog.archive.schema import TABLES, schema_of
from fitlog.course import Course
from fitlog.directions import is_higher_better
from fitlog.measures import measure_speeds
from fitlog.stats import t_quantile
from fitlog_parsers import MISSING
from fitlog_parsers.columns import SPLITS

_CONFIDENCE: Final = 0.975
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MOST_WHOLE: Final = 1 << 63
_NODE: Final = ("node", "status", "begin_epoch", "last_epoch", "epochs", "first_line", "last_line")
# By the columns that they fill, the names that scripts have for them.
_SETTINGS: Final = {
    "network": ("network",),
    "batch_size": ("batch_size",),
    "num_epochs": ("num_epochs", "num_epoch", "epochs"),
    "optimizer": ("optimizer",),
    "lr": ("lr", "learning_rate"),
    "kv_store": ("kv_store", "kvstore"),
    "dtype": ("dtype",),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFacts:
    """What lines say of a run.

    `started` and `ended` are dates (microseconds since 1970), `speeds` an array of those of the
    first node's training; `arguments` are those that it logged.
    """

    started: int | None
    ended: int | None
    speeds: Any
    arguments: dict[str, Any]


def run_rows(
    table: Mapping[str, Any],
    course: Course,
    files: Sequence[str],
    facts: Callable[[int, int], RunFacts],
    records: Mapping[str, dict[str, Any]],
    *,
    warnings: Sequence[tuple[int, int]],
    unparsed: Sequence[tuple[int, int]],
    dialects: Sequence[str | None],
) -> Any:
    """The rows as an Arrow table; `table` is that of `run_table`, one row a node.

    `warnings` and `unparsed` are their files and lines, in order; `dialects` are those of files.
    """
    nodes = _nodes_by_run(table)
    starts = _starts(nodes)
    warned, unread = _count(warnings, starts), _count(unparsed, starts)
    values = _values_by_run(course)
    rows: dict[str, list[Any]] = {name: [] for name in TABLES["runs"]}
    numbers = [file for file, _ in nodes]
    for (file, run), own in nodes.items():
        name = files[file]
        told = facts(file, run)
        first = own[0]
        record = records.get(name, {})
        best, last = _best_and_last(values.get((file, run, first["node"]), []))
        row = {
            "run_id": run_id(name, run),
            "run": run,
            "started": told.started if told.started is not None else moment_of(record.get("start")),
            "ended": told.ended if told.ended is not None else moment_of(record.get("end")),
            "status": first["status"],
            "record_status": _text(record.get("status")),
            "error": _text(record.get("error")),
            "dialect": dialects[file],
            "warnings": warned[file, run],
            "unparsed": unread[file, run],
            **{key: first[key] for key in ("begin_epoch", "last_epoch", "epochs")},
            "first_line": min(node["first_line"] for node in own),
            "last_line": max(node["last_line"] for node in own),
            "nodes": own,
            **_settings(record, told.arguments),
            **_pace(told.speeds),
            "best": best,
            "last": last,
        }
        for key, value in row.items():
            rows[key].append(value)
    schema = schema_of("runs")
    arrays = [
        words(numbers, files)
        if field.name == "file"
        else pa.array(rows[field.name], pa.string()).dictionary_encode()
        if field.name == "run_id"
        else pa.array(rows[field.name], field.type)
        for field in schema
    ]
    return pa.Table.from_arrays(arrays, schema=schema)


def _nodes_by_run(table: Mapping[str, Any]) -> dict[tuple[int, int], list[dict[str, Any]]]:
    """What is said of each node, by file and run, a rank's before those without one."""
    import pandas as pd

    columns: dict[str, list[Any]] = {
        name: [None if value is pd.NA else value for value in column.tolist()]
        for name, column in table.items()
    }
    nodes: dict[tuple[int, int], list[dict[str, Any]]] = {}
    for i, key in enumerate(zip(columns["file"], columns["run"], strict=True)):
        nodes.setdefault(key, []).append({name: columns[name][i] for name in _NODE})
    return nodes


def _starts(nodes: Mapping[tuple[int, int], Any]) -> dict[int, list[tuple[int, int]]]:
    """By file, where each run begins: its first line and its number, in order."""
    starts: dict[int, list[tuple[int, int]]] = {}
    for (file, run), own in nodes.items():
        starts.setdefault(file, []).append((min(node["first_line"] for node in own), run))
    return {file: sorted(found) for file, found in starts.items()}


def _count(
    notes: Sequence[tuple[int, int]], starts: Mapping[int, list[tuple[int, int]]]
) -> dict[tuple[int, int], int]:
    """How many of the notes are of each run: from its first line to that of the next.

    What stands before the first run is counted with it.
    """
    counts = {(file, run): 0 for file, found in starts.items() for _, run in found}
    for file, line in notes:
        found = starts.get(file)
        if found:
            at = max(0, bisect.bisect_right(found, line, key=lambda start: start[0]) - 1)
            counts[file, found[at][1]] += 1
    return counts


def _values_by_run(
    course: Course,
) -> dict[tuple[int, int, int | None], list[tuple[int, str, float]]]:
    """The metrics of whole epochs by file, run and node: epoch, name and value."""
    values: dict[tuple[int, int, int | None], list[tuple[int, str, float]]] = {}
    for (file, run, node, number), epoch in course.epochs.items():
        own = values.setdefault((file, run, None if node == MISSING else node), [])
        own += [
            (number, f"{SPLITS[code % 2]}-{course.names[code // 2]}", value)
            for code, value in zip(epoch.codes, epoch.values, strict=True)
        ]
    return values


def _best_and_last(
    values: Sequence[tuple[int, str, float]],
) -> tuple[list[tuple[str, float]], list[tuple[str, float]]]:
    """By metric the best value, where its name tells which that is, and that of the last epoch."""
    best: dict[str, float] = {}
    last: dict[str, float] = {}
    for _, metric, value in sorted(values, key=lambda one: one[:1]):
        name = printed(metric)
        last[name] = value
        higher = is_higher_better(metric)
        if higher is not None and math.isfinite(value):
            better = max if higher else min
            best[name] = better(value, best.get(name, value))
    return list(best.items()), list(last.items())


def _settings(record: Mapping[str, Any], logged: Mapping[str, Any]) -> dict[str, Any]:
    arguments = record.get("arguments")
    known = {**logged, **(arguments if isinstance(arguments, dict) else {})}
    found: dict[str, Any] = {}
    for column, names in _SETTINGS.items():
        value = next((known[name] for name in names if known.get(name) is not None), None)
        found[column] = _fit(column, value)
    host, versions = record.get("host"), record.get("versions")
    rest = {key: value for key, value in record.items() if key != "arguments"}
    return {
        **found,
        "host": _text(host.get("name")) if isinstance(host, dict) else None,
        "mxnet": _text(versions.get("mxnet")) if isinstance(versions, dict) else None,
        "settings": _json(known) if known else None,
        "record": _json(rest) if rest else None,
    }


def _fit(column: str, value: Any) -> Any:
    """The value as its column has it; None where it is of another kind."""
    kind = TABLES["runs"][column].type
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if kind == pa.int64():
        is_whole = isinstance(value, int) and is_number and -_MOST_WHOLE <= value < _MOST_WHOLE
        return value if is_whole else None
    if kind == pa.float64():
        try:
            return float(value) if is_number else None
        except OverflowError:
            return None
    return _text(value)


def _pace(speeds: Any) -> dict[str, float | None]:
    """The pace as the gate measures it; all None where it would not."""
    names = ("pace", "pace_low", "pace_high", "speed_median", "throughput", "windows")
    none: dict[str, float | None] = dict.fromkeys(names)
    pace = measure_speeds(speeds.tolist())
    if pace is None:
        return none
    half = t_quantile(_CONFIDENCE, pace.windows - 1) * math.sqrt(pace.variance)
    return {
        "pace": pace.samples_per_sec,
        "pace_low": math.exp(pace.pace - half),
        "pace_high": math.exp(pace.pace + half),
        "speed_median": float(np.median(speeds[pace.warm_up :])),
        "throughput": pace.throughput,
        "windows": pace.windows,
    }


def moment_of(text: object) -> int | None:
    """Microseconds since 1970 of a record's time, in UTC."""
    try:
        moment = datetime.fromisoformat(text) if isinstance(text, str) else None
        if moment is None:
            return None
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        return (moment.astimezone(UTC) - _EPOCH) // timedelta(microseconds=1)
    except (ValueError, OverflowError):
        return None


def _text(value: object) -> str | None:
    return None if value is None else printed(str(value))


def _json(value: object) -> str | None:
    """As JSON, which has no nan: as text then; what JSON does not know as Python writes it.

    None where it is nested too deep.
    """
    try:
        return json.dumps(_plain_json(value), ensure_ascii=True, sort_keys=True, default=str)
    except RecursionError:
        return None


def _plain_json(value: object) -> object:
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, dict):
        return {str(key): _plain_json(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain_json(one) for one in value]
    return value
