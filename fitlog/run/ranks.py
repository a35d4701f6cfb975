"""What a distributed training came to: how fast each rank was, and which ones held up the others.

In a synchronous training all ranks go at the pace of the slowest, and their speed lines say the
same. So ranks are compared by what they did themselves: the seconds of the forward and backward
pass, from the batches that were measured with the engine waited for (`sampling`), and the seconds
that they waited for their own data. Time spent waiting for the others is in neither.
"""

from __future__ import annotations

import re
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from fitlog.phase_records import Record, read_records
from fitlog.run.worker import PARAMETERS

# A rank that takes longer for a batch than the median of ranks by more than this is a straggler.
STRAGGLER_SHARE: Final = 0.2
# Less is what the operating system does to any process.
_LEAST_SECONDS: Final = 0.001
# One measured batch says little: another process may have had the processor just then.
_LEAST_MEASURED: Final = 5
_OWN: Final = ("forward", "backward", "compute")
_HASH: Final = re.compile(rf"{PARAMETERS}([0-9a-f]{{64}})$", re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class RankResult:
    """A rank's median speed, and its own median seconds for a batch.

    None where nothing was logged, or too few batches were measured.
    """

    rank: int
    samples_per_sec: float | None
    windows: int
    own_seconds: float | None
    parameters: str | None


def read_rank(folder: Path, rank: int) -> RankResult:
    """What a rank came to, from its log and its phases in the run's folder."""
    from fitlog.reading import read_columns

    log = folder / f"node-{rank}.log"
    speeds = read_columns([log]).speed.samples_per_sec
    found = _HASH.findall(log.read_text("utf-8", "replace"))
    return RankResult(
        rank=rank,
        samples_per_sec=statistics.median(speeds) if speeds else None,
        windows=len(speeds),
        own_seconds=_own_seconds(_read_windows(folder / f"phases-{rank}.jsonl")),
        parameters=found[-1] if found else None,
    )


def summarize_ranks(ranks: Sequence[RankResult]) -> dict[str, Any]:
    """The ranks' results as `run.json` has them.

    `samples_per_sec` is that of the cluster, the sum over the ranks. `stragglers` is None where not
    every rank has measured itself. `parameters_agree` says whether all ended with the same ones.
    """
    speeds = [rank.samples_per_sec for rank in ranks if rank.samples_per_sec is not None]
    parameters = {rank.parameters for rank in ranks}
    return {
        "samples_per_sec": sum(speeds) if len(speeds) == len(ranks) else None,
        "windows": sum(rank.windows for rank in ranks),
        "ranks": [
            {
                "rank": rank.rank,
                "samples_per_sec": rank.samples_per_sec,
                "windows": rank.windows,
                "own_seconds_per_batch": rank.own_seconds,
            }
            for rank in ranks
        ],
        "straggler_share": STRAGGLER_SHARE,
        "stragglers": find_stragglers(ranks),
        "parameters_agree": None if None in parameters else len(parameters) == 1,
    }


def find_stragglers(ranks: Sequence[RankResult]) -> list[int] | None:
    """The ranks that take longer by themselves than the median, of an even number the lower one.

    None where not every rank has measured itself.
    """
    own = {rank.rank: rank.own_seconds for rank in ranks if rank.own_seconds is not None}
    if len(own) < len(ranks) or not own:
        return None
    middle = statistics.median_low(own.values())
    most = middle + max(middle * STRAGGLER_SHARE, _LEAST_SECONDS)
    return [rank for rank, seconds in own.items() if seconds > most]


def _read_windows(path: Path) -> list[Record]:
    """The training windows of a rank; none where its phases are on another machine."""
    if not path.exists():
        return []
    return [r for r in read_records(path).windows if r.get("split", "train") == "train"]


def _own_seconds(windows: Iterable[Record]) -> float | None:
    computing: list[float] = []
    fetching: list[float] = []
    for window in windows:
        fetching.append(window["phases"]["data"] / window["batches"])
        measured = window["measured"]
        if measured.get("batches"):
            computing.append(sum(measured.get(part, 0.0) for part in _OWN) / measured["batches"])
    if len(computing) < _LEAST_MEASURED:
        return None
    return statistics.median(computing) + statistics.median(fetching)
