"""The data that `fitlog run` trains with, as iterators of MXNet.

Shuffling draws from numpy's global generator: seed it before the data are opened.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Final

from fitlog.errors import TrainingError
from fitlog.run.arrays import Samples, load_digits
from fitlog.run.settings import RunOptions

# A batch that divides the images counts none twice to fill up the last: the validation is exact.
_VALIDATION_BATCH: Final = 128


@dataclass(frozen=True, slots=True, kw_only=True)
class Data:
    """What is trained and validated with; `samples` and `batches_per_epoch` of this part alone."""

    train: Any
    validation: Any | None
    image_shape: tuple[int, ...]
    num_classes: int
    samples: int
    batches_per_epoch: int


def open_data(mx: Any, options: RunOptions, *, part: int = 0, num_parts: int = 1) -> Data:
    """The data that the options name, or one part of them: of `num_parts`, the one of rank `part`.

    The parts share no sample and have equally many batches; all have the whole validation data.

    Raises:
        TrainingError: data that are missing, empty or not what they are taken for.
    """
    train, validation = load_digits()
    samples = train.take(slice(part, len(train) // num_parts * num_parts, num_parts))
    if options.batch_size > len(samples):
        raise TrainingError(
            f"--batch-size {options.batch_size}: must be from 1 to {len(samples)}, all the images"
        )
    return Data(
        train=mx.io.NDArrayIter(samples.images, samples.labels, options.batch_size, shuffle=True),
        validation=_validation(mx, validation),
        image_shape=samples.images.shape[1:],
        num_classes=int(train.labels.max()) + 1,
        samples=len(samples),
        batches_per_epoch=math.ceil(len(samples) / options.batch_size),
    )


def _validation(mx: Any, samples: Samples) -> Any:
    divisors = (
        size
        for size in range(min(_VALIDATION_BATCH, len(samples)), 0, -1)
        if len(samples) % size == 0
    )
    return mx.io.NDArrayIter(samples.images, samples.labels, next(divisors))
