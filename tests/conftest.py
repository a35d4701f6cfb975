"""What the tests share: the sample logs, the command, and real MXNet where it is installed."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from browser import chromium
from support import SAMPLES, Fitlog

# Who runs tests in several processes sets the width of the terminal, which is none of the tests'.
for _variable in ("COLUMNS", "LINES"):
    os.environ.pop(_variable, None)


@pytest.fixture
def samples() -> Path:
    return SAMPLES


@pytest.fixture
def fitlog(tmp_path: Path) -> Fitlog:
    """Run the real command in a folder of its own; gives its exit code and what it printed."""

    def run(
        *arguments: object, stdin: bytes = b"", **environment: str
    ) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [sys.executable, "-m", "fitlog", *map(str, arguments)],
            cwd=tmp_path,
            input=stdin,
            capture_output=True,
            env={**os.environ, **environment},
            timeout=300,
            check=False,
        )
        return subprocess.CompletedProcess(
            done.args,
            done.returncode,
            done.stdout.decode(),
            done.stderr.decode(),
        )

    return run


@pytest.fixture(scope="module")
def _chromium() -> Iterator[Any]:
    with chromium() as found:
        yield found


@pytest.fixture
def browser(_chromium: Any) -> Iterator[Any]:
    """A Chromium that the tests of a module share; what one of them opens is closed after it."""
    before = _chromium.contexts
    yield _chromium
    for context in _chromium.contexts:
        if context not in before:
            context.close()


@pytest.fixture(scope="module")
def module_browser(_chromium: Any) -> Any:
    """The same one, for what all tests of a module look at."""
    return _chromium


@pytest.fixture(scope="session")
def mx() -> Any:
    """Real MXNet; the reading half's tests run without it."""
    if importlib.util.find_spec("mxnet") is None:
        pytest.skip("mxnet is not installed")
    from fitlog.run.shim import import_mxnet

    return import_mxnet()
