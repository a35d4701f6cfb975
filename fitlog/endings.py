"""How a command ends: what went wrong becomes a message and an exit code, never a traceback."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from types import FrameType
from typing import Final

import typer

BAD_INPUT: Final = 2
INTERRUPTED: Final = 130
TERMINATED: Final = 143


class Outcome:
    """The exit code that a command has come to, whoever is still there to read its output."""

    exit_code = 0


@contextlib.contextmanager
def user_errors() -> Iterator[Outcome]:
    """What can go wrong for a user becomes a message and an exit code, never a traceback."""
    from fitlog.errors import FitlogError, Termination, TrainingError

    outcome = Outcome()
    try:
        try:
            with _terminable():
                yield outcome
        except typer.Exit:
            sys.stdout.flush()
            raise
        sys.stdout.flush()
    except FitlogError as error:
        details = error.details if isinstance(error, TrainingError) else ()
        raise _failure(str(error), details) from None
    except BrokenPipeError:  # the reader of a pipe has seen enough
        _drop_output()
        raise typer.Exit(outcome.exit_code) from None
    except OSError as error:
        _drop_output()
        place = error.filename or "standard output"
        raise _failure(f"cannot use {place}: {error.strerror or error}") from None
    except MemoryError:
        raise _failure("not enough memory; see --format csv, which takes little") from None
    except Termination as termination:
        typer.echo(f"fitlog: terminated {termination}".rstrip(), err=True)
        raise typer.Exit(TERMINATED) from None
    except KeyboardInterrupt as interrupt:
        typer.echo(f"fitlog: interrupted {interrupt}".rstrip(), err=True)
        raise typer.Exit(INTERRUPTED) from None


@contextlib.contextmanager
def _terminable() -> Iterator[None]:
    """SIGTERM ends what is going on as Ctrl-C does: in order, and with a word.

    A process that ignores it goes on ignoring it.
    """
    from fitlog.errors import Termination

    if signal.getsignal(signal.SIGTERM) is signal.SIG_IGN:
        yield
        return

    def end(_number: int, _frame: FrameType | None) -> None:
        raise Termination

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _drop_output() -> None:
    """What is still buffered must not be written, and fail, when the process ends."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _failure(message: str, details: Sequence[str] = ()) -> typer.Exit:
    from fitlog.printable import printable

    try:
        sys.stdout.flush()
    except OSError:  # the message says what came first
        _drop_output()
    typer.echo(f"fitlog: {printable(message)}", err=True)
    for line in details:
        typer.echo(f"  {printable(line)}", err=True)
    return typer.Exit(BAD_INPUT)
