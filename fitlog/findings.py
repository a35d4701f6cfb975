"""What a person should not trust in a log, told from its tables: codes, reasons and remedies.

The readers find what lines tell (restarts, times, damage); here is what only the numbers tell. All
files are looked at together, for there may be thousands of small ones.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from fitlog.hparams import parse_hparams
from fitlog.segments import Ints, find_segments
from fitlog_parsers import MISSING, Finding
from fitlog_parsers.columns import SCOPES, SPLITS, Columns

# Windows that add up to less than this part of their epoch's time were not waited for.
_PLAUSIBLE: Final = 0.5
# The fastest window of a training that is waited for is not so many times the slowest.
_STEADY: Final = 3.0
_ALIKE: Final = 0.8
_EPOCH: Final = SCOPES.index("epoch")
_TRAIN, _VALIDATION = SPLITS.index("train"), SPLITS.index("validation")

Found = tuple[int, Finding]


def find_doubts(columns: Columns) -> list[Found]:
    """Findings about the numbers, each with the index of its file; one of a code for each file."""
    speed, metrics = _Rows(columns.speed), _Rows(columns.metrics)
    return [
        *_speeds(speed),
        *_gaps(speed),
        *_resets(metrics),
        *_doubled(metrics),
        *_missing_epochs(metrics),
        *_residuals(metrics, columns.rule_uses),
        *_asynchronous(columns, speed),
    ]


class _Rows:
    """A table's columns as arrays."""

    def __init__(self, table: Any) -> None:
        self._table = table

    def __getattr__(self, name: str) -> Any:
        return np.asarray(getattr(self._table, name))


def _finding(code: str, file: int, line: Any, text: str) -> Found:
    return int(file), Finding(code=code, line=int(line), text=text)


def _by_file(file: Ints, where: npt.NDArray[np.bool_]) -> Iterator[tuple[int, Ints]]:
    """The files that have such rows, each with these; files lie one behind the other."""
    rows = np.flatnonzero(where)
    if len(rows):
        for part in np.split(rows, np.flatnonzero(np.diff(file[rows])) + 1):
            yield int(file[part[0]]), part


def _speeds(speed: _Rows) -> Iterator[Found]:
    file, line, value, start = speed.file, speed.line, speed.samples_per_sec, speed.batch_start
    for one, rows in _by_file(file, ~(np.isfinite(value) & (value > 0))):
        count = np.searchsorted(file, one + 1) - np.searchsorted(file, one)
        text = f"{len(rows)} of {count} speeds cannot be true, the first is {value[rows[0]]}"
        yield _finding("impossible-speed", one, line[rows[0]], text)
    for one, rows in _by_file(file, (start < 0) & (start != MISSING)):
        text = f"{len(rows)} windows begin before batch 0: an epoch has one batch"
        yield _finding("negative-window", one, line[rows[0]], text)


def _gaps(speed: _Rows) -> Iterator[Found]:
    """Reports between two windows of an epoch that are not in the log."""
    start, end, epoch = speed.batch_start, speed.batch_end, speed.epoch
    gap = np.zeros(len(end), dtype=bool)
    gap[1:] = (start[1:] > end[:-1]) & (start[:-1] != MISSING)
    for column in (speed.file, speed.run, speed.node, epoch, speed.split):
        gap[1:] &= column[1:] == column[:-1]
    for one, rows in _by_file(speed.file, gap):
        at = rows[0]
        text = (
            f"{len(rows)} gaps between windows: batch {end[at - 1]} of epoch {epoch[at]} is"
            f" followed by a window from batch {start[at]}"
        )
        yield _finding("lost-lines", one, speed.line[at], text)


def _resets(metrics: _Rows) -> Iterator[Found]:
    """Validation that a Speedometer on the evaluation reset before it was logged."""
    is_whole, is_validation = metrics.scope == _EPOCH, metrics.split == _VALIDATION
    watched = {one for one, _ in _by_file(metrics.file, is_validation & ~is_whole)}
    for one, rows in _by_file(metrics.file, is_validation & is_whole & np.isnan(metrics.value)):
        if one in watched:
            text = f"{len(rows)} validation values are nan: a Speedometer reset the metric before"
            yield _finding("evaluation-reset", one, metrics.line[rows[0]], text)


def _doubled(metrics: _Rows) -> Iterator[Found]:
    """Lines about epochs that are nearly all there twice, with the same value."""
    at = np.flatnonzero((metrics.scope == _EPOCH) & (metrics.epoch != MISSING))
    keys = [metrics.file, metrics.run, metrics.node, metrics.epoch, metrics.split, metrics.metric]
    keys = [key[at] for key in keys]
    order = np.lexsort((metrics.line[at], *keys[::-1]))
    again, value = np.ones(max(len(at) - 1, 0), dtype=bool), metrics.value[at[order]]
    for column in (*(key[order] for key in keys), value):
        again &= column[1:] == column[:-1]
    later = at[order[1:][again]]
    file = metrics.file
    counts = np.bincount(file[at], minlength=1)
    twice = np.bincount(file[later], minlength=1)
    for one in np.flatnonzero((twice > 0) & (twice * 2 >= counts[: len(twice)] * 0.9)).tolist():
        first = later[file[later] == one].min()
        text = f"{twice[one]} lines about epochs are there twice: two handlers wrote them"
        yield _finding("doubled-lines", one, metrics.line[first], text)


def _missing_epochs(metrics: _Rows) -> Iterator[Found]:
    """Epochs that a run must have trained between those that it logs; the first of each file."""
    keys = [metrics.file, metrics.run, metrics.node, metrics.epoch]
    heads, _ = find_segments(keys)
    places = np.stack([key[heads] for key in keys], axis=1)
    heads, places = heads[places[:, 3] != MISSING], places[places[:, 3] != MISSING]
    unique, first = np.unique(places, axis=0, return_index=True)
    same = (unique[1:, :3] == unique[:-1, :3]).all(axis=1)
    steps = np.diff(unique[:, 3])
    told = -1
    for jump in np.flatnonzero(same & (steps > 1)).tolist():
        one = int(unique[jump, 0])
        here = same & (unique[1:, :3] == unique[jump, :3]).all(axis=1)
        if one == told or np.median(steps[here]) != 1:
            continue
        told = one
        before, after = unique[jump, 3], unique[jump + 1, 3]
        text = f"epoch {after} follows epoch {before} in run {unique[jump, 1]}"
        yield _finding("missing-epochs", one, metrics.line[heads[first[jump + 1]]], text)


def is_modules(rule_uses: Mapping[tuple[str, str], int]) -> bool:
    """Whether most of a file's records are lines of Module's, by the uses of rules."""
    own = sum(count for (dialect, _), count in rule_uses.items() if dialect == "module")
    return 2 * own > sum(rule_uses.values())


def _residuals(
    metrics: _Rows, rule_uses: Sequence[Mapping[tuple[str, str], int]]
) -> Iterator[Found]:
    """`Train-` lines of versions that write the end of a window alone: the rest of an epoch."""
    is_whole, file = metrics.scope == _EPOCH, metrics.file
    windows = np.bincount(file[~is_whole], minlength=len(rule_uses))
    ranged = ~is_whole & (metrics.batch_start != MISSING)
    ranges = np.bincount(file[ranged], minlength=len(rule_uses))
    for one, rows in _by_file(file, is_whole & (metrics.split == _TRAIN)):
        if windows[one] and not ranges[one] and is_modules(rule_uses[one]):
            text = "before MXNet 1.4, Train- lines tell of the batches since the last report alone"
            yield _finding("residual-metric", one, metrics.line[rows[0]], text)


@dataclass(slots=True)
class _Stated:
    """What a file's events state: its last `Namespace(...)`, and the seconds of each epoch."""

    arguments: str = ""
    times: dict[tuple[int, ...], float] = field(default_factory=dict)

    @property
    def batch_size(self) -> int | None:
        arguments = parse_hparams(self.arguments) if self.times and self.arguments else {}
        size = arguments.get("batch_size")
        return size if isinstance(size, int) else None


def _stated(columns: Columns) -> list[_Stated]:
    """What the events of each file state."""
    events = columns.events
    stated = [_Stated() for _ in columns.files]
    for i, kind in enumerate(events.kind):
        here = stated[events.file[i]]
        if kind == "time_cost":
            here.times[events.run[i], events.node[i], events.epoch[i]] = events.value[i]
        elif kind == "start" and "Namespace(" in events.text[i]:
            here.arguments = events.text[i]
    return stated


class _Timed(NamedTuple):
    """The windows of an epoch: its place, their line, batches and rates, and the epoch's time.

    `weights` is the sum of batches over rates: the seconds are these times the batch size.
    """

    run: int
    node: int
    epoch: int
    line: int
    batches: int
    longest: int
    weights: float
    slowest: float
    fastest: float
    time_cost: float

    def seconds(self, batch_size: int) -> float:
        return self.weights * batch_size

    def at_most(self, batch_size: int) -> float:
        """Seconds of the whole epoch: a window at most is left over at its end, and batch 0."""
        return self.seconds(batch_size) * (self.batches + self.longest + 1) / max(self.batches, 1)


def _asynchronous(columns: Columns, speed: _Rows) -> Iterator[Found]:
    """Windows that are over in a fraction of their epoch's time: work was queued, not done."""
    stated = _stated(columns)
    sizes = {one: size for one, told in enumerate(stated) if (size := told.batch_size)}
    if not sizes:
        return
    for one, epochs in _timed_epochs(speed, stated).items():
        size = sizes.get(one, 0)
        fiction = [epoch for epoch in epochs if epoch.at_most(size) < _PLAUSIBLE * epoch.time_cost]
        if not size or not fiction or _are_of_more_workers(fiction, size):
            continue
        first = fiction[0]
        text = (
            f"the windows of {len(fiction)} epochs add up to less than half of the epoch's time"
            f" (epoch {first.epoch}: {first.seconds(size):.3g} s of {first.time_cost:.3g} s at"
            f" {size} samples a batch): the speeds tell how fast work was queued"
        )
        yield _finding("asynchronous-speed", one, first.line, text)


def _timed_epochs(speed: _Rows, stated: list[_Stated]) -> dict[int, list[_Timed]]:
    """The epochs of each file that have windows and a time, in the order of their first lines."""
    start, rate = speed.batch_start, speed.samples_per_sec
    usable = np.flatnonzero(
        (start != MISSING) & (start >= 0) & (rate > 0) & (speed.split == _TRAIN)
    )
    keys = [column[usable] for column in (speed.file, speed.run, speed.node, speed.epoch)]
    heads, _ = find_segments(keys)
    found: dict[int, dict[tuple[int, ...], _Timed]] = {}
    if not len(heads):
        return {}
    batches, rate = speed.batch_end[usable] - start[usable], rate[usable]
    columns = (
        *(key[heads] for key in keys),
        speed.line[usable[heads]],
        np.add.reduceat(batches, heads),
        np.maximum.reduceat(batches, heads),
        np.add.reduceat(batches / rate, heads),
        np.minimum.reduceat(rate, heads),
        np.maximum.reduceat(rate, heads),
    )
    for one, *place, line, count, longest, weights, slowest, fastest in zip(
        *(column.tolist() for column in columns), strict=True
    ):
        run, node, epoch = place
        time_cost = stated[one].times.get((run, node, epoch))
        if time_cost is None:
            continue
        timed = _Timed(run, node, epoch, line, count, longest, weights, slowest, fastest, time_cost)
        epochs = found.setdefault(one, {})
        before = epochs.get((run, node, epoch))
        epochs[run, node, epoch] = timed if before is None else _together(before, timed)
    return {one: list(epochs.values()) for one, epochs in found.items()}


def _together(a: _Timed, b: _Timed) -> _Timed:
    """Two stretches of one epoch's windows, whose lines other nodes' lines part."""
    return a._replace(
        batches=a.batches + b.batches,
        longest=max(a.longest, b.longest),
        weights=a.weights + b.weights,
        slowest=min(a.slowest, b.slowest),
        fastest=max(a.fastest, b.fastest),
    )


def _are_of_more_workers(epochs: list[_Timed], batch_size: int) -> bool:
    """Whether the speeds are steady, and all those of about the same number of workers.

    Some scripts log the speed of the whole cluster and the batch size of one worker.
    """
    least = max(epoch.time_cost / epoch.at_most(batch_size) for epoch in epochs)
    most = min(epoch.time_cost / epoch.seconds(batch_size) for epoch in epochs)
    is_steady = all(epoch.fastest < _STEADY * epoch.slowest for epoch in epochs)
    return is_steady and bool(most >= _ALIKE * least)
