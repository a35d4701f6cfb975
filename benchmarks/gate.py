"""How often gates raise false alarms, and how often they see a slowdown, on made-up histories.

    python benchmarks/gate.py [--quick] [--runs N] [--half 0|1|both] [--seed 1] [--only MODE]

D is a quiet machine (runs differ by 0.56 %), H a hosted CI runner (2.66 %), B the noisy box that
the runs of `data/gate_runs.csv.gz` were measured on. D and H draw a run's level from Student's t
with 4 degrees of freedom and its windows, in blocks of 10, from quiet measured runs; B draws
measured runs whole. A slowdown divides all speeds. Printed is the share, in percent, that is called
a regression when nothing changed | 3 % | 5 % | 10 % slower. Constants were tuned on the runs with
even numbers; by default those with odd numbers judge.

Beside them, what processor time brings where long windows hide contention: `--only long`.
"""

from __future__ import annotations

import argparse
import math
import random
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Final

import gate_rules
from fitlog.judge import Past, Rules, judge, judge_history
from gate_data import Measured, Run, load_runs, made_run, measured_run, quiet_runs, student_t4

SLOWER: Final = (0.0, 0.03, 0.05, 0.10)
SPREADS: Final = {"D": 0.0056, "H": 0.0266}
MACHINES: Final = ("D", "H", "B")
_POOL: Final = 600
_RULES: Final = Rules()

# What is drawn once and judged at each slowdown: past runs, baseline runs, new runs.
Draw = tuple[list[Run], list[Run], list[Run]]
Gate = Callable[[list[Run], list[Run], list[Run]], bool]


class Machine:
    """Draws runs of one of the machines; the same seed gives the same runs."""

    def __init__(self, name: str, measured: list[Measured], seed: int, *, join: int = 1) -> None:
        self.name = name
        self._noisy = random.Random(f"{seed}{name}")  # noqa: S311  # the same runs each time
        if name in SPREADS:
            quiet = quiet_runs(measured)
            self._pool = [made_run(self._noisy, quiet) for _ in range(_POOL)]
            return
        self._whole = {
            net: [measured_run(run, _level(runs), join=join) for run in runs]
            for net in ("lenet", "mlp")
            if (runs := [r for r in measured if (r.net, r.env, r.slow) == (net, "pin", 0)])
        }

    def draw(self, past: int, old: int, new: int) -> Draw:
        """So many runs of each kind; new and baseline runs never occur in the past."""
        if self.name in SPREADS:
            made = [self._made() for _ in range(past + old + new)]
            return made[:past], made[past : past + old], made[past + old :]
        runs = list(self._noisy.choice(list(self._whole.values())))
        self._noisy.shuffle(runs)
        fresh, rest = runs[: old + new], runs[old + new :]
        history = rest[:past] if len(rest) >= past else self._noisy.choices(rest, k=past)
        return history, fresh[:old], fresh[old:]

    def _made(self) -> Run:
        level = student_t4(self._noisy, SPREADS[self.name])
        return self._noisy.choice(self._pool).shifted(level)


def main() -> None:
    """Print a table for each mode, with the time it took."""
    parser = argparse.ArgumentParser(description="false alarms and power of gates")
    parser.add_argument("--quick", action="store_true", help="a tenth of the runs")
    parser.add_argument("--runs", type=int, default=1000, help="draws for each cell")
    parser.add_argument("--half", choices=("0", "1", "both"), default="1")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", choices=("1", "3", "5", "10", "30", "long"))
    args = parser.parse_args()
    count = max(10, args.runs // 10) if args.quick else args.runs
    half = None if args.half == "both" else int(args.half)
    measured = load_runs(half)
    print(f"{count} draws a cell, measured runs of half {args.half}, seed {args.seed}")
    for name, sizes, gates in _modes():
        if args.only not in (None, name):
            continue
        began = time.monotonic()
        print(f"\n{_TITLES[name]}")
        lines = dict.fromkeys(gates, "")
        for machine in MACHINES:
            source = Machine(machine, measured, args.seed)
            for gate, rates in _rates(source, sizes, gates, count, f"{name} {machine}").items():
                lines[gate] += f" | {machine} " + " ".join(f"{100 * rate:5.1f}" for rate in rates)
        for gate, line in lines.items():
            print(f"{gate:27}{line}")
        print(f"({time.monotonic() - began:.0f} s)")
    if args.only in (None, "long"):
        _long_windows(measured, args.seed, count)


_TITLES: Final = {
    "1": "1 run against 1",
    "3": "3 against 3",
    "5": "5 against 5",
    "10": "1 against a history of 10",
    "30": "1 against a history of 30",
}


def _modes() -> Iterator[tuple[str, tuple[int, int, int], dict[str, Gate]]]:
    """A name, how many past, baseline and new runs are drawn, and the gates."""
    for count in (1, 3, 5):
        gates: dict[str, Gate] = {name: _few(rule) for name, rule in gate_rules.FEW.items()}
        gates["benchstat"] = _few(gate_rules.benchstat)
        gates["fitlog, no ledger"] = _without_ledger
        gates["fitlog, ledger of 30"] = _with_ledger
        yield str(count), (30, count, count), gates
    for count in (10, 30):
        gates = {name: _one(rule) for name, rule in gate_rules.HISTORY.items()}
        gates["fitlog, one run"] = _one_run
        gates["fitlog, up to 3 runs"] = _up_to_three
        yield str(count), (count, 0, 3), gates


def _few(rule: gate_rules.Rule) -> Gate:
    return lambda _, old, new: rule([run.logs for run in old], [run.logs for run in new])


def _one(rule: gate_rules.Rule) -> Gate:
    return lambda past, _, new: rule([run.logs for run in past], [new[0].logs])


def _without_ledger(_: list[Run], old: list[Run], new: list[Run]) -> bool:
    judged = judge([r.judged() for r in new], [r.judged() for r in old], _RULES)
    return judged.verdict == "regression"


def _with_ledger(past: list[Run], old: list[Run], new: list[Run]) -> bool:
    history = Past(name="ledger", runs=[run.judged() for run in past])
    judged = judge([r.judged() for r in new], [r.judged() for r in old], _RULES, past=history)
    return judged.verdict == "regression"


def _one_run(past: list[Run], _: list[Run], new: list[Run]) -> bool:
    history = Past(name="ledger", runs=[run.judged() for run in past], processors=1)
    return judge_history([new[0].judged()], history, _RULES).verdict == "regression"


def _up_to_three(past: list[Run], _: list[Run], new: list[Run]) -> bool:
    """One run; where it neither passes nor improves, three judged together."""
    history = Past(name="ledger", runs=[run.judged() for run in past], processors=1)
    if judge_history([new[0].judged()], history, _RULES).verdict in ("pass", "improved"):
        return False
    together = judge_history([run.judged() for run in new], history, _RULES)
    return together.verdict == "regression"


def _rates(
    source: Machine, sizes: tuple[int, int, int], gates: dict[str, Gate], count: int, what: str
) -> dict[str, list[float]]:
    called = {name: [0] * len(SLOWER) for name in gates}
    for done in range(count):
        if done % 20 == 0:
            _progress(f"{what}: {done} of {count}")
        past, old, new = source.draw(*sizes)
        for i, slower in enumerate(SLOWER):
            slowed = [run.shifted(math.log1p(-slower)) for run in new]
            for name, gate in gates.items():
                called[name][i] += gate(past, old, slowed)
    _progress("")
    return {name: [number / count for number in numbers] for name, numbers in called.items()}


def _long_windows(measured: list[Measured], seed: int, count: int) -> None:
    """Windows of 15 joined: what the spread alone sees, and what processor time adds."""
    print("\n1 against a history of 30 on B, windows 15 times as long")
    for title, keep in (("spread of windows alone", False), ("with processor time", True)):
        source = Machine("B", measured, seed, join=15)
        drop = (lambda run: run) if keep else _without_usage

        def gate(past: list[Run], old: list[Run], new: list[Run], drop: Drop = drop) -> bool:
            return _one_run([drop(run) for run in past], old, [drop(run) for run in new])

        rates = _rates(source, (30, 0, 1), {title: gate}, count, title)[title]
        print(f"{title:27} | B " + " ".join(f"{100 * rate:5.1f}" for rate in rates))


Drop = Callable[[Run], Run]


def _without_usage(run: Run) -> Run:
    return Run(logs=run.logs, pace=run.pace)


def _level(runs: Sequence[Measured]) -> float:
    return statistics.median(math.log(statistics.median(run.speeds)) for run in runs)


def _progress(text: str) -> None:
    if sys.stderr.isatty() or not text:
        print(f"\r{text:60}\r" if text else "", end="", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
