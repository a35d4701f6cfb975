"""Trainings killed by SIGKILL, at random and in the midst of a checkpoint, and then resumed."""

from __future__ import annotations

import json
import random
import signal
from pathlib import Path
from typing import Any

import pytest

from stopping import (
    VARIANTS,
    Stop,
    leftovers,
    outcome,
    random_stop,
    run_folder,
    train,
    train_all,
)

# Calls in the midst of a checkpoint, and the epochs that are done when a training is killed there.
POINTS = {
    "replace:3:before": 0,  # the first one's parameters are a draft
    "replace:8:before": 1,  # all of the second is there but the manifest
    "fsync:9:before": 1,  # the name of the first one's manifest is not yet on the disk
}


@pytest.fixture(scope="module")
def stopped(mx: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Each variant trained as `whole-0`, ..., and as `killed-0`, ..., which were resumed.

    Those after the last variant are like the first, killed at the points.
    """
    assert mx is not None
    folder = tmp_path_factory.mktemp("stopped")
    variants = list(VARIANTS.values())
    stops = [random_stop(random.Random(number)) for number in range(len(variants))]
    stops += [Stop(call=point) for point in POINTS]
    killed = [[*variants[n if n < len(variants) else 0], "--out", f"killed-{n}"] for n in range(9)]
    for command, stop in zip(killed, stops, strict=True):
        code, _, errors = train(folder, *command, stop=stop)
        assert code == -signal.SIGKILL, f"not killed {stop}: {errors}"
    whole = [[*variant, "--out", f"whole-{number}"] for number, variant in enumerate(variants)]
    resumed = [["--resume", str(run_folder(folder, f"killed-{n}"))] for n in range(9)]
    train_all(folder, [*whole, *resumed])
    return folder


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_run_killed_at_random_comes_to_the_same_in_the_end(variant: str, stopped: Path) -> None:
    number = list(VARIANTS).index(variant)
    whole, killed = (run_folder(stopped, f"{name}-{number}") for name in ("whole", "killed"))

    assert outcome(killed) == outcome(whole)
    assert json.loads((killed / "run.json").read_text())["status"] == "finished"
    assert leftovers(killed) == []


@pytest.mark.parametrize("point", POINTS)
def test_a_run_killed_while_it_writes_a_checkpoint_goes_on_from_a_whole_one(
    point: str, stopped: Path
) -> None:
    killed = run_folder(stopped, f"killed-{len(VARIANTS) + list(POINTS).index(point)}")

    (resumption,) = json.loads((killed / "run.json").read_text())["resumptions"]
    assert (resumption["epoch"], resumption["from"]) == (POINTS[point], "running")
    assert outcome(killed) == outcome(run_folder(stopped, "whole-0"))
    assert leftovers(killed) == []
