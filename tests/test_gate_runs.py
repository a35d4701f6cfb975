"""The gate on measured runs of a shared machine: what it sets aside, and the rest."""

from __future__ import annotations

import importlib.util
import math
import statistics
import sys
from types import ModuleType

import pytest

from fitlog.judge import Past, Rules, judge_history, set_noisy_aside
from fitlog.paces import JudgedRun
from support import PROJECT


@pytest.fixture(scope="module")
def data() -> ModuleType:
    """The benchmark's module that reads the measured runs."""
    path = PROJECT / "benchmarks" / "gate_data.py"
    spec = importlib.util.spec_from_file_location("gate_data", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["gate_data"] = module
    spec.loader.exec_module(module)
    return module


def past_of(data: ModuleType, *, join: int, usage: bool) -> tuple[Past, list[float]]:
    """LeNet's runs on one processor, `join` windows brought together, and their true shares."""
    runs = [r for r in data.load_runs() if (r.net, r.env, r.slow) == ("lenet", "pin", 0)]
    level = statistics.median(math.log(statistics.median(run.speeds)) for run in runs)
    made = [data.measured_run(run, level, join=join) for run in runs]
    judged = [JudgedRun(name="", pace=r.pace, usage=r.usage if usage else None) for r in made]
    return Past(name="runs", runs=judged, processors=1), [r.usage.cpu_share for r in made]


def contended_but_counted(data: ModuleType, *, join: int, usage: bool) -> int:
    past, shares = past_of(data, join=join, usage=usage)
    marked = set_noisy_aside(past).runs
    return sum(s < 0.8 and not run.set_aside for run, s in zip(marked, shares, strict=True))


def test_short_windows_show_all_contention_by_their_spread(data: ModuleType) -> None:
    assert contended_but_counted(data, join=1, usage=False) == 0


def test_long_windows_hide_contention_that_processor_time_shows(data: ModuleType) -> None:
    assert contended_but_counted(data, join=15, usage=False) > 0
    assert contended_but_counted(data, join=15, usage=True) == 0


def test_quiet_runs_are_not_set_aside_for_their_processor_time(data: ModuleType) -> None:
    past, shares = past_of(data, join=1, usage=True)

    for run, share in zip(set_noisy_aside(past).runs, shares, strict=True):
        assert share < 0.95 or "processor time" not in run.set_aside


def test_no_contended_run_is_called_slow_and_really_slowed_ones_are(data: ModuleType) -> None:
    past, _ = past_of(data, join=1, usage=True)
    verdicts: dict[int, list[str]] = {0: [], 10: []}
    runs = data.load_runs()
    level = statistics.median(
        math.log(statistics.median(run.speeds))
        for run in runs
        if (run.net, run.env, run.slow) == ("lenet", "pin", 0)
    )
    for run in runs:
        if (run.net, run.slow) == ("lenet", 10) or (run.net, run.env) == ("lenet", "pinload"):
            judged = data.measured_run(run, level).judged()
            verdicts[run.slow].append(judge_history([judged], past, Rules()).verdict)

    assert len(verdicts[0]) == len(verdicts[10]) == 12
    assert verdicts[0].count("regression") <= 1
    assert "pass" not in verdicts[10]
    assert verdicts[10].count("regression") >= 6
