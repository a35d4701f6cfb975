"""`phases.jsonl`: the records of a fit, a line of JSON each."""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Final

from fitlog.run.durable import Appender

_SECONDS_BETWEEN_WRITES: Final = 1.0


class PhaseFile:
    """A sink that appends each record to a file as one line of JSON.

    Records are written whole, with the first that comes a second or later after those before were
    written, and when a fit ends: writing each at once would slow down a training of short windows.
    Several threads may give records.
    """

    def __init__(self, path: Path, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._file = Appender(path)
        self._clock = clock
        self._lock = threading.Lock()
        self._pending: list[dict[str, Any]] = []
        self._written = clock()

    def __call__(self, record: dict[str, Any]) -> None:
        """Take one record, and write what there is if it is time."""
        with self._lock:
            self._pending.append(record)
            is_late = self._clock() - self._written >= _SECONDS_BETWEEN_WRITES
            if is_late or record.get("kind") == "end":
                self._flush()

    def __enter__(self) -> PhaseFile:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        with contextlib.closing(self._file), self._lock:
            try:
                self._flush()
            except OSError:
                if error is None:  # what went wrong first is what the caller must see
                    raise

    def _flush(self) -> None:
        lines = "".join(json.dumps(record) + "\n" for record in self._pending)
        self._file.append(lines.encode())
        self._pending.clear()
        self._written = self._clock()
