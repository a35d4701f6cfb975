"""What the lines of a training log say, one class for each of the three tables that hold it.

A line becomes a tuple of records: `Epoch[0] Batch [0-20]→Speed: 9.50 samples/sec→acc=0.5` says a
`Speed` and a `Metric`. A number the line does not state is None, never 0.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Split = Literal["train", "validation"]
Scope = Literal["window", "running", "epoch"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Speed:
    """A throughput report over the batches `batch_start` (excluded) to `batch_end`, in samples/sec.

    The bounds are as logged: MXNet before 1.4 states the end alone, so `batch_start` is None.
    """

    epoch: int | None
    batch_start: int | None
    batch_end: int | None
    samples_per_sec: float
    split: Split = "train"


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """The value of one metric.

    `scope` says over what: 'window' (the batches since the last report), 'running' (since the
    epoch began) or 'epoch' (a whole epoch; batch bounds are None).
    """

    epoch: int | None
    batch_start: int | None = None
    batch_end: int | None = None
    split: Split
    scope: Scope
    metric: str
    value: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Anything else worth a row.

    `kind` is 'start', 'time_cost' (value: seconds), 'checkpoint', 'checkpoint_skipped',
    'optimizer_state', 'lr' (value: the learning rate), 'reset', 'progress' (value: percent),
    'monitor' (value: the statistic, if it is one number), 'early_stop' (value: the best score) or
    'end' (value: the seconds of the whole training); `text` is the record as written.
    """

    kind: str
    text: str
    epoch: int | None = None
    value: float | None = None


Record = Speed | Metric | Event
