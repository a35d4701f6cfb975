"""What several test modules name: folders, and the type of the `fitlog` fixture."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Protocol

PROJECT = Path(__file__).resolve().parent.parent
SAMPLES = PROJECT / "sample_logs"


class Fitlog(Protocol):
    """Runs the command with these arguments, input and environment variables."""

    def __call__(
        self, *arguments: object, stdin: bytes = b"", **environment: str
    ) -> subprocess.CompletedProcess[str]: ...
