"""A comparison as text for people, Markdown, JSON, CSV and HTML.

Names in logs are not to be trusted: control characters are written as escapes, and what Markdown
or HTML would obey is escaped.
"""

from __future__ import annotations

import csv
import html
import io
import itertools
import json
import re
import string
import textwrap
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final

from fitlog.comparison import Comparison, Quantity, Setting
from fitlog.contrasts import CONFIDENCE, Difference
from fitlog.printable import printable

_WIDTH: Final = 80
_NAME_WIDTH: Final = 16
_SETTING_WIDTH: Final = 24
_CSV_COLUMNS: Final = (
    *("group", "quantity", "higher_is_better", "run", "name", "value", "epoch", "scale"),
    *("effect", "low", "high", "is_better", "sureness"),
)
_STYLE: Final = (
    "body{font:15px/1.5 system-ui,sans-serif;color:#22262a;max-width:60rem;margin:2rem auto;"
    "padding:0 1rem}table{border-collapse:collapse;margin:0 0 1.5rem}th,td{padding:.25rem .75rem;"
    "border-bottom:1px solid #e3e6e8;text-align:left;vertical-align:top}td.n,th.n{text-align:right;"
    "font-variant-numeric:tabular-nums}tr.group th{padding-top:1rem}"
    ".worse{color:#b34700}.better{color:#00694f}"
)


def format_comparison(comparison: Comparison, form: str) -> str:
    """The comparison as 'text', 'markdown', 'json', 'csv' or 'html', with a line end."""
    return _FORMS[form](comparison)


def _text(comparison: Comparison) -> str:
    lines = []
    for run in comparison.runs:
        about = f" ({_about(run.status, run.epochs)})" + ", the baseline" * (
            run is comparison.runs[0]
        )
        lines += _wrapped(f"{run.label}  {printable(run.name)}{about}", indent=3)
    lines += ["", _settings_title(comparison)]
    for setting in comparison.settings:
        name = f"  {printable(setting.name)}"
        pad = f"{name:<{_SETTING_WIDTH}}" + " " * (len(name) >= _SETTING_WIDTH)
        lines += _wrapped(pad + _values_of(setting), indent=_SETTING_WIDTH)
    for i in range(1, len(comparison.runs)):
        lines += ["", *_text_table(comparison, i)]
    lines.append("")
    for note in _notes(comparison):
        lines += _wrapped(f"note: {printable(note)}", indent=6)
    return "\n".join(lines) + "\n"


def _text_table(comparison: Comparison, i: int) -> Iterator[str]:
    """One run against the baseline."""
    new, old = comparison.runs[i].label, comparison.runs[0].label
    heads = f"{f'{new} against {old}':<{_NAME_WIDTH}}{old:>9}{new:>10}{'change':>10}"
    yield f"{heads}  {f'{CONFIDENCE:.0%} interval':<18} how sure"
    for group, quantities in _groups(comparison, i):
        yield from _wrapped(printable(group))
        for quantity in quantities:
            difference = quantity.differences[i] or Difference()
            name, epochs = f"  {printable(quantity.name)}", _epochs_of(quantity, i)
            of_both = f"{name}, epoch {epochs[0]}" if epochs else ""
            if epochs and epochs[0] == epochs[1] and len(of_both) <= _NAME_WIDTH:
                name, epochs = of_both, None
            values = f"{_number(quantity.values[0]):>9}{_number(quantity.values[i]):>10}"
            change = f"{_change(difference, quantity):>10}"
            interval = f"{_interval(difference, quantity):<18}"
            yield f"{name:<{_NAME_WIDTH}}{values}{change}  {interval} {_word(difference)}"
            if epochs:
                places = [("" if epoch is None else str(epoch)) for epoch in epochs]
                yield f"{'    of epoch':<{_NAME_WIDTH}}{places[0]:>9}{places[1]:>10}".rstrip()


def _markdown(comparison: Comparison) -> str:
    lines = ["| | run | epochs | |", "|---|---|---:|---|"]
    for run in comparison.runs:
        role = "baseline" if run is comparison.runs[0] else ""
        cells = (run.label, _escaped(run.name), str(run.epochs), _escaped(run.status), role)
        lines.append("| {} | {} | {} | {} |".format(*cells[:3], ", ".join(filter(None, cells[3:]))))
    labels = [run.label for run in comparison.runs]
    lines += ["", f"**{_settings_title(comparison)}**"]
    if comparison.settings:
        lines += ["", f"| setting | {' | '.join(labels)} |", "|---" * (len(labels) + 1) + "|"]
    for setting in comparison.settings:
        values = " | ".join(_escaped(_set(value)) for value in setting.values)
        lines.append(f"| {_escaped(setting.name)} | {values} |")
    for i in range(1, len(labels)):
        heads = f"{labels[i]} against {labels[0]} | {labels[0]} | {labels[i]} | change"
        lines += ["", f"| {heads} | {CONFIDENCE:.0%} interval | |", "|---|---:|---:|---:|---|---|"]
        for group, quantities in _groups(comparison, i):
            lines.append(f"| **{_escaped(group)}** | | | | | |")
            lines += (
                f"| {' | '.join(map(_escaped, _cells(quantity, i)))} |" for quantity in quantities
            )
    lines += ["", *(f"- {_escaped(note)}" for note in _notes(comparison))]
    return "\n".join(lines) + "\n"


def _html(comparison: Comparison) -> str:
    labels = [run.label for run in comparison.runs]
    runs = "".join(
        _row([run.label, run.name, _about(run.status, run.epochs), *([] if i else ["baseline"])])
        for i, run in enumerate(comparison.runs)
    )
    settings = "".join(
        _row([setting.name, *map(_set, setting.values)]) for setting in comparison.settings
    )
    if settings:
        heads = "".join(f"<th>{label}</th>" for label in ["", *labels])
        settings = f"<table><tr>{heads}</tr>{settings}</table>"
    tables = "".join(_html_table(comparison, i) for i in range(1, len(labels)))
    notes = "".join(f"<li>{_safe(note)}</li>" for note in _notes(comparison))
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        f"<title>{len(labels)} runs compared</title><style>{_STYLE}</style></head><body>"
        f"<h1>{len(labels)} runs compared</h1><table>{runs}</table>"
        f"<h2>{_safe(_settings_title(comparison))}</h2>{settings}{tables}"
        f"<h2>Notes</h2><ul>{notes}</ul></body></html>\n"
    )


def comparison_parts(comparison: Comparison) -> dict[str, Any]:
    """The comparison for a page that has its own look: texts, nothing of them escaped."""
    labels = [run.label for run in comparison.runs]
    tables = []
    for i in range(1, len(labels)):
        groups = []
        for group, quantities in _groups(comparison, i):
            rows = []
            for quantity in quantities:
                difference = quantity.differences[i] or Difference()
                is_sure = difference.sureness in ("likely", "certain")
                kind = {True: "better", False: "worse", None: ""}[difference.is_better]
                rows.append({"cells": _cells(quantity, i), "kind": kind if is_sure else ""})
            groups.append({"name": group, "rows": rows})
        tables.append({"title": f"{labels[i]} against {labels[0]}", "groups": groups})
    return {
        "runs": [
            {"label": run.label, "name": run.name, "about": _about(run.status, run.epochs)}
            for run in comparison.runs
        ],
        "settings_title": _settings_title(comparison),
        "settings": [(each.name, list(map(_set, each.values))) for each in comparison.settings],
        "tables": tables,
        "confidence": f"{CONFIDENCE:.0%}",
        "notes": _notes(comparison),
    }


def _html_table(comparison: Comparison, i: int) -> str:
    new, old = comparison.runs[i].label, comparison.runs[0].label
    rows = []
    for group, quantities in _groups(comparison, i):
        rows.append(f'<tr class="group"><th colspan="6">{_safe(group)}</th></tr>')
        for quantity in quantities:
            name, *numbers, interval, word = map(_safe, _cells(quantity, i))
            difference = quantity.differences[i] or Difference()
            kind = ""
            if difference.sureness in ("likely", "certain") and difference.is_better is not None:
                kind = f' class="{"better" if difference.is_better else "worse"}"'
            cells = "".join(f'<td class="n">{number}</td>' for number in numbers)
            rows.append(f"<tr><td>{name}</td>{cells}<td>{interval}</td><td{kind}>{word}</td></tr>")
    heads = "".join(f'<th class="n">{text}</th>' for text in (old, new, "change"))
    return (
        f"<h2>{new} against {old}</h2><table><tr><th></th>{heads}"
        f"<th>{CONFIDENCE:.0%} interval</th><th></th></tr>{''.join(rows)}</table>"
    )


def _json(comparison: Comparison) -> str:
    return json.dumps(comparison.to_dict(), indent=2) + "\n"


def _csv(comparison: Comparison) -> str:
    """A row for each run of each setting that differs and of each quantity."""
    out = io.StringIO()
    writer = csv.DictWriter(out, _CSV_COLUMNS, lineterminator="\n")
    writer.writeheader()
    for setting in comparison.settings:
        for run, text in zip(comparison.runs, setting.values, strict=True):
            row = {"group": "settings", "quantity": setting.name, "run": run.label}
            writer.writerow(_printables({**row, "name": run.name, "value": text}))
    for quantity in comparison.quantities:
        for i, run in enumerate(comparison.runs):
            row_of_run = {
                "group": quantity.group,
                "quantity": quantity.name,
                "higher_is_better": quantity.higher_is_better,
                "run": run.label,
                "name": run.name,
                "value": quantity.values[i],
                "epoch": quantity.epochs[i],
            }
            difference = quantity.differences[i]
            if difference is not None:
                low, high = difference.interval or (None, None)
                row_of_run |= {
                    "scale": quantity.scale,
                    "effect": difference.effect,
                    "low": low,
                    "high": high,
                    "is_better": difference.is_better,
                    "sureness": difference.sureness,
                }
            writer.writerow(_printables(row_of_run))
    return out.getvalue()


_FORMS: Final[Mapping[str, Callable[[Comparison], str]]] = {
    "text": _text,
    "markdown": _markdown,
    "json": _json,
    "csv": _csv,
    "html": _html,
}


def _groups(comparison: Comparison, i: int) -> Iterator[tuple[str, list[Quantity]]]:
    """What the run or the baseline has, by group, named with which values are better."""
    for group, quantities in itertools.groupby(comparison.quantities, lambda each: each.group):
        theirs = [each for each in quantities if (each.values[0], each.values[i]) != (None, None)]
        if theirs:
            yield f"{group} ({_direction(theirs[0].higher_is_better)})", theirs


def _direction(higher: bool | None) -> str:
    if higher is None:
        return "which is better is not known"
    return f"{'higher' if higher else 'lower'} is better"


def _cells(quantity: Quantity, i: int) -> list[str]:
    """A row of Markdown and HTML: name, both values, change, interval, and the words."""
    difference = quantity.differences[i] or Difference()
    values = [_number(quantity.values[k]) for k in (0, i)]
    if epochs := _epochs_of(quantity, i):
        values = [
            value if epoch is None else f"{value} (epoch {epoch})"
            for value, epoch in zip(values, epochs, strict=True)
        ]
    change, interval = _change(difference, quantity), _interval(difference, quantity)
    return [quantity.name, *values, change, interval, _word(difference)]


def _epochs_of(quantity: Quantity, i: int) -> tuple[int | None, int | None] | None:
    """The epochs of two values, where there are any and the row's name does not tell them."""
    epochs = quantity.epochs[0], quantity.epochs[i]
    is_told = quantity.name.startswith("at epoch") or epochs == (None, None)
    return None if is_told else epochs


def _notes(comparison: Comparison) -> list[str]:
    of_runs = [f"{run.label}: {note}" for run in comparison.runs for note in run.notes]
    return [*of_runs, *comparison.notes]


def _settings_title(comparison: Comparison) -> str:
    if comparison.settings:
        return "settings that differ"
    known = all(run.settings for run in comparison.runs)
    return "no setting differs" if known else "no setting is known to differ"


def _values_of(setting: Setting) -> str:
    """Which runs have which value: 'A, C: 64; B: 32'."""
    labels: dict[str | None, list[str]] = {}
    for label, value in zip(string.ascii_uppercase, setting.values, strict=False):
        labels.setdefault(value, []).append(label)
    return "; ".join(f"{', '.join(of)}: {printable(_set(value))}" for value, of in labels.items())


def _set(value: str | None) -> str:
    return "not set" if value is None else value or "''"


def _about(status: str, epochs: int) -> str:
    count = f"{epochs} epoch{'s' * (epochs != 1)}"
    return f"{printable(status)}, {count}" if status else count


def _number(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:,.0f}" if 1000 <= abs(value) < 1e6 else f"{value:.4g}"


def _change(difference: Difference, quantity: Quantity) -> str:
    return "" if difference.effect is None else _signed(difference.effect, quantity)


def _interval(difference: Difference, quantity: Quantity) -> str:
    if difference.interval is None:
        return ""
    low, high = (_signed(end, quantity, digits=2) for end in difference.interval)
    return f"{low} to {high}"


def _signed(effect: float, quantity: Quantity, *, digits: int = 3) -> str:
    if effect == 0:
        return "0"
    if quantity.scale == "absolute":
        return f"{effect:+.{digits}g}"
    if effect >= 9.995:  # a factor is read more easily
        return f"x{effect + 1:.3g}"
    return f"{effect:+.1%}" if effect < 0.9995 else f"{effect:+.0%}"


def _word(difference: Difference) -> str:
    """'worse, likely', 'change, likely', 'equal' or 'unclear'."""
    if difference.sureness in ("unclear", "equal"):
        return difference.sureness
    which = {True: "better", False: "worse", None: "change"}[difference.is_better]
    return f"{which}, {difference.sureness}"


def _wrapped(text: str, indent: int = 2) -> list[str]:
    return textwrap.wrap(
        text, _WIDTH, subsequent_indent=" " * indent, break_on_hyphens=False, drop_whitespace=True
    )


def _escaped(text: str) -> str:
    """Text that Markdown shows as it is, in a table, too."""
    return re.sub(r"([\\`*_\[\]<>|~&])", r"\\\1", printable(text))


def _safe(text: str) -> str:
    return html.escape(printable(text))


def _row(cells: Iterable[str]) -> str:
    return "<tr>" + "".join(f"<td>{_safe(cell)}</td>" for cell in cells) + "</tr>"


def _printables(row: Mapping[str, object]) -> dict[str, object]:
    return {key: printable(cell) if isinstance(cell, str) else cell for key, cell in row.items()}
