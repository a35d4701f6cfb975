"""The throughput gate: whether a candidate is slower than its baseline, or that cannot be told.

Windows of one run hang together and runs differ from each other even when nothing changed, so a run
counts as one observation: its pace. With few runs a side their spread is estimated from what they
show and from what is known of run-to-run noise (a moderated t). What cannot be told is
'inconclusive', never a pass. `docs/gate.md` explains the procedure to a sceptic.
"""

from __future__ import annotations

import math
import os
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Final, Literal

from fitlog.errors import BaselineError, SettingError
from fitlog.paces import JudgedRun, load_pace
from fitlog.sources import Source
from fitlog.stats import Pace, t_quantile
from fitlog.tables import RunLog

Verdict = Literal["pass", "improved", "regression", "inconclusive"]

EXIT_CODES: Final[dict[Verdict, int]] = {
    "pass": 0,
    "improved": 0,
    "regression": 1,
    "inconclusive": 3,
}

# What clean runs differ by on the machines measured: 2 %, weighing as much as four runs would.
_PRIOR_SPREAD: Final = 0.02
_PRIOR_WEIGHT: Final = 4
# Windows that scatter more than this come from a contended machine; quiet ones stay below 0.04.
_NOISY_SPREAD: Final = 0.05
_NOISY_RATIO: Final = 2.0
_NOISIEST_SINGLE: Final = 0.08
_CONFIDENCE: Final = 0.95
_POWER: Final = 0.8
# Runs a side to see an effect as large as the spread: 2 (z(.99) + z(.8))^2, rounded.
_RUNS_FOR_UNIT_EFFECT: Final = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """A verdict and what it rests on.

    `effect` is the candidates' pace relative to the baseline's (-0.05 is 5 % slower), `interval`
    holds it with 90 % confidence (each end with 95 %), `detectable` is the smallest slowdown that
    would have been called with 80 % probability. All three are nan where no run was left to judge.
    `tolerance` is the slowdown that a pass rules out (0.05 is 5 %), `reasons` are sentences,
    `candidates` and `baseline` all runs of each side, also those that were set aside.
    """

    verdict: Verdict
    effect: float
    interval: tuple[float, float]
    detectable: float
    tolerance: float
    reasons: tuple[str, ...]
    candidates: tuple[JudgedRun, ...]
    baseline: tuple[JudgedRun, ...]

    @property
    def exit_code(self) -> int:
        """0 fine, 1 regression, 3 inconclusive."""
        return EXIT_CODES[self.verdict]

    def to_dict(self) -> dict[str, Any]:
        """The judgement as plain data; what is nan becomes None."""
        plain = asdict(self)
        for key in ("effect", "detectable"):
            plain[key] = _finite_or_none(plain[key])
        plain["interval"] = [_finite_or_none(end) for end in self.interval]
        for side in ("candidates", "baseline"):
            for run, judged in zip(plain[side], getattr(self, side), strict=True):
                run["samples_per_sec"] = judged.pace.samples_per_sec
        return plain


def check(
    candidates: Sequence[Source | RunLog],
    *,
    baseline: Sequence[Source | RunLog],
    tolerance: float = 0.05,
    min_effect: float = 0.02,
    alpha: float = 0.01,
    warm_up: int | None = None,
) -> Judgement:
    """Judge the throughput of candidate runs against that of baseline runs.

    Regression: slower with confidence 1 - `alpha`, and by `min_effect` at least. Improved: the
    mirror image. Pass: a slowdown by `tolerance` is ruled out at 95 %. Else inconclusive. `warm_up`
    windows are dropped from each run; None finds out how many. Of a log that holds several runs the
    last is judged, of several nodes the first. `tolerance`, `min_effect` and `alpha` are parts of
    the whole: 0.05 is 5 %.

    Raises:
        LogError: a log cannot be read, or holds no speeds that could be judged.
        BaselineError: nothing to compare, or a log that is both candidate and baseline.
        SettingError: a setting out of its range, a log named twice, or a `RunLog` of several logs.
    """
    _check_settings(tolerance, min_effect, alpha, warm_up)
    if not candidates:
        raise BaselineError("no candidate to judge")
    if not baseline:
        raise BaselineError("no baseline to compare with: name at least one log of a good run")
    _require_other_logs(candidates, baseline)
    new = [load_pace(source, warm_up=warm_up) for source in candidates]
    old = [load_pace(source, warm_up=warm_up) for source in baseline]
    return judge(new, old, tolerance=tolerance, min_effect=min_effect, alpha=alpha)


def judge(
    candidates: Sequence[JudgedRun],
    baseline: Sequence[JudgedRun],
    *,
    tolerance: float,
    min_effect: float,
    alpha: float,
) -> Judgement:
    """The verdict on runs whose pace is known; see `check`."""
    candidates, baseline = _set_noisy_aside(candidates, baseline)
    new = [run.pace for run in candidates if not run.set_aside]
    old = [run.pace for run in baseline if not run.set_aside]
    reasons = [
        f"{run.name} is set aside: {run.set_aside}"
        for run in (*candidates, *baseline)
        if run.set_aside
    ]
    reasons += [f"{run.name}: {doubt}" for run in (*candidates, *baseline) for doubt in run.doubts]
    verdict: Verdict = "inconclusive"
    difference = detectable = math.nan
    low = high = math.nan
    if len(new) < min(2, len(candidates)) or len(old) < min(2, len(baseline)):
        reasons.append("too few runs are left to judge: repeat them on a quiet machine")
    else:
        difference, error, df = _difference(new, old)
        t_call, t_bound = t_quantile(1 - alpha, df), t_quantile(_CONFIDENCE, df)
        low, high = difference - t_bound * error, difference + t_bound * error
        detectable = math.expm1(-(t_call + t_quantile(_POWER, df)) * error)
        if difference + t_call * error < 0 and difference < math.log1p(-min_effect):
            verdict = "regression"
        elif difference - t_call * error > 0 and difference > -math.log1p(-min_effect):
            verdict = "improved"
        elif low > math.log1p(-tolerance):
            verdict = "pass"
        else:
            reasons.append(_why_undecided(error, tolerance, len(new), len(old)))
    if len(new) == len(old) == 1:
        reasons.append(
            "one run a side says nothing of how runs differ: a run-to-run spread of"
            f" {_PRIOR_SPREAD:.0%} is assumed"
        )
    return Judgement(
        verdict=verdict,
        effect=math.expm1(difference),
        interval=(math.expm1(low), math.expm1(high)),
        detectable=detectable,
        tolerance=tolerance,
        reasons=tuple(reasons),
        candidates=tuple(candidates),
        baseline=tuple(baseline),
    )


def format_judgement(judgement: Judgement) -> str:
    """The verdict as a sentence, then what it rests on, a line each."""
    lines = [f"{judgement.verdict}: {_sentence(judgement)}"]
    for side, runs in (("candidate", judgement.candidates), ("baseline", judgement.baseline)):
        for run in runs:
            pace = run.pace
            lines.append(
                f"  {side}: {run.name}: {pace.samples_per_sec:,.1f} samples/sec"
                f" ({pace.windows} windows, spread {pace.spread:.1%}, warm-up {pace.warm_up})"
            )
    lines += [f"  note: {reason}" for reason in judgement.reasons]
    return "\n".join(lines)


def _sentence(judgement: Judgement) -> str:
    if math.isnan(judgement.effect):
        return "the candidate cannot be compared with the baseline."
    low, high = judgement.interval
    direction = "slower" if judgement.effect < 0 else "faster"
    sentence = (
        f"the candidate is {abs(judgement.effect):.1%} {direction} than the baseline"
        f" (90 % confidence: {low:+.1%} to {high:+.1%})"
    )
    match judgement.verdict:
        case "pass":
            return f"{sentence}; a slowdown of {judgement.tolerance:.1%} is ruled out."
        case "inconclusive":
            return (
                f"{sentence}; a slowdown of {judgement.tolerance:.1%} can neither be called nor"
                " ruled out."
            )
        case _:
            return f"{sentence}."


def _why_undecided(error: float, tolerance: float, new: int, old: int) -> str:
    spread = error / math.sqrt(1 / new + 1 / old)
    runs = math.ceil(_RUNS_FOR_UNIT_EFFECT * (spread / -math.log1p(-tolerance)) ** 2)
    more = max(runs, new + 1, old + 1)
    return f"about {more} runs a side would tell a change of {tolerance:.1%}"


def _check_settings(tolerance: float, min_effect: float, alpha: float, warm_up: int | None) -> None:
    for name, value, least, most in (
        ("tolerance", tolerance, 1e-3, 0.99),
        ("min_effect", min_effect, 1e-6, 0.99),
        ("alpha", alpha, 1e-6, 0.49),
    ):
        if not least <= value <= most:
            raise SettingError(
                f"{name} {value} is out of range: must be from {least:g} to {most:g}"
            )
    if warm_up is not None and warm_up < 0:
        raise SettingError(f"warm_up {warm_up} is out of range: must be 0 or more")


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


def _set_noisy_aside(
    candidates: Sequence[JudgedRun], baseline: Sequence[JudgedRun]
) -> tuple[list[JudgedRun], list[JudgedRun]]:
    """Mark the runs whose windows scatter too much for their pace to mean anything."""
    several = len(candidates) + len(baseline) > 2
    spreads = [run.pace.spread for run in (*candidates, *baseline)]
    quiet = min(spreads) if several else baseline[0].pace.spread
    limit = _NOISY_RATIO * quiet if several else min(_NOISY_RATIO * quiet, _NOISIEST_SINGLE)
    limit = max(_NOISY_SPREAD, limit)

    def marked(run: JudgedRun) -> JudgedRun:
        if run.pace.spread <= limit:
            return run
        reason = (
            f"its windows scatter by {run.pace.spread:.1%}, more than {limit:.1%}: a busy machine"
        )
        return replace(run, set_aside=reason)

    return [marked(run) for run in candidates], [marked(run) for run in baseline]


def _difference(new: Sequence[Pace], old: Sequence[Pace]) -> tuple[float, float, float]:
    """Mean difference of log paces, its standard error and degrees of freedom (a moderated t)."""
    a, b = [pace.pace for pace in new], [pace.pace for pace in old]
    difference = statistics.fmean(a) - statistics.fmean(b)
    squares = sum((x - statistics.fmean(side)) ** 2 for side in (a, b) for x in side)
    df = len(a) + len(b) - 2
    within = statistics.median(pace.variance for pace in (*new, *old))
    prior = _PRIOR_SPREAD**2 + within
    variance = (_PRIOR_WEIGHT * prior + squares) / (_PRIOR_WEIGHT + df)
    error = math.sqrt(variance * (1 / len(a) + 1 / len(b)))
    return difference, error, math.inf if df == 0 else _PRIOR_WEIGHT + df


def _finite_or_none(value: float) -> float | None:
    return value if math.isfinite(value) else None
