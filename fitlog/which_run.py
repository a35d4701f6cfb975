"""Which runs somebody means: the logs that folders and globs stand for, and the one run in a log.

Of a log that holds several runs the last counts, of several nodes the first; that is said.
"""

from __future__ import annotations

import glob
import os
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from fitlog.errors import LogError
from fitlog.run_folder import RUN_LOG
from fitlog.sources import Source, find_logs, name_of
from fitlog_parsers.columns import MISSING

if TYPE_CHECKING:
    from fitlog.tables import RunLog

_ENDINGS: Final = ("", ".gz", ".xz", ".bz2", ".zst")

Place = tuple[int, int]  # node (`MISSING` of lines that name none) and run


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """The rows that count: those of this node and run; `notes` say what else the log holds."""

    node: int
    run: int
    notes: tuple[str, ...]


def choose_run(speeds: Collection[Place], rows: Collection[Place]) -> Choice:
    """The last run of the first node, of those that report speeds if there are any.

    `speeds` are the places that speeds of the training were reported from, `rows` those of all
    rows.
    """
    nodes = {node for node, _ in speeds} or {node for node, _ in rows}
    node = min(nodes, key=lambda rank: (rank == MISSING, rank), default=MISSING)
    last = max((run for rank, run in rows if rank == node), default=0)
    notes = []
    if last > 0:
        notes.append(f"it holds {last + 1} runs, and the last one (run {last}) is taken")
    if len(nodes - {MISSING}) > 1:
        notes.append(f"of its {len(nodes - {MISSING})} nodes, node {node} is taken")
    if node != MISSING and MISSING in nodes:
        notes.append(f"of its nodes, node {node} is taken: lines that name none are left out")
    return Choice(node=node, run=last, notes=tuple(notes))


def find_runs(sources: Sequence[Source | RunLog]) -> list[Source | RunLog]:
    """The log of each run: a run's folder stands for its `run.log`, a glob for what it matches.

    Raises:
        LogError: a folder holds no log, or several and none of them is `run.log`; a glob matches
        nothing.
    """
    found: list[Source | RunLog] = []
    for source in sources:
        if not isinstance(source, (str, os.PathLike)):
            found.append(source)
        elif os.path.isdir(source):  # noqa: PTH112  # never raises
            found.append(_log_of(Path(source)))
        else:
            found += (
                _log_of(Path(match)) if os.path.isdir(match) else match  # noqa: PTH112
                for match in _matches(source)
            )
    return found


def find_every_run(sources: Sequence[Source | RunLog]) -> list[Source | RunLog]:
    """The logs of all runs in folders and globs, as `find_logs` finds them.

    Of a run's folder only its `run.log`: those of its nodes, or of epochs that were trained again,
    are no runs of their own.

    Raises:
        LogError: as `find_logs`.
    """
    found: list[Source | RunLog] = []
    for source in sources:
        logs = find_logs([source])
        if isinstance(source, (str, os.PathLike)) and os.path.isdir(source):  # noqa: PTH112
            found += [log for log in logs if not _is_part_of_run(Path(str(log)))]
        else:
            found += logs
    return found


def _is_part_of_run(log: Path) -> bool:
    beside = [log.with_name(f"{RUN_LOG}{ending}") for ending in _ENDINGS]
    return log not in beside and any(run.is_file() for run in beside)


def _log_of(folder: Path) -> Source:
    for ending in _ENDINGS:
        log = folder / f"{RUN_LOG}{ending}"
        if log.is_file():
            return log
    every = find_logs([folder])
    if len(every) > 1:
        raise LogError(
            f"holds {len(every)} logs and no {RUN_LOG}: name the logs, or each run's folder",
            path=name_of(folder),
        )
    return every[0]


def _matches(source: str | os.PathLike[str]) -> list[str | os.PathLike[str]]:
    """Folders, too, which `find_logs` leaves out of a glob."""
    name = os.fspath(source)
    if name and glob.has_magic(name) and not os.path.lexists(name):
        matches = sorted(glob.glob(name))  # noqa: PTH207  # Path.glob takes no absolute patterns
        if not matches:
            raise LogError("matches no file", path=name_of(source))
        return list(matches)
    return [source]
