"""Logs for the tools that people have already, with the log's own time and step.

Each target is a module; what it needs more is imported when it is chosen, and is an extra of its
own.
"""

from __future__ import annotations

import importlib
import itertools
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from fitlog.course import Course
from fitlog.errors import SettingError
from fitlog.export.points import Place, Point, PointMaker, find_settings
from fitlog.export.target import Logs, Target
from fitlog.export.times import EstimatedTimes, time_of_change, time_of_reading
from fitlog.follow import Wait, follow_columns
from fitlog.reading import Progress, read_columns
from fitlog.runtable import run_table
from fitlog.sources import Source
from fitlog.streams import no_records
from fitlog_parsers import Columns, Finding

if TYPE_CHECKING:
    import pandas as pd

# By the name of a target: its module, and the function in it that opens one.
TARGETS: Final = {
    "tensorboard": ("event_files", "open_tensorboard"),
    "mlflow": ("mlflow_runs", "open_mlflow"),
    "wandb": ("wandb_runs", "open_wandb"),
    "prometheus": ("prometheus", "open_prometheus"),
    "otava": ("otava", "open_otava"),
    "csv": ("textfiles", "open_csv"),
    "jsonl": ("textfiles", "open_jsonl"),
    "parquet": ("parquet", "open_parquet"),
}
# What these write is whole at the end alone.
_NOT_FOLLOWING: Final = ("otava", "parquet")
# These hold what the values of a run came to, and not each of them.
SUMMARIES: Final = ("otava", "prometheus")
_POINTS_AT_ONCE: Final = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Exported:
    """What an export came to; `time_sources` counts points by where their times are from."""

    points: int
    runs: int
    time_sources: Mapping[str, int]


def export_logs(
    sources: Sequence[Source],
    to: str,
    out: str,
    *,
    dialect: str | None = None,
    dialect_file: str | os.PathLike[str] | None = None,
    progress: Progress | None = None,
) -> Exported:
    """Write the numbers of logs to a target, one of `TARGETS`; the logs are held in memory.

    Raises:
        LogError, UnknownDialectError, DialectFileError: as `read_log`.
        NoRecordsError: there is no number in any of the logs.
        OutputError: the target cannot be written, or its packages are missing.
    """
    logs = Logs(sources=tuple(sources))
    opener = _opener(to)
    columns = read_columns(
        sources, dialect=dialect, dialect_file=dialect_file, bulk=True, progress=progress
    )
    clock = EstimatedTimes(columns, [time_of_change(source) for source in sources])
    points = PointMaker(clock).points(columns)
    first = next(points, None)
    if first is None:
        reason = columns.unparsed[0][1].reason if columns.unparsed else ""
        raise no_records(", ".join(columns.files), columns.lines, reason)
    with _Export(opener(out, logs)) as export:
        export.add(columns, itertools.chain([first], points))
    return export.come_to()


def export_followed(
    source: Source,
    to: str,
    out: str,
    *,
    dialect: str | None = None,
    dialect_file: str | os.PathLike[str] | None = None,
    wait: Wait | None = None,
    report: Callable[[Finding], None] = lambda _: None,
) -> Exported:
    """The same for one log that grows, as it does, until `wait` says no.

    Others see what was written after each look at the log. Findings are given to `report`.

    Raises:
        SettingError: the target cannot be written bit by bit.
        LogError, UnknownDialectError, DialectFileError: as `follow_log`.
        OutputError: as `export_logs`.
    """
    if to in _NOT_FOLLOWING:
        raise SettingError(f"--follow cannot write {to}: it is whole only when the log is over")
    logs = Logs(sources=(source,))
    parts = follow_columns(
        source, dialect=dialect, dialect_file=dialect_file, wait=wait, report=report
    )
    opener, maker = _opener(to), PointMaker(time_of_reading)
    first = next(parts, None)  # a log that is missing makes no output
    with _Export(opener(out, logs)) as export:
        for columns in itertools.chain([] if first is None else [first], parts):
            export.add(columns, maker.points(columns))
            export.flush()
    return export.come_to()


class _Export:
    """A target that is being written, and is closed whatever happens."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._course = Course()
        self._places: set[Place] = set()
        self._sources: dict[str, int] = {}

    def __enter__(self) -> _Export:
        return self

    def __exit__(self, *_: object) -> None:
        self._target.close(dict(_endings(self._course)))

    def add(self, columns: Columns, points: Iterable[Point]) -> None:
        """Write what these columns say."""
        self._course.add(columns)
        for settings in find_settings(columns):
            self._target.describe(settings)
        every = iter(points)
        while some := list(itertools.islice(every, _POINTS_AT_ONCE)):
            self._target.write(some)
            for point in some:
                self._places.add(point.place)
                self._sources[point.time_source] = self._sources.get(point.time_source, 0) + 1

    def flush(self) -> None:
        """Let others see it."""
        self._target.flush()

    def come_to(self) -> Exported:
        """What was written so far."""
        return Exported(
            points=sum(self._sources.values()), runs=len(self._places), time_sources=self._sources
        )


def _opener(to: str) -> Callable[[str, Logs], Target]:
    module, function = TARGETS[to]
    opener: Callable[[str, Logs], Target] = getattr(
        importlib.import_module(f"fitlog.export.{module}"), function
    )
    return opener


def _endings(course: Course) -> Iterator[tuple[Place, str]]:
    import pandas as pd

    table: pd.DataFrame = pd.DataFrame(run_table(course))
    for file, run, node, status in zip(
        *(table[name].tolist() for name in ("file", "run", "node", "status")), strict=True
    ):
        yield (int(file), int(run), None if node is pd.NA else int(node)), str(status)
