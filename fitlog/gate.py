"""The gate: new runs judged against a baseline or a history.

The logs are read, only like is compared with like, and `fitlog.judge` decides. `docs/gate.md`
explains the procedure to a sceptic.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from fitlog.chosen import ORDER_OF_UNDATED
from fitlog.errors import BaselineError, SettingError
from fitlog.fingerprint import BARE, MAY_DIFFER, Fingerprint, differences, fingerprint_of
from fitlog.judge import MIN_HISTORY, Rules, judge, judge_history
from fitlog.ledger import Ledger, read_ledger
from fitlog.measures import PACE, find_measure
from fitlog.paces import JudgedRun, judged_run
from fitlog.past import run_id, select_past
from fitlog.readings import Reading, read_run
from fitlog.sources import Source
from fitlog.tables import RunLog
from fitlog.verdicts import EXIT_CODES, Judgement, Verdict, format_judgement
from fitlog.which_run import find_runs

__all__ = ["EXIT_CODES", "Judgement", "Verdict", "check", "format_judgement"]

_Read = tuple[Reading, Fingerprint]


def check(
    candidates: Sequence[Source | RunLog],
    *,
    baseline: Sequence[Source | RunLog] = (),
    history: str | os.PathLike[str] | Ledger | None = None,
    metric: str = PACE,
    better: str | None = None,
    tolerance: float = 0.05,
    min_effect: float = 0.02,
    alpha: float | None = None,
    warm_up: int | None = None,
    series: str | None = None,
    ignore: Collection[str] = (),
) -> Judgement:
    """Judge candidate runs against baseline runs, or against the ledger `history`.

    Each run is what `read_log` takes, a run's folder, or a `RunLog`; a glob stands for several.
    The ledger is its file, or a `Ledger` that has been read or made.

    Regression: worse with confidence 1 - `alpha`, and by `min_effect` at least. Improved: the
    mirror image. Pass: a change for the worse by `tolerance` is ruled out at 95 %. Else
    inconclusive. `alpha` None is 0.005 where one run is judged by one or by a history, 0.008 for
    several against a history, else 0.01. `tolerance`, `min_effect` and `alpha` are parts of the
    whole: 0.05 is 5 %. With a baseline and a history, the history only tells by how much runs
    differ.

    `metric` is 'pace', 'throughput', 'time_cost' or a metric such as 'validation-accuracy';
    `better`, 'higher' or 'lower', overrides what its name tells. `warm_up` windows are dropped from
    each run; None finds out how many. Of a log that holds several runs the last is judged, of
    several nodes the first. Only runs of like machines and settings are compared, those named
    `series` in the ledger where that is given; `ignore` names what may differ.

    Raises:
        LogError: a log cannot be read, or holds nothing that could be judged.
        TrainingError: a damaged `run.json` beside a log.
        BaselineError: nothing to compare with, unlike runs, a run that is both candidate and
            baseline, or metrics of different epochs.
        SettingError: a setting out of its range, a run named twice, or a `RunLog` of several logs.
    """
    _check_settings(tolerance, min_effect, alpha, warm_up)
    measure = find_measure(metric, better)
    rules = Rules(tolerance=tolerance, min_effect=min_effect, alpha=alpha, measure=measure)
    if not candidates:
        raise BaselineError("no candidate to judge")
    if not baseline and history is None:
        raise BaselineError(
            "no baseline to compare with: name logs of good runs (--baseline), or a ledger"
            " (--history)"
        )
    candidates, baseline = find_runs(candidates), find_runs(baseline)
    _require_other_logs(candidates, baseline)
    # A ledger that is not there is said before time is spent on logs.
    ledger = history if history is None or isinstance(history, Ledger) else read_ledger(history)

    def read(source: Source | RunLog) -> _Read:
        reading = read_run(source)
        return reading, fingerprint_of(reading, series=series, warm_up=warm_up)

    def judged(runs: Sequence[_Read]) -> list[JudgedRun]:
        return [judged_run(reading, measure, warm_up=warm_up) for reading, _ in runs]

    new, old, doubts = _each_once(map(read, candidates), map(read, baseline))
    if baseline and not old:
        raise BaselineError("the baseline holds no run but the candidates: nothing to compare with")
    judged_new, judged_old = judged(new), judged(old)
    doubts += _require_alike([*new, *old], ignore)
    if ledger is None:
        judgement = judge(judged_new, judged_old, rules, processors=new[0][1].processors)
        return replace(judgement, reasons=(*judgement.reasons, *doubts))
    past = select_past(ledger, new, measure, ignore=ignore)
    if old:
        judgement = judge(judged_new, judged_old, rules, past=past, processors=new[0][1].processors)
    else:
        judgement = judge_history(judged_new, past, rules)
    doubts += _about_ledger(ledger, new)
    undated = sum(not date for date in past.dates)
    if undated and len(past.dates) >= MIN_HISTORY:
        doubts.append(
            f"when {undated} of the {len(past.dates)} comparable runs of {ledger.name} began is not"
            f" told by their logs: they are taken {ORDER_OF_UNDATED}"
        )
    return replace(judgement, reasons=(*judgement.reasons, *doubts))


def _about_ledger(ledger: Ledger, candidates: Sequence[_Read]) -> list[str]:
    doubts = list(ledger.doubts)
    known = {entry.id for entry in ledger.entries}
    bare = [reading.name for reading, print_ in candidates if print_.source == BARE]
    if bare:
        doubts.append(f"no run.json tells where {', '.join(bare)} ran: this machine is assumed")
    for reading, _ in candidates:
        if run_id(reading) in known:
            doubts.append(f"{reading.name} is in {ledger.name} itself, and is left out of it")
    return doubts


def _require_alike(runs: Sequence[_Read], ignore: Collection[str]) -> list[str]:
    """Doubts about what differs; what makes a comparison mean nothing is an error."""
    doubts: list[str] = []
    first, ours = runs[0]
    for reading, theirs in runs[1:]:
        may = {*ignore, *MAY_DIFFER}
        apart = differences(ours.fields, theirs.fields, ignore=may)
        if apart:
            raise BaselineError(
                f"{first.name} and {reading.name} are not alike: {'; '.join(apart)};"
                " --ignore NAME compares in spite of it"
            )
        doubts += [
            f"{first.name} (here) and {reading.name} (there): {text}"
            for text in differences(ours.fields, theirs.fields, ignore=ignore)
        ]
    return doubts


def _check_settings(
    tolerance: float, min_effect: float, alpha: float | None, warm_up: int | None
) -> None:
    for name, value, least, most in (
        ("tolerance", tolerance, 1e-3, 0.99),
        ("min_effect", min_effect, 1e-6, 0.99),
        ("alpha", alpha, 1e-6, 0.49),
    ):
        if value is not None and not least <= value <= most:
            raise SettingError(
                f"{name} {value} is out of range: must be from {least:g} to {most:g}"
            )
    if warm_up is not None and warm_up < 0:
        raise SettingError(f"warm_up {warm_up} is out of range: must be 0 or more")


def _each_once(
    candidates: Iterable[_Read], baseline: Iterable[_Read]
) -> tuple[list[_Read], list[_Read], list[str]]:
    """The runs of each side, and what was left out: a copy of a log is no run of its own.

    What is named twice is an error; of what an archive holds, copies are left out.
    """
    seen: dict[str, tuple[str, bool]] = {}
    sides: tuple[list[_Read], list[_Read]] = [], []
    doubts = []
    for is_baseline, runs in ((False, candidates), (True, baseline)):
        for reading, print_ in runs:
            # Other runs may well agree in a metric, not in each time.
            run = run_id(reading) if reading.windows or reading.time_costs else ""
            if not run or run not in seen:
                sides[is_baseline].append((reading, print_))
                seen[run] = reading.name, is_baseline
                continue
            name, side = seen[run]
            same = f"{name} and {reading.name} are one and the same run"
            if reading.record is not None and side != is_baseline:
                doubts.append(f"{reading.name} is a candidate, and is left out of the baseline")
            elif reading.record is not None:
                doubts.append(f"{same}, which is counted once")
            elif side != is_baseline:
                raise BaselineError(f"{same}: it is both candidate and baseline")
            else:
                raise SettingError(f"{same}, which counts once")
    return *sides, doubts


def _require_other_logs(
    candidates: Sequence[Source | RunLog], baseline: Sequence[Source | RunLog]
) -> None:
    """A log counts as one run, and cannot be judged by itself."""
    seen: dict[tuple[int, int], bool] = {}
    for is_baseline, sources in ((False, candidates), (True, baseline)):
        for source in sources:
            if not isinstance(source, (str, os.PathLike)) or not Path(source).is_file():
                continue
            status = Path(source).stat()
            file = (status.st_dev, status.st_ino)
            if file in seen and seen[file] != is_baseline:
                raise BaselineError(f"{source} is both candidate and baseline")
            if file in seen:
                raise SettingError(f"{source} is named twice: a log counts as one run")
            seen[file] = is_baseline
