"""Whose lines a log holds: the dialect that, alone, reads most of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from fitlog_parsers.dialects import DIALECTS
from fitlog_parsers.errors import AmbiguousDialectError, NoRecordsError
from fitlog_parsers.grammar import Dialect
from fitlog_parsers.reader import LogReader


def sniff_dialect(
    log: bytes, dialects: Iterable[Dialect] = DIALECTS, *, path: str | None = None
) -> Dialect:
    """The dialect whose rules read the most lines of `log`; a beginning of it will do.

    Reading never needs this: it tries the rules of all dialects. It is for those who want to know.
    Of dialects that read equally many lines, that one is meant whose own these lines are: a rule
    that several share is the first one's. `path` is named in errors.

    Raises:
        NoRecordsError: no dialect reads any line.
        AmbiguousDialectError: several read equally many; its message names them.
    """
    counts = {
        dialect.name: (_count((dialect,), log)[dialect.name], dialect) for dialect in dialects
    }
    most = max((count for count, _ in counts.values()), default=0)
    if not most:
        raise NoRecordsError("no dialect reads any line of it", path=path)
    best = [dialect for count, dialect in counts.values() if count == most]
    if len(best) > 1:
        own = _count(tuple(best), log)
        best = [dialect for dialect in best if own[dialect.name] == max(own.values())]
    if len(best) > 1:
        names = " and ".join(dialect.name for dialect in best)
        place = f" ({path})" if path else ""
        raise AmbiguousDialectError(f"{names} read equally many lines of it: {most}{place}")
    return best[0]


def _count(dialects: tuple[Dialect, ...], log: bytes) -> Counter[str]:
    reader = LogReader(dialects)
    reader.feed(log)
    reader.close()
    return reader.dialect_lines
