"""Whoever reads the logs, the archive is the same to the byte; workers that die lose nothing."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from archives import parts_of, read_or_die, rows_of, write_logs
from fitlog.archive import engines, indexing
from fitlog.archive.engines import Dask, Engine, Here, Processes
from fitlog.archive.indexing import index
from fitlog.archive.reading import open_archive
from fitlog.archive.tasks import read_task
from fitlog.errors import ArchiveError
from support import Fitlog

pytest.importorskip("distributed")

ADDRESS = re.compile(r"tcp://127\.0\.0\.1:\d+")


@pytest.fixture
def many_tasks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(indexing, "TASK_LOGS", 3)
    monkeypatch.setattr(indexing, "TASK_BYTES", 1)


class Dying:
    """An engine one of whose workers is killed, amid the work of the first indexer."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def run(self, do: Any, tasks: Any) -> Any:
        return self._engine.run(read_or_die if do is read_task else do, tasks)

    def close(self) -> None:
        self._engine.close()


@pytest.mark.usefixtures("many_tasks")
def test_a_cluster_whose_worker_is_killed_makes_the_same_archive_to_the_byte(
    tmp_path: Path,
) -> None:
    write_logs(tmp_path / "logs", 40)
    index([str(tmp_path / "logs")], str(tmp_path / "one"))
    index([str(tmp_path / "logs")], str(tmp_path / "two"), engine=Dying(Dask(None, 2)))

    assert (tmp_path / "two-killed").exists()
    assert parts_of(tmp_path / "one") == parts_of(tmp_path / "two")
    assert rows_of(tmp_path / "one") == rows_of(tmp_path / "two")
    assert psutil.wait_procs([psutil.Process(pid) for pid in spawned()], timeout=10)[1] == []


def test_the_command_reads_by_a_cluster(tmp_path: Path, fitlog: Fitlog) -> None:
    write_logs(tmp_path / "logs", 4)
    done = fitlog("index", "logs", "-o", "archive", "--engine", "dask", "--workers", "1")
    nowhere = fitlog(
        *("index", "logs", "-o", "other", "--engine", "dask", "--address", "tcp://127.0.0.1:9"),
        DASK_DISTRIBUTED__COMM__TIMEOUTS__CONNECT="500ms",
    )
    odd = fitlog("index", "logs", "-o", "other", "--address", "tcp://127.0.0.1:9")

    assert (done.returncode, done.stderr) == (0, "")
    assert "read 4 logs" in done.stdout
    assert nowhere.returncode == odd.returncode == 2
    assert "no Dask cluster answers at tcp://127.0.0.1:9" in nowhere.stderr
    assert "needs --engine dask" in odd.stderr


@pytest.mark.usefixtures("many_tasks")
def test_two_processes_make_the_same_archive_to_the_byte_also_after_others_died(
    tmp_path: Path,
) -> None:
    write_logs(tmp_path / "logs", 30)

    with pytest.raises(ArchiveError, match="worker process was killed"):
        index([str(tmp_path / "logs")], str(tmp_path / "two"), engine=Dying(Processes(2)))
    index([str(tmp_path / "logs")], str(tmp_path / "two"), engine=Processes(2))
    index([str(tmp_path / "logs")], str(tmp_path / "one"))

    assert parts_of(tmp_path / "one") == parts_of(tmp_path / "two")
    one, two = (open_archive(str(tmp_path / name)).manifest for name in ("one", "two"))
    assert one.groups == two.groups


def test_worker_processes_end_with_an_indexer_that_is_killed(tmp_path: Path) -> None:
    script = (
        "from fitlog.archive.engines import Processes\n"
        "if __name__ == '__main__':\n"
        "    import os, time\n"
        "    for _ in Processes(2).run(time.sleep, [0, 0, 600, 600]):\n"
        "        print(os.getpid(), flush=True)\n"
    )
    path = tmp_path / "script.py"
    path.write_text(script)
    with subprocess.Popen([sys.executable, str(path)], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        workers = psutil.Process(process.pid).children(recursive=True)
        process.kill()

    assert len(workers) >= 2
    assert psutil.wait_procs(workers, timeout=20)[1] == []


def test_engines_are_alike() -> None:
    engines: list[Engine] = [Here(), Processes(2)]
    for engine in engines:
        assert sorted(engine.run(abs, [-1, -2, 3])) == [(0, 1), (1, 2), (2, 3)]
        engine.close()


@pytest.fixture
def scheduler(tmp_path: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The scheduler of a cluster that has no workers yet, and its address."""
    command = [sys.executable, "-m", "distributed.cli.dask_scheduler", "--no-dashboard"]
    with subprocess.Popen(
        [*command, "--host", "127.0.0.1", "--port", "0"],
        stderr=subprocess.PIPE,
        text=True,
        cwd=tmp_path,
    ) as process:
        assert process.stderr is not None
        told = iter(process.stderr.readline, "")
        yield process, next(found[0] for line in told if (found := ADDRESS.search(line)))
        process.kill()


def test_a_cluster_without_a_worker_is_not_waited_for_without_end(
    tmp_path: Path,
    scheduler: tuple[subprocess.Popen[str], str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    write_logs(tmp_path / "logs", 1)
    monkeypatch.setattr(engines, "_WORKER_SECONDS", 0.5)

    with pytest.raises(ArchiveError, match="no worker of the Dask cluster has answered"):
        index([str(tmp_path / "logs")], str(tmp_path / "archive"), engine=Dask(scheduler[1], 1))


@pytest.mark.usefixtures("many_tasks")
def test_a_cluster_that_goes_away_is_told_of(
    tmp_path: Path, scheduler: tuple[subprocess.Popen[str], str]
) -> None:
    class Abandoned(Dask):
        def run(self, do: Any, tasks: Any) -> Any:
            for result in super().run(do, tasks):
                scheduler[0].kill()
                yield result

    write_logs(tmp_path / "logs", 60)
    command = [sys.executable, "-m", "distributed.cli.dask_worker", scheduler[1], "--no-nanny"]
    with subprocess.Popen(
        [*command, "--nthreads", "1", "--no-dashboard"], stderr=subprocess.DEVNULL, cwd=tmp_path
    ) as worker:
        engine = Abandoned(scheduler[1], 1)
        with pytest.raises(ArchiveError, match="the cluster's scheduler is gone"):
            index([str(tmp_path / "logs")], str(tmp_path / "archive"), engine=engine)
        worker.kill()
    index([str(tmp_path / "logs")], str(tmp_path / "archive"))
    index([str(tmp_path / "logs")], str(tmp_path / "whole"))
    assert rows_of(tmp_path / "archive") == rows_of(tmp_path / "whole")


@pytest.mark.parametrize("options", [["--workers", "2"], ["--engine", "dask"]], ids=" ".join)
def test_ctrl_c_while_the_workers_start_is_told_of_once(options: list[str], tmp_path: Path) -> None:
    write_logs(tmp_path / "logs", 100, epochs=60, reports=50)  # more than one task
    process = subprocess.Popen(
        [sys.executable, "-m", "fitlog", "index", "logs", "-o", "archive", *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=tmp_path,
        start_new_session=True,
    )
    try:
        while not (workers := spawned(process.pid)):
            assert process.poll() is None
    finally:
        os.killpg(process.pid, signal.SIGINT)  # as a terminal does
        told = process.communicate(timeout=60)

    assert told == (b"", b"fitlog: interrupted\n")
    assert process.returncode == 130
    gone = [psutil.Process(pid) for pid in workers if psutil.pid_exists(pid)]
    assert psutil.wait_procs(gone, timeout=10)[1] == []


def spawned(pid: int | None = None) -> list[int]:
    """The processes that this one, or another, gives work to."""
    found = []
    for child in psutil.Process(pid).children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess):  # it has ended meanwhile
            if "spawn_main" in " ".join(child.cmdline()):
                found.append(child.pid)
    return sorted(found)


@pytest.mark.usefixtures("many_tasks")
def test_workers_that_write_elsewhere_are_told(tmp_path: Path) -> None:
    write_logs(tmp_path / "logs", 4)

    with pytest.raises(ArchiveError, match="what the workers have written is not there"):
        index([str(tmp_path / "logs")], "memory://elsewhere", engine=Processes(2))
