"""Text of MXNet training logs in, records out: no pandas, no printing, no clock, no plots.

Names are imported when they are first used: who wants the errors alone does not load the dialects.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fitlog_parsers.columns import MISSING, Columns
    from fitlog_parsers.dialect_files import installed_dialects, load_dialect
    from fitlog_parsers.dialects import DIALECTS, find_dialects, own_rules
    from fitlog_parsers.entries import Entry, Finding, Row, Unparsed
    from fitlog_parsers.errors import (
        AmbiguousDialectError,
        DialectFileError,
        FitlogError,
        LogError,
        NoRecordsError,
        UnknownDialectError,
    )
    from fitlog_parsers.grammar import Dialect, Rule
    from fitlog_parsers.reader import ColumnReader, LogReader
    from fitlog_parsers.records import Event, Metric, Record, Scope, Speed, Split
    from fitlog_parsers.sniffing import sniff_dialect
    from fitlog_parsers.writer import format_line

_NAMES = {
    "columns": ("MISSING", "Columns"),
    "dialect_files": ("installed_dialects", "load_dialect"),
    "dialects": ("DIALECTS", "find_dialects", "own_rules"),
    "entries": ("Entry", "Finding", "Row", "Unparsed"),
    "errors": (
        "AmbiguousDialectError",
        "DialectFileError",
        "FitlogError",
        "LogError",
        "NoRecordsError",
        "UnknownDialectError",
    ),
    "grammar": ("Dialect", "Rule"),
    "reader": ("ColumnReader", "LogReader"),
    "records": ("Event", "Metric", "Record", "Scope", "Speed", "Split"),
    "sniffing": ("sniff_dialect",),
    "writer": ("format_line",),
}
_HOMES = {name: f"fitlog_parsers.{module}" for module, names in _NAMES.items() for name in names}

__all__ = [
    "DIALECTS",
    "MISSING",
    "AmbiguousDialectError",
    "ColumnReader",
    "Columns",
    "Dialect",
    "DialectFileError",
    "Entry",
    "Event",
    "Finding",
    "FitlogError",
    "LogError",
    "LogReader",
    "Metric",
    "NoRecordsError",
    "Record",
    "Row",
    "Rule",
    "Scope",
    "Speed",
    "Split",
    "UnknownDialectError",
    "Unparsed",
    "find_dialects",
    "format_line",
    "installed_dialects",
    "load_dialect",
    "own_rules",
    "sniff_dialect",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'fitlog_parsers' has no attribute {name!r}")
    value = getattr(importlib.import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES})
