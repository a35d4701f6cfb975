"""Where a `LineWriter` writes: a run's folder, a text file or stream, a logger.

All three take lines; a folder keeps a record of the run beside them.
"""

from __future__ import annotations

import contextlib
import importlib.metadata
import io
import json
import logging
import os
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Protocol, TextIO

from fitlog.errors import OutputError, SettingError
from fitlog.run.record import begin_record, end_record, write_record
from fitlog.run.results import find_results
from fitlog.run_folder import RECORD, RUN_LOG

Logger = logging.Logger | logging.LoggerAdapter[Any]
Target = str | os.PathLike[str] | TextIO | Logger

# Whose version belongs in the record of a run, if it is what trains here.
_FRAMEWORKS: Final = ("torch", "tensorflow", "jax")


class Output(Protocol):
    """Takes the lines of a run, and then how it ended."""

    def write(self, line: str) -> None:
        """Write one line, given without its end, so that a reader sees it at once."""

    def close(self, status: str, error: str | None) -> None:
        """The run is over."""


def open_output(target: Target, arguments: Mapping[str, Any]) -> Output:
    """The output that `target` stands for; a path is a folder, which is made.

    Raises:
        OutputError: the folder cannot be made, or holds a run already. SettingError: `target` is
        nothing to write text to.
    """
    if isinstance(target, str | os.PathLike):
        return _Folder(Path(target), arguments)
    if isinstance(target, logging.Logger | logging.LoggerAdapter):
        return _Logger(target)
    if isinstance(target, io.RawIOBase | io.BufferedIOBase) or not hasattr(target, "write"):
        raise SettingError(
            f"cannot write lines to {target!r}: give the path of a folder, a file opened as text, "
            "or a logger"
        )
    return _File(target)


class _File:
    """A stream of the caller's, who closes it."""

    def __init__(self, file: TextIO, name: str = "") -> None:
        self._file = file
        self._name = name or str(getattr(file, "name", file))

    def write(self, line: str) -> None:
        try:
            self._file.write(f"{line}\n")
            self._file.flush()
        except OSError as error:
            raise OutputError(f"cannot write to {self._name}: {error.strerror}") from error

    def close(self, status: str, error: str | None) -> None:
        pass


class _Logger:
    """A logger; like MXNet's own lines, these are of the level INFO."""

    def __init__(self, logger: Logger) -> None:
        self._logger = logger

    def write(self, line: str) -> None:
        self._logger.info(line)

    def close(self, status: str, error: str | None) -> None:
        pass


class _Folder:
    """`run.log` and `run.json`."""

    def __init__(self, folder: Path, arguments: Mapping[str, Any]) -> None:
        log = folder / RUN_LOG
        try:
            folder.mkdir(parents=True, exist_ok=True)
            # Line by line: what was written is there, however the process ends.
            self._file = log.open("x", encoding="utf-8", errors="backslashreplace")
        except FileExistsError:
            if not folder.is_dir():
                raise OutputError(f"cannot write into {folder}: not a folder") from None
            raise OutputError(f"{folder} holds a run already: name another folder") from None
        except OSError as error:
            raise OutputError(f"cannot make {log}: {error.strerror}") from error
        self._log = _File(self._file, str(log))
        self._path = folder / RECORD
        self._start = datetime.now(UTC)
        self._record = begin_record(
            name=folder.resolve().name,
            command=sys.argv,
            arguments=json.loads(json.dumps(dict(arguments), default=str)),
            start=self._start,
            folder=Path.cwd(),
        )
        self._record["versions"].update(_framework_versions())
        self._write_record()

    def write(self, line: str) -> None:
        self._log.write(line)

    def close(self, status: str, error: str | None) -> None:
        with contextlib.suppress(OSError):  # each line was flushed: what fails here has been told
            self._file.close()
        results = find_results(self._path.with_name(RUN_LOG))
        self._record.update(status=status, error=error, results=results)
        end_record(self._record, self._start)
        self._write_record()

    def _write_record(self) -> None:
        try:
            write_record(self._path, self._record)
        except OSError as error:
            raise OutputError(f"cannot write {self._path}: {error.strerror}") from error


def _framework_versions() -> dict[str, str]:
    versions: dict[str, str] = {}
    for name in _FRAMEWORKS:
        if name in sys.modules:
            with contextlib.suppress(importlib.metadata.PackageNotFoundError):  # a checkout
                versions[name] = importlib.metadata.version(name)
    return versions
