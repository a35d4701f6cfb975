"""What makes every epoch's randomness a matter of the seed and the epoch's number alone.

MXNet's and numpy's generators carry their state from epoch to epoch, and upstream's iterator
shuffles what it has shuffled before: an epoch could only be repeated by repeating all before it.
Here both generators are seeded anew as each epoch begins, and its iterator is made anew. A training
that is resumed then goes on with the same numbers as one never stopped, and nothing of it needs to
be saved.

Imported only after `fitlog.run.shim.import_mxnet`.
"""

from __future__ import annotations

import contextlib
import random
from collections.abc import Callable
from typing import Any

import mxnet as mx
import numpy as np
from mxnet.io import DataIter

from fitlog.run.fast import fast_data


def seed_all(*numbers: int) -> int:
    """Seed all the generators that a training draws from; gives what they are seeded with."""
    mixed = int(np.random.SeedSequence(numbers).generate_state(1)[0]) >> 1  # MXNet takes 31 bits
    random.seed(mixed)
    np.random.seed(mixed)
    mx.random.seed(mixed)
    return mixed


class EpochIter(DataIter):  # type: ignore[misc]  # MXNet has no types
    """The batches of one epoch after another, each from an iterator that `make` makes for it.

    The generators are seeded with a mixture of `seed` and the number of the epoch before `make` is
    called, which is given the same for an iterator that has a generator of its own; and again when
    the epoch's batches begin: what happened between, such as drawing the first weights or reading
    them from a file, makes no difference. With `fast`, each iterator gives views of its data.
    `after_epoch` is called when the iterator is reset, the last thing that `fit` does in an epoch.
    """

    def __init__(
        self, make: Callable[[int], Any], *, seed: int, epoch: int = 0, fast: bool = False
    ) -> None:
        self.after_epoch: Callable[[], None] = _nothing
        self._batches: Any = None
        self._iterator: Any = None
        self._make = make
        self._seed = seed
        self._epoch = epoch
        self._fast = fast
        self._faster = contextlib.ExitStack()
        batch_size = self._begin_epoch().batch_size
        super().__init__(batch_size)

    @property
    def provide_data(self) -> Any:
        """Names and shapes of the data."""
        return self._batches.provide_data

    @property
    def provide_label(self) -> Any:
        """Names and shapes of the labels."""
        return self._batches.provide_label

    def __iter__(self) -> EpochIter:
        seed_all(self._epoch, self._seed)
        return self

    def next(self) -> Any:
        """The next batch of the epoch."""
        return next(self._iterator)

    def reset(self) -> None:
        """Go on to the next epoch."""
        self._epoch += 1
        self._begin_epoch()
        self.after_epoch()

    def _begin_epoch(self) -> Any:
        self._batches = self._iterator = None  # else two epochs' data were held at once
        self._faster.close()
        self._batches = self._make(seed_all(self._epoch, self._seed))
        if self._fast:
            self._faster.enter_context(fast_data(self._batches))
        self._iterator = iter(self._batches)
        return self._batches


def _nothing() -> None:
    pass
