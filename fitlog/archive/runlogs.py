"""Rows of an archive back to what the parsers made of the logs, and to the tables of a `RunLog`."""

from __future__ import annotations

import dataclasses
import json
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from fitlog.archive.rows import printed
from fitlog.tables import RunLog, as_frame, build_tables, warning_table
from fitlog_parsers import MISSING, Finding
from fitlog_parsers.columns import SCOPES, SPLITS, Columns
from fitlog_parsers.entries import Unparsed

if TYPE_CHECKING:
    import pandas as pd

_RUN_TABLES: Final = ("speed", "metrics", "epochs", "events", "runs")
_LINE_TABLES: Final = ("speed", "metrics", "events")


def columns_of(tables: Mapping[str, Any], files: Sequence[str]) -> Columns:
    """The columns that the parsers had filled; `tables` are Arrow tables of rows of these files.

    Of `warnings`, all are findings then, also those that the tables would tell again.
    """
    columns = Columns()
    for file in files:
        columns.begin_file(file)
    fill_columns(columns, tables)
    sources = {row["file"]: row for row in tables["sources"].to_pylist()}
    for file in files:
        columns.rule_uses.append(Counter())
        columns.file_lines.append(sources[file]["lines"])
        columns.file_dialects.append(Counter(dict(sources[file]["dialects"])))
        columns.dialect_lines.update(columns.file_dialects[-1])
        columns.lines += columns.file_lines[-1]
    return columns


def fill_columns(columns: Columns, tables: Mapping[str, Any]) -> None:
    """Let empty columns, which have begun their files, hold the rows of Arrow tables."""
    numbers = {printed(file): number for number, file in enumerate(columns.files)}
    for name in _LINE_TABLES:
        rows, table = getattr(columns, name), tables[name]
        rows.file = _file_numbers(table["file"], numbers).astype("i4")
        for column in ("run", "node", "epoch", "line"):
            setattr(rows, column, _integers(table[column]))
        rows.time = _integers(table["time"].cast("int64"))
        if name != "events":
            rows.batch_start, rows.batch_end = (
                _integers(table[column]) for column in ("batch_start", "batch_end")
            )
            rows.split = _codes(table["split"], _numbered(SPLITS)).astype("i1")
    columns.speed.samples_per_sec = tables["speed"]["samples_per_sec"].to_numpy()
    metrics = tables["metrics"]
    for metric in metrics["metric"].cast("string").unique().to_pylist():
        columns.metrics.code_of(metric)
    columns.metrics.scope = _codes(metrics["scope"], _numbered(SCOPES)).astype("i1")
    columns.metrics.metric = _codes(metrics["metric"], columns.metrics.codes).astype("i4")
    columns.metrics.value = metrics["value"].to_numpy()
    events = tables["events"]
    columns.events.kind = events["kind"].cast("string").to_pylist()
    columns.events.text = events["text"].to_pylist()
    columns.events.value = events["value"].fill_null(0.0).to_numpy()
    columns.events.has_value = events["value"].is_valid().to_numpy().astype("i1")
    columns.unparsed = [
        (numbers[row.pop("file")], Unparsed(**row)) for row in tables["unparsed"].to_pylist()
    ]
    columns.findings = [
        (numbers[row.pop("file")], Finding(**row)) for row in tables["warnings"].to_pylist()
    ]


def run_log_of(
    tables: Mapping[str, Any],
    files: Sequence[str],
    runs: Collection[tuple[str, int]],
    *,
    with_file: bool,
) -> RunLog:
    """These runs (file and number) of the files, as `read_logs` gives them.

    The tables hold all rows of the files: how a run ended is told by what follows it, too. What
    was found and what was not read is of no run, and that of the whole files.
    """
    log = _log_of(tables, files, with_file=True)
    frames: dict[str, Any] = {name: _of_runs(getattr(log, name), runs) for name in _RUN_TABLES}
    if not with_file:
        frames |= {"unparsed": log.unparsed, "warnings": log.warnings}
        frames = {name: frame.drop(columns="file") for name, frame in frames.items()}
    return dataclasses.replace(log, **frames)


def rows_by_file(
    tables: Mapping[str, Any], files: Sequence[str]
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each of the files with its rows; the tables hold rows of these files alone."""
    numbers = _numbered(files)
    apart = {}
    for name, table in tables.items():
        whole = table.unify_dictionaries().combine_chunks()
        codes = _codes(whole["file"], numbers)
        order = np.argsort(codes, kind="stable")
        bounds = np.searchsorted(codes[order], np.arange(len(files) + 1))
        apart[name] = whole.take(order), bounds
    for number, file in enumerate(files):
        yield (
            file,
            {
                name: rows.slice(bounds[number], bounds[number + 1] - bounds[number])
                for name, (rows, bounds) in apart.items()
            },
        )


def logs_of_file(
    tables: Mapping[str, Any], file: str, runs: Sequence[int]
) -> Iterator[tuple[int, RunLog]]:
    """Each of these runs of a file as `read_log` gives it; the tables hold all rows of the file."""
    log = _log_of(tables, [file], with_file=False)
    if tables["runs"].num_rows == 1:  # as of most: there is nothing to take apart
        yield from ((run, log) for run in runs)
        return
    places = {name: _places_by_run(getattr(log, name)) for name in _RUN_TABLES}
    for run in runs:
        frames: dict[str, Any] = {
            name: getattr(log, name).take(own.get(run, [])).reset_index(drop=True)
            for name, own in places.items()
        }
        yield run, dataclasses.replace(log, **frames)


def record_of(row: Mapping[str, Any]) -> dict[str, Any]:
    """The `run.json` that was beside a log, by the run's row; empty where there was none."""
    if row["record"] is None:
        return {}
    return {**json.loads(row["record"]), "arguments": json.loads(row["settings"] or "{}")}


def _log_of(tables: Mapping[str, Any], files: Sequence[str], *, with_file: bool) -> RunLog:
    """All that is known of the files."""
    columns = columns_of(tables, files)
    findings = list(columns.findings)
    log = build_tables(columns, with_file=with_file)
    # What the tables tell was found when the log was indexed, by what is no longer known now.
    warnings = as_frame(warning_table(findings), files if with_file else None)
    return dataclasses.replace(log, warnings=warnings)


def _places_by_run(frame: pd.DataFrame) -> dict[int, Any]:
    """Where the rows of each run are, by its number."""
    of_run = frame["run"].to_numpy()
    order = np.argsort(of_run, kind="stable")
    numbers, starts = np.unique(of_run[order], return_index=True)
    return dict(zip(numbers.tolist(), np.split(order, starts)[1:], strict=True))


def _of_runs(frame: pd.DataFrame, runs: Collection[tuple[str, int]]) -> pd.DataFrame:
    wanted = set(runs)
    places = zip(frame["file"], frame["run"], strict=True)
    is_wanted = np.array([place in wanted for place in places], dtype=bool)
    return frame[is_wanted].reset_index(drop=True)


def _file_numbers(column: Any, numbers: Mapping[str, int]) -> Any:
    """The numbers of the files, by their names."""
    # The dictionary of one log's rows may have the names of all.
    return _codes(column, numbers) if len(numbers) > 1 else np.zeros(len(column), dtype="i8")


def _codes(column: Any, numbers: Mapping[str, int]) -> Any:
    """The numbers of the words in a column with a dictionary."""
    whole = column.unify_dictionaries().combine_chunks() if column.num_chunks else None
    if whole is None:
        return np.zeros(0, dtype="i8")
    whole = whole.chunk(0) if hasattr(whole, "chunk") else whole
    words = np.array([numbers.get(word, -1) for word in whole.dictionary.to_pylist()], dtype="i8")
    return words[whole.indices.to_numpy()]


def _integers(column: Any) -> Any:
    """Integers as the parsers have them: `MISSING` where there is none."""
    return column.fill_null(MISSING).to_numpy().copy()


def _numbered(names: Sequence[str]) -> dict[str, int]:
    return {name: number for number, name in enumerate(names)}
