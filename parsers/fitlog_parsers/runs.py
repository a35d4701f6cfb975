"""Tells the runs in one file apart, evaluation windows from training windows, means from windows.

Restarted trainings append to the file of their predecessor, and nothing in a line says so. A new
run begins where a person would say so: a start line after records, an epoch that goes back, a batch
that goes back within its epoch, or an epoch that trains again after it was validated.

A Speedometer that watches the evaluation writes lines that look like training lines, between an
epoch's `Time cost` and its `Validation-` lines. Such lines are held back until the next line
decides: a validation line follows, or the same epoch of a new run.

A window that starts at batch 0 is the first of its epoch, or a running mean like all of that epoch
(callback.py, Speedometer with auto_reset=False, 1.4 on): the report that follows tells.

All of it is decided over stretches: one line, or the many lines of one epoch whose batches go up.
How the lines are cut into stretches makes no difference.
"""

from __future__ import annotations

import enum
import math
import sys
from typing import Final

from fitlog_parsers.entries import Finding
from fitlog_parsers.records import Split
from fitlog_parsers.stretches import Kind, Placed, Stretch, Window

_BATCHES_TO_INTERLEAVE: Final = 2
# What the next lines of a node would tell is given up after so many lines of the log: a node may
# have died, and what others write must not wait for it.
PATIENCE_LINES: Final = 20_000


class Stage(enum.Enum):
    """How far an epoch has come."""

    TRAINING = enum.auto()
    CLOSED = enum.auto()
    VALIDATED = enum.auto()


class RunTracker:
    """Gives the stretches of one node their runs; add them in order, then close.

    `findings` grows; whoever reads it may empty it.
    """

    def __init__(self) -> None:
        self.findings: list[Finding] = []
        self._run = 0
        self._held: list[Stretch] = []
        self._out: list[Placed] = []
        self._waiting: list[Placed] = []
        self._saw_validation = False
        self._told_repeated = self._interleaved = False
        self._forget()

    @property
    def is_waiting(self) -> bool:
        """Whether stretches wait for later ones."""
        return bool(self._held or self._waiting or self._out or self.findings)

    def add(self, stretch: Stretch) -> list[Placed]:
        """What `stretch` settles, in order: itself, later, or stretches held before it."""
        self._give_up(stretch.first)
        if self._held:
            split = self._judge_held(stretch)
            if split is None:
                self._held.append(stretch)
            else:
                # A line of a whole epoch is what comes next; anything else only suggests it.
                told = stretch.kind is Kind.VALIDATION or split == "train"
                self._release(split, certain=told or self._saw_validation)
                self._place(stretch)
        elif self._is_ambiguous(stretch):
            self._held.append(stretch)
        else:
            self._place(stretch)
        return self._take()

    def give_up(self, line: int) -> list[Placed]:
        """What has waited too long when the log has come to `line`."""
        self._give_up(line)
        return self._take()

    def guess_scope(self) -> list[Placed]:
        """What waits to be told from running means, taken for the windows that it mostly is."""
        if self._waiting:
            self._settle_scope(running=False)
        return self._take()

    def close(self) -> list[Placed]:
        """What is still unsettled when the log ends."""
        return self.give_up(sys.maxsize)

    def _give_up(self, line: int) -> None:
        if self._held and line - self._held[0].first > PATIENCE_LINES:
            self._release("validation" if self._saw_validation else "train", certain=False)
        if self._waiting and line - self._waiting[0].stretch.first > PATIENCE_LINES:
            self._settle_scope(running=False)

    def _take(self) -> list[Placed]:
        out, self._out = self._out, []
        return out

    def _forget(self) -> None:
        """Nothing is known yet of the run that begins."""
        self._starts: set[str] = set()
        self._last_start = ""
        self._last_start_line = 0
        self._has_records = False
        self._last_window: Window | None = None
        self._last_epoch: int | None = None
        self._running: set[Split] = set()
        self._first_batch: int | None = None
        self._repeated: set[int] = set()
        self._begin_epoch(None)

    def _begin_epoch(self, epoch: int | None) -> None:
        self._epoch = epoch
        self._stage = Stage.TRAINING
        self._batch_end = -1
        self._steps_back = 0
        self._closing: dict[str, float] = {}

    def _is_ambiguous(self, stretch: Stretch) -> bool:
        if self._stage is not Stage.CLOSED or self._interleaved or stretch.windows is None:
            return False
        first = stretch.windows[0]
        if first.samples_per_sec is None or stretch.epoch is None or stretch.epoch != self._epoch:
            return False
        # A window that begins where the last one ended goes on with the training.
        return first.batch_start is None or not 0 < self._batch_end <= first.batch_start

    def _is_late(self, stretch: Stretch) -> bool:
        """Whether an evaluation beside the training reports on the epoch that was over before."""
        if stretch.kind is not Kind.VALIDATION or stretch.epoch is None or self._epoch is None:
            return False
        return stretch.epoch == self._epoch - 1

    def _judge_held(self, stretch: Stretch) -> Split | None:
        """Whose windows the held lines are; None while the log has not told."""
        if stretch.windows is not None and stretch.windows[0].samples_per_sec is not None:
            return None if stretch.epoch == self._epoch else "validation"
        if stretch.kind in (Kind.VALIDATION, Kind.START):
            return "validation"
        return "train" if stretch.kind is Kind.CLOSING else None

    def _release(self, split: Split, *, certain: bool) -> None:
        """Place the held lines, as windows of the evaluation or of a new run."""
        held, self._held = self._held, []
        if not certain:
            text = "the log does not tell evaluation windows from those of a new run: taken for "
            text += "the evaluation's" if split == "validation" else "a new run's"
            self._find("undecided-windows", held[0].first, text)
        # A run killed while it was evaluated: its windows, then those of the next one.
        evaluated = len(held) if split == "validation" else _first_step_back(held)
        for stretch in held[:evaluated]:
            self._emit(stretch, "validation")
        if evaluated < len(held):
            self._open_run(held[evaluated].first, "an epoch trains again after its end")
        for stretch in held[evaluated:]:
            self._place(stretch)

    def _place(self, stretch: Stretch) -> None:
        if self._is_late(stretch):
            self._emit(stretch, "train")
            return
        if stretch.kind is Kind.START:
            self._begin(stretch)
        elif stretch.epoch is not None:
            reason = self._why_new_run(stretch)
            if reason:
                self._open_run(stretch.first, reason)
            if stretch.epoch != self._epoch:
                self._begin_epoch(stretch.epoch)
        if stretch.windows is not None:
            self._compare_with_last(stretch, stretch.windows)
        if stretch.kind is not Kind.START:
            self._learn(stretch)
        self._emit(stretch, "train")

    def _emit(self, stretch: Stretch, split: Split) -> None:
        """Give out a stretch, once the report that follows has told what kind of means it holds."""
        single = stretch.windows is not None and stretch.windows[0] == stretch.windows[1]
        if self._waiting and stretch.kind is not Kind.OTHER:
            last = self._waiting[0]
            there = (last.run, last.split, last.stretch.epoch) == (self._run, split, stretch.epoch)
            again = there and stretch.from_zero and not _follows(last, stretch)
            if not (again and single):  # the same line once more tells nothing
                means = there and stretch.from_zero and (stretch.means or not again)
                self._settle_scope(running=means)
        if stretch.means:
            self._running.add(split)
        placed = Placed(stretch, self._run, split, split in self._running)
        if self._waiting or (stretch.from_zero and single and not placed.running):
            self._waiting.append(placed)
        else:
            self._out.append(placed)

    def _settle_scope(self, *, running: bool) -> None:
        for placed in self._waiting:
            self._out.append(placed._replace(running=running))
        if running:
            self._running.add(self._waiting[0].split)
        self._waiting = []

    def _begin(self, stretch: Stretch) -> None:
        """A start line: of a new run where records, or a start of its kind, went before."""
        kind = _start_kind(stretch.text)
        # Two handlers write every line twice; a second attempt would take longer.
        doubled = stretch.text == self._last_start and stretch.first == self._last_start_line + 1
        if not doubled and (self._has_records or kind in self._starts):
            self._open_run(stretch.first, "a start line after other records")
        self._starts.add(kind)
        self._last_start, self._last_start_line = stretch.text, stretch.first

    def _compare_with_last(self, stretch: Stretch, windows: tuple[Window, Window]) -> None:
        """Another speed for the same batch: a restart after its first report, or more writers."""
        first, last = windows[0], self._last_window
        if first.samples_per_sec is None:
            return
        epoch, self._last_epoch, self._last_window = self._last_epoch, stretch.epoch, windows[1]
        if last is None or first == last or stretch.epoch is None:
            return
        if self._interleaved or (epoch, last.batch_end) != (stretch.epoch, first.batch_end):
            return
        self._repeated.add(first.batch_end)
        if not self._told_repeated:
            self._told_repeated = True
            text = (
                f"batch {first.batch_end} of epoch {stretch.epoch} is reported again with another"
                " speed: a restart after its first report, or several writers; here they are one"
                " run"
            )
            self._find("repeated-batch", stretch.first, text)
        if len(self._repeated) >= _BATCHES_TO_INTERLEAVE:
            self._interleave(stretch.first)

    def _interleave(self, line: int) -> None:
        if not self._interleaved:
            self._interleaved = True
            text = (
                "several workers write here by turns and no line names its rank: here they are one"
                " run, whose speeds are those of all of them"
            )
            self._find("interleaved-workers", line, text)

    def _open_run(self, line: int, reason: str) -> None:
        self._forget()
        self._run += 1
        self._find("restart", line, f"run {self._run} begins: {reason}")

    def _find(self, code: str, line: int, text: str) -> None:
        self.findings.append(Finding(code=code, line=line, text=text))

    def _why_new_run(self, stretch: Stretch) -> str:
        """The reason why a new run begins with `stretch`; empty where none does."""
        epoch, windows = stretch.epoch, stretch.windows
        if epoch is None or self._epoch is None:
            return ""
        if epoch != self._epoch:
            goes_back = epoch < self._epoch - (1 if self._interleaved else 0)
            return f"epoch {epoch} after epoch {self._epoch}" if goes_back else ""
        if self._interleaved:
            return ""
        if windows is not None:
            # Where training goes on, a checkpoint within the epoch was validated.
            goes_on = 0 <= self._batch_end < windows[0].batch_end
            if self._stage is Stage.VALIDATED and not goes_on:
                return f"epoch {epoch} trains again after it was validated"
            if self._stage is Stage.TRAINING and windows[0].batch_end < self._batch_end:
                return self._why_step_back(stretch, windows[0].batch_end)
            # No evaluation reports metrics alone.
            is_bare = windows[0].samples_per_sec is None
            if self._stage is Stage.CLOSED and is_bare and not goes_on and self._batch_end >= 0:
                return f"epoch {epoch} trains again after its end"
            return ""
        for name, value in stretch.values:
            # Two handlers write the same line twice, before anything else is written.
            again = self._stage is not Stage.VALIDATED and _same(self._closing.get(name), value)
            if name in self._closing and not again:
                return f"epoch {epoch} ends a second time"
        return ""

    def _why_step_back(self, stretch: Stretch, batch_end: int) -> str:
        """A restart begins with the batch that the run began with; workers step back anywhere."""
        reason = f"batch {batch_end} after batch {self._batch_end} of epoch {stretch.epoch}"
        if batch_end == self._first_batch:
            return reason
        self._steps_back += 1
        if self._steps_back < _BATCHES_TO_INTERLEAVE:
            return reason
        self._interleave(stretch.first)
        return ""

    def _learn(self, stretch: Stretch) -> None:
        self._has_records = True
        if stretch.epoch is None:
            return
        if stretch.windows is not None:
            if self._first_batch is None:
                self._first_batch = stretch.windows[0].batch_end
            self._batch_end = stretch.windows[1].batch_end
            # Where training goes on, `Train-` lines before were reports and did not end the epoch.
            self._stage = Stage.TRAINING
            self._closing.clear()
        elif stretch.kind is Kind.CLOSING:
            self._closing.update(stretch.values)
            if self._stage is Stage.TRAINING:
                self._stage = Stage.CLOSED
        elif stretch.kind is Kind.VALIDATION:
            self._stage = Stage.VALIDATED
            self._saw_validation = True


def _follows(last: Placed, stretch: Stretch) -> bool:
    """Whether a report that starts at 0 is another one than the last, not the same once more."""
    before, after = last.stretch.windows, stretch.windows
    return before is not None and after is not None and before[1].batch_end != after[0].batch_end


def _first_step_back(held: list[Stretch]) -> int:
    """Where the batches of the held lines start again; 0 where they never do."""
    previous: Window | None = None
    for i, stretch in enumerate(held):
        if stretch.windows is not None:
            first = stretch.windows[0]
            if previous is not None and first.batch_end <= previous.batch_end and first != previous:
                return i
            previous = stretch.windows[1]
    return 0


def _start_kind(text: str) -> str:
    """FeedForward names its devices after a script named its arguments: one start, two lines."""
    return text.partition("(")[0].partition("[")[0]


def _same(a: float | None, b: float) -> bool:
    return a == b or (a is not None and math.isnan(a) and math.isnan(b))
