"""The course of the trainings in one or many logs: what is known of each run, epoch and file.

It is told from the columns of what was read, all at once or in parts, as a stream comes: the parts
make no difference, and only what is kept here stays in memory. All is found from where epochs
change; a log of millions of lines has some thousands of such places.
"""

from __future__ import annotations

from array import array
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from fitlog.hparams import parse_hparams
from fitlog.segments import Rows, rows_by_node
from fitlog_parsers import MISSING
from fitlog_parsers.columns import SCOPES, SPLITS, Columns

Place = tuple[int, int, int]  # file, run, node
Key = tuple[int, int, int, int]  # file, run, node, epoch

TRAIN: Final = SPLITS.index("train")
VALIDATION: Final = SPLITS.index("validation")
EPOCH: Final = SCOPES.index("epoch")
WINDOW: Final = SCOPES.index("window")

COUNTS: Final = ("num_epochs", "num_epoch", "epochs", "end_epoch")
BEGINNINGS: Final = ("load_epoch", "begin_epoch", "start_epoch", "resume_epoch")
STEPS: Final = "num_steps"
BATCH_SIZE: Final = "batch_size"
_ARGUMENTS: Final = (*COUNTS, *BEGINNINGS, STEPS, BATCH_SIZE)
_ENDS: Final = ("end", "early_stop")
# So many speeds are kept before the medians of epochs that are over are taken.
_MOST_SPEEDS: Final = 100_000
# An epoch that says more than this has its codes for itself.
_MOST_SHARED: Final = 64
# Interleaved workers may be so many epochs behind the first one.
_MOST_BEHIND: Final = 20
_NO_CODES: Final[dict[int, int]] = {}
_NEVER: Final = np.iinfo("i8").max


@dataclass(slots=True)
class Run:
    """A run of one node. `has_values`: it reported something of its training.

    `is_told` is False where nothing but its end is logged. `arguments` are those of the last
    `Namespace(...)` that it logged. `loose` is the last line of a report that names no epoch,
    `loose_batch` the last batch of those.
    """

    first_line: int
    last_line: int
    has_values: bool = False
    is_told: bool = False
    arguments: dict[str, int] = field(default_factory=dict)
    loose: int = 0
    loose_batch: int = MISSING


@dataclass(slots=True)
class Epoch:
    """An epoch of one run and node; what the log does not state is MISSING, or None.

    `number` counts the epochs in the order in which they were met. `values` are what is said of the
    whole epoch, `codes` the places of these by `value_code`, which epochs that say the same share:
    there may be many. `timed` adds up its windows, `last_end` is the last batch of the last one.
    """

    number: int
    first_line: int
    last_line: int
    batches: int = MISSING
    time_cost: float | None = None
    is_trained: bool = False
    codes: dict[int, int] = field(default_factory=lambda: _NO_CODES)
    values: array[float] = field(default_factory=lambda: array("d"))
    last_end: int = 0
    timed: Timed | None = None
    speed_median: float | None = None

    @property
    def is_ended(self) -> bool:
        """Whether the log states the end of its training."""
        return self.time_cost is not None or any(code % 2 == TRAIN for code in self.codes)

    @property
    def is_validated(self) -> bool:
        """Whether it was evaluated."""
        return any(code % 2 == VALIDATION for code in self.codes)

    @property
    def is_stated(self) -> bool:
        """Whether the log states that it ended, or that it was evaluated."""
        return self.is_ended or self.is_validated


def value_code(split: Any, metric: Any) -> Any:
    """One code of two: small integers take no memory of their own."""
    return 2 * metric + split


class Timed(NamedTuple):
    """The training's windows of an epoch, one at least, that have an end and a speed above 0.

    `line` is that of the first; `batches` are those of all windows, `longest` of the longest;
    `weight` is the sum of batches over speeds, which times samples a batch is seconds; `slowest`
    and `fastest` are in samples/sec.
    """

    line: int
    batches: int
    longest: int
    weight: float
    slowest: float
    fastest: float

    def with_more(self, other: Timed) -> Timed:
        """These windows and others of the same epoch."""
        return Timed(
            min(self.line, other.line),
            self.batches + other.batches,
            max(self.longest, other.longest),
            self.weight + other.weight,
            min(self.slowest, other.slowest),
            max(self.fastest, other.fastest),
        )


@dataclass(slots=True)
class File:
    """What a file states besides its runs: lines about epochs that are there twice, and ends.

    `whole` counts its lines about whole epochs, `repeated` those that repeat a value. `ends` are
    the lines, with their node, that say that a training is over; `crashes` are exceptions' lines.
    """

    ends: list[tuple[int, int]] = field(default_factory=list)
    crashes: list[int] = field(default_factory=list)
    whole: int = 0
    repeated: int = 0
    first_repeated: int = 0

    def repeat(self, line: int) -> None:
        """Count a line that repeats a value."""
        self.repeated += 1
        self.first_repeated = min(self.first_repeated or line, line)


class Rates(NamedTuple):
    """The learning rates that were set, and where."""

    line: array[int]
    value: array[float]


class Course:
    """Add what was read, in the order of the lines; then ask.

    `rates` are the learning rates that each place set. `names` are the metrics' names by code.
    """

    def __init__(self) -> None:
        self.runs: dict[Place, Run] = {}
        self.epochs: dict[Key, Epoch] = {}
        self.files: list[File] = []
        self.rates: dict[Place, Rates] = {}
        self.names: list[str] = []
        self._speeds: list[tuple[npt.NDArray[np.int32], npt.NDArray[np.float64]]] = []
        self._kept, self._most_kept = 0, _MOST_SPEEDS
        self._codes: dict[tuple[int, ...], dict[int, int]] = {}  # each once

    def add(self, columns: Columns) -> None:
        """Take in the rows and findings of some columns; where there are none, only their files.

        Lines count from 1, speeds are in samples/sec, the time of an epoch is in seconds.
        """
        self.files += [File() for _ in range(len(columns.files) - len(self.files))]
        self.names = columns.metrics.names
        self._add_events(columns)
        if len(columns.speed):
            self._add_speed(rows_by_node(columns.speed))
        if len(columns.metrics):
            self._add_metrics(rows_by_node(columns.metrics))
        for file, finding in columns.findings:
            if finding.code == "traceback":
                self.files[file].crashes.append(finding.line)
        if self._kept > self._most_kept:
            self._take_medians(are_over=self._are_over())

    def take_medians(self) -> None:
        """Nothing more will come: give each epoch its median speed."""
        self._take_medians(are_over=np.ones(len(self.epochs), dtype=bool))

    def _add_speed(self, rows: Rows) -> None:
        split, rate, line, end = rows.split, rows.samples_per_sec, rows.line, rows.batch_end
        keys, heads, tails = rows.segments(split)
        # A window ends where the next one begins, also where its line does not say so.
        before, ends = np.append(0, end[:-1]), end[tails].tolist()
        before[heads] = self._ends_before(keys, ends)
        stated = rows.batch_start
        start = np.maximum(stated, before)
        usable = (start < end) & ((stated >= 0) | (stated == MISSING))
        usable &= (rate > 0) & (split == TRAIN)
        batches = np.where(usable, end - start, 0)
        weight = np.divide(batches, rate, out=np.zeros(len(rate)), where=usable)
        timed = (
            np.minimum.reduceat(np.where(usable, line, _NEVER), heads),
            np.add.reduceat(batches, heads),
            np.maximum.reduceat(batches, heads),
            np.add.reduceat(weight, heads),
            np.minimum.reduceat(np.where(usable, rate, np.inf), heads),
            np.maximum.reduceat(np.where(usable, rate, 0.0), heads),
        )
        numbers = np.full(len(heads), -1, dtype="i4")
        columns = (line[heads], line[tails], np.maximum.reduceat(end, heads), *timed)
        for i, (key, first, last, batch, *sums) in enumerate(
            zip(keys, *(column.tolist() for column in columns), strict=True)
        ):
            file, run, node, epoch, which = key
            told = self._report(
                (file, run, node, epoch), first, last, batch if which == TRAIN else MISSING
            )
            if told is not None and which == TRAIN:
                numbers[i], told.last_end = told.number, ends[i]
                windows = Timed(*sums)
                if windows.line != _NEVER:
                    told.timed = told.timed.with_more(windows) if told.timed else windows
        every = np.repeat(numbers, tails - heads + 1)
        kept = every >= 0
        self._speeds.append((every[kept], rate[kept]))
        self._kept += int(kept.sum())

    def _ends_before(self, keys: list[tuple[int, ...]], ends: list[int]) -> list[int]:
        """Where the last window of each stretch's epoch before it ended; 0 where there was none."""
        last: dict[tuple[int, ...], int] = {}
        before = []
        for key, end in zip(keys, ends, strict=True):
            file, run, node, epoch, _ = key
            if key not in last:
                told = self.epochs.get((file, run, node, epoch))
                last[key] = told.last_end if told else 0
            before.append(last[key])
            last[key] = end
        return before

    def _with_code(self, codes: dict[int, int], code: int) -> dict[int, int]:
        """The codes with one more: shared, unless they are many."""
        if len(codes) >= _MOST_SHARED:
            own = dict(codes) if len(codes) == _MOST_SHARED else codes
            own[code] = len(own)
            return own
        key = (*codes, code)
        if key not in self._codes:
            self._codes[key] = {**codes, code: len(codes)}
        return self._codes[key]

    def _report(self, key: Key, first: int, last: int, batch: int) -> Epoch | None:
        """Reports from `first` to `last` up to `batch`: the epoch, None where they name none."""
        *_, epoch = key
        run = self._run(key[:3], first, last)
        run.has_values = True
        if epoch == MISSING:
            run.loose, run.loose_batch = max(run.loose, last), max(run.loose_batch, batch)
            return None
        told = self._epoch(key, first, last)
        told.is_trained = True
        told.batches = max(told.batches, batch)
        return told

    def _add_metrics(self, rows: Rows) -> None:
        is_whole, line = rows.scope == EPOCH, rows.line
        split, metric, value = rows.split, rows.metric, rows.value
        keys, heads, tails = rows.segments(is_whole)
        batch = np.where(split == TRAIN, rows.batch_end, MISSING)
        batches = np.maximum.reduceat(batch, heads).tolist()
        for key, head, tail, last_batch in zip(
            keys, heads.tolist(), tails.tolist(), batches, strict=True
        ):
            file, run, node, epoch, whole = key
            first, last = int(line[head]), int(line[tail])
            if not whole:
                self._report((file, run, node, epoch), first, last, last_batch)
                continue
            self._run((file, run, node), first, last).has_values = True
            if epoch == MISSING:
                continue
            told = self._epoch((file, run, node, epoch), first, last)
            here = slice(head, tail + 1)
            self.files[file].whole += tail + 1 - head
            for code, number, at in zip(
                value_code(split[here], metric[here]).tolist(),
                value[here].tolist(),
                line[here].tolist(),
                strict=True,
            ):
                index = told.codes.get(code)
                if index is None:
                    told.codes = self._with_code(told.codes, code)
                    told.values.append(number)
                    continue
                if told.values[index] == number:
                    self.files[file].repeat(at)
                told.values[index] = number

    def _add_events(self, columns: Columns) -> None:
        events = columns.events
        for file, run, node, epoch, kind, text, value, line in zip(
            *(events.file, events.run, events.node, events.epoch),
            *(events.kind, events.text, events.value, events.line),
            strict=True,
        ):
            place = file, run, node
            told = self._run(place, line, line)
            told.is_told |= kind not in _ENDS
            if kind == "lr":
                rates = self.rates.setdefault(place, Rates(array("q"), array("d")))
                rates.line.append(line)
                rates.value.append(value)
            elif kind == "start" and "Namespace(" in text:
                told.arguments = _worth_keeping(parse_hparams(text))
            elif kind in _ENDS:
                self.files[file].ends.append((node, line))
            if epoch != MISSING:
                here = self._epoch((*place, epoch), line, line)
                if kind == "time_cost":
                    told.has_values = True
                    here.time_cost = value

    def _run(self, place: Place, first: int, last: int) -> Run:
        run = self.runs.get(place)
        if run is None:
            run = self.runs[place] = Run(first, last)
        run.first_line, run.last_line = min(run.first_line, first), max(run.last_line, last)
        return run

    def _epoch(self, key: Key, first: int, last: int) -> Epoch:
        epoch = self.epochs.get(key)
        if epoch is None:
            epoch = self.epochs[key] = Epoch(len(self.epochs), first, last)
        epoch.first_line = min(epoch.first_line, first)
        epoch.last_line = max(epoch.last_line, last)
        return epoch

    def _are_over(self) -> npt.NDArray[np.bool_]:
        """By number, the epochs that get no more windows: their place is many epochs on.

        Where workers write by turns into one run, some are behind the others.
        """
        latest: dict[tuple[int, int], tuple[int, int]] = {}
        for file, run, node, epoch in self.epochs:
            latest[file, node] = max(latest.get((file, node), (run, epoch)), (run, epoch))
        last_file = len(self.files) - 1
        return np.array(
            [
                file < last_file or (run, epoch + _MOST_BEHIND) < latest[file, node]
                for file, run, node, epoch in self.epochs
            ]
        )

    def _take_medians(self, *, are_over: npt.NDArray[np.bool_]) -> None:
        import pandas as pd

        if not self._speeds:
            return
        numbers = np.concatenate([numbers for numbers, _ in self._speeds])
        rates = np.concatenate([rates for _, rates in self._speeds])
        here = are_over[numbers]
        medians = pd.Series(rates[here]).groupby(numbers[here]).median()
        epochs = list(self.epochs.values())
        for number, median in zip(medians.index.tolist(), medians.tolist(), strict=True):
            epochs[number].speed_median = median
        self._speeds = [(numbers[~here], rates[~here])]
        self._kept = len(self._speeds[0][0])
        self._most_kept = max(_MOST_SPEEDS, 2 * self._kept)


def _worth_keeping(arguments: dict[str, Any]) -> dict[str, int]:
    """Those of a script's arguments that say how long it trains, and from where on."""
    return {
        name: value
        for name, value in arguments.items()
        if name in _ARGUMENTS and isinstance(value, int) and not isinstance(value, bool)
    }
