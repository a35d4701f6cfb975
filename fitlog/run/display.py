"""What a person sees while a training runs: its live view on a terminal, plain lines elsewhere.

The view is that of `fitlog watch`. It is fed with the log's own lines and understands them with the
project's own grammar: it shows what a reader of the log would see.
"""

from __future__ import annotations

import contextlib
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

_REFRESHES: Final = 4  # each takes time from the training

if TYPE_CHECKING:
    from rich.text import Text

    from fitlog.run.settings import RunOptions
    from fitlog.watch_view import Glyphs


@contextlib.contextmanager
def shown_progress(
    folder: Path, options: RunOptions, batches_per_epoch: float
) -> Iterator[Callable[[str], None]]:
    """A function that is given each log line of the run in this folder and shows it.

    Where `batches_per_epoch` is inf, for unknown, it is learned from the first epoch.
    """
    if not sys.stdout.isatty():
        yield _PlainLines().show
        return
    from rich.console import Console
    from rich.live import Live

    from fitlog.watch_screen import glyphs_of

    console = Console()
    view = _View(folder, options, batches_per_epoch)

    def draw() -> Text:
        return view.draw(console.width, glyphs_of(console))

    with (
        Live(console=console, refresh_per_second=_REFRESHES, get_renderable=draw),
        view.ending(),
    ):
        yield view.show


class _PlainLines:
    """Lines on stdout as long as it takes them: the training, which has its own log, goes on."""

    def __init__(self) -> None:
        self._closed = False

    def show(self, line: str) -> None:
        if self._closed:
            return
        try:
            print(line, flush=True)  # noqa: T201  # this is the console
        except BrokenPipeError:  # `| head` has seen enough
            self._closed = True
        except OSError as error:
            self._closed = True
            reason = (
                f"fitlog: nothing more is shown: cannot write standard output: {error.strerror}"
            )
            print(reason, file=sys.stderr, flush=True)  # noqa: T201


class _View:
    """The run as its lines tell it; `show` and `draw` may be called by different threads."""

    def __init__(self, folder: Path, options: RunOptions, batches_per_epoch: float) -> None:
        from fitlog.watch import Watched
        from fitlog.watch_files import PHASE_FILES, PhaseTail
        from fitlog_parsers import LogReader

        self._run = Watched(
            folder.name,
            num_epochs=options.num_epochs,
            batches=batches_per_epoch,
            batch_size=options.batch_size,
        )
        self._reader = LogReader()
        self._phases = [PhaseTail(folder / name) for name in PHASE_FILES]
        self._lock = threading.Lock()

    def show(self, line: str) -> None:
        with self._lock:
            self._run.take(self._reader.feed(line.encode() + b"\n"), time.time())

    def draw(self, width: int, glyphs: Glyphs) -> Text:
        from rich.text import Text

        from fitlog.watch_view import draw_run

        with self._lock:
            for phases in self._phases:
                phases.poll(self._run)
            lines = draw_run(self._run, time.time(), width, glyphs)
        return Text("\n", no_wrap=True).join(lines)

    @contextlib.contextmanager
    def ending(self) -> Iterator[None]:
        """Where the training ends in here, the last view says how."""
        try:
            yield
        except BaseException as error:
            self._run.status = "interrupted" if isinstance(error, KeyboardInterrupt) else "failed"
            raise
        self._run.status = "finished"
