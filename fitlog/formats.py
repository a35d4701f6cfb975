"""Tables as text and files: for people (table), spreadsheets (csv), programs (json, parquet).

Floats are written so that they read back the same. A value that was logged as nan or inf is written
as such; an empty field, or null, means that the log states none.
"""

from __future__ import annotations

import itertools
import json
import math
import sys
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from fitlog.errors import FitlogError, OutputError
from fitlog.extras import install
from fitlog.printable import printable

if TYPE_CHECKING:
    import pandas as pd

# Else pandas leaves out decimals that a part of the table does not have.
_TIME_FORMAT: Final = "%Y-%m-%d %H:%M:%S.%f"
# Text takes many times the memory of numbers.
_ROWS_AT_ONCE: Final = 1_000
_BY_ENDING: Final = {".csv": "csv", ".json": "json", ".parquet": "parquet", ".txt": "table"}


def format_of(path: Path | None) -> str:
    """The format that a file's ending asks for; a table where it asks for none."""
    return _BY_ENDING.get(path.suffix.lower(), "table") if path else "table"


def write_table(table: pd.DataFrame, form: str, path: Path | None) -> None:
    """Write a table to a file, or to standard output where `path` is None.

    Raises:
        OutputError: the file cannot be written, or parquet is asked for on a terminal or without
        pyarrow.
    """
    write_parts([table], form, path)


def write_parts(parts: Iterable[pd.DataFrame], form: str, path: Path | None) -> None:
    """Write a table that comes in parts; only `csv` and `json` take more than one.

    Nothing is written before the first part is there. Where a later part cannot be read, those
    before it are written, and are whole.

    Raises:
        OutputError: as `write_table`.
        FitlogError: what `parts` raises.
    """
    if form == "parquet":
        (table,) = parts  # to its end: what was met on the way is told there
        _write_parquet(table, path)
        return
    pieces = _FORMS[form](parts)
    if path is None:
        is_terminal = sys.stdout.isatty()
        for piece in pieces:
            shown = printable(piece, keep="\n\t") if is_terminal else piece
            print(shown, end="", flush=True)  # noqa: T201
        return
    first = next(pieces)
    try:
        with path.open("w", encoding="utf-8", errors="backslashreplace", newline="") as file:
            for piece in itertools.chain([first], pieces):
                file.write(piece)
                file.flush()
    except OSError as error:
        raise OutputError(f"cannot write {path}: {error.strerror}") from None


def _table(parts: Iterable[pd.DataFrame]) -> Iterator[str]:
    for table in parts:
        if table.empty:
            yield " ".join(table.columns) + "\n"
        else:
            yield _for_people(table).to_string(index=False, na_rep="") + "\n"


def _csv(parts: Iterable[pd.DataFrame]) -> Iterator[str]:
    is_first = True
    for table in parts:
        for start in range(0, max(len(table), 1), _ROWS_AT_ONCE):
            some = _for_csv(table.iloc[start : start + _ROWS_AT_ONCE])
            yield some.to_csv(
                index=False, lineterminator="\n", header=is_first, date_format=_TIME_FORMAT
            )
            is_first = False


def format_row(row: Mapping[Hashable, Any]) -> str:
    """One row as a JSON object; JSON has no nan and no inf, so these are strings.

    It is ASCII: escapes that a terminal or its encoding makes necessary later would be no JSON.
    """
    return json.dumps({name: _plain(value) for name, value in row.items()})


def _json(parts: Iterable[pd.DataFrame]) -> Iterator[str]:
    separator = "[\n"
    try:
        for table in parts:
            columns = list(table.columns)
            for row in table.itertuples(index=False, name=None):
                yield separator + format_row(dict(zip(columns, row, strict=True)))
                separator = ",\n"
    except FitlogError:  # what was read before stays whole JSON
        if separator == ",\n":
            yield "\n]\n"
        raise
    yield "[]\n" if separator == "[\n" else "\n]\n"


_FORMS: Final[Mapping[str, Callable[[Iterable[pd.DataFrame]], Iterator[str]]]] = {
    "table": _table,
    "csv": _csv,
    "json": _json,
}


def _plain(value: Any) -> Any:
    """A cell as JSON has it."""
    import pandas as pd

    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if value is pd.NA or value is pd.NaT or value is None:
        return None
    if isinstance(value, pd.Timestamp):
        return value.isoformat()
    return value.item() if hasattr(value, "item") else value


def _for_csv(table: pd.DataFrame) -> pd.DataFrame:
    """A copy as to_csv should write it: it leaves nan empty and a bare carriage return unquoted."""
    copy = table.copy()
    for name in table:
        column = table[name]
        if column.dtype == "float64":
            copy[name] = column.astype(object).where(column.notna(), "nan")
        elif column.dtype in ("string", "category"):
            copy[name] = column.astype(object).map(_without_cr)
    return copy


def _without_cr(text: str) -> str:
    return text.replace("\r", r"\r")


def _for_people(table: pd.DataFrame) -> pd.DataFrame:
    """A copy with blanks for missing numbers (to_string has <NA>) and no control characters."""
    copy = table.copy()
    for name in table:
        column = table[name]
        if column.dtype in ("Int64", "Float64", "float64"):
            copy[name] = column.astype(object).map(_number)
        elif column.dtype in ("string", "category"):
            copy[name] = column.astype(object).map(printable)
    return copy.rename(columns=printable)


def _number(value: Any) -> str:
    """A number for people: blank where missing, nan where logged; 0.3, not 0.30000000000000004."""
    import pandas as pd

    if isinstance(value, float):
        value = float(f"{value:.15g}")
    return "" if value is pd.NA else str(value)


def _write_parquet(table: pd.DataFrame, path: Path | None) -> None:
    if path is None:
        raise OutputError("parquet is not text: name a file to write with --output")
    try:
        import pyarrow  # noqa: F401  # pandas' own message does not say how to get it here
    except ImportError:
        raise OutputError(f"parquet needs pyarrow: {install('parquet')}") from None
    try:
        table.to_parquet(path, index=False)
    except OSError as error:
        raise OutputError(f"cannot write {path}: {error.strerror or error}") from None
