"""What can go wrong while reading, as exceptions.

    FitlogError                 everything this project raises on purpose
    ├── LogError (ValueError)   a log that cannot be read; knows path, line and column
    │   └── NoRecordsError      readable text, but nothing in it is a training record
    ├── UnknownDialectError (ValueError)    no dialect has this name; names those that there are
    ├── AmbiguousDialectError (ValueError)  several dialects fit equally well; names them
    └── DialectFileError (ValueError)       a file or package that makes no dialect

`fitlog.errors` grows the tree for running and judging. One root lets a caller catch all of it, and
nothing else, with a single `except`.
"""

from __future__ import annotations


class FitlogError(Exception):
    """The root of every error this project raises on purpose."""


class LogError(FitlogError, ValueError):
    """A log that cannot be read.

    `path`, `line` and `column` (both from 1) say where, each None where it does not apply; they are
    appended to the message: ``not text but binary data (run.log, line 3)``.
    """

    def __init__(
        self,
        message: str,
        *,
        path: str | None = None,
        line: int | None = None,
        column: int | None = None,
    ) -> None:
        self.path = path
        self.line = line
        self.column = column
        place = [] if path is None else [path]
        place += [
            f"{name} {n}" for name, n in (("line", line), ("column", column)) if n is not None
        ]
        super().__init__(f"{message} ({', '.join(place)})" if place else message)


class NoRecordsError(LogError):
    """Readable text in which nothing is a training record."""


class UnknownDialectError(FitlogError, ValueError):
    """No dialect has the name asked for."""


class AmbiguousDialectError(FitlogError, ValueError):
    """Several dialects fit a log equally well."""


class DialectFileError(FitlogError, ValueError):
    """A file, or an installed package, that describes no dialect."""
