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
import sys
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from fitlog.errors import TrainingError
from fitlog.run.durable import sync_folder, write_whole

SCHEMA: Final = 1
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


def read_record(folder: Path) -> dict[str, Any]:
    """The record of the run in the folder.

    Raises:
        TrainingError: there is none, or none of this schema.
    """
    path = folder / "run.json"
    try:
        record = json.loads(path.read_bytes())
    except (FileNotFoundError, NotADirectoryError):
        raise TrainingError(f"{folder} is no run's folder: there is no run.json in it") from None
    except OSError as error:
        raise TrainingError(f"cannot read {path}: {error.strerror}") from None
    except (ValueError, RecursionError) as error:
        raise TrainingError(f"{path} is no record of a run: {error}") from None
    schema = record.get("schema") if isinstance(record, dict) else None
    if schema != SCHEMA:
        raise TrainingError(f"{path} is no record that this fitlog reads: its schema is {schema}")
    return dict(record)


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
        "machine": platform.machine(),
        "cpu": _cpu_model(),
        "cpus": os.cpu_count(),
        "cpus_allowed": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else None,
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


def _cpu_model() -> str:
    if sys.platform == "linux":
        try:
            with Path("/proc/cpuinfo").open(encoding="utf-8") as file:
                for line in file:
                    if line.startswith("model name"):
                        return line.partition(":")[2].strip()
        except OSError:
            pass
    return platform.processor() or platform.machine()
