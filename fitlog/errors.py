"""The whole tree of errors: what can go wrong while reading, running and judging.

FitlogError
├── LogError (ValueError)              a log that cannot be read; knows path, line and column
│   └── NoRecordsError                 readable text without a training record
├── UnknownDialectError (ValueError)   no dialect has this name; names those that there are
├── BaselineError                      nothing, or nothing fit, to compare with
├── MXNetUnavailableError (ImportError)    MXNet cannot be imported here; says what to install
└── TrainingError                      a training that could not start or did not finish
"""

from fitlog_parsers.errors import FitlogError, LogError, NoRecordsError, UnknownDialectError


class SettingError(FitlogError, ValueError):
    """A setting out of its range."""


class OutputError(FitlogError):
    """A file that cannot be written, or not in this way."""


class BaselineError(FitlogError):
    """Nothing to compare with, or a comparison that would mean nothing."""


class MXNetUnavailableError(FitlogError, ImportError):
    """MXNet is missing or cannot be imported here; the message names the remedy."""


class TrainingError(FitlogError):
    """A training that could not start or did not finish."""


__all__ = [
    "BaselineError",
    "FitlogError",
    "LogError",
    "MXNetUnavailableError",
    "NoRecordsError",
    "OutputError",
    "SettingError",
    "TrainingError",
    "UnknownDialectError",
]
