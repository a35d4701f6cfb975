"""Reports: what is known of runs, on one page that needs nothing else to be read."""

from __future__ import annotations

import datetime
import os
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fitlog.ledger import Ledger
    from fitlog.report.contents import Contents
    from fitlog.sources import Source
    from fitlog.tables import RunLog


def write_report(
    logs: Sequence[Source | RunLog],
    path: str | os.PathLike[str],
    *,
    baseline: Sequence[Source | RunLog] = (),
    history: str | os.PathLike[str] | Ledger | None = None,
    title: str | None = None,
    ignore: Collection[str] = (),
) -> Contents:
    """Write a page of these logs, runs' folders or globs, and give what it shows.

    With `baseline` or `history` the logs are judged, as `fitlog.check` does; where they cannot be,
    the page says why, and so does `unjudged` of what is given back. What lies beside a log and is
    damaged is left out: the page and `problems` say so.

    Raises:
        LogError, NoRecordsError: a log cannot be read.
        OutputError: the page cannot be written, or bokeh is not installed.
    """
    from fitlog.report.charts import library_script
    from fitlog.report.contents import gather
    from fitlog.report.page import format_page, write_page

    library_script()  # that it is missing is said before time is spent on logs
    contents = gather(logs, baseline=baseline, history=history, title=title, ignore=ignore)
    written = datetime.datetime.now().astimezone().strftime("%Y-%m-%d %H:%M %Z")
    write_page(format_page(contents, written=written), Path(path))
    return contents
