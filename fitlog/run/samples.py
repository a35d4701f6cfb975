"""Images and labels as arrays: what they must be, how they are split, and those that come along."""

from __future__ import annotations

import importlib.resources
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from fitlog.errors import TrainingError

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

_DIGITS_TO_TRAIN: Final = 1437
_SYNTHETIC_TO_TRAIN: Final = 1024
# Splits are part of the workload: runs with other seeds are judged on the same images.
_SPLIT_SEED: Final = 19980701
# What tells channels that stand last.
_CHANNELS: Final = (1, 3)
_BRIGHTEST_DIGIT: Final = 16
_BRIGHTEST_BYTE: Final = 255


@dataclass(frozen=True, slots=True, kw_only=True)
class Samples:
    """Images float32 (n, channels, height, width) or (n, values), labels float32 (n,).

    `brightest` is what pixels are still to be divided by.
    """

    images: Array
    labels: Array
    brightest: float = 1.0

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, which: Any) -> Samples:
        """Those that an index or a slice picks."""
        return Samples(
            images=self.images[which], labels=self.labels[which], brightest=self.brightest
        )

    def divided_by(self, brightest: float) -> Samples:
        """The same with pixels divided by this."""
        import numpy as np

        if brightest == 1:
            return self
        return Samples(images=self.images / np.float32(brightest), labels=self.labels)


class Sets(NamedTuple):
    """To train and to validate with; None where a source has none of its own."""

    train: Samples
    validation: Samples | None


def load_digits() -> Sets:
    """1,437 images to train with and 360 to validate with, always the same ones.

    Optical Recognition of Handwritten Digits, UCI Machine Learning Repository, CC BY 4.0; see
    `data/README.md`.
    """
    import numpy as np

    resource = importlib.resources.files("fitlog.run") / "data" / "digits.npz"
    with resource.open("rb") as file, np.load(file) as archive:
        images = archive["images"].astype("float32")[:, None] / np.float32(_BRIGHTEST_DIGIT)
        labels = archive["labels"].astype("float32")
    return split(Samples(images=images, labels=labels), _DIGITS_TO_TRAIN)


def make_synthetic(
    image_shape: Sequence[int], num_classes: int, num_examples: int | None = None
) -> Sets:
    """A pattern for each class under as much noise, always the same; a fifth more to validate."""
    import numpy as np

    train = num_examples or _SYNTHETIC_TO_TRAIN
    count = train + max(1, train // 5)
    random = np.random.default_rng(_SPLIT_SEED)
    labels = np.arange(count) % num_classes
    patterns = random.standard_normal((min(num_classes, count), 1, *image_shape[1:]), "float32")
    images = random.standard_normal((count, *image_shape), "float32")
    for image, label in zip(images, labels, strict=True):
        image += patterns[label]
    samples = Samples(images=images, labels=labels.astype("float32"))
    return Sets(samples.take(slice(None, train)), samples.take(slice(train, None)))


def split(samples: Samples, first: int) -> Sets:
    """So many to train with, the others to validate with; always the same ones."""
    import numpy as np

    order = np.random.RandomState(_SPLIT_SEED).permutation(len(samples))
    return Sets(samples.take(order[:first]), samples.take(order[first:]))


def checked_samples(images: Array, labels: Array, place: str) -> Samples:
    """What a file held, as samples; `place` is named where they are none.

    Images are (n, values), (n, height, width), (n, channels, height, width) or
    (n, height, width, channels) with 1 or 3 channels. Pixels that are whole numbers are to be
    divided by the largest of them, bytes by 255; others are taken as they are.

    Raises:
        TrainingError: anything else, and nothing at all.
    """
    import numpy as np

    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    if labels.ndim != 1:
        raise TrainingError(
            f"{place}: the labels have the shape {labels.shape}; there must be one for each image"
        )
    if images.ndim not in (2, 3, 4):
        raise TrainingError(
            f"{place}: the images have the shape {images.shape}; they must be (n, values),"
            " (n, height, width) or (n, channels, height, width)"
        )
    if len(images) != len(labels):
        raise TrainingError(f"{place}: has {len(images)} images, but {len(labels)} labels")
    if not images.size:
        raise TrainingError(f"{place}: there are no images in it")
    for name, array in (("images", images), ("labels", labels)):
        if array.dtype.kind not in "biuf":
            raise TrainingError(f"{place}: the {name} are of type {array.dtype}, no numbers")
        if not np.isfinite(array).all():
            raise TrainingError(f"{place}: not all {name} are finite numbers")
    if labels.min() < 0 or (labels != np.floor(labels)).any():
        raise TrainingError(f"{place}: labels must be whole numbers from 0 on, one for each class")
    if images.ndim == 3:
        images = images[:, None]
    elif images.ndim == 4 and images.shape[3] in _CHANNELS and images.shape[1] not in _CHANNELS:
        images = images.transpose(0, 3, 1, 2)
    return Samples(
        images=np.ascontiguousarray(images, "float32"),
        labels=labels.astype("float32"),
        brightest=_brightest(images),
    )


def shaped(samples: Samples, image_shape: Sequence[int], place: str) -> Samples:
    """The samples with images of this shape, which must have as many values.

    Raises:
        TrainingError: they have more, or fewer, or are images of another shape.
    """
    found: tuple[int, ...] = samples.images.shape[1:]
    wanted = tuple(image_shape)
    if found == wanted:
        return samples
    if len(found) > 1 or math.prod(found) != math.prod(wanted):
        raise TrainingError(f"{place}: its images are {_by(found)}, not {_by(wanted)}")
    return Samples(
        images=samples.images.reshape(-1, *wanted),
        labels=samples.labels,
        brightest=samples.brightest,
    )


def _brightest(images: Array) -> float:
    import numpy as np

    if images.dtype == np.uint8:
        return _BRIGHTEST_BYTE
    if images.min() < 0 or images.max() <= 1 or (images != np.floor(images)).any():
        return 1.0
    return float(images.max())


def _by(shape: Sequence[int]) -> str:
    text = "x".join(map(str, shape))
    return text if len(shape) > 1 else f"{text} values"
