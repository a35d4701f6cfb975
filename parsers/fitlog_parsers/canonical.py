"""What is read of a block of canonical lines, as arrays."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

TRAIN: Final = 0
VALIDATION: Final = 1
TIME_COST: Final = 2


class Epochs(NamedTuple):
    """Lines about whole epochs: `kind` is TRAIN, VALIDATION or TIME_COST, `metric` a name's code.

    `begin`, `end`: where the record stands in the block.
    """

    line: Ints
    epoch: Ints
    kind: Ints
    metric: Ints
    value: Floats
    begin: Ints
    end: Ints


class Speeds(NamedTuple):
    """Speed lines; `batch_start` is -1 where the line states none, `fields` counts its metrics.

    `metric` (a name's code) and `value` hold the metrics of all lines, one line's after another's.
    """

    line: Ints
    epoch: Ints
    batch_start: Ints
    batch_end: Ints
    samples_per_sec: Floats
    fields: Ints
    metric: npt.NDArray[np.int32]
    value: Floats


class Canonical(NamedTuple):
    """What was read of a block; lines count from 0, and `accepted` says which were read."""

    accepted: Bools
    speeds: Speeds
    epochs: Epochs

    @classmethod
    def nothing(cls) -> Canonical:
        """What is read of no line."""
        none, values = np.zeros(0, dtype="i8"), np.zeros(0)
        speeds = Speeds(none, none, none, none, values, none, np.zeros(0, dtype="i4"), values)
        epochs = Epochs(none, none, none, none, values, none, none)
        return cls(np.zeros(0, dtype=bool), speeds, epochs)

    def kept(self) -> Canonical:
        """What was read of the lines that are still accepted."""
        of_speeds, of_epochs = self.accepted[self.speeds.line], self.accepted[self.epochs.line]
        if of_speeds.all() and of_epochs.all():
            return self
        of_values = np.repeat(of_speeds, self.speeds.fields)
        speeds: Any = [column[of_speeds] for column in self.speeds[:6]]
        speeds += [column[of_values] for column in self.speeds[6:]]
        epochs: Any = [column[of_epochs] for column in self.epochs]
        return Canonical(self.accepted, Speeds(*speeds), Epochs(*epochs))


def flatten(
    count: int, steps: list[tuple[Ints | None, Any, Floats]], dead: list[Ints]
) -> tuple[Bools | None, Ints, npt.NDArray[np.int32], Floats]:
    """The fields of `count` lines, read slot by slot, in the order of their lines.

    Each of `steps` is a slot: the lines that have it (None: all), the code of its metric, one for
    all of them or an array, and the values. `dead` are lines that proved to be no speed lines.
    Gives which lines are left, bool (count,), None where all are; how many fields each of these
    has, int64; and the codes, int32, and values, float64, of all their fields, empty without any.
    """
    if not dead and all(lanes is None for lanes, _, _ in steps):
        fields = np.full(count, len(steps))
        metric = np.empty((count, len(steps)), dtype="i4")
        value = np.empty((count, len(steps)))
        for slot, (_, code, values) in enumerate(steps):
            metric[:, slot], value[:, slot] = code, values
        return None, fields, metric.ravel(), value.ravel()
    alive = np.ones(count, dtype=bool)
    for lanes in dead:
        alive[lanes] = False
    fields = np.zeros(count, dtype="i8")
    for step_lanes, _, _ in steps:
        if step_lanes is None:
            fields += 1
        else:
            fields[step_lanes] += 1
    fields[~alive] = 0
    first = np.cumsum(fields) - fields
    flat_metric = np.empty(int(fields.sum()), dtype="i4")
    flat_value = np.empty(len(flat_metric))
    for slot, (step_lanes, code, values) in enumerate(steps):
        lanes = np.arange(count) if step_lanes is None else step_lanes
        live = alive[lanes]
        at = first[lanes[live]] + slot
        flat_metric[at] = code if isinstance(code, int) else code[live]
        flat_value[at] = values[live]
    return alive, fields[alive], flat_metric, flat_value
