"""What is known of a training while it goes on: one `Watched`, fed with what its files say.

It holds what a view shows and no more, so that memory stays flat however long the log grows. It
reads no file and no clock: times come in as arguments.
"""

from __future__ import annotations

import math
import statistics
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

from fitlog.course import BATCH_SIZE, COUNTS
from fitlog.directions import is_higher_better
from fitlog.hparams import parse_hparams
from fitlog.phase_records import Record, integer
from fitlog_parsers import Entry, Event, Finding, Metric, Row, Speed

OVER: Final = ("finished", "failed", "interrupted")

_KEPT_SPEEDS: Final = 256  # no terminal's sparkline is longer
_KEPT_EPOCHS: Final = 5
_SHORT_SECONDS: Final = 2.0
_KEPT_WARNINGS: Final = 5
_MOST_METRICS: Final = 24  # as many as a plot has
_MOST_NODES: Final = 10_000
# A name or a text is shown in a line of a terminal.
_LONGEST_TEXT: Final = 500
_MOST_EPOCHS: Final = 10_000_000
# Restarts are told by where they are shown: the run's number.
_NO_WARNINGS: Final = ("restart",)


@dataclass(slots=True, kw_only=True)
class MetricState:
    """The last values of a metric, and the best validation; None for what was not logged.

    `best` stays None where the metric's name does not tell what is better.
    """

    train: float | None = None
    validation: float | None = None
    best: float | None = None
    best_epoch: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Warned:
    """A warning as it came; `line` is that of the log, None of one from elsewhere."""

    text: str
    line: int | None = None


class Listener(Protocol):
    """Who is told what comes, after the run has taken it in."""

    def row(self, run: Watched, row: Row) -> None:
        """A record of its log."""

    def warning(self, run: Watched, warned: Warned) -> None:
        """Something to know."""

    def status(self, run: Watched) -> None:
        """Its record says something else than before."""


class Watched:
    """A run; of several in one log the last one, of several nodes the first that wrote.

    `epoch`, `batch` and `position` (epochs done, with the part of the one at hand) are None before
    the first line that tells. `phases` are the seconds of the last epoch that ended. `last_time` is
    when something was last heard of it, in seconds since 1970. `warning_count` counts all warnings,
    `warnings` are the last few. `nodes` counts the nodes that wrote.
    """

    def __init__(
        self,
        name: str,
        *,
        num_epochs: int | None = None,
        batches: float = math.nan,
        batch_size: int | None = None,
        listener: Listener | None = None,
    ) -> None:
        self.name = name
        self._listener = listener
        self.num_epochs, self.batch_size = num_epochs, batch_size
        self.last_time: float | None = None
        self.status: str | None = None
        self.error: str | None = None
        self.run = 0
        self.warnings: deque[Warned] = deque(maxlen=_KEPT_WARNINGS)
        self.warning_count = 0
        self.has_rows = False
        self.phases: dict[str, float] = {}
        self._stated_batches = batches if math.isfinite(batches) else 0.0
        self._phased: deque[float] = deque(maxlen=_KEPT_EPOCHS)
        self._node: int | None = None
        self._nodes: set[int] = set()
        self._begin_run()

    def _begin_run(self) -> None:
        """A restart: what was said of the run before it is not of this one."""
        self.epoch: int | None = None
        self.batch: int | None = None
        self.position: float | None = None
        self.speeds: deque[float] = deque(maxlen=_KEPT_SPEEDS)
        self.metrics: dict[str, MetricState] = {}
        self.is_ended = False
        self._seen_batches = 0
        self._costs: deque[float] = deque(maxlen=_KEPT_EPOCHS)
        self._stamped: deque[float] = deque(maxlen=_KEPT_EPOCHS)
        self._began: tuple[int, int] | None = None  # the last epoch that was met, and its time

    @property
    def nodes(self) -> int:
        """How many nodes wrote."""
        return len(self._nodes)

    @property
    def batches(self) -> int | None:
        """The batches of an epoch as far as they are known, as fit counts them."""
        return int(max(self._stated_batches, self._seen_batches)) or None

    @property
    def epoch_seconds(self) -> Sequence[float]:
        """What the last epochs took: with all that fit does, where that is known.

        Before the first has ended, what it will take by the speed of its batches.
        """
        known = self._phased or self._stamped or self._costs
        if known or not (self.speeds and self.batch_size and self._stated_batches):
            return known
        speeds = [speed for speed in self.speeds if 0 < speed < math.inf]
        seconds = self._stated_batches * self.batch_size
        return [seconds / statistics.median(speeds)] if speeds else []

    def eta(self, now: float) -> float | None:
        """The seconds until the last epoch is over, None where nothing tells."""
        if self.num_epochs is None or self.position is None:
            return None
        since = 0.0 if self.last_time is None else now - self.last_time
        return seconds_left(
            epochs_left=self.num_epochs - self.position,
            epoch_seconds=self.epoch_seconds,
            since=since,
        )

    def take(self, entries: Iterable[Entry], time: float) -> None:
        """What was read of the log, which was written at this time."""
        for entry in entries:
            self.last_time = time
            if isinstance(entry, Row):
                self._take_row(entry)
            elif isinstance(entry, Finding):
                if entry.code not in _NO_WARNINGS:
                    self.warn(entry.text, entry.line)
            else:
                self.warn(f"not read: {entry.reason}", entry.line)

    def take_record(self, record: dict[str, Any]) -> None:
        """What `run.json` says."""
        status, error, arguments = (record.get(name) for name in ("status", "error", "arguments"))
        before, self.status = self.status, status if isinstance(status, str) else None
        self.error = _short(error) if isinstance(error, str) else None
        if isinstance(arguments, dict):
            self._take_arguments(arguments)
        if self._listener and self.status != before:
            self._listener.status(self)

    def take_epoch(self, epoch: Record) -> None:
        """The phases of an epoch, as in `phases.jsonl`; of one that was cut short, nothing."""
        if epoch.get("complete") is not True:
            return
        self.phases = dict(epoch["phases"])
        self._phased.append(epoch["seconds"])
        self._stated_batches = integer(epoch, "batches") or self._stated_batches

    def warn(self, text: str, line: int | None = None) -> None:
        """Something that who watches should know."""
        warned = Warned(text=_short(text), line=line)
        self.warnings.append(warned)
        self.warning_count += 1
        if self._listener:
            self._listener.warning(self, warned)

    def _take_row(self, row: Row) -> None:
        if row.node is not None:
            self._node = row.node if self._node is None else self._node
            if len(self._nodes) < _MOST_NODES:
                self._nodes.add(row.node)
            if row.node != self._node:
                return
        if row.run > self.run:
            self.run = row.run
            self._begin_run()
        record = row.record
        if isinstance(record, Event):
            self._take_event(record)
        else:
            self.has_rows = True
            self.is_ended = False
            self._take_value(record, row.line)
        if record.epoch is not None:
            self._meet_epoch(record.epoch, row.time)
        if self._listener:
            self._listener.row(self, row)

    def _take_value(self, record: Speed | Metric, line: int) -> None:
        if isinstance(record, Metric):
            self._take_metric(record, line)
            if record.scope == "epoch":
                if record.epoch is not None:
                    self._end_epoch(record.epoch)
                return
        elif record.split == "train":
            self.speeds.append(record.samples_per_sec)
        if record.split == "train" and record.epoch is not None:
            self.epoch, self.batch = record.epoch, record.batch_end
            if record.batch_end is not None:
                self._seen_batches = max(self._seen_batches, record.batch_end)
            part = (record.batch_end or 0) / (self.batches or math.inf)
            self.position = record.epoch + min(1.0, part)

    def _take_metric(self, record: Metric, line: int) -> None:
        name = _short(record.metric)
        metric = self.metrics.get(name)
        if metric is None:
            if len(self.metrics) >= _MOST_METRICS:
                return
            metric = self.metrics[name] = MetricState()
        value = record.value
        before = metric.train if record.split == "train" else metric.validation
        if not math.isfinite(value) and (before is None or math.isfinite(before)):
            self.warn(f"{record.split} {name} is {value}", line)
        if record.split == "train":
            metric.train = value
            return
        metric.validation = value
        higher = is_higher_better(name)
        if record.scope == "epoch" and higher is not None and math.isfinite(value):
            best = metric.best
            if best is None or (value > best if higher else value < best):
                metric.best, metric.best_epoch = value, record.epoch

    def _take_event(self, event: Event) -> None:
        if event.kind == "start" and "Namespace(" in event.text:
            self._take_arguments(parse_hparams(event.text))
        elif event.kind == "time_cost" and event.epoch is not None:
            if event.value is not None and 0 <= event.value < math.inf:
                self._costs.append(event.value)
            self._end_epoch(event.epoch)
        elif event.kind in ("end", "early_stop"):
            self.is_ended = True

    def _take_arguments(self, arguments: dict[str, Any]) -> None:
        for name in COUNTS:
            if _is_count(arguments.get(name)):
                self.num_epochs = arguments[name]
                break
        if _is_count(arguments.get(BATCH_SIZE)):
            self.batch_size = arguments[BATCH_SIZE]

    def _end_epoch(self, epoch: int) -> None:
        self.epoch, self.batch, self.position = epoch, None, epoch + 1.0

    def _meet_epoch(self, epoch: int, time: int | None) -> None:
        """The time from the first line of an epoch to that of the next is what it took."""
        if time is None or (self._began and self._began[0] == epoch):
            return
        if self._began and epoch == self._began[0] + 1 and time > self._began[1]:
            self._stamped.append((time - self._began[1]) / 1e6)
        self._began = epoch, time


def seconds_left(
    *, epochs_left: float, epoch_seconds: Sequence[float], since: float
) -> float | None:
    """What is left of a training: the median of its last epochs for each epoch that is left.

    `since` are the seconds since it was where `epochs_left` says. None where no epoch is known, and
    where nothing was heard for as long as two take: it has stopped, or hangs.
    """
    if not epoch_seconds or not math.isfinite(epochs_left):
        return None
    seconds = statistics.median(epoch_seconds)
    if since > max(2 * seconds, _SHORT_SECONDS):
        return None
    return max(0.0, epochs_left * seconds - max(0.0, since))


def _is_count(value: Any) -> bool:
    return type(value) is int and 0 < value < _MOST_EPOCHS


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST_TEXT else f"{text[:_LONGEST_TEXT]}..."
