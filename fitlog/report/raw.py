"""Whole tables, small enough to be carried in a page, and CSV again where they are downloaded.

A table goes column by column: whole numbers and times as differences from row to row, names and
texts as a list of them and the numbers of each row's, floats as whole numbers of their last
decimal, byte by byte. Then gzip finds little left: a line of a log takes some five bytes.
`page.js` turns it back into the very text that `fitlog parse --format csv` prints.
"""

from __future__ import annotations

import base64
import csv
import gzip
import io
import json
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    import pandas as pd

_MOST_DIGITS: Final = 6
# Below, Python writes an exponent, and JavaScript does not.
_LEAST_PLAIN: Final = 1e-4


def joined_tables(tables: Sequence[tuple[str, pd.DataFrame]]) -> pd.DataFrame:
    """The tables of several logs as one, with a column `file` in front; of one log its own."""
    import pandas as pd

    if len(tables) == 1:
        return tables[0][1]
    with_names = []
    for name, table in tables:
        texts = table.select_dtypes("category").columns
        plain = table.astype(dict.fromkeys(texts, "string"))
        plain.insert(0, "file", pd.Series(name, index=table.index, dtype="string"))
        with_names.append(plain)
    filled = [table for table in with_names if len(table)]
    return pd.concat(filled or with_names[:1], ignore_index=True)


def pack_table(table: pd.DataFrame) -> str:
    """The table as base64 of gzipped JSON."""
    columns = [_pack(str(name), table[name]) for name in table]
    text = json.dumps({"rows": len(table), "columns": columns}, separators=(",", ":"))
    return base64.b64encode(gzip.compress(text.encode(), 9, mtime=0)).decode("ascii")


def _pack(name: str, column: pd.Series[Any]) -> dict[str, Any]:
    head = {"name": _cell(name)}
    kind = str(column.dtype)
    if kind.startswith("datetime64"):
        missing = column.isna().to_numpy()
        values = column.to_numpy(dtype="datetime64[us]").astype("int64")
        return {**head, "kind": "time", **_differences(values, missing)}
    if kind in ("int64", "Int64"):
        missing = column.isna().to_numpy()
        values = column.to_numpy(dtype="int64", na_value=0)
        return {**head, "kind": "int", **_differences(values, missing)}
    if kind in ("float64", "Float64"):
        if decimals := _decimals(column.to_numpy()) if kind == "float64" else None:
            return {**head, "kind": "decimal", **decimals}
        return {**head, "kind": "float", "cells": "\n".join(_floats(column, kind))}
    codes, names = column.astype("object").factorize()
    cells = ["" if name is None else _cell(str(name).replace("\r", r"\r")) for name in names]
    return {**head, "kind": "text", "names": cells, "codes": codes.tolist()}


def _differences(values: Any, missing: Any) -> dict[str, Any]:
    """From row to row; a missing one counts as the one before, and is named."""
    import numpy as np

    values = values.copy()
    gaps = np.flatnonzero(missing)
    if len(gaps) == len(values):
        values[:] = 0
    elif len(gaps):
        places = np.where(missing, 0, np.arange(len(values)))
        places = np.maximum.accumulate(places)
        values = values[places]
        values[: int(np.argmin(missing))] = 0
    steps = np.diff(values, prepend=0).tolist()
    every = len(gaps) == len(values)
    return {"steps": steps, "missing": "all" if every else np.diff(gaps, prepend=0).tolist()}


def _decimals(values: Any) -> dict[str, Any] | None:
    """Numbers of few decimals as whole ones: first the lowest bytes of all, then the next.

    None where they have more, or are written with an exponent.
    """
    import numpy as np

    size = np.abs(values)
    is_plain = np.isfinite(values) & ((size >= _LEAST_PLAIN) | (size == 0))
    if not is_plain.all() or (np.signbit(values) & (size == 0)).any():
        return None
    for digits in range(_MOST_DIGITS + 1):
        whole = np.round(values * 10.0**digits)
        if len(whole) and np.abs(whole).max() >= 2**31:
            return None
        if (whole / 10.0**digits == values).all():
            planes = whole.astype("<i4").view("u1").reshape(-1, 4).T.tobytes()
            return {"digits": digits, "bytes": base64.b64encode(planes).decode("ascii")}
    return None


def _floats(column: pd.Series[Any], kind: str) -> Iterable[str]:
    import pandas as pd

    if kind == "float64":
        return map(repr, column.tolist())
    return ("" if value is pd.NA else repr(float(value)) for value in column.tolist())


def _cell(text: str) -> str:
    """As CSV has it."""
    out = io.StringIO()
    csv.writer(out, lineterminator="").writerow([text])
    return out.getvalue() if text else ""
