"""Between runs and the ledger: what is kept of a run, and which past runs it is compared with."""

from __future__ import annotations

import getpass
import hashlib
import math
import socket
from collections.abc import Collection, Sequence
from datetime import UTC, datetime
from itertools import pairwise
from typing import Final

from fitlog.errors import BaselineError, LogError, NoRecordsError
from fitlog.fingerprint import Fingerprint, differences, fingerprint_of
from fitlog.judge import Past
from fitlog.ledger import Document, Entry, Ledger, pace_document, pace_of
from fitlog.measures import PACE, SPEEDS, TIME_COST, Measure, find_measure, measure_run
from fitlog.paces import JudgedRun
from fitlog.readings import Reading
from fitlog.stats import Pace
from fitlog.usage import read_usage

_ID_DIGITS: Final = 12


def run_id(reading: Reading) -> str:
    """What a run is known by: a digest of all it measured, whatever the log's name or form."""
    measured = (
        [window.samples_per_sec for window in reading.windows],
        sorted(reading.time_costs.items()),
        sorted((name, sorted(values.items())) for name, values in reading.metrics.items()),
    )
    return hashlib.sha256(repr(measured).encode()).hexdigest()[:_ID_DIGITS]


def make_entry(
    reading: Reading,
    *,
    added: datetime,
    series: str | None = None,
    warm_up: int | None = None,
    note: str = "",
) -> Entry:
    """What the ledger keeps of a run: everything that it could be judged by.

    Raises:
        LogError: its speeds cannot be judged, or there is nothing to judge in it.
    """
    measures: dict[str, Document] = {}
    warm_up_windows = 0
    if reading.windows:
        for name in SPEEDS:
            pace = measure_run(reading, find_measure(name), warm_up=warm_up)
            measures[name] = pace_document(pace)
            warm_up_windows = pace.warm_up
    try:
        pace = measure_run(reading, find_measure(TIME_COST), warm_up=warm_up)
        measures[TIME_COST] = pace_document(pace)
    except LogError:  # a run of a few epochs, or a log that tells no times
        pass
    for name, values in reading.metrics.items():
        epoch = max(values)
        if math.isfinite(values[epoch]):
            measures[name] = {"value": values[epoch], "epoch": epoch}
    if not measures:
        raise NoRecordsError(
            "holds no speed of a training, no times and no metrics: nothing to keep",
            path=reading.name,
        )
    like = fingerprint_of(reading, series=series, warm_up=warm_up)
    return Entry(
        id=run_id(reading),
        added=added.astimezone(UTC).isoformat(timespec="seconds"),
        by=who(),
        log=reading.name,
        like=like.fields,
        like_source=like.source,
        commit=like.commit,
        start=like.start,
        measures=measures,
        usage=read_usage(reading.folder, skip=warm_up_windows) if reading.folder else None,
        doubts=reading.doubts,
        note=note,
    )


def select_past(
    ledger: Ledger,
    candidates: Sequence[tuple[Reading, Fingerprint]],
    measure: Measure,
    *,
    ignore: Collection[str] = (),
) -> Past:
    """The runs of the ledger that are like the candidates, without the candidates themselves.

    Raises:
        BaselineError: none is, or those that are differ from each other, or lack the measure.
    """
    reading, print_ = candidates[0]
    own = {run_id(candidate) for candidate, _ in candidates}
    others = [entry for entry in ledger.entries if entry.id not in own]
    if not others:
        only = " but the candidate itself" if ledger.entries else ""
        what = "archive" if ledger.is_archive else "ledger"
        raise BaselineError(
            f"the {what} {ledger.name} holds no run{only}: nothing to compare with{ledger.unread}"
        )
    alike = [entry for entry in others if not differences(print_.fields, entry.like, ignore=ignore)]
    if not alike:
        nearest = min(
            reversed(others), key=lambda entry: len(differences(print_.fields, entry.like))
        )
        told = "; ".join(differences(print_.fields, nearest.like, ignore=ignore))
        raise BaselineError(
            f"no run in {ledger.name} is like {reading.name}: {told} ({ledger.name_of(nearest)});"
            " --ignore NAME compares in spite of it"
        )
    for earlier, later in pairwise(alike):
        apart = differences(earlier.like, later.like, ignore=ignore)
        if apart:
            remedy = (
                "choose them by a condition (--past-where)"
                if ledger.is_archive
                else "add runs with --series NAME, or with the run.json beside the log"
            )
            raise BaselineError(
                f"{ledger.name} holds runs of several kinds that {reading.name} cannot be told"
                f" from: between {ledger.name_of(earlier)} and {ledger.name_of(later)},"
                f" {'; '.join(apart)}; {remedy}"
            )
    measured = [entry for entry in alike if measure.name in entry.measures]
    if not measured:
        known = ", ".join(dict.fromkeys(name for entry in alike for name in entry.measures))
        raise BaselineError(
            f"no comparable run in {ledger.name} has {measure.name!r}; known: {known}"
        )
    return past_of(ledger, measured, measure, processors=print_.processors)


def past_of(
    ledger: Ledger, entries: Sequence[Entry], measure: Measure, *, processors: int | None = None
) -> Past:
    """Entries that have the measure, as the judge takes them."""
    places = {entry.id: number for number, entry in enumerate(entries)}
    return Past(
        name=ledger.name,
        runs=[_judged(entry, measure, ledger.name_of(entry)) for entry in entries],
        accepted=[places[a.run] for a in ledger.acceptances if a.run in places],
        dates=[entry.date for entry in entries],
        processors=processors,
    )


def split_series(ledger: Ledger) -> list[list[Entry]]:
    """The runs of each series, by the order of their first runs."""
    found: list[list[Entry]] = []
    for entry in ledger.entries:
        for series in found:
            if not differences(series[0].like, entry.like):
                series.append(entry)
                break
        else:
            found.append([entry])
    return found


def choose_pruned(
    ledger: Ledger, *, keep: int | None = None, runs: Sequence[str] = ()
) -> list[Entry]:
    """The runs to remove: these, by their ids, or all of each series but the last `keep`.

    Raises:
        BaselineError: there is no such run, or it begins a level that was accepted.
    """
    if keep is not None:
        return [entry for series in split_series(ledger) for entry in series[:-keep]]
    chosen = [ledger.find(run) for run in runs]
    for acceptance in ledger.acceptances:
        if acceptance.run in {entry.id for entry in chosen}:
            raise BaselineError(
                f"run {acceptance.run} begins a level that was accepted ({acceptance.reason}):"
                " accept the level from another run on first"
            )
    return chosen


def who() -> str:
    """Who this is, for provenance: user and machine."""
    try:
        user = getpass.getuser()
    except (OSError, KeyError, ImportError):  # a container may run under a number without a name
        user = "unknown"
    return f"{user}@{socket.gethostname()}"


def _judged(entry: Entry, measure: Measure, name: str) -> JudgedRun:
    document = entry.measures[measure.name]
    if "pace" not in document:
        value = document["value"]
        if value <= 0:
            raise BaselineError(
                f"{measure.name} of {name} is {value:g}: relative changes are judged, and need"
                " values above 0"
            )
        log = math.log(value)
        pace = Pace(
            pace=log if measure.higher else -log,
            spread=0.0, variance=0.0, warm_up=0, windows=1, throughput=value, drift=0.0,
        )  # fmt: skip
        return JudgedRun(name=name, pace=pace, epoch=document["epoch"])
    usage = entry.usage if measure.name in (PACE, *SPEEDS, TIME_COST) else None
    return JudgedRun(name=name, pace=pace_of(document), usage=usage)
