"""What a person should not trust in a log, told from its numbers: codes and reasons.

The readers find what lines tell (restarts, times, damage); here is what only many lines tell
together. All files are looked at at once, for there may be thousands of small ones; and all rows at
once or in parts, as a stream comes: the parts make no difference.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from fitlog.course import BATCH_SIZE, EPOCH, TRAIN, VALIDATION, WINDOW, Course, Epoch, Timed
from fitlog.epochs import shown_codes
from fitlog.segments import Ints, Rows
from fitlog_parsers import MISSING, Finding
from fitlog_parsers.columns import Columns

# Windows that add up to less than this part of their epoch's time were not waited for.
_PLAUSIBLE: Final = 0.5
# The fastest window of a training that is waited for is not so many times the slowest.
_STEADY: Final = 3.0
_ALIKE: Final = 0.8
# So many samples are no batch.
_NO_BATCH: Final = 10**9
# Workers whose speeds one line adds up; what is faster than that was not waited for.
_MOST_WORKERS: Final = 1024

Bools = npt.NDArray[np.bool_]
Found = tuple[int, Finding]


@dataclass(slots=True)
class _Case:
    """How often something was met in a file, and where first."""

    count: int = 0
    line: int = 0
    text: str = ""

    def meet(self, lines: Ints, text: str = "") -> None:
        if not self.count:
            self.line, self.text = int(lines[0]), text
        self.count += len(lines)


class _File:
    """What was met in one file."""

    def __init__(self) -> None:
        self.speeds = 0
        self.impossible, self.negative, self.gaps = _Case(), _Case(), _Case()
        self.lost, self.validated, self.residual = _Case(), _Case(), _Case()
        self.is_watched, self.is_reset = False, False
        self.is_ranged = False


class Doubts:
    """Add the columns, in the order of their lines; `find` then gives the findings."""

    def __init__(self) -> None:
        self._files: dict[int, _File] = {}
        self._last: dict[str, Any] = {}
        self._last_window: tuple[Any, ...] = (-1, -1, -1, -1)

    def add(self, columns: Columns) -> None:
        """Take in the rows of some columns, as `Course.add` does; without a row nothing happens."""
        if len(columns.speed):
            self._add_speed(Rows(columns.speed))
        if len(columns.metrics):
            self._add_metrics(Rows(columns.metrics))

    def find(
        self, course: Course, rule_uses: Sequence[Mapping[tuple[str, str], int]]
    ) -> list[Found]:
        """Findings, each with the number of its file; one of a code for each file.

        `course` has taken in the same columns; `rule_uses` are those of each file.
        """
        found: list[Found] = []
        for file, met in self._files.items():
            found += [(file, finding) for finding in _told(met, rule_uses[file])]
        return [
            *found,
            *_doubled(course),
            *_missing_epochs(course),
            *_asynchronous(course, rule_uses),
            *_left_out(course),
        ]

    def _file(self, file: int) -> _File:
        return self._files.setdefault(file, _File())

    def _add_speed(self, rows: Rows) -> None:
        file, line, value, start = rows.file, rows.line, rows.samples_per_sec, rows.batch_start
        files, counts = np.unique(file, return_counts=True)
        for one, count in zip(files.tolist(), counts.tolist(), strict=True):
            self._file(one).speeds += count
        for one, at in _by_file(file, ~(np.isfinite(value) & (value > 0))):
            self._file(one).impossible.meet(line[at], str(value[at[0]]))
        for one, at in _by_file(file, (start < 0) & (start != MISSING)):
            self._file(one).negative.meet(line[at])
        self._add_gaps(rows)

    def _add_gaps(self, rows: Rows) -> None:
        """Reports between two windows of an epoch that are not in the log."""
        names = ("file", "run", "node", "epoch", "split", "batch_start", "batch_end")
        now = {name: getattr(rows, name) for name in names}
        before = {
            name: np.append(self._last.get(name, column[:1]), column[:-1])
            for name, column in now.items()
        }
        is_same = np.ones(len(rows.line), dtype=bool)
        is_same[0] = bool(self._last)
        for name in ("file", "run", "node", "split"):
            is_same &= now[name] == before[name]
        goes_on = now["epoch"] == before["epoch"]
        start, known = now["batch_start"], before["batch_start"] != MISSING
        gap = is_same & known & np.where(goes_on, start > before["batch_end"], start > 0)
        for one, at in _by_file(rows.file, gap):
            first = at[0]
            epoch, end = now["epoch"][first], before["batch_end"][first]
            text = f"batch {end} of epoch {epoch} is followed by a window from batch {start[first]}"
            if not goes_on[first]:
                text = f"epoch {epoch} begins with a window from batch {start[first]}"
            self._file(one).gaps.meet(rows.line[at], text)
        # Copies: the tables take the columns over, and write a 0 where a number is missing.
        self._last = {name: column[-1:].copy() for name, column in now.items()}

    def _add_metrics(self, rows: Rows) -> None:
        file, line = rows.file, rows.line
        is_whole, is_validation = rows.scope == EPOCH, rows.split == VALIDATION
        is_window, start = rows.scope == WINDOW, rows.batch_start
        for one, _ in _by_file(file, is_validation & ~is_whole):
            self._file(one).is_watched = True
        # A window of the evaluation that does not begin at 0 comes after a reset.
        for one, _ in _by_file(file, is_validation & is_window & (start > 0)):
            self._file(one).is_reset = True
        for one, at in _by_file(file, is_validation & is_whole):
            self._file(one).validated.meet(line[at])
        for one, at in _by_file(file, is_validation & is_whole & np.isnan(rows.value)):
            self._file(one).lost.meet(line[at])
        for one, _ in _by_file(file, is_window & (start != MISSING)):
            self._file(one).is_ranged = True
        trained = np.flatnonzero(is_whole & (rows.split == TRAIN))
        follows = np.zeros(len(line), dtype=bool)
        follows[trained] = self._follow_windows(rows, np.flatnonzero(is_window), trained)
        for one, at in _by_file(file, follows):
            self._file(one).residual.meet(line[at])

    def _follow_windows(self, rows: Rows, windows: Ints, at: Ints) -> Bools:
        """Which of the rows `at` have a window of their own epoch as the last one before them."""
        last = np.searchsorted(windows, at) - 1
        same = np.ones(len(at), dtype=bool)
        keys = [rows.file, rows.run, rows.node, rows.epoch]
        for key, before in zip(keys, self._last_window, strict=True):
            same &= key[at] == np.append(key[windows], before)[last]  # -1: none here
        if len(windows):
            self._last_window = tuple(key[windows[-1]] for key in keys)
        return same


def _by_file(file: Ints, where: Bools) -> Iterator[tuple[int, Ints]]:
    """The files that have such rows, each with these; files lie one behind the other."""
    rows = np.flatnonzero(where)
    if len(rows):
        for part in np.split(rows, np.flatnonzero(np.diff(file[rows])) + 1):
            yield int(file[part[0]]), part


def _told(met: _File, rule_uses: Mapping[tuple[str, str], int]) -> Iterator[Finding]:
    """What the rows of one file tell."""
    if (case := met.impossible).count:
        text = f"{case.count} of {met.speeds} speeds cannot be true, the first is {case.text}"
        yield Finding(code="impossible-speed", line=case.line, text=text)
    if (case := met.negative).count:
        text = f"{case.count} windows begin before batch 0: an epoch has one batch"
        yield Finding(code="negative-window", line=case.line, text=text)
    if (case := met.gaps).count:
        text = f"{case.count} gaps between windows: {case.text}"
        yield Finding(code="lost-lines", line=case.line, text=text)
    if (case := met.lost).count and met.is_watched:
        text = f"{case.count} validation values are nan: a Speedometer reset the metric before"
        yield Finding(code="evaluation-reset", line=case.line, text=text)
    elif met.is_reset and (case := met.validated).count:
        text = (
            "validation values tell of the batches since the evaluation's last report alone: a"
            " Speedometer reset the metric"
        )
        yield Finding(code="evaluation-reset", line=case.line, text=text)
    if (case := met.residual).count and not met.is_ranged and is_modules(rule_uses):
        text = (
            "before MXNet 1.4, Train- lines tell of the batches since the last report alone, in 1.2"
            " and 1.3 of the last window; unless the Speedometer did not reset the metric"
        )
        yield Finding(code="residual-metric", line=case.line, text=text)


def is_modules(rule_uses: Mapping[tuple[str, str], int]) -> bool:
    """Whether most of a file's records are lines of Module's, by the uses of rules."""
    own = sum(count for (dialect, _), count in rule_uses.items() if dialect == "module")
    return 2 * own > sum(rule_uses.values())


def _doubled(course: Course) -> Iterator[Found]:
    """Files whose lines about epochs are nearly all there twice, with the same value."""
    for one, file in enumerate(course.files):
        if file.repeated and file.repeated * 2 >= file.whole * 0.9:
            text = f"{file.repeated} lines about epochs are there twice: two handlers wrote them"
            line = file.first_repeated
            yield one, Finding(code="doubled-lines", line=line, text=text)


def _missing_epochs(course: Course) -> Iterator[Found]:
    """Epochs that a run must have trained between those that it logs; the first of each file."""
    places: dict[tuple[int, int, int], dict[int, int]] = {}
    for (file, run, node, number), epoch in course.epochs.items():
        if epoch.is_trained or epoch.is_stated:
            places.setdefault((file, run, node), {})[number] = epoch.first_line
    told = set()
    for (file, run, _), lines in sorted(places.items()):
        epochs = np.array(sorted(lines))
        steps = np.diff(epochs)
        jumps = np.flatnonzero(steps > 1)
        if file in told or not len(jumps) or np.median(steps) != 1:
            continue
        told.add(file)
        before, after = epochs[jumps[0]], epochs[jumps[0] + 1]
        text = f"epoch {after} follows epoch {before} in run {run}"
        yield file, Finding(code="missing-epochs", line=lines[int(after)], text=text)


def _asynchronous(
    course: Course, rule_uses: Sequence[Mapping[tuple[str, str], int]]
) -> Iterator[Found]:
    """Windows that are over in a fraction of their epoch's time: work was queued, not done."""
    sizes = _batch_sizes(course)
    files: dict[int, list[_Judged]] = {}
    for (file, run, _, number), epoch in course.epochs.items():
        size = sizes.get((file, run), 0)
        if size and epoch.timed is not None and epoch.time_cost is not None:
            files.setdefault(file, []).append(_Judged(number, epoch, epoch.timed, size))
    for file, judged in files.items():
        fiction = [one for one in judged if one.at_most < _PLAUSIBLE * one.time_cost]
        if not fiction or not is_modules(rule_uses[file]) or _are_of_more_workers(fiction):
            continue
        first = min(fiction, key=lambda one: one.timed.line)
        text = (
            f"the windows of {len(fiction)} epochs add up to less than half of the epoch's time"
            f" (epoch {first.number}: {first.seconds:.3g} s of {first.time_cost:.3g} s at"
            f" {first.batch_size} samples a batch): the speeds tell how fast work was queued"
        )
        yield file, Finding(code="asynchronous-speed", line=first.timed.line, text=text)


def _left_out(course: Course) -> Iterator[Found]:
    """Files with values of whole epochs that have no column in the table of epochs."""
    shown = set(shown_codes(course))
    first: dict[int, int] = {}
    for (file, *_), epoch in course.epochs.items():
        if file not in first and not shown.issuperset(epoch.codes):
            first[file] = epoch.first_line
    for file, line in first.items():
        text = f"too many metrics for the table epochs: it has the first {len(shown):,} columns"
        yield file, Finding(code="wide-epochs", line=line, text=text)


def _batch_sizes(course: Course) -> dict[tuple[int, int], int]:
    """By file and run; a run that states none has that of the run before."""
    stated = {
        (file, run): told.arguments[BATCH_SIZE]
        for (file, run, _), told in course.runs.items()
        if 0 < told.arguments.get(BATCH_SIZE, 0) < _NO_BATCH
    }
    sizes: dict[tuple[int, int], int] = {}
    for file, run in sorted({(file, run) for file, run, _ in course.runs}):
        size = stated.get((file, run), sizes.get((file, run - 1), 0))
        sizes[file, run] = size
    return sizes


class _Judged:
    """An epoch's windows beside its time, at so many samples a batch.

    `at_most` are seconds of the whole epoch: a window at most is left over at its end, and batch 0.
    """

    def __init__(self, number: int, epoch: Epoch, timed: Timed, batch_size: int) -> None:
        self.number, self.timed, self.batch_size = number, timed, batch_size
        self.time_cost = epoch.time_cost or 0.0
        self.seconds = timed.weight * batch_size
        self.at_most = self.seconds * (timed.batches + timed.longest + 1) / max(timed.batches, 1)


def _are_of_more_workers(epochs: list[_Judged]) -> bool:
    """Whether the speeds are steady, and all those of about the same number of workers.

    Some scripts log the speed of the whole cluster and the batch size of one worker.
    """
    if any(epoch.seconds <= 0 for epoch in epochs):  # speeds of inf
        return False
    least = max(epoch.time_cost / epoch.at_most for epoch in epochs)
    most = min(epoch.time_cost / epoch.seconds for epoch in epochs)
    is_steady = all(epoch.timed.fastest < _STEADY * epoch.timed.slowest for epoch in epochs)
    return is_steady and _ALIKE * least <= most <= _MOST_WORKERS
