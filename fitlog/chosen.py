"""What a command's sources stand for: logs as they are named, and of archives the chosen runs.

This is the one place where a name may turn out to be an archive's. Nothing that archives need is
imported where none is named.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

from fitlog.errors import LogError, QueryError, SettingError

if TYPE_CHECKING:
    from fitlog.archive.reading import Archive
    from fitlog.archive.store import Store
    from fitlog.ledger import Ledger
    from fitlog.sources import Source
    from fitlog.tables import RunLog

# More are hardly meant, and each is held in memory.
MOST_RUNS: Final = 1_000
# Of runs whose begin nothing tells, see `fitlog.archive.order`.
ORDER_OF_UNDATED: Final = (
    "in the order of their files' last changes, where these are known, and of their names"
)
_MANIFEST: Final = re.compile(r"[0-9]{8}\.json")


def is_archive(source: object) -> bool:
    """Whether this names an archive: a folder of this machine that holds one, or any URL."""
    name = os.fspath(source) if isinstance(source, (str, os.PathLike)) else None
    return isinstance(name, str) and ("://" in name or is_archive_here(name))


def is_archive_here(folder: str | os.PathLike[str]) -> bool:
    """Whether a folder of this machine holds a manifest."""
    try:
        found = os.listdir(os.path.join(folder, "manifests"))  # noqa: PTH118, PTH208
    except (OSError, ValueError):  # no such folder, or no name that one could have
        return False
    return any(map(_MANIFEST.fullmatch, found))


def archive_told(folder: str | os.PathLike[str]) -> str:
    """What is said of a folder that is an archive where a log is wanted; else nothing."""
    if not is_archive_here(folder):
        return ""
    return (
        "is an archive, not a log: plot, compare, check, report and history add take it, and query"
        " asks it; in Python, fitlog.chosen.choose_runs gives its runs"
    )


def choose_runs(
    sources: Sequence[Source | RunLog],
    where: str | None = None,
    *,
    others: Sequence[object] = (),
    most: int = MOST_RUNS,
    option: str = "--where",
) -> list[Source | RunLog]:
    """The sources, with an archive's runs in its place: those of which `where` is true, if given.

    `where` is a condition of SQL on the archive's table `runs`; the runs come in the order of their
    begin, as far as that is known. What is no archive stays as it is named. `others` are named
    beside the sources, and may be the archives that the condition is for; `option` is how the
    condition is given.

    Raises:
        SettingError: a condition without an archive, or more than `most` runs.
        ArchiveError, QueryError: an archive that cannot be read, a condition that is none, or that
            is true of no run.
    """
    if where is not None and not any(map(is_archive, [*sources, *others])):
        raise SettingError(f"{option} chooses runs of an archive, and none is named")
    chosen: list[Source | RunLog] = []
    for source in sources:
        if is_archive(source):
            chosen += _runs_of(str(source), where, most, option)
        else:
            chosen.append(source)
    return chosen


@dataclass(frozen=True, slots=True, kw_only=True)
class Sides:
    """What is judged or compared, and by what."""

    candidates: list[Source | RunLog]
    baseline: list[Source | RunLog]
    history: str | os.PathLike[str] | Ledger | None


def choose_sides(
    candidates: Sequence[Source | RunLog],
    baseline: Sequence[Source | RunLog],
    history: str | os.PathLike[str] | None,
    where: str | None = None,
    past_where: str | None = None,
    *,
    series: str | None = None,
    warm_up: int | None = None,
    most: int = MOST_RUNS,
    most_past: int = MOST_RUNS,
) -> Sides:
    """Of all that is named for a judgement or a comparison what it stands for.

    `where` is for the archives among the candidates, `past_where` for those of baseline and
    history; where no candidate is of an archive, so is `where`. `most` and `most_past` are how many
    runs candidates and baseline may be.

    Raises:
        ArchiveError, QueryError, SettingError: as `choose_runs`.
    """
    past, option = [*baseline, history], "--past-where"
    if not any(map(is_archive, candidates)) and past_where is None:
        where, past_where, option = None, where, "--where"
    return Sides(
        candidates=choose_runs(candidates, where, most=most),
        baseline=choose_runs(baseline, past_where, others=past, most=most_past, option=option),
        history=(
            None
            if history is None
            else choose_history(history, past_where, series=series, warm_up=warm_up)
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

    Of more than `MOST_RUNS` the newest are taken, which is said. `warm_up` is that of the run that
    will be judged by them; runs of an archive are in no `series`.

    Raises:
        ArchiveError, QueryError: as `choose_runs`. SettingError: an archive, and a series.
    """
    if not is_archive(history):
        return history
    if series is not None:
        raise SettingError(
            f"--series names runs of a ledger, and {history} is an archive: choose its runs by a"
            " condition"
        )
    from fitlog.ledger import Entry, Ledger
    from fitlog.past import make_entry
    from fitlog.readings import read_run

    archive, started = _find_runs(str(history), where)
    run_ids = list(started)[-MOST_RUNS:]
    entries: dict[str, Entry] = {}
    doubts = []
    if len(run_ids) < len(started):
        doubts.append(f"of {len(started):,} runs of {history}, the newest {MOST_RUNS:,} are taken")
    for run_id, run in zip(run_ids, archive.run_logs(run_ids), strict=True):
        try:
            entry = make_entry(read_run(run), added=datetime.now(UTC), warm_up=warm_up)
        except LogError as error:  # a run that says nothing
            doubts.append(f"left out: {error}")
        else:
            began = started[run_id]
            start = entry.start or (began.isoformat(timespec="seconds") if began else "")
            entries.setdefault(entry.id, replace(entry, start=start, added=""))
    return Ledger(
        name=str(history),
        entries=tuple(entries.values()),
        acceptances=(),
        doubts=tuple(doubts),
        is_archive=True,
    )


def require_outside(target: Path, store: Store) -> None:
    """Raise where a file to be written would lie in the archive that is read, which is here.

    Raises:
        SettingError: it would.
    """
    if store.is_local and target.resolve().is_relative_to(Path(store.root).resolve()):
        raise SettingError(f"{target} lies in the archive itself: name a file elsewhere")


def _runs_of(url: str, where: str | None, most: int, option: str) -> list[RunLog]:
    archive, started = _find_runs(url, where)
    if len(started) > most:
        raise SettingError(
            f"{url}: {len(started):,} runs, and {most:,} at most can be taken: choose with {option}"
        )
    return archive.run_logs(list(started))


def _find_runs(url: str, where: str | None) -> tuple[Archive, dict[str, datetime | None]]:
    """The archive, and its runs of which `where` is true, as `in_order` gives them."""
    from fitlog.archiving import open_archive

    archive = open_archive(url)
    from fitlog.archive.order import in_order
    from fitlog.archive.query import select

    run_ids = select(archive.datasets(), where)
    if not run_ids:
        told = f" of which {where!r} is true" if where is not None else ""
        raise QueryError(f"{url} holds no run{told}")
    return archive, in_order(archive, run_ids)
