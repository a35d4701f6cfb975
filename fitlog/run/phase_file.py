"""`phases.jsonl`: the records of a fit, a line of JSON each."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Final

_SECONDS_BETWEEN_WRITES: Final = 1.0


class PhaseFile:
    """A sink that appends each record to a file as one line of JSON.

    Records are written whole, with the first that comes a second or later after those before were
    written, and when a fit ends: writing each at once would slow down a training of short windows.
    Several threads may give records.
    """

    def __init__(self, path: Path, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._file: IO[str] = path.open("a", encoding="utf-8")
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
        with self._file, self._lock:
            self._flush()

    def _flush(self) -> None:
        self._file.write("".join(json.dumps(record) + "\n" for record in self._pending))
        self._file.flush()
        self._pending.clear()
        self._written = self._clock()
