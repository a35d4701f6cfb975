"""Otava: a CSV file with a row for each run, among which Otava looks for changes.

A run's throughput is the median of its training windows but the first, which holds the start; its
epoch time is the median, and of each metric of whole epochs it is the last value. A run that
reported no speed has no row.
"""

from __future__ import annotations

import csv
import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from fitlog.export.points import SPEED, TIME_COST, Place, Point, Settings
from fitlog.export.rows import refused
from fitlog.export.target import Logs


def open_otava(out: str, logs: Logs) -> History:
    """A CSV file for `otava analyze`, written at the end."""
    return History(Path(out), logs)


@dataclass(slots=True)
class _Run:
    time: datetime
    speeds: list[float] = field(default_factory=list)
    time_costs: list[float] = field(default_factory=list)
    last: dict[str, float] = field(default_factory=dict)


class History:
    """What becomes a row of each run."""

    def __init__(self, path: Path, logs: Logs) -> None:
        self._path, self._logs = path, logs
        self._runs: dict[Place, _Run] = {}

    def describe(self, settings: Settings) -> None:
        """Settings are no numbers."""

    def write(self, points: Sequence[Point]) -> None:
        """Take in what the rows are made of."""
        for point in points:
            run = self._runs.get(point.place)
            if run is None:
                run = self._runs[point.place] = _Run(point.time)
            if not math.isfinite(point.value):
                continue
            if point.name == SPEED and point.split == "train":
                run.speeds.append(point.value)
            elif point.name == TIME_COST:
                run.time_costs.append(point.value)
            elif point.scope == "epoch":
                run.last[f"{point.split}-{point.name}"] = point.value

    def flush(self) -> None:
        """A run has its row when it is over."""

    def close(self, endings: Mapping[Place, str]) -> None:  # noqa: ARG002  # a target's
        """Write the rows, the oldest run first: Otava takes them as they come."""
        metrics = list(dict.fromkeys(name for run in self._runs.values() for name in run.last))
        head = ["time", "log", "run", "node", SPEED, TIME_COST, *metrics]
        runs = sorted((one for one in self._runs.items() if one[1].speeds), key=_time_of)
        try:
            with self._path.open("w", encoding="utf-8", newline="") as file:
                writer = csv.writer(file, lineterminator="\n")
                writer.writerow(head)
                for place, run in runs:
                    writer.writerow(
                        [
                            run.time.astimezone().isoformat(timespec="seconds"),
                            self._logs.name(place),
                            *place[1:],
                            _median(run.speeds[1:] or run.speeds),
                            _median(run.time_costs),
                            *(run.last.get(name) for name in metrics),
                        ]
                    )
        except OSError as error:
            raise refused(str(self._path), error) from None


def _median(values: Sequence[float]) -> float | None:
    return statistics.median(values) if values else None


def _time_of(item: tuple[Place, _Run]) -> datetime:
    return item[1].time
