"""How trainings that are watched look on a terminal: lines of text, of any width.

Everything here is a pure function of what is known, the time and the size. The lines are plain
`Text`, not rich's tables: a training draws its own view, and this costs it a tenth. What comes from
a log is made printable here.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import zip_longest
from typing import Final, NamedTuple

from rich.text import Text

from fitlog.directions import unit_of
from fitlog.printable import printable
from fitlog.watch import OVER, MetricState, Watched

# A training that says nothing for so long may well be stuck.
SILENT_SECONDS: Final = 10.0

_BLOCK_WIDTH: Final = 56  # two fit side by side from 114 columns on
_GAP: Final = 2
_MOST_WARNINGS: Final = 3
_MOST_METRICS: Final = 6
_VALUE_WIDTH: Final = 11
_LEAST_SHARE: Final = 0.005
_NAME_WIDTH: Final = 24
_WIDE: Final = 100
_STAMP: Final = re.compile(r"^\d{8}-\d{6}-")
_COLORS: Final = {"finished": "green", "failed": "bold red", "running": "cyan"}


class Glyphs(NamedTuple):
    """What is drawn with: a sparkline's levels from low to high, and a bar's two halves."""

    levels: str
    done: str
    left: str
    missing: str


UNICODE: Final = Glyphs("▁▂▃▄▅▆▇█", "━", "─", "!")
ASCII: Final = Glyphs("_.:-=+*#", "=", "-", "!")


def sparkline(values: Sequence[float], width: int, glyphs: Glyphs = UNICODE) -> str:
    """The last values as bars, one character each.

    The highest bar is the largest value; the lowest is half of that, or the smallest if that is
    less: what is noise looks like little, a slowdown does not. What is not finite is marked.
    """
    shown = list(values)[-width:] if width > 0 else []
    finite = [value for value in shown if math.isfinite(value)]
    top = max(finite, default=0.0)
    bottom = min(top / 2, *finite) if finite else 0.0
    levels = glyphs.levels

    def level(value: float) -> str:
        if not math.isfinite(value):
            return glyphs.missing
        part = (value - bottom) / (top - bottom) if top > bottom else 1.0
        return levels[min(len(levels) - 1, int(part * len(levels)))]

    return "".join(map(level, shown))


def format_duration(seconds: float) -> str:
    """As a clock shows it: `0:42`, `1:02:03`, from a day on `2 d 03:04`."""
    minutes, second = divmod(round(seconds), 60)
    hours, minute = divmod(minutes, 60)
    days, hour = divmod(hours, 24)
    if days:
        return f"{days:,} d {hour:02}:{minute:02}"
    return f"{hour}:{minute:02}:{second:02}" if hours else f"{minute}:{second:02}"


def status_of(run: Watched, now: float) -> str:
    """How the run is: as its record says, or by whether anything is heard of it."""
    if run.status in OVER:
        return str(run.status)
    if run.is_ended and run.status is None:
        return "ended"
    if run.last_time is None:
        return "no line yet"
    silent = now - run.last_time
    return f"no line for {format_duration(silent)}" if silent >= SILENT_SECONDS else "running"


def draw_runs(
    runs: Sequence[Watched], now: float, width: int, height: int, glyphs: Glyphs = UNICODE
) -> list[Text]:
    """The runs side by side as the width allows; where that is too high, a line for each."""
    columns = max(1, min(len(runs), (width + _GAP) // (_BLOCK_WIDTH + _GAP)))
    block_width = (width - _GAP * (columns - 1)) // columns
    blocks = [draw_run(run, now, block_width, glyphs) for run in runs]
    lines: list[Text] = []
    for i in range(0, len(blocks), columns):
        lines += [Text()] * bool(lines)
        for row in zip_longest(*blocks[i : i + columns], fillvalue=Text()):
            line = Text(" " * _GAP).join(_fit(cell, block_width, pad=True) for cell in row)
            line.rstrip()
            lines.append(line)
    if len(lines) <= height or len(runs) == 1:
        return lines
    return draw_rows(runs, now, width, height, glyphs)


def draw_run(run: Watched, now: float, width: int, glyphs: Glyphs = UNICODE) -> list[Text]:
    """One run in some ten lines, each of at most `width` columns."""
    lines = [
        _ends(_title(run, width - _status(run, now).cell_len - 1), _status(run, now), width),
        _progress(run, now, width, glyphs),
    ]
    if run.speeds:
        text = f"{run.speeds[-1]:,.0f} samples/sec "
        lines.append(
            Text(text).append(sparkline(run.speeds, width - len(text), glyphs), style="cyan")
        )
    lines += _metrics(run, width)
    if run.phases:
        lines.append(_phases(run, width))
    if run.error:
        lines.append(Text(printable(run.error), "red"))
    lines += _warnings(run)
    return [_fit(line, width) for line in lines]


def draw_rows(
    runs: Sequence[Watched], now: float, width: int, height: int, glyphs: Glyphs = UNICODE
) -> list[Text]:
    """A line for each run, in a table; those that find no room are counted.

    Narrow terminals get fewer columns: first the sparkline goes, then the speed.
    """
    rows = [_row(run, now, is_wide=width >= _WIDE) for run in runs]
    is_cut = len(rows) + 1 > height
    shown = rows[: max(0, height - 2)] if is_cut else rows
    titles = ("run", "epoch", "validation", "ETA", "samples/sec", "status")
    widths = [max(len(row[i]) for row in (titles, *rows)) for i in range(len(titles))]
    widths[0] = min(widths[0], max(8, min(_NAME_WIDTH, width // 3)))
    kept: list[int] = []
    left = width + _GAP
    for i in (0, 1, 2, 3, 5, 4):  # what matters most first
        taken = widths[i] + _GAP
        if taken <= left and any(row[i] for row in rows):
            kept.append(i)
            left -= taken
    kept.sort()
    lines = []
    for number, row in enumerate((titles, *shown)):
        texts = (_shorten(row[0], widths[0]), *row[1:])
        style = _row_style if number else (lambda *_: "dim")
        cells = [_fit(Text(texts[i], style(i, row)), widths[i], pad=True) for i in kept]
        line = Text(" " * _GAP).join(cells)
        if number and left > 2 * _GAP:
            spark = sparkline(runs[number - 1].speeds, left - _GAP, glyphs)
            line.append(" " * _GAP + spark, style="cyan")
        line.rstrip()
        lines.append(_fit(line, width))
    if is_cut:
        lines.append(_fit(Text(f"and {len(rows) - len(shown)} more", "dim"), width))
    return lines


def _row(run: Watched, now: float, *, is_wide: bool) -> tuple[str, ...]:
    epoch = "" if run.epoch is None else str(run.epoch)
    if epoch and run.num_epochs:
        epoch += f" of {run.num_epochs}"
    validated = (
        _value(name, metric.validation) + f" {printable(name)}" * is_wide
        for name, metric in run.metrics.items()
        if metric.validation is not None
    )
    speed = f"{run.speeds[-1]:,.0f}" if run.speeds else ""
    status = status_of(run, now)
    if run.warning_count:
        status += f", {_count(run.warning_count, 'warning')}"
    value = next(validated, "")[:_NAME_WIDTH]
    return (printable(run.name), epoch, value, _eta(run, now), speed, status)


def _row_style(column: int, row: tuple[str, ...]) -> str:
    return _color(row[-1].partition(",")[0]) if column in (0, len(row) - 1) else ""


def _title(run: Watched, width: int) -> Text:
    return Text(_shorten(printable(run.name), width), "bold")


def _shorten(name: str, width: int) -> str:
    """A name without the time that a run's folder has in front, where it finds no room."""
    return name if len(name) <= width else _STAMP.sub("", name)


def _status(run: Watched, now: float) -> Text:
    status = status_of(run, now)
    return Text(status, _color(status))


def _color(status: str) -> str:
    return _COLORS.get(status, "yellow")


def _progress(run: Watched, now: float, width: int, glyphs: Glyphs) -> Text:
    if run.epoch is None:
        return Text("no epoch yet", "dim")
    eta = _eta(run, now)
    right = f"ETA {eta}" if eta else ""
    left = f"run {run.run + 1} of its log, " if run.run else ""
    left += f"Epoch[{run.epoch}]" + (f" of {run.num_epochs}" if run.num_epochs else "")
    for more in _details(run):
        if len(left) + len(more) + 1 + len(right) <= width:
            left += more
    room = width - len(left) - len(right) - 4
    line = Text(left)
    if run.num_epochs and run.position is not None and room >= 8:
        done = round(room * min(1.0, run.position / run.num_epochs))
        line.append("  ").append(glyphs.done * done, "green")
        line.append(glyphs.left * (room - done), "dim")
    return _ends(line, Text(right), width)


def _details(run: Watched) -> Iterator[str]:
    """What is told of the place in the training where there is room for it."""
    if run.batch is not None:
        yield f", batch {run.batch:,}"
        if run.batches and run.batches > run.batch:
            yield f" of {run.batches:,}"
    if run.nodes > 1:
        yield f", {run.nodes} nodes"


def _eta(run: Watched, now: float) -> str:
    seconds = None if run.status in OVER or run.is_ended else run.eta(now)
    return "" if seconds is None else format_duration(seconds)


def _metrics(run: Watched, width: int) -> list[Text]:
    if not run.metrics:
        return []
    shown = list(run.metrics.items())[:_MOST_METRICS]
    has_epoch = any(metric.best_epoch is not None for _, metric in shown)
    widths = (_VALUE_WIDTH if width >= _BLOCK_WIDTH - 6 else 8,) * 2
    last = widths[0] + (7 if has_epoch else 0)
    name_width = max(4, min(_NAME_WIDTH, width - sum(widths) - last))
    validation = "validation" if widths[0] == _VALUE_WIDTH else "valid."
    rows = [("metric", "train", validation, "best (epoch)" if has_epoch else "best")]
    for name, metric in shown:
        values = (_value(name, metric.train), _value(name, metric.validation), _best(name, metric))
        rows.append((printable(name), *values))
    lines = []
    for number, (name, *cells) in enumerate(rows):
        line = _fit(Text(name), name_width, pad=True)
        for cell, cell_width in zip(cells, (*widths, last), strict=True):
            line.append(cell.rjust(cell_width))
        if not number:
            line.stylize("dim")
        lines.append(line)
    if more := len(run.metrics) - len(shown):
        lines.append(Text(f"and {_count(more, 'metric')} more", "dim"))
    return lines


def _best(name: str, metric: MetricState) -> str:
    epoch = "" if metric.best_epoch is None else f" ({metric.best_epoch})"
    return _value(name, metric.best) + epoch


def _value(name: str, value: float | None) -> str:
    if value is None:
        return ""
    if not math.isfinite(value):
        return str(value)
    return f"{value:.2%}" if unit_of(name) == "share" and 0 <= value <= 1 else f"{value:.4g}"


def _phases(run: Watched, width: int) -> Text:
    """The phases of the last epoch by their shares, as far as there is room."""
    whole = sum(run.phases.values()) or 1.0
    shares = sorted(((seconds / whole, name) for name, seconds in run.phases.items()), reverse=True)
    line = "time"
    for share, name in shares:
        more = f"  {name} {share:.0%}"
        if share < _LEAST_SHARE or len(line) + len(more) > width:
            break
        line += more
    return Text(line)


def _warnings(run: Watched) -> Iterable[Text]:
    shown = list(run.warnings)[-_MOST_WARNINGS:]
    if earlier := run.warning_count - len(shown):
        yield Text(f"{_count(earlier, 'earlier warning')}", "yellow")
    for warning in shown:
        place = "" if warning.line is None else f"line {warning.line}: "
        yield Text(f"! {place}{printable(warning.text)}", "yellow")


def _count(number: int, name: str) -> str:
    return f"{number:,} {name}" + "s" * (number != 1)


def _ends(left: Text, right: Text, width: int) -> Text:
    """A line with one text at each end; where there is no room for both, the left one is cut."""
    if not right.cell_len:
        return left
    right = _fit(right, max(1, width))
    room = max(0, width - right.cell_len - 1)
    return _fit(left, room, pad=True).append(" " * (width > right.cell_len)).append_text(right)


def _fit(text: Text, width: int, *, pad: bool = False) -> Text:
    text = text.copy()
    text.truncate(width, overflow="crop", pad=pad)
    return text
