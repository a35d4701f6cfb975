"""Logs of any size, as `Module.fit` writes them, for measuring how fast they are read.

Runs of many epochs follow each other; each has a form of line, metrics, a prefix and a batch size
of its own. One line in twenty is other output: warnings of libraries, checkpoints, learning rates.
The same arguments always give the same bytes.
"""

from __future__ import annotations

import argparse
import random
import sys
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import IO

METRICS = (
    ("accuracy", "top_k_accuracy_5", "cross-entropy"),
    ("RPNAcc", "RCNNLogLoss", "M0_RPNL1KpointLoss"),
    ("perplexity", "multi class f1", "nll-loss"),
    ("acc", "lossvalue", "MAE"),
    ("rmse", "CrossEntropy", "nce-auc"),
    ("Accuracy", "TopKAccuracy", "mse"),
    ("mean_iou", "pixel-acc", "ce"),
)
NOISE = (
    "[12:00:{0:02d}] src/operator/nn/./cudnn/./cudnn_algoreg-inl.h:97: Running performance tests to"
    " find the best convolution algorithm, this can take a while...",
    "/usr/lib/python3/site-packages/mxnet/module/base_module.py:{0}: UserWarning: Parameters"
    " already initialized and force_init=False.",
    "Update[{0}]: Change learning rate to 1.00000e-02",
    "Already bound, ignoring bind()",
    "epoch {0} done, E=mc2, Batch = 32",
    "",
)
ODD = (
    "Epoch[{0}] Batch [10-20]\tSpeed: 12.0",
    "Epoch[{0}] Train-accuracy=oops",
    "Epoch[{0}] Validation-accuracy=123456789012345678901.500000",
    "saw Epoch[7] then Epoch[{0}] Batch [0-50]\tSpeed: 10.00 samples/sec\taccuracy=0.250000",
)


def lines(num_bytes: int, seed: int = 1) -> Iterator[str]:
    """The lines of a log of about `num_bytes`, each with its end."""
    rng = random.Random(seed)  # noqa: S311  # the same log each time
    clock = datetime(2017, 5, 1)
    left = num_bytes
    while left > 0:
        prefix = rng.choice(("", "INFO:root:", "TIME", "TIME", "[rank 3] \u00e9 worker: "))
        names = rng.choice(METRICS)
        form = rng.choices(("range", "single", "train"), (8, 1, 1))[0]
        frequent = rng.choice((10, 20, 50, 100))
        base = 100 * 10 ** rng.uniform(0, 2.5)
        for line in run_lines(rng, form, names, frequent, base):
            if prefix == "TIME":
                clock += timedelta(milliseconds=rng.randrange(100, 1900))
                stamp = f"{clock:%Y-%m-%d %H:%M:%S},{clock.microsecond // 1000:03d} Node[0] "
            else:
                stamp = prefix
            text = f"{stamp}{line}\n"
            left -= len(text)
            yield text
            if left <= 0:
                return


def run_lines(
    rng: random.Random, form: str, names: tuple[str, ...], frequent: int, base: float
) -> Iterator[str]:
    """The lines of one run, without prefix and end."""
    yield f"start with arguments Namespace(batch_size=128, disp_batches={frequent}, lr=0.1)"
    for epoch in range(rng.randrange(5, 60)):
        for report in range(rng.randrange(100, 300)):
            if rng.random() < 0.05:
                yield rng.choice(NOISE).format(epoch)
            elif rng.random() < 0.0005:
                yield rng.choice(ODD).format(epoch)
            begin, end = report * frequent, (report + 1) * frequent
            bounds = f"{begin}-{end}" if form == "range" else f"{end}"
            speed = base * rng.uniform(0.8, 1.2)
            train = "Train-" if form == "train" else ""
            fields = "".join(f"\t{train}{name}={value(rng)}" for name in names)
            yield f"Epoch[{epoch}] Batch [{bounds}]\tSpeed: {speed:.2f} samples/sec{fields}"
        for name in names:
            yield f"Epoch[{epoch}] Train-{name}={value(rng)}"
        yield f"Epoch[{epoch}] Time cost={rng.uniform(1, 1000):.3f}"
        yield f'Saved checkpoint to "model/resnet-50-{epoch + 1:04d}.params"'
        for name in names:
            yield f"Epoch[{epoch}] Validation-{name}={value(rng)}"


def value(rng: random.Random) -> str:
    """A metric's value: mostly between 0 and 1, at times large, negative, nan or an exponent."""
    kind = rng.random()
    if kind < 0.95:
        return f"{rng.random() * (10 if kind < 0.3 else 1):f}"
    if kind < 0.985:
        return f"{rng.uniform(-5000, 5000):f}"
    return rng.choice(("nan", "inf", "-inf", "1e-05", "2.5e-07", f"{rng.uniform(0, 1e7):f}"))


def write(out: IO[bytes], num_bytes: int, seed: int = 1) -> None:
    """Write such a log; its last line is torn."""
    for line in lines(num_bytes, seed):
        out.write(line.encode())
    out.write(b"Epoch[3] Batch [10-20]\tSpeed: 12.50 samples/sec\taccuracy=0.5")


def main() -> int:
    """Write one to standard output."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mbytes", type=float, default=10)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    write(sys.stdout.buffer, int(options.mbytes * 1e6), options.seed)
    return 0


if __name__ == "__main__":
    sys.exit(main())
