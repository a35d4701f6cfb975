"""`fitlog run`: one training from its options to its folder.

The folder `runs/<stamp>-<name>/` holds `run.log` (upstream's own lines), `run.json` (what was run,
where and how it ended), `phases.jsonl` (where the time went) and the checkpoints.
"""

from __future__ import annotations

import math
import sys
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from fitlog.errors import TrainingError
from fitlog.run.instrument import fit
from fitlog.run.logs import captured_log
from fitlog.run.progress import shown_progress
from fitlog.run.record import begin_record, write_record
from fitlog.run.shim import import_mxnet
from fitlog.run.workload import (
    NETWORKS,
    TRAIN_SAMPLES,
    VALIDATION_BATCH,
    build_network,
    load_digits,
)

_MOMENTUM: Final = 0.9
_WITH_MOMENTUM: Final = ("sgd", "nag")
_METRICS: Final = ("accuracy", "ce")


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions:
    """What to train; the names are those of MXNet's image-classification examples."""

    network: str = "lenet"
    num_epochs: int = 15
    batch_size: int = 64
    lr: float = 0.1
    optimizer: str = "sgd"
    disp_batches: int = 5
    fast: bool = False
    seed: int = 0
    out: Path = Path("runs")
    name: str | None = None

    @property
    def run_name(self) -> str:
        """What the run is called; by default the network and the data."""
        return self.name or f"{self.network}-digits"

    @property
    def batches_per_epoch(self) -> int:
        """The last batch is filled up, so every sample is seen."""
        return math.ceil(TRAIN_SAMPLES / self.batch_size)


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
    _check_optimizer(mx, options.optimizer)
    start = datetime.now(UTC)
    folder = make_folder(options, start)
    arguments = {**asdict(options), "out": str(options.out)}
    record = begin_record(
        name=options.run_name,
        command=sys.argv,
        arguments=arguments,
        start=start,
        folder=Path.cwd(),
    )
    try:
        write_record(folder / "run.json", record)
        with (
            shown_progress(options.num_epochs, options.batches_per_epoch) as show,
            captured_log(folder / "run.log", show),
        ):
            _fit(mx, options, folder)
        record["status"] = "finished"
        record["results"] = _results(folder)
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


def check_options(options: RunOptions) -> None:
    """Raise TrainingError for options that cannot work, before anything is imported or written."""
    if options.network not in NETWORKS:
        raise TrainingError(f"no network named {options.network!r}; known: {', '.join(NETWORKS)}")
    if not 1 <= options.batch_size <= TRAIN_SAMPLES:
        raise TrainingError(
            f"--batch-size {options.batch_size}: must be from 1 to {TRAIN_SAMPLES}, all the images"
        )
    if not (math.isfinite(options.lr) and options.lr > 0):
        raise TrainingError(f"--lr {options.lr}: the learning rate must be a number above 0")
    if options.num_epochs < 1:
        raise TrainingError(f"--num-epochs {options.num_epochs}: there is nothing to train")
    if options.disp_batches < 1:
        raise TrainingError(f"--disp-batches {options.disp_batches}: must be at least 1")
    if not 0 <= options.seed < 2**31:
        raise TrainingError(f"--seed {options.seed}: must be from 0 to {2**31 - 1}")
    if Path(options.run_name).name != options.run_name or options.run_name in (".", ".."):
        raise TrainingError(f"--name {options.run_name!r}: must do as the name of a folder")


def _check_optimizer(mx: Any, name: str) -> None:
    known = sorted(mx.optimizer.Optimizer.opt_registry)
    if name.lower() not in known:
        raise TrainingError(f"no optimizer named {name!r}; known: {', '.join(known)}")


def make_folder(options: RunOptions, start: datetime) -> Path:
    """A new folder for the run; several of one second are numbered."""
    stem = f"{start.astimezone():%Y%m%d-%H%M%S}-{options.run_name}"
    for number in range(1, 1000):
        folder = options.out / (stem if number == 1 else f"{stem}-{number}")
        try:
            folder.mkdir(parents=True)
        except FileExistsError:
            if options.out.is_dir():
                continue
            raise TrainingError(f"cannot write into {options.out}: not a folder") from None
        except OSError as error:
            raise TrainingError(f"cannot make the folder {folder}: {error.strerror}") from None
        return folder
    raise TrainingError(
        f"cannot make the folder {options.out / stem}: a thousand of that name are there"
    )


def _fit(mx: Any, options: RunOptions, folder: Path) -> None:
    import numpy as np

    mx.random.seed(options.seed)
    np.random.seed(options.seed)  # NDArrayIter shuffles with numpy's global generator
    digits = load_digits()
    train_data = mx.io.NDArrayIter(
        digits.train_images, digits.train_labels, options.batch_size, shuffle=True
    )
    validation_data = mx.io.NDArrayIter(
        digits.validation_images, digits.validation_labels, VALIDATION_BATCH
    )
    optimizer_params = {"learning_rate": options.lr}
    if options.optimizer.lower() in _WITH_MOMENTUM:
        optimizer_params["momentum"] = _MOMENTUM
    module = mx.mod.Module(build_network(mx, options.network), context=mx.cpu())
    fit(
        module,
        train_data,
        phases=folder / "phases.jsonl",
        fast=options.fast,
        eval_data=validation_data,
        eval_metric=list(_METRICS),
        optimizer=options.optimizer,
        optimizer_params=optimizer_params,
        initializer=mx.init.Xavier(),
        batch_end_callback=mx.callback.Speedometer(options.batch_size, options.disp_batches),
        epoch_end_callback=mx.callback.do_checkpoint(str(folder / options.network)),
        num_epoch=options.num_epochs,
    )


def _summary(error: Exception) -> str:
    """The message; of MXNet's own, which quote a C++ stack, the last line."""
    lines = str(error).strip().splitlines()
    return lines[-1] if lines else ""


def _results(folder: Path) -> dict[str, Any]:
    """The run in a few figures, read back from its own log."""
    import statistics

    from fitlog.reading import read_columns
    from fitlog_parsers.columns import SPLITS

    columns = read_columns([folder / "run.log"])
    metrics = columns.metrics
    accuracy = metrics.names.index("accuracy")
    validation = [
        (metrics.epoch[row], metrics.value[row])
        for row in range(len(metrics))
        if metrics.metric[row] == accuracy and metrics.split[row] == SPLITS.index("validation")
    ]
    best_epoch, best = max(validation, key=lambda pair: pair[1])
    speeds = columns.speed.samples_per_sec
    return {
        "validation_accuracy": validation[-1][1],
        "best_validation_accuracy": best,
        "best_epoch": best_epoch,
        "samples_per_sec": statistics.median(speeds) if speeds else None,
        "windows": len(speeds),
    }
