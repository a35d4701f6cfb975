"""How fast logs are read, beside what else people read them with, all in one run.

    python benchmarks/parse.py [--mbytes 200] [--files 2000] [--runs 3]

Five cases: one log of that size, so many logs of 100 KB in one call, one log of 100 KB, and logs of
the other dialects, of which no line is canonical, large ones and small ones (fitlog beside its
rules alone). Each reader has processes of its own, in turn with the others; CPU seconds are those
of the reading, the imports left out, and medians are printed. Machines differ: the ratios are what
to compare.

fitlog     `fitlog.read_log` or `read_logs`: all tables
rules      the same tables by fitlog's rules alone, line by line
re         a regular expression for each line, into DataFrames of speeds, metrics and epochs: no
           runs, no times, no events, nothing reported
parse_log  what MXNet's tools/parse_log.py does: an expression for each metric and split, and one
           for the time; sums by epoch. It is asked for the three metrics of one run
read_csv   `pandas.read_csv` of fitlog's tables `speed` and `metrics` as CSV
wc         `wc -l`
"""

from __future__ import annotations

import argparse
import json
import re
import resource
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import synthetic

FILE_BYTES = 100_000
OTHERS_BYTES = 2_000_000
SMALL_BYTES = 20_000
SAMPLES = Path(__file__).parents[1] / "sample_logs"
NUMBER = rb"[-+]?(?:[0-9]+(?:\.[0-9]*)?(?:[eE][-+]?[0-9]+)?|nan|inf)"
SPEED = re.compile(
    rb"Epoch\[([0-9]+)\] Batch ?\[([0-9]+)(?:-([0-9]+))?\][ \t]+Speed: (" + NUMBER + rb")"
    rb" samples/sec((?:[ \t]+[^ \t=\n][^\t=\n]*=" + NUMBER + rb")*)[ \t\r]*$"
)
FIELD = re.compile(rb"[ \t]+([^ \t=\n][^\t=\n]*)=(" + NUMBER + rb")")
EPOCH = re.compile(rb"Epoch\[([0-9]+)\] (Train|Validation)-([^\t=\n]+)=(" + NUMBER + rb")[ \t\r]*$")
TIME = re.compile(rb"Epoch\[([0-9]+)\] Time cost=(" + NUMBER + rb")[ \t\r]*$")
# tools/parse_log.py of MXNet 1.9.
PARSE_LOG = [
    re.compile(rf".*Epoch\[(\d+)\] {split}{metric}.*=([.\d]+)")
    for split, metrics in (("Train-", synthetic.METRICS[0]), ("Validation-", synthetic.METRICS[0]))
    for metric in metrics
]
PARSE_LOG.append(re.compile(r".*Epoch\[(\d+)\] Time.*=([.\d]+)"))


def read_with_fitlog(paths: Sequence[Path], _: Path) -> None:
    """All tables."""
    import fitlog

    if len(paths) == 1:
        fitlog.read_log(paths[0])
    else:
        fitlog.read_logs(paths)


def read_by_rules(paths: Sequence[Path], _: Path) -> None:
    """The same tables by the rules alone, line by line."""
    from fitlog.reading import read_columns
    from fitlog.tables import build_tables

    build_tables(read_columns(paths), with_file=len(paths) > 1)


def read_with_re(paths: Sequence[Path], _: Path) -> None:
    """What somebody writes who knows the formats."""
    import pandas as pd

    for path in paths:
        speeds: list[Any] = []
        metrics: list[Any] = []
        epochs: list[Any] = []
        with path.open("rb") as log:
            for number, line in enumerate(log, 1):
                if match := SPEED.search(line):
                    epoch, start, end = int(match[1]), int(match[2]), int(match[3] or match[2])
                    speeds.append((epoch, start, end, float(match[4]), number))
                    metrics.extend(
                        (epoch, start, end, name, float(value), number)
                        for name, value in FIELD.findall(match[5])
                    )
                elif match := EPOCH.search(line):
                    epochs.append((int(match[1]), match[2], match[3], float(match[4]), number))
                elif match := TIME.search(line):
                    epochs.append((int(match[1]), b"time", b"", float(match[2]), number))
        for rows in (speeds, metrics, epochs):
            pd.DataFrame(rows)


def read_with_parse_log(paths: Sequence[Path], _: Path) -> None:
    """The approach of MXNet's own parser."""
    for path in paths:
        data: dict[int, list[float]] = {}
        with path.open(encoding="utf-8", errors="replace") as log:
            for line in log:
                for i, pattern in enumerate(PARSE_LOG):
                    match = pattern.match(line)
                    if match is not None:
                        sums = data.setdefault(int(match[1]), [0.0] * 2 * len(PARSE_LOG))
                        sums[2 * i] += float(match[2])
                        sums[2 * i + 1] += 1
                        break


def read_csv(_: Sequence[Path], folder: Path) -> None:
    """Pandas on what fitlog read."""
    import pandas as pd

    for name in ("speed", "metrics"):
        pd.read_csv(folder / f"{name}.csv", low_memory=False)


def count_lines(paths: Sequence[Path], _: Path) -> None:
    """The least that reading a log can mean."""
    for i in range(0, len(paths), 500):
        subprocess.run(["wc", "-l", *paths[i : i + 500]], stdout=subprocess.DEVNULL, check=True)  # noqa: S607


READERS: dict[str, Callable[[Sequence[Path], Path], None]] = {
    "fitlog": read_with_fitlog,
    "rules": read_by_rules,
    "re": read_with_re,
    "parse_log": read_with_parse_log,
    "read_csv": read_csv,
    "wc": count_lines,
}


def cpu_seconds() -> float:
    """Of this process and those it waited for."""
    spent = 0.0
    for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN):
        usage = resource.getrusage(who)
        spent += usage.ru_utime + usage.ru_stime
    return spent


def peak_kbytes() -> int:
    """The most memory this process has had; Linux counts its parent's among `ru_maxrss`."""
    status = Path("/proc/self/status")
    if not status.exists():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    (peak,) = re.findall(r"VmHWM:\s+([0-9]+) kB", status.read_text())
    return int(peak)


def measure(reader: str, folder: Path) -> None:
    """Read once, in this process, and print the CPU seconds and the memory it took."""
    import numpy as np
    import pandas as pd

    import fitlog.tables  # noqa: F401

    pd.DataFrame({"a": np.zeros(1)})
    paths = sorted(folder.glob("*.log"))
    if reader == "fitlog":  # the engine and pandas have things to load when first used
        read_with_fitlog([SAMPLES / "canonical.log"], folder)
    before = peak_kbytes()
    start = cpu_seconds()
    READERS[reader](paths, folder)
    spent = cpu_seconds() - start
    grown = peak_kbytes() - before
    print(json.dumps({"seconds": spent, "mbytes": grown / 1024}))


def compare(folder: Path, runs: int, name: str, readers: Sequence[str]) -> None:
    """Measure the readers in turn and print the medians."""
    import fitlog

    paths = sorted(folder.glob("*.log"))
    size = sum(path.stat().st_size for path in paths) / 1e6
    log = fitlog.read_log(paths[0]) if len(paths) == 1 else fitlog.read_logs(paths)
    for table in ("speed", "metrics"):
        getattr(log, table).to_csv(folder / f"{table}.csv", index=False)
    del log
    found: dict[str, list[dict[str, Any]]] = {reader: [] for reader in readers}
    for _ in range(runs):
        for reader in readers:
            command = [sys.executable, __file__, "--measure", reader, "--folder", str(folder)]
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            found[reader].append(json.loads(done.stdout))
    seconds = {r: statistics.median(one["seconds"] for one in all_) for r, all_ in found.items()}
    print(f"\n{name}: {len(paths)} x {size / len(paths):.1f} MB")
    print(f"{'':<10}{'CPU s':>8}{'MB/s':>8}{'times fitlog':>14}{'peak MB':>9}")
    for reader, spent in seconds.items():
        peak = statistics.median(one["mbytes"] for one in found[reader])
        ratio = spent / seconds["fitlog"]
        print(f"{reader:<10}{spent:>8.3f}{size / max(spent, 1e-9):>8.0f}{ratio:>14.2f}{peak:>9.0f}")


def main() -> int:
    """Make the logs, measure, print."""
    parser = argparse.ArgumentParser(description="How fast logs are read")
    parser.add_argument("--mbytes", type=float, default=200)
    parser.add_argument("--files", type=int, default=2000)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--measure", choices=READERS)
    parser.add_argument("--folder", type=Path)
    options = parser.parse_args()
    if options.measure:
        measure(options.measure, options.folder)
        return 0
    cases = {
        "one log": [int(options.mbytes * 1e6)],
        "many logs": [FILE_BYTES] * options.files,
        "a small log": [FILE_BYTES],
    }
    for name, sizes in cases.items():
        with tempfile.TemporaryDirectory() as place:
            folder = Path(place)
            for i, size in enumerate(sizes):
                with (folder / f"{i:05d}.log").open("wb") as log:
                    synthetic.write(log, size, seed=i + 1)
            compare(folder, options.runs, name, list(READERS))
    for name, size in ("other dialects", OTHERS_BYTES), ("their small logs", SMALL_BYTES):
        with tempfile.TemporaryDirectory() as place:
            for sample in (SAMPLES / "dialects").glob("*.log"):
                text = sample.read_bytes()
                for i in range(OTHERS_BYTES // size):
                    copy = Path(place, f"{sample.stem}-{i:03d}.log")
                    copy.write_bytes(text * -(-size // len(text)))
            compare(Path(place), options.runs, name, ["fitlog", "rules"])
    return 0


if __name__ == "__main__":
    sys.exit(main())
