"""The figures that runs are compared by, each with its differences from the first run's."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Final

from fitlog.compared import RunFacts
from fitlog.comparison import Quantity
from fitlog.contrasts import (
    Difference,
    Figure,
    Scale,
    absolute_difference,
    relative_difference,
    sampling_variance,
    scatter_variance,
    time_figure,
)

# Phases that take less of an epoch than this in every run are left out.
_LEAST_SHARE: Final = 0.01
# Metrics that are shares of samples: their number says how exact they are.
_COUNTED: Final = ("acc", "top_k", "top-k", "topk")


def throughput(facts: Sequence[RunFacts]) -> list[Quantity]:
    """The pace, as the gate measures it."""
    return _relative("throughput", "samples/sec", [fact.pace for fact in facts], higher=True)


def time_to_target(
    facts: Sequence[RunFacts], metric: str, target: float | None, *, higher: bool
) -> list[Quantity]:
    """How long until the target is reached, by the epochs' time costs, and in which epoch."""
    if target is None:
        bests = [best_of(fact.metrics[metric], higher=higher).value for fact in facts]
        finite = [best for best in bests if best is not None]
        if not finite:
            return []
        target = min(finite) if higher else max(finite)
    reached = [_reach(fact.metrics[metric], target, higher=higher) for fact in facts]
    group = f"time to {metric} {target:.6g}"
    seconds = [
        Figure(value=None if epoch is None else fact.wall_seconds.get(epoch))
        for fact, epoch in zip(facts, reached, strict=True)
    ]
    epochs = [Figure(value=epoch) for epoch in reached]
    return [
        *_relative(group, "seconds", seconds, higher=False),
        *_absolute(group, "epoch", epochs, higher=False),
    ]


def _reach(values: Mapping[int, float], target: float, *, higher: bool) -> int | None:
    there = (e for e in sorted(values) if (values[e] >= target if higher else values[e] <= target))
    return next(there, None)


def epoch_times(facts: Sequence[RunFacts]) -> list[Quantity]:
    """What an epoch takes, and its phases; the first epoch is left out where there are others."""
    costs = [[fact.time_costs[epoch] for epoch in sorted(fact.time_costs)] for fact in facts]
    figures = [time_figure(seconds[1:] or seconds) for seconds in costs]
    quantities = _relative("time per epoch", "seconds", figures, higher=False)
    for phase in dict.fromkeys(name for fact in facts for name in fact.phases):
        theirs = [fact.phases.get(phase, Figure()) for fact in facts]
        shares = [
            (figure.value or 0.0) / sum(each.value or 0.0 for each in fact.phases.values())
            for figure, fact in zip(theirs, facts, strict=True)
            if fact.phases
        ]
        if max(shares) >= _LEAST_SHARE:
            quantities += _relative("phases of an epoch, seconds", phase, theirs, higher=False)
    return quantities


def metric_values(facts: Sequence[RunFacts], name: str, higher: bool | None) -> list[Quantity]:
    """A metric at its best, at the end, at the last epoch of all runs and after the same time.

    Where all runs end with the same epoch, the end is that epoch.
    """
    every = [fact.metrics.get(name, {}) for fact in facts]

    def row(title: str, epochs: Sequence[int | None]) -> list[Quantity]:
        figures = [
            Figure(value=None if epoch is None else values.get(epoch), epoch=epoch)
            for values, epoch in zip(every, epochs, strict=True)
        ]
        return _absolute(name, title, figures, higher=higher, facts=facts)

    rows = []
    if higher is not None:
        rows += row("best", [best_of(values, higher=higher).epoch for values in every])
    lasts = [max(values, default=None) for values in every]
    rows += row("last", lasts)
    having = [set(values) for values in every if values]
    common = max(set.intersection(*having), default=None) if len(having) > 1 else None
    if common is not None and {*lasts} - {None} != {common}:
        rows += row(f"at epoch {common}", [common] * len(facts))
    walls = [
        max(fact.wall_seconds[epoch] for epoch in values.keys() & fact.wall_seconds.keys())
        for fact, values in zip(facts, every, strict=True)
        if values.keys() & fact.wall_seconds.keys()
    ]
    if len(walls) > 1:
        epochs = [_epoch_after(fact, name, min(walls)) for fact in facts]
        rows += row(f"after {min(walls):.3g} s", epochs)
    return rows


def _epoch_after(fact: RunFacts, metric: str, seconds: float) -> int | None:
    """The last epoch with the metric that has ended after so many seconds."""
    ended = (e for e, wall in fact.wall_seconds.items() if wall <= seconds * (1 + 1e-9))
    return max((e for e in ended if e in fact.metrics.get(metric, {})), default=None)


def best_of(values: Mapping[int, float], *, higher: bool) -> Figure:
    """The best finite value, the first of several; nothing where there is none."""
    finite = [(value, epoch) for epoch, value in values.items() if math.isfinite(value)]
    if not finite:
        return Figure()
    value, epoch = min(finite, key=lambda pair: (-pair[0] if higher else pair[0], pair[1]))
    return Figure(value=value, epoch=epoch)


def _relative(group: str, name: str, figures: Sequence[Figure], *, higher: bool) -> list[Quantity]:
    """The quantity, or none where no run has it."""
    differences = [relative_difference(new, figures[0], higher=higher) for new in figures[1:]]
    return _quantity(group, name, higher, "relative", figures, differences)


def _absolute(
    group: str,
    name: str,
    figures: Sequence[Figure],
    *,
    higher: bool | None,
    facts: Sequence[RunFacts] = (),
) -> list[Quantity]:
    """The quantity, or none where no run has it; of a metric, `facts` tell how exact it is."""
    variances = [_variance(group, fact, each) for fact, each in zip(facts, figures, strict=False)]
    differences = [
        absolute_difference(new.value, figures[0].value, higher=higher, variance=variance)
        for new, variance in zip(figures[1:], _sums(variances, len(figures)), strict=True)
    ]
    return _quantity(group, name, higher, "absolute", figures, differences)


def _quantity(
    group: str,
    name: str,
    higher: bool | None,
    scale: Scale,
    figures: Sequence[Figure],
    differences: Sequence[Difference],
) -> list[Quantity]:
    if all(figure.value is None for figure in figures):
        return []
    return [
        Quantity(
            group=group,
            name=name,
            higher_is_better=higher,
            scale=scale,
            values=tuple(figure.value for figure in figures),
            epochs=tuple(figure.epoch for figure in figures),
            differences=(None, *differences),
        )
    ]


def _variance(metric: str, run: RunFacts, figure: Figure) -> float | None:
    """Of a metric's value: by the samples it was validated on, or by its epochs, the larger."""
    split, _, name = metric.partition("-")
    variances = [scatter_variance(run.metrics.get(metric, {}))]
    if split == "validation" and name.lower().startswith(_COUNTED):
        variances.append(sampling_variance(figure.value, run.samples))
    return max((variance for variance in variances if variance is not None), default=None)


def _sums(variances: Sequence[float | None], count: int) -> list[float | None]:
    """Those of the differences from the first; None where one of both is not known."""
    first = variances[0] if variances else None
    if first is None:
        return [None] * (count - 1)
    return [None if each is None else first + each for each in variances[1:]]
