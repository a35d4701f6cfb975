"""Where rows that lie together change: a table of millions of rows has some thousands of places."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]


def find_segments(columns: Sequence[Any]) -> tuple[Ints, Ints]:
    """The first and the last row of each stretch of rows that are alike in all columns."""
    count = len(columns[0])
    changes = np.zeros(count, dtype=bool)
    changes[:1] = True
    for column in columns:
        changes[1:] |= column[1:] != column[:-1]
    heads = np.flatnonzero(changes)
    return heads, np.append(heads[1:], count)[: len(heads)] - 1
