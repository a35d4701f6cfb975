"""A table's rows as arrays, and where rows that lie together change.

A table of millions of rows has some thousands of such places.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]

# Turns of fewer rows than this, on average, are brought together.
_SHORT_TURN: Final = 16


class Rows:
    """A table's columns as arrays, its rows in an order of their own if one is given."""

    def __init__(self, table: Any, order: Any = slice(None)) -> None:
        self._table, self._order = table, order

    def __getattr__(self, name: str) -> Any:
        return np.asarray(getattr(self._table, name))[self._order]

    def segments(self, more: Any) -> tuple[list[tuple[int, ...]], Ints, Ints]:
        """The keys of stretches of rows of one epoch that are alike in `more`; heads and tails."""
        columns = [self.file, self.run, self.node, self.epoch, more]
        heads, tails = find_segments(columns)
        keys = zip(*(column[heads].tolist() for column in columns), strict=True)
        return list(keys), heads, tails


def rows_by_node(table: Any) -> Rows:
    """The rows; where nodes wrote by turns, those of each node together."""
    node = np.asarray(table.node)
    turns = np.count_nonzero(node[1:] != node[:-1])
    if turns * _SHORT_TURN > len(node):
        return Rows(table, np.lexsort((node, np.asarray(table.file))))
    return Rows(table)


def find_segments(columns: Sequence[Any]) -> tuple[Ints, Ints]:
    """The first and the last row of each stretch of rows that are alike in all columns.

    `columns`, one at least, are arrays (rows,); both results are int64 (stretches,), counted from
    0, and empty where there is no row.
    """
    count = len(columns[0])
    changes = np.zeros(count, dtype=bool)
    changes[:1] = True
    for column in columns:
        changes[1:] |= column[1:] != column[:-1]
    heads = np.flatnonzero(changes)
    return heads, np.append(heads[1:], count)[: len(heads)] - 1
