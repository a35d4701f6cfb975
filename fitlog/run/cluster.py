"""Who takes part in a distributed training, and what each process is told by its environment.

The contract is that of MXNet's launcher (`tools/launch.py` with dmlc-core's `tracker`): one
scheduler, some servers and some workers all run the same command and learn what they are from
variables that begin with `DMLC_`. Scheduler and servers never get past their `import mxnet`.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from fitlog.errors import SettingError

Role = Literal["scheduler", "server", "worker"]

LOOPBACK: Final = "127.0.0.1"
# Where a route is looked for; nothing is sent there (dmlc-core, tracker.py, get_host_ip).
_ELSEWHERE: Final = ("10.255.255.255", 1)
_MOST_PORTS: Final = 65535


@dataclass(frozen=True, slots=True, kw_only=True)
class Host:
    """A machine that ssh reaches; `login` may begin with a user and an @."""

    login: str
    port: int | None = None

    @property
    def address(self) -> str:
        """The machine's name alone."""
        return self.login.rpartition("@")[2]


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One process of a group. `number` counts those of its role in the order of starting.

    That is not the rank, which the scheduler gives to the workers as they come.
    """

    role: Role
    number: int
    host: Host | None = None

    def __str__(self) -> str:
        name = self.role if self.role == "scheduler" else f"{self.role} {self.number}"
        return f"{name} on {self.host.address}" if self.host else name


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """How many processes there are and where; without hosts all of them are on this machine."""

    workers: int
    servers: int
    hosts: tuple[Host, ...] = ()
    scheduler_port: int | None = None

    def __post_init__(self) -> None:
        if self.workers < 1:
            raise SettingError(f"--workers {self.workers}: must be at least 1")
        if self.servers < 1:
            raise SettingError(f"--servers {self.servers}: must be at least 1")
        port = self.scheduler_port
        if port is not None and not 1 <= port <= _MOST_PORTS:
            raise SettingError(f"--scheduler-port {port}: must be from 1 to {_MOST_PORTS}")

    @property
    def members(self) -> tuple[Member, ...]:
        """The scheduler here, then servers and workers by turns on the hosts (tracker/ssh.py)."""
        servers: list[tuple[Role, int]] = [("server", number) for number in range(self.servers)]
        workers: list[tuple[Role, int]] = [("worker", number) for number in range(self.workers)]
        return (
            Member(role="scheduler", number=0),
            *(
                Member(
                    role=role,
                    number=number,
                    host=self.hosts[place % len(self.hosts)] if self.hosts else None,
                )
                for place, (role, number) in enumerate([*servers, *workers])
            ),
        )


def read_hosts(path: Path) -> tuple[Host, ...]:
    """The hosts of a file: one a line, as `host`, `user@host` or either with `:port`.

    Empty lines, and what follows a #, are left out.

    Raises:
        SettingError: a line that is no host, or no host at all. OSError: it cannot be read.
    """
    hosts = []
    for number, line in enumerate(path.read_text("utf-8", "replace").splitlines(), 1):
        text = line.partition("#")[0].strip()
        if text:
            hosts.append(_parse_host(text, f"({path}, line {number})"))
    if not hosts:
        raise SettingError(f"{path} names no host; write one a line, as user@host:port or host")
    return tuple(hosts)


def environment_of(member: Member, cluster: Cluster, address: tuple[str, int]) -> dict[str, str]:
    """The variables that tell a process what it is; `address` is the scheduler's."""
    host, port = address
    own = _numeric_address(member.host) if member.host else host
    return {
        "DMLC_ROLE": member.role,
        "DMLC_PS_ROOT_URI": host,
        "DMLC_PS_ROOT_PORT": str(port),
        "DMLC_NUM_SERVER": str(cluster.servers),
        "DMLC_NUM_WORKER": str(cluster.workers),
        **({} if own is None else {"DMLC_NODE_HOST": own}),
    }


def threads_of(cluster: Cluster, environment: Mapping[str, str]) -> str:
    """OMP_NUM_THREADS of a process of this machine: unless it is set, workers share processors."""
    if "OMP_NUM_THREADS" in environment:
        return environment["OMP_NUM_THREADS"]
    can_tell = hasattr(os, "sched_getaffinity")
    processors = len(os.sched_getaffinity(0)) if can_tell else os.cpu_count() or 1
    return str(max(1, processors // cluster.workers))


def reserve_address(cluster: Cluster) -> tuple[socket.socket, tuple[str, int]]:
    """A bound socket that keeps a port for the scheduler, and the scheduler's address.

    The socket does not listen and may be shared, so that the scheduler can bind the port, too; as
    long as it is open nobody who asks for any free port is given this one.

    Raises:
        SettingError: the port asked for is taken.
    """
    host = _own_address() if cluster.hosts else LOOPBACK
    reservation = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    reservation.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        reservation.bind((host, cluster.scheduler_port or 0))
    except OSError as error:
        reservation.close()
        raise SettingError(
            f"the scheduler cannot have port {cluster.scheduler_port} of {host}: {error.strerror};"
            " leave out --scheduler-port, and a free one is found"
        ) from None
    return reservation, (host, reservation.getsockname()[1])


def _own_address() -> str:
    """The address by which other machines reach this one."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(_ELSEWHERE)
        except OSError:  # no network: then the hosts can only be this machine
            return LOOPBACK
        return str(probe.getsockname()[0])


def _numeric_address(host: Host) -> str | None:
    """What the host can bind: no name, but its address, or None where only ssh knows the name.

    Without one MXNet takes the host's first network interface.
    """
    try:
        return socket.gethostbyname(host.address)
    except OSError:
        return None


def _parse_host(text: str, place: str) -> Host:
    login, colon, port = text.partition(":")
    # A name that began with a dash would be an option of ssh.
    if not login or login.startswith("-") or login.endswith("@") or len(text.split()) > 1:
        raise SettingError(f"{text!r} is no host; write host, user@host or user@host:port {place}")
    if not colon:
        return Host(login=login)
    if not (port.isascii() and port.isdecimal() and 1 <= int(port) <= _MOST_PORTS):
        raise SettingError(f"{port!r} is no port; it is a number up to {_MOST_PORTS} {place}")
    return Host(login=login, port=int(port))
