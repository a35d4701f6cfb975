"""What a person should not trust in a log, told from its tables: codes, reasons and remedies.

The readers find what lines tell (restarts, times, damage); here is what only the numbers tell.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

import numpy as np

from fitlog.hparams import parse_hparams
from fitlog_parsers import MISSING, Finding
from fitlog_parsers.columns import SCOPES, SPLITS, Columns

# Windows that add up to less than this part of their epoch's time were not waited for.
_PLAUSIBLE: Final = 0.5
# The fastest window of a training that is waited for is not so many times the slowest.
_STEADY: Final = 3.0
_ALIKE: Final = 0.8


class _Case(NamedTuple):
    file: int
    finding: Finding


@dataclass(slots=True)
class _Timed:
    """What the windows of an epoch add up to; `line` is that of the first."""

    line: int
    batches: int = 0
    longest: int = 0
    seconds: float = 0.0
    slowest: float = np.inf
    fastest: float = 0.0

    def at_most(self) -> float:
        """Seconds of the whole epoch: a window at most is left over at its end, and batch 0."""
        return self.seconds * (self.batches + self.longest + 1) / max(self.batches, 1)


@dataclass(slots=True)
class _Stated:
    """What a file's events state: its last `Namespace(...)`, and the seconds of each epoch."""

    arguments: str = ""
    times: dict[tuple[int, ...], float] = field(default_factory=dict)


def find_doubts(columns: Columns) -> list[tuple[int, Finding]]:
    """Findings about the numbers, each with the index of its file; one of a code for each file."""
    cases: list[_Case] = []
    stated = _stated(columns)
    for file in range(len(columns.files)):
        speed, metrics = _Part(columns.speed, file), _Part(columns.metrics, file)
        cases += _speeds(file, speed)
        cases += _windows(file, speed)
        cases += _epochs(file, metrics)
        if is_modules(columns.rule_uses[file]):
            cases += _residuals(file, metrics)
        cases += _asynchronous(file, stated[file], speed)
    return [(case.file, case.finding) for case in cases]


class _Part:
    """The rows of one file in a table, column by column."""

    def __init__(self, table: Any, file: int) -> None:
        self._table = table
        files = np.asarray(table.file)
        # Files are read one after the other.
        self._rows = slice(*np.searchsorted(files, [file, file + 1]).tolist())

    def __getattr__(self, name: str) -> Any:
        return np.asarray(getattr(self._table, name))[self._rows]


def _case(file: int, code: str, line: Any, text: str) -> _Case:
    return _Case(file, Finding(code=code, line=int(line), text=text))


def _speeds(file: int, speed: _Part) -> list[_Case]:
    value = speed.samples_per_sec
    cases = []
    bad = np.flatnonzero(~(np.isfinite(value) & (value > 0)))
    if len(bad):
        text = f"{len(bad)} of {len(value)} speeds cannot be true, the first is {value[bad[0]]}"
        cases.append(_case(file, "impossible-speed", speed.line[bad[0]], text))
    start = speed.batch_start
    negative = np.flatnonzero((start < 0) & (start != MISSING))
    if len(negative):
        text = f"{len(negative)} windows begin before batch 0: an epoch has one batch"
        cases.append(_case(file, "negative-window", speed.line[negative[0]], text))
    return cases


def _windows(file: int, speed: _Part) -> list[_Case]:
    """Reports between two windows of an epoch that are not in the log."""
    start, end = speed.batch_start, speed.batch_end
    same = np.ones(max(len(end) - 1, 0), dtype=bool)
    for column in (speed.run, speed.node, speed.epoch, speed.split):
        same &= column[1:] == column[:-1]
    gap = same & (start[1:] > end[:-1]) & (start[:-1] != MISSING)
    at = np.flatnonzero(gap)
    if not len(at):
        return []
    text = (
        f"{len(at)} gaps between windows: batch {end[at[0]]} of epoch {speed.epoch[at[0]]} is"
        f" followed by a window from batch {start[at[0] + 1]}"
    )
    return [_case(file, "lost-lines", speed.line[at[0] + 1], text)]


def _epochs(file: int, metrics: _Part) -> list[_Case]:
    whole = metrics.scope == SCOPES.index("epoch")
    cases: list[_Case] = []
    run, node, epoch, line = metrics.run, metrics.node, metrics.epoch, metrics.line
    value, split, metric = metrics.value, metrics.split, metrics.metric
    evaluated = np.flatnonzero(~whole & (split == SPLITS.index("validation")))
    lost = whole & (split == SPLITS.index("validation")) & np.isnan(value)
    if lost.any() and len(evaluated):
        first = np.flatnonzero(lost)[0]
        text = f"{int(lost.sum())} validation values are nan: a Speedometer reset the metric before"
        cases.append(_case(file, "evaluation-reset", line[first], text))
    at = np.flatnonzero(whole & (epoch != MISSING))
    keys = np.stack([run[at], node[at], epoch[at], split[at], metric[at]], axis=1)
    order = np.lexsort((line[at], *keys.T[::-1]))
    keys, at = keys[order], at[order]
    doubled = (keys[1:] == keys[:-1]).all(axis=1) & (value[at[1:]] == value[at[:-1]])
    if doubled.sum() * 2 >= len(at) * 0.9 and len(at) > 1:
        text = f"{int(doubled.sum())} lines about epochs are there twice: two handlers wrote them"
        cases.append(_case(file, "doubled-lines", line[at[1:][doubled][0]], text))
    known = np.flatnonzero(epoch != MISSING)
    for column_run, column_node in sorted(
        {*zip(run[known].tolist(), node[known].tolist(), strict=True)}
    ):
        here = known[(run[known] == column_run) & (node[known] == column_node)]
        epochs = np.unique(epoch[here])
        jumps = np.flatnonzero(np.diff(epochs) > 1)
        usual = np.median(np.diff(epochs)) if len(epochs) > 1 else 1
        if len(jumps) and usual == 1:
            before, after = int(epochs[jumps[0]]), int(epochs[jumps[0] + 1])
            first = here[epoch[here] == after][0]
            text = f"epoch {after} follows epoch {before} in run {column_run}"
            cases.append(_case(file, "missing-epochs", line[first], text))
            break
    return cases


def is_modules(rule_uses: Mapping[tuple[str, str], int]) -> bool:
    """Whether most of a file's records are lines of Module's, by the uses of rules."""
    own = sum(count for (dialect, _), count in rule_uses.items() if dialect == "module")
    return 2 * own > sum(rule_uses.values())


def _residuals(file: int, metrics: _Part) -> list[_Case]:
    whole = metrics.scope == SCOPES.index("epoch")
    ranged = metrics.batch_start[~whole] != MISSING
    residual = np.flatnonzero(whole & (metrics.split == SPLITS.index("train")))
    if not len(residual) or not len(ranged) or ranged.any():
        return []
    text = "before MXNet 1.4, Train- lines tell of the batches since the last report alone"
    return [_case(file, "residual-metric", metrics.line[residual[0]], text)]


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


def _asynchronous(file: int, stated: _Stated, speed: _Part) -> list[_Case]:
    """Windows that are over in a fraction of their epoch's time: work was queued, not done."""
    arguments = parse_hparams(stated.arguments) if stated.arguments else {}
    batch_size, times = arguments.get("batch_size"), stated.times
    if not isinstance(batch_size, int) or not len(speed.line):
        return []
    start, end, value = speed.batch_start, speed.batch_end, speed.samples_per_sec
    usable = (start != MISSING) & (start >= 0) & (value > 0) & (speed.split == 0)
    epochs: dict[tuple[int, ...], _Timed] = {}
    columns_used = (speed.run, speed.node, speed.epoch, speed.line, end - start, value)
    for run, node, epoch, line, batches, rate in zip(
        *(column[usable].tolist() for column in columns_used), strict=True
    ):
        timed = epochs.setdefault((run, node, epoch), _Timed(line))
        timed.batches += batches
        timed.longest = max(timed.longest, batches)
        timed.seconds += batches * batch_size / rate
        timed.slowest, timed.fastest = min(timed.slowest, rate), max(timed.fastest, rate)
    fiction = [key for key in epochs if epochs[key].at_most() < _PLAUSIBLE * times.get(key, 0.0)]
    if not fiction or _are_of_more_workers([(epochs[key], times[key]) for key in fiction]):
        return []
    key = fiction[0]
    text = (
        f"the windows of {len(fiction)} epochs add up to less than half of the epoch's time"
        f" (epoch {key[2]}: {epochs[key].seconds:.3g} s of {times[key]:.3g} s at {batch_size}"
        " samples a batch): the speeds tell how fast work was queued"
    )
    return [_case(file, "asynchronous-speed", epochs[key].line, text)]


def _are_of_more_workers(epochs: list[tuple[_Timed, float]]) -> bool:
    """Whether the speeds are steady, and all those of about the same number of workers.

    Some scripts log the speed of the whole cluster and the batch size of one worker.
    """
    least = max(time / timed.at_most() for timed, time in epochs)
    most = min(time / timed.seconds for timed, time in epochs)
    is_steady = all(timed.fastest < _STEADY * timed.slowest for timed, _ in epochs)
    return is_steady and bool(most >= _ALIKE * least)
