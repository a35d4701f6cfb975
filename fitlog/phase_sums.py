"""Where the time of one fit went, added up; and the one part that a faster training would begin at.

Python's clock tells how long a call took. The engine works in the background, so 'compute',
'update', 'metric', 'pending' and 'sync' together are the network's work and the waiting for it; how
it splits is known of the batches that were measured (see `run.sampling`).
"""

from __future__ import annotations

import statistics
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any, Final

from fitlog.phase_records import (
    MEASURED,
    PARTS,
    Fit,
    PhaseRecords,
    Record,
    integer,
    number,
    of_gpus,
)
from fitlog.run.phase_recorder import PHASES

# The parts of an epoch: its windows', and what comes after its batches.
COLUMNS: Final = (*PARTS, "after")
# All that waits for the engine: of these, Python's clock cannot tell which work took the time.
NETWORK: Final = ("pending", "compute", "update", "metric", "sync")
# Without a part that takes a fifth, a training is a quarter faster; what takes less is not worth
# a change of the script.
WORTH: Final = 0.2
# The process had less than so much of one processor, and nothing that it did explains the rest.
_STARVED: Final = 0.8
_SWITCHES_PER_SEC: Final = 50

_REMEDIES: Final = {
    "data": "fetch ahead (mx.io.PrefetchingIter), decode with more threads"
    " (preprocess_threads), or store the data decoded",
    "metric": "compute fewer metrics, or cheaper ones",
    "callbacks": "do less in batch_end_callback, or only every so many batches",
    "checkpoint": "save less often: do_checkpoint(prefix, period=10)",
    "validation": "validate on fewer samples, or in larger batches",
    "reset": "make the iterator's reset cheaper: shuffle indices, not data",
    "other": "log and report less often; larger batches mean fewer rounds of Python's loop",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Bottleneck:
    """What a training is bound by, the share of its time that says so, and a sentence."""

    kind: str
    share: float | None
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FitSums:
    """One fit, added up; seconds unless the name says otherwise, None for what is not known.

    `phases` has for each phase what it took in 'first', 'window', 'tail' and 'after' (an epoch's
    batches); `first_batch` has that of the very first batch. `batches` and `samples` count by the
    same parts. `measured` are the sums over `measured_batches` batches.
    `cpu_ratio` and `switches_per_sec` are of all batches but the very first.
    """

    fit: int
    status: str
    epochs: int
    complete_epochs: int
    setup: float | None
    first_batch: dict[str, float]
    phases: dict[str, dict[str, float]]
    batches: dict[str, int]
    samples: dict[str, int | None]
    padding: int | None
    measured_batches: int
    measured: dict[str, float]
    evaluations: int
    evaluated_samples: int | None
    evaluated_seconds: float
    cpu_ratio: float | None
    switches_per_sec: float | None
    load: float | None
    cpus: int | None
    rss_bytes: int | None
    gpu_utilization: float | None
    warnings: list[str]
    bottleneck: Bottleneck

    @property
    def seconds(self) -> float:
        """The whole training, without its setup."""
        return sum(sum(parts.values()) for parts in self.phases.values())

    def to_dict(self) -> dict[str, Any]:
        """The sums as JSON has them."""
        return {**asdict(self), "seconds": self.seconds}


def sum_fit(records: PhaseRecords, fit: Fit) -> FitSums:
    """Add up what the file holds of one fit; of an epoch that a kill cut short, its windows."""
    windows = [w for w in _of(records.windows, fit) if w.get("split", "train") == "train"]
    epochs = list(_of(records.epochs, fit))
    phases = {name: dict.fromkeys(COLUMNS, 0.0) for name in PHASES}
    batches = dict.fromkeys(PARTS, 0)
    for window in windows:
        part = str(window.get("part"))
        part = part if part in PARTS else "window"
        batches[part] += integer(window, "batches") or 0
        for name, seconds in window["phases"].items():
            phases[name][part] += seconds
    ended = {integer(epoch, "epoch") for epoch in epochs}
    for name, parts in phases.items():
        whole = sum(epoch["phases"][name] for epoch in epochs)
        within = sum(w["phases"][name] for w in windows if integer(w, "epoch") in ended)
        parts["after"] = max(0.0, round(whole - within, 9))
    samples = {part: _samples(w for w in windows if w.get("part") == part) for part in PARTS}
    evaluations = list(_of(records.validations, fit))
    first = windows[0]["phases"] if windows and windows[0].get("part") == "first" else {}
    steady = windows[1:] if first and len(windows) > 1 else windows
    facts: dict[str, Any] = {
        "fit": fit.number,
        "status": "running" if fit.end is None else str(fit.end.get("status")),
        "epochs": len(epochs) + len({integer(w, "epoch") for w in windows} - ended),
        "complete_epochs": sum(epoch.get("complete") is True for epoch in epochs),
        "setup": None if fit.setup is None else fit.setup["seconds"],
        "first_batch": first,
        "phases": phases,
        "batches": batches,
        "samples": samples,
        "padding": _padding(fit, windows),
        "measured_batches": int(sum(w["measured"].get("batches", 0) for w in windows)),
        "measured": {
            part: sum(w["measured"].get(part, 0.0) for w in windows)
            for part in MEASURED
            if any(part in w["measured"] for w in windows)
        },
        "evaluations": len(evaluations),
        "evaluated_samples": _samples(evaluations),
        "evaluated_seconds": sum(e["seconds"] for e in evaluations),
        "cpu_ratio": _rate(steady, "cpu_seconds"),
        "switches_per_sec": _rate(steady, "involuntary_switches"),
        "load": _median(number(w, "load") for w in windows),
        "cpus": integer(fit.head, "cpus"),
        "rss_bytes": max((integer(w, "rss_bytes") or 0 for w in windows), default=0) or None,
        "gpu_utilization": _median(_utilization(w) for w in windows),
        "warnings": [str(w.get("text", "")) for w in _of(records.warnings, fit)],
    }
    undecided = FitSums(**facts, bottleneck=Bottleneck(kind="unknown", share=None, text=""))
    return FitSums(**facts, bottleneck=find_bottleneck(undecided))


def find_bottleneck(sums: FitSums) -> Bottleneck:
    """What bounds a fit: the largest part from a fifth of its time on, else the network itself.

    The first batch of all is left out, which takes longer than any other, as is the setup.
    """
    first = sum(sums.first_batch.values())
    base = sums.seconds - first
    start = (sums.setup or 0.0) + first
    if not any(sums.batches.values()):
        return _bottleneck("unknown", None, "no batch was recorded: there is nothing to tell")
    if base <= start:
        share = start / (start + base)
        return _bottleneck(
            "start",
            share,
            f"setup and the first batch took {share:.0%} of {_time(start + base)}:"
            " train for longer to tell what bounds it",
        )
    if starved := _starved(sums):
        return starved
    shares = {
        name: (sum(parts.values()) - sums.first_batch.get(name, 0.0)) / base
        for name, parts in sums.phases.items()
        if name not in NETWORK
    }
    shares["metric"] = _metric_share(sums, base)
    network = 1.0 - sum(shares.values())
    code = max(shares, key=lambda name: shares[name])
    if shares[code] < WORTH:
        return _bottleneck(
            "network",
            network,
            f"the network's own work takes {network:.0%} of the time, and nothing else a fifth:"
            " that is as it should be; only another network, batch size or machine makes it faster",
        )
    share = shares[code]
    return _bottleneck(code, share, f"{_place(sums, code, share, base)}; {_REMEDIES[code]}")


def _place(sums: FitSums, code: str, share: float, base: float) -> str:
    took = {
        "data": "waiting for the iterator",
        "metric": "update_metric, measured",
        "callbacks": "the batch callbacks",
        "checkpoint": "the epoch callbacks, which save checkpoints",
        "validation": "validation",
        "reset": "the iterator's reset",
        "other": "Python between the calls of fit",
    }[code]
    if code == "metric":
        ms = sums.measured["metric"] / sums.measured_batches * 1e3
        return f"{took}, takes {ms:.3g} ms of each batch, {share:.0%} of the time"
    return f"{took} takes {share:.0%} of the time ({_time(share * base)} of {_time(base)})"


def _starved(sums: FitSums) -> Bottleneck | None:
    """The process neither ran nor waited for data: others had the processor."""
    ratio, switches, load = sums.cpu_ratio, sums.switches_per_sec, sums.load
    if ratio is None or ratio >= _STARVED or (sums.gpu_utilization or 0.0) > 0.0:
        return None
    in_windows = {name: sum(parts[part] for part in PARTS) for name, parts in sums.phases.items()}
    waited = (in_windows["data"] + in_windows["callbacks"]) / sum(in_windows.values())
    crowded = load is not None and sums.cpus is not None and load > sums.cpus
    pushed = switches is not None and switches >= _SWITCHES_PER_SEC
    if 1.0 - ratio - waited < WORTH or not (crowded or pushed):
        return None
    signs = []
    if switches is not None:
        signs.append(f"was sent off it {switches:,.0f} times a second")
    if crowded:
        signs.append(f"the load was {load:.3g} on {sums.cpus} CPUs")
    return _bottleneck(
        "processor",
        1.0 - ratio,
        f"the process had the processor for only {ratio:.0%} of the time, {' and '.join(signs)}:"
        " stop what else runs, or use fewer threads (OMP_NUM_THREADS)",
    )


def _metric_share(sums: FitSums, base: float) -> float:
    """Of the time, by the batches that were measured; at most what the phase itself took."""
    if not sums.measured_batches:
        return 0.0
    each = sums.measured.get("metric", 0.0) / sums.measured_batches
    most = sum(sums.phases["metric"].values()) - sums.first_batch.get("metric", 0.0)
    batches = sum(sums.batches.values()) - bool(sums.first_batch)
    return min(each * batches, most) / base


def _bottleneck(code: str, share: float | None, text: str) -> Bottleneck:
    return Bottleneck(kind=code, share=share, text=text)


def _of(records: Iterable[Record], fit: Fit) -> Iterable[Record]:
    return (record for record in records if record["fit"] == fit.number)


def _samples(records: Iterable[Record]) -> int | None:
    counts = [integer(record, "samples") for record in records]
    return None if None in counts else sum(count for count in counts if count is not None)


def _padding(fit: Fit, windows: list[Record]) -> int | None:
    """Samples that only fill up batches: speed lines count them."""
    size, samples = integer(fit.head, "batch_size"), _samples(windows)
    if size is None or samples is None:
        return None
    return max(0, size * sum(integer(w, "batches") or 0 for w in windows) - samples)


def _rate(windows: list[Record], name: str) -> float | None:
    values = [number(window, name) for window in windows]
    seconds = float(sum(window["seconds"] for window in windows))
    if not values or None in values or seconds <= 0:
        return None
    return sum(value for value in values if value is not None) / seconds


def _median(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(statistics.median(known)) if known else None


def _utilization(window: Record) -> float | None:
    values = of_gpus(window, "utilization")
    return sum(values) / len(values) if values else None


def _time(seconds: float) -> str:
    return f"{seconds:.3g} s" if seconds < 1000 else f"{seconds:,.0f} s"
