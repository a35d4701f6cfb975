"""The result of a query as text and files: for people, spreadsheets and programs.

It comes as Arrow record batches and is written as it comes, without pandas, which takes longer to
import than most queries take. Values are written as `fitlog.formats` writes them.
"""

from __future__ import annotations

import csv
import io
import itertools
import json
import math
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

from fitlog.archive.query import Result
from fitlog.errors import OutputError, QueryError
from fitlog.printable import printable
from fitlog.run.durable import write_whole

# A table for people is as wide as its widest row, so all its rows are held.
MOST_SHOWN: Final = 1_000
# What holds many values is cut in such a table.
_LONG: Final = 60


def write_result(result: Result, form: str, path: Path | None) -> bool:
    """Write a result, to standard output where `path` is None; a file is there whole or not at all.

    False where a table for people leaves rows out: it ends after `MOST_SHOWN`.

    Raises:
        OutputError: the file cannot be written, or parquet is asked for without one.
        QueryError: what the result raises.
    """
    if path is None:
        if form == "parquet":
            raise OutputError("parquet is not text: name a file to write with --output")
        return _print(result, form)
    if form == "parquet":
        return _into(path, lambda draft: _write_parquet(result, draft))
    is_whole = True

    def write(draft: Path) -> None:
        nonlocal is_whole
        with draft.open("w", encoding="utf-8", errors="backslashreplace", newline="") as file:
            for piece in _FORMS[form](_Rows(result)):
                is_whole = is_whole and piece is not _CUT
                file.write(piece or "")

    _into(path, write)
    return is_whole


class _Rows:
    """The names of a result's columns, and its rows as Python's values."""

    def __init__(self, result: Result) -> None:
        import pyarrow.types as types

        self.names: list[str] = list(result.schema.names)
        self.are_numbers = [
            types.is_integer(kind) or types.is_floating(kind) or types.is_decimal(kind)
            for kind in result.schema.types
        ]
        self._result = result

    def batches(self) -> Iterator[list[tuple[Any, ...]]]:
        """The rows, in pieces of some thousands.

        Raises:
            QueryError: a value is none of Python's.
        """
        for batch in self._result:
            columns = map(_values, batch.columns, self.names)
            yield list(zip(*columns, strict=True))

    def __iter__(self) -> Iterator[tuple[Any, ...]]:
        """The rows one by one."""
        return itertools.chain.from_iterable(self.batches())


def _values(column: Any, name: str) -> list[Any]:
    """Python's values, with maps as dicts."""
    import pyarrow.types as types

    try:
        values: list[Any] = column.to_pylist()
    except (ValueError, OverflowError):
        raise QueryError(
            f"{name} holds a time that is infinite, far away or of nanoseconds: ask for"
            f" {name}::VARCHAR"
        ) from None
    if types.is_map(column.type):
        return [
            pairs if pairs is None else {str(key): one for key, one in pairs} for pairs in values
        ]
    return values


# In the place of a piece of text: rows were left out.
_CUT: Final = None


def _table(rows: _Rows) -> Iterator[str | None]:
    """Columns beside each other, numbers to the right; a text in a cell has no line ends."""
    shown = list(itertools.islice(rows, MOST_SHOWN + 1))
    lines = [[printable(name) for name in rows.names]]
    lines += [[printable(_cell(value)) for value in row] for row in shown[:MOST_SHOWN]]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        cells = [
            cell.rjust(width) if is_number else cell.ljust(width)
            for cell, width, is_number in zip(line, widths, rows.are_numbers, strict=True)
        ]
        yield "  ".join(cells).rstrip() + "\n"
    if len(shown) > MOST_SHOWN:
        yield _CUT


def _cell(value: Any) -> str:
    text = _text(value)
    is_long = isinstance(value, (dict, list)) and len(text) > _LONG
    return text[: _LONG - 1] + "…" if is_long else text


def _csv(rows: _Rows) -> Iterator[str]:
    yield _csv_lines([rows.names])
    for some in rows.batches():
        yield _csv_lines([[_text(value) for value in row] for row in some])


def _csv_lines(rows: Sequence[Sequence[str]]) -> str:
    text = io.StringIO()
    lines = csv.writer(text, lineterminator="\n")
    # Not every reader knows a bare carriage return within quotes.
    lines.writerows([cell.replace("\r", r"\r") for cell in row] for row in rows)
    return text.getvalue()


def _json(rows: _Rows) -> Iterator[str]:
    """A list of objects, in ASCII: escapes that a terminal makes necessary would be no JSON."""
    separator = "[\n"
    for row in rows:
        values = dict(zip(rows.names, map(_plain, row), strict=True))
        yield separator + json.dumps(values)
        separator = ",\n"
    yield "[]\n" if separator == "[\n" else "\n]\n"


_FORMS: Final[Mapping[str, Callable[[_Rows], Iterator[str | None]]]] = {
    "table": _table,
    "csv": _csv,
    "json": _json,
}


def _print(result: Result, form: str) -> bool:
    is_terminal = sys.stdout.isatty()
    for piece in _FORMS[form](_Rows(result)):
        if piece is None:
            return False
        sys.stdout.write(printable(piece, keep="\n") if is_terminal else piece)
    sys.stdout.flush()
    return True


def _into(path: Path, write: Callable[[Path], object]) -> bool:
    if path.is_dir():  # also of an empty name
        raise OutputError(f"cannot write {path}: it is a folder")
    try:
        write_whole(path, write)
    except OSError as error:
        raise OutputError(f"cannot write {path}: {error.strerror or error}") from None
    return True


def _write_parquet(result: Result, path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetWriter(path, result.schema, compression="zstd") as writer:
            for batch in result:
                writer.write_batch(batch)
    except (pa.ArrowNotImplementedError, pa.ArrowInvalid) as error:
        raise QueryError(
            f"parquet has no such values ({error}): ask for that column::VARCHAR"
        ) from None


def _text(value: Any) -> str:
    """A cell: empty where there is none; what holds others as JSON."""
    if value is None:
        return ""
    if isinstance(value, (dict, list)):
        return json.dumps(_plain(value), ensure_ascii=False)
    return str(_plain(value)) if isinstance(value, bytes) else str(value)


def _plain(value: Any) -> Any:
    """A value as JSON has it, which knows no nan: numbers that are none become text."""
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, Decimal):  # such as a sum of integers, and 1.5 in a query
        return int(value) if value.as_tuple().exponent == 0 else float(value)
    if isinstance(value, dict):
        return {str(name): _plain(one) for name, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(one) for one in value]
    if isinstance(value, bytes):
        return value.decode("utf-8", "backslashreplace")
    return str(value)
