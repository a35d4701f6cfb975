"""What a comparison is made of: runs, the settings that differ, and quantities."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

from fitlog.contrasts import CONFIDENCE, Difference, Scale
from fitlog.tables import RunLog


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """A setting that differs; `values` are the runs' in their order, None where it is not set."""

    name: str
    values: tuple[str | None, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Quantity:
    """A figure of all runs, in their order.

    `group` is the metric's name, or what the figure belongs to. `higher_is_better` is None where
    nothing tells. `differences` are relative or absolute, as `scale` says; None for the baseline.
    `epochs` are those that the values stand for, None where there is none.
    """

    group: str
    name: str
    higher_is_better: bool | None
    scale: Scale
    values: tuple[float | None, ...]
    epochs: tuple[int | None, ...]
    differences: tuple[Difference | None, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparedRun:
    """A run that is compared; `label` is its letter, `settings` are all that is known of it.

    `wall_seconds` are those of training at the end of each epoch, by the epochs' time costs.
    """

    label: str
    name: str
    status: str
    epochs: int
    wall_seconds: dict[int, float]
    settings: dict[str, str]
    settings_source: str
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Runs beside each other, the first of them the baseline.

    `metric` is the one whose rise is timed, such as 'validation-accuracy'; None where the runs have
    none in common. `settings` are those that differ, `notes` what a reader should know of the
    comparison, `logs` the tables of the runs that were compared.
    """

    runs: tuple[ComparedRun, ...]
    metric: str | None
    settings: tuple[Setting, ...]
    quantities: tuple[Quantity, ...]
    notes: tuple[str, ...]
    logs: tuple[RunLog, ...]

    def to_dict(self) -> dict[str, Any]:
        """The comparison as plain data; a number that is not finite is a string."""
        plain = {
            "schema": 1,
            "baseline": self.runs[0].label,
            "confidence": CONFIDENCE,
            "metric": self.metric,
            "runs": [asdict(run) for run in self.runs],
            "settings": [asdict(setting) for setting in self.settings],
            "quantities": [asdict(quantity) for quantity in self.quantities],
            "notes": list(self.notes),
        }
        return dict(_plain(plain))


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _plain(each) for name, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(each) for each in value]
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value
