"""CPU seconds of pictures of logs of any size, and of the parts that depend on their points.

    python benchmarks/plot.py [--megabytes 50] [--runs 3]

The whole command is timed, and beside it the reading of the same log; 100,000 windows are drawn of
a log that holds nothing else. What a notebook shows of a log is timed without reading it.
"""

from __future__ import annotations

import argparse
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

_READ = "import sys, fitlog; fitlog.read_log(sys.argv[1])"
_POINTS = 100_000


def main() -> None:
    """Time pictures of a small log, of 100,000 points and of a large log."""
    parser = argparse.ArgumentParser(description="CPU seconds of pictures")
    parser.add_argument("--megabytes", type=float, default=50)
    parser.add_argument("--runs", type=int, default=3)
    args = parser.parse_args()
    sizes = {
        "100 KB": log_text(most_bytes=100_000),
        f"{_POINTS:,} points": log_text(most_windows=_POINTS),
        f"{args.megabytes:g} MB": log_text(most_bytes=int(args.megabytes * 1e6)),
    }
    with tempfile.TemporaryDirectory() as folder:
        for name, text in sizes.items():
            log = Path(folder) / "run.log"
            log.write_text(text)
            plot = [sys.executable, "-m", "fitlog", "plot", str(log), "-o", f"{folder}/p.png"]
            for what, command in {
                "read only": [sys.executable, "-c", _READ, str(log)],
                "overview": plot,
                "speed": [*plot, "--kind", "speed"],
                "speed, smoothed": [*plot, "--kind", "speed", "--smooth", "100"],
            }.items():
                seconds = [cpu_seconds(command) for _ in range(args.runs)]
                print(f"{name:16} {what:16} {statistics.median(seconds):6.2f} s")
            print(f"{name:16} {'in a notebook':16} {notebook_seconds(log):6.3f} s")


def log_text(*, most_bytes: int = sys.maxsize, most_windows: int = sys.maxsize) -> str:
    """Epochs of 200 windows with a speed and two metrics, until there is enough of them."""
    rng = random.Random(1)  # noqa: S311  # the same log each time
    lines: list[str] = []
    size = windows = epoch = 0
    while size < most_bytes and windows < most_windows:
        for batch in range(0, 4000, 20):
            speed, accuracy = rng.gauss(1000, 40), 1 - 0.9 / (1 + epoch)
            lines.append(
                f"Epoch[{epoch}] Batch [{batch}-{batch + 20}]\tSpeed: {speed:.2f} samples/sec"
                f"\taccuracy={accuracy:.6f}\tcross-entropy={1 / (1 + epoch):.6f}\n"
            )
            windows += 1
        lines.append(f"Epoch[{epoch}] Time cost={rng.gauss(80, 2):.3f}\n")
        lines.append(f"Epoch[{epoch}] Validation-accuracy={1 - 0.95 / (1 + epoch):.6f}\n")
        size += sum(map(len, lines[-202:]))
        epoch += 1
    return "".join(lines)


def cpu_seconds(command: list[str]) -> float:
    """User and system seconds of one process."""
    before = os.times()
    subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
    after = os.times()
    return (after.children_user - before.children_user) + (
        after.children_system - before.children_system
    )


def notebook_seconds(log: Path) -> float:
    """What it takes to show a log that was read."""
    from fitlog import read_log

    table = read_log(log)
    table._repr_html_()
    before = time.process_time()
    table._repr_html_()
    return time.process_time() - before


if __name__ == "__main__":
    main()
