"""The phases of a fit as text for people, 80 columns wide."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import Final

from fitlog.phase_records import PhaseRecords
from fitlog.phase_sums import COLUMNS, FitSums
from fitlog.printable import printable

_WIDTH: Final = 80
# What each phase is for Python, which does not see the engine work.
_MEANINGS: Final = {
    "data": "waits for data",
    "pending": "waits for the engine",
    "compute": "queues the work",
    "update": "queues the work",
    "metric": "waits for the engine",
    "sync": "waits for the engine",
}
_HEADS: Final = {
    "first": "batch 0",
    "window": "windows",
    "tail": "tail",
    "after": "after",
}


def format_report(records: PhaseRecords, sums: Sequence[FitSums]) -> str:
    """The fits one below the other, and what is left to say of the file."""
    lines = [printable(records.name)]
    for one in sums:
        lines += ["", *_fit_lines(one)]
    outside = [record for record in records.validations if record["fit"] is None]
    if outside:
        seconds = sum(record["seconds"] for record in outside)
        lines += ["", f"evaluations outside of any fit: {len(outside)}, {seconds:.3f} s"]
    if records.damaged:
        lines += ["", f"left out, damaged: {len(records.damaged)} (line {records.damaged[0]}, ...)"]
    return "\n".join(lines)


def format_fit(sums: FitSums) -> str:
    """One fit as text."""
    return "\n".join(_fit_lines(sums))


def _fit_lines(sums: FitSums) -> list[str]:
    status = "has no end" if sums.status == "running" else printable(sums.status)
    cut = sums.epochs - sums.complete_epochs
    epochs = f"{_count(sums.epochs, 'epoch')}{f' ({cut} cut short)' if cut else ''}"
    batches = _count(sum(sums.batches.values()), "batch")
    lines = [
        f"fit {sums.fit}, {status}: {epochs}, {batches}, {sums.seconds:.3f} s",
        *_wrapped(f"=> {sums.bottleneck.text}."),
        "",
        *_table(sums),
        "",
    ]
    facts = {
        "measured": _measured(sums),
        "speed": _speed(sums),
        "padding": _padding(sums),
        "validation": _validation(sums),
        "processor": _processor(sums),
        "memory": None if sums.rss_bytes is None else f"{sums.rss_bytes / 1e6:,.0f} MB at most",
        "GPU": None if sums.gpu_utilization is None else f"{sums.gpu_utilization:.0%} used",
    }
    for name, fact in facts.items():
        if fact is not None:
            lines += _wrapped(f"{name:<11}{fact}", indent=11)
    for warning in sums.warnings:
        lines += _wrapped(f"{'warning':<11}{printable(warning)}", indent=11)
    return lines


def _table(sums: FitSums) -> list[str]:
    whole = sums.seconds + (sums.setup or 0.0)
    digits = 3 if whole < 1000 else 1 if whole < 100_000 else 0

    def row(name: str, values: Sequence[float | None], total: float, meaning: str = "") -> str:
        cells = "".join(f"{value:>8.{digits}f}" if value else f"{'':>8}" for value in values)
        share = total / whole if whole else 0.0
        return f"{name:<11}{cells}{total:>8.{digits}f}{share:>7.1%}  {meaning}".rstrip()

    heads = "".join(f"{_HEADS[column]:>8}" for column in COLUMNS)
    lines = [f"{'seconds':<11}{heads}{'all':>8}{'share':>7}"]
    if sums.setup is not None:
        lines.append(row("setup", [None] * len(COLUMNS), sums.setup))
    for name, parts in sums.phases.items():
        if total := sum(parts.values()):
            lines.append(row(name, [parts[c] for c in COLUMNS], total, _MEANINGS.get(name, "")))
    columns = [sum(parts[c] for parts in sums.phases.values()) for c in COLUMNS]
    lines.append(row("training", columns, sum(columns)))
    lines.append(f"{'batches':<11}" + "".join(f"{count:>8}" for count in sums.batches.values()))
    each = [
        f"{seconds / count * 1e3:>8,.4g}" if count else f"{'-':>8}"
        for count, seconds in zip(sums.batches.values(), columns, strict=False)
    ]
    lines.append(f"{'ms a batch':<11}" + "".join(each))
    return lines


def _measured(sums: FitSums) -> str | None:
    """What the parts of a batch truly take, in the order that they are done in."""
    if not sums.measured_batches or not sums.measured:
        return None
    parts = ", ".join(
        f"{part} {seconds / sums.measured_batches * 1e3:.3g}"
        for part, seconds in sums.measured.items()
    )
    return f"{parts} ms: {_count(sums.measured_batches, 'batch')}, the engine waited for"


def _speed(sums: FitSums) -> str | None:
    seconds = sum(parts[c] for parts in sums.phases.values() for c in sums.batches)
    counts = list(sums.samples.values())
    if None in counts or not seconds:
        return None
    text = f"{sum(filter(None, counts)) / seconds:,.0f} samples/sec over all batches"
    within = sum(parts["window"] for parts in sums.phases.values())
    if sums.samples["window"] and within:
        text += f", {sums.samples['window'] / within:,.0f} within windows"
    return text


def _padding(sums: FitSums) -> str | None:
    if not sums.padding:
        return None
    real = sum(filter(None, sums.samples.values()))
    share = sums.padding / (real + sums.padding)
    return (
        f"{sums.padding:,} samples more ({share:.1%}) only fill up batches:"
        " left out here, counted by speed lines"
    )


def _validation(sums: FitSums) -> str | None:
    if not sums.evaluations:
        return None
    text = f"{_count(sums.evaluations, 'evaluation')}, {sums.evaluated_seconds:.3f} s"
    if sums.evaluated_samples and sums.evaluated_seconds:
        text += f", {sums.evaluated_samples / sums.evaluated_seconds:,.0f} samples/sec"
    return text


def _processor(sums: FitSums) -> str | None:
    if sums.cpu_ratio is None:
        return None
    text = f"{sums.cpu_ratio:.2f} s of processor time a second"
    if sums.switches_per_sec is not None:
        text += f", {sums.switches_per_sec:,.0f} involuntary switches a second"
    if sums.load is not None:
        text += f", load {sums.load:.3g}"
        text += f" on {_count(sums.cpus, 'CPU')}" if sums.cpus else ""
    return text


def _count(number: int, noun: str) -> str:
    plural = noun + ("es" if noun.endswith("ch") and noun != "epoch" else "s")
    return f"{number:,} {noun if number == 1 else plural}"


def _wrapped(text: str, indent: int = 3) -> list[str]:
    return textwrap.wrap(
        text, _WIDTH, subsequent_indent=" " * indent, break_long_words=False, break_on_hyphens=False
    )
