"""How much of a slowdown three runs against three could show at all on a hosted runner (H).

    python benchmarks/gate_limit.py [--draws 200000] [--seed 1]

Runs differ as those of H in `gate.py` do: Student's t with 4 degrees of freedom, a standard
deviation of 2.66 %. Here a test is told that distribution and its spread exactly, and its threshold
is set so that it is wrong in 1 % of all cases: no gate knows as much. Printed is the share, in
percent, that it calls at 3 % | 5 % | 10 % slower.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable
from typing import Final

import numpy as np
from numpy.typing import NDArray

_SPREAD: Final = 0.0266
_SCALE: Final = _SPREAD / math.sqrt(2)  # the variance of t with 4 degrees of freedom is 2
_RUNS: Final = 3
_FALSE_ALARMS: Final = 0.01
_STEPS: Final = 60

Array = NDArray[np.float64]
Statistic = Callable[[Array, Array], Array]


def main() -> None:
    """Print a line for each statistic."""
    parser = argparse.ArgumentParser(description="the most that three runs against three can show")
    parser.add_argument("--draws", type=int, default=200_000)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    noisy = np.random.default_rng(args.seed)
    old, new = (_SCALE * noisy.standard_t(4, (args.draws, _RUNS)) for _ in range(2))
    for name, statistic in (("means", _of_means), ("likelihood ratio", _likelihood_ratio)):
        limit = np.quantile(statistic(old, new), 1 - _FALSE_ALARMS)
        called = [
            100 * np.mean(statistic(old, new + math.log1p(-slower)) > limit)
            for slower in (0.03, 0.05, 0.10)
        ]
        print(f"{name:17}" + " ".join(f"{rate:5.1f}" for rate in called))


def _of_means(old: Array, new: Array) -> Array:
    slower: Array = old.mean(axis=1) - new.mean(axis=1)
    return slower


def _likelihood_ratio(old: Array, new: Array) -> Array:
    """Two levels against one, negative where the new runs are the faster ones."""
    both = np.concatenate([old, new], axis=1)
    a, b, one = _level(old), _level(new), _level(both)
    ratio = _log_likelihood(old, a) + _log_likelihood(new, b) - _log_likelihood(both, one)
    return np.where(a >= b, ratio, -ratio)


def _level(values: Array) -> Array:
    """The likeliest level of each row, by reweighting from the median."""
    level = np.median(values, axis=1, keepdims=True)
    for _ in range(_STEPS):
        weights = 5 / (4 + ((values - level) / _SCALE) ** 2)
        level = (weights * values).sum(axis=1, keepdims=True) / weights.sum(axis=1, keepdims=True)
    likeliest: Array = level[:, 0]
    return likeliest


def _log_likelihood(values: Array, level: Array) -> Array:
    far = (values - level[:, None]) / _SCALE
    total: Array = (-2.5 * np.log1p(far**2 / 4)).sum(axis=1)
    return total


if __name__ == "__main__":
    main()
