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
from fitlog.run.folders import new_folder
from fitlog.run.instrument import fit
from fitlog.run.logs import captured_log
from fitlog.run.progress import shown_progress
from fitlog.run.record import begin_record, write_record
from fitlog.run.results import read_results
from fitlog.run.settings import RunOptions, check_options
from fitlog.run.shim import import_mxnet
from fitlog.run.training import build_training, checkpoint_callback


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
    mx = import_mxnet()
    start = datetime.now(UTC)
    training = build_training(mx, options)
    make_parent(options.model_prefix)
    folder = new_folder(options.out, options.run_name, start)
    record = begin_record(
        name=options.run_name,
        command=sys.argv,
        arguments=options.as_record(),
        start=start,
        folder=Path.cwd(),
    )
    try:
        write_record(folder / "run.json", record)
        with (
            shown_progress(options.num_epochs, training.data.batches_per_epoch) as show,
            captured_log(folder / "run.log", show),
        ):
            fit(
                training.module,
                training.data.train,
                phases=folder / "phases.jsonl",
                epoch_end_callback=checkpoint_callback(mx, options, folder),
                **training.arguments,
            )
        record["status"] = "finished"
        record["results"] = read_results(folder / "run.log")
    except KeyboardInterrupt:
        record["status"] = "interrupted"
        raise KeyboardInterrupt(f"(the log so far: {folder}/run.log)") from None
    except Exception as error:
        record["status"], record["error"] = "failed", f"{type(error).__name__}: {_summary(error)}"
        raise TrainingError(
            f"the training failed: {record['error']} (its log: {folder}/run.log)"
        ) from error
    finally:
        end = datetime.now(UTC)
        record["end"] = end.isoformat(timespec="milliseconds")
        record["seconds"] = (end - start).total_seconds()
        write_record(folder / "run.json", record)
    return RunResult(folder=folder, record=record)


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


def _summary(error: Exception) -> str:
    """The message; of MXNet's own, which quote a C++ stack, the last line."""
    lines = str(error).strip().splitlines()
    return lines[-1] if lines else ""
