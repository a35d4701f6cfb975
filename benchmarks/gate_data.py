"""The measured runs, and runs made from them, for trying out gates.

`data/gate_runs.csv.gz` holds 214 real trainings, see `data/README.md`. A made-up run has the
windows of a quiet measured one, shuffled in blocks, at a level of its own.
"""

from __future__ import annotations

import csv
import gzip
import math
import random
import statistics
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from fitlog.paces import JudgedRun
from fitlog.stats import Pace, measure_pace
from fitlog.usage import Usage

DATA: Final = Path(__file__).resolve().parent / "data" / "gate_runs.csv.gz"
_BLOCK: Final = 10
_STALLED: Final = 0.01
_QUIET_SPREAD: Final = 0.03


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """A measured run: its speeds in samples/sec, and processor over wall-clock time by window."""

    number: int
    net: str
    env: str
    slow: int
    load: float
    switches: float
    speeds: tuple[float, ...]
    shares: tuple[float, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """A run as the gates see it: logarithms of its speeds, and what `fitlog` makes of them."""

    logs: tuple[float, ...]
    pace: Pace
    usage: Usage | None = None

    def shifted(self, by: float) -> Run:
        """The same run, slower or faster by this on the scale of logarithms."""
        pace = replace(
            self.pace, pace=self.pace.pace + by, throughput=self.pace.throughput * math.exp(by)
        )
        return replace(self, logs=tuple(value + by for value in self.logs), pace=pace)

    def judged(self) -> JudgedRun:
        """What the gate takes."""
        return JudgedRun(name="run", pace=self.pace, usage=self.usage)


def load_runs(half: int | None = None) -> list[Measured]:
    """The measured runs in order; of a half (0 or 1) those with even or odd numbers."""
    with gzip.open(DATA, "rt", encoding="ascii", newline="") as file:
        runs = [
            Measured(
                number=int(row["number"]),
                net=row["net"],
                env=row["env"],
                slow=int(row["slow"]),
                load=float(row["load"]),
                switches=int(row["involuntary_switches"]) / float(row["cpu_seconds"]),
                speeds=tuple(map(float, row["speeds"].split())),
                shares=tuple(map(float, row["cpu_shares"].split())),
            )
            for row in csv.DictReader(file)
        ]
    return [run for run in runs if half is None or run.number % 2 == half]


def measured_run(run: Measured, level: float, *, join: int = 1) -> Run:
    """A measured run relative to a level, `join` windows brought together into each long one."""
    pieces = range(0, len(run.speeds) - join + 1, join)
    speeds = [join / sum(1 / speed for speed in run.speeds[i : i + join]) for i in pieces]
    # Processor seconds over seconds of the long window.
    shares = [
        sum(
            share / speed
            for share, speed in zip(run.shares[i : i + join], run.speeds[i : i + join], strict=True)
        )
        / sum(1 / speed for speed in run.speeds[i : i + join])
        for i in pieces
    ]
    logs = [math.log(speed) - level for speed in speeds]
    pace = _pace(logs)
    usage = Usage(
        cpu_share=statistics.median(shares[pace.warm_up :]),
        data_share=0.0,
        switches=run.switches,
        load=run.load,
    )
    return Run(logs=tuple(logs), pace=pace, usage=usage)


def quiet_runs(runs: list[Measured]) -> list[Measured]:
    """Pinned runs of LeNet, not slowed, on a machine that was quiet."""
    return [
        run
        for run in runs
        if (run.net, run.env, run.slow) == ("lenet", "pin", 0)
        and statistics.median(run.shares) > 0.98
        and _pace([math.log(speed) for speed in run.speeds]).spread <= _QUIET_SPREAD
    ]


def made_run(noisy: random.Random, quiet: list[Measured]) -> Run:
    """A run at level 0: blocks of a quiet run's windows, a warm-up, and 1 % of stalls."""
    logs = [math.log(speed) for speed in noisy.choice(quiet).speeds]
    pace = _pace(logs)
    logs = logs[pace.warm_up :]
    count = 105
    made: list[float] = []
    while len(made) < count:
        start = noisy.randrange(len(logs) - _BLOCK + 1)
        made += [value - pace.pace for value in logs[start : start + _BLOCK]]
    warm = noisy.randrange(1, 8)
    for i in range(count):
        if i < warm:
            made[i] -= 0.5 * (1 - i / warm)
        if noisy.random() < _STALLED:
            made[i] += math.log(noisy.uniform(0.1, 0.7))
    logs = made[:count]
    return Run(logs=tuple(logs), pace=_pace(logs))


def student_t4(noisy: random.Random, spread: float) -> float:
    """A draw from Student's t with 4 degrees of freedom, of this standard deviation."""
    chi = sum(noisy.gauss(0, 1) ** 2 for _ in range(4))
    return spread * noisy.gauss(0, 1) / math.sqrt(chi / 4) / math.sqrt(2)


def _pace(logs: list[float]) -> Pace:
    return measure_pace([math.exp(value) for value in logs])
