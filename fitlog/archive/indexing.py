"""An archive is brought up to date with its logs: what is new or changed is read, and no more.

Logs are read by tasks, whose groups of parts are committed from time to time: whatever stops an
indexer, what it had committed stays, what it had not is read again, and no row is there twice. Two
indexers may be at work on one archive: the one that commits later keeps what the other has read.
"""

from __future__ import annotations

import contextlib
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from fitlog.archive import LOST
from fitlog.archive.cleaning import clean
from fitlog.archive.commits import Ledger
from fitlog.archive.engines import Engine, Here
from fitlog.archive.finding import Found, find_all
from fitlog.archive.groups import merge, small_groups
from fitlog.archive.growing import stand_of
from fitlog.archive.manifest import Group
from fitlog.archive.rows import printed
from fitlog.archive.schema import READS
from fitlog.archive.store import Store, is_url, open_store
from fitlog.archive.tasks import LARGE_BYTES, Log, Task, read_task
from fitlog.errors import ArchiveError, LogError

# A task has so many logs and bytes at least, unless it has the most of either.
TASK_LOGS: Final = 50
TASK_BYTES: Final = 8 << 20
_MOST_LOGS: Final = 2000
_MOST_BYTES: Final = 32 << 20
# A log of more bytes is read in pieces of so many: each is committed, and may be another worker's.
SPLIT_BYTES: Final = 1 << 30
# A compressed log has about so many times its bytes.
_PACKED_TIMES: Final = 8
_PACKED: Final = (".gz", ".xz", ".bz2", ".zst")
# Where a log's first date is looked for, and how.
_BEGINNING_BYTES: Final = 1 << 10
_DATE: Final = re.compile(rb"\b(20[0-9]{2})[-/.]([01][0-9])[-/.][0-3][0-9]\b")
# So often what is read becomes part of the archive.
_COMMIT_SECONDS: Final = 20.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is to be done: logs to read, and those that are gone."""

    changed: tuple[Log, ...]
    gone: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Damage:
    """A part that was missing or damaged, of so many `logs`.

    Rows of some logs are `lost`, for they were not read again; some logs are `unnamed`: which they
    were is not known.
    """

    part: str
    logs: int
    lost: int
    unnamed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Indexed:
    """What became of it.

    Of the logs that were found, some were `read` (these have `size` bytes), some are `unchanged`,
    and some could not be read, by name and reason: now, or before and are unchanged since. Others
    are `gone`, and some of those read were written `anew`: the `earlier_runs` are no longer
    in them, nor in the archive. Some sources are `absent`, with all their logs. The archive has so
    many `logs` and `runs` now.
    """

    read: int
    size: int
    unchanged: int
    gone: int
    anew: int
    earlier_runs: int
    absent: tuple[str, ...]
    refused: tuple[tuple[str, str], ...]
    refused_before: int
    logs: int
    runs: int
    archive_size: int
    damaged: tuple[Damage, ...]


def index(
    sources: Sequence[str],
    archive: str,
    *,
    engine: Engine | None = None,
    progress: Callable[[int, int], None] | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> Indexed:
    """Bring the archive up to date with the logs of some folders, globs, files and URLs.

    `progress` is told the bytes read so far and those to read. `engine` is closed in the end.

    Raises:
        LogError: a source does not exist, or there is no log at all.
        ArchiveError: the archive, or a store, cannot be used.
    """
    with contextlib.closing(engine or Here()) as workers:
        return _index(sources, archive, workers, progress, clock)


def _index(
    sources: Sequence[str],
    archive: str,
    engine: Engine,
    progress: Callable[[int, int], None] | None,
    clock: Callable[[], float],
) -> Indexed:
    store = open_store(archive)
    ledger = Ledger(store)
    found = find_all(sources, ledger.known)
    if not found.logs and not any(map(found.covers, ledger.known)):
        raise LogError("no log (*.log, *.txt, *.out) in " + ", ".join(sources))
    before = ledger.known
    ledger.mend()
    plan = make_plan(found, ledger)
    changed = {printed(log.file): log for log in plan.changed}
    work = _Work(
        store=store,
        ledger=ledger,
        engine=engine,
        clock=clock,
        progress=progress,
        total=_whole_size(plan.changed),
    )
    now = datetime.now(UTC).replace(tzinfo=None)
    gone = plan.gone
    ledger.mark({file: {"deleted": now} for file in gone})
    # A piece of each of the very large ones; logs of a part that turned out to be damaged.
    while work.read(plan.changed):
        ledger.rebase()
        plan = make_plan(found, ledger)
        changed = {printed(log.file): log for log in plan.changed} | changed
    if ledger.manifest.number > work.first:
        work.tidy()
    return _what_became(found, changed, gone, work, before, ledger)


def _what_became(
    found: Found,
    changed: Mapping[str, Log],
    gone: Sequence[str],
    work: _Work,
    before: Mapping[str, Any],
    ledger: Ledger,
) -> Indexed:
    """What became of all logs is counted; `before` is what the archive knew of them."""
    reasons = {file: row["reason"] for file, row in ledger.known.items() if row["reason"]}
    reasons.update(work.closed)
    tried = {file: log for file, log in changed.items() if file not in work.same}
    read = [log for file, log in tried.items() if file not in reasons]
    anew = (work.anew - work.closed.keys()) & before.keys()
    earlier = [before[file]["runs"] for file in anew if before[file]["runs"]]
    refused = tuple((file, reasons[file]) for file in tried if file in reasons)
    refused_before = sum(file in reasons and file not in tried for file in found.logs)
    return Indexed(
        read=len(read),
        size=_whole_size(read),
        unchanged=len(found.logs) - len(tried) - refused_before,
        gone=len(gone),
        anew=len(earlier),
        earlier_runs=sum(earlier),
        absent=found.absent,
        refused=refused,
        refused_before=refused_before,
        logs=len(ledger.known),
        runs=sum(row["runs"] for row in ledger.known.values()),
        archive_size=sum(
            part.size
            for group in ledger.manifest.groups
            for parts in group.parts.values()
            for part in parts
        ),
        damaged=tuple(_damage(ledger)),
    )


def _damage(ledger: Ledger) -> Iterator[Damage]:
    known = ledger.known
    for mended in ledger.mended.values():
        lost = sum(file not in known or known[file]["reads"] == LOST for file in mended.files)
        unnamed = mended.logs - len(mended.files)
        for part in mended.damaged:
            yield Damage(part=part, logs=mended.logs, lost=lost, unnamed=unnamed)


class _Work:
    """Logs are read, and what is read is committed.

    `same` are the names of those that need not be, `closed` those that cannot be, with the reason,
    `anew` those that do not begin with what was read of them.
    """

    def __init__(
        self,
        *,
        store: Store,
        ledger: Ledger,
        engine: Engine,
        clock: Callable[[], float],
        progress: Callable[[int, int], None] | None,
        total: int,
    ) -> None:
        self.same: set[str] = set()
        self.closed: dict[str, str] = {}
        self.anew: set[str] = set()
        self._is_shared = False
        self.first = ledger.manifest.number
        self._store, self._ledger, self._engine, self._clock = store, ledger, engine, clock
        self._progress, self._total, self._done = progress, total, 0

    def read(self, logs: Sequence[Log]) -> bool:
        """Read and commit them; whether there is more of some of them, or of other ones now."""
        mended = len(self._ledger.mended)
        logs = [log for log in logs if printed(log.file) not in self.closed]
        self.same.difference_update(printed(log.file) for log in logs)
        self._total = max(self._total, self._done + sum(log.to_read for log in logs))
        tasks = [Task(archive=self._store.url, logs=some) for some in cut_into_tasks(logs)]
        last_commit = self._clock()
        self._report()
        for number, result in self._engine.run(read_task, tasks):
            self._look_for(result.groups)
            self._ledger.add(result.groups)
            self._ledger.mark(
                {
                    printed(log.file): {"version": log.version, "deleted": None}
                    for log in result.same
                }
            )
            self.same.update(printed(log.file) for log in result.same)
            self.closed.update(result.closed)
            self.anew.update(result.anew)
            self._done += sum(log.to_read for log in tasks[number].logs)
            self._report()
            if self._clock() - last_commit > _COMMIT_SECONDS:
                self._ledger.commit()
                last_commit = self._clock()
        self._ledger.commit()
        return any(log.until for log in logs) or len(self._ledger.mended) > mended

    def _look_for(self, groups: Sequence[Group]) -> None:
        """Whether the first thing that a worker has written is where this process looks for it."""
        if self._is_shared or not groups:
            return
        try:
            self._store.read(groups[0].name)
        except FileNotFoundError:
            raise ArchiveError(
                f"{self._store.url}: what the workers have written is not there: is this place the"
                " same one for all of them?"
            ) from None
        self._is_shared = True

    def _report(self) -> None:
        if self._progress is not None:
            self._progress(self._done, self._total)

    def tidy(self) -> None:
        """Bring small groups together, and remove what nobody needs any more."""
        merges = list(small_groups(self._store.url, self._ledger.manifest.groups))
        for number, group in self._engine.run(merge, merges):
            if group is not None:
                self._ledger.replace(merges[number].groups, group)
        self._ledger.commit()
        clean(self._store, self._ledger.manifest.number)


def make_plan(found: Found, ledger: Ledger) -> Plan:
    """What has changed since the archive's last manifest."""
    changed = []
    for file, log in found.logs.items():
        row = ledger.known.get(file)
        if row is None or row["reads"] != READS:
            changed.append(_piece(log, row))
        elif row["deleted"] is not None or not _is_as_it_was(log, row):
            changed.append(_piece(_with_what_is_known(log, row, ledger), row))
    gone = tuple(
        file for file, row in ledger.known.items() if row["deleted"] is None and found.misses(file)
    )
    return Plan(changed=tuple(changed), gone=gone)


def _is_as_it_was(log: Log, row: dict[str, Any]) -> bool:
    """By all that is told beside its content; some web servers tell nothing."""
    now = (log.size, log.version, log.record_version)
    return bool(log.version) and now == (row["size"], row["version"], row["record"])


def _with_what_is_known(log: Log, row: dict[str, Any], ledger: Ledger) -> Log:
    """A changed log with what the archive has of it, where that saves reading it whole."""
    touched = (row["size"], row["record"]) == (log.size, log.record_version)
    log = replace(log, digest=row["digest"], digested=row["size"], touched=touched)
    if touched:  # it may well be the same: its content tells
        return log
    stand = stand_of(row["state"]) if row["reason"] is None else None
    if stand is None or stand.offset > log.size:
        return log
    return replace(log, stand=stand, group=ledger.group_of(row["file"]))


def _piece(log: Log, row: dict[str, Any] | None) -> Log:
    """The log, or of a very large one as much as is read now, which is more each time."""
    known = row["size"] if row and row["reason"] is None else 0
    end = max(known, log.stand.offset if log.stand else 0) + SPLIT_BYTES
    is_whole = end >= log.size or log.file.endswith(_PACKED) or (row and row["reason"])
    return log if is_whole else replace(log, until=end)


def _whole_size(logs: Sequence[Log]) -> int:
    return sum(log.size - (log.stand.offset if log.stand else 0) for log in logs)


def cut_into_tasks(logs: Sequence[Log]) -> Iterator[tuple[Log, ...]]:
    """The logs of each task: those of one month together, as far as that is told beforehand."""
    together: list[Log] = []
    size = 0
    for _, log in sorted(((_month(log), log) for log in logs), key=_by_month_and_file):
        if log.size > LARGE_BYTES:
            yield (log,)
            continue
        text = log.size * (_PACKED_TIMES if log.file.endswith(_PACKED) else 1)
        is_full = size + text > _MOST_BYTES or len(together) >= _MOST_LOGS
        is_enough = len(together) >= TASK_LOGS and size >= TASK_BYTES
        if together and (is_full or is_enough):
            yield tuple(together)
            together, size = [], 0
        together.append(log)
        size += text
    if together:
        yield tuple(together)


def _month(log: Log) -> str:
    """The month that a log seems to be of: by its first date, else by when it was changed.

    Where this is wrong, the log lands in the right month all the same, in a smaller part.
    """
    date = None
    if not is_url(log.file):
        with contextlib.suppress(OSError), Path(log.file).open("rb") as file:
            date = _DATE.search(file.read(_BEGINNING_BYTES))
    if date is not None:
        return f"{date[1].decode()}-{date[2].decode()}"
    return f"{datetime.fromtimestamp(log.modified, UTC):%Y-%m}"


def _by_month_and_file(known: tuple[str, Log]) -> tuple[str, str]:
    month, log = known
    return month, log.file
