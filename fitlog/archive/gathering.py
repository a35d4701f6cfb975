"""What is gathered of logs while they are read.

What a line tells is a row at once; what only all lines together tell are epochs, runs, warnings.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import pyarrow as pa

from fitlog.archive.rows import integers, notes, printed, run_ids, words
from fitlog.archive.runrows import RunFacts, run_rows
from fitlog.archive.schema import schema_of
from fitlog.course import TRAIN, Course
from fitlog.findings import Doubts
from fitlog.hparams import parse_hparams
from fitlog.runtable import run_table
from fitlog_parsers import MISSING
from fitlog_parsers.columns import SPLITS, Columns

# Stamps without a date count from 1970, those without a year are in 1972 and the years after.
_FIRST_DATED: Final = int(np.datetime64("2005-01-01", "us").astype("i8"))
_NEVER: Final = np.iinfo("i8").max


@dataclass(slots=True)
class _Seen:
    """What was seen of a run: the first and last date, speeds by node, arguments."""

    first: int = _NEVER
    last: int = MISSING
    speeds: dict[int, list[Any]] = field(default_factory=dict)
    arguments: dict[str, Any] = field(default_factory=dict)


class Gathering:
    """Add the columns of some logs in order; `end` gives the tables that only all together tell.

    `records` are the run.json by the name of the file that they lie beside.
    """

    def __init__(self, records: Mapping[str, dict[str, Any]]) -> None:
        self._records = records
        self._course, self._doubts = Course(), Doubts()
        self._findings: list[Any] = []
        self._unparsed: list[tuple[int, int]] = []
        self._runs: dict[tuple[int, int], _Seen] = {}
        self._dates: dict[int, tuple[int, int]] = {}

    def add(self, columns: Columns) -> None:
        """Take in what was read."""
        self._course.add(columns)
        self._doubts.add(columns)
        self._findings += columns.findings
        self._unparsed += [(file, piece.line) for file, piece in columns.unparsed]
        for table in (columns.speed, columns.metrics, columns.events):
            if len(table):
                self._add_times(table)
        if len(columns.speed):
            self._add_speeds(columns.speed)
        self._add_arguments(columns.events)

    @property
    def runs(self) -> list[tuple[int, int]]:
        """File and run of all that were met so far."""
        return list(self._runs)

    def date_of(self, file: int) -> int | None:
        """The first date that was met in a file (microseconds since 1970); None without one."""
        return self._dates[file][1] if file in self._dates else None

    def end(self, columns: Columns) -> dict[str, Any]:
        """The tables `epochs`, `runs` and `warnings`; `columns` are the last that were added."""
        course = self._course
        course.take_medians()
        findings = sorted(
            [*self._findings, *self._doubts.find(course, columns.rule_uses)],
            key=lambda found: (found[0], found[1].line, found[1].code),
        )
        return {
            "epochs": _epoch_rows(course, columns.files),
            "runs": run_rows(
                run_table(course),
                course,
                columns.files,
                self._facts,
                self._records,
                warnings=[(file, finding.line) for file, finding in findings],
                unparsed=self._unparsed,
                dialects=[_main_dialect(uses) for uses in columns.rule_uses],
            ),
            "warnings": notes("warnings", findings, columns.files),
        }

    def _facts(self, file: int, run: int) -> RunFacts:
        seen = self._runs[file, run]
        ranks = seen.speeds.keys() or {MISSING}
        node = min(ranks, key=lambda rank: (rank < 0, rank))
        parts = seen.speeds.get(node)
        return RunFacts(
            started=None if seen.first == _NEVER else seen.first,
            ended=None if seen.last == MISSING else seen.last,
            speeds=np.concatenate(parts) if parts else np.empty(0),
            arguments=seen.arguments,
        )

    def _add_times(self, table: Any) -> None:
        file, run = np.asarray(table.file), np.asarray(table.run)
        time, line = np.asarray(table.time), np.asarray(table.line)
        for (one, number), rows in _by_run(file, run):
            seen = self._runs.setdefault((one, number), _Seen())
            dated = time[rows][time[rows] >= _FIRST_DATED]
            if len(dated):
                seen.first = min(seen.first, int(dated.min()))
                seen.last = max(seen.last, int(dated.max()))
                at = int(line[rows][time[rows] >= _FIRST_DATED][0])
                self._dates[one] = min(self._dates.get(one, (_NEVER, 0)), (at, int(dated[0])))

    def _add_speeds(self, table: Any) -> None:
        file, run, node = (np.asarray(column) for column in (table.file, table.run, table.node))
        speed = np.asarray(table.samples_per_sec)
        training = np.asarray(table.split) == TRAIN
        for key, rows in _by_run(file, run):
            seen = self._runs[key]
            here = np.arange(rows.start, rows.stop)[training[rows]]
            for rank in np.unique(node[here]).tolist():
                own = here[node[here] == rank]
                seen.speeds.setdefault(rank, []).append(speed[own])

    def _add_arguments(self, events: Any) -> None:
        for file, run, kind, text in zip(
            events.file, events.run, events.kind, events.text, strict=True
        ):
            if kind == "start" and "Namespace(" in text:
                self._runs[file, run].arguments = parse_hparams(text)


def _by_run(file: Any, run: Any) -> list[tuple[tuple[int, int], slice]]:
    """Stretches of rows of one file and run."""
    is_new = np.ones(len(file), dtype=bool)
    is_new[1:] = (file[1:] != file[:-1]) | (run[1:] != run[:-1])
    heads = np.flatnonzero(is_new)
    behind = np.append(heads[1:], len(file)).tolist()
    return [
        ((one, number), slice(head, end))
        for one, number, head, end in zip(
            file[heads].tolist(), run[heads].tolist(), heads.tolist(), behind, strict=True
        )
    ]


def _epoch_rows(course: Course, files: Sequence[str]) -> Any:
    from fitlog.epochs import epoch_table

    keys = sorted(course.epochs, key=lambda key: (*key[:2], key[2] == MISSING, *key[2:]))
    # Its wide columns, one a metric, are a map here: the metrics of all logs would be too many.
    table = epoch_table(course)
    names = [
        f"{SPLITS[code % 2]}-{course.names[code // 2]}" for code in range(2 * len(course.names))
    ]
    offsets: list[int] = [0]
    items: list[int] = []
    values: list[float] = []
    for key in keys:
        epoch = course.epochs[key]
        items += epoch.codes
        values += epoch.values
        offsets.append(len(items))
    printed_names = pa.array(map(printed, names), pa.string())
    maps = pa.MapArray.from_arrays(
        pa.array(offsets, pa.int32()),
        printed_names.take(pa.array(items, pa.int32())),
        pa.array(values, pa.float64()),
    )
    file = np.array([key[0] for key in keys], dtype="i8")
    run = np.array([key[1] for key in keys], dtype="i8")
    arrays = [
        run_ids(file, run, files),
        words(file, files),
        pa.array(run),
        integers(np.array([key[2] for key in keys], dtype="i8")),
        integers(np.array([key[3] for key in keys], dtype="i8")),
        *(_floats(table[name]) for name in ("time_cost", "speed_median")),
        integers(np.array([course.epochs[key].batches for key in keys], dtype="i8")),
        _floats(table["lr"]),
        maps,
    ]
    return pa.Table.from_arrays(arrays, schema=schema_of("epochs"))


def _floats(column: Any) -> Any:
    """Nullable floats of pandas as Arrow's: a nan that was logged is not null."""
    return pa.array(
        column.to_numpy(dtype="f8", na_value=0.0), mask=np.asarray(column.isna(), dtype=bool)
    )


def _main_dialect(uses: Mapping[tuple[str, str], int]) -> str | None:
    counts: dict[str, int] = {}
    for (dialect, _), count in uses.items():
        counts[dialect] = counts.get(dialect, 0) + count
    return min(counts, key=lambda name: (-counts[name], name), default=None)
