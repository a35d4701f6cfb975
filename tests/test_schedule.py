"""The learning rate over the epochs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from fitlog.run.schedule import Schedule, make_scheduler, plan_schedule
from fitlog.run.settings import RunOptions

BATCHES = 10


def rates(mx: Any, options: RunOptions) -> list[float]:
    """The learning rate of each update that a fit with these options does."""
    schedule = plan_schedule(options, BATCHES)
    scheduler = make_scheduler(mx, options, schedule)
    updates = (options.num_epochs - options.begin_epoch) * BATCHES
    if scheduler is None:
        return [schedule.lr] * updates
    # As upstream's optimizer does, which counts from 1 (optimizer.py, _update_count, _get_lrs).
    return [scheduler(update) for update in range(1, updates + 1)]


def options(**changes: Any) -> RunOptions:
    return RunOptions(**{"lr": 0.8, "num_epochs": 8, "lr_factor": 0.5, **changes})


def test_without_steps_the_rate_stays(mx: Any) -> None:
    assert plan_schedule(options(), BATCHES) == Schedule(
        lr=0.8, steps=(), warmup_steps=0, warmup_begin_lr=0.0
    )
    assert make_scheduler(mx, options(), plan_schedule(options(), BATCHES)) is None


def test_a_step_takes_effect_with_the_first_batch_of_its_epoch(mx: Any) -> None:
    found = rates(mx, options(lr_step_epochs=(2, 5)))

    assert found == [0.8] * 20 + [0.4] * 30 + [0.2] * 30


def test_the_rate_rises_from_0_and_then_stays(mx: Any) -> None:
    found = rates(mx, options(warmup_epochs=2))

    assert found[:19] == pytest.approx([0.8 * update / 20 for update in range(1, 20)])
    assert found[19:] == [0.8] * 61


@pytest.mark.parametrize("begin", range(1, 8))
@pytest.mark.parametrize(
    "changes", [{}, {"lr_step_epochs": (2, 5)}, {"lr_step_epochs": (4, 5), "warmup_epochs": 3}]
)
def test_a_training_that_goes_on_has_the_rates_of_one_never_stopped(
    changes: dict[str, Any], begin: int, mx: Any
) -> None:
    whole = rates(mx, options(**changes))

    rest = rates(mx, options(**changes, load_epoch=begin, model_prefix=Path("x")))

    assert rest == pytest.approx(whole[begin * BATCHES :])
