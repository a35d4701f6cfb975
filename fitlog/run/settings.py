"""What `fitlog run` is told: its options, and what can be said of them before anything is loaded.

The names are those of MXNet's image-classification examples (example/image-classification/common,
fit.py and data.py, 1.x).
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Final, Self

from fitlog.errors import TrainingError
from fitlog.run.folders import check_name

NETWORKS: Final = ("lenet", "mlp", "resnet20", "resnet50")
DTYPES: Final = ("float32", "float16")
# What `--data` can be; of files, what stands before the colon.
MADE_DATA: Final = ("digits", "synthetic")
FILE_KINDS: Final = ("csv", "npz", "mnist", "rec")
KV_STORES: Final = (
    *("local", "device", "nccl"),
    *("dist", "dist_sync", "dist_device_sync", "dist_sync_device", "dist_async", "p3"),
)
ON_NAN: Final = ("warn", "stop")
CHOICES: Final = {
    "network": NETWORKS,
    "dtype": DTYPES,
    "kv_store": KV_STORES,
    "on_nan": ON_NAN,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions:
    """What to train, on what, and how."""

    network: str = "lenet"
    dtype: str = "float32"
    data: str | None = None
    data_val: str | None = None
    val_share: float = 0.0
    benchmark: bool = False
    image_shape: tuple[int, ...] | None = None
    num_classes: int | None = None
    num_examples: int | None = None
    num_epochs: int = 15
    batch_size: int = 64
    lr: float = 0.1
    lr_factor: float = 0.1
    lr_step_epochs: tuple[int, ...] = ()
    warmup_epochs: int = 0
    optimizer: str = "sgd"
    mom: float = 0.9
    wd: float = 0.0
    metric: tuple[str, ...] = ("accuracy", "ce")
    top_k: int = 0
    gpus: tuple[int, ...] = ()
    kv_store: str = "local"
    workers: int | None = None
    servers: int = 1
    hosts: Path | None = None
    scheduler_port: int | None = None
    hang_seconds: float | None = None
    disp_batches: int = 5
    fast: bool = False
    sync_every: int | None = None
    on_nan: str = "warn"
    monitor: int = 0
    model_prefix: Path | None = None
    save_period: int = 1
    load_epoch: int | None = None
    seed: int = 0
    out: Path = Path("runs")
    name: str | None = None
    trace: Path | None = None

    @property
    def data_source(self) -> str:
        """Where the training data come from; without a word of it, the digits."""
        return self.data or ("synthetic" if self.benchmark else "digits")

    @property
    def run_name(self) -> str:
        """What the run is called; by default the network and the data."""
        kind, _, path = self.data_source.partition(":")
        data = "benchmark" if self.benchmark else Path(path).name.partition(".")[0] or kind
        return self.name or f"{self.network}-{data}"

    @property
    def begin_epoch(self) -> int:
        """The first epoch to train: checkpoints are named after the epochs that made them."""
        return self.load_epoch or 0

    def as_record(self) -> dict[str, Any]:
        """The options as `run.json` has them, with the data that are meant."""
        plain = {name: _plain(value) for name, value in asdict(self).items()}
        return {**plain, "data": self.data_source}

    @classmethod
    def from_record(cls, record: dict[str, Any]) -> Self:
        """The options of which `as_record` made this.

        Raises:
            TrainingError: the record is of other options than these.
        """
        types = {field.name: str(field.type) for field in fields(cls)}
        if differing := sorted(types.keys() ^ record.keys()):
            raise TrainingError(
                f"it was made by a fitlog with other options than this: {', '.join(differing)}"
            )
        values: dict[str, Any] = {}
        for name, value in record.items():
            if isinstance(value, list):
                values[name] = tuple(value)
            elif isinstance(value, str) and types[name].startswith("Path"):
                values[name] = Path(value)
            else:
                values[name] = value
        return cls(**values)


def check_options(options: RunOptions) -> None:
    """Raise TrainingError for options that cannot work, before anything is imported or written."""
    for name, known in CHOICES.items():
        value = getattr(options, name)
        if value not in known:
            option = name.replace("_", "-")
            raise TrainingError(f"no {option} named {value!r}; known: {', '.join(known)}")
    _check_data(options)
    _require_at_least("batch-size", options.batch_size, 1)
    if not (math.isfinite(options.lr) and options.lr > 0):
        raise TrainingError(f"--lr {options.lr}: the learning rate must be a number above 0")
    _check_schedule(options)
    for name, value in (("mom", options.mom), ("wd", options.wd)):
        if not (math.isfinite(value) and value >= 0):
            raise TrainingError(f"--{name} {value}: must be a number from 0 on")
    if options.top_k and options.top_k < 2:
        raise TrainingError(f"--top-k {options.top_k}: must be at least 2; top-1 is the accuracy")
    if not (options.metric or options.top_k):
        raise TrainingError("no metric: there would be nothing to report")
    for name, number in (
        ("save-period", options.save_period),
        ("disp-batches", options.disp_batches),
    ):
        _require_at_least(name, number, 1)
    _require_at_least("monitor", options.monitor, 0)
    _require_at_least("sync-every", options.sync_every or 0, 0)
    if any(gpu < 0 for gpu in options.gpus) or len(set(options.gpus)) < len(options.gpus):
        raise TrainingError(f"--gpus {_joined(options.gpus)}: must be different numbers from 0 on")
    if not 0 <= options.seed < 2**31:
        raise TrainingError(f"--seed {options.seed}: must be from 0 to {2**31 - 1}")
    check_name(options.run_name)


def _check_data(options: RunOptions) -> None:
    files = "csv:FILE, npz:FILE, mnist:FOLDER or rec:FILE"
    if options.data is not None and options.data not in MADE_DATA and not _is_file(options.data):
        raise TrainingError(f"--data {options.data}: must be {', '.join(MADE_DATA)}, {files}")
    if options.data_val is not None and not _is_file(options.data_val):
        raise TrainingError(f"--data-val {options.data_val}: must be {files}")
    if not 0 <= options.val_share < 1:
        raise TrainingError(f"--val-share {options.val_share}: must be a part of the whole")
    if options.val_share and options.data_val:
        raise TrainingError("--val-share and --data-val: the validation data are named twice")
    if options.benchmark:
        if options.data_source != "synthetic":
            raise TrainingError("--benchmark reads no data: leave out --data")
        if options.data_val or options.val_share:
            raise TrainingError("--benchmark validates nothing: leave out --data-val, --val-share")
    if options.image_shape is not None and (
        len(options.image_shape) != 3 or min(options.image_shape) < 1
    ):
        raise TrainingError(
            f"--image-shape {_joined(options.image_shape)}: must be channels,height,width"
            " such as 3,32,32"
        )
    if options.num_classes is not None:
        _require_at_least("num-classes", options.num_classes, 2)
    if options.num_examples is not None:
        _require_at_least("num-examples", options.num_examples, 1)


def _check_schedule(options: RunOptions) -> None:
    if options.num_epochs < 1:
        raise TrainingError(f"--num-epochs {options.num_epochs}: there is nothing to train")
    _require_at_least("warmup-epochs", options.warmup_epochs, 0)
    if not 0 < options.lr_factor <= 1:
        raise TrainingError(f"--lr-factor {options.lr_factor}: must be above 0 and at most 1")
    steps = options.lr_step_epochs
    if any(later <= earlier for earlier, later in itertools.pairwise(steps)):
        raise TrainingError(f"--lr-step-epochs {_joined(steps)}: must be rising numbers")
    if steps and steps[0] < max(1, options.warmup_epochs):
        raise TrainingError(
            f"--lr-step-epochs {_joined(steps)}: the first must be"
            f" {max(1, options.warmup_epochs)} or later, when the warm-up is over"
        )
    if options.load_epoch is None:
        return
    if options.model_prefix is None:
        raise TrainingError(f"--load-epoch {options.load_epoch}: of what? say so by --model-prefix")
    if not 0 <= options.load_epoch < options.num_epochs:
        raise TrainingError(
            f"--load-epoch {options.load_epoch}: with --num-epochs {options.num_epochs},"
            " which counts from the very first, there is nothing to train"
        )


def _is_file(source: str) -> bool:
    kind, _, path = source.partition(":")
    return kind in FILE_KINDS and bool(path)


def _require_at_least(name: str, value: int, least: int) -> None:
    if value < least:
        raise TrainingError(f"--{name} {value}: must be at least {least}")


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return list(value)
    return str(value) if isinstance(value, Path) else value


def _joined(values: Sequence[int]) -> str:
    return ",".join(map(str, values))
