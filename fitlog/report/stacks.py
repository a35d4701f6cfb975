"""Where the time of runs went, for the page: the seconds of each epoch by group of phases."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from fitlog.plots.phases import GROUP_COLORS, GROUPS
from fitlog.report.series import Rows

if TYPE_CHECKING:
    import numpy as np

    from fitlog.phases import PhaseLog

_MOST_EPOCHS: Final = 400


@dataclass(frozen=True, slots=True, kw_only=True)
class Stack:
    """A bar for each epoch: `layers` are seconds by group, float64 (n,), the lowest first."""

    key: str
    x_label: str
    y_label: str
    x: np.ndarray[Any, Any]
    layers: dict[str, np.ndarray[Any, Any]]
    colors: tuple[str, ...]
    rows: Rows


def make_stack(log: PhaseLog, fit: int, key: str) -> Stack | None:
    """The epochs of one fit, of very many the last; None where none has ended."""
    epochs = log.epochs[log.epochs["fit"] == fit].dropna(subset="epoch")
    left_out = max(0, len(epochs) - _MOST_EPOCHS)
    epochs = epochs.iloc[left_out:]
    if epochs.empty:
        return None
    layers = {
        group: epochs[list(phases)].sum(axis=1).to_numpy(dtype="float64")
        for group, phases in GROUPS.items()
    }
    layers = {group: seconds for group, seconds in layers.items() if seconds.any()}
    x = epochs["epoch"].to_numpy(dtype="int64")
    cells = tuple(
        (int(epoch), *(float(seconds[i]) for seconds in layers.values()))
        for i, epoch in enumerate(x)
    )
    return Stack(
        key=key,
        x_label="epoch",
        y_label="seconds",
        x=x.astype("int32") if x.max() < 2**31 else x.astype("float64"),
        layers=layers,
        colors=tuple(GROUP_COLORS[group] for group in layers),
        rows=Rows(
            heads=("epoch", *(f"{group}, s" for group in layers)), cells=cells, left_out=left_out
        ),
    )
