"""The whole tree of errors: what can go wrong while reading, running and judging.

FitlogError
├── LogError (ValueError)                  cannot be read or judged; path, line, column
│   └── NoRecordsError                     readable text without the records needed
├── UnknownDialectError (ValueError)       no dialect has this name
├── AmbiguousDialectError (ValueError)     several dialects fit a log equally well
├── DialectFileError (ValueError)          a file or package that makes no dialect
├── SettingError (ValueError)              a setting out of its range
├── OutputError                            a file that cannot be written, or not so
├── ArchiveError                           an archive that cannot be opened, read or written
│   └── DamagedPartError                   a part of it is missing, or is not what was written
├── QueryError (ValueError)                a question to an archive that has no answer
├── BaselineError                          nothing, or nothing fit, to compare with
├── MXNetUnavailableError (ImportError)    says what to install
└── TrainingError                          could not start, or did not finish
"""

from collections.abc import Sequence

from fitlog_parsers.errors import (
    AmbiguousDialectError,
    DialectFileError,
    FitlogError,
    LogError,
    NoRecordsError,
    UnknownDialectError,
)


class SettingError(FitlogError, ValueError):
    """A setting out of its range."""


class OutputError(FitlogError):
    """A file that cannot be written, or not in this way."""


class ArchiveError(FitlogError):
    """An archive that cannot be opened, read or written."""


class DamagedPartError(ArchiveError):
    """A part of an archive is missing, or is not what was written; `part` is its path there."""

    def __init__(self, message: str, part: str = "") -> None:
        super().__init__(message)
        self.part = part


class QueryError(FitlogError, ValueError):
    """A question to an archive that is none, asks for what is not there, or takes too much."""


class BaselineError(FitlogError):
    """Nothing to compare with, or a comparison that would mean nothing."""


class MXNetUnavailableError(FitlogError, ImportError):
    """MXNet is missing or cannot be imported here; the message names the remedy."""


class TrainingError(FitlogError):
    """A training that could not start or did not finish; `details` are lines shown below it."""

    def __init__(self, message: str, *, details: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.details = tuple(details)


class Termination(KeyboardInterrupt):
    """SIGTERM asked for the end, as Ctrl-C does; the exit code is 143."""


__all__ = [
    "AmbiguousDialectError",
    "ArchiveError",
    "BaselineError",
    "DialectFileError",
    "FitlogError",
    "LogError",
    "MXNetUnavailableError",
    "NoRecordsError",
    "OutputError",
    "QueryError",
    "SettingError",
    "Termination",
    "TrainingError",
    "UnknownDialectError",
]
