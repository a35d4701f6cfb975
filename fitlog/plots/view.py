"""How somebody wants a picture: what stands on its axes, and how values are shown."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from fitlog.errors import SettingError
from fitlog.options import positive

X = Literal["batch", "sample", "epoch", "time", "relative"]
Style = Literal["light", "dark"]


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """What can be asked of every picture; a kind of picture leaves out what it has no use for.

    `x` is what runs along: None takes batches for the speed and epochs for metrics. `smooth` is the
    half-life of a time-weighted mean, in units of `x` (seconds for 'time' and 'relative'); the raw
    values stay, faintly. `log_scale` makes the value's axis logarithmic; metrics that fall by a
    factor of 100 have it anyway. `clip` leaves outliers beyond the axes, and says so. `marks` are
    epochs, restarts, learning rates, checkpoints and the best epoch. `batch_size` is for `x` in
    samples, where a log does not state it.

    Raises:
        SettingError: a word that is none of these, or a number that is not above 0.
    """

    x: X | None = None
    smooth: float | None = None
    log_scale: bool = False
    clip: bool = True
    marks: bool = True
    batch_size: int | None = None
    style: Style = "light"

    def __post_init__(self) -> None:
        """Refuse what no picture can be drawn by."""
        if self.x is not None and self.x not in get_args(X):
            raise SettingError(f"x {self.x!r}: must be one of {', '.join(get_args(X))}")
        if self.style not in get_args(Style):
            raise SettingError(f"style {self.style!r}: must be one of {', '.join(get_args(Style))}")
        positive("smooth", self.smooth)
        positive("batch_size", self.batch_size)
