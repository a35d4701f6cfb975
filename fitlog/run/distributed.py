"""`fitlog run --workers`: one training by several processes, from its options to its folder.

Each worker has its `node-<rank>.log` and its `phases-<rank>.jsonl` in the run's folder; `run.log`
has the lines of all of them in the order in which they came. Only rank 0 saves checkpoints.
"""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Callable
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

from fitlog.errors import SettingError, Termination, TrainingError
from fitlog.run.cluster import Cluster, Member, read_hosts, reserve_address, threads_of
from fitlog.run.data_identity import describe_data
from fitlog.run.display import shown_progress
from fitlog.run.folders import new_folder
from fitlog.run.group import GroupEnd, Stream, launch_group
from fitlog.run.launch import make_parent
from fitlog.run.ranks import read_rank, summarize_ranks
from fitlog.run.record import begin_record, end_record, write_record
from fitlog.run.recorded import RunResult
from fitlog.run.results import read_results
from fitlog.run.settings import RunOptions, check_options
from fitlog.run.worker import Task, format_task
from fitlog.run_folder import RECORD, RUN_LOG


def train_distributed(options: RunOptions) -> RunResult:
    """Train as `options` say by the processes of a cluster, into a new folder.

    Raises:
        SettingError, TrainingError: options that make no sense, a folder that cannot be written, a
        process that fails or hangs. KeyboardInterrupt: the user stopped it; Termination: SIGTERM
        did.
    """
    check_options(options)
    cluster = plan_cluster(options)
    reserve_address(cluster)[0].close()  # a port that is taken is better told now
    start = datetime.now(UTC)
    make_parent(options.model_prefix)
    folder = new_folder(options.out, options.run_name, start)
    record = begin_record(
        name=options.run_name,
        command=sys.argv,
        arguments=options.as_record(),
        data=describe_data(options.data, options.data_val),
        start=start,
        folder=Path.cwd(),
    )
    record["cluster"] = {
        "kv_store": options.kv_store,
        "workers": cluster.workers,
        "servers": cluster.servers,
        "hosts": [host.login for host in cluster.hosts],
        # What other machines set, they do not tell; it changes the digits of convolutions.
        "omp_num_threads": None if cluster.hosts else threads_of(cluster, os.environ),
        "scheduler": None,
        "processes": [],
    }
    record["status"] = "failed"
    try:
        write_record(folder / RECORD, {**record, "status": "running"})
        command = [sys.executable, "-m", "fitlog.run.worker"]
        command.append(format_task(Task(options=options, folder=folder)))
        with ExitStack() as stack:
            show = stack.enter_context(shown_progress(folder, options, math.inf))
            logs = stack.enter_context(_Logs(folder, show))
            end = launch_group(command, cluster, logs.take, hang_seconds=options.hang_seconds)
        _conclude(record, end, folder)
    except (TrainingError, OSError) as error:
        record["error"] = record["error"] or str(error)
        raise
    finally:
        end_record(record, start)
        write_record(folder / RECORD, record)
    return RunResult(folder=folder, record=record)


def plan_cluster(options: RunOptions) -> Cluster:
    """The processes that the options ask for.

    Raises:
        SettingError: options that make no cluster, or hosts that cannot be read.
    """
    if options.trace is not None:
        raise SettingError(f"--trace {options.trace}: traces one process; leave out --workers")
    if options.workers is None:
        raise SettingError(f"--hosts {options.hosts}: for how many? say so by --workers")
    if not options.kv_store.startswith("dist"):
        raise SettingError(
            f"--kv-store {options.kv_store}: several workers need dist_sync, dist_device_sync or"
            " dist_async"
        )
    seconds = options.hang_seconds
    if seconds is not None and not (math.isfinite(seconds) and seconds >= 0):
        raise SettingError(f"--hang-seconds {seconds}: must be a number from 0 on")
    try:
        hosts = () if options.hosts is None else read_hosts(options.hosts)
    except OSError as error:
        raise SettingError(f"--hosts {options.hosts}: cannot be read: {error.strerror}") from None
    return Cluster(
        workers=options.workers,
        servers=options.servers,
        hosts=hosts,
        scheduler_port=options.scheduler_port,
    )


def _conclude(record: dict[str, Any], end: GroupEnd, folder: Path) -> None:
    """What the group came to goes into the record; raise where that was no good."""
    record["cluster"]["scheduler"] = "{}:{}".format(*end.address)
    record["cluster"]["processes"] = [
        {
            "role": process.member.role,
            "number": process.member.number,
            "rank": process.rank,
            "host": process.member.host.login if process.member.host else None,
            "pid": process.pid,
            "exit": process.returncode,
        }
        for process in end.members
    ]
    log = f"{folder}/run.log"
    if end.status in ("interrupted", "terminated"):
        is_terminated = end.status == "terminated"
        record["status"] = "interrupted"
        record["stopped"] = {"signal": "SIGTERM" if is_terminated else "SIGINT"}
        ending = Termination if is_terminated else KeyboardInterrupt
        raise ending(f"(the log so far: {log})")
    record["status"] = end.status
    if end.status == "failed":
        record["error"] = "\n".join([str(end.reason), *end.last_words])
        raise TrainingError(
            f"the training failed: {end.reason} (its log: {log})", details=end.last_words
        )
    ranks = sorted(p.rank for p in end.members if p.rank is not None)
    record["results"] = {
        **read_results(folder / "node-0.log"),
        **summarize_ranks([read_rank(folder, rank) for rank in ranks]),
        "in_step": "async" not in record["cluster"]["kv_store"],
    }


class _Logs:
    """Writes each line where it belongs, at once and whole.

    What workers write to stdout is the log; everything else goes to `processes.log`.
    """

    def __init__(self, folder: Path, show: Callable[[str], None]) -> None:
        self._folder = folder
        self._show = show
        self._shows_all = not sys.stdout.isatty()  # a bar is one rank's
        self._files: dict[str, IO[bytes]] = {}
        self._unassigned: dict[Member, list[bytes]] = {}

    def take(self, member: Member, rank: int | None, stream: Stream, line: bytes) -> None:
        """A line of a process."""
        if member.role != "worker" or stream == "stderr":
            self._write("processes.log", f"{member}: ".encode() + line)
            return
        self._write(RUN_LOG, line)
        if self._shows_all or rank == 0:
            self._show(line.decode("utf-8", "replace"))
        if rank is None:
            self._unassigned.setdefault(member, []).append(line)
        else:
            for earlier in (*self._unassigned.pop(member, ()), line):
                self._write(f"node-{rank}.log", earlier)

    def _write(self, name: str, line: bytes) -> None:
        file = self._files.get(name)
        if file is None:
            file = self._files[name] = (self._folder / name).open("ab", buffering=0)
        file.write(line + b"\n")

    def __enter__(self) -> _Logs:
        return self

    def __exit__(self, *error: object) -> None:
        for file in self._files.values():
            file.close()
