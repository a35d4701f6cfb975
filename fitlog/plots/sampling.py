"""Fewer points that look the same: what a line of very many points is thinned to for drawing.

A line is drawn in columns of pixels. In each of them the first, the lowest, the highest and the
last value decide which pixels are inked, so these are kept and no others (M4: Jugel, Jerzak,
Hackenbroich, Markl: "M4: A Visualization-Oriented Time Series Data Aggregation", VLDB 2014). No
peak is lost, and none is moved by more than a column. numpy is all that this needs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

# More than a picture has pixels across, at the default size and resolution.
COLUMNS: Final = 2000


def keep_peaks(x: npt.ArrayLike, y: npt.ArrayLike, columns: int = COLUMNS) -> npt.NDArray[np.int64]:
    """The indexes, int64 and rising, of the points that a line in so many columns needs.

    At most five of a column: the first, lowest, highest and last, and the first that is not finite,
    which breaks the line. Points without a place (`x` is nan or infinite) are left out. Columns are
    of equal width in `x`, or of equal count where `x` goes back. Up to 4 points a column, all stay.
    """
    places, values = np.asarray(x, dtype="f8"), np.asarray(y, dtype="f8")
    kept = np.flatnonzero(np.isfinite(places))
    if len(kept) <= 4 * columns:
        return kept
    places, values = places[kept], values[kept]
    column = _columns(places, columns)
    finite = np.isfinite(values)
    starts = np.flatnonzero(np.diff(column, prepend=-1))
    ends = np.append(starts[1:], len(kept))
    # Within each column from the lowest value to the highest, then what is not finite.
    order = np.lexsort((np.where(finite, values, np.nan), column))
    count = np.add.reduceat(finite, starts, dtype="i8")
    some, broken = count > 0, count < ends - starts
    chosen = [
        starts,
        ends - 1,
        order[starts[some]],
        order[(starts + count - 1)[some]],
        order[(starts + count)[broken]],
    ]
    needed: npt.NDArray[np.int64] = kept[np.unique(np.concatenate(chosen))]
    return needed


def _columns(places: npt.NDArray[Any], columns: int) -> npt.NDArray[np.int64]:
    """The column of each point, which never falls."""
    width = places[-1] - places[0]
    if not 0 < width < np.inf or (np.diff(places) < 0).any():
        column: npt.NDArray[np.int64] = np.arange(len(places)) * columns // len(places)
        return column
    share = (places - places[0]) / width
    column = (share * columns).astype("i8")
    column[column == columns] = columns - 1
    return column
