"""What the gate says: a judgement, its exit code, and its text."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any, Final, Literal

from fitlog.measures import PACE, PACE_MEASURE, Measure
from fitlog.paces import JudgedRun
from fitlog.printable import printable

Verdict = Literal["pass", "improved", "regression", "inconclusive"]

EXIT_CODES: Final[dict[Verdict, int]] = {
    "pass": 0,
    "improved": 0,
    "regression": 1,
    "inconclusive": 3,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """The history that candidates were judged against.

    `level` is on the judge's scale, held by the last `level_runs` of `runs` comparable runs, beside
    `set_aside` that were not counted; `changes` are the changes of level before. `best` is the best
    level that was sustained since the last one accepted, `since` when the level began.
    """

    name: str
    level: float
    level_runs: int
    runs: int
    set_aside: int
    changes: int
    best: float
    since: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """A verdict and what it rests on.

    `effect` is the candidates' pace relative to the baseline's (-0.05 is 5 % slower; of a measure
    that is better when low, by its inverse), `interval` holds it with 90 % confidence (each end
    with 95 %), `detectable` is the smallest slowdown that would have been called with 80 %
    probability, `spread` the run-to-run spread assumed and `spread_source` where that comes from.
    All numbers are nan where no run was left to judge. `tolerance` is the slowdown that a pass
    rules out (0.05 is 5 %), `reasons` are sentences, `candidates` and `baseline` all runs of each
    side, also those that were set aside. `suspect` says that up to two more runs, judged together
    with these, would confirm a slowdown or clear it. `reference` is the history, if there is one.
    """

    verdict: Verdict
    effect: float
    interval: tuple[float, float]
    detectable: float
    tolerance: float
    reasons: tuple[str, ...]
    candidates: tuple[JudgedRun, ...]
    baseline: tuple[JudgedRun, ...]
    measure: Measure = PACE_MEASURE
    spread: float = math.nan
    spread_source: str = ""
    suspect: bool = False
    reference: Reference | None = None

    @property
    def exit_code(self) -> int:
        """0 fine, 1 regression, 3 inconclusive."""
        return EXIT_CODES[self.verdict]

    def to_dict(self) -> dict[str, Any]:
        """The judgement as plain data; what is nan becomes None."""
        plain = asdict(self)
        for key in ("effect", "detectable", "spread"):
            plain[key] = _finite_or_none(plain[key])
        plain["interval"] = [_finite_or_none(end) for end in self.interval]
        plain["measure"] = self.measure.name
        plain["better"] = "higher" if self.measure.higher else "lower"
        for side in ("candidates", "baseline"):
            for run, judged in zip(plain[side], getattr(self, side), strict=True):
                run["value"] = self.measure.value_of(judged.pace.pace)
                if self.measure.name == PACE:
                    run["samples_per_sec"] = judged.pace.samples_per_sec
        if self.reference is not None:
            for key in ("level", "best"):
                value = self.measure.value_of(plain["reference"][key])
                plain["reference"][key] = _finite_or_none(value)
        return plain


def format_judgement(judgement: Judgement) -> str:
    """The verdict as a sentence, then what it rests on, a line each; names are made printable."""
    lines = [f"{judgement.verdict}: {format_sentence(judgement)}"]
    sides = (("candidate", judgement.candidates), ("baseline", judgement.baseline))
    for side, runs in sides:
        if side == "baseline" and judgement.reference is not None:
            history = format_reference(judgement.reference, judgement.measure)
            lines.append(f"  history: {printable(history)}")
            continue
        for run in runs:
            told = format_run(run, judgement.measure)
            lines.append(f"  {side}: {printable(run.name)}: {printable(told)}")
    if not math.isnan(judgement.spread):
        worse = judgement.measure.worse
        source = printable(judgement.spread_source)
        lines.append(
            f"  {abs(judgement.detectable):.1%} {worse} would have been called, with 80 %"
            f" probability; runs differ by {judgement.spread:.1%}, {source}"
        )
    lines += [f"  note: {printable(reason)}" for reason in judgement.reasons]
    return "\n".join(lines)


def format_run(run: JudgedRun, measure: Measure) -> str:
    """A run's value, and what of its windows a reader should know."""
    shown = measure.show(run.pace.pace)
    if not measure.is_of_time:
        return f"{shown} after epoch {run.epoch}"
    pace = run.pace
    windows = "windows" if measure.name != "time_cost" else "epochs"
    return (
        f"{shown} ({pace.windows} {windows}, spread {pace.spread:.1%},"
        f" drift {math.expm1(pace.drift):+.1%}, stalls {pace.stall_share:.1%},"
        f" warm-up {pace.warm_up})"
    )


def format_sentence(judgement: Judgement) -> str:
    """The effect, its interval and what is ruled out, as a sentence."""
    versus = "baseline" if judgement.reference is None else "history"
    if math.isnan(judgement.effect):
        return f"the candidate cannot be compared with the {versus}."
    low, high = judgement.interval
    measure = judgement.measure
    direction = measure.worse if judgement.effect < 0 else measure.better
    sentence = (
        f"the candidate is {abs(judgement.effect):.1%} {direction} than the {versus}"
        f" (90 % confidence: {low:+.1%} to {high:+.1%})"
    )
    change = "a slowdown" if measure.is_of_time else "a change for the worse"
    match judgement.verdict:
        case "pass":
            return f"{sentence}; {change} of {judgement.tolerance:.1%} is ruled out."
        case "inconclusive":
            return (
                f"{sentence}; {change} of {judgement.tolerance:.1%} can neither be called nor"
                " ruled out."
            )
        case _:
            return f"{sentence}."


def format_reference(reference: Reference, measure: Measure) -> str:
    """The history's level, and how many runs hold it."""
    if not reference.runs:
        return f"{reference.name}: all its {reference.set_aside} comparable runs are set aside"
    text = (
        f"{reference.name}: {measure.show(reference.level)}, the level of the last"
        f" {reference.level_runs} of {reference.runs} runs"
    )
    if reference.set_aside:
        text += f" ({reference.set_aside} set aside)"
    return f"{text}, since {reference.since}" if reference.since else text


def _finite_or_none(value: float) -> float | None:
    return value if math.isfinite(value) else None
