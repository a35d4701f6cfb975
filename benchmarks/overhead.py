"""What the instrumented fit costs: its throughput against plain `Module.fit`, in one run.

    python benchmarks/overhead.py [--network mlp|lenet|resnet20] [--size 8] [--fast]

Both train a network of `fitlog run` for an epoch, with a Speedometer; each pair is one training of
either kind, in changing order. Trainings are short and many, for on a busy machine one says little.
The throughput is the median that the Speedometer printed; CPU and wall time are of the whole fit,
with what it costs to begin. A throughput ratio of 1.00 is no cost, 0.99 is one per cent. Images are
as large as those the networks were made for, with `--size 8` as small as the digits that
`fitlog run` brings along. With `--fast` the instrumented fit is `fitlog.fit(..., fast=True)`, which
gives the same log.
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
from fitlog.run.shim import import_mxnet

BATCH_SIZE = 64
# Channels and size of an image, batches of an epoch and of a window: some tenths of a second each.
WORKLOADS = {
    "mlp": (1, 28, 401, 20),
    "lenet": (1, 28, 61, 20),
    "resnet20": (3, 32, 16, 5),
}
CLASSES = 10


def main() -> None:
    """Measure and print medians and quartiles of the ratios."""
    parser = argparse.ArgumentParser(description="the cost of the instrumented fit")
    parser.add_argument("--pairs", type=int, default=41)
    parser.add_argument("--network", choices=list(WORKLOADS), default="mlp")
    parser.add_argument("--size", type=int, help="of an image; by default as made for")
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

        size = args.size or WORKLOADS[args.network][1]

        def once(kind: Callable[..., None]) -> dict[str, float]:
            return train(mx, args.network, size, kind, printed)

        for kind in (plain, instrumented):  # a warm-up each
            once(kind)
        for pair in range(args.pairs):
            order = (plain, instrumented) if pair % 2 else (instrumented, plain)
            spent = {kind: once(kind) for kind in order}
            for figure, values in ratios.items():
                values.append(spent[instrumented][figure] / spent[plain][figure])
    name = "fast and instrumented" if args.fast else "instrumented"
    print(f"{args.network} on {size}x{size}, {args.pairs} pairs, {name} / plain:")
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
    mx: Any, network: str, size: int, fit_with: Callable[..., None], printed: Messages
) -> dict[str, float]:
    """Throughput, CPU and wall seconds of one training."""
    printed.lines.clear()
    mx.random.seed(0)
    np.random.seed(0)
    channels, _, batches, frequent = WORKLOADS[network]
    image_shape = (channels, size, size)
    images = np.random.uniform(size=(batches * BATCH_SIZE, *image_shape)).astype("float32")
    labels = np.random.randint(0, CLASSES, len(images)).astype("float32")
    data = mx.io.NDArrayIter(images, labels, BATCH_SIZE, shuffle=True)
    module = mx.mod.Module(build_network(mx, network, image_shape=image_shape, num_classes=CLASSES))
    begin = time.process_time(), time.perf_counter()
    fit_with(
        module,
        data,
        eval_metric=["acc", "ce"],
        batch_end_callback=mx.callback.Speedometer(BATCH_SIZE, frequent),
        initializer=mx.init.Xavier(),
        optimizer_params={"learning_rate": 0.05},
        num_epoch=1,
    )
    mx.nd.waitall()
    cpu, wall = time.process_time() - begin[0], time.perf_counter() - begin[1]
    speeds = read_columns(["\n".join(printed.lines).encode()]).speed.samples_per_sec
    return {"throughput": statistics.median(speeds), "cpu": cpu, "wall": wall}


if __name__ == "__main__":
    main()
