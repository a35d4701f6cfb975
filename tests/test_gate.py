"""The gate on real logs and on speeds made up to sit on either side of each limit."""

from __future__ import annotations

import gzip
import math
import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from fitlog import (
    BaselineError,
    Judgement,
    LogError,
    NoRecordsError,
    SettingError,
    check,
    read_log,
    read_logs,
)
from fitlog.gate import format_judgement
from fitlog.noise import judge_noise
from fitlog.paces import load_pace

SEEDS = range(3)


def log_of(level: float, seed: int = 0, *, noise: float = 0.01, windows: int = 60) -> bytes:
    """A canonical log of one run at this speed."""
    noisy = random.Random(seed)
    lines = [
        f"Epoch[{i // 20}] Batch [{i % 20 * 10}-{i % 20 * 10 + 10}]\t"
        f"Speed: {level * math.exp(noisy.gauss(0, noise)):.2f} samples/sec\taccuracy=0.500000\n"
        for i in range(windows)
    ]
    return "".join(lines).encode()


def judge(factor: float, *, runs: int = 3, **settings: Any) -> Judgement:
    """Candidates at `factor` times the speed of their baseline."""
    return check(
        [log_of(1000 * factor, seed) for seed in range(runs)],
        baseline=[log_of(1000, seed + 50) for seed in range(runs)],
        **settings,
    )


def test_a_really_slower_training_is_a_regression(samples: Path) -> None:
    judgement = check(
        [samples / f"lenet-naive-{i}.log" for i in (1, 2, 3)],
        baseline=[samples / f"lenet-{i}.log" for i in (1, 2, 3)],
    )

    assert judgement.verdict == "regression"
    assert judgement.exit_code == 1
    assert judgement.effect == pytest.approx(-0.122, abs=0.001)
    assert judgement.interval[0] < judgement.effect < judgement.interval[1] < -0.05


def test_the_same_comparison_the_other_way_round_is_an_improvement(samples: Path) -> None:
    judgement = check(
        [samples / f"lenet-{i}.log" for i in (1, 2, 3)],
        baseline=[samples / f"lenet-naive-{i}.log" for i in (1, 2, 3)],
    )

    assert judgement.verdict == "improved"
    assert judgement.exit_code == 0


def test_a_training_like_its_baseline_passes() -> None:
    judgement = judge(1.0)

    assert judgement.verdict == "pass"
    assert judgement.interval[0] > -0.05


def test_one_run_against_one_that_is_a_little_slower_is_inconclusive() -> None:
    judgement = judge(0.97, runs=1)

    assert judgement.verdict == "inconclusive"
    assert judgement.exit_code == 3
    assert any("runs a side would tell a change of 5.0%" in reason for reason in judgement.reasons)
    assert any("one run a side says nothing" in reason for reason in judgement.reasons)


def test_a_wider_tolerance_lets_the_same_runs_pass() -> None:
    assert judge(0.97, runs=1, tolerance=0.1).verdict == "pass"


def test_a_certain_slowdown_below_the_least_effect_is_no_regression() -> None:
    slowdown = 0.93

    assert judge(slowdown).verdict == "regression"
    assert judge(slowdown, min_effect=0.1).verdict != "regression"


def test_the_smallest_slowdown_that_would_have_been_called_is_told() -> None:
    judgement = judge(1.0)

    assert -0.1 < judgement.detectable < 0
    assert judge(1.0, runs=1).detectable < judgement.detectable


def test_noisy_runs_are_set_aside_and_named() -> None:
    runs = [log_of(700, 1, noise=0.3), log_of(1000, 2), log_of(1000, 3)]

    judgement = check(runs, baseline=[log_of(1000, seed) for seed in (4, 5, 6)])

    assert judgement.verdict == "pass"
    assert [bool(run.set_aside) for run in judgement.candidates] == [True, False, False]
    assert any("is set aside: its windows scatter" in reason for reason in judgement.reasons)


@pytest.mark.parametrize(
    ("limit", "said"),
    [(0.05, "by 30.0%, more than 5.0%"), (0.29999, "by a little more than 30.0%")],
)
def test_a_spread_just_above_its_limit_is_not_said_to_be_the_limit(limit: float, said: str) -> None:
    run = load_pace(log_of(1000))
    run = replace(run, pace=replace(run.pace, spread=0.3))

    noisy = judge_noise(run, limit=limit, usual=None, processors=None)

    assert noisy.set_aside == f"its windows scatter {said}: a busy machine"


def test_one_run_that_is_left_of_several_is_not_judged() -> None:
    runs = [log_of(700, 1, noise=0.3), log_of(1000, 2)]

    judgement = check(runs, baseline=[log_of(1000, seed) for seed in (4, 5, 6)])

    assert judgement.verdict == "inconclusive"
    assert any("too few runs are left" in reason for reason in judgement.reasons)


def test_nothing_but_noisy_runs_is_inconclusive_and_never_a_pass() -> None:
    noisy = [log_of(1000, seed, noise=0.3) for seed in SEEDS]

    judgement = check(noisy, baseline=[log_of(1000, seed) for seed in SEEDS])

    assert judgement.verdict == "inconclusive"
    assert math.isnan(judgement.effect)
    assert judgement.to_dict()["effect"] is None
    assert "cannot be compared" in format_judgement(judgement)


def test_a_log_read_before_is_judged_like_its_file(samples: Path) -> None:
    path = samples / "lenet-1.log"

    assert load_pace(read_log(path)).pace == load_pace(path).pace


def test_of_several_runs_in_a_log_the_last_is_judged() -> None:
    both = log_of(500) + log_of(1000)

    assert load_pace(both).pace == load_pace(log_of(1000)).pace


def test_speeds_of_the_validation_are_not_judged(samples: Path) -> None:
    pace = load_pace(samples / "eval-speedometer.log").pace

    assert pace.windows + pace.warm_up == 9


def test_what_is_doubtful_about_a_log_is_said_with_the_verdict() -> None:
    candidate = log_of(500) + log_of(1000) + b"Epoch[2] Batch [x]\tSpeed: 1.00 samples/sec\n"
    damaged = gzip.compress(log_of(1000, 5, windows=600))[:-3000]

    reasons = check([candidate], baseline=[damaged]).reasons

    assert any("holds 2 runs, and the last one (run 1) is taken" in reason for reason in reasons)
    assert any("were not read: 1" in reason for reason in reasons)
    assert any("the file ends here" in reason for reason in reasons)


def test_of_several_nodes_the_first_ones_last_run_is_judged() -> None:
    def named(node: int, text: bytes) -> bytes:
        return b"".join(b"Node[%d] " % node + line for line in text.splitlines(keepends=True))

    log = named(0, log_of(1000)) + named(1, log_of(10)) + named(1, log_of(20))

    assert load_pace(log).pace == load_pace(log_of(1000)).pace


def test_a_run_that_died_before_its_first_speed_is_not_judged_by_the_one_before() -> None:
    crashed = log_of(1000) + b"start with arguments Namespace(lr=0.1)\nTraceback\n"

    with pytest.raises(NoRecordsError, match="the last of its 2 runs reports no speed"):
        check([crashed], baseline=[log_of(1000, 7)])


def test_windows_of_a_rank_go_before_those_of_none() -> None:
    named = b"".join(b"Node[3] " + line for line in log_of(1000).splitlines(keepends=True))

    run = load_pace(log_of(10, windows=8) + named)

    assert run.pace == load_pace(log_of(1000)).pace
    assert any("lines that name none are left out" in doubt for doubt in run.doubts)


def test_a_log_counts_once_and_is_no_baseline_of_itself(samples: Path) -> None:
    one, other = samples / "lenet-1.log", samples / "lenet-2.log"

    with pytest.raises(SettingError, match="is named twice: a log counts as one run"):
        check([one, one], baseline=[other])
    with pytest.raises(SettingError, match="is named twice: a log counts as one run"):
        check([one, samples / ".." / samples.name / one.name], baseline=[other])
    with pytest.raises(BaselineError, match="is both candidate and baseline"):
        check([one], baseline=[other, one])


def test_logs_that_were_read_as_one_are_not_one_run(samples: Path) -> None:
    with pytest.raises(SettingError, match="cannot be judged as one run"):
        load_pace(read_logs([samples / "lenet-1.log", samples / "lenet-2.log"]))


def test_no_baseline_is_an_error() -> None:
    with pytest.raises(BaselineError, match="no baseline to compare with"):
        check([log_of(1000)], baseline=[])


def test_no_candidate_is_an_error() -> None:
    with pytest.raises(BaselineError, match="no candidate"):
        check([], baseline=[log_of(1000)])


@pytest.mark.parametrize("text", [b"", b"Epoch[0] Train-accuracy=0.500000\n", b"hello\n"])
def test_a_log_without_speeds_is_an_error(text: bytes) -> None:
    with pytest.raises(NoRecordsError, match="holds no speed of a training"):
        check([text], baseline=[log_of(1000)])


@pytest.mark.parametrize("speed", ["nan", "inf", "-0.09", "0.00"])
def test_a_speed_that_cannot_be_true_is_an_error_with_its_line(speed: str) -> None:
    lines = log_of(1000).split(b"\n")
    lines[6] = f"Epoch[0] Batch [60-70]\tSpeed: {speed} samples/sec".encode()

    with pytest.raises(LogError, match="1 of 60 speeds cannot be true") as caught:
        check([b"\n".join(lines)], baseline=[log_of(1000)])

    assert caught.value.line == 7


def test_too_few_windows_are_an_error_with_the_remedy() -> None:
    with pytest.raises(LogError, match=r"5 speed lines are too few .*--disp-batches"):
        check([log_of(1000, windows=5)], baseline=[log_of(1000)])


def test_a_warm_up_of_ones_own_counts_against_the_windows() -> None:
    assert load_pace(log_of(1000, windows=9), warm_up=4).pace.windows == 5
    with pytest.raises(LogError, match="too few"):
        load_pace(log_of(1000, windows=9), warm_up=5)


@pytest.mark.parametrize(
    "setting", [{"tolerance": 0.0}, {"min_effect": 1.0}, {"alpha": 0.5}, {"warm_up": -1}]
)
def test_a_setting_out_of_range_is_refused(setting: dict[str, Any]) -> None:
    with pytest.raises(SettingError, match=f"{next(iter(setting))} .* is out of range"):
        judge(1.0, **setting)


def test_a_report_names_effect_interval_and_runs() -> None:
    report = format_judgement(judge(0.9))

    first, *rest = report.splitlines()
    assert first.startswith("regression: the candidate is ")
    assert "% slower than the baseline (90 % confidence: -" in first
    assert len([line for line in rest if "samples/sec (" in line]) == 6


def test_windows_that_a_long_warm_up_leaves_too_few_of_are_not_judged() -> None:
    speeds = [10, 100, 300, 700, 1000, 1010, 990, 1000]
    text = "".join(
        f"Epoch[0] Batch [{10 * i}-{10 * i + 10}]\tSpeed: {speed:.2f} samples/sec\n"
        for i, speed in enumerate(speeds)
    )

    with pytest.raises(LogError, match="8 speed lines are too few"):
        load_pace(text.encode())
