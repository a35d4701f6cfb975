"""What the instrumented fit costs: its throughput against plain `Module.fit`, in one run.

    python benchmarks/overhead.py [--pairs 15] [--network lenet|mlp]

Both train the workload of `fitlog run` with a Speedometer; each pair is one training of either
kind, in changing order. CPU time is compared, for it hardly sees other processes; wall time is
shown too.
The ratio is plain time over instrumented time: 1.00 is no cost, 0.99 is one per cent.
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
from fitlog.run.shim import import_mxnet
from fitlog.run.workload import build_network, load_digits

BATCH_SIZE = 64
FREQUENT = 5
EPOCHS = 6


def main() -> None:
    """Measure and print medians and quartiles of the ratios."""
    parser = argparse.ArgumentParser(description="the cost of the instrumented fit")
    parser.add_argument("--pairs", type=int, default=15)
    parser.add_argument("--network", choices=["lenet", "mlp"], default="lenet")
    args = parser.parse_args()
    mx = import_mxnet()
    log = logging.getLogger()
    log.addHandler(logging.NullHandler())
    log.setLevel(logging.INFO)
    cpu, wall = [], []
    with tempfile.TemporaryDirectory() as folder:
        phases = Path(folder) / "phases.jsonl"

        def plain(module: Any, data: Any, **settings: Any) -> None:
            module.fit(data, **settings)

        def instrumented(module: Any, data: Any, **settings: Any) -> None:
            fit(module, data, phases=phases, **settings)

        for kind in (plain, instrumented):  # a warm-up each
            train(mx, args.network, kind)
        for pair in range(args.pairs):
            order = (plain, instrumented) if pair % 2 else (instrumented, plain)
            spent = {kind: train(mx, args.network, kind) for kind in order}
            cpu.append(spent[plain][0] / spent[instrumented][0])
            wall.append(spent[plain][1] / spent[instrumented][1])
    print(f"{args.network}, {args.pairs} pairs of {EPOCHS} epochs, plain / instrumented:")
    for name, ratios in (("cpu", cpu), ("wall", wall)):
        low, middle, high = statistics.quantiles(ratios, n=4)
        print(f"  {name:4}  median {middle:.4f}  quartiles {low:.4f} to {high:.4f}")


def train(mx: Any, network: str, fit_with: Callable[..., None]) -> tuple[float, float]:
    """CPU and wall seconds of one training."""
    mx.random.seed(0)
    np.random.seed(0)
    digits = load_digits()
    data = mx.io.NDArrayIter(digits.train_images, digits.train_labels, BATCH_SIZE, shuffle=True)
    module = mx.mod.Module(build_network(mx, network))
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
    return time.process_time() - begin[0], time.perf_counter() - begin[1]


if __name__ == "__main__":
    main()
