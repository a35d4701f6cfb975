"""How a process is started so that it can always be ended: it hangs on its standard input.

A small watcher in the process' own group waits for the input to close. Whatever closes it, the
launcher's end or its death or a connection that breaks, the group is ended. This works alike here
and, through ssh, on another machine, where a process would otherwise outlive its connection, and
no process is signalled but by the watcher that was started with it.
"""

from __future__ import annotations

import asyncio
import contextlib
import shlex
import socket
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from fitlog.run.cluster import Host

# The command takes the shell's place and with it its process id, so the launcher sees how it ends.
# Each line of input names a signal for the group, of which the watcher itself is a part. One line
# without an exclamation mark, for the shell that a user of another machine has may be a C shell.
_LEASH: Final = (
    "exec 3<&0 </dev/null; "
    "( ( trap '' HUP INT TERM; "
    'while read -r name <&3; do kill -s "$name" -- "-$$"; done; '
    'kill -s TERM -- "-$$"; kill -s CONT -- "-$$"; sleep 2; kill -s KILL -- "-$$" '
    ") >/dev/null 2>&1 & ); "
    'exec 3<&- "$@"'
)
REMOTE_PID: Final = b"fitlog: process "
# A host that has gone silent is given up after 6 seconds. Nothing is asked: nobody would answer.
_SSH: Final = (
    "ssh",
    "-o",
    "BatchMode=yes",
    "-o",
    "ServerAliveInterval=2",
    "-o",
    "ServerAliveCountMax=3",
)


def leashed(command: Sequence[str]) -> list[str]:
    """The command, to be started on this machine as the leader of a process group of its own."""
    return ["/bin/sh", "-c", _LEASH, "sh", *command]


def leashed_remotely(
    command: Sequence[str], host: Host, *, environment: Mapping[str, str], folder: Path
) -> list[str]:
    """The command, to be started on `host` in `folder`, which must be there.

    Before all else it writes a line of `REMOTE_PID` and its process id to stderr.
    """
    variables = [f"{name}={value}" for name, value in environment.items()]
    script = f'echo "{REMOTE_PID.decode()}$$" >&2; {_LEASH}'
    remote = shlex.join(["env", *variables, "/bin/sh", "-c", script, "sh", *command])
    port = [] if host.port is None else ["-p", str(host.port)]
    return [*_SSH, *port, host.login, f"cd {shlex.quote(str(folder))} && exec {remote}"]


class Leashed:
    """A process that runs leashed arguments; to be made where an event loop runs.

    Raises:
        OSError: it cannot be started.
    """

    def __init__(self, arguments: list[str], *, environment: dict[str, str], folder: Path) -> None:
        self._leash, theirs = socket.socketpair()
        self._leash.setblocking(False)
        with theirs:
            try:
                self.process = subprocess.Popen(
                    arguments,
                    stdin=theirs.fileno(),
                    stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE,
                    env=environment,
                    cwd=folder,
                    start_new_session=True,
                )
            except OSError:
                self._leash.close()
                raise

    def signal(self, *names: str) -> None:
        """Have the watcher send signals to the whole group; nothing where there is none left."""
        with contextlib.suppress(OSError):
            self._leash.send("".join(f"{name}\n" for name in names).encode())

    async def released(self) -> None:
        """Wait until the watcher, which goes with the group, is gone."""
        with contextlib.suppress(ConnectionError):
            await asyncio.get_running_loop().sock_recv(self._leash, 1)

    def close(self) -> None:
        """Let go of the group, which ends what is left of it."""
        self._leash.close()
