"""One process at a time works in a run's folder."""

from __future__ import annotations

import contextlib
import fcntl
from collections.abc import Iterator
from pathlib import Path

from fitlog.errors import TrainingError


@contextlib.contextmanager
def locked(log: Path) -> Iterator[None]:
    """The run whose log this is belongs to this process meanwhile; the log is made if missing.

    The lock is the kernel's, on the log itself: it ends with the process, however that ends.

    Raises:
        TrainingError: another process has it, or the log cannot be opened.
    """
    try:
        file = log.open("ab")
    except OSError as error:
        raise TrainingError(f"cannot write {log}: {error.strerror}") from error
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise TrainingError(
                f"{log.parent} is being trained by another process; wait for it, or stop it"
            ) from None
        yield
