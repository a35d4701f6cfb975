"""Text of MXNet training logs in, records out: no pandas, no printing, no clock, no plots."""

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
