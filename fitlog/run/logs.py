"""Where a training's log lines go: into `run.log`, and onto the console or a progress display.

MXNet logs to the root logger. Lines are written as they are, without a prefix, so that `run.log` is
upstream's text byte for byte.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Iterator
from pathlib import Path


@contextlib.contextmanager
def captured_log(path: Path, show: Callable[[str], None]) -> Iterator[None]:
    """Everything logged meanwhile goes into the file at `path`, and to `show` line by line."""
    file = _FileHandler(path, encoding="utf-8", errors="backslashreplace")
    handlers: list[logging.Handler] = [file, _CallHandler(show)]
    root = logging.getLogger()
    level = root.level
    root.setLevel(logging.INFO)
    for handler in handlers:
        root.addHandler(handler)
    try:
        yield
    finally:
        for handler in handlers:
            root.removeHandler(handler)
        root.setLevel(level)
        file.close()


class _FileHandler(logging.FileHandler):
    """A file handler that fails when it cannot write; logging's own prints that and goes on."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: ARG002, N802  # logging's name
        raise


class _CallHandler(logging.Handler):
    """Gives each message to a function."""

    def __init__(self, call: Callable[[str], None]) -> None:
        super().__init__()
        self._call = call

    def emit(self, record: logging.LogRecord) -> None:
        self._call(self.format(record))
