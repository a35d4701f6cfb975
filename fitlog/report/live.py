"""A folder of trainings that go on, as a page and as what changes on it.

Each change has a number, and the last ones are kept: who was cut off is told what it missed, and
who missed more fetches the page anew.
"""

from __future__ import annotations

import copy
import dataclasses
import html
import json
import os
import secrets
import threading
from collections import deque
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from fitlog.errors import LogError
from fitlog.follow import TURNS, Tail
from fitlog.printable import printable
from fitlog.reading import all_dialects
from fitlog.report.beside import Problem
from fitlog.report.charts import points_per_line, source_name, thinned
from fitlog.report.contents import Contents, gather
from fitlog.report.page import format_page
from fitlog.report.series import Line
from fitlog.run_folder import PHASE_FILE, RECORD
from fitlog.tables import RunLog, build_tables
from fitlog.watch_files import MOST_RUNS, logs_below
from fitlog_parsers import Columns, LogReader

if TYPE_CHECKING:
    import numpy as np

_KEPT_CHANGES: Final = 256
# A line that has grown by so many points is drawn anew, with as few as it needs.
_APPENDED: Final = 2_000

_Lines = dict[str, tuple[Line, int]]


class GrowingLog:
    """A log and all that was read of it, through rotation and restarts."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._tail = Tail(path)
        self._reader = LogReader(all_dialects())
        self._columns = Columns()
        self._columns.begin_file(str(path))
        self._beside: list[tuple[int, int] | None] = []

    def poll(self) -> bool:
        """Read what is new, in it or beside it; whether there was anything."""
        beside = [_state_of(self.path.with_name(name)) for name in (RECORD, PHASE_FILE)]
        is_new, self._beside = beside != self._beside, beside
        while True:
            if turned := self._tail.turn():
                entries = self._reader.begin_anew(turned, TURNS[turned])
            elif piece := self._tail.read():
                entries = self._reader.feed(piece)
            else:
                return is_new
            is_new = True
            for entry in entries:
                self._columns.add(entry)

    def tables(self) -> RunLog:
        """What was read so far."""
        columns = copy.deepcopy(self._columns)
        for row in self._reader.so_far():
            columns.add(row)
        columns.end_file(self._reader)
        return build_tables(columns, with_file=False)

    def close(self) -> None:
        """Give the file back."""
        self._tail.close()


class LiveFolder:
    """The trainings of a folder; `poll` is called by one thread, the rest by any.

    Raises:
        LogError: there is no such folder.
    """

    def __init__(self, folder: Path, written: str) -> None:
        if not folder.is_dir():
            raise LogError("is no folder", path=str(folder))
        self._folder, self._written = folder, written
        self._logs: dict[Path, GrowingLog] = {}
        self._tables: dict[Path, RunLog] = {}
        self._problems: tuple[Problem, ...] = ()
        self.contents: Contents | None = None
        self._lines: _Lines = {}
        self._changed = threading.Condition()
        self._changes: deque[tuple[int, str]] = deque(maxlen=_KEPT_CHANGES)
        self._number = 0
        self._name = secrets.token_hex(4)  # another server's numbers say nothing
        self._pages: dict[bool, tuple[int, str]] = {}  # with charts and without, by number
        self._drawing = threading.Lock()
        self.is_over = False

    def poll(self) -> None:
        """Look for what is new, and tell all who wait."""
        wrong = self._look()
        is_new = False
        for path, log in self._logs.items():
            try:
                if not log.poll():
                    continue
            except LogError as error:
                wrong.append(str(error))
                continue
            tables = log.tables()
            if tables.has_records:
                self._tables[path] = tables
                is_new = True
        problems = tuple(Problem(text=text, remedy=_REMEDY) for text in sorted(wrong))
        if not is_new and problems == self._problems:
            return
        self._problems = problems
        if self._tables:
            found = gather(list(self._tables.values()), title=self._folder.name or "runs")
            self._take(dataclasses.replace(found, problems=(*found.problems, *problems)))

    def page(self, *, charts: bool = True) -> str:
        """The page as it is now; without charts for who has them, and wants the rest."""
        with self._drawing:
            with self._changed:
                number, contents = self._number, self.contents
            if contents is None:
                return _EMPTY.format(name=f"{self._name}-0", problems=_told(self._problems))
            last, page = self._pages.get(charts, (0, ""))
            if last != number:
                version = f"{self._name}-{number}"
                page = format_page(contents, written=self._written, version=version, charts=charts)
                self._pages[charts] = number, page
            return page

    def changes(self, since: str, seconds: float) -> list[tuple[str, str]]:
        """What has changed since then, by number; waits for so many seconds if nothing has."""
        name, _, text = since.rpartition("-")
        known = int(text) if name == self._name and text.isdecimal() else -1
        with self._changed:
            if known == self._number:
                self._changed.wait(seconds)
            if known == self._number:
                return []
            missed = [(number, data) for number, data in self._changes if number > known]
            if known < 0 or len(missed) < self._number - known:
                missed = [(self._number, json.dumps({"whole": True}))]
        return [(f"{self._name}-{number}", data) for number, data in missed]

    def close(self) -> None:
        """Let nobody wait, and give the files back."""
        with self._changed:
            self.is_over = True
            self._changed.notify_all()
        for log in self._logs.values():
            log.close()

    def _look(self) -> list[str]:
        """Take in the logs that have come, and say what is wrong with those that cannot be."""
        wrong = []
        found = sorted(logs_below(self._folder), key=_time_of, reverse=True)[:MOST_RUNS]
        for path in self._logs.keys() - set(found) if len(found) == MOST_RUNS else ():
            self._logs.pop(path).close()
            self._tables.pop(path, None)
        for path in sorted(found):
            if path not in self._logs:
                try:
                    self._logs[path] = GrowingLog(path)
                except LogError as error:
                    wrong.append(str(error))
        return wrong

    def _take(self, contents: Contents) -> None:
        lines = {
            source_name(chart, line): (line, points_per_line(len(chart.lines)))
            for chart in contents.charts
            for line in chart.lines
        }
        if self._lines.keys() == lines.keys() and self.contents is not None:
            change: dict[str, Any] = {"points": _points(self._lines, lines)}
            change["stacks"] = _stacks(contents)
            change["whole"] = _shape(self.contents) != _shape(contents)
        else:
            change = {"whole": True}
        with self._changed:
            self._number += 1
            self.contents, self._lines = contents, lines
            self._changes.append((self._number, json.dumps(change)))
            self._changed.notify_all()


_EMPTY: Final = (
    '<!DOCTYPE html><html lang="en" data-live="{name}"><head><meta charset="utf-8">'
    '<meta http-equiv="refresh" content="2"><link rel="icon" href="data:,">'
    "<title>fitlog</title></head>"
    "<body><main><p>No run yet in this folder.</p>{problems}</main></body></html>"
)
# What to do about a log that cannot be followed.
_REMEDY: Final = "the others go on; what does not grow, fitlog report shows"


def _told(problems: Sequence[Problem]) -> str:
    return "".join(
        f"<p>{html.escape(printable(problem.text))}; {problem.remedy}</p>" for problem in problems
    )


def _shape(contents: Contents) -> list[object]:
    """What new points alone do not change."""
    charts: list[object] = [(chart.title, chart.is_log) for chart in contents.charts]
    return charts + [
        (run.name, run.phases is not None, run.stack and tuple(run.stack.layers))
        for run in contents.runs
    ]


def _stacks(contents: Contents) -> dict[str, Any]:
    stacks = [run.stack for run in contents.runs if run.stack]
    return {
        stack.key: {"x": stack.x.tolist()}
        | {group: seconds.tolist() for group, seconds in stack.layers.items()}
        for stack in stacks
    }


def _points(old: _Lines, new: _Lines) -> dict[str, Any]:
    """What is new of each line: the points behind those that were there, or all of them."""
    import numpy as np

    changes: dict[str, Any] = {}
    for name, (line, most) in new.items():
        before, count = old[name][0], len(old[name][0].x)
        is_longer = _is_same(before.x, line.x[:count]) and _is_same(before.y, line.y[:count])
        if is_longer and count == len(line.x):
            continue
        if is_longer and count // _APPENDED == len(line.x) // _APPENDED:
            points = line.x[count:], line.y[count:]
        else:
            is_longer, points = False, thinned(line, most)
        x, y = (np.where(np.isfinite(each), each, np.nan).tolist() for each in points)
        changes[name] = {
            "append": is_longer,
            "x": [None if value != value else value for value in x],
            "y": [None if value != value else value for value in y],
        }
    return changes


def _is_same(one: np.ndarray[Any, Any], other: np.ndarray[Any, Any]) -> bool:
    import numpy as np

    return np.array_equal(one, other, equal_nan=True)


def _state_of(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size


def _time_of(path: Path) -> float:
    try:
        return os.stat(path).st_mtime  # noqa: PTH116
    except OSError:
        return 0.0
