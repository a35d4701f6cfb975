"""What a person sees while a training runs: a progress bar on a terminal, plain lines elsewhere.

The display is fed with the log's own lines and understands them with the project's own grammar: it
shows what a reader of the log would see.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Final

from fitlog_parsers import LogReader, Metric, Row, Speed

_REFRESHES: Final = 4  # each takes time from the training

if TYPE_CHECKING:
    from rich.progress import Progress


@contextlib.contextmanager
def shown_progress(num_epochs: int, batches_per_epoch: float) -> Iterator[Callable[[str], None]]:
    """A function that is given each log line and shows it.

    Where `batches_per_epoch` is inf, for unknown, the bar moves with each epoch.
    """
    if not sys.stdout.isatty():
        yield _PlainLines().show
        return
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    with Progress(
        TextColumn("epoch"),
        MofNCompleteColumn(),
        BarColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[facts]}"),
        refresh_per_second=_REFRESHES,
    ) as progress:
        yield _Bar(progress, num_epochs, batches_per_epoch).show


class _PlainLines:
    def __init__(self) -> None:
        self._closed = False

    def show(self, line: str) -> None:
        if self._closed:
            return
        try:
            print(line, flush=True)  # noqa: T201  # this is the console
        except BrokenPipeError:  # `| head` has seen enough; the training goes on
            self._closed = True


class _Bar:
    """One bar over all epochs; beside it the last speed and the first metric's last validation."""

    def __init__(self, progress: Progress, num_epochs: int, batches_per_epoch: float) -> None:
        self._progress = progress
        self._batches = batches_per_epoch
        self._task = progress.add_task("", total=num_epochs, facts="")
        self._reader = LogReader()
        self._speed = ""
        self._metric = ""
        self._validation = ""

    def show(self, line: str) -> None:
        for entry in self._reader.feed(line.encode() + b"\n"):
            if isinstance(entry, Row):
                self._take(entry)
        self._progress.update(self._task, facts=f"{self._speed}  {self._validation}")

    def _take(self, row: Row) -> None:
        match row.record:
            case Speed(epoch=int(epoch), batch_end=int(batch_end), samples_per_sec=speed):
                self._speed = f"{speed:,.0f} samples/sec"
                self._progress.update(self._task, completed=epoch + batch_end / self._batches)
            case Metric(scope="epoch", epoch=int(epoch), split=split, metric=name, value=value):
                self._metric = self._metric or name
                if name == self._metric and split == "validation":
                    self._validation = f"validation {name} {value:.4f}"
                self._progress.update(self._task, completed=epoch + 1)
