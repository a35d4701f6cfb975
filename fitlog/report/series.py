"""What the page's charts show: curves of runs as named lines, and the table behind each chart.

The lines are whole here; what draws them takes fewer points.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, TypedDict

from fitlog.directions import unit_of
from fitlog.plots.curves import Curve
from fitlog.plots.metrics import falls_far
from fitlog.plots.places import make_places
from fitlog.plots.smoothing import running_median
from fitlog.plots.speed import SMOOTHED_WINDOWS
from fitlog.plots.view import View

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

    Numbers = np.ndarray[Any, Any]

# Pixels that are drawn and left out by turns; a solid line has none.
Dash = tuple[int, ...]
Weight = Literal["faint", "bold"]

MOST_CHARTED_METRICS: Final = 24
_MOST_TABLE_ROWS: Final = 400
# More runs than there are colours are told apart by how their lines are broken: solid or dotted,
# and dashed in training.
TONES: Final = 8
_DASHES: Final[tuple[Dash, ...]] = ((), (2, 4), (2, 4, 2, 10))
_TRAIN_DASHES: Final[tuple[Dash, ...]] = ((6, 4), (14, 4), (14, 4, 4, 4))
# Of a run alone, what is validated is told by another colour.
_VALIDATION_TONE: Final = 1
_VIEW: Final = View()


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A line of one run: `part` says what of it, `x` and `y` are float64 (n,), nan breaks it.

    `tone` is the number of its colour, which depends on the page's ground.
    """

    run: int
    part: str
    tone: int
    dash: Dash
    weight: Weight
    x: Numbers
    y: Numbers
    dots: bool = False


class _Shown(TypedDict):
    """What all lines of a run on a chart have in common."""

    run: int
    tone: int
    dash: Dash


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """A table for people: headings, cells as text or numbers, and how many rows were left out."""

    heads: tuple[str, ...]
    cells: tuple[tuple[str | float | int | None, ...], ...]
    left_out: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """A chart: `key` names it in the page, `lines` are drawn in their order, `note` is below."""

    key: str
    title: str
    x_label: str
    y_label: str
    lines: tuple[Line, ...]
    rows: Rows
    is_log: bool = False
    note: str = ""


def make_charts(curves: Sequence[Curve]) -> list[Chart]:
    """Speed over batches, then each metric over epochs; none of what no run has."""
    charts = [_speed_chart(curves)] if any(len(curve.speed) for curve in curves) else []
    names = list(dict.fromkeys(name for curve in curves for name in curve.metrics["metric"]))
    for number, name in enumerate(names[:MOST_CHARTED_METRICS]):
        charts.append(_metric_chart(curves, str(name), f"metric-{number}"))
    return charts


def tone_of(curve: Curve) -> int:
    """The number of a run's colour."""
    return curve.number % TONES


def dash_of(curve: Curve, *, is_train: bool = False) -> Dash:
    """How a run's line is broken."""
    dashes = _TRAIN_DASHES if is_train else _DASHES
    return dashes[curve.number // TONES % len(dashes)]


def _speed_chart(curves: Sequence[Curve]) -> Chart:
    lines: list[Line] = []
    broken = 0
    places = make_places(curves, _VIEW, "batch")
    for run, curve in enumerate(curves):
        x = places.of(curve, curve.speed)
        y = curve.speed["samples_per_sec"].to_numpy(dtype="float64")
        broken += int((y != y).sum())
        shown = _Shown(run=run, tone=tone_of(curve), dash=dash_of(curve))
        if len(y) < SMOOTHED_WINDOWS:
            lines.append(Line(**shown, part="windows", weight="bold", x=x, y=y, dots=True))
            continue
        lines.append(Line(**shown, part="windows", weight="faint", x=x, y=y))
        lines.append(Line(**shown, part="median", weight="bold", x=x, y=running_median(y)))
    notes = []
    if any(line.part == "median" for line in lines):
        notes.append("faint: each window; bold: the running median")
    notes += _nodes_told(curves)
    if broken:
        notes.append(f"{broken} windows without a finite speed are left out")
    return Chart(
        key="speed",
        title="Throughput",
        x_label=places.label,
        y_label="samples/sec",
        lines=tuple(_behind(lines)),
        rows=_speed_rows(curves),
        note="; ".join(notes),
    )


def _metric_chart(curves: Sequence[Curve], metric: str, key: str) -> Chart:
    alone = len(curves) == 1
    places = make_places(curves, _VIEW, "epoch")
    lines: list[Line] = []
    for run, curve in enumerate(curves):
        rows = curve.metrics[curve.metrics["metric"] == metric]
        whole = rows[rows["scope"] == "epoch"]
        within = rows[(rows["scope"] != "epoch") & (rows["split"] == "train")]
        shown = _Shown(run=run, tone=tone_of(curve), dash=dash_of(curve))
        if len(within) and (alone or whole.empty):
            x, y = places.of(curve, within), within["value"].to_numpy(dtype="float64")
            weight: Weight = "bold" if whole.empty else "faint"
            lines.append(Line(**shown, part="within", weight=weight, x=x, y=y))
        for split in ("train", "validation"):
            x, y = _by_epoch(whole[whole["split"] == split])
            if not len(x):
                continue
            shown["dash"] = dash_of(curve, is_train=split == "train")
            if alone and split == "validation":
                shown["tone"] = _VALIDATION_TONE
            lines.append(Line(**shown, part=split, weight="bold", x=x, y=y, dots=True))
    return Chart(
        key=key,
        title=metric,
        x_label="epoch",
        y_label=unit_of(metric),
        lines=tuple(_behind(lines)),
        rows=_metric_rows(curves, metric),
        is_log=falls_far(_numbers_of(lines), metric),
        note="; ".join([_parts_told(lines), *_nodes_told(curves)]),
    )


def _behind(lines: Sequence[Line]) -> Iterator[Line]:
    """What is faint first, so that it lies behind the rest."""
    yield from (line for line in lines if line.weight == "faint")
    yield from (line for line in lines if line.weight != "faint")


def _by_epoch(rows: pd.DataFrame) -> tuple[Numbers, Numbers]:
    rows = rows.dropna(subset="epoch").drop_duplicates("epoch", keep="last").sort_values("epoch")
    return rows["epoch"].to_numpy(dtype="float64"), rows["value"].to_numpy(dtype="float64")


def _numbers_of(lines: Sequence[Line]) -> Numbers:
    """All values of the lines that are numbers."""
    import numpy as np

    values: Numbers = np.concatenate([line.y for line in lines]) if lines else np.array([])
    numbers: Numbers = values[~np.isnan(values)]
    return numbers


def _parts_told(lines: Sequence[Line]) -> str:
    is_solid = all(line.dash in ((), _TRAIN_DASHES[0]) for line in lines)
    told = {
        "train": "dashed: training, whole epochs",
        "validation": "solid: validation" if is_solid else "solid or dotted: validation",
        "within": "faint: within the epoch",
    }
    parts = {line.part for line in lines}
    if parts == {"within"}:
        return "within the epoch: the log has no value of a whole epoch"
    return "; ".join(text for part, text in told.items() if part in parts)


def _nodes_told(curves: Sequence[Curve]) -> list[str]:
    if all(curve.nodes == 1 for curve in curves):
        return []
    nodes = curves[0].nodes if len(curves) == 1 else "several"
    return [f"of {nodes} nodes, the median at each place"]


def _speed_rows(curves: Sequence[Curve]) -> Rows:
    """Each epoch of each run in a few figures."""
    cells: list[tuple[str | float | int | None, ...]] = []
    for curve in curves:
        for epoch, rows in curve.speed.groupby("epoch", dropna=False):
            speeds = rows["samples_per_sec"].dropna()
            figures = (speeds.median(), speeds.min(), speeds.max()) if len(speeds) else (None,) * 3
            cells.append((curve.label, _whole(epoch), len(rows), *map(_plain, figures)))
    heads = ("run", "epoch", "windows", "median samples/sec", "slowest", "fastest")
    return _shortened(heads, cells)


def _metric_rows(curves: Sequence[Curve], metric: str) -> Rows:
    """What each epoch of each run came to; of values within it, the last."""
    cells: list[tuple[str | float | int | None, ...]] = []
    for curve in curves:
        rows = curve.metrics[curve.metrics["metric"] == metric].dropna(subset="epoch")
        found: dict[int, dict[str, float]] = {}
        for scope, split, epoch, value in zip(
            *(rows[name].tolist() for name in ("scope", "split", "epoch", "value")), strict=True
        ):
            part = split if scope == "epoch" else "within" if split == "train" else None
            if part is not None:
                found.setdefault(int(epoch), {})[part] = value
        for epoch, values in sorted(found.items()):
            parts = (_plain(values.get(part)) for part in ("within", "train", "validation"))
            cells.append((curve.label, epoch, *parts))
    return _shortened(("run", "epoch", "last within", "train", "validation"), cells)


def _shortened(
    heads: tuple[str, ...], cells: Sequence[tuple[str | float | int | None, ...]]
) -> Rows:
    kept = tuple(cells[:_MOST_TABLE_ROWS])
    return Rows(heads=heads, cells=kept, left_out=len(cells) - len(kept))


def _whole(number: Any) -> int | None:
    import pandas as pd

    return None if pd.isna(number) else int(number)


def _plain(value: Any) -> float | None:
    return None if value is None or not math.isfinite(value) else float(value)
