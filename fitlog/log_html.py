"""A log as a notebook shows it: what it holds, small charts, and what to doubt of it.

Plain HTML with the charts as inline SVG, so that it needs no script, no network and no matplotlib.
Whatever comes from the log is escaped; colours go with light and dark grounds.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING, Any, Final

from fitlog.directions import is_higher_better
from fitlog.plots.sampling import keep_peaks
from fitlog.printable import printable

if TYPE_CHECKING:
    import numpy.typing as npt
    import pandas as pd

    from fitlog.tables import RunLog

_WIDTH, _HEIGHT = 240, 64
_MOST_RUNS: Final = 6
_MOST_METRICS: Final = 6
_MOST_WARNINGS: Final = 5
_MOST_CHARACTERS: Final = 200
_COLORS: Final = {"speed": "#0072B2", "train": "#0072B2", "validation": "#D55E00"}
_DASHES: Final = {"train": ' stroke-dasharray="4 3"'}

# Its colour and dash, its places and its values.
_Line = tuple[str, "npt.NDArray[Any]", "npt.NDArray[Any]"]


def log_html(log: RunLog) -> str:
    """The log as a piece of HTML, whose size does not grow with the log."""
    parts = [f"<strong>{_text(log.name)}</strong> {_summary(log)}", *_runs(log)]
    charts = [chart for chart in (_speed_chart(log), *_metric_charts(log)) if chart]
    if charts:
        parts.append(f'<div style="display:flex;flex-wrap:wrap;gap:16px">{"".join(charts)}</div>')
    return (
        f'<div style="font-family:sans-serif;font-size:13px">{"".join(parts)}{_warnings(log)}</div>'
    )


def _summary(log: RunLog) -> str:
    count = len(log.runs.drop_duplicates(["file", "run"] if "file" in log.runs else ["run"]))
    said = [_count(count, "run"), _count(len(log.epochs), "epoch"), _count(log.lines, "line")]
    if len(log.unparsed):
        said.append(f"{len(log.unparsed):,} not read")
    speeds = log.speed["samples_per_sec"].dropna()
    if len(speeds):
        said.append(f"median {speeds.median():,.1f} samples/sec")
    return escape(", ".join(said))


def _runs(log: RunLog) -> list[str]:
    """How each of the first runs ended, and its last epoch."""
    if log.runs.empty:
        return []
    rows = []
    for run in log.runs.head(_MOST_RUNS).itertuples():
        told: Any = run
        file = f"{told.file}, " if "file" in log.runs else ""
        node = "" if _is_missing(told.node) else f", node {told.node}"
        last = f"epochs {told.begin_epoch} to {told.last_epoch}"
        if _is_missing(told.last_epoch):
            last = "no epoch"
        said = f"{file}run {told.run}{node}: {told.status}, {last}"
        rows.append(f"<li>{_text(said)}</li>")
    if len(log.runs) > _MOST_RUNS:
        rows.append(f"<li>and {len(log.runs) - _MOST_RUNS:,} more</li>")
    return [f'<ul style="margin:4px 0">{"".join(rows)}</ul>']


def _speed_chart(log: RunLog) -> str:
    import numpy as np

    rows = log.speed[log.speed["split"] == "train"]
    values = rows["samples_per_sec"].to_numpy()
    return _chart("samples/sec, by report", [("speed", np.arange(len(values)), values)])


def _metric_charts(log: RunLog) -> list[str]:
    """Values of whole epochs by their epoch, of the last run of the first file and node."""
    rows = _one_run(log.metrics)
    whole = rows[rows["scope"] == "epoch"]
    charts = []
    names = list(whole["metric"].unique())
    for name in names[:_MOST_METRICS]:
        lines, best = [], ""
        for split in ("train", "validation"):
            of_split = whole[(whole["metric"] == name) & (whole["split"] == split)]
            x = of_split["epoch"].to_numpy(dtype="f8", na_value=float("nan"))
            lines.append((split, x, of_split["value"].to_numpy()))
            best = _best(of_split, name) or best
        charts.append(_chart(f"{printable(name)}{best}", lines))
    if len(names) > _MOST_METRICS:
        charts.append(f"<span>and {len(names) - _MOST_METRICS:,} more metrics</span>")
    return charts


def _one_run(rows: pd.DataFrame) -> pd.DataFrame:
    for column in ("file", "run", "node"):
        if column in rows and rows[column].nunique() > 1:
            first = rows[column].dropna().iloc[0]
            rows = rows[rows[column] == (rows["run"].max() if column == "run" else first)]
    return rows


def _best(rows: pd.DataFrame, name: str) -> str:
    higher, values = is_higher_better(name), rows["value"].dropna()
    if higher is None or values.empty:
        return ""
    best: Any = rows.loc[[values.idxmax() if higher else values.idxmin()]].iloc[0]
    return f", best {best['split']} {best['value']:.4g} (epoch {best['epoch']})"


def _chart(title: str, lines: Sequence[_Line]) -> str:
    """Lines on common axes, with the least and the greatest value; nothing of no finite value."""
    import numpy as np

    drawn = []
    for name, x, y in lines:
        kept = keep_peaks(x, y, _WIDTH)
        kept = kept[np.isfinite(y[kept]) & (np.abs(y[kept]) < 1e300)]
        if len(kept):
            drawn.append((name, np.asarray(x[kept], dtype="f8"), np.asarray(y[kept], dtype="f8")))
    if not drawn:
        return ""
    left, right = min(x.min() for _, x, _ in drawn), max(x.max() for _, x, _ in drawn)
    low, high = min(y.min() for _, _, y in drawn), max(y.max() for _, _, y in drawn)
    shapes = []
    for name, x, y in drawn:
        across = 4 + (x - left) / ((right - left) or 1.0) * (_WIDTH - 8)
        down = _HEIGHT - 4 - (y - low) / ((high - low) or 1.0) * (_HEIGHT - 8)
        look = f'stroke="{_COLORS[name]}" fill="none" stroke-width="1.5"{_DASHES.get(name, "")}'
        if len(x) == 1:
            shapes.append(
                f'<circle cx="{across[0]:.1f}" cy="{down[0]:.1f}" r="2.5" fill="{_COLORS[name]}"/>'
            )
            continue
        points = " ".join(f"{a:.1f},{d:.1f}" for a, d in zip(across, down, strict=True))
        shapes.append(f'<polyline {look} points="{points}"/>')
    said = f"{title}: {_number(low)} to {_number(high)}"
    caption = _text(said)
    if any(name == "train" for name, _, _ in drawn):
        caption += ' <span style="color:#0072B2">train - -</span>'
    if any(name == "validation" for name, _, _ in drawn):
        caption += ' <span style="color:#D55E00">validation</span>'
    return (
        '<figure style="margin:4px 0">'
        f'<svg role="img" aria-label="{_text(said)}" width="{_WIDTH}" height="{_HEIGHT}"'
        f' viewBox="0 0 {_WIDTH} {_HEIGHT}" style="border-bottom:1px solid #8884">'
        f"{''.join(shapes)}</svg>"
        f'<figcaption style="font-size:11px;max-width:{_WIDTH}px">{caption}</figcaption></figure>'
    )


def _warnings(log: RunLog) -> str:
    if log.warnings.empty:
        return ""
    items = [
        f"<li>line {row['line']}: {_text(str(row['text']))}</li>"
        for row in log.warnings.head(_MOST_WARNINGS).to_dict("records")
    ]
    if len(log.warnings) > _MOST_WARNINGS:
        items.append(f"<li>and {len(log.warnings) - _MOST_WARNINGS:,} more in .warnings</li>")
    count = _count(len(log.warnings), "warning")
    listed = f'<ul style="margin:4px 0">{"".join(items)}</ul>'
    return f'<details open=""><summary>{count}</summary>{listed}</details>'


def _number(value: float) -> str:
    return f"{value:,.0f}" if 1000 <= abs(value) < 1e9 else f"{value:.4g}"


def _is_missing(value: Any) -> bool:
    import pandas as pd

    return value is pd.NA or value is None


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}" + "s" * (number != 1)


def _text(text: str) -> str:
    """Escaped for HTML, without control characters, and no longer than a few lines."""
    shown = printable(text)
    return escape(shown if len(shown) <= _MOST_CHARACTERS else shown[:_MOST_CHARACTERS] + "…")
