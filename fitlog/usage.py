"""How much of the processor a run had, from the `phases.jsonl` beside its log.

Long windows average a busy machine out: they scatter no more than quiet ones, and are slow. That
the process had less processor time per second than other runs of the same training gives it away.
"""

from __future__ import annotations

import statistics
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from fitlog.errors import LogError
from fitlog.phase_records import Record, number, read_records
from fitlog.run_folder import PHASE_FILE

# Where a training may wait of its own accord, besides for data. In the phases left out Python waits
# for the network's work, which a busy machine makes longer.
PAUSES: Final = ("callbacks", "checkpoint", "validation", "reset", "other")


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """What a run had of its machine: medians over its windows.

    `cpu_share` is processor time over wall-clock time (1.0 is one processor kept busy),
    `data_share` the part of the time spent waiting for data, `pauses` that of each phase of
    `PAUSES` (empty in ledgers that know none), `switches` how often a second of processor time
    ended because somebody else was to have the processor, `load` the machine's load average over a
    minute; None where it was not recorded.
    """

    cpu_share: float
    data_share: float
    switches: float | None
    load: float | None
    pauses: dict[str, float] = field(default_factory=dict)


def read_usage(folder: Path, *, skip: int = 0) -> Usage | None:
    """The usage of the last fit recorded in a run's folder; None where nothing tells it.

    `skip` windows are left out: what the warm-up had says nothing of the rest.
    """
    try:
        records = read_records(folder / PHASE_FILE)
    except LogError:  # no file, or none of phases
        return None
    last = records.fits[-1].number if records.fits else None
    windows = [record for record in records.windows if record["fit"] == last and _tells(record)]
    return summarise_windows(windows[skip:])


def summarise_windows(windows: list[Record]) -> Usage | None:
    """The usage of windows as `phases.jsonl` has them; None where there is none."""
    if not windows:
        return None
    switches = [
        times / window["cpu_seconds"]
        for window in windows
        if window["cpu_seconds"] > 0
        and (times := number(window, "involuntary_switches")) is not None
    ]
    loads = [load for window in windows if (load := number(window, "load")) is not None]
    return Usage(
        cpu_share=statistics.median(w["cpu_seconds"] / w["seconds"] for w in windows),
        data_share=statistics.median(w["phases"]["data"] / w["seconds"] for w in windows),
        switches=statistics.median(switches) if switches else None,
        load=statistics.median(loads) if loads else None,
        pauses={
            phase: statistics.median(w["phases"][phase] / w["seconds"] for w in windows)
            for phase in PAUSES
        },
    )


def _tells(window: Record) -> bool:
    """Whether a window is of the training, one that a speed line covers, with its times."""
    return (
        window.get("part") == "window"
        and window.get("split", "train") == "train"
        and number(window, "cpu_seconds") is not None
        and window["seconds"] > 0
    )
