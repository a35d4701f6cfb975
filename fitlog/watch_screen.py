"""Watching trainings until they are over: full screen on a terminal, plain lines elsewhere."""

from __future__ import annotations

import contextlib
import os
import select
import sys
import time
from collections.abc import Callable, Iterator
from typing import Final

from rich.console import Console
from rich.live import Live
from rich.text import Text

from fitlog.errors import NoRecordsError
from fitlog.printable import printable
from fitlog.watch_files import Watch
from fitlog.watch_lines import EpochLines
from fitlog.watch_view import ASCII, UNICODE, Glyphs, draw_runs

_POLL_SECONDS: Final = 0.5
# A folder is looked through for new runs with every so many looks at the logs.
_POLLS_PER_LOOK: Final = 4
_ANY_HEIGHT: Final = 1_000_000

Ask = Callable[[float], bool]


def print_once(watch: Watch, console: Console) -> None:
    """What is known now, whole.

    Raises:
        NoRecordsError: there is no run in the folders.
    """
    with contextlib.closing(watch):
        while not watch.poll():
            pass
    if not watch.runs:
        raise NoRecordsError("holds no run", path=", ".join(watch.folders))
    print_text(console, _text(watch, console, _ANY_HEIGHT))


def watch_screen(watch: Watch, console: Console) -> None:
    """Show the runs until all are over or somebody types q; the terminal is as before then.

    What was last known stays where the runs have ended.
    """

    def draw() -> Text:
        return _text(watch, console, console.height)

    with (
        asked_to_quit() as is_asked,
        Live(
            console=console,
            screen=True,
            auto_refresh=False,
            get_renderable=draw,
            redirect_stdout=False,
            redirect_stderr=False,
        ) as live,
    ):
        is_left = _watch(watch, is_asked, lambda: live.refresh())
    if not is_left:
        print_text(console, _text(watch, console, _ANY_HEIGHT))


def watch_lines(watch: Watch, lines: list[EpochLines]) -> None:
    """Let the lines be said until all runs are over."""

    def settle() -> None:
        for each in lines:
            each.settle()

    try:
        _watch(watch, _wait, settle)
    finally:
        for each in lines:
            each.settle(at_once=True)


def print_text(console: Console, text: Text) -> None:
    """Print it as it is."""
    console.print(text, no_wrap=True, overflow="crop", crop=True, highlight=False, soft_wrap=False)


def glyphs_of(console: Console) -> Glyphs:
    """What the terminal's encoding has."""
    return UNICODE if console.encoding.lower().startswith("utf") else ASCII


@contextlib.contextmanager
def asked_to_quit() -> Iterator[Ask]:
    """A function that waits for so many seconds, and says whether somebody typed q."""
    if sys.stdin is None or not sys.stdin.isatty():
        yield _wait
        return
    import termios
    import tty

    keyboard = sys.stdin.fileno()
    before = termios.tcgetattr(keyboard)
    try:
        tty.setcbreak(keyboard)
        changed = termios.tcgetattr(keyboard)
        changed[6][termios.VSUSP] = b"\0"  # stopped, it would leave its screen behind
        termios.tcsetattr(keyboard, termios.TCSANOW, changed)

        def is_asked(seconds: float) -> bool:
            if not select.select([keyboard], [], [], seconds)[0]:
                return False
            typed = os.read(keyboard, 1024)
            return not typed or b"q" in typed.lower()  # nothing: the terminal is gone

        yield is_asked
    finally:
        termios.tcsetattr(keyboard, termios.TCSADRAIN, before)


def _wait(seconds: float) -> bool:
    time.sleep(seconds)
    return False


def _watch(watch: Watch, is_asked: Ask, show: Callable[[], None]) -> bool:
    """Look until all runs are over; whether somebody left before."""
    with contextlib.closing(watch):
        polls = 0
        while True:
            while not watch.poll():
                show()
                if is_asked(0):
                    return True
            show()
            if watch.is_over:
                return False
            if is_asked(_POLL_SECONDS):
                return True
            polls += 1
            if polls % _POLLS_PER_LOOK == 0:
                watch.look()


def _text(watch: Watch, console: Console, height: int) -> Text:
    lines = draw_runs(watch.runs, time.time(), console.width, height, glyphs_of(console))
    if watch.folders:
        lines += _more(watch, is_empty=not lines)
    return Text("\n").join(lines[:height])


def _more(watch: Watch, *, is_empty: bool) -> Iterator[Text]:
    if is_empty:
        yield Text(f"no run yet in {printable(', '.join(watch.folders))}", "dim")
    if watch.older:
        yield Text(f"and {watch.older:,} older in {printable(', '.join(watch.folders))}", "dim")
