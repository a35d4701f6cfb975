"""The data that `fitlog run` trains and validates with, as iterators of MXNet.

Those to train with begin with a given epoch, and each epoch's batches are a matter of the seed and
the epoch's number alone.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from fitlog.errors import TrainingError
from fitlog.run.files import read_csv, read_mnist, read_npz
from fitlog.run.networks import USUAL_CLASSES, USUAL_SHAPES
from fitlog.run.recordio import RecordFile, read_record_file
from fitlog.run.samples import Samples, Sets, load_digits, make_synthetic, shaped, split
from fitlog.run.settings import RunOptions

# A validation batch is the largest of these that leaves out the fewest images, mostly none: to fill
# up the last batch would count some twice.
_VALIDATION_BATCHES: Final = range(128, 15, -1)
_BENCHMARK_BATCHES: Final = 100
_READERS: Final = {"csv": read_csv, "npz": read_npz, "mnist": read_mnist}
_BRIGHTEST_BYTE: Final = 255


@dataclass(frozen=True, slots=True, kw_only=True)
class Data:
    """What is trained and validated with; `samples` and `batches_per_epoch` of this part alone."""

    train: Any
    validation: Any | None
    image_shape: tuple[int, ...]
    num_classes: int
    samples: int
    batches_per_epoch: int


def open_data(
    mx: Any, options: RunOptions, *, epoch: int = 0, part: int = 0, num_parts: int = 1
) -> Data:
    """The data that the options name, or one part of them: of `num_parts`, the one of rank `part`.

    The parts share no sample and have equally many batches; each has all the validation data.

    Raises:
        TrainingError: data that are missing, empty or not what they are taken for.
    """
    if options.benchmark:
        return _open_benchmark(mx, options, epoch, num_parts)
    if options.data_source.startswith("rec:"):
        return _open_records(mx, options, epoch, part, num_parts)
    return _open_samples(mx, options, epoch, part, num_parts)


def _open_benchmark(mx: Any, options: RunOptions, epoch: int, num_parts: int) -> Data:
    import numpy as np

    from fitlog.run.seeding import EpochIter

    image_shape, num_classes = _usual(options)
    size = options.batch_size
    examples = options.num_examples or _BENCHMARK_BATCHES * size * num_parts
    batches = math.ceil(_share_of(options, examples, num_parts) / size)
    images = np.random.uniform(-1, 1, (size, *image_shape))
    labels = np.random.randint(0, num_classes, size)
    one_batch = OneBatch(mx, images, labels, batches)
    return Data(
        train=EpochIter(lambda _: one_batch, seed=options.seed, epoch=epoch),
        validation=None,
        image_shape=image_shape,
        num_classes=num_classes,
        samples=batches * size,
        batches_per_epoch=batches,
    )


class OneBatch:
    """An iterator that hands out the same batch again and again: training without any reading."""

    def __init__(self, mx: Any, images: Any, labels: Any, batches: int) -> None:
        data, label = mx.nd.array(images), mx.nd.array(labels)
        self.provide_data = [mx.io.DataDesc("data", data.shape)]
        self.provide_label = [mx.io.DataDesc("softmax_label", label.shape)]
        self.batch_size = len(labels)
        self._batch = mx.io.DataBatch([data], [label], pad=0)
        self._batches = batches

    def __iter__(self) -> Iterator[Any]:
        return (self._batch for _ in range(self._batches))

    def reset(self) -> None:
        """There is nothing to go back to: each iteration begins anew."""


def _open_samples(mx: Any, options: RunOptions, epoch: int, part: int, num_parts: int) -> Data:
    from fitlog.run.seeding import EpochIter

    source = options.data_source
    train, validation = _read_sets(source, options)
    num_classes = _classes(options, train, validation)
    if options.val_share:
        if validation is not None:
            raise TrainingError(f"--val-share: {source} brings validation data of its own")
        train, validation = _split(train, options.val_share)
    train = _first(train, options, source)
    shared = _share_of(options, len(train), num_parts)
    mine = train.take(slice(part, shared * num_parts, num_parts)).divided_by(train.brightest)
    shape = mine.images.shape[1:]
    if options.data_val is not None:
        validating = _open_validation(mx, options, shape, num_classes, train.brightest)
    elif validation is not None:
        validating = _validation_iterator(mx, validation.divided_by(train.brightest))
    else:
        validating = None

    def shuffled(_: int) -> Any:  # by numpy's global generator
        return mx.io.NDArrayIter(mine.images, mine.labels, options.batch_size, shuffle=True)

    return Data(
        train=EpochIter(shuffled, seed=options.seed, epoch=epoch, fast=options.fast),
        validation=validating,
        image_shape=shape,
        num_classes=num_classes,
        samples=len(mine),
        batches_per_epoch=math.ceil(len(mine) / options.batch_size),
    )


def _open_records(mx: Any, options: RunOptions, epoch: int, part: int, num_parts: int) -> Data:
    from fitlog.run.seeding import EpochIter

    path = Path(options.data_source.partition(":")[2])
    if options.val_share:
        raise TrainingError("--val-share: a .rec file is not split; name another with --data-val")
    if options.image_shape is None:
        raise TrainingError(f"{path}: say the shape of its images by --image-shape, as 3,224,224")
    found = read_record_file(path)
    num_classes = options.num_classes or max(2, found.highest_label + 1)
    _require_classes(found.highest_label, num_classes, str(path))
    if options.num_examples is not None and options.num_examples > found.images:
        raise _too_few(options, found.images, str(path))
    share = _share_of(options, options.num_examples or found.images, num_parts)
    batches = math.ceil(share / options.batch_size)

    def shuffled(seed: int) -> Any:
        records = mx.io.ImageRecordIter(
            path_imgrec=str(path),
            data_shape=options.image_shape,
            batch_size=options.batch_size,
            shuffle=True,
            seed=seed,
            scale=1 / _BRIGHTEST_BYTE,
            num_parts=num_parts,
            part_index=part,
            verbose=False,
        )
        # Parts may differ by an image: what fills up the last batch is taken from the beginning.
        return mx.io.ResizeIter(records, batches)

    validation = None
    if options.data_val is not None:
        validation = _open_validation(
            mx, options, options.image_shape, num_classes, _BRIGHTEST_BYTE
        )
    return Data(
        train=EpochIter(shuffled, seed=options.seed, epoch=epoch, fast=options.fast),
        validation=validation,
        image_shape=options.image_shape,
        num_classes=num_classes,
        samples=share,
        batches_per_epoch=batches,
    )


def _open_validation(
    mx: Any, options: RunOptions, image_shape: Sequence[int], num_classes: int, brightest: float
) -> Any:
    """What `--data-val` names; pixels are divided by what those to train with are divided by."""
    source = options.data_val or ""
    kind, _, path = source.partition(":")
    if kind == "rec":
        found = read_record_file(Path(path))
        _require_classes(found.highest_label, num_classes, path)
        return _validation_records(mx, Path(path), found, image_shape)
    train, own = _read_sets(source, options)
    samples = shaped(train if own is None else own, image_shape, source)
    _require_classes(int(samples.labels.max()), num_classes, source)
    return _validation_iterator(mx, samples.divided_by(brightest))


def _validation_iterator(mx: Any, samples: Samples) -> Any:
    size = _validation_batch(len(samples))
    return mx.io.NDArrayIter(samples.images, samples.labels, size, last_batch_handle="discard")


def _validation_records(mx: Any, path: Path, found: RecordFile, shape: Sequence[int]) -> Any:
    size = _validation_batch(found.images)
    records = mx.io.ImageRecordIter(
        path_imgrec=str(path),
        data_shape=tuple(shape),
        batch_size=size,
        scale=1 / _BRIGHTEST_BYTE,
        round_batch=False,
        verbose=False,
    )
    return mx.io.ResizeIter(records, found.images // size)


def _validation_batch(images: int) -> int:
    if images <= _VALIDATION_BATCHES.start:
        return images
    return min(_VALIDATION_BATCHES, key=lambda size: images % size)


def _read_sets(source: str, options: RunOptions) -> Sets:
    kind, _, path = source.partition(":")
    if kind == "digits":
        train, validation = load_digits()
    elif kind == "synthetic":
        train, validation = make_synthetic(*_usual(options), options.num_examples)
    else:
        train, validation = _READERS[kind](Path(path))
    if options.image_shape is None:
        return Sets(train, validation)
    return Sets(
        shaped(train, options.image_shape, source),
        None if validation is None else shaped(validation, options.image_shape, source),
    )


def _usual(options: RunOptions) -> tuple[tuple[int, ...], int]:
    """Image shape and number of classes of data that are made up."""
    return (
        options.image_shape or USUAL_SHAPES[options.network],
        options.num_classes or USUAL_CLASSES[options.network],
    )


def _split(samples: Samples, share: float) -> Sets:
    count = min(max(1, round(len(samples) * share)), len(samples) - 1)
    if not count:
        raise TrainingError("--val-share: a single image cannot be split")
    return split(samples, len(samples) - count)


def _first(samples: Samples, options: RunOptions, source: str) -> Samples:
    count = options.num_examples
    if count is None or count == len(samples):
        return samples
    if count > len(samples):
        raise _too_few(options, len(samples), source)
    return split(samples, count).train


def _too_few(options: RunOptions, count: int, source: str) -> TrainingError:
    return TrainingError(
        f"--num-examples {options.num_examples}: {source} has no more than {count} to train with"
    )


def _share_of(options: RunOptions, samples: int, num_parts: int) -> int:
    """The samples of each part; a few are left out where they do not come out even."""
    share = samples // num_parts
    if options.batch_size > share:
        whose = "all the images" if num_parts == 1 else f"the images of each of {num_parts} workers"
        raise TrainingError(
            f"--batch-size {options.batch_size}: must be from 1 to {share}, {whose}"
        )
    return share


def _classes(options: RunOptions, train: Samples, validation: Samples | None) -> int:
    labels = [samples.labels.max() for samples in (train, validation) if samples is not None]
    highest = int(max(labels))
    if options.data_source == "synthetic":
        return _usual(options)[1]
    num_classes = options.num_classes or max(2, highest + 1)
    _require_classes(highest, num_classes, options.data_source)
    return num_classes


def _require_classes(highest_label: int, num_classes: int, source: str) -> None:
    if highest_label >= num_classes:
        raise TrainingError(
            f"{source}: has the label {highest_label}; with {num_classes} classes the highest is"
            f" {num_classes - 1}, see --num-classes"
        )
