"""What it costs to index many logs, beside the same by a loop of one's own, all in one run.

    python benchmarks/archive.py [--files 10000] [--kbytes 100] [--runs 1] [--plot FILE]

Makes so many logs of that size (each is one training, with time stamps, of one of three months),
and measures, each in a process of its own:

index, 1 process     `fitlog index` into a new archive
index, 2 processes   the same with `--workers 2`
again                the same once more: nothing has changed
re and pandas        an expression for each line, a DataFrame for each log, all of them into one
                     Parquet file for speeds and one for metrics: no runs, no times, no events
duckdb               DuckDB's `read_text` and regular expressions over the lines, speeds only

Prints wall and CPU seconds, logs and megabytes a second, the most memory that a process took, and
the archive's size beside that of the logs, plain and compressed with zstd. Machines differ, and so
do hours of a busy one: the ratios are what to compare. `--plot` draws how the CPU time grows with
the number of logs and with their size.
"""

from __future__ import annotations

import argparse
import os
import random
import re
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import synthetic

NETWORKS = ("resnet-18", "resnet-50", "lenet", "vgg-16", "inception-v3")
NUMBER = r"[-+]?(?:[0-9]+(?:\.[0-9]*)?(?:[eE][-+]?[0-9]+)?|nan|inf)"
SPEED = re.compile(
    rf"Epoch\[([0-9]+)\] Batch ?\[([0-9]+)(?:-([0-9]+))?\]\s+Speed: ({NUMBER}) samples/sec(.*)$"
)
FIELD = re.compile(rf"\s+([^\s=][^\t=]*)=({NUMBER})")
EPOCH = re.compile(rf"Epoch\[([0-9]+)\] (Train|Validation)-([^\t=]+)=({NUMBER})\s*$")
# Logs that differ; more of them are copies under other names, which cost as much to read.
DISTINCT = 500


class Cost(NamedTuple):
    """Wall and CPU seconds of a process and its children, and the most memory of one of them."""

    seconds: float
    cpu: float
    mbytes: float


def make_logs(folder: Path, files: int, kbytes: float) -> int:
    """Write the logs, a hundred to a folder; gives their bytes."""
    texts = [log_text(seed, int(kbytes * 1000)) for seed in range(min(files, DISTINCT))]
    size = 0
    for i in range(files):
        place = folder / f"{i // 100:04d}"
        place.mkdir(parents=True, exist_ok=True)
        text = texts[i % len(texts)]
        (place / f"{i:06d}.log").write_bytes(text)
        size += len(text)
    return size


def log_text(seed: int, size: int) -> bytes:
    """One training, as Module.fit and Speedometer log it, of about so many bytes."""
    rng = random.Random(seed)  # noqa: S311  # the same log each time
    names = rng.choice(synthetic.METRICS)
    clock = datetime(2026, 1 + seed % 3, 1 + seed % 28)
    base = 10 ** rng.uniform(2, 3.5)
    text: list[str] = []
    written = 0

    def put(line: str) -> None:
        nonlocal clock, written
        clock += timedelta(milliseconds=rng.randrange(100, 1900))
        stamped = f"{clock:%Y-%m-%d %H:%M:%S},{clock.microsecond // 1000:03d} Node[0] {line}\n"
        text.append(stamped)
        written += len(stamped)

    put(
        f"start with arguments Namespace(network={rng.choice(NETWORKS)!r}, lr=0.1,"
        f" batch_size={rng.choice((32, 64, 128))}, disp_batches=20, optimizer='sgd')"
    )
    epoch = 0
    while written < size:
        for report in range(30):
            values = "\t".join(f"{name}={rng.random():f}" for name in names)
            put(
                f"Epoch[{epoch}] Batch [{20 * report}-{20 * report + 20}]\tSpeed:"
                f" {base * rng.gauss(1, 0.03):.2f} samples/sec\t{values}"
            )
        for name in names:
            put(f"Epoch[{epoch}] Train-{name}={rng.random():f}")
        put(f"Epoch[{epoch}] Time cost={rng.uniform(10, 20):.3f}")
        for name in names:
            put(f"Epoch[{epoch}] Validation-{name}={rng.random():f}")
        epoch += 1
    return "".join(text).encode()


def index(logs: Path, out: Path, workers: int = 1) -> None:
    """`fitlog index`."""
    from fitlog.archive.engines import open_engine
    from fitlog.archive.indexing import index as index_logs

    index_logs([str(logs)], str(out), engine=open_engine("local", workers=workers))


def index_by_two(logs: Path, out: Path) -> None:
    """The same by two processes."""
    index(logs, out, workers=2)


def loop(logs: Path, out: Path) -> None:
    """What somebody writes who knows the formats."""
    import pandas as pd

    speeds, metrics = [], []
    for path in sorted(logs.rglob("*.log")):
        speed, metric = [], []
        with path.open(encoding="utf-8", errors="replace") as log:
            for line in log:
                if match := SPEED.search(line):
                    epoch, begin, end, rate, fields = match.groups()
                    speed.append((int(epoch), int(begin), int(end or 0), float(rate)))
                    for name, value in FIELD.findall(fields):
                        metric.append((int(epoch), int(end or 0), "train", name, float(value)))
                elif match := EPOCH.search(line):
                    epoch, split, name, value = match.groups()
                    metric.append((int(epoch), -1, split.lower(), name, float(value)))
        speeds.append(pd.DataFrame(speed, columns=["epoch", "begin", "end", "samples_per_sec"]))
        metrics.append(pd.DataFrame(metric, columns=["epoch", "end", "split", "metric", "value"]))
        for frame in (speeds[-1], metrics[-1]):
            frame["file"] = str(path)
    out.mkdir()
    pd.concat(speeds).to_parquet(out / "speed.parquet", compression="zstd")
    pd.concat(metrics).to_parquet(out / "metrics.parquet", compression="zstd")


def duck(logs: Path, out: Path) -> None:
    """Speeds alone, by SQL."""
    import duckdb

    out.mkdir()
    pattern = r"Epoch\[(\d+)\] Batch \[(\d+)-(\d+)\]\tSpeed: ([0-9.]+) samples/sec"
    speeds = duckdb.sql(
        "select filename, r['epoch']::int as epoch, r['last']::int as batch_end,"
        " r['speed']::double as samples_per_sec from (select filename, regexp_extract(line, ?,"
        " ['epoch', 'first', 'last', 'speed']) as r from (select filename,"
        " unnest(string_split(content, chr(10))) as line from read_text(?)))"
        " where r['epoch'] <> ''",
        params=[pattern, str(logs / "**" / "*.log")],
    )
    if speeds is None:
        raise AssertionError("a select gives rows")
    speeds.write_parquet(str(out / "speed.parquet"), compression="zstd")


WAYS: dict[str, Callable[[Path, Path], None]] = {
    "index, 1 process": index,
    "index, 2 processes": index_by_two,
    "re and pandas": loop,
    "duckdb": duck,
}


def measure(way: str, logs: Path, out: Path) -> Cost:
    """What a way costs in a process of its own, its start and imports with it."""
    before = time.perf_counter()
    done = subprocess.run(
        [sys.executable, __file__, "--way", way, str(logs), str(out)],
        check=True,
        capture_output=True,
        text=True,
    )
    seconds = time.perf_counter() - before
    cpu, kbytes = map(float, done.stdout.split()[-2:])
    return Cost(seconds, cpu, kbytes / 1024)


def run_way(way: str, logs: Path, out: Path) -> None:
    """Do it, and print the CPU seconds and the most kilobytes."""
    WAYS[way](logs, out)
    every = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    print(sum(one.ru_utime + one.ru_stime for one in every), max(one.ru_maxrss for one in every))


def size_of(folder: Path) -> int:
    """The bytes of all files below a folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def listed_size(archive: Path) -> int:
    """The bytes of the parts that count; others wait for a day to be removed."""
    from fitlog.archive.reading import open_archive

    groups = open_archive(str(archive)).manifest.groups
    return sum(part.size for group in groups for parts in group.parts.values() for part in parts)


def compressed(logs: Path) -> int:
    """The logs' bytes, each compressed with zstd for itself."""
    import pyarrow as pa

    return sum(
        len(pa.compress(path.read_bytes(), codec="zstd", asbytes=True))
        for path in logs.rglob("*.log")
    )


def query_seconds(archive: Path) -> float:
    """The median pace of each network, from an archive that is not open yet."""
    import duckdb

    from fitlog.archive.reading import open_archive

    before = time.perf_counter()
    with duckdb.connect() as database:
        database.register("runs", open_archive(str(archive)).dataset("runs"))
        database.sql("select network, median(pace) from runs group by network").fetchall()
    return time.perf_counter() - before


def compare(folder: Path, options: argparse.Namespace) -> None:
    """All ways on the same logs, in turn."""
    logs = folder / "logs"
    size = make_logs(logs, options.files, options.kbytes)
    mbytes = size / 1e6
    print(f"{options.files:,} logs, {mbytes:,.0f} MB; {os.cpu_count()} processors")
    print(f"{'':20}{'wall s':>9}{'CPU s':>9}{'logs/s':>9}{'MB/s':>8}{'memory MB':>11}")
    costs: dict[str, list[Cost]] = {}
    for run in range(options.runs):
        for way in WAYS:
            out = folder / f"{list(WAYS).index(way)}-{run}"
            costs.setdefault(way, []).append(measure(way, logs, out))
            if way == "index, 1 process":
                costs.setdefault("again", []).append(measure(way, logs, out))
    for way, found in costs.items():
        seconds, cpu, memory = (
            statistics.median(cost[i] for cost in found) for i in range(len(Cost._fields))
        )
        print(
            f"{way:20}{seconds:9.2f}{cpu:9.2f}{options.files / seconds:9.0f}"
            f"{mbytes / seconds:8.1f}{memory:11.0f}"
        )
    archive, packed = listed_size(folder / "0-0"), compressed(logs)
    print(
        f"archive {archive / 1e6:,.1f} MB ({archive / size:.0%} of the logs,"
        f" {archive / packed:.0%} of them compressed with zstd: {packed / 1e6:,.1f} MB)"
    )
    queries = [query_seconds(folder / "0-0") for _ in range(3)]
    print(f"median pace by network {statistics.median(queries):.2f} s")


def draw(folder: Path, target: Path) -> None:
    """CPU seconds by the number of logs and by their size, as a picture."""
    from matplotlib.figure import Figure

    counts = [(files, 100.0) for files in (100, 500, 1000, 2000, 4000)]
    sizes = [(1000, kbytes) for kbytes in (1.0, 25.0, 50.0, 100.0, 200.0)]
    figure = Figure(figsize=(8, 3.2), layout="constrained")
    left, right = figure.subplots(1, 2)
    for axes, cases, label in (
        (left, counts, "logs of 100 KB"),
        (right, sizes, "KB a log, of 1,000 logs"),
    ):
        points = []
        for number, (files, kbytes) in enumerate(cases):
            place = folder / f"{label[:4]}-{number}"
            make_logs(place / "logs", files, kbytes)
            first = measure("index, 1 process", place / "logs", place / "out")
            again = measure("index, 1 process", place / "logs", place / "out")
            points.append((files if axes is left else kbytes, first.cpu, again.cpu))
            print(label, points[-1])
        xs, first_cpu, again_cpu = zip(*points, strict=True)
        axes.plot(xs, first_cpu, "o-", label="new archive")
        axes.plot(xs, again_cpu, "s--", label="nothing changed")
        axes.set(xlabel=label, ylabel="CPU time (s)", xlim=(0, None), ylim=(0, None))
        axes.grid(alpha=0.3)
    left.legend()
    figure.savefig(target, dpi=110)


def main(arguments: Sequence[str] | None = None) -> int:
    """Compare, and draw if asked to."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--files", type=int, default=10_000)
    parser.add_argument("--kbytes", type=float, default=100)
    parser.add_argument("--runs", type=int, default=1)
    parser.add_argument("--plot", type=Path, metavar="FILE")
    parser.add_argument("--way", choices=WAYS, help=argparse.SUPPRESS)
    parser.add_argument("places", nargs="*", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.way:
        run_way(options.way, *options.places)
        return 0
    with tempfile.TemporaryDirectory(prefix="fitlog-archive-") as name:
        if options.plot:
            draw(Path(name), options.plot)
        else:
            compare(Path(name), options)
    return 0


if __name__ == "__main__":
    sys.exit(main())
