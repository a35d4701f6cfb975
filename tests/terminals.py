"""A terminal, as a person has it, in which a command runs as the foreground's."""

from __future__ import annotations

import contextlib
import os
import pty
import re
import select
import subprocess
import sys
import termios
import threading
import time
from pathlib import Path
from typing import Any

SECONDS = 30
# Becomes the process that a terminal's Ctrl-C goes to, and then the command.
FOREGROUND = """
import fcntl, os, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execv(sys.argv[1], sys.argv[1:])
"""


class Terminal:
    """What it shows is in `shown`, from the first byte on."""

    def __init__(self, *command: object, cwd: Path, columns: int = 80, **environment: str):
        self._ours, self._theirs = pty.openpty()
        termios.tcsetwinsize(self._ours, (24, columns))
        self.settings: list[Any] = termios.tcgetattr(self._theirs)
        self.process = subprocess.Popen(
            [sys.executable, "-c", FOREGROUND, *map(str, command)],
            cwd=cwd,
            stdin=self._theirs,
            stdout=self._theirs,
            stderr=self._theirs,
            start_new_session=True,
            env={**os.environ, "TERM": "xterm", "PYTHONUTF8": "1", **environment},
        )
        self.shown = b""
        self._limit = threading.Timer(SECONDS, self.process.kill)
        self._limit.start()

    def type(self, keys: bytes) -> None:
        os.write(self._ours, keys)

    def resize(self, columns: int) -> None:
        termios.tcsetwinsize(self._ours, (24, columns))

    def wait_for(self, *texts: str) -> None:
        """Wait until these have been shown since the last time, in this order."""
        begin, limit = len(self.shown), time.monotonic() + SECONDS
        pattern = re.compile(b".*?".join(re.escape(text.encode()) for text in texts), re.DOTALL)
        while pattern.search(self.shown, begin) is None:
            readable, _, _ = select.select([self._ours], [], [], max(0, limit - time.monotonic()))
            assert readable, self.shown[begin:]
            self.shown += os.read(self._ours, 4096)

    def wait(self) -> int:
        """The exit code; `settings` are those of the terminal afterwards."""
        drain = threading.Thread(target=self._drain)
        drain.start()
        code = self.process.wait(timeout=SECONDS)
        self._limit.cancel()
        self.settings = termios.tcgetattr(self._theirs)
        os.close(self._theirs)  # which ends the reading
        drain.join(SECONDS)
        os.close(self._ours)
        return code

    def _drain(self) -> None:
        with contextlib.suppress(OSError):  # how Linux says that the other side has closed
            while piece := os.read(self._ours, 4096):
                self.shown += piece


class FitlogTerminal(Terminal):
    """One in which the command runs with these arguments."""

    def __init__(self, *arguments: object, cwd: Path, columns: int = 80, **environment: str):
        command = (sys.executable, "-m", "fitlog", *arguments)
        super().__init__(*command, cwd=cwd, columns=columns, **environment)
