"""What the instrumented fit costs: its throughput against plain `Module.fit`, in one run.

    python benchmarks/overhead.py [--pairs 101] [--network lenet|mlp] [--fast]

Both train the workload of `fitlog run` with a Speedometer; each pair is one training of either
kind, in changing order. Trainings are short and many, for on a busy machine one says little. The
throughput is the median that the Speedometer printed; CPU and wall time are of the whole fit, with
what it costs to begin. A throughput ratio of 1.00 is no cost, 0.99 is one per cent. With `--fast`
the instrumented fit is `fitlog.fit(..., fast=True)`.
"""

from __future__ import annotations

import argparse
import logging
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from fitlog import fit
from fitlog.reading import read_columns
from fitlog.run.networks import build_network
from fitlog.run.samples import load_digits
from fitlog.run.shim import import_mxnet

BATCH_SIZE = 64
FREQUENT = 5
EPOCHS = 2


def main() -> None:
    """Measure and print medians and quartiles of the ratios."""
    parser = argparse.ArgumentParser(description="the cost of the instrumented fit")
    parser.add_argument("--pairs", type=int, default=101)
    parser.add_argument("--network", choices=["lenet", "mlp"], default="lenet")
    parser.add_argument("--fast", action="store_true")
    args = parser.parse_args()
    mx = import_mxnet()
    log = logging.getLogger()
    printed = Messages()
    log.addHandler(printed)
    log.setLevel(logging.INFO)
    ratios: dict[str, list[float]] = {"throughput": [], "cpu": [], "wall": []}
    with tempfile.TemporaryDirectory() as folder:
        phases = Path(folder) / "phases.jsonl"

        def plain(module: Any, data: Any, **settings: Any) -> None:
            module.fit(data, **settings)

        def instrumented(module: Any, data: Any, **settings: Any) -> None:
            fit(module, data, phases=phases, fast=args.fast, **settings)

        for kind in (plain, instrumented):  # a warm-up each
            train(mx, args.network, kind, printed)
        for pair in range(args.pairs):
            order = (plain, instrumented) if pair % 2 else (instrumented, plain)
            spent = {kind: train(mx, args.network, kind, printed) for kind in order}
            for figure, values in ratios.items():
                values.append(spent[instrumented][figure] / spent[plain][figure])
    name = "fast and instrumented" if args.fast else "instrumented"
    print(f"{args.network}, {args.pairs} pairs of {EPOCHS} epochs, {name} / plain:")
    for figure, values in ratios.items():
        low, middle, high = statistics.quantiles(values, n=4)
        print(f"  {figure:10}  median {middle:.4f}  quartiles {low:.4f} to {high:.4f}")


class Messages(logging.Handler):
    """Keeps what is logged."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep one message."""
        self.lines.append(record.getMessage())


def train(
    mx: Any, network: str, fit_with: Callable[..., None], printed: Messages
) -> dict[str, float]:
    """Throughput, CPU and wall seconds of one training."""
    printed.lines.clear()
    mx.random.seed(0)
    np.random.seed(0)
    digits, _ = load_digits()
    data = mx.io.NDArrayIter(digits.images, digits.labels, BATCH_SIZE, shuffle=True)
    module = mx.mod.Module(build_network(mx, network, image_shape=(1, 8, 8), num_classes=10))
    begin = time.process_time(), time.perf_counter()
    fit_with(
        module,
        data,
        eval_metric=["acc", "ce"],
        batch_end_callback=mx.callback.Speedometer(BATCH_SIZE, FREQUENT),
        initializer=mx.init.Xavier(),
        optimizer_params={"learning_rate": 0.05},
        num_epoch=EPOCHS,
    )
    mx.nd.waitall()
    cpu, wall = time.process_time() - begin[0], time.perf_counter() - begin[1]
    speeds = read_columns(["\n".join(printed.lines).encode()]).speed.samples_per_sec
    return {"throughput": statistics.median(speeds), "cpu": cpu, "wall": wall}


if __name__ == "__main__":
    main()
