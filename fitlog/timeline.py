"""The runs of a ledger in their order, the levels they held, and how to show them.

A timeline is one series: runs alike in machine and settings. Plain text for a terminal, and CSV,
which Apache Otava reads as well; `fitlog.plots` draws the picture.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from fitlog.errors import BaselineError
from fitlog.history import Segment, find_segments
from fitlog.judge import set_noisy_aside
from fitlog.ledger import Entry, Ledger
from fitlog.measures import PACE, TIME_COST, Measure
from fitlog.past import past_of, split_series
from fitlog.printable import printable

_BAR: Final = 40
_NAMES: Final = ("series", "network", "batch_size", "cpu", "cpus_allowed")


@dataclass(frozen=True, slots=True, kw_only=True)
class Level:
    """A level and the runs that held it, counted from 0, those set aside left out.

    `change` is against the level before, of 1; `reason` is why it was accepted, if it was.
    """

    runs: tuple[int, ...]
    value: float
    change: float
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeline:
    """One series by one measure: `values` in the measure's unit, `set_aside` why not counted."""

    title: str
    measure: Measure
    entries: tuple[Entry, ...]
    values: tuple[float, ...]
    set_aside: tuple[str, ...]
    levels: tuple[Level, ...]


def find_timelines(
    ledger: Ledger, measure: Measure, *, series: str | None = None
) -> list[Timeline]:
    """The timelines of a ledger's series that have the measure; `series` chooses those so named.

    Raises:
        BaselineError: there is none.
    """
    chosen = [
        [entry for entry in entries if measure.name in entry.measures]
        for entries in split_series(ledger)
        if series is None or entries[0].like.get("series", "") == series
    ]
    timelines = [_timeline(ledger, entries, measure) for entries in chosen if entries]
    if not ledger.entries:
        raise BaselineError(f"the ledger {ledger.name} holds no run{ledger.unread}")
    if not timelines:
        names = sorted({entry.like.get("series", "") for entry in ledger.entries} - {""})
        measures = dict.fromkeys(name for entry in ledger.entries for name in entry.measures)
        of = f" of the series {series!r}" if series is not None else ""
        raise BaselineError(
            f"{ledger.name} holds no run{of} with {measure.name!r}; series:"
            f" {', '.join(names) or 'none is named'}; measures: {', '.join(measures) or 'none'}"
        )
    return timelines


def only_timeline(timelines: Sequence[Timeline]) -> Timeline:
    """The one timeline, where several would be of no use.

    Raises:
        BaselineError: there are several.
    """
    if len(timelines) > 1:
        titles = "; ".join(timeline.title for timeline in timelines)
        raise BaselineError(f"there are {len(timelines)} series, name one with --series: {titles}")
    return timelines[0]


def format_list(ledger: Ledger) -> str:
    """A line for each run, and below it what was accepted there; fit for a terminal."""
    lines = [printable(f"{ledger.name}: {_runs(len(ledger.entries))}")]
    for entry in ledger.entries:
        pace = entry.measures.get(PACE)
        speed = f"{_value_in(entry, PACE):,.1f} samples/sec" if pace else "no speeds"
        series = entry.like.get("series")
        told = [entry.id, entry.date, speed, entry.log]
        told += [f"series {series}"] * bool(series) + [entry.note] * bool(entry.note)
        lines.append(printable("  " + "  ".join(told)))
        lines += [
            printable(f"    accepted as a new level by {acceptance.by}: {acceptance.reason}")
            for acceptance in ledger.acceptances
            if acceptance.run == entry.id
        ]
    return "\n".join([*lines, *map(printable, ledger.doubts)])


def format_timeline(timeline: Timeline) -> str:
    """The levels, then a line for each run with its place between the least and the most.

    Fit for a terminal: what stands in the ledger makes no lines of its own.
    """
    measure, values = timeline.measure, timeline.values
    lines = [printable(f"{timeline.title}: {_runs(len(values))}, {measure.name}")]
    for level in timeline.levels:
        held = f"  {measure.show_value(level.value)}, held by {_runs(len(level.runs))}"
        change = "" if math.isnan(level.change) else f", {level.change:+.1%}"
        accepted = f", accepted: {level.reason}" if level.reason else ""
        lines.append(printable(held + change + accepted))
    places = {run: level for level in timeline.levels for run in level.runs}
    shown = [values[run] for run in places] or values
    scale = min(shown), max(shown)
    firsts = {level.runs[0] for level in timeline.levels[1:]}
    texts = [measure.show_number(value) for value in values]
    width = max(map(len, texts))
    for number, (entry, value) in enumerate(zip(timeline.entries, values, strict=True)):
        if number in firsts:
            ruler = "-" * (12 + 1 + 16 + 2 + width + 2)
            lines.append(f"  {ruler}{'-' * (_BAR + 1)} change of level")
        row = [" "] * (_BAR + 1)
        if number in places:
            row[_place(places[number].value, *scale)] = "|"
        row[_place(value, *scale)] = "o" if timeline.set_aside[number] else "*"
        aside = "  set aside" if timeline.set_aside[number] else ""
        text = f"{texts[number]:>{width}}"
        line = f"  {entry.id} {entry.date}  {text}  {''.join(row).rstrip()}{aside}"
        lines.append(printable(line))
    return "\n".join(lines)


def format_csv(timeline: Timeline) -> str:
    """One row per run: time, commit, id, the level's number, set aside or not, all measures.

    `time` is in seconds since 1970. Runs that were set aside are left out: a reader of the file
    would take them for slow. Metrics that a run lacks are empty.
    """
    names = list(dict.fromkeys(name for entry in timeline.entries for name in entry.measures))
    level_of = {run: i for i, level in enumerate(timeline.levels) for run in level.runs}
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["time", "date", "commit", "id", "level", *names])
    for number, entry in enumerate(timeline.entries):
        if number in level_of:
            date = entry.start or entry.added
            place = [_seconds(date), date, entry.commit, entry.id, level_of[number]]
            writer.writerow([*place, *(_csv_value(entry, name) for name in names)])
    return text.getvalue()


def _timeline(ledger: Ledger, entries: Sequence[Entry], measure: Measure) -> Timeline:
    past = set_noisy_aside(past_of(ledger, entries, measure))
    values = [run.pace.pace for run in past.runs]
    kept = [number for number, run in enumerate(past.runs) if not run.set_aside]
    accepted = [sum(number < at for number in kept) for at in past.accepted]
    segments = find_segments([values[number] for number in kept], accepted=accepted)
    reasons = {a.run: a.reason for a in ledger.acceptances}
    return Timeline(
        title=_title(entries[0], ledger),
        measure=measure,
        entries=tuple(entries),
        values=tuple(measure.value_of(value) for value in values),
        set_aside=tuple(run.set_aside for run in past.runs),
        levels=tuple(_levels(entries, segments, kept, measure, reasons)),
    )


def _levels(
    entries: Sequence[Entry],
    segments: Sequence[Segment],
    kept: Sequence[int],
    measure: Measure,
    reasons: dict[str, str],
) -> list[Level]:
    levels: list[Level] = []
    for segment in segments:
        runs = tuple(kept[segment.first : segment.end])
        value = measure.value_of(segment.level)
        change = value / levels[-1].value - 1 if levels else math.nan
        begin = kept[segment.first - 1] + 1 if segment.first else 0
        reason = next(
            (reasons[entries[n].id] for n in range(begin, runs[0] + 1) if entries[n].id in reasons),
            "",
        )
        levels.append(Level(runs=runs, value=value, change=change, reason=reason))
    return levels


def _title(entry: Entry, ledger: Ledger) -> str:
    """What tells the series from others, in a few words."""
    told = [f"{name} {entry.like[name]}" for name in _NAMES if entry.like.get(name)]
    return f"{ledger.name}: {', '.join(told)}" if told else ledger.name


def _runs(count: int) -> str:
    return f"{count} run{'s' * (count != 1)}"


def _place(value: float, low: float, high: float) -> int:
    """The column of a value; of one beyond the scale its end."""
    share = (value - low) / (high - low) if high > low else 0.5
    return round(min(max(share, 0.0), 1.0) * _BAR)


def _value_in(entry: Entry, name: str) -> float | None:
    document = entry.measures.get(name)
    if document is None:
        return None
    if "pace" not in document:
        return float(document["value"])
    pace = document["pace"]
    return math.exp(-pace if name == TIME_COST else pace)


def _csv_value(entry: Entry, name: str) -> str:
    value = _value_in(entry, name)
    return "" if value is None else f"{value:.10g}"


def _seconds(date: str) -> int:
    try:
        return round(datetime.fromisoformat(date).timestamp())
    except ValueError:  # somebody wrote the line by hand
        return 0
