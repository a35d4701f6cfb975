"""How much of the processor a run had, from the `phases.jsonl` beside its log.

Long windows average a busy machine out: they scatter no more than quiet ones, and are slow. That
the process had less processor time per second than other runs of the same training gives it away.
"""

from __future__ import annotations

import json
import statistics
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, cast

_PHASES: Final = "phases.jsonl"
_MOST: Final = 1e12  # neither nan nor an infinity is below it


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """What a run had of its machine: medians over its windows.

    `cpu_share` is processor time over wall-clock time (1.0 is one processor kept busy),
    `data_share` the part of the time spent waiting for data, `switches` how often a second of
    processor time ended because somebody else was to have the processor, `load` the machine's load
    average over a minute; None where it was not recorded.
    """

    cpu_share: float
    data_share: float
    switches: float | None
    load: float | None


def read_usage(folder: Path, *, skip: int = 0) -> Usage | None:
    """The usage of the last fit recorded in a run's folder; None where nothing tells it.

    `skip` windows are left out: what the warm-up had says nothing of the rest.
    """
    try:
        text = (folder / _PHASES).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    windows: list[dict[str, Any]] = []
    for line in text.splitlines():
        try:
            record = json.loads(line)
        except (ValueError, RecursionError):  # the last line of a run that was killed
            continue
        if not isinstance(record, dict):
            continue
        if record.get("kind") == "fit":
            windows.clear()
        elif _is_window(record):
            windows.append(record)
    return summarise_windows(windows[skip:])


def summarise_windows(windows: list[dict[str, Any]]) -> Usage | None:
    """The usage of windows as `phases.jsonl` has them; None where there is none."""
    if not windows:
        return None
    switches = [
        window["involuntary_switches"] / window["cpu_seconds"]
        for window in windows
        if window["cpu_seconds"] > 0 and _is_number(window.get("involuntary_switches"))
    ]
    loads = [window["load"] for window in windows if _is_number(window.get("load"))]
    return Usage(
        cpu_share=statistics.median(w["cpu_seconds"] / w["seconds"] for w in windows),
        data_share=statistics.median(_data_seconds(w) / w["seconds"] for w in windows),
        switches=statistics.median(switches) if switches else None,
        load=statistics.median(loads) if loads else None,
    )


def _is_window(record: dict[str, Any]) -> bool:
    return (
        record.get("kind") == "window"
        and record.get("part") == "window"
        and record.get("split", "train") == "train"
        and _is_number(record.get("cpu_seconds"))
        and _is_number(record.get("seconds"))
        and record["seconds"] > 0
    )


def _data_seconds(window: dict[str, Any]) -> float:
    phases = window.get("phases")
    seconds = phases.get("data") if isinstance(phases, dict) else None
    return float(seconds) if _is_number(seconds) and seconds is not None else 0.0


def _is_number(value: object) -> bool:
    return type(value) in (int, float) and abs(cast(float, value)) < _MOST
