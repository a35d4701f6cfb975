"""Images and labels as arrays, from wherever they are kept."""

from __future__ import annotations

import importlib.resources
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    import numpy as np

DIGITS_SAMPLES: Final = 1437
# The split is part of the workload: runs with other seeds are judged on the same images.
_SPLIT_SEED: Final = 19980701
_BRIGHTEST: Final = 16.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Samples:
    """Images float32 (n, channels, height, width), labels float32 (n,)."""

    images: np.ndarray[Any, Any]
    labels: np.ndarray[Any, Any]

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, which: Any) -> Samples:
        """Those that an index or a slice picks."""
        return Samples(images=self.images[which], labels=self.labels[which])


def load_digits() -> tuple[Samples, Samples]:
    """1,437 images to train with and 360 to validate with, always the same ones.

    Optical Recognition of Handwritten Digits, UCI Machine Learning Repository, CC BY 4.0; see
    `data/README.md`.
    """
    import numpy as np

    resource = importlib.resources.files("fitlog.run") / "data" / "digits.npz"
    with resource.open("rb") as file, np.load(file) as archive:
        images = archive["images"].astype("float32")[:, None] / np.float32(_BRIGHTEST)
        labels = archive["labels"].astype("float32")
    return split(Samples(images=images, labels=labels), DIGITS_SAMPLES)


def split(samples: Samples, first: int) -> tuple[Samples, Samples]:
    """So many to train with, and the others; always the same ones."""
    import numpy as np

    order = np.random.RandomState(_SPLIT_SEED).permutation(len(samples))
    return samples.take(order[:first]), samples.take(order[first:])
