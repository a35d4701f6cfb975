"""A training whose log and record say how it ended, however it ended."""

from __future__ import annotations

import contextlib
import logging
import signal
import sys
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from fitlog.errors import Termination, TrainingError
from fitlog.run.checkpoints import Checkpointer
from fitlog.run.display import shown_progress
from fitlog.run.instrument import fit
from fitlog.run.logs import captured_log
from fitlog.run.nans import NanWatch
from fitlog.run.record import end_record, write_record
from fitlog.run.results import read_results
from fitlog.run.settings import RunOptions
from fitlog.run.stopping import Stop, StoppedError, stoppable
from fitlog.run.training import Training
from fitlog.run_folder import PHASE_FILE, RECORD, RUN_LOG


@dataclass(frozen=True, slots=True, kw_only=True)
class RunResult:
    """Where a finished run is, and its record as written to `run.json`."""

    folder: Path
    record: dict[str, Any]


def run_recorded(
    training: Training, options: RunOptions, folder: Path, record: dict[str, Any], start: datetime
) -> RunResult:
    """Train in the run's folder, which this process has locked, and keep its record.

    `start` is when this began, whether the run did or goes on. SIGINT and SIGTERM end the training
    after the batch at hand, whose parameters are saved; a second one at once.

    Raises:
        TrainingError: the training fails. KeyboardInterrupt: the user stopped it; Termination:
        SIGTERM did.
    """
    with stoppable(_say) as stop:
        try:
            write_record(folder / RECORD, record)
            with (
                shown_progress(folder, options, training.data.batches_per_epoch) as show,
                captured_log(folder / RUN_LOG, show),
            ):
                _train(training, options, folder, record, stop)
            record["results"] = read_results(folder / RUN_LOG)
            record["status"] = "finished"
        except KeyboardInterrupt as error:
            record["status"] = "interrupted"
            is_terminated = isinstance(error, StoppedError) and error.signal is signal.SIGTERM
            ending = Termination if is_terminated else KeyboardInterrupt
            raise ending(f"(the log so far: {folder}/run.log)") from None
        except Exception as error:
            record["status"], record["error"] = "failed", _summary(error)
            raise TrainingError(
                f"the training failed: {record['error']} (its log: {folder}/run.log)"
            ) from error
        finally:
            stop.is_over = True
            end_record(record, start)
            _write_end(folder / RECORD, record)
    return RunResult(folder=folder, record=record)


def checkpoint_prefix(options: RunOptions, folder: Path) -> Path:
    """What the names of the checkpoints begin with: in the run's folder, if nowhere else."""
    return options.model_prefix or folder / options.network


def _train(
    training: Training, options: RunOptions, folder: Path, record: dict[str, Any], stop: Stop
) -> None:
    """Train; the log's last line tells of an end that was not the training's own."""
    checkpointer = Checkpointer(
        training.module,
        checkpoint_prefix(options, folder),
        run=record["start"],
        log=folder / RUN_LOG,
        period=options.save_period,
    )
    training.data.train.after_epoch = checkpointer.complete
    nans = watch_nans(options)
    speedometer = training.arguments["batch_end_callback"]
    arguments = {
        **training.arguments,
        "batch_end_callback": [nans.before_report, speedometer, stop.after_batch],
        "eval_batch_end_callback": stop.after_evaluated,
        "epoch_end_callback": [nans.after_epoch, checkpointer],
    }
    try:
        fit(
            training.module,
            training.data.train,
            phases=folder / PHASE_FILE,
            sync_every=options.sync_every,
            trace=options.trace,
            fast=options.fast,
            **arguments,
        )
    except StoppedError as stopped:
        last = stopped
        try:
            saved = _save(stopped, stop, checkpointer)
        except StoppedError as again:  # that took too long for somebody
            last, saved = again, None
        stop.is_over = True
        record["stopped"] = {
            "signal": last.signal.name,
            "epoch": stop.epoch,
            "nbatch": stop.nbatch,
            "parameters": saved,
        }
        _log_end(f"Stopped by {last.signal.name} {_place(stop)}")
        raise last from None
    except Exception as error:
        _log_end(f"Failed {_place(stop)}: {_summary(error)}")
        raise


def _save(stopped: StoppedError, stop: Stop, checkpointer: Checkpointer) -> str | None:
    """Where the parameters of a training are that was stopped between two batches."""
    if not stopped.in_order or stop.nbatch is None:
        return None
    return str(checkpointer.save_interrupted())


def _place(stop: Stop) -> str:
    if stop.nbatch is None:
        return "before the first batch was done"
    return f"after batch {stop.nbatch} of epoch {stop.epoch}"


def _log_end(line: str) -> None:
    with contextlib.suppress(TrainingError):  # the log may be what failed
        logging.error(line)


def watch_nans(options: RunOptions) -> NanWatch:
    """What looks for nan, as the options want it."""
    return NanWatch(options.disp_batches, stops=options.on_nan == "stop", say=_say)


def _say(line: str) -> None:
    """Tell whoever watches."""
    print(f"fitlog: {line}", file=sys.stderr, flush=True)  # noqa: T201


def _write_end(path: Path, record: dict[str, Any]) -> None:
    try:
        write_record(path, record)
    except OSError as error:
        if record["status"] == "finished":  # else what went wrong first is what the user must see
            raise TrainingError(f"cannot write {path}: {error.strerror}") from error


def _summary(error: Exception) -> str:
    """Kind and message; of MXNet's own, which quote a C++ stack, the last line."""
    lines = str(error).strip().splitlines() or [""]
    if isinstance(error, TrainingError):
        return lines[-1]
    return f"{type(error).__name__}: {lines[-1]}"
