"""An archive is brought up to date with its logs: what is new or changed is read, and no more.

Logs are read by tasks, whose groups of parts are committed from time to time: whatever stops an
indexer, what it had committed stays, what it had not is read again, and no row is there twice. Two
indexers may be at work on one archive: the one that commits later keeps what the other has read.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Final

from fitlog.archive.cleaning import clean
from fitlog.archive.commits import Ledger
from fitlog.archive.engines import Engine, Here
from fitlog.archive.finding import Found, find_all
from fitlog.archive.groups import merge, small_groups
from fitlog.archive.growing import stand_of
from fitlog.archive.rows import printed
from fitlog.archive.schema import READS
from fitlog.archive.store import open_store
from fitlog.archive.tasks import LARGE_BYTES, Log, Task, read_task
from fitlog.errors import LogError

# A task has so many logs and bytes at least, unless it has the most of either.
TASK_LOGS: Final = 50
TASK_BYTES: Final = 8 << 20
_MOST_LOGS: Final = 2000
_MOST_BYTES: Final = 32 << 20
# A compressed log has about so many times its bytes.
_PACKED_TIMES: Final = 8
_PACKED: Final = (".gz", ".xz", ".bz2", ".zst")
# So often what is read becomes part of the archive.
_COMMIT_SECONDS: Final = 20.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is to be done: logs to read, those that are as they were, and those that are gone."""

    changed: tuple[Log, ...]
    unchanged: int
    gone: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Indexed:
    """What became of it: counts of logs, the bytes of those that were read, what was refused."""

    read: int
    size: int
    unchanged: int
    gone: int
    refused: tuple[tuple[str, str], ...]
    logs: int
    runs: int
    archive_size: int


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
    found = find_all(sources)
    plan = make_plan(found, ledger)
    if not found.logs and not plan.gone and not any(map(found.covers, ledger.known)):
        raise LogError("no log (*.log, *.txt, *.out) in " + ", ".join(sources))
    marks: dict[str, dict[str, Any]] = {
        file: {"deleted": datetime.now(UTC).replace(tzinfo=None)} for file in plan.gone
    }
    tasks = [Task(archive=store.url, logs=logs) for logs in cut_into_tasks(plan.changed)]
    total = sum(log.size for log in plan.changed)
    same = 0
    done, last_commit, is_changed = 0, clock(), bool(tasks or marks)
    if progress is not None:
        progress(0, total)
    for number, result in engine.run(read_task, tasks):
        ledger.add(result.groups)
        marks.update((printed(log.file), {"version": log.version}) for log in result.same)
        same += len(result.same)
        done += sum(log.size for log in tasks[number].logs)
        if progress is not None:
            progress(done, total)
        if clock() - last_commit > _COMMIT_SECONDS:
            ledger.commit()
            last_commit = clock()
    if is_changed:
        ledger.mark(marks)
        ledger.commit()
        merges = list(small_groups(store.url, ledger.manifest.groups))
        for number, group in engine.run(merge, merges):
            ledger.replace(merges[number].groups, group)
        ledger.commit()
        clean(store)
    rows = [row for file, row in ledger.known.items() if found.covers(file)]
    return Indexed(
        read=len(plan.changed) - same,
        size=total,
        unchanged=plan.unchanged + same,
        gone=len(plan.gone),
        refused=tuple((row["file"], row["reason"]) for row in rows if row["reason"]),
        logs=len(ledger.known),
        runs=sum(row["runs"] for row in ledger.known.values()),
        archive_size=sum(
            part.size
            for group in ledger.manifest.groups
            for parts in group.parts.values()
            for part in parts
        ),
    )


def make_plan(found: Found, ledger: Ledger) -> Plan:
    """What has changed since the archive's last manifest."""
    changed = []
    for file, log in found.logs.items():
        row = ledger.known.get(file)
        if row is None or row["deleted"] is not None or row["reads"] != READS:
            changed.append(log)
        elif (row["size"], row["version"]) != (log.size, log.version):
            changed.append(_with_what_is_known(log, row, ledger))
        elif row["record"] != log.record_version:
            changed.append(log)
    gone = tuple(
        file
        for file, row in ledger.known.items()
        if file not in found.logs and row["deleted"] is None and found.covers(file)
    )
    return Plan(changed=tuple(changed), unchanged=len(found.logs) - len(changed), gone=gone)


def _with_what_is_known(log: Log, row: dict[str, Any], ledger: Ledger) -> Log:
    """A changed log with what the archive has of it, where that saves reading it whole."""
    if row["size"] == log.size and row["record"] == log.record_version:
        return replace(log, digest=row["digest"])  # it may well be the same: its content tells
    stand = stand_of(row["state"]) if row["reason"] is None else None
    if stand is None or stand.offset > log.size:
        return log
    return replace(log, digest=row["digest"], stand=stand, group=ledger.group_of(row["file"]))


def cut_into_tasks(logs: Sequence[Log]) -> Iterator[tuple[Log, ...]]:
    """The logs of each task: those that were changed in one month together, as far as that goes."""
    together: list[Log] = []
    size = 0
    for log in sorted(logs, key=lambda log: (_month(log.modified), log.file)):
        if log.size > LARGE_BYTES:
            yield (log,)
            continue
        text = log.size * (_PACKED_TIMES if log.file.endswith(_PACKED) else 1)
        if together and (size + text > _MOST_BYTES or len(together) >= _MOST_LOGS):
            yield tuple(together)
            together, size = [], 0
        together.append(log)
        size += text
        if len(together) >= TASK_LOGS and size >= TASK_BYTES:
            yield tuple(together)
            together, size = [], 0
    if together:
        yield tuple(together)


def _month(seconds: float) -> tuple[int, int]:
    moment = datetime.fromtimestamp(seconds, UTC)
    return moment.year, moment.month
