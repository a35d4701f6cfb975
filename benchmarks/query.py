"""What questions to an archive cost, beside DuckDB's own over the raw logs, all in one run.

    python benchmarks/query.py [--files 2000 10000] [--kbytes 20] [--runs 3]

Makes so many logs (those of `archive.py`), indexes them, and measures, each in a process of its own
and by turns:

fitlog query, runs    the median pace of each network, by the table `runs`
fitlog query, speed   the median of all speeds of each network, by `speed` joined with `runs`
duckdb, archive       the first by DuckDB over the parts themselves, neither confined nor limited
duckdb, raw logs      the second by DuckDB's `read_text` and regular expressions over the logs
imports               what `fitlog query` imports, and nothing else

Prints the medians of wall and CPU seconds. Machines differ, and so do hours of
a busy one: the ratios are what to compare.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from archive import index, make_logs

OF_RUNS = "SELECT network, median(pace), count(*) FROM runs GROUP BY network ORDER BY network"
OF_SPEEDS = (
    "SELECT network, median(samples_per_sec), count(*) FROM speed JOIN runs USING (run_id)"
    " GROUP BY network ORDER BY network"
)
NATIVE = """
import duckdb, sys
print(duckdb.sql("SELECT network, median(pace), count(*) FROM read_parquet($1) GROUP BY network"
    " ORDER BY network", params=[sys.argv[1] + "/parts/runs/*/*.parquet"]).fetchall())
"""
RAW = r"""
import duckdb, sys
print(duckdb.sql('''
    WITH logs AS (SELECT regexp_extract(content, 'network=.([^,'']+)', 1) AS network,
      unnest(regexp_extract_all(content, 'Speed: ([0-9.]+) samples/sec', 1))::DOUBLE AS speed
      FROM read_text($1))
    SELECT network, median(speed), count(*) FROM logs GROUP BY network ORDER BY network''',
    params=[sys.argv[1] + "/**/*.log"]).fetchall())
"""
IMPORTS = """
import duckdb, fitlog.cli, fitlog.archive.query
from fitlog.archive.unneeded import without_pandas
with without_pandas():
    import fitlog.archive.reading
"""


def measure(command: Sequence[str]) -> tuple[float, float]:
    """Wall and CPU seconds of a command."""
    before = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"{command}: status {status}")
    seconds = time.perf_counter() - before
    return seconds, usage.ru_utime + usage.ru_stime


def compare(folder: Path, files: int, options: argparse.Namespace) -> None:
    """All ways on the same logs, by turns."""
    logs, archive = folder / "logs", folder / "archive"
    size = make_logs(logs, files, options.kbytes)
    index(logs, archive)
    query = [sys.executable, "-m", "fitlog", "query", str(archive)]
    ways = {
        "fitlog query, runs": [*query, OF_RUNS],
        "fitlog query, speed": [*query, OF_SPEEDS],
        "duckdb, archive": [sys.executable, "-c", NATIVE, str(archive)],
        "duckdb, raw logs": [sys.executable, "-c", RAW, str(logs)],
        "imports": [sys.executable, "-c", IMPORTS],
    }
    costs: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
    for _ in range(options.runs):
        for name, command in ways.items():
            costs[name].append(measure(command))
    print(f"{files:,} logs, {size / 1e6:,.0f} MB; {os.cpu_count()} processors")
    print(f"{'':22}{'wall s':>8}{'CPU s':>8}")
    for name, found in costs.items():
        seconds, cpu = (statistics.median(cost[i] for cost in found) for i in range(2))
        print(f"{name:22}{seconds:8.2f}{cpu:8.2f}")


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure each number of logs."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--files", type=int, nargs="+", default=[2_000, 10_000])
    parser.add_argument("--kbytes", type=float, default=20)
    parser.add_argument("--runs", type=int, default=3)
    options = parser.parse_args(arguments)
    for files in options.files:
        with tempfile.TemporaryDirectory(prefix="fitlog-query-") as name:
            compare(Path(name), files, options)
    return 0


if __name__ == "__main__":
    sys.exit(main())
