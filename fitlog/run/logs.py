"""Where a training's log lines go: into `run.log`, and onto the console or a progress display.

MXNet logs to the root logger. Lines are written as they are, without a prefix, so that `run.log` is
upstream's text byte for byte.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Iterator
from pathlib import Path

from fitlog.errors import TrainingError
from fitlog.run.durable import Appender


@contextlib.contextmanager
def captured_log(path: Path, show: Callable[[str], None]) -> Iterator[None]:
    """Everything logged meanwhile goes into the file at `path`, and to `show` line by line."""
    file = _FileHandler(path)
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


class _FileHandler(logging.Handler):
    """Appends lines to a file, and fails when it cannot; logging's own prints that and goes on."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._file = Appender(path)

    def emit(self, record: logging.LogRecord) -> None:
        try:
            self._file.append(f"{self.format(record)}\n".encode(errors="backslashreplace"))
        except OSError as error:
            raise TrainingError(f"cannot write {error.filename}: {error.strerror}") from error

    def close(self) -> None:
        self._file.close()
        super().close()


class _CallHandler(logging.Handler):
    """Gives each message to a function."""

    def __init__(self, call: Callable[[str], None]) -> None:
        super().__init__()
        self._call = call

    def emit(self, record: logging.LogRecord) -> None:
        self._call(self.format(record))
