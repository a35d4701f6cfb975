"""The files of trainings that are watched: what is new in each, whenever it is asked for.

A run of fitlog has a folder, with `run.json` and `phases.jsonl` beside its log; of any other
training there is the log. A folder is looked through for both, again and again.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final

from fitlog.errors import LogError, NoRecordsError, TrainingError
from fitlog.follow import TURNS, Tail
from fitlog.phase_records import read_records
from fitlog.reading import all_dialects
from fitlog.run_folder import PHASE_FILE, RECORD, RUN_LOG, read_record
from fitlog.sources import CHUNK_BYTES, name_of
from fitlog.watch import OVER, Listener, Watched
from fitlog_parsers import LogReader

# Of a folder with more logs, those that were written last: each takes a file and some memory.
MOST_RUNS: Final = 12

# Of several workers, rank 0's.
PHASE_FILES: Final = (PHASE_FILE, "phases-0.jsonl")
# What is rotated or compressed does not grow.
_GROWING: Final = re.compile(r"\.(?:log|txt|out)$", re.I)
_DEPTH: Final = 2


class WatchedLog:
    """A log, and the record and phases beside it where it is that of a run; `state` is of all.

    Raises:
        LogError: the log is missing, unreadable or compressed, or it cannot grow; `poll` does, too.
    """

    def __init__(self, log: Path, listener: Listener | None = None) -> None:
        self.log = log
        if log.exists() and not log.is_file():
            raise LogError("is no file: it cannot be watched", path=name_of(log))
        self._tail = Tail(log)
        self._reader = LogReader(all_dialects())
        self.state = Watched(name_of_log(log), listener=listener)
        is_run = log.name == RUN_LOG
        self._record = _Changes(log.with_name(RECORD)) if is_run else None
        self._phases = [PhaseTail(log.with_name(name)) for name in PHASE_FILES if is_run]

    def poll(self) -> bool:
        """Read what is new, a part of it at a time; whether all there is was read."""
        # The record first: what it says of the end, the log's last lines have been written before.
        if self._record and self._record.have_come():
            with contextlib.suppress(TrainingError):  # a later one may be whole
                self.state.take_record(read_record(self.log.parent))
        for phases in self._phases:
            phases.poll(self.state)
        if turned := self._tail.turn():
            self.state.take(self._reader.begin_anew(turned, TURNS[turned]), self._written())
        piece = self._tail.read()
        if piece:
            self.state.last_time = self._written()
            self.state.take(self._reader.feed(piece), self._written())
        return not piece

    def close(self) -> None:
        """Take in what was held back, and give the file back."""
        self.state.take(self._reader.close(), self._written())
        self._tail.close()

    def _written(self) -> float:
        """When the log was last written to."""
        return self._tail.modified()


class PhaseTail:
    """The lines that are new in a `phases.jsonl`, which need not be there yet."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._changes = _Changes(path)
        self._position = 0

    def poll(self, state: Watched) -> None:
        """Tell the state of epochs and warnings that have been written since."""
        if not self._changes.have_come():
            return
        with contextlib.suppress(OSError), self._path.open("rb") as file:
            if os.fstat(file.fileno()).st_size < self._position:  # another one
                self._position = 0
            file.seek(self._position)
            while piece := file.read(CHUNK_BYTES):
                whole = piece[: piece.rfind(b"\n") + 1]
                if not whole and len(piece) < CHUNK_BYTES:
                    break  # a line that is not written to its end
                self._position += len(whole or piece)
                file.seek(self._position)
                _take_phases(whole, state)


class Watch:
    """The runs of these logs, runs' folders and folders; `runs` by their names.

    Folders are looked through again with each `look`: what is new there is watched from then on.
    `older` counts the logs in them that were left out, for there are `MOST_RUNS` newer ones. Of
    each run, a listener that `listen` makes is told.

    Raises:
        LogError: a log or folder that is named is missing or cannot be watched.
    """

    def __init__(self, places: Sequence[str], listen: Callable[[], Listener] | None = None) -> None:
        self.older = 0
        self._listen = listen
        self._named: dict[Path, WatchedLog] = {}
        self._found: dict[Path, WatchedLog] = {}
        self._folders: list[Path] = []
        self._refused: set[Path] = set()
        for place in map(Path, places):
            log = place / RUN_LOG if (place / RECORD).exists() else place
            if place.is_dir() and log == place and not (place / RUN_LOG).exists():
                self._folders.append(place)
            else:
                log = place / RUN_LOG if place.is_dir() else place
                if log not in self._named:
                    self._named[log] = self._watched(log)
        self.look()

    @property
    def runs(self) -> list[Watched]:
        """What is known of each; of a log that was found in a folder, once it holds a record."""
        found = sorted(self._found.items())
        return [
            *(log.state for log in self._named.values()),
            *(log.state for _, log in found if log.state.has_rows or log.state.status),
        ]

    @property
    def folders(self) -> list[str]:
        """The names of the folders that are looked through."""
        return [name_of(folder) for folder in self._folders]

    @property
    def is_over(self) -> bool:
        """Whether every run says that it has ended, and no other can come."""
        return not self._folders and all(run.status in OVER for run in self.runs)

    def look(self) -> None:
        """Look for logs that have come into the folders."""
        logs = {log: _time_of(log) for folder in self._folders for log in logs_below(folder)}
        for log in self._named.keys() | self._refused:
            logs.pop(log, None)
        newest = sorted(logs, key=lambda log: logs[log], reverse=True)
        self.older = len(newest[MOST_RUNS:])
        for log in self._found.keys() - set(newest[:MOST_RUNS]):
            self._found.pop(log).close()
        for log in newest[:MOST_RUNS]:
            if log not in self._found:
                self._open(log)

    def poll(self) -> bool:
        """Read what is new, a part at a time; whether all there is was read."""
        is_read = [log.poll() for log in self._named.values()]
        for path, log in list(self._found.items()):
            try:
                is_read.append(log.poll())
            except LogError:  # such as a compressed one: it was not named
                self._refused.add(path)
                self._found.pop(path).close()
        return all(is_read)

    def close(self) -> None:
        """Take in what was held back, and give the files back."""
        for log in (*self._named.values(), *self._found.values()):
            log.close()

    def _open(self, log: Path) -> None:
        try:
            self._found[log] = self._watched(log)
        except LogError:  # gone again, or not for us to read
            self._refused.add(log)

    def _watched(self, log: Path) -> WatchedLog:
        return WatchedLog(log, self._listen() if self._listen else None)


def name_of_log(log: Path) -> str:
    """How a run is called: by its folder, or by its log where that has a name of its own."""
    folder = log.parent.absolute().name
    return name_of(folder if log.name == RUN_LOG and folder else log.name)


class _Changes:
    """Whether a file has changed since one last asked; at first, whether it is there."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._last: tuple[int, int, int] | None = None

    def have_come(self) -> bool:
        try:
            found = self._path.stat()
        except OSError:
            return False
        now = found.st_mtime_ns, found.st_size, found.st_ino
        last, self._last = self._last, now
        return now != last


def _take_phases(lines: bytes, state: Watched) -> None:
    try:
        records = read_records(lines)
    except (LogError, NoRecordsError):  # not what it is called
        return
    for epoch in records.epochs:
        state.take_epoch(epoch)
    for warning in records.warnings:
        state.warn(str(warning.get("text", "")))


def logs_below(folder: Path) -> Iterator[Path]:
    """The logs in a folder and in those below it, but not far; of a run's folder, the run's."""

    def look(place: Path, depth: int) -> Iterator[Path]:
        try:
            entries = list(os.scandir(place))
        except OSError:  # closed to us, or gone
            return
        names = {entry.name for entry in entries}
        if RECORD in names or RUN_LOG in names:
            if RUN_LOG in names:
                yield place / RUN_LOG
            return
        for entry in entries:
            if _GROWING.search(entry.name) and _is_file(entry):
                yield place / entry.name
            elif depth and entry.is_dir(follow_symlinks=False):
                yield from look(place / entry.name, depth - 1)

    yield from look(folder, _DEPTH)


def _is_file(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_file()
    except OSError:  # a link that leads round and round, or where we may not look
        return False


def _time_of(log: Path) -> float:
    try:
        return log.stat().st_mtime
    except OSError:
        return 0.0
