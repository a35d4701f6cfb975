"""The learning rate over the epochs: warm-up, then steps, as MXNet's image-classification examples.

Each fit counts its updates from 0, so a training that goes on after a checkpoint gets what is left
of the schedule.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from fitlog.run.settings import RunOptions


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """What is left of a schedule: `lr` holds after the warm-up, steps count updates from here."""

    lr: float
    steps: tuple[int, ...]
    warmup_steps: int
    warmup_begin_lr: float


def plan_schedule(options: RunOptions, batches_per_epoch: int) -> Schedule:
    """The schedule from the first epoch that is trained on."""
    begin, lr = options.begin_epoch, options.lr
    for step in options.lr_step_epochs:
        if begin >= step:
            lr *= options.lr_factor
    steps = [step - begin for step in options.lr_step_epochs if step > begin]
    warm = max(0, options.warmup_epochs - begin)
    return Schedule(
        lr=lr,
        steps=tuple(step * batches_per_epoch for step in steps),
        warmup_steps=warm * batches_per_epoch,
        warmup_begin_lr=lr * begin / options.warmup_epochs if warm else 0.0,
    )


def make_scheduler(mx: Any, options: RunOptions, schedule: Schedule) -> Any | None:
    """MXNet's scheduler for it; None where the learning rate stays what it is."""
    if not (schedule.steps or schedule.warmup_steps):
        return None
    never = options.num_epochs * schedule.warmup_steps + 1  # it wants a step: after the last update
    return mx.lr_scheduler.MultiFactorScheduler(
        step=list(schedule.steps or [never]),
        factor=options.lr_factor if schedule.steps else 1,
        base_lr=schedule.lr,
        warmup_steps=schedule.warmup_steps,
        warmup_begin_lr=schedule.warmup_begin_lr,
    )
