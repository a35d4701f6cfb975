"""Starts the processes of a cluster, watches them, and ends them all when one is lost.

MXNet's parameter server waits in silence for whoever is missing, for ever. So the launcher watches
every process, and ends the whole group with the reason as soon as one fails or the group hangs. It
knows nothing of what it starts but MXNet's habit to begin a line with the rank, as in `Node[1] `.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import os
import re
import signal
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final, Literal

from fitlog.errors import TrainingError
from fitlog.run.cluster import Cluster, Member, Role, environment_of, reserve_address, threads_of
from fitlog.run.leash import REMOTE_PID, Leashed, leashed, leashed_remotely
from fitlog.run.pulse import Pulse, Reading, read_process

HANG_SECONDS: Final = 7.0
_PULSE_SECONDS: Final = 0.5
# After the workers have ended well, the rest ends by itself; after Ctrl-C, workers may finish.
_FAREWELL_SECONDS: Final = 5.0
_LAST_WORDS_SECONDS: Final = 5.0
_TERMINATED_SECONDS: Final = 1.5
_KILLED_SECONDS: Final = 3.0
_LAST_LINES: Final = 5
_LONGEST_LINE: Final = 1 << 20
_RANK: Final = re.compile(rb"Node\[(\d{1,9})\] ")
# What a process of another machine may have of this one's environment; no secrets, for everybody
# on either machine can read a command line.
_CARRIED: Final = re.compile(r"(OMP|MXNET|PS|DMLC)_[A-Z0-9_]+|LD_LIBRARY_PATH|PYTHONPATH")

Stream = Literal["stdout", "stderr"]
Status = Literal["finished", "failed", "interrupted", "terminated"]
# How the user's wish reaches the workers.
_PASSED_ON: Final[dict[Status, str]] = {"interrupted": "INT", "terminated": "TERM"}
# Who wrote, the rank if it is known by now, where to, and the line without its end.
TakeLine = Callable[[Member, int | None, Stream, bytes], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberEnd:
    """How a process ended; `returncode` is negative for a signal, None where it never started."""

    member: Member
    rank: int | None
    pid: int | None
    returncode: int | None

    @property
    def name(self) -> str:
        """Role, number, rank and process id in words."""
        rank = "" if self.rank is None else f"rank {self.rank}, "
        return f"{self.member} ({rank}pid {self.pid})"

    @property
    def text(self) -> str:
        """How it ended, in words."""
        if self.returncode is None:
            return "was not started"
        if self.returncode < 0:
            try:
                return f"was killed by {signal.Signals(-self.returncode).name}"
            except ValueError:
                return f"was killed by signal {-self.returncode}"
        return f"ended with exit code {self.returncode}"


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupEnd:
    """How a group ended: `reason` says in words what was wrong, where something was.

    `last_words` are the last lines on the stderr of the process that failed.
    """

    status: Status
    reason: str | None
    last_words: tuple[str, ...]
    address: tuple[str, int]
    members: tuple[MemberEnd, ...]


def launch_group(
    command: Sequence[str],
    cluster: Cluster,
    take_line: TakeLine,
    *,
    environment: Mapping[str, str] | None = None,
    folder: Path | None = None,
    hang_seconds: float | None = None,
) -> GroupEnd:
    """Run `command` as every process of the cluster, and return when none of them is left.

    `take_line` is given each whole line that a process writes, as it comes.
    `environment` is given to all beside the launcher's own and the cluster's. `folder` is what they
    work in. A group that gives no sign of life for `hang_seconds` is ended; 0 is never. By default
    that is 7 s, but never where only lines would be seen of the processes: those on other machines,
    or all of them without psutil.
    SIGINT and SIGTERM end the group. To be called in the main thread, which handles signals.

    Raises:
        SettingError: the scheduler's port is taken. TrainingError: the command cannot be started.
        Whatever `take_line` raises, after the group was ended.
    """
    if hang_seconds is None:
        sees_all = not cluster.hosts and importlib.util.find_spec("psutil") is not None
        hang_seconds = HANG_SECONDS if sees_all else 0.0
    reservation, address = reserve_address(cluster)
    with reservation:
        group = _Group(cluster, address, take_line)
        variables = dict(environment or {})
        return asyncio.run(group.run(command, variables, folder or Path.cwd(), hang_seconds))


class _Process:
    """A process of the group, while it runs."""

    def __init__(self, member: Member, leashed: Leashed) -> None:
        self.member = member
        self.leashed = leashed
        self.pid = leashed.process.pid if member.host is None else None
        self.rank: int | None = None
        self.written = 0
        self.errors: deque[str] = deque(maxlen=_LAST_LINES)
        self.readers: list[asyncio.Task[None]] = []
        self.ended: asyncio.Task[None]

    @property
    def has_ended(self) -> bool:
        return self.leashed.process.returncode is not None

    @property
    def end(self) -> MemberEnd:
        returncode = self.leashed.process.returncode
        return MemberEnd(member=self.member, rank=self.rank, pid=self.pid, returncode=returncode)

    def read(self, *, with_cpu: bool) -> Reading:
        if self.member.host is not None:
            return Reading(written=self.written, cpu_seconds=None)
        return read_process(self.leashed.process.pid, self.written, with_cpu=with_cpu)


class _Group:
    def __init__(self, cluster: Cluster, address: tuple[str, int], take_line: TakeLine) -> None:
        self._cluster = cluster
        self._address = address
        self._take_line = take_line
        self._processes: list[_Process] = []
        self._ending: asyncio.Future[tuple[Status, str | None, tuple[str, ...]]]
        self._hurry = asyncio.Event()
        self._waiters = ThreadPoolExecutor(len(cluster.members))

    async def run(
        self, command: Sequence[str], variables: dict[str, str], folder: Path, hang_seconds: float
    ) -> GroupEnd:
        self._ending = asyncio.get_running_loop().create_future()
        watch = asyncio.create_task(self._watch_pulse(hang_seconds))
        with self._signals_handled():
            try:
                for member in self._cluster.members:
                    await self._start(member, command, variables, folder)
                status, reason, last_words = await self._ending
                await self._let_end(status)
            finally:
                watch.cancel()
                await self._end_all()
                self._waiters.shutdown()
        return GroupEnd(
            status=status,
            reason=reason,
            last_words=last_words,
            address=self._address,
            members=tuple(process.end for process in self._processes),
        )

    async def _start(
        self, member: Member, command: Sequence[str], variables: dict[str, str], folder: Path
    ) -> None:
        own = {**variables, **environment_of(member, self._cluster, self._address)}
        if member.host is None:
            threads = {"OMP_NUM_THREADS": threads_of(self._cluster, os.environ)}
            arguments, environment = leashed(command), {**os.environ, **threads, **own}
        else:
            carried = {k: v for k, v in os.environ.items() if _CARRIED.fullmatch(k)}
            arguments, environment = (
                leashed_remotely(
                    command, member.host, environment={**carried, **own}, folder=folder
                ),
                dict(os.environ),
            )
        try:
            started = Leashed(arguments, environment=environment, folder=folder)
        except OSError as error:
            raise TrainingError(
                f"cannot start {member}: {arguments[0]}: {error.strerror}"
            ) from None
        process = _Process(member, started)
        self._processes.append(process)
        process.ended = asyncio.create_task(self._await_end(process))
        process.readers = [
            asyncio.create_task(self._read(process, "stdout", started.process.stdout)),
            asyncio.create_task(self._read(process, "stderr", started.process.stderr)),
        ]

    async def _read(self, process: _Process, stream: Stream, pipe: IO[bytes] | None) -> None:
        """Hand on what the process writes, line by line."""
        reader = asyncio.StreamReader()
        transport, _ = await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(reader), pipe
        )
        rest = b""
        try:
            while piece := await reader.read(1 << 16):
                process.written += len(piece)
                *lines, rest = (rest + piece).split(b"\n")
                if len(rest) > _LONGEST_LINE:
                    lines, rest = [*lines, rest], b""
                for line in lines:
                    self._take(process, stream, line)
            if rest:
                self._take(process, stream, rest)
        except Exception as error:  # it ends the group, and is raised when that has ended
            if not self._ending.done():
                self._ending.set_exception(error)
        finally:
            transport.close()

    def _take(self, process: _Process, stream: Stream, line: bytes) -> None:
        if stream == "stderr":
            if process.pid is None and line.startswith(REMOTE_PID):
                process.pid = int(line.removeprefix(REMOTE_PID))
                return
            process.errors.append(line.decode("utf-8", "replace"))
        if process.rank is None and process.member.role == "worker":
            found = _RANK.search(line)
            process.rank = int(found[1]) if found else None
        self._take_line(process.member, process.rank, stream, line)

    async def _await_end(self, process: _Process) -> None:
        """Wait for a process to end, and decide whether that ends the group."""
        wait = process.leashed.process.wait
        returncode = await asyncio.get_running_loop().run_in_executor(self._waiters, wait)
        process.leashed.signal("KILL")  # what it may have left behind, and its watcher
        await asyncio.wait(process.readers, timeout=_KILLED_SECONDS)
        if returncode:
            self._end("failed", f"{process.end.name} {process.end.text}", process.errors)
        elif all(p.has_ended for p in self._processes if p.member.role == "worker"):
            self._end("finished", None)

    def _end(self, status: Status, reason: str | None, last_words: Iterable[str] = ()) -> None:
        """The first reason counts: what follows follows from it."""
        if not self._ending.done():
            self._ending.set_result((status, reason, tuple(last_words)))

    async def _watch_pulse(self, hang_seconds: float) -> None:
        if not hang_seconds:
            return
        pulse = Pulse(hang_seconds, time.monotonic())
        written = 0
        while True:
            await asyncio.sleep(_PULSE_SECONDS)
            before, written = written, sum(p.written for p in self._processes)
            running = [p for p in self._processes if not p.has_ended]
            # While lines come, nobody need look any further.
            readings = {p.end.name: p.read(with_cpu=written == before) for p in running}
            hang = pulse.take(time.monotonic(), readings)
            if hang:
                # One that failed may still wait for the others on its way out.
                said = [f"{p.member}: {line}" for p in self._processes for line in p.errors]
                self._end("failed", f"{hang} (--hang-seconds {hang_seconds:g})", said)
                return

    async def _let_end(self, status: Status) -> None:
        """What may still be done in peace: all the rest, or the workers' last words."""
        if status == "finished":
            await self._wait(_FAREWELL_SECONDS)
        elif status in _PASSED_ON:
            for process in self._processes:
                if process.member.role == "worker":
                    process.leashed.signal(_PASSED_ON[status])
            await self._wait(_LAST_WORDS_SECONDS, "worker")

    async def _end_all(self) -> None:
        """End whatever still runs, and return when nothing is left."""
        for process in self._processes:
            process.leashed.signal("TERM", "CONT")
        await self._wait(_TERMINATED_SECONDS)
        for process in self._processes:
            process.leashed.signal("KILL")
        await self._wait(_KILLED_SECONDS)
        for process in self._processes:
            if not process.has_ended:  # its watcher was stopped, or its connection hangs
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.leashed.process.pid, signal.SIGKILL)
            await process.ended
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(process.leashed.released(), _KILLED_SECONDS)
            process.leashed.close()
            for reader in process.readers:
                reader.cancel()
            await asyncio.gather(*process.readers, return_exceptions=True)

    async def _wait(self, seconds: float, role: Role | None = None) -> None:
        """Until all processes, or those of the role, have ended; no longer than that."""
        waiting = [
            process.ended
            for process in self._processes
            if role in (None, process.member.role) and not process.ended.done()
        ]
        if waiting and not self._hurry.is_set():
            hurry = asyncio.create_task(self._hurry.wait())
            gone = asyncio.create_task(_all_of(waiting))
            await asyncio.wait([gone, hurry], timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
            hurry.cancel()
            gone.cancel()

    @contextlib.contextmanager
    def _signals_handled(self) -> Iterator[None]:
        """SIGINT and SIGTERM end the group; a second one does so at once."""
        loop = asyncio.get_running_loop()
        handled: dict[signal.Signals, Status] = {
            signal.SIGINT: "interrupted",
            signal.SIGTERM: "terminated",
        }
        before = {number: signal.getsignal(number) for number in handled}

        def handle(status: Status) -> None:
            if self._ending.done():
                self._hurry.set()
            self._end(status, None)

        for number, status in handled.items():
            loop.add_signal_handler(number, handle, status)
        try:
            yield
        finally:
            for number, handler in before.items():
                loop.remove_signal_handler(number)
                signal.signal(number, handler)


async def _all_of(tasks: Sequence[asyncio.Task[None]]) -> None:
    """Wait for the tasks, which go on where the waiting is given up."""
    await asyncio.wait(tasks)
