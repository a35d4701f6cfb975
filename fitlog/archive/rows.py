"""Columns, as the parsers fill them, to the Arrow tables of an archive."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Sequence
from typing import Any, Final

import numpy as np
import pyarrow as pa

from fitlog.archive.schema import TABLES, TIME, schema_of
from fitlog_parsers import MISSING
from fitlog_parsers.columns import SCOPES, SPLITS, Columns

# Rows of these are made of the lines, as they are read.
LINE_TABLES: Final = ("speed", "metrics", "events", "unparsed")
_RUN_DIGITS: Final = 16
_MOST_RUNS: Final = 1 << 32


def run_id(file: str, run: int) -> str:
    """What a run is known by: it stays as the log grows, and wherever the archive is."""
    text = f"{run} {file}".encode(errors="backslashreplace")
    return hashlib.blake2b(text).hexdigest()[:_RUN_DIGITS]


def line_tables(columns: Columns, wanted: Collection[str] = LINE_TABLES) -> dict[str, Any]:
    """The rows as Arrow tables, by table; of the `wanted` ones."""
    return {name: _MAKERS[name](columns) for name in LINE_TABLES if name in wanted}


def notes(table: str, found: Sequence[tuple[int, Any]], files: Sequence[str]) -> Any:
    """A table of entries, each with the number of its file, as `unparsed` and `warnings` are."""
    columns: dict[str, Any] = {
        "file": words(np.array([file for file, _ in found], dtype="i4"), files)
    }
    for name in list(TABLES[table])[1:]:
        values = [getattr(note, name) for _, note in found]
        columns[name] = [printed(v) if isinstance(v, str) else v for v in values]
    return _table(table, columns)


def integers(column: Any) -> Any:
    """An Arrow array of integers, null where they are MISSING."""
    values = np.asarray(column)
    mask = values == MISSING
    return pa.array(values, mask=mask) if mask.any() else pa.array(values)


def words(codes: Any, names: Sequence[str]) -> Any:
    """An Arrow array of names by their numbers."""
    indices = pa.array(np.asarray(codes).astype("i4"))
    return pa.DictionaryArray.from_arrays(indices, pa.array(map(printed, names), pa.string()))


def run_ids(file: Any, run: Any, files: Sequence[str]) -> Any:
    """The runs' ids, by the numbers of files and runs."""
    keys = np.asarray(file).astype("i8") * _MOST_RUNS + np.asarray(run)
    every, codes = np.unique(keys, return_inverse=True)
    places: list[tuple[int, int]] = [divmod(key, _MOST_RUNS) for key in every.tolist()]
    names = [run_id(files[number], count) for number, count in places]
    return words(codes, names)


def printed(text: str) -> str:
    """A text that can be written as UTF-8, also where it holds half of a character."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode(errors="backslashreplace").decode()
    return text


def _table(name: str, columns: dict[str, Any]) -> Any:
    schema = schema_of(name)
    arrays = [
        column
        if isinstance(column, pa.Array) and column.type == field.type
        else column.cast(field.type)
        if isinstance(column, pa.Array)
        else pa.array(column, field.type)
        for column, field in zip(columns.values(), schema, strict=True)
    ]
    return pa.Table.from_arrays(arrays, schema=schema)


def _place(rows: Any, files: Sequence[str]) -> dict[str, Any]:
    return {
        "run_id": run_ids(rows.file, rows.run, files),
        "file": words(rows.file, files),
        "run": np.asarray(rows.run),
        "node": integers(rows.node),
        "epoch": integers(rows.epoch),
    }


def _window(rows: Any, files: Sequence[str]) -> dict[str, Any]:
    return {
        **_place(rows, files),
        "batch_start": integers(rows.batch_start),
        "batch_end": integers(rows.batch_end),
        "split": words(rows.split, SPLITS),
    }


def _line(rows: Any) -> dict[str, Any]:
    # What is missing has the pattern of numpy's NaT.
    times = np.asarray(rows.time).view("datetime64[us]")
    return {"time": pa.array(times, TIME), "line": np.asarray(rows.line)}


def _speed(columns: Columns) -> Any:
    rows = columns.speed
    speeds = np.asarray(rows.samples_per_sec)
    return _table(
        "speed", {**_window(rows, columns.files), "samples_per_sec": speeds, **_line(rows)}
    )


def _metrics(columns: Columns) -> Any:
    rows = columns.metrics
    values = {
        "scope": words(rows.scope, SCOPES),
        "metric": words(rows.metric, rows.names),
        "value": np.asarray(rows.value),
    }
    return _table("metrics", {**_window(rows, columns.files), **values, **_line(rows)})


def _events(columns: Columns) -> Any:
    rows = columns.events
    is_missing = np.asarray(rows.has_value) == 0
    values = {
        "kind": pa.array(rows.kind, pa.string()).dictionary_encode(),
        "text": pa.array([printed(text) for text in rows.text], pa.string()),
        "value": pa.array(np.asarray(rows.value), mask=is_missing),
    }
    return _table("events", {**_place(rows, columns.files), **values, **_line(rows)})


def _unparsed(columns: Columns) -> Any:
    return notes("unparsed", columns.unparsed, columns.files)


_MAKERS: Final[dict[str, Callable[[Columns], Any]]] = {
    "speed": _speed,
    "metrics": _metrics,
    "events": _events,
    "unparsed": _unparsed,
}
