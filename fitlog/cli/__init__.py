"""The command `fitlog`: parses options, calls one function, prints, and gives the exit code.

0 fine; 1 regression; 2 wrong usage, unreadable or missing data; 3 inconclusive; 130 interrupted.
Whatever a command needs is imported when it runs: `fitlog --help` loads none of it.
"""

from __future__ import annotations

import atexit
import io
import os
import sys
from pathlib import Path
from typing import Any, TextIO

import typer

from fitlog.cli.app import Command, app
from fitlog.cli.baselines import CheckCommand
from fitlog.cli.benching import bench
from fitlog.cli.comparing import compare
from fitlog.cli.exporting import export
from fitlog.cli.history import history
from fitlog.cli.indexing import index
from fitlog.cli.judging import check
from fitlog.cli.querying import query
from fitlog.cli.reading import dialects, doctor, parse
from fitlog.cli.reporting import report
from fitlog.cli.running import run
from fitlog.cli.scripts import RunCommand
from fitlog.cli.serving import serve
from fitlog.cli.showing import phases, plot
from fitlog.cli.watching import watch
from fitlog.endings import BAD_INPUT, user_errors

app.command(cls=RunCommand)(run)
for command in (
    parse,
    doctor,
    dialects,
    phases,
    plot,
    report,
    serve,
    watch,
    export,
    compare,
    bench,
    index,
    query,
):
    app.command(cls=Command)(command)
app.command(cls=CheckCommand)(check)
app.add_typer(history, name="history")


def main() -> None:
    """Run the command line."""
    sys.stdout = _stream(sys.stdout)
    sys.stderr = _stream(sys.stderr, unfailing=True)
    ending = _Ending()
    # First of all: what is registered first is called last.
    atexit.register(ending)
    try:
        _run()
    except SystemExit as end:
        ending.exit_code = end.code
        raise


class _Ending:
    """The end of a process that has read an archive, when all else that is to be done is done.

    Threads of Arrow's that read an object store may still call Python, and until Python 3.14 that
    aborts a process whose interpreter is being taken down. So this is left out.
    """

    exit_code: object = None

    def __call__(self) -> None:
        if isinstance(self.exit_code, int) and "fitlog.archive.reading" in sys.modules:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(self.exit_code)


def _run() -> None:
    try:
        app(prog_name="fitlog")  # also of `python -m fitlog`, whose completion is that of fitlog
    except SystemExit as end:
        # Of a shell that typer knows no completion for; 1 is a regression here.
        if end.code == 1 and sys.argv[1:2] in (["--install-completion"], ["--show-completion"]):
            raise SystemExit(BAD_INPUT) from None
        raise
    except OSError as error:  # of the help's output; a command has dealt with its own
        try:
            with user_errors():
                raise error
        except typer.Exit as end:
            raise SystemExit(end.exit_code) from None


class _Unfailing(io.RawIOBase):
    """Where messages go: that nobody can hear them changes no exit code."""

    def __init__(self, raw: io.RawIOBase) -> None:
        self._raw = raw

    def writable(self) -> bool:
        return True

    def isatty(self) -> bool:
        return self._raw.isatty()

    def fileno(self) -> int:
        return self._raw.fileno()

    def write(self, data: Any, /) -> int | None:
        try:
            return self._raw.write(data)
        except OSError:
            return len(data)


def _stream(stream: Any, *, unfailing: bool = False) -> TextIO:
    """A buffered stream in the place of one that may be closed, or unbuffered.

    Unbuffered (`PYTHONUNBUFFERED`), what does not fit on a disk would be lost without an error. A
    name that the terminal's encoding lacks is written out; it is no reason to fail.
    """
    if stream is None:  # closed by whoever started the command
        return Path(os.devnull).open("w", encoding="utf-8", errors="backslashreplace")
    raw = getattr(stream.buffer, "raw", stream.buffer)
    return io.TextIOWrapper(
        io.BufferedWriter(_Unfailing(raw) if unfailing else raw),
        encoding=stream.encoding,
        errors="backslashreplace",
        line_buffering=unfailing or stream.isatty(),
    )
