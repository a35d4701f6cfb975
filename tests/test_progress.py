"""The bar that those who wait for logs see."""

from __future__ import annotations

import io

import pytest
from rich.console import Console
from rich.progress import Progress

from fitlog import read_log, read_logs
from fitlog.progress import ReadingBar, _open_bar, shown_reading
from support import SAMPLES


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def screen() -> io.StringIO:
    return io.StringIO()


def bar_on(screen: io.StringIO, clock: Clock, total: int) -> ReadingBar:
    console = Console(file=screen, force_terminal=True, width=80)
    return ReadingBar(total, lambda: Progress(console=console, auto_refresh=False), clock)


def stream(*, is_terminal: bool) -> io.StringIO:
    found = io.StringIO()
    found.isatty = lambda: is_terminal  # type: ignore[method-assign]
    return found


def test_who_waits_for_less_than_a_second_sees_nothing(screen: io.StringIO) -> None:
    clock = Clock()
    bar = bar_on(screen, clock, 100)

    clock.now = 0.9
    bar(50)
    bar.close()

    assert screen.getvalue() == ""


def test_who_waits_longer_sees_how_much_is_read(screen: io.StringIO) -> None:
    clock = Clock()
    bar = bar_on(screen, clock, 100)

    clock.now = 1.1
    bar(50)
    bar.close()

    assert "reading" in screen.getvalue()
    assert "50%" in screen.getvalue()


def test_the_bar_is_gone_once_all_is_read(screen: io.StringIO) -> None:
    clock = Clock()
    bar = bar_on(screen, clock, 100)
    clock.now = 1.1
    bar(50)

    bar(100)
    written = len(screen.getvalue())
    bar.close()

    assert screen.getvalue().endswith("\x1b[?25h")  # the cursor is back
    assert len(screen.getvalue()) == written


@pytest.mark.parametrize(
    ("errors", "output", "amid_output", "is_shown"),
    [
        (False, True, False, False),
        (False, False, True, False),
        (True, True, True, False),  # the rows go to the same terminal
        (True, False, True, True),
        (True, True, False, True),
    ],
)
def test_there_is_no_bar_where_nobody_looks(
    errors: bool, output: bool, amid_output: bool, is_shown: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stderr", stream(is_terminal=errors))
    monkeypatch.setattr("sys.stdout", stream(is_terminal=output))

    with shown_reading([SAMPLES / "long.log"], amid_output=amid_output) as bar:
        found = bar is not None

    assert found == is_shown


def test_progress_is_told_in_bytes_of_the_files() -> None:
    logs = [SAMPLES / "long.log", SAMPLES / "killed.log"]
    sizes = [log.stat().st_size for log in logs]
    told: list[int] = []

    read_log(logs[0], progress=told.append)
    read_logs(logs, progress=told.append)

    assert told == [sizes[0], sizes[0], sum(sizes)]


def test_what_is_printed_beside_a_bar_goes_where_it_should(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")  # rich takes the stream for a terminal
    monkeypatch.setenv("TERM", "xterm")

    with _open_bar():
        print("a row")  # noqa: T201

    assert capsys.readouterr().out == "a row\n"
