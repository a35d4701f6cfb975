"""CSV and JSON Lines: a line for each point."""

from __future__ import annotations

import csv
import math
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import TextIO

from fitlog.export.points import Place, Point, Settings
from fitlog.export.rows import COLUMNS, as_row, refused
from fitlog.export.target import Logs
from fitlog.formats import format_row


def open_csv(out: str, logs: Logs) -> TextFile:
    """A CSV file; an empty field is what the log does not state, `nan` what it does."""

    def write(file: TextIO, points: Sequence[Point]) -> None:
        csv.writer(file, lineterminator="\n").writerows(
            map(_cell, as_row(point, logs)) for point in points
        )

    return TextFile(out, ",".join(COLUMNS) + "\n", write)


def open_jsonl(out: str, logs: Logs) -> TextFile:
    """A file of JSON Lines; `null` is what the log does not state, `"nan"` what it does."""

    def write(file: TextIO, points: Sequence[Point]) -> None:
        for point in points:
            row = zip(COLUMNS, as_row(point, logs), strict=True)
            file.write(format_row({k: _json(value) for k, value in row}) + "\n")

    return TextFile(out, "", write)


class TextFile:
    """A file that begins with `head`, and that `write` adds points to."""

    def __init__(
        self, out: str, head: str, write: Callable[[TextIO, Sequence[Point]], None]
    ) -> None:
        self._out, self._write = out, write
        try:
            self._file = Path(out).open(  # noqa: SIM115  # it is closed by `close`
                "w", encoding="utf-8", errors="backslashreplace", newline=""
            )
            self._file.write(head)
        except OSError as error:
            raise refused(out, error) from None

    def describe(self, settings: Settings) -> None:
        """Settings are no numbers."""

    def write(self, points: Sequence[Point]) -> None:
        """Add a line for each."""
        try:
            self._write(self._file, points)
        except OSError as error:
            raise refused(self._out, error) from None

    def flush(self) -> None:
        """Let others read what was written."""
        try:
            self._file.flush()
        except OSError as error:
            raise refused(self._out, error) from None

    def close(self, endings: Mapping[Place, str]) -> None:  # noqa: ARG002  # a target's
        """Write what is left."""
        try:
            self._file.close()
        except OSError as error:
            raise refused(self._out, error) from None


def _cell(value: object) -> object:
    if isinstance(value, datetime):
        return value.isoformat(sep=" ", timespec="microseconds")
    return value


def _json(value: object) -> object:
    if isinstance(value, datetime):
        return value.isoformat(timespec="microseconds")
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value
