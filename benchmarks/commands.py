"""CPU seconds of whole commands: what a person waits for who only asks for help, or a CI job.

    python benchmarks/commands.py [--runs 9]

The empty interpreter stands beside them, for machines differ: the ratio to it is what to compare.
"""

from __future__ import annotations

import argparse
import os
import re
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

SAMPLES = Path(__file__).resolve().parent.parent / "sample_logs"
LOG_BYTES = 100_000


def main() -> None:
    """Run each command several times in turn and print the medians."""
    parser = argparse.ArgumentParser(description="CPU seconds of whole commands")
    parser.add_argument("--runs", type=int, default=9)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "run.log"
        log.write_bytes(long_log())
        base = Path(folder) / "base.log"
        base.write_bytes(long_log())
        small = str(SAMPLES / "lenet-1.log")
        fitlog = [sys.executable, "-m", "fitlog"]
        ledger = str(Path(folder) / "ledger.jsonl")
        past = past_logs(Path(folder))
        subprocess.run(
            [*fitlog, "history", "add", ledger, *past], stdout=subprocess.DEVNULL, check=True
        )
        commands = {
            "python -c pass": [sys.executable, "-c", "pass"],
            "import typer": [sys.executable, "-c", "import typer"],
            "fitlog --help": [*fitlog, "--help"],
            "check 100 KB, 10 KB": [*fitlog, "check", str(log), "--baseline", small],
            "check 100 KB, 100 KB": [*fitlog, "check", str(log), "--baseline", str(base)],
            "check, ledger of 30": [*fitlog, "check", str(log), "--history", ledger],
            "fitlog parse, 100 KB": [*fitlog, "parse", str(log)],
            "fitlog plot, 100 KB": [*fitlog, "plot", str(log)],
        }
        spent: dict[str, list[float]] = {name: [] for name in commands}
        for _ in range(args.runs + 1):
            for name, command in commands.items():
                spent[name].append(cpu_seconds(command))
    for name, seconds in spent.items():
        counted = seconds[1:]  # the first run fills the caches
        print(
            f"{name:22} median {statistics.median(counted):.3f} s"
            f"   {min(counted):.3f} to {max(counted):.3f}"
        )


def long_log() -> bytes:
    """The sample run of 100 epochs, repeated under later epochs until it is long enough."""
    lines = (SAMPLES / "long.log").read_text().splitlines(keepends=True)
    log, round_ = "", 0
    while len(log) < LOG_BYTES:
        for line in lines:
            epoch = int(line[line.index("[") + 1 : line.index("]")])
            log += line.replace(f"[{epoch}]", f"[{epoch + 100 * round_}]", 1)
        round_ += 1
    return log[: log.rindex("\n", 0, LOG_BYTES) + 1].encode()


def past_logs(folder: Path) -> list[str]:
    """Thirty other runs: the same log, each with decimals of its own in all speeds."""
    text = long_log()
    paths = []
    for number in range(30):
        path = folder / f"past-{number}.log"
        path.write_bytes(re.sub(rb"(Speed: \d+)\.\d\d", rb"\1.%02d" % number, text))
        paths.append(str(path))
    return paths


def cpu_seconds(command: list[str]) -> float:
    """User and system seconds of one process."""
    before = os.times()
    subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
    after = os.times()
    return (after.children_user - before.children_user) + (
        after.children_system - before.children_system
    )


if __name__ == "__main__":
    main()
