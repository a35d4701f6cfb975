"""Runs beside each other: what they were set to, how fast they were, and what they came to.

Every run is held against one of them, the baseline. Nothing here is a verdict, and nothing is
hidden: settings that differ come first, and what could not be compared is said. `docs/comparing.md`
says how sure each difference is, and why.
"""

from __future__ import annotations

import math
import os
import string
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final, Literal

from fitlog.compared import RunFacts, read_facts
from fitlog.comparison import ComparedRun, Comparison, Setting
from fitlog.contrasts import RUN_SPREAD
from fitlog.directions import is_higher_better, unit_of
from fitlog.errors import SettingError
from fitlog.quantities import epoch_times, metric_values, throughput, time_to_target
from fitlog.run_folder import RECORD
from fitlog.sources import Source
from fitlog.tables import RunLog, is_archived
from fitlog.which_run import find_runs

Better = Literal["higher", "lower"]

SPLITS: Final = ("validation", "train")
_LABELS: Final = string.ascii_uppercase
MOST_COMPARED: Final = len(_LABELS)


def compare(
    *logs: Source | RunLog,
    baseline: Source | RunLog | None = None,
    metric: str | None = None,
    target: float | None = None,
    better: Mapping[str, Better] | None = None,
) -> Comparison:
    """Compare runs with a baseline: the first, if none is named.

    Each is what `read_log` takes, a run's folder, or a `RunLog`; `baseline` may be one of them or
    another. Time is measured until `metric` reaches `target`: by default the first validated
    accuracy, or else metric, of all runs, and the best that all of them reach. `better` says of
    metrics by name whether 'higher' or 'lower' is better, where their names tell otherwise.

    Raises:
        LogError: a log cannot be read; a folder or glob without a log.
        TrainingError: a damaged `run.json` beside a log.
        SettingError: fewer than two runs, or more than 26; one that is named twice; a metric that
            not all runs have; a target that is no finite number; a `RunLog` of several logs.
    """
    if target is not None and not math.isfinite(target):
        raise SettingError(f"target {target}: must be a finite number")
    sources = _in_order(find_runs(logs), None if baseline is None else find_runs([baseline]))
    facts = [read_facts(source) for source in sources]
    directions = _directions(facts, better or {})
    quantities, notes = throughput(facts), list[str]()
    watched = _watched(facts, metric, directions)
    if watched is not None:
        quantities += time_to_target(facts, watched, target, higher=directions[watched] is True)
    elif target is not None:
        raise SettingError(f"target {target}: the runs have no metric in common to reach it")
    quantities += epoch_times(facts)
    for name in directions:
        quantities += metric_values(facts, name, directions[name])
    unknown = [name for name, higher in directions.items() if higher is None]
    if unknown:
        notes.append(
            f"whether more of {', '.join(unknown)} is better, the name does not tell: --better"
            " NAME=higher says so"
        )
    return Comparison(
        runs=tuple(
            ComparedRun(
                label=label,
                name=fact.name,
                status=fact.status,
                epochs=len(fact.epochs),
                wall_seconds=fact.wall_seconds,
                settings=fact.settings,
                settings_source=fact.settings_source,
                notes=fact.notes,
            )
            for label, fact in zip(_LABELS, facts, strict=False)
        ),
        metric=watched,
        settings=tuple(find_unlike(facts)),
        quantities=tuple(quantities),
        notes=(*notes, *_doubts(facts)),
        logs=tuple(fact.log for fact in facts),
    )


def find_unlike(facts: Sequence[RunFacts]) -> list[Setting]:
    """The settings that differ; what a run says nothing of is only compared among the others.

    Runs with a `run.json` say everything: what one of them lacks, and another has, is not set.
    """
    recorded = [fact for fact in facts if fact.settings_source == RECORD]
    unlike = []
    for name in dict.fromkeys(name for fact in facts for name in fact.settings):
        told = {fact.settings[name] for fact in facts if name in fact.settings}
        of_records = {fact.settings.get(name) for fact in recorded}
        if len(told) > 1 or len(of_records) > 1:
            values = tuple(fact.settings.get(name) for fact in facts)
            unlike.append(Setting(name=name, values=values))
    return unlike


def _in_order(
    found: list[Source | RunLog], baselines: list[Source | RunLog] | None
) -> list[Source | RunLog]:
    """The baseline first, whether it is one of the others or not."""
    if baselines is not None:
        if len(baselines) > 1:
            raise SettingError(f"the baseline is {len(baselines)} runs: name one")
        found = [*baselines, *(log for log in found if not _is_same(log, baselines[0]))]
    for i, log in enumerate(found):
        if any(_is_same(log, other) for other in found[:i]):
            name = log.name if isinstance(log, RunLog) else log
            raise SettingError(f"{name!s} is named twice: a run does not differ from itself")
    if len(found) < 2:
        raise SettingError("one run alone cannot be compared: name another log, or a baseline")
    if len(found) > MOST_COMPARED:
        raise SettingError(f"{len(found)} runs are too many: {MOST_COMPARED} can be told apart")
    return found


def _is_same(one: Source | RunLog, other: Source | RunLog) -> bool:
    if one is other:
        return True
    if isinstance(one, RunLog) and isinstance(other, RunLog):  # of an archive, or read by somebody
        return one.name == other.name and is_archived(one) and is_archived(other)
    if not isinstance(one, (str, os.PathLike)) or not isinstance(other, (str, os.PathLike)):
        return False
    if "-" in (os.fspath(one), os.fspath(other)):
        return os.fspath(one) == os.fspath(other)
    return Path(one).exists() and Path(other).exists() and Path(one).samefile(other)


def _directions(facts: Sequence[RunFacts], better: Mapping[str, Better]) -> dict[str, bool | None]:
    """Of each metric, validated ones first, whether more of it is better."""
    names = list(dict.fromkeys(name for fact in facts for name in fact.metrics))
    names.sort(key=lambda name: SPLITS.index(name.partition("-")[0]))
    directions = {name: is_higher_better(name.partition("-")[2]) for name in names}
    for given, word in better.items():
        if word not in ("higher", "lower"):
            raise SettingError(f"better {given}={word}: must be higher or lower")
        meant = [name for name in names if given in (name, name.partition("-")[2])]
        if not meant:
            raise SettingError(f"better {given}={word}: no run has this metric{_known(names)}")
        directions |= dict.fromkeys(meant, word == "higher")
    return directions


def _watched(
    facts: Sequence[RunFacts], metric: str | None, directions: Mapping[str, bool | None]
) -> str | None:
    """The metric whose rise is timed: the one that is named, else an accuracy before others."""
    common = [name for name in directions if all(name in fact.metrics for fact in facts)]
    able = [name for name in common if directions[name] is not None]
    if metric is None:
        able.sort(key=lambda name: unit_of(name.partition("-")[2]) != "share")
        able.sort(key=lambda name: not name.startswith(SPLITS[0]))
        return able[0] if able else None
    for name in (metric, *(f"{split}-{metric}" for split in SPLITS)):
        if name in able:
            return name
        if name in common:
            raise SettingError(
                f"metric {name}: whether more of it is better, the name does not tell; say so by"
                f" --better {metric}=higher"
            )
    raise SettingError(f"metric {metric}: not all runs have it{_known(able)}")


def _known(names: Sequence[str]) -> str:
    return f"; known: {', '.join(names)}" if names else "; there is no metric at all"


def _doubts(facts: Sequence[RunFacts]) -> list[str]:
    doubts = [
        "each column is one run, which says nothing of how runs differ: for speeds and times"
        f" {RUN_SPREAD:.0%} from run to run is assumed, for metrics another seed is not allowed for"
    ]
    begins = {
        label: fact.epochs[0] for label, fact in zip(_LABELS, facts, strict=False) if fact.epochs
    }
    if len(set(begins.values())) > 1:
        told = ", ".join(f"{label}: {epoch}" for label, epoch in begins.items())
        doubts.append(
            f"the runs begin with unlike epochs ({told}): wall time counts from each one's own"
        )
    bare = [_LABELS[i] for i, fact in enumerate(facts) if not fact.settings_source]
    partly = [
        _LABELS[i] for i, fact in enumerate(facts) if fact.settings_source not in ("", RECORD)
    ]
    if bare:
        doubts.append(
            f"settings, versions and machine of {', '.join(bare)} are not known: there is no"
            f" {RECORD} beside the log and no Namespace in it"
        )
    if partly:
        doubts.append(
            f"versions and machine of {', '.join(partly)} are not known: its settings are those of"
            " the log's Namespace"
        )
    return doubts
