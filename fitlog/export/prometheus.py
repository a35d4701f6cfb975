"""Prometheus: the latest values as a text file for the node exporter's textfile collector.

The collector reads `*.prom` at any moment: the file is replaced as a whole, by a rename. It takes
no time stamps; when the last value was logged is a value of its own. Of several runs in a log, the
last of each node is exported. (Format: prometheus.io/docs/instrumenting/exposition_formats.)
"""

from __future__ import annotations

import contextlib
import math
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from fitlog.errors import OutputError
from fitlog.export.points import (
    LEARNING_RATE,
    SPEED,
    TIME_COST,
    Place,
    Point,
    Settings,
    posix_seconds,
)
from fitlog.export.rows import refused
from fitlog.export.target import Logs

_ESCAPES: Final = str.maketrans({"\\": r"\\", '"': r"\"", "\n": r"\n"})
_METRIC: Final = "fitlog_metric"
_HELP: Final = {
    "fitlog_samples_per_second": "Throughput of the last report.",
    _METRIC: "The last value of each metric.",
    "fitlog_epoch_seconds": "Time cost of the last epoch that ended, in seconds.",
    "fitlog_learning_rate": "The learning rate that was set last.",
    "fitlog_epoch": "The epoch of the last value.",
    "fitlog_batches": "Batches reported since the log's first epoch.",
    "fitlog_last_value_timestamp_seconds": "When the last value was logged, in seconds since 1970.",
}
_FAMILIES: Final = {
    SPEED: "fitlog_samples_per_second",
    TIME_COST: "fitlog_epoch_seconds",
    LEARNING_RATE: "fitlog_learning_rate",
}

Labels = tuple[tuple[str, str], ...]


def open_prometheus(out: str, logs: Logs) -> TextfileMetrics:
    """A `.prom` file.

    Raises:
        OutputError: it has another ending, which the node exporter would not read.
    """
    if not out.endswith(".prom"):
        raise OutputError(f"the node exporter reads files that end in .prom, and not {out}")
    return TextfileMetrics(Path(out), logs)


class TextfileMetrics:
    """The latest values, and the file that gets them."""

    def __init__(self, path: Path, logs: Logs) -> None:
        self._path, self._logs = path, logs
        # By log and node: the number of the last run, and its values.
        self._latest: dict[tuple[int, int | None], tuple[int, dict[str, dict[Labels, float]]]] = {}

    def describe(self, settings: Settings) -> None:
        """Settings are no numbers."""

    def write(self, points: Sequence[Point]) -> None:
        """Take over each value in the place of the one before."""
        for point in points:
            file, run, node = point.place
            last, values = self._latest.get((file, node), (-1, {}))
            if run < last:
                continue
            if run > last:
                values = {}
                self._latest[file, node] = run, values
            labels: Labels = (("log", self._logs.name(point.place)), ("run", str(run)))
            labels += (("node", "" if node is None else str(node)),)
            place = labels
            if point.split:
                labels += (("split", point.split),)
            if point.name not in _FAMILIES:
                labels += (("scope", point.scope), ("metric", point.name))
            values.setdefault(_FAMILIES.get(point.name, _METRIC), {})[labels] = point.value
            if point.epoch is not None:
                values.setdefault("fitlog_epoch", {})[place] = point.epoch
            if point.scope != "epoch":
                values.setdefault("fitlog_batches", {})[place] = point.step
            seconds = posix_seconds(point.time)
            values.setdefault("fitlog_last_value_timestamp_seconds", {})[place] = seconds

    def flush(self) -> None:
        """Replace the file."""
        temporary = self._path.with_name(f".{self._path.name}.{os.getpid()}.tmp")
        try:
            temporary.write_text(self._text(), encoding="utf-8", errors="backslashreplace")
            temporary.replace(self._path)
        except OSError as error:
            with contextlib.suppress(OSError):
                temporary.unlink()
            raise refused(str(self._path), error) from None

    def close(self, endings: Mapping[Place, str]) -> None:  # noqa: ARG002  # a target's
        """Replace the file a last time."""
        self.flush()

    def _text(self) -> str:
        lines = []
        for family, what in _HELP.items():
            samples = [
                (labels, value)
                for _, values in self._latest.values()
                for labels, value in values.get(family, {}).items()
            ]
            if samples:
                lines += [f"# HELP {family} {what}", f"# TYPE {family} gauge"]
                lines += [f"{family}{_labels(labels)} {_number(v)}" for labels, v in samples]
        return "".join(f"{line}\n" for line in lines)


def _labels(labels: Labels) -> str:
    return "{" + ",".join(f'{name}="{text.translate(_ESCAPES)}"' for name, text in labels) + "}"


def _number(value: float) -> str:
    if math.isnan(value):
        return "NaN"
    return f"{value!r}" if math.isfinite(value) else f"{'+' if value > 0 else '-'}Inf"
