"""Runs a command, and writes what it writes into a log as well as where it would have gone.

The command stays in the process group and the session that it would be in without fitlog, and has
the same standard input: the terminal's Ctrl-C, Ctrl-Z, `fg` and password prompts are as ever. Only
where standard output and standard error lead to is changed: a terminal into a terminal of fitlog's
own, anything else into a pipe; into one, if both led to the same place, so that what is written to
them keeps its order.
"""

from __future__ import annotations

import contextlib
import os
import select
import selectors
import signal
import sys
import termios
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_CHUNK_BYTES: Final = 1 << 16
# More pieces than what the kernel holds of a pipe or a terminal comes in.
_PIECES_HELD: Final = 1 << 8
# How long the output of processes that outlive the command is waited for.
_GRACE_SECONDS: Final = 1.0
_OUTPUTS: Final = (1, 2)
_ENDING: Final = (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM)
_PASSED_ON: Final = (*_ENDING, signal.SIGUSR1, signal.SIGUSR2)
_AWAITED: Final = frozenset((*_PASSED_ON, signal.SIGCHLD, signal.SIGWINCH))
# Python ignores them, which a command would inherit.
_IGNORED_BY_PYTHON: Final = (signal.SIGPIPE, signal.SIGXFSZ)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """How a command ended: with `exit_code`, or killed by the signal of this number.

    `was_interrupted` says whether a signal meant to end it came meanwhile, and `log_error` why the
    log is not whole, if it is not.
    """

    exit_code: int | None
    signal: int | None
    was_interrupted: bool
    log_error: str | None

    @property
    def shell_code(self) -> int:
        """The exit code as a shell has it: 128 and the number of the signal that killed it."""
        return 128 + self.signal if self.signal is not None else self.exit_code or 0


def run_captured(command: Sequence[str], log: Path, environment: Mapping[str, str]) -> Ending:
    """Run the command to its end, and write its output into a new file at `log`.

    What processes that outlive it write is taken for a second more. Where nobody reads the output
    any more, or where the log cannot be written, the command runs on.

    Signals are passed on to it, but for those that it has got as well: what a terminal sends goes
    to all. They must be blocked in every thread, so there should be none.

    Raises:
        OSError: the command cannot be run, or the log not be made.
    """
    _fill_closed_streams()
    with log.open("xb", buffering=0) as file, _blocked() as mask:
        tap = _Tap(file.fileno())
        channels = _open_channels()
        try:
            try:
                process = _spawn(command, channels, environment, mask)
            finally:
                for channel in channels:
                    os.close(channel.write_end)
            watch = _Watch(process, channels)
            _copy(channels, watch.ended, tap)
        finally:
            for channel in channels:
                os.close(channel.read_end)
        watch.close()
        status = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
        return Ending(
            exit_code=status if status >= 0 else None,
            signal=-status if status < 0 else None,
            was_interrupted=watch.was_interrupted,
            log_error=tap.error,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Channel:
    """Stands for `outputs` in the command; what it carries is shown on the first of them."""

    outputs: tuple[int, ...]
    read_end: int
    write_end: int

    def resize(self) -> None:
        """Give the command's terminal the size of the real one, if there are any."""
        with contextlib.suppress(termios.error):
            termios.tcsetwinsize(self.read_end, termios.tcgetwinsize(self.outputs[0]))


class _Tap:
    """Writes into the log, and shows; what has failed is not tried again."""

    def __init__(self, log: int) -> None:
        self.error: str | None = None
        self._log = log
        self._closed: set[int] = set()

    def write(self, piece: bytes, shown: int) -> None:
        if self.error is None:
            try:
                _write_all(self._log, piece)
            except OSError as error:
                self.error = error.strerror
        if shown not in self._closed:
            try:
                _write_all(shown, piece)
            except OSError:  # whoever read it has seen enough
                self._closed.add(shown)


class _Watch:
    """Passes signals on until the command has ended, which closes the other side of `ended`."""

    def __init__(self, process: int, channels: Sequence[_Channel]) -> None:
        self.was_interrupted = False
        self.ended, self._end = os.pipe()
        self._process = process
        self._channels = channels
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Wait for the command's end."""
        self._thread.join()
        os.close(self.ended)

    def _run(self) -> None:
        # Not reaped here: its number must not become another's while signals are sent to it.
        how = os.WEXITED | os.WNOHANG | os.WNOWAIT
        while os.waitid(os.P_PID, self._process, how) is None:
            number, reached_all = _next_signal()
            if number in _ENDING:
                self.was_interrupted = True
            if number == signal.SIGWINCH:
                for channel in self._channels:
                    channel.resize()
            if number in _PASSED_ON and not reached_all:
                os.kill(self._process, number)
        os.close(self._end)


def _next_signal() -> tuple[int, bool]:
    """The next signal to this process, and whether a terminal sent it to all in the group."""
    if sys.platform == "darwin":  # which does not tell who sent it
        number = signal.sigwait(_AWAITED)
        try:
            return number, os.tcgetpgrp(0) == os.getpgrp()
        except OSError:
            return number, False
    received = signal.sigwaitinfo(_AWAITED)
    return received.si_signo, received.si_code > 0  # sigaction(2): by the kernel


@contextlib.contextmanager
def _blocked() -> Iterator[set[signal.Signals]]:
    """The signals are held back meanwhile; gives those that are blocked without this."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # ignored, an end would leave no exit code
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, _AWAITED)
    try:
        yield {signal.Signals(number) for number in mask}
    finally:
        while late := signal.sigpending() & _AWAITED:
            signal.sigwait(late)
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)


def _fill_closed_streams() -> None:
    """Nothing that is opened must come to stand where a closed standard stream was."""
    while (number := os.open(os.devnull, os.O_RDWR)) <= max(_OUTPUTS):
        pass
    os.close(number)


def _open_channels() -> list[_Channel]:
    if os.path.samestat(*map(os.fstat, _OUTPUTS)):
        return [_open_channel(_OUTPUTS)]
    return [_open_channel((output,)) for output in _OUTPUTS]


def _open_channel(outputs: tuple[int, ...]) -> _Channel:
    is_terminal = os.isatty(outputs[0])
    read_end, write_end = os.openpty() if is_terminal else os.pipe()
    os.set_blocking(read_end, False)
    channel = _Channel(outputs=outputs, read_end=read_end, write_end=write_end)
    if is_terminal:
        attributes = termios.tcgetattr(write_end)
        attributes[1] &= ~termios.OPOST  # the real terminal sees to the ends of lines
        termios.tcsetattr(write_end, termios.TCSANOW, attributes)
        channel.resize()
    return channel


def _spawn(
    command: Sequence[str],
    channels: Sequence[_Channel],
    environment: Mapping[str, str],
    mask: set[signal.Signals],
) -> int:
    return os.posix_spawnp(
        command[0],
        list(command),
        environment,
        file_actions=[
            (os.POSIX_SPAWN_DUP2, channel.write_end, output)
            for channel in channels
            for output in channel.outputs
        ],
        setsigmask=mask,
        setsigdef=_IGNORED_BY_PYTHON,
    )


def _copy(channels: Sequence[_Channel], ended: int, tap: _Tap) -> None:
    """Copy until nobody can write any more, or a while after the command's end."""
    wait: float | None = None
    deadline = float("inf")
    # Of several channels, epoll gives that one first which has had something to read for longest.
    with selectors.DefaultSelector() as selector:
        for channel in channels:
            selector.register(channel.read_end, selectors.EVENT_READ, channel)
        selector.register(ended, selectors.EVENT_READ)
        while selector.get_map() and (wait is None or wait > 0):
            for key, _ in selector.select(wait):
                if key.fd == ended:
                    selector.unregister(ended)
                    for channel in channels:
                        _copy_held(channel, tap)
                    deadline = time.monotonic() + _GRACE_SECONDS
                elif _copy_piece(key.data, tap) == 0:
                    selector.unregister(key.fd)
            if deadline < float("inf"):
                wait = deadline - time.monotonic()


def _copy_held(channel: _Channel, tap: _Tap) -> None:
    """Copy what is there, all of it, but not for ever."""
    for _ in range(_PIECES_HELD):
        if not _copy_piece(channel, tap):
            return


def _copy_piece(channel: _Channel, tap: _Tap) -> int | None:
    """Copy so many bytes: 0 where nobody can write any more, None where nobody has."""
    try:
        piece = os.read(channel.read_end, _CHUNK_BYTES)
    except BlockingIOError:
        return None
    except OSError:  # how Linux says that the other side of a terminal is closed
        return 0
    if piece:
        tap.write(piece, channel.outputs[0])
    return len(piece)


def _write_all(target: int, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        try:
            rest = rest[os.write(target, rest) :]
        except BlockingIOError:  # somebody has made it so; it is shared with others
            select.select([], [target], [])
