"""`fitlog run`: one training from its options to its folder.

The folder `runs/<stamp>-<name>/` holds `run.log` (upstream's own lines), `run.json` (what was run,
where and how it ended), `phases.jsonl` (where the time went) and the checkpoints.
"""

from __future__ import annotations

import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from fitlog.errors import TrainingError
from fitlog.run.data_identity import describe_data
from fitlog.run.folders import new_folder
from fitlog.run.locking import locked
from fitlog.run.record import begin_record
from fitlog.run.recorded import RunResult, run_recorded
from fitlog.run.settings import RunOptions, check_options
from fitlog.run.shim import import_mxnet
from fitlog.run.threads import pin_threads
from fitlog.run.training import build_training
from fitlog.run_folder import RUN_LOG


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
    with locked(folder / RUN_LOG):
        return run_recorded(training, options, folder, record, start)


def make_parent(model_prefix: Path | None) -> None:
    """The folder that checkpoints go to where they do not go into the run's; a file is tried.

    Raises:
        TrainingError: nothing can be written there.
    """
    if model_prefix is None:
        return
    folder = model_prefix.parent
    try:
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
    except OSError as error:
        what = "make the folder" if not folder.is_dir() else "write into"
        raise TrainingError(
            f"--model-prefix {model_prefix}: cannot {what} {folder}: {error.strerror}"
        ) from None


def check_trace(path: Path | None) -> None:
    """Raise TrainingError for a trace that cannot be written, before there is a folder."""
    if path is None:
        return
    try:
        path.open("a").close()
    except OSError as error:
        raise TrainingError(f"--trace {path}: cannot be written: {error.strerror}") from None
