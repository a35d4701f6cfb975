"""How often `fitlog bench` is wrong, for it looks again while it is inconclusive: simulated paces.

    python benchmarks/turns.py

Runs differ by a Student t with 4 degrees of freedom, scaled to the spread given. Seeds are fixed.
"""

from __future__ import annotations

import math
import random
from collections import Counter

from fitlog.bench import Plan
from fitlog.judge import Rules, judge
from fitlog.paces import JudgedRun
from fitlog.stats import Pace

BENCHES = 4000
DF = 4


def run(level: float) -> JudgedRun:
    """A quiet run of this log pace."""
    pace = Pace(
        pace=level, spread=0.02, variance=2e-5, warm_up=1, windows=60,
        throughput=math.exp(level), drift=0.0,
    )  # fmt: skip
    return JudgedRun(name="run", pace=pace)


def draw(seeded: random.Random, spread: float) -> float:
    """What one run differs by."""
    squares = sum(seeded.gauss(0, 1) ** 2 for _ in range(DF))
    t = seeded.gauss(0, 1) / math.sqrt(squares / DF)
    return spread * t / math.sqrt(DF / (DF - 2))


def bench(seeded: random.Random, spread: float, effect: float) -> tuple[str, int]:
    """The verdict of one bench, and how many runs a side it took."""
    plan = Plan()
    new: list[JudgedRun] = []
    old: list[JudgedRun] = []
    while True:
        new.append(run(draw(seeded, spread) + math.log1p(effect)))
        old.append(run(draw(seeded, spread)))
        if len(new) < plan.min_runs:
            continue
        verdict = judge(new, old, Rules()).verdict
        if verdict != "inconclusive" or len(new) == plan.max_runs:
            return verdict, len(new)


def main() -> None:
    """Print a line for each spread and effect."""
    print("spread  effect  regression  pass or improved  inconclusive  runs a side")
    for spread in (0.0056, 0.0266):
        for effect in (0.0, -0.03, -0.05, -0.1):
            seeded = random.Random(1)  # noqa: S311  # simulated noise
            ends = [bench(seeded, spread, effect) for _ in range(BENCHES)]
            share = Counter(verdict for verdict, _ in ends)
            passed = share["pass"] + share["improved"]
            print(
                f"{spread:6.2%}  {effect:6.0%}  {share['regression'] / BENCHES:10.1%}"
                f"  {passed / BENCHES:16.1%}  {share['inconclusive'] / BENCHES:12.1%}"
                f"  {sum(runs for _, runs in ends) / BENCHES:11.1f}"
            )


if __name__ == "__main__":
    main()
