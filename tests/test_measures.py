"""What can be judged beside the pace: throughput, the time of epochs, metrics, by direction."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from fitlog import Judgement, LogError, SettingError, check
from fitlog.gate import format_judgement
from speeds import log_of, make_ledger


def ends(accuracy: str, *, seconds: float = 2.0) -> str:
    return (
        f"Epoch[{{epoch}}] Time cost={seconds:.3f}\n"
        f"Epoch[{{epoch}}] Validation-accuracy={accuracy}\n"
        "Epoch[{epoch}] Validation-thing=0.5\n"
    )


def by(metric: str, new_ends: str, old_ends: str, **settings: Any) -> Judgement:
    return check(
        [log_of(1000, seed, windows=100, ends=new_ends) for seed in (1, 2, 3)],
        baseline=[log_of(1000, seed, windows=100, ends=old_ends) for seed in (4, 5, 6)],
        metric=metric,
        **settings,
    )


def test_a_metric_is_judged_by_its_direction() -> None:
    good, bad = ends("0.970000"), ends("0.700000")

    assert by("validation-accuracy", bad, good).verdict == "regression"
    assert by("validation-accuracy", good, bad).verdict == "improved"
    assert by("validation-accuracy", good, good).verdict == "pass"
    assert by("validation-accuracy", bad, good, better="lower").verdict == "improved"
    assert "worse than the baseline" in format_judgement(by("validation-accuracy", bad, good))


def test_the_time_of_an_epoch_is_better_when_low() -> None:
    slow, fast = ends("0.9", seconds=2.5), ends("0.9", seconds=2.0)

    judgement = by("time_cost", slow, fast)

    assert judgement.verdict == "regression"
    assert judgement.effect == pytest.approx(-0.2)
    assert "2.5 s an epoch" in format_judgement(judgement)
    assert by("time_cost", fast, slow).verdict == "improved"


def test_stalls_lower_the_throughput_and_hardly_the_pace() -> None:
    def stalled(seed: int) -> bytes:
        lines = log_of(1000, seed).splitlines(keepends=True)
        slow = re.compile(rb"Speed: \S+")
        return b"".join(
            slow.sub(b"Speed: 100.00", line) if i % 10 == 9 else line
            for i, line in enumerate(lines)
        )

    new_runs, old = [stalled(i) for i in range(3)], [log_of(1000, i) for i in (7, 8, 9)]

    assert check(new_runs, baseline=old, metric="throughput").verdict == "regression"
    assert check(new_runs, baseline=old).verdict == "pass"
    assert check(new_runs, baseline=old).candidates[0].pace.stall_share > 0.4


def test_a_metric_that_tells_no_direction_needs_one() -> None:
    text = ends("0.9")

    with pytest.raises(SettingError, match="--better higher or lower"):
        by("validation-thing", text, text)
    with pytest.raises(SettingError, match="must be higher or lower"):
        by("validation-thing", text, text, better="up")

    assert by("validation-thing", text, text, better="higher").verdict == "pass"


def test_a_metric_in_the_ledger_is_judged_like_one_in_a_log(tmp_path: Path) -> None:
    good = [f"{0.97 + 0.001 * (i % 3):.6f}" for i in range(10)]
    folder = tmp_path / "logs"
    folder.mkdir()
    logs = []
    for i, accuracy in enumerate(good):
        logs.append(folder / f"{i}.log")
        logs[-1].write_bytes(log_of(1000, i, ends=ends(accuracy)))
    ledger = make_ledger(tmp_path, logs)

    bad = check(
        [log_of(1000, 99, ends=ends("0.850000"))],
        history=ledger,
        metric="validation-accuracy",
    )

    assert bad.verdict == "regression"
    assert "0.85 validation-accuracy after epoch 2" in format_judgement(bad)


def test_a_metric_that_cannot_be_judged_is_an_error() -> None:
    good = ends("0.97")

    with pytest.raises(LogError, match="validation-accuracy is nan after epoch 4"):
        by("validation-accuracy", ends("nan"), good)
    with pytest.raises(LogError, match="need values above 0"):
        by("validation-accuracy", ends("-0.5"), good)
    with pytest.raises(LogError, match="holds no 'Time cost'"):
        check([log_of(1000)], baseline=[log_of(1000, 2)], metric="time_cost")
