"""Logs and folders of runs made up to differ in one thing, and what a comparison says of them."""

from __future__ import annotations

import json
import math
import random
from pathlib import Path
from typing import Any

from fitlog import (
    Comparison,
)
from fitlog.comparison import Quantity
from fitlog.contrasts import (
    Difference,
)
from phase_files import Simulated


def log_of(
    *,
    level: float = 1000.0,
    noise: float = 0.01,
    costs: tuple[float, ...] = (5.0, 4.0, 4.1, 3.9),
    accuracies: tuple[float, ...] = (0.5, 0.6, 0.7, 0.8),
    first: int = 0,
    name: str = "accuracy",
) -> bytes:
    """A canonical log of one run; twenty windows, a time cost and a validation an epoch."""
    noisy = random.Random(round(level))
    lines = []
    for epoch, cost in enumerate(costs, first):
        lines += [
            f"Epoch[{epoch}] Batch [{i * 10}-{i * 10 + 10}]\t"
            f"Speed: {level * math.exp(noisy.gauss(0, noise)):.2f} samples/sec\t{name}=0.500000"
            for i in range(20)
        ]
        lines.append(f"Epoch[{epoch}] Time cost={cost:.3f}")
        lines += [
            f"Epoch[{epoch}] Validation-{name}={value}"
            for value in accuracies[epoch - first : epoch - first + 1]
        ]
    return ("\n".join(lines) + "\n").encode()


def record_of(folder: Path, **changes: Any) -> Path:
    """A run's folder with a record; `changes` are made to its parts."""
    folder.mkdir()
    (folder / "run.log").write_bytes(log_of())
    record = {
        "schema": 1,
        "name": folder.name,
        "status": "finished",
        "arguments": {"batch_size": 64, "dtype": "float32", "name": folder.name},
        "data": {},
        "versions": {"python": "3.11.7", "mxnet": "1.9.1"},
        "host": {"name": "one", "cpu": "EPYC", "cpus": 2, "environment": {"OMP_NUM_THREADS": "1"}},
        "git": {"commit": "0123456789abcdef", "dirty": False},
    }
    (folder / "run.json").write_text(json.dumps({**record, **changes}), "utf-8")
    return folder


def phased(folder: Path, *, last: float, samples: int | None, **phases: Any) -> Path:
    """A run's folder with phases, and validations on so many samples."""
    folder.mkdir()
    (folder / "run.log").write_bytes(log_of(accuracies=(0.5, last)))
    trained = Simulated(fit=0).run(epochs=4, setup=1.0, **phases)
    validation = {"kind": "validation", "fit": 0, "samples": samples, "seconds": 1.0, "phases": {}}
    lines = [*trained.lines, json.dumps(validation) + "\n"]
    (folder / "phases.jsonl").write_text("".join(lines), "utf-8")
    return folder


def row(comparison: Comparison, group: str, name: str) -> Quantity:
    found = [q for q in comparison.quantities if (q.group, q.name) == (group, name)]
    assert len(found) == 1, [(q.group, q.name) for q in comparison.quantities]
    return found[0]


def difference(quantity: Quantity, run: int = 1) -> Difference:
    found = quantity.differences[run]
    assert found is not None
    return found
