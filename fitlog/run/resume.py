"""`fitlog run --resume`: a run goes on as if it had never been stopped.

All that a training draws at random hangs on the seed and the epoch's number (`seeding.py`), so the
state after an epoch is its parameters and its optimizer with its states: a checkpoint. The log is
cut back to where the checkpoint's last epoch ends; what stood behind goes into a file of its own.
"""

from __future__ import annotations

import itertools
import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from fitlog.errors import TrainingError
from fitlog.run.checkpoints import find_checkpoint
from fitlog.run.data_identity import describe_data
from fitlog.run.durable import remove_drafts, sync_file, sync_folder, write_whole
from fitlog.run.locking import locked
from fitlog.run.record import describe_host, describe_versions
from fitlog.run.recorded import RunResult, checkpoint_prefix, run_recorded
from fitlog.run.settings import RunOptions, check_options
from fitlog.run.shim import import_mxnet
from fitlog.run.threads import VARIABLE, pin_threads
from fitlog.run.training import build_training
from fitlog.run_folder import PHASE_FILE, RECORD, RUN_LOG, read_record

# What of a record a run goes on from.
_NEEDED: Final[dict[str, type]] = {
    "status": str,
    "start": str,
    "cwd": str,
    "arguments": dict,
    "data": dict,
    "versions": dict,
    "host": dict,
}

_PARTS: Final = {"status": str, "start": str, "arguments": dict, "host": dict, "results": dict}


def resume(folder: Path, *, num_epochs: int | None = None, say: Callable[[str], None]) -> RunResult:
    """Go on with the run in `folder`, after its last checkpoint that is whole.

    `num_epochs` takes the place of the run's own, to train a run for longer. `say` is told, a line
    at a time, where the training goes on, and what is not as it was.

    Raises:
        TrainingError: the folder holds no run, or one that cannot go on exactly here; another
        process trains it; the training fails. MXNetUnavailableError, KeyboardInterrupt: as `train`.
        OSError: a file in the folder cannot be read or written.
    """
    start = datetime.now(UTC)
    read_record(folder)  # a folder without a run must not get a log
    log = folder / RUN_LOG
    with locked(log):
        record = read_record(folder)
        options = _options(folder, record, num_epochs)
        if record["status"] == "finished" and options.num_epochs == _num_epochs(record):
            say(f"{folder} has finished: nothing to do (a larger --num-epochs would go on)")
            return RunResult(folder=folder, record=record)
        _check_sameness(record, options)
        pin_threads(record["host"]["environment"].get(VARIABLE))
        mx = import_mxnet()
        _compare_hosts(record["host"], describe_host(), say)
        remove_drafts(folder)
        checkpoint = find_checkpoint(
            checkpoint_prefix(options, folder), run=record["start"], log=log, say=say
        )
        done = checkpoint.epoch if checkpoint else options.begin_epoch
        if done > options.num_epochs:
            raise TrainingError(
                f"--num-epochs {options.num_epochs}: {done} epochs are done already"
            )
        training = build_training(mx, options, checkpoint=checkpoint)
        if checkpoint:
            say(f"{done} epochs are done: going on from {checkpoint.manifest.name}")
        else:
            say("no epoch has a checkpoint: beginning anew")
        if kept := cut_log(log, checkpoint.log_bytes if checkpoint else 0):
            say(f"the lines of what was not finished are now in {kept.name}")
        drop_half_line(folder / PHASE_FILE)
        _note_resumption(record, options, start, done)
        return run_recorded(training, options, folder, record, start)


def cut_log(log: Path, end: int) -> Path | None:
    """Cut the log back to its first `end` bytes; gives the file that holds the others, if any.

    Raises:
        OSError: that file cannot be written; the log is as it was then.
    """
    if log.stat().st_size <= end:
        return None
    numbers = itertools.count(1)
    kept = next(
        path
        for number in numbers
        if not (path := log.with_name(f"{log.stem}-cut-{number}{log.suffix}")).exists()
    )

    def copy(draft: Path) -> None:
        with log.open("rb") as source, draft.open("wb") as target:
            source.seek(end)
            shutil.copyfileobj(source, target)

    write_whole(kept, copy)
    sync_folder(kept.parent)
    os.truncate(log, end)
    sync_file(log)
    return kept


def drop_half_line(path: Path) -> None:
    """Cut off what follows the last line feed; a file that is not there stays so."""
    if path.exists():
        content = path.read_bytes()
        os.truncate(path, content.rfind(b"\n") + 1)


def _options(folder: Path, record: dict[str, Any], num_epochs: int | None) -> RunOptions:
    if missing := [n for n, kind in _PARTS.items() if not isinstance(record.get(n), kind)]:
        raise TrainingError(f"{folder}/run.json is damaged: its {missing[0]!r} makes no sense")
    if "exit_code" in record:
        raise TrainingError(
            f"{folder} is of a script or a command; only fitlog's own trainings can be resumed"
        )
    if "cluster" in record:
        raise TrainingError(
            f"{folder} is of several workers, which cannot be resumed; --model-prefix and"
            " --load-epoch go on from its parameters"
        )
    for name, kind in _NEEDED.items():
        if not isinstance(record.get(name), kind):
            raise TrainingError(
                f"{folder} cannot be resumed: its {RECORD} has no {name!r}, which those of fitlog's"
                " own trainings have"
            )
    try:
        options = RunOptions.from_record(record["arguments"])
        options = replace(options, trace=None)  # the one that is there shows the run's beginning
        if num_epochs is not None:
            options = replace(options, num_epochs=num_epochs)
        check_options(options)
    except TrainingError as error:
        raise TrainingError(f"{folder} cannot be resumed: {error}") from None
    return options


def _num_epochs(record: dict[str, Any]) -> int:
    return int(record["arguments"]["num_epochs"])


def _check_sameness(record: dict[str, Any], options: RunOptions) -> None:
    """Raise where the training would not be the same one."""
    began, now = record["versions"]["mxnet"], describe_versions()["mxnet"]
    if began != now:
        raise TrainingError(f"the run was begun with mxnet {began}; this is {now}")
    names = [name.partition(":")[2] for name in (options.data, options.data_val) if name]
    names += [str(options.model_prefix or "")]
    if record["cwd"] != str(Path.cwd()) and any(
        name and not Path(name).is_absolute() for name in names
    ):
        raise TrainingError(
            f"the run names files relative to {record['cwd']}: resume it in that folder"
        )
    described = describe_data(options.data, options.data_val)
    for path in sorted(described.keys() | record["data"].keys()):
        if described.get(path) != record["data"].get(path):
            raise TrainingError(f"{path} is not what the run was begun with: its content differs")


def _compare_hosts(began: dict[str, Any], now: dict[str, Any], say: Callable[[str], None]) -> None:
    """Say what is different here and may change the last digits."""
    pairs = [("cpu", began["cpu"], now["cpu"])]
    pairs += [
        (name, began["environment"].get(name), now["environment"].get(name))
        for name in sorted(began["environment"].keys() | now["environment"].keys())
    ]
    for name, before, here in pairs:
        if before != here:
            say(
                f"warning: {name} was {before or 'not set'} and is {here or 'not set'}:"
                " the last digits may differ from those of a run never stopped"
            )


def _note_resumption(
    record: dict[str, Any], options: RunOptions, start: datetime, done: int
) -> None:
    time = start.isoformat(timespec="milliseconds")
    resumption = {"time": time, "epoch": done, "from": record["status"]}
    record.setdefault("resumptions", []).append(resumption)
    record["arguments"] = options.as_record()
    record |= {"status": "running", "end": None, "error": None, "results": {}, "pid": os.getpid()}
