"""What several test modules name: folders, and the type of the `fitlog` fixture."""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Protocol

PROJECT = Path(__file__).resolve().parent.parent
SAMPLES = PROJECT / "sample_logs"


class Fitlog(Protocol):
    """Runs the command with these arguments, input and environment variables."""

    def __call__(
        self, *arguments: object, stdin: bytes = b"", **environment: str
    ) -> subprocess.CompletedProcess[str]: ...


def living_in_groups(pids: Iterable[int]) -> list[int]:
    """The processes of these process groups that live on; those about to end are waited for."""
    import psutil

    groups = set(pids)
    living = []
    for process in psutil.process_iter(["pid", "status"]):
        with contextlib.suppress(ProcessLookupError):
            if os.getpgid(process.pid) in groups and process.info["status"] != "zombie":
                living.append(process)
    _, living = psutil.wait_procs(living, timeout=10)
    return [process.pid for process in living]
