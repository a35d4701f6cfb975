"""Which runs a busy machine has spoilt: their pace says nothing of the training.

Two signs: windows that scatter, and, where `fitlog run` recorded it, processor time that the run
did not get. The first sees trouble that comes and goes, the second also trouble that stays.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from fitlog.paces import JudgedRun
from fitlog.stats import quantile
from fitlog.usage import PAUSES, Usage

# Windows that scatter more than this come from a contended machine; quiet ones stay below 0.04.
_NOISY_SPREAD: Final = 0.05
_NOISY_RATIO: Final = 2.0
_NOISIEST_SINGLE: Final = 0.08
# Quiet runs differ by less in the share of the processor that they get.
_LOST_SHARE: Final = 0.05
# Somebody else is there: threads are sent away from the processor so much more often.
_MORE_SWITCHES: Final = 1.25


def spread_limit(
    candidates: Sequence[JudgedRun], baseline: Sequence[JudgedRun], past: Sequence[JudgedRun]
) -> float:
    """The spread of windows above which a run is set aside.

    5 %, or twice the usual spread if that is more: the median of the past runs; without them the
    quietest run's; of one against one the baseline's, and then 8 % at most.
    """
    if past:
        usual = statistics.median(run.pace.spread for run in past)
        return max(_NOISY_SPREAD, _NOISY_RATIO * usual)
    if len(candidates) + len(baseline) > 2:
        quiet = min(run.pace.spread for run in (*candidates, *baseline))
        return max(_NOISY_SPREAD, _NOISY_RATIO * quiet)
    limit = min(_NOISY_RATIO * baseline[0].pace.spread, _NOISIEST_SINGLE)
    return max(_NOISY_SPREAD, limit)


def usual_usage(runs: Sequence[JudgedRun]) -> Usage | None:
    """What runs have of the machine when it is quiet; None where no run tells.

    The 75 % quantile of the processor's share, for up to three in four runs may have met others.
    """
    known = [run.usage for run in runs if run.usage is not None]
    if not known:
        return None
    share = quantile([usage.cpu_share for usage in known], 1.0 if len(known) < 8 else 0.75)
    quiet = [usage for usage in known if usage.cpu_share >= share * (1 - _LOST_SHARE)]
    switches = [usage.switches for usage in quiet if usage.switches is not None]
    loads = [usage.load for usage in quiet if usage.load is not None]
    return Usage(
        cpu_share=share,
        data_share=statistics.median(usage.data_share for usage in quiet),
        switches=statistics.median(switches) if switches else None,
        load=statistics.median(loads) if loads else None,
        pauses={
            phase: statistics.median(told)
            for phase in PAUSES
            if (told := [usage.pauses[phase] for usage in quiet if phase in usage.pauses])
        },
    )


def judge_noise(
    run: JudgedRun, *, limit: float, usual: Usage | None, processors: int | None
) -> JudgedRun:
    """The run, marked as set aside or with a doubt where the machine was busy.

    `limit` is the largest spread, `usual` what quiet runs have of the machine, `processors` how
    many a run may use.
    """
    if run.pace.spread > limit:
        spread, most = f"{run.pace.spread:.1%}", f"{limit:.1%}"
        by = f"a little more than {most}" if spread == most else f"{spread}, more than {most}"
        reason = f"its windows scatter by {by}: a busy machine"
        return replace(run, set_aside=reason)
    if run.usage is None or usual is None:
        return run
    usage = run.usage
    lost = 1 - usage.cpu_share / usual.cpu_share if usual.cpu_share > 0 else 0.0
    if lost <= _LOST_SHARE:
        return run
    share = (
        f"it had {usage.cpu_share:.2f} seconds of processor time a second, where"
        f" {usual.cpu_share:.2f} are usual"
    )
    waits = _waits(usage, usual, lost)
    if waits:
        return replace(run, doubts=(*run.doubts, f"{share}: {waits}"))
    evidence = _others(usage, usual, processors)
    if evidence:
        return replace(run, set_aside=f"{share}: a busy machine ({evidence})")
    doubt = f"{share}, and nothing tells whether the machine was busy or the training waits"
    return replace(run, doubts=(*run.doubts, doubt))


def _waits(usage: Usage, usual: Usage, lost: float) -> str:
    """Where the training itself waited, if that took most of what it lost; or nothing.

    A busy machine makes all phases longer, and leaves their shares of the time as they were.
    """
    more = {
        phase: max(0.0, share - usual.pauses[phase])
        for phase, share in usage.pauses.items()
        if phase in usual.pauses
    }
    more["data"] = max(0.0, usage.data_share - usual.data_share)
    if sum(more.values()) <= lost / 2:
        return ""
    most = max(more, key=lambda phase: more[phase])
    if most == "data":
        return f"it waited for data {usage.data_share:.0%} of the time"
    return f"it waited in {most!r} {usage.pauses[most]:.0%} of the time"


def _others(usage: Usage, usual: Usage, processors: int | None) -> str:
    """What tells that others used the machine, or nothing."""
    if processors and usage.load is not None and usage.load > processors:
        return f"load {usage.load:.1f} on {processors} processor{'s' * (processors > 1)}"
    if usage.switches and usual.switches and usage.switches > _MORE_SWITCHES * usual.switches:
        ratio = usage.switches / usual.switches
        return f"{ratio:.1f} times as many involuntary switches as usual"
    return ""
