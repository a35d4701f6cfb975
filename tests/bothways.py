"""What tests of both readers share: one log read by the rules and in bulk, its tables compared."""

from __future__ import annotations

import struct
from array import array
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from fitlog import RunLog, read_log
from fitlog_parsers import ColumnReader, Columns, find_dialects
from fitlog_parsers.bulk import BulkReader
from fitlog_parsers.rows import collect

Tables = dict[str, Any]


def by_rules(pieces: Sequence[bytes]) -> Tables:
    columns = Columns()
    columns.begin_file("log")
    reader = ColumnReader(columns)
    for piece in pieces:
        reader.feed(piece)
    reader.close()
    columns.end_file(reader)
    return tables(columns)


def in_bulk(pieces: Sequence[bytes], dialect: str | None = None) -> Tables:
    columns = Columns()
    columns.begin_file("log")
    reader = BulkReader(columns, find_dialects(dialect))
    for piece in pieces:
        reader.feed(piece)
    reader.close()
    columns.end_file(reader)
    collect(columns)
    return tables(columns)


def tables(columns: Columns) -> Tables:
    """All that was read, floats as their bits (a nan is a nan whatever its payload)."""
    found: Tables = {
        f"{name}.{column}": plain(values)
        for name in ("speed", "metrics", "events")
        for column, values in vars(getattr(columns, name)).items()
    }
    return found | {
        "unparsed": columns.unparsed,
        "findings": columns.findings,
        "lines": columns.lines,
        "dialect_lines": columns.dialect_lines,
        "rule_uses": columns.rule_uses,
    }


def read_both(log: str) -> RunLog:
    """The log as tables, the same ones by both ways."""
    data = log.encode()
    assert in_bulk([data]) == by_rules([data])
    return read_log(data)


def rows(table: pd.DataFrame, *columns: str) -> list[tuple[Any, ...]]:
    """The table's rows; missing is None, and a nan is 'nan', for it equals nothing."""
    return [tuple(map(_told, row)) for row in table[list(columns)].itertuples(index=False)]


def _told(value: Any) -> Any:
    if value is None or value is pd.NA:
        return None
    return "nan" if value != value else value


def plain(values: Any) -> Any:
    if isinstance(values, dict):
        return list(values.items())
    if isinstance(values, (array, np.ndarray)):
        is_float = getattr(values, "typecode", None) == "d" or (
            isinstance(values, np.ndarray) and values.dtype == "f8"
        )
        return [bits(value) if is_float else value for value in values.tolist()]
    return values


def bits(value: float) -> bytes:
    return b"nan" if value != value else struct.pack("d", value)


def cut(log: bytes, places: Sequence[int]) -> list[bytes]:
    ends = sorted(place % (len(log) + 1) for place in places)
    return [log[a:b] for a, b in zip([0, *ends], [*ends, len(log)], strict=True)]
