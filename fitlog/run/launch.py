"""`fitlog run`: one training from its options to its folder.

The folder `runs/<stamp>-<name>/` holds `run.log` (upstream's own lines), `run.json` (what was run,
where and how it ended), `phases.jsonl` (where the time went) and the checkpoints.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from fitlog.errors import TrainingError
from fitlog.run.checkpoints import Checkpointer
from fitlog.run.fingerprint import describe_data
from fitlog.run.folders import new_folder
from fitlog.run.instrument import fit
from fitlog.run.locking import locked
from fitlog.run.logs import captured_log
from fitlog.run.progress import shown_progress
from fitlog.run.record import begin_record, write_record
from fitlog.run.results import read_results
from fitlog.run.settings import RunOptions, check_options
from fitlog.run.shim import import_mxnet
from fitlog.run.threads import pin_threads
from fitlog.run.training import Training, build_training


@dataclass(frozen=True, slots=True, kw_only=True)
class RunResult:
    """Where a finished run is, and its record as written to `run.json`."""

    folder: Path
    record: dict[str, Any]


def train(options: RunOptions) -> RunResult:
    """Train as `options` say, into a new folder.

    Raises:
        TrainingError: options that make no sense, a folder that cannot be written, a training that
        fails. MXNetUnavailableError: MXNet cannot be imported here. KeyboardInterrupt: the user
        stopped it; the record says so.
    """
    check_options(options)
    pin_threads()
    mx = import_mxnet()
    start = datetime.now(UTC)
    training = build_training(mx, options)
    data = describe_data(options.data, options.data_val)
    make_parent(options.model_prefix)
    check_trace(options.trace)
    folder = new_folder(options.out, options.run_name, start)
    record = begin_record(
        name=options.run_name,
        command=sys.argv,
        arguments=options.as_record(),
        data=data,
        start=start,
        folder=Path.cwd(),
    )
    with locked(folder / "run.log"):
        return run_recorded(training, options, folder, record, start)


def run_recorded(
    training: Training, options: RunOptions, folder: Path, record: dict[str, Any], start: datetime
) -> RunResult:
    """Train in the run's folder, which this process has locked, and keep its record.

    `start` is when this began, whether the run did or goes on.

    Raises:
        TrainingError: the training fails. KeyboardInterrupt: the user stopped it.
    """
    try:
        write_record(folder / "run.json", record)
        with (
            shown_progress(options.num_epochs, training.data.batches_per_epoch) as show,
            captured_log(folder / "run.log", show),
        ):
            _fit(training, options, folder, record)
        record["results"] = read_results(folder / "run.log")
        record["status"] = "finished"
    except KeyboardInterrupt:
        record["status"] = "interrupted"
        raise KeyboardInterrupt(f"(the log so far: {folder}/run.log)") from None
    except Exception as error:
        record["status"], record["error"] = "failed", _summary(error)
        raise TrainingError(
            f"the training failed: {record['error']} (its log: {folder}/run.log)"
        ) from error
    finally:
        end = datetime.now(UTC)
        record["end"] = end.isoformat(timespec="milliseconds")
        record["seconds"] = (end - start).total_seconds()
        _write_end(folder / "run.json", record)
    return RunResult(folder=folder, record=record)


def checkpoint_prefix(options: RunOptions, folder: Path) -> Path:
    """What the names of the checkpoints begin with: in the run's folder, if nowhere else."""
    return options.model_prefix or folder / options.network


def make_parent(model_prefix: Path | None) -> None:
    """The folder that checkpoints go to where they do not go into the run's."""
    if model_prefix is None:
        return
    try:
        model_prefix.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise TrainingError(
            f"--model-prefix {model_prefix}: cannot make the folder {model_prefix.parent}:"
            f" {error.strerror}"
        ) from None


def check_trace(path: Path | None) -> None:
    """Raise TrainingError for a trace that cannot be written, before there is a folder."""
    if path is None:
        return
    try:
        path.open("a").close()
    except OSError as error:
        raise TrainingError(f"--trace {path}: cannot be written: {error.strerror}") from None


def _write_end(path: Path, record: dict[str, Any]) -> None:
    try:
        write_record(path, record)
    except OSError as error:
        if record["status"] == "finished":  # else what went wrong first is what the user must see
            raise TrainingError(f"cannot write {path}: {error.strerror}") from error


def _fit(training: Training, options: RunOptions, folder: Path, record: dict[str, Any]) -> None:
    checkpointer = Checkpointer(
        training.module,
        checkpoint_prefix(options, folder),
        run=record["start"],
        log=folder / "run.log",
        period=options.save_period,
    )
    training.data.train.after_epoch = checkpointer.complete
    fit(
        training.module,
        training.data.train,
        phases=folder / "phases.jsonl",
        trace=options.trace,
        fast=options.fast,
        epoch_end_callback=checkpointer,
        **training.arguments,
    )


def _summary(error: Exception) -> str:
    """Kind and message; of MXNet's own, which quote a C++ stack, the last line."""
    lines = str(error).strip().splitlines() or [""]
    if isinstance(error, TrainingError):
        return lines[-1]
    return f"{type(error).__name__}: {lines[-1]}"
