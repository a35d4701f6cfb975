"""Logs and ledgers made up for the gate: a level, and noise of a known size."""

from __future__ import annotations

import json
import math
import random
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from fitlog.ledger import add_entries
from fitlog.past import make_entry
from fitlog.readings import read_run

NOW = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)
HOST: dict[str, Any] = {
    "cpu": "A", "machine": "x86_64", "cpus_allowed": 2, "environment": {"OMP_NUM_THREADS": "2"},
}  # fmt: skip


def log_of(
    level: float, seed: int = 0, *, noise: float = 0.01, windows: int = 60, ends: str = ""
) -> bytes:
    """A canonical log of one run at this speed, 20 windows an epoch.

    `ends` are the lines after each epoch, `{epoch}` is its number.
    """
    noisy = random.Random(seed)
    lines = []
    for i in range(windows):
        epoch, window = divmod(i, 20)
        speed = level * math.exp(noisy.gauss(0, noise))
        lines.append(
            f"Epoch[{epoch}] Batch [{window * 10}-{window * 10 + 10}]\t"
            f"Speed: {speed:.2f} samples/sec\taccuracy=0.500000\n"
        )
        if window == 19:
            lines.append(ends.format(epoch=epoch))
    return "".join(lines).encode()


def write_logs(
    folder: Path, levels: Sequence[float], *, name: str = "old", seed: int = 100, **made: Any
) -> list[Path]:
    """A log for each level."""
    folder.mkdir(exist_ok=True)
    paths = []
    for i, level in enumerate(levels):
        path = folder / f"{name}-{i:02}.log"
        path.write_bytes(log_of(level, seed + i, **made))
        paths.append(path)
    return paths


def levels_around(level: float, count: int, *, spread: float = 0.01, seed: int = 5) -> list[float]:
    """Levels of runs that differ by this spread."""
    noisy = random.Random(seed)
    return [level * math.exp(noisy.gauss(0, spread)) for _ in range(count)]


def write_run(
    folder: Path,
    text: bytes,
    *,
    host: dict[str, Any] | None = None,
    arguments: dict[str, Any] | None = None,
    share: float | None = None,
    load: float = 0.5,
    data: float = 0.0,
    callbacks: float = 0.0,
    mxnet: str = "1.9.1",
) -> Path:
    """A run's folder as `fitlog run` leaves it; the log's path.

    `share` is the processor time that each window had of its second, `data` the time it waited,
    `callbacks` that which these took.
    """
    folder.mkdir(parents=True)
    (folder / "run.log").write_bytes(text)
    record = {
        "schema": 1,
        "start": "2026-11-25T03:10:25.020+00:00",
        "arguments": arguments or {"network": "lenet", "batch_size": 64},
        "versions": {"mxnet": mxnet},
        "host": host or HOST,
        "git": {"commit": "c0ffee", "dirty": False},
    }
    (folder / "run.json").write_text(json.dumps(record))
    if share is not None:
        window = {
            "kind": "window", "split": "train", "part": "window", "seconds": 1.0,
            "cpu_seconds": share, "involuntary_switches": 100 * share, "load": load,
            "phases": {"data": data, "callbacks": callbacks},
        }  # fmt: skip
        lines = [json.dumps({"kind": "fit", "schema": 1}), *[json.dumps(window)] * 60]
        (folder / "phases.jsonl").write_text("\n".join(lines) + "\n")
    return folder / "run.log"


def make_ledger(folder: Path, logs: Sequence[Path], **how: Any) -> Path:
    """A ledger of these logs, in this order."""
    ledger = folder / "ledger.jsonl"
    add_entries(ledger, [make_entry(read_run(log), added=NOW, **how) for log in logs])
    return ledger
