"""`run.json`: what was run, where, with which versions, and how it ended.

Written when the run begins and again when it ends, each time whole: a run that was killed leaves a
record that says 'running' and has no end.
"""

from __future__ import annotations

import errno
import importlib.metadata
import json
import os
import platform
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from fitlog.machine import describe_machine
from fitlog.run.durable import sync_folder, write_whole
from fitlog.run_folder import SCHEMA

_DISTRIBUTIONS: Final = ("mxfitlog", "mxnet", "numpy")
_GIT_SECONDS: Final = 5
# What changes how fast MXNet runs, and what its sums come to in the last digits.
_ENVIRONMENT: Final = ("OMP_", "MXNET_", "MKL_", "KMP_", "OPENBLAS_", "DMLC_")


def begin_record(
    *,
    name: str,
    command: list[str],
    arguments: dict[str, Any],
    start: datetime,
    folder: Path,
    data: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """The record of a run that begins now; `folder` is looked at for a git checkout.

    `data` describes what it trains with, where that is known.
    """
    return {
        "schema": SCHEMA,
        "name": name,
        "status": "running",
        "start": start.isoformat(timespec="milliseconds"),
        "end": None,
        "error": None,
        "pid": os.getpid(),
        "command": command,
        "cwd": str(Path.cwd()),
        "arguments": arguments,
        "data": data,
        "versions": describe_versions(),
        "host": describe_host(),
        "git": describe_git(folder),
        "results": {},
    }


def end_record(record: dict[str, Any], start: datetime) -> None:
    """Note in the record that the run, begun at `start`, ends now."""
    end = datetime.now(UTC)
    record["end"] = end.isoformat(timespec="milliseconds")
    record["seconds"] = (end - start).total_seconds()


def write_record(path: Path, record: dict[str, Any]) -> None:
    """Write the record so that a reader sees the old one or the new one, never half of it.

    On a full disk, which has no room for a new file, the record is written over the old one.

    Raises:
        OSError: it cannot be written; the old one is as it was.
    """
    text = json.dumps(record, indent=2, ensure_ascii=False) + "\n"
    content = text.encode(errors="backslashreplace")
    try:
        write_whole(path, lambda draft: draft.write_bytes(content))
        sync_folder(path.parent)
    except OSError:
        if not path.exists():
            raise
        _write_over(path, content)


def describe_versions() -> dict[str, str | None]:
    """Versions of Python and of the distributions that matter; None for one not installed."""
    versions: dict[str, str | None] = {"python": platform.python_version()}
    for name in _DISTRIBUTIONS:
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            versions[name] = None
    return versions


def describe_host() -> dict[str, Any]:
    """The machine, and the settings of it that change how fast MXNet runs."""
    return {
        "name": platform.node(),
        "platform": platform.platform(),
        **describe_machine(),
        "cpus": os.cpu_count(),
        "environment": {
            name: value
            for name, value in sorted(os.environ.items())
            if name.startswith(_ENVIRONMENT)
        },
    }


def describe_git(folder: Path) -> dict[str, Any] | None:
    """The commit checked out around `folder`, and whether files differ from it (None: unknown)."""
    commit = _git(folder, "rev-parse", "HEAD")
    if commit is None:
        return None
    changes = _git(folder, "--no-optional-locks", "status", "--porcelain", "--untracked-files=no")
    return {"commit": commit, "dirty": None if changes is None else bool(changes)}


def _write_over(path: Path, content: bytes) -> None:
    before = path.read_bytes()
    with path.open("r+b", buffering=0) as file:
        if file.write(content) < len(content):
            file.seek(0)
            file.write(before)
            file.truncate()
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
        file.truncate()
        os.fsync(file.fileno())


def _git(folder: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", *arguments],  # noqa: S607  # the user's own git, wherever it is
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=_GIT_SECONDS,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()
