"""`fitlog run train.py` and `fitlog run -- COMMAND`: what others wrote, run and recorded.

The folder has `run.log`, which is what was written to standard output and standard error, byte for
byte, and `run.json`; of a script, `phases.jsonl` too, once it imports MXNet.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from fitlog.errors import TrainingError
from fitlog.run.capture import Ending, run_captured
from fitlog.run.folders import check_name, new_folder
from fitlog.run.record import begin_record, end_record, write_record
from fitlog.run.results import find_results
from fitlog.run_folder import PHASE_FILE, RECORD, RUN_LOG

_HOOK: Final = Path(__file__).parent / "hook"
_STOPPED_BY: Final = (signal.SIGINT, signal.SIGTERM)


@dataclass(frozen=True, slots=True, kw_only=True)
class ScriptResult:
    """Where the run is, its record as written to `run.json`, and its exit code as of a shell."""

    folder: Path
    record: dict[str, Any]
    exit_code: int


def run_script(words: Sequence[str], *, out: Path, name: str | None = None) -> ScriptResult:
    """Run a Python script with its arguments, as Python does, with every fit in it measured.

    Raises:
        TrainingError: it is no script, or cannot be run; its log cannot be written.
    """
    script = Path(words[0])
    if script.suffix != ".py" or not script.is_file():
        what = "no such file" if script.suffix == ".py" else "no Python script"
        raise TrainingError(
            f"{script}: {what}; say `fitlog run SCRIPT.py [ARGS]` for a script of Python,"
            " or `fitlog run -- COMMAND [ARGS]` for any command"
        )
    return _run(
        [sys.executable, *words],
        out=out,
        name=name or script.stem,
        arguments={"script": words[0], "args": list(words[1:])},
        source=script.resolve().parent,
        is_script=True,
    )


def run_command(words: Sequence[str], *, out: Path, name: str | None = None) -> ScriptResult:
    """Run any command.

    Raises:
        TrainingError: there is none such, or it cannot be run; its log cannot be written.
    """
    if not words:
        raise TrainingError("no command behind --; say `fitlog run -- COMMAND [ARGS]`")
    if shutil.which(words[0]) is None:
        is_there = "/" in words[0] and Path(words[0]).exists()
        raise TrainingError(
            f"cannot run {words[0]}: {'not executable' if is_there else 'no such command'}"
        )
    return _run(
        words,
        out=out,
        name=name or Path(words[0]).name,
        arguments={"command": list(words)},
        source=Path.cwd(),
        is_script=False,
    )


def _run(
    words: Sequence[str],
    *,
    out: Path,
    name: str,
    arguments: dict[str, Any],
    source: Path,
    is_script: bool,
) -> ScriptResult:
    check_name(name)
    start = datetime.now(UTC)
    folder = new_folder(out, name, start)
    record = begin_record(
        name=name, command=sys.argv, arguments=arguments, start=start, folder=source
    )
    record |= {"exit_code": None, "signal": None}
    write_record(folder / RECORD, record)
    environment = _measured(folder) if is_script else os.environ
    try:
        ending = run_captured(words, folder / RUN_LOG, environment)
    except OSError as error:
        record["status"] = "failed"
        record["error"] = f"cannot run {words[0]}: {error.strerror}"
        end_record(record, start)
        write_record(folder / RECORD, record)
        raise TrainingError(record["error"]) from None
    record |= _how(ending)
    end_record(record, start)
    write_record(folder / RECORD, record)
    if ending.log_error is None:
        record["results"] = find_results(folder / RUN_LOG)
        write_record(folder / RECORD, record)
    elif ending.shell_code == 0:
        raise TrainingError(record["error"])
    return ScriptResult(folder=folder, record=record, exit_code=ending.shell_code)


def _measured(folder: Path) -> Mapping[str, str]:
    """The environment in which Python measures a script into this folder."""
    paths = [str(_HOOK), os.environ.get("PYTHONPATH", "")]
    return {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(filter(None, paths)),
        "FITLOG_PHASES": str(folder.resolve() / PHASE_FILE),
    }


def _how(ending: Ending) -> dict[str, Any]:
    """How it ended, in the record's words."""
    error = None
    killed_by = None if ending.signal is None else signal_name(ending.signal)
    if killed_by:
        error = f"killed by {killed_by}"
    elif ending.exit_code:
        error = f"exit code {ending.exit_code}"
    was_stopped = ending.was_interrupted or ending.signal in _STOPPED_BY
    status = "finished" if error is None else "interrupted" if was_stopped else "failed"
    if ending.log_error is not None:
        status = "failed" if status == "finished" else status
        error = "; ".join(filter(None, [error, f"cannot write run.log: {ending.log_error}"]))
    return {
        "status": status,
        "error": error,
        "exit_code": ending.exit_code,
        "signal": killed_by,
    }


def signal_name(number: int) -> str:
    """As `SIGKILL`; those of real time have numbers only."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
