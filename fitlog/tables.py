"""What was read of a log as pandas DataFrames: `read_log`, `read_logs` and `RunLog`.

Every table has the same columns and dtypes whatever the log held, an empty one too, so that code
which works on one log works on the next. A number the log does not state is missing, never 0.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, TypeGuard

from fitlog.directions import unit_of
from fitlog.hparams import find_hparams
from fitlog.reading import Progress, read_columns
from fitlog.sources import Source, find_logs
from fitlog_parsers import Finding
from fitlog_parsers.columns import (
    SCOPES,
    SPLITS,
    Columns,
    EventColumns,
    MetricColumns,
    SpeedColumns,
)

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

_UNITS: Final = {"samples_per_sec": "samples/sec", "speed_median": "samples/sec", "time_cost": "s"}

TABLES: Final = ("speed", "metrics", "epochs", "events", "runs", "unparsed", "warnings")


@dataclass(frozen=True, kw_only=True, eq=False)
class RunLog:
    """One or many logs as tables, which have these columns also where they have no row.

    * `speed`: one row per throughput report: run int64, node Int64, epoch Int64, batch_start Int64,
      batch_end Int64, split category, samples_per_sec float64, time datetime64[us], line int64.
    * `metrics`: one row per metric value: run, node, epoch, batch_start, batch_end, split, scope
      category, metric category, value float64, time, line.
    * `epochs`: one row per (run, node, epoch): run, node, epoch, time_cost Float64 in seconds,
      speed_median Float64 in samples/sec, batches Int64 (the last batch reported), lr Float64, then
      Float64 columns `train-<metric>` and `validation-<metric>` for each metric of whole epochs (of
      very many the first, and a warning `wide-epochs`). NA is what the log does not state, nan what
      it states.
    * `events`: one row per other record: run, node, epoch, kind category, text string, value
      Float64 (in seconds for 'time_cost' and 'end', see `fitlog_parsers.Event`), time, line.
    * `runs`: one row per (run, node): run, node, status category ('finished', 'cut', 'restarted',
      'aborted'), begin_epoch Int64, last_epoch Int64, epochs int64 (those that ended), first_line,
      last_line.
    * `unparsed`: text that looks like a record and was not read: line, text, reason string.
    * `warnings`: findings about the log: code string, line, text.

    `run` counts from 0 and `line` from 1; `time` is by the writer's own clock, NaT if not logged.
    The units of columns are in each table's `attrs["units"]`, such as `{"time_cost": "s"}`.
    With `read_logs` each table begins with a category column `file`. `hparams` is the last logged
    `Namespace(...)` as a dict (empty where none was logged), `dialects` counts lines by dialect,
    and `lines` counts all lines. `record` is the `run.json` that was kept with a log in an archive,
    empty where there was none; None for a log that was read itself: there it lies beside it.
    """

    name: str
    speed: pd.DataFrame
    metrics: pd.DataFrame
    epochs: pd.DataFrame
    events: pd.DataFrame
    runs: pd.DataFrame
    unparsed: pd.DataFrame
    warnings: pd.DataFrame
    hparams: dict[str, Any] = field(default_factory=dict)
    dialects: dict[str, int] = field(default_factory=dict)
    lines: int = 0
    record: dict[str, Any] | None = None

    @property
    def has_records(self) -> bool:
        """Whether anything was read of a training; that something ended says nothing of it."""
        has_events = bool((self.events["kind"] != "end").any())
        return bool(len(self.speed) or len(self.metrics)) or has_events

    def _repr_html_(self) -> str:
        """The log as notebooks show it."""
        from fitlog.log_html import log_html

        return log_html(self)


def is_archived(source: object) -> TypeGuard[RunLog]:
    """Whether it is a run as an archive has it, which is known by that alone."""
    return isinstance(source, RunLog) and source.record is not None


def read_log(
    source: Source,
    *,
    dialect: str | None = None,
    dialect_file: str | os.PathLike[str] | None = None,
    progress: Progress | None = None,
) -> RunLog:
    """Read one log: a path, `-` for standard input, an open binary file, or bytes.

    What is compressed with gzip, xz, bzip2 or zstd is unpacked. A log without a single record gives
    empty tables. `dialect` is the name of the one dialect to read; None tries all. `dialect_file`
    is a TOML file that describes one more. `progress` is told, about every megabyte, how many bytes
    of the file were read.

    Raises:
        LogError: the source is missing, unreadable, damaged from its start or not text.
        UnknownDialectError: there is no such dialect.
        DialectFileError: the file, or an installed package, describes none.
        TypeError: the file is open as text.
    """
    settings: dict[str, Any] = {"dialect": dialect, "dialect_file": dialect_file}
    columns = read_columns([source], **settings, bulk=True, progress=progress)
    return build_tables(columns, with_file=False)


def read_logs(
    sources: Sequence[Source],
    *,
    dialect: str | None = None,
    dialect_file: str | os.PathLike[str] | None = None,
    progress: Progress | None = None,
) -> RunLog:
    """Read many logs as one; each table gets a category column `file` in front.

    A source may also be a folder, of which every log is read, or a glob such as `runs/*/run.log`.
    `hparams` is the last of all logs, `dialects` and `lines` count over all; without a source all
    tables are empty. The rest is as with `read_log`.

    Raises:
        LogError: as `read_log`, naming the file; a folder without logs, a glob without a match.
        UnknownDialectError, DialectFileError, TypeError: as `read_log`.
    """
    settings: dict[str, Any] = {"dialect": dialect, "dialect_file": dialect_file}
    columns = read_columns(find_logs(sources), **settings, bulk=True, progress=progress)
    return build_tables(columns, with_file=True)


def build_tables(columns: Columns, *, with_file: bool) -> RunLog:
    """The tables of what was read; they take over the columns."""
    from fitlog.course import Course
    from fitlog.epochs import epoch_table
    from fitlog.findings import Doubts
    from fitlog.runtable import run_table

    course, doubts = Course(), Doubts()
    course.add(columns)
    course.take_medians()
    doubts.add(columns)
    findings = [*columns.findings, *doubts.find(course, columns.rule_uses)]
    tables = {
        **{name: table(columns) for name, table in ROW_TABLES.items()},
        "epochs": epoch_table(course),
        "runs": run_table(course),
        "warnings": warning_table(findings),
    }
    files = columns.files if with_file else None
    frames: dict[str, Any] = {name: as_frame(table, files) for name, table in tables.items()}
    return RunLog(
        name=", ".join(columns.files),
        **frames,
        hparams=find_hparams(columns.events),
        dialects=dict(columns.dialect_lines),
        lines=columns.lines,
    )


def as_frame(table: dict[str, Any], files: Sequence[str] | None) -> pd.DataFrame:
    """The table as pandas has it, made of the very columns; `files` names the logs, if wanted."""
    import pandas as pd

    file = table.pop("file")
    if files is not None:
        table = {"file": _file_names(file, files), **table}
    frame = pd.DataFrame(table, copy=False)
    frame.attrs["units"] = _units(table)
    return frame


def warning_table(findings: Sequence[tuple[int, Finding]]) -> dict[str, Any]:
    """The table's columns, in the order of files and lines."""
    return _notes(sorted(findings, key=_place_of_finding), ("code", "line", "text"))


def _units(table: dict[str, Any]) -> dict[str, str]:
    """Of the columns that have one; the values of `metrics` each have that of their metric."""
    units = {name: unit for name, unit in _UNITS.items() if name in table}
    for name in table:
        split, _, metric = name.partition("-")
        if split in SPLITS and (unit := unit_of(metric)) != "value":
            units[name] = unit
    return units


def _speed(columns: Columns) -> dict[str, Any]:
    rows = columns.speed
    return {
        **_window(rows),
        "samples_per_sec": _values(rows.samples_per_sec),
        "time": _times(rows.time),
        "line": _values(rows.line),
    }


def _metrics(columns: Columns) -> dict[str, Any]:
    rows = columns.metrics
    return {
        **_window(rows),
        "scope": _category(rows.scope, SCOPES),
        "metric": _category(rows.metric, rows.names),
        "value": _values(rows.value),
        "time": _times(rows.time),
        "line": _values(rows.line),
    }


def _events(columns: Columns) -> dict[str, Any]:
    import pandas as pd

    rows = columns.events
    return {
        **_place(rows),
        "kind": pd.Categorical(rows.kind, categories=sorted(set(rows.kind))),
        "text": pd.array(rows.text, dtype="string"),
        "value": pd.arrays.FloatingArray(_values(rows.value), _values(rows.has_value) == 0),
        "time": _times(rows.time),
        "line": _values(rows.line),
    }


def _unparsed(columns: Columns) -> dict[str, Any]:
    return _notes(columns.unparsed, ("line", "text", "reason"))


# The tables whose rows are those of lines, by what makes their columns.
ROW_TABLES: Final[dict[str, Callable[[Columns], dict[str, Any]]]] = {
    "speed": _speed,
    "metrics": _metrics,
    "events": _events,
    "unparsed": _unparsed,
}


def _notes(notes: Sequence[tuple[int, Any]], names: tuple[str, ...]) -> dict[str, Any]:
    import pandas as pd

    table: dict[str, Any] = {"file": pd.array([file for file, _ in notes], dtype="int64")}
    for name in names:
        values = [getattr(note, name) for _, note in notes]
        is_line = name == "line"
        table[name] = pd.array(values, dtype="int64") if is_line else pd.array(values, "string")
    return table


def _place_of_finding(found: tuple[int, Finding]) -> tuple[int, int, str]:
    file, finding = found
    return file, finding.line, finding.code


def _place(rows: SpeedColumns | MetricColumns | EventColumns) -> dict[str, Any]:
    return {
        "file": _values(rows.file),
        "run": _values(rows.run),
        "node": _integers(rows.node),
        "epoch": _integers(rows.epoch),
    }


def _window(rows: SpeedColumns | MetricColumns) -> dict[str, Any]:
    return {
        **_place(rows),
        "batch_start": _integers(rows.batch_start),
        "batch_end": _integers(rows.batch_end),
        "split": _category(rows.split, SPLITS),
    }


def _values(column: Any) -> np.ndarray[Any, Any]:
    import numpy as np

    return np.asarray(column)


def _integers(column: Any) -> pd.arrays.IntegerArray:
    """The column as pandas has it, taken over, with a 0 where it is missing."""
    import numpy as np
    import pandas as pd

    from fitlog_parsers import MISSING

    values = np.asarray(column)
    mask = values == MISSING
    if mask.any():
        values[mask] = 0
    return pd.arrays.IntegerArray(values, mask)


def _times(column: Any) -> np.ndarray[Any, Any]:
    import numpy as np

    return np.asarray(column).view("datetime64[us]")


def _category(codes: Any, names: Sequence[str]) -> pd.Categorical[str]:
    import numpy as np
    import pandas as pd

    return pd.Categorical.from_codes(np.asarray(codes), categories=pd.Index(names))


def _file_names(file: Any, files: Sequence[str]) -> pd.Categorical[str]:
    """The files' names in the place of their numbers."""
    import numpy as np

    names = list(dict.fromkeys(files))
    numbers = {name: number for number, name in enumerate(names)}
    codes = np.array([numbers[name] for name in files], dtype="int32")
    return _category(codes[np.asarray(file)], names)
