"""A bar on the terminal for those who wait for logs to be read."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Final

from fitlog.sources import Source, size_of

if TYPE_CHECKING:
    from rich.progress import Progress

# Who waits no longer than this needs no bar.
_PATIENCE_SECONDS: Final = 1.0


class ReadingBar:
    """Call it with the bytes read so far; it shows a bar once reading has taken a second.

    `open_bar` makes what is shown. It is asked for at most once, and never where all is read soon.
    """

    def __init__(
        self,
        total: int,
        open_bar: Callable[[], Progress],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._total, self._open_bar, self._clock = total, open_bar, clock
        self._start = clock()
        self._bar: Progress | None = None

    def __call__(self, done: int) -> None:
        """So many bytes are read."""
        if self._bar is None:
            if self._clock() - self._start < _PATIENCE_SECONDS:
                return
            self._bar = self._open_bar()
            self._bar.add_task("reading", total=self._total or None)
            self._bar.start()
        self._bar.update(self._bar.task_ids[0], completed=done)
        if done >= self._total > 0:  # before what was read is shown
            self.close()

    def close(self) -> None:
        """Leave the terminal as it was."""
        if self._bar is not None:
            self._bar.stop()


@contextlib.contextmanager
def shown_reading(
    sources: Sequence[Source], *, amid_output: bool = False
) -> Iterator[ReadingBar | None]:
    """The bar of these logs on standard error; None where that is no terminal.

    `amid_output`: standard output is written while logs are read, and may be the same terminal.
    """
    if not sys.stderr.isatty() or (amid_output and sys.stdout.isatty()):
        yield None
        return
    with contextlib.closing(ReadingBar(sum(map(size_of, sources)), _open_bar)) as bar:
        yield bar


@contextlib.contextmanager
def shown_bytes() -> Iterator[Callable[[int, int], None] | None]:
    """A bar for the bytes read so far and those to read, as it is told; None without a terminal."""
    if not sys.stderr.isatty():
        yield None
        return
    bar: ReadingBar | None = None

    def show(done: int, total: int) -> None:
        nonlocal bar
        bar = bar or ReadingBar(total, _open_bar)
        bar(done)

    try:
        yield show
    finally:
        if bar is not None:
            bar.close()


def _open_bar() -> Progress:
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        DownloadColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
        # What is written meanwhile is the command's, and no part of the bar.
        redirect_stdout=False,
        redirect_stderr=False,
    )
