"""What a command's sources stand for: logs as they are named, and of archives the chosen runs.

This is the one place where a name may turn out to be an archive's. Nothing that archives need is
imported where none is named.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

from fitlog.errors import LogError, QueryError, SettingError

if TYPE_CHECKING:
    from fitlog.archive.store import Store
    from fitlog.ledger import Ledger
    from fitlog.sources import Source
    from fitlog.tables import RunLog

# More are hardly meant, and each is held in memory.
MOST_RUNS: Final = 1_000


def is_archive(source: object) -> bool:
    """Whether this names an archive: a folder of this machine that holds one, or any URL."""
    name = os.fspath(source) if isinstance(source, (str, os.PathLike)) else None
    if not isinstance(name, str):
        return False
    return "://" in name or os.path.isdir(os.path.join(name, "manifests"))  # noqa: PTH112, PTH118


def choose_runs(
    sources: Sequence[Source | RunLog],
    where: str | None = None,
    *,
    others: Sequence[object] = (),
    most: int = MOST_RUNS,
) -> list[Source | RunLog]:
    """The sources, with an archive's runs in its place: those of which `where` is true, if given.

    `where` is a condition of SQL on the archive's table `runs`; the runs come in the order of their
    begin. What is no archive stays as it is named. `others` are named beside the sources, and may
    be the archives that the condition is for.

    Raises:
        SettingError: a condition without an archive, or more than `most` runs.
        ArchiveError, QueryError: an archive that cannot be read, a condition that is none, or that
            is true of no run.
    """
    if where is not None and not any(map(is_archive, [*sources, *others])):
        raise SettingError("--where chooses runs of an archive, and none is named")
    chosen: list[Source | RunLog] = []
    for source in sources:
        if is_archive(source):
            chosen += _runs_of(str(source), where, most)
        else:
            chosen.append(source)
    return chosen


@dataclass(frozen=True, slots=True, kw_only=True)
class Sides:
    """What is judged, and by what."""

    candidates: list[Source | RunLog]
    baseline: list[Source | RunLog]
    history: str | os.PathLike[str] | Ledger | None


def choose_sides(
    candidates: Sequence[Source | RunLog],
    baseline: Sequence[Source | RunLog],
    history: str | os.PathLike[str] | None,
    where: str | None = None,
    *,
    series: str | None = None,
    warm_up: int | None = None,
) -> Sides:
    """Of all that is named for a judgement what it stands for.

    `where` is for the archives among candidates and baseline; where there are none, for that of the
    history.

    Raises:
        ArchiveError, QueryError, SettingError: as `choose_runs`.
    """
    of_history = None if any(map(is_archive, [*candidates, *baseline])) else where
    return Sides(
        candidates=choose_runs(candidates, where, others=[*baseline, history]),
        baseline=choose_runs(baseline, where, others=[*candidates, history]),
        history=(
            None
            if history is None
            else choose_history(history, of_history, series=series, warm_up=warm_up)
        ),
    )


def choose_history(
    history: str | os.PathLike[str],
    where: str | None = None,
    *,
    series: str | None = None,
    warm_up: int | None = None,
) -> str | os.PathLike[str] | Ledger:
    """The ledger's path as it is named; of an archive a ledger of the runs that `where` chooses.

    `series` and `warm_up` are those of the run that will be judged by them.

    Raises:
        ArchiveError, QueryError, SettingError: as `choose_runs`.
    """
    if not is_archive(history):
        return history
    from fitlog.ledger import Entry, Ledger
    from fitlog.past import make_entry
    from fitlog.readings import read_run

    entries: dict[str, Entry] = {}
    doubts = []
    for run in _runs_of(str(history), where, MOST_RUNS):
        try:
            reading = read_run(run)
            entry = make_entry(reading, added=datetime.now(UTC), series=series, warm_up=warm_up)
        except LogError as error:  # a run that says nothing
            doubts.append(f"left out: {error}")
        else:
            entries.setdefault(entry.id, entry)
    return Ledger(
        name=str(history), entries=tuple(entries.values()), acceptances=(), doubts=tuple(doubts)
    )


def require_outside(target: Path, store: Store) -> None:
    """Raise where a file to be written would lie in the archive that is read, which is here.

    Raises:
        SettingError: it would.
    """
    if store.is_local and target.resolve().is_relative_to(Path(store.root).resolve()):
        raise SettingError(f"{target} lies in the archive itself: name a file elsewhere")


def _runs_of(url: str, where: str | None, most: int) -> list[RunLog]:
    from fitlog.archive import require_packages

    require_packages()
    from fitlog.archive.query import select
    from fitlog.archive.reading import open_archive

    archive = open_archive(url)
    run_ids = select(archive.datasets(), where)
    if not run_ids:
        told = f" of which {where!r} is true" if where is not None else ""
        raise QueryError(f"{url} holds no run{told}")
    if len(run_ids) > most:
        raise SettingError(
            f"{url}: {len(run_ids):,} runs, and {most:,} at most can be taken: choose with --where"
        )
    return archive.run_logs(run_ids)
