"""What a run can be judged by: pace, throughput, the time of an epoch, or a metric.

Each becomes a `Pace` on the scale of logarithms, turned so that more is always better: the judge
need not know what it judges.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from fitlog.directions import is_higher_better
from fitlog.errors import LogError, NoRecordsError, SettingError
from fitlog.readings import Reading
from fitlog.stats import Pace, measure_pace

Better = Literal["higher", "lower"]

PACE: Final = "pace"
THROUGHPUT: Final = "throughput"
TIME_COST: Final = "time_cost"
SPEEDS: Final = (PACE, THROUGHPUT)
MIN_WINDOWS: Final = 5
_MIN_EPOCHS: Final = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """A measure's name, and whether more of it is better."""

    name: str
    higher: bool

    @property
    def is_of_time(self) -> bool:
        """Whether a busy machine changes it."""
        return self.name in (*SPEEDS, TIME_COST)

    @property
    def worse(self) -> str:
        """How a change for the worse is called."""
        return "slower" if self.is_of_time else "worse"

    @property
    def better(self) -> str:
        """How a change for the better is called."""
        return "faster" if self.is_of_time else "better"

    def value_of(self, pace: float) -> float:
        """The measure in its own unit, of a pace on the scale of the judge."""
        return math.exp(pace if self.higher else -pace)

    @property
    def unit(self) -> str:
        """What it is counted in."""
        if self.name in SPEEDS:
            return "samples/sec"
        return "s an epoch" if self.name == TIME_COST else self.name

    def show(self, pace: float) -> str:
        """A pace on the scale of the judge as text, in the measure's own unit."""
        return self.show_value(self.value_of(pace))

    def show_value(self, value: float) -> str:
        """A value in the measure's own unit as text, with the unit."""
        return f"{self.show_number(value)} {self.unit}"

    def show_number(self, value: float) -> str:
        """The same without the unit."""
        return f"{value:,.1f}" if self.name in SPEEDS else f"{value:.4g}"


PACE_MEASURE: Final = Measure(name=PACE, higher=True)


def find_measure(name: str, better: str | None = None) -> Measure:
    """The measure of this name; `better` ('higher' or 'lower') overrides what the name tells.

    Raises:
        SettingError: the name does not tell, or `better` is neither.
    """
    if better not in (None, "higher", "lower"):
        raise SettingError(f"better {better!r}: must be higher or lower")
    if better is not None:
        return Measure(name=name, higher=better == "higher")
    higher = True if name in SPEEDS else False if name == TIME_COST else is_higher_better(name)
    if higher is None:
        raise SettingError(
            f"nothing tells whether more of {name!r} is better: say --better higher or lower"
        )
    return Measure(name=name, higher=higher)


def measure_run(reading: Reading, measure: Measure, *, warm_up: int | None = None) -> Pace:
    """One run by one measure; of a metric, the value of the last epoch.

    Raises:
        LogError: the log does not hold the measure, too little of it, or what cannot be true.
    """
    if measure.name in SPEEDS:
        return _speed(reading, measure, warm_up)
    if measure.name == TIME_COST:
        return _time_cost(reading, measure, warm_up)
    return _metric(reading, measure)


def measure_speeds(
    speeds: Sequence[float], measure: Measure = PACE_MEASURE, *, warm_up: int | None = None
) -> Pace | None:
    """The pace of a training's speeds, in order; None of too few, or where one cannot be true."""
    if not all(map(_can_be_true, speeds)):
        return None
    pace = _pace(speeds, measure, warm_up)
    return None if pace is None or pace.windows < MIN_WINDOWS else pace


def _can_be_true(speed: float) -> bool:
    return math.isfinite(speed) and speed > 0


def _speed(reading: Reading, measure: Measure, warm_up: int | None) -> Pace:
    windows, name = reading.windows, reading.name
    if not windows and reading.runs > 1:
        raise NoRecordsError(
            f"the last of its {reading.runs} runs reports no speed: did it die before?", path=name
        )
    if not windows:
        raise NoRecordsError("holds no speed of a training: nothing to judge", path=name)
    bad = [window for window in windows if not _can_be_true(window.samples_per_sec)]
    if bad:
        raise LogError(
            f"{len(bad)} of {len(windows)} speeds cannot be true, the first is"
            f" {bad[0].samples_per_sec}: the clock or the log is broken, and what it says of"
            " throughput cannot be judged",
            path=name,
            line=bad[0].line,
        )
    speeds = [window.samples_per_sec for window in windows]
    pace = measure_speeds(speeds, measure, warm_up=warm_up)
    if pace is None:
        count = f"{len(speeds)} speed lines are" if len(speeds) != 1 else "1 speed line is"
        raise LogError(
            f"{count} too few to judge: {MIN_WINDOWS} are needed after the"
            " warm-up; train longer, or report more often (--disp-batches, Speedometer's frequent)",
            path=name,
        )
    return pace


def _time_cost(reading: Reading, measure: Measure, warm_up: int | None) -> Pace:
    costs, name = reading.time_costs, reading.name
    if not costs:
        raise NoRecordsError("holds no 'Time cost' of an epoch: nothing to judge", path=name)
    for epoch, seconds in costs.items():
        if not (math.isfinite(seconds) and seconds > 0):
            raise LogError(
                f"the time of epoch {epoch} cannot be true: {seconds} seconds", path=name
            )
    pace = _pace([1 / seconds for seconds in costs.values()], measure, warm_up)
    if pace is None or pace.windows < _MIN_EPOCHS:
        raise LogError(
            f"{len(costs)} epochs with a time are too few to judge: {_MIN_EPOCHS} are needed after"
            " the warm-up",
            path=name,
        )
    return pace


def _pace(rates: Sequence[float], measure: Measure, warm_up: int | None) -> Pace | None:
    """None where the warm-up leaves nothing."""
    if len(rates) <= (warm_up or 0):
        return None
    return measure_pace(rates, warm_up=warm_up, whole=measure.name == THROUGHPUT)


def _metric(reading: Reading, measure: Measure) -> Pace:
    values = reading.metrics.get(measure.name)
    if not values:
        known = ", ".join((*SPEEDS, TIME_COST, *reading.metrics))
        raise NoRecordsError(f"holds no {measure.name!r}; known: {known}", path=reading.name)
    epoch = max(values)
    value = values[epoch]
    if not math.isfinite(value):
        raise LogError(
            f"{measure.name} is {value} after epoch {epoch}: it cannot be judged", path=reading.name
        )
    if value <= 0:
        raise LogError(
            f"{measure.name} is {value:g} after epoch {epoch}: relative changes are judged, and"
            " need values above 0",
            path=reading.name,
        )
    log = math.log(value)
    return Pace(
        pace=log if measure.higher else -log,
        spread=0.0,
        variance=0.0,
        warm_up=0,
        windows=1,
        throughput=value,
        drift=0.0,
    )
