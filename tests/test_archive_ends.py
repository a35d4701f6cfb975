"""How a process ends that has made or read an archive: in order, whatever Arrow's threads do."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from archives import write_logs
from fitlog.archive.indexing import index

# How many logs each step reads, and how many threads there are then beside those of the imports.
COUNT_THREADS = """
import os
from pathlib import Path
import pyarrow.parquet
from archives import write_log, write_logs
from fitlog.archive import growing, tasks
from fitlog.archive.indexing import index

tasks.LARGE_BYTES, growing.CHUNK_BYTES = 5000, 700
logs = Path("logs")
before = len(os.listdir("/proc/self/task"))
steps = [
    lambda: write_logs(logs, 5),
    lambda: write_logs(logs, 8),
    lambda: write_log(logs / "large.log", epochs=30, reports=50),
    lambda: write_log(logs / "large.log", epochs=40, reports=50),
]
for step in steps:
    step()
    print(index([str(logs)], "archive").read, len(os.listdir("/proc/self/task")) - before)
"""
# The command, in a process that tells what of its end comes to pass.
TELL_THE_END = """
import atexit, os, sys
import fitlog.cli

class Torn:
    def __del__(self, write=os.write):
        write(1, b"taken down\\n")

torn = Torn()
run = fitlog.cli._run

def register_and_run():
    atexit.register(os.write, 1, b"in order\\n")
    run()

fitlog.cli._run = register_and_run
fitlog.cli.main()
"""


def run_python(code: str, *arguments: object, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parent)},
    )


@pytest.mark.skipif(sys.platform != "linux", reason="threads are counted as Linux lists them")
def test_indexing_starts_no_thread_of_arrows_that_could_outlive_it(tmp_path: Path) -> None:
    done = run_python(COUNT_THREADS, cwd=tmp_path)

    assert done.stderr == ""
    assert done.stdout.splitlines() == ["5 0", "3 0", "1 0", "1 0"]


def test_a_command_that_has_read_an_archive_ends_before_the_interpreter_is_taken_down(
    tmp_path: Path,
) -> None:
    write_logs(tmp_path / "logs", 2)
    index([str(tmp_path / "logs")], str(tmp_path / "archive"))
    where = ("--where", "file LIKE '%logs/00%'")
    ends = {
        command: run_python(TELL_THE_END, *arguments, cwd=tmp_path)
        for command, arguments in {
            "query": ("query", "archive", "SELECT 6 * 7"),
            "wrong": ("query", "archive", "SELECT nonsense"),
            "compare": ("compare", "archive", *where, "--format", "csv"),
            "parse": ("parse", "logs/000.log", "--format", "csv"),
        }.items()
    }

    told = {command: done.stdout.splitlines() for command, done in ends.items()}
    codes = {command: done.returncode for command, done in ends.items()}
    assert codes == {"query": 0, "wrong": 2, "compare": 0, "parse": 0}
    # A query is answered in a child process; its parent has read no archive.
    assert told["query"][1:] == ["     42", "in order", "in order", "taken down"]
    assert told["wrong"] == ["in order", "in order", "taken down"]
    assert told["compare"][-1] == "in order"
    assert told["parse"][-2:] == ["in order", "taken down"]
