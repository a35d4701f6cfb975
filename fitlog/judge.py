"""Whether runs are slower than a baseline or a history, or that cannot be told: the decision.

Windows of one run hang together and runs differ from each other even when nothing changed, so a run
counts as one observation: its pace. With few runs a side their spread is estimated from what they
show and from what is known of run-to-run noise (a moderated t); a history tells its own spread.
What cannot be told is 'inconclusive', never a pass. `docs/gate.md` explains the procedure to a
sceptic.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from fitlog.errors import BaselineError
from fitlog.history import (
    CUT_OFF,
    CUT_OFF_FOR_ONE,
    MIN_SEGMENT,
    Segment,
    Spread,
    best_segment,
    error_against_level,
    find_segments,
    huber_location,
    location_variance,
    spread_of,
)
from fitlog.measures import PACE_MEASURE, Measure
from fitlog.noise import judge_noise, spread_limit, usual_usage
from fitlog.paces import JudgedRun
from fitlog.stats import Pace, t_quantile
from fitlog.verdicts import Judgement, Reference, Verdict

# A history of fewer runs is judged as a baseline of several runs.
MIN_HISTORY: Final = 8
# What clean runs differ by on the machines measured: 2 %, weighing as much as four runs would.
_PRIOR_SPREAD: Final = 0.02
_PRIOR_WEIGHT: Final = 4
_LEDGER_WEIGHT: Final = 9
# What rests on one run alone must be the more certain.
_ALPHA_ONE: Final = 0.005
_ALPHA_FEW: Final = 0.01
_ALPHA_HISTORY: Final = 0.008
# Where a new run was set aside, the machine was busy: the others must be the more certain.
_DISTURBED: Final = 0.25
# A run this suspicious is worth two more.
_ALPHA_SCREEN: Final = 0.05
_CONFIDENCE: Final = 0.95
_POWER: Final = 0.8
# Runs a side to see an effect as large as the spread: 2 (z(.99) + z(.8))^2, rounded.
_RUNS_FOR_UNIT_EFFECT: Final = 20
_LARGEST_LOG: Final = 709.0
_TOO_FEW: Final = "too few runs are left to judge: repeat them on a quiet machine"


_NO_LEVEL: Final = Segment(first=0, end=0, level=math.nan)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What the verdicts are drawn by; see `fitlog.check`. `alpha` None is the mode's own."""

    tolerance: float = 0.05
    min_effect: float = 0.02
    alpha: float | None = None
    measure: Measure = PACE_MEASURE


@dataclass(frozen=True, slots=True, kw_only=True)
class Past:
    """Comparable runs of a ledger, oldest first.

    `accepted` are the runs, by number, at which somebody accepted a new level; `dates` say when the
    runs were made, one each, where that is shown. `processors` is how many a run may use, if known.
    """

    name: str
    runs: Sequence[JudgedRun]
    accepted: Sequence[int] = ()
    dates: Sequence[str] = ()
    processors: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Estimate:
    """A difference of log paces, its standard error, and the spread of runs behind that."""

    difference: float
    error: float
    df: float
    spread: float
    source: str


def judge(
    candidates: Sequence[JudgedRun],
    baseline: Sequence[JudgedRun],
    rules: Rules,
    *,
    past: Past | None = None,
    processors: int | None = None,
) -> Judgement:
    """The verdict on runs against runs; the `past` tells by how much runs differ, if it is given.

    Raises:
        BaselineError: metrics of different epochs.
    """
    _require_one_epoch([*candidates, *baseline])
    tells = past is not None and len(past.runs) >= MIN_HISTORY
    history = past.runs if past is not None and tells else ()
    limit = spread_limit(candidates, baseline, history)
    usual = usual_usage(history or [*candidates, *baseline])
    candidates, baseline, history = (
        [judge_noise(run, limit=limit, usual=usual, processors=processors) for run in side]
        for side in (candidates, baseline, history)
    )
    levels = [pace.pace for pace in _counted(history)]
    new, old = _counted(candidates), _counted(baseline)
    reasons = _about(candidates, baseline)
    judgement = Judgement(
        verdict="inconclusive",
        effect=math.nan,
        interval=(math.nan, math.nan),
        detectable=math.nan,
        tolerance=rules.tolerance,
        reasons=(*reasons, _TOO_FEW),
        candidates=tuple(candidates),
        baseline=tuple(baseline),
        measure=rules.measure,
    )
    if len(new) < min(2, len(candidates)) or len(old) < min(2, len(baseline)):
        return judgement
    prior = None
    if past is not None and len(levels) >= MIN_HISTORY:
        one = len(new) == len(old) == 1
        cut_off = CUT_OFF_FOR_ONE if one else None
        prior = spread_of(levels, find_segments(levels), cut_off=cut_off)
    estimate = _difference(new, old, prior)
    if past is not None and prior is not None:
        source = f"as the {len(levels)} runs of {past.name} do"
        estimate = replace(estimate, source=source)
    alpha = rules.alpha or (_ALPHA_ONE if len(new) == len(old) == 1 else _ALPHA_FEW)
    verdict = _verdict(estimate, rules, alpha)
    if verdict == "inconclusive":
        reasons.append(_runs_needed(estimate, rules, len(new), len(old)))
    if len(new) == len(old) == 1 and prior is None:
        reasons.append(
            "one run a side says nothing of how runs differ: a run-to-run spread of"
            f" {_PRIOR_SPREAD:.0%} is assumed"
        )
    return _with_numbers(judgement, verdict, estimate, alpha, reasons)


def set_noisy_aside(past: Past) -> Past:
    """The past, with the runs marked that a busy machine has spoilt; few runs do not tell."""
    if len(past.runs) < MIN_HISTORY:
        return past
    limit, usual = spread_limit((), (), past.runs), usual_usage(past.runs)
    runs = [
        judge_noise(run, limit=limit, usual=usual, processors=past.processors) for run in past.runs
    ]
    return replace(past, runs=runs)


def judge_history(candidates: Sequence[JudgedRun], past: Past, rules: Rules) -> Judgement:
    """The verdict on one run, or up to a few of the same training, against those of a ledger.

    A history of fewer than 8 runs is judged as a baseline of several runs.

    Raises:
        BaselineError: no run to compare with, or metrics of different epochs.
    """
    _require_one_epoch([*candidates, *past.runs])
    if len(past.runs) < MIN_HISTORY:
        runs = f"{len(past.runs)} comparable run{'s' * (len(past.runs) != 1)}"
        few = f"{past.name} holds {runs}: from {MIN_HISTORY} on, history"
        judgement = judge(candidates, past.runs, rules, processors=past.processors)
        told = f"{few} tells by how much runs differ"
        return replace(judgement, reasons=(*judgement.reasons, told))
    limit = spread_limit(candidates, (), past.runs)
    usual = usual_usage(past.runs)
    candidates = [
        judge_noise(run, limit=limit, usual=usual, processors=past.processors) for run in candidates
    ]
    old = set_noisy_aside(past).runs
    kept = [number for number, run in enumerate(old) if not run.set_aside]
    new = _counted(candidates)
    reasons = _about(candidates, ())
    values = [old[number].pace.pace for number in kept]
    accepted = [sum(number < at for number in kept) for at in past.accepted]
    segments = find_segments(values, accepted=accepted) or [_NO_LEVEL]
    last = segments[-1]
    best = best_segment(segments, max(accepted, default=0)) or last
    judgement = Judgement(
        verdict="inconclusive",
        effect=math.nan,
        interval=(math.nan, math.nan),
        detectable=math.nan,
        tolerance=rules.tolerance,
        reasons=(*reasons, _TOO_FEW),
        candidates=tuple(candidates),
        baseline=tuple(old),
        measure=rules.measure,
        reference=Reference(
            name=past.name,
            level=last.level,
            level_runs=len(last),
            runs=len(kept),
            set_aside=len(old) - len(kept),
            changes=len(segments) - 1,
            best=best.level,
            since=past.dates[kept[last.first]] if past.dates and kept else "",
        ),
    )
    if not new or len(kept) < MIN_SEGMENT:
        return judgement
    estimate = _from_level(new, values, segments, last)
    alpha = rules.alpha or (_ALPHA_ONE if len(new) == 1 else _ALPHA_HISTORY)
    if len(new) < len(candidates):
        alpha *= _DISTURBED
    verdict = _verdict(estimate, rules, alpha)
    suspect = (
        verdict not in ("regression", "improved")
        and len(new) < 3
        and _is_slower(estimate, rules, max(alpha, _ALPHA_SCREEN))
    )
    drifted = _from_level(new, values, segments, best)
    if (
        verdict != "regression"
        and best.level > last.level
        and _is_slower(drifted, rules, alpha)
        and drifted.difference < math.log1p(-rules.tolerance)
    ):
        verdict, estimate = "regression", drifted
        reasons.append(_drift_reason(best, last, rules.measure))
    if suspect and verdict != "regression":
        verdict = "inconclusive"
        reasons.append(
            "that is suspicious, not certain: judge this run together with two more of the same"
        )
    elif verdict == "inconclusive":
        reasons.append(_candidates_needed(estimate, rules, alpha, len(new), len(last)))
    return replace(_with_numbers(judgement, verdict, estimate, alpha, reasons), suspect=suspect)


def _verdict(estimate: _Estimate, rules: Rules, alpha: float) -> Verdict:
    difference, error = estimate.difference, estimate.error
    if _is_slower(estimate, rules, alpha):
        return "regression"
    if _is_slower(replace(estimate, difference=-difference), rules, alpha):
        return "improved"
    low = difference - t_quantile(_CONFIDENCE, estimate.df) * error
    return "pass" if low > math.log1p(-rules.tolerance) else "inconclusive"


def _is_slower(estimate: _Estimate, rules: Rules, alpha: float) -> bool:
    bound = estimate.difference + t_quantile(1 - alpha, estimate.df) * estimate.error
    return bound < 0 and estimate.difference < math.log1p(-rules.min_effect)


def _with_numbers(
    judgement: Judgement,
    verdict: Verdict,
    estimate: _Estimate,
    alpha: float,
    reasons: Sequence[str],
) -> Judgement:
    reach = t_quantile(_CONFIDENCE, estimate.df) * estimate.error
    call = t_quantile(1 - alpha, estimate.df) + t_quantile(_POWER, estimate.df)
    return replace(
        judgement,
        verdict=verdict,
        effect=_relative(estimate.difference),
        interval=(
            _relative(estimate.difference - reach),
            _relative(estimate.difference + reach),
        ),
        detectable=_relative(-call * estimate.error),
        reasons=tuple(reasons),
        spread=estimate.spread,
        spread_source=estimate.source,
    )


def _relative(difference: float) -> float:
    """A difference of logarithms as a relative change; one beyond all numbers ends there."""
    return math.expm1(min(difference, _LARGEST_LOG))


def _difference(new: Sequence[Pace], old: Sequence[Pace], known: Spread | None) -> _Estimate:
    """Mean difference of log paces, with a moderated standard error (Smyth 2004)."""
    a, b = [pace.pace for pace in new], [pace.pace for pace in old]
    squares = sum((x - statistics.fmean(side)) ** 2 for side in (a, b) for x in side)
    df = len(a) + len(b) - 2
    if known is None:
        within = statistics.median(pace.variance for pace in (*new, *old))
        prior, weight = _PRIOR_SPREAD**2 + within, _PRIOR_WEIGHT
        source = "as these runs and an assumption tell" if df else "which is an assumption"
    else:
        prior, weight, source = known.value**2, _LEDGER_WEIGHT, ""
    variance = (weight * prior + squares) / (weight + df)
    return _Estimate(
        difference=statistics.fmean(a) - statistics.fmean(b),
        error=math.sqrt(variance * (1 / len(a) + 1 / len(b))),
        df=math.inf if df == 0 else weight + df,
        spread=math.sqrt(variance),
        source=source,
    )


def _from_level(
    new: Sequence[Pace], values: Sequence[float], segments: Sequence[Segment], against: Segment
) -> _Estimate:
    cut_off = CUT_OFF_FOR_ONE if len(new) == 1 else CUT_OFF
    spread = spread_of(values, segments, cut_off=cut_off)
    level = huber_location(values[against.first : against.end], spread.value)
    return _Estimate(
        difference=huber_location([pace.pace for pace in new], spread.value) - level,
        error=error_against_level(spread.value, len(new), len(against)),
        df=spread.df,
        spread=spread.value,
        source="as those of the history do",
    )


def _counted(runs: Sequence[JudgedRun]) -> list[Pace]:
    return [run.pace for run in runs if not run.set_aside]


def _about(candidates: Sequence[JudgedRun], baseline: Sequence[JudgedRun]) -> list[str]:
    runs = (*candidates, *baseline)
    aside = [f"{run.name} is set aside: {run.set_aside}" for run in runs if run.set_aside]
    return aside + [f"{run.name}: {doubt}" for run in runs for doubt in run.doubts]


def _require_one_epoch(runs: Sequence[JudgedRun]) -> None:
    """Metrics are compared after the same number of epochs."""
    first = runs[0]
    for run in runs[1:]:
        if run.epoch != first.epoch:
            raise BaselineError(
                f"epochs do not match: {first.name} ends with epoch {first.epoch}, {run.name} with"
                f" epoch {run.epoch}; compare runs of the same number of epochs"
            )


def _runs_needed(estimate: _Estimate, rules: Rules, new: int, old: int) -> str:
    effect = -math.log1p(-rules.tolerance)
    runs = math.ceil(_RUNS_FOR_UNIT_EFFECT * (estimate.spread / effect) ** 2)
    more = max(runs, new + 1, old + 1)
    return f"about {more} runs a side would tell a change of {rules.tolerance:.1%}"


def _candidates_needed(
    estimate: _Estimate, rules: Rules, alpha: float, new: int, level_runs: int
) -> str:
    call = t_quantile(1 - alpha, estimate.df) + t_quantile(_POWER, estimate.df)
    room = (-math.log1p(-rules.tolerance) / call / estimate.spread) ** 2 - location_variance(
        level_runs
    )
    if room <= 0:
        return f"a change of {rules.tolerance:.1%} takes a longer history to tell"
    more = max(new + 1, math.ceil(1 / room))
    return f"about {more} runs judged together would tell a change of {rules.tolerance:.1%}"


def _drift_reason(best: Segment, last: Segment, measure: Measure) -> str:
    return (
        f"the level has come down from {measure.show(best.level)}, held by {len(best)} runs, to"
        f" {measure.show(last.level)}; judged against the best: accept the new level with a reason"
        " (fitlog history accept), or find what was lost"
    )
