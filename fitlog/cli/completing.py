"""What a shell offers at TAB, beyond the names of files, which are the shell's own affair.

All of it is cheap: names that are known, and metrics in the beginning of the logs that stand on the
command line already.
"""

from __future__ import annotations

from collections.abc import Iterator

import typer


def complete_dialect(incomplete: str) -> list[str]:
    """The dialects whose names begin so."""
    from fitlog_parsers import find_dialects

    return [one.name for one in find_dialects(None) if one.name.startswith(incomplete)]


def complete_measure(context: typer.Context, incomplete: str) -> list[str]:
    """What a run can be judged by: measures of time, and the metrics of whole epochs."""
    names = ["pace", "throughput", "time_cost", *_metrics(context)]
    return [name for name in dict.fromkeys(names) if name.startswith(incomplete)]


def complete_metric(context: typer.Context, incomplete: str) -> list[str]:
    """The metrics of whole epochs in the logs of the command line."""
    return [name for name in dict.fromkeys(_metrics(context)) if name.startswith(incomplete)]


def _metrics(context: typer.Context) -> Iterator[str]:
    from fitlog.errors import FitlogError
    from fitlog.sources import read_beginning
    from fitlog_parsers import LogReader, Metric, Row

    # Where an option still lacks its value, the arguments before it are left as they stand.
    for log in context.args:
        if log == "-":  # reading it would take it from the shell
            continue
        try:
            reader = LogReader()
            entries = reader.feed(read_beginning(log)) + reader.close()
        except (FitlogError, OSError):  # a folder, or a name that is not whole yet
            continue
        for entry in entries:
            record = entry.record if isinstance(entry, Row) else None
            if isinstance(record, Metric) and record.scope == "epoch":
                yield f"{record.split}-{record.metric}"
