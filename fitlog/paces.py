"""From a log to the one run in it that is judged, its pace, and what to doubt about it."""

from __future__ import annotations

from dataclasses import dataclass

from fitlog.measures import MIN_WINDOWS, PACE, SPEEDS, TIME_COST, Measure, find_measure, measure_run
from fitlog.readings import Reading, read_run
from fitlog.sources import Source
from fitlog.stats import Pace
from fitlog.tables import RunLog
from fitlog.usage import Usage, read_usage

__all__ = ["MIN_WINDOWS", "JudgedRun", "judged_run", "load_pace"]


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgedRun:
    """A run that took part.

    `pace` is what it was measured to be, `usage` what it had of its machine where that is known,
    `epoch` the last epoch, where a metric of it is judged. `set_aside` says why the run was not
    counted, or is empty; `doubts` are what a reader of the verdict should know about the log.
    """

    name: str
    pace: Pace
    set_aside: str = ""
    doubts: tuple[str, ...] = ()
    usage: Usage | None = None
    epoch: int | None = None


def load_pace(source: Source | RunLog, *, warm_up: int | None = None) -> JudgedRun:
    """The pace of a log's last run, from the training windows of its first node.

    Raises:
        LogError: the log cannot be read, has a speed that is no speed, or too few windows.
    """
    return judged_run(read_run(source), find_measure(PACE), warm_up=warm_up)


def judged_run(reading: Reading, measure: Measure, *, warm_up: int | None = None) -> JudgedRun:
    """A run that was read, by this measure.

    Raises:
        LogError: the log does not hold the measure, too little of it, or what cannot be true.
    """
    pace = measure_run(reading, measure, warm_up=warm_up)
    is_metric = measure.name not in (*SPEEDS, TIME_COST)
    usage = None
    if reading.folder is not None and not is_metric:
        usage = read_usage(reading.folder, skip=pace.warm_up if measure.name in SPEEDS else 0)
    return JudgedRun(
        name=reading.name,
        pace=pace,
        doubts=reading.doubts,
        usage=usage,
        epoch=max(reading.metrics[measure.name]) if is_metric else None,
    )
