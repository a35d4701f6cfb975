"""Groups of processes: what they are told, how they are watched, and that none is left."""

from __future__ import annotations

import os
import shlex
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fitlog import TrainingError
from fitlog.errors import SettingError
from fitlog.run.cluster import Cluster, Host, Member, read_hosts
from fitlog.run.group import GroupEnd, launch_group
from fitlog.run.pulse import Pulse, Reading
from support import PROJECT, living_in_groups

PAIR = Cluster(workers=2, servers=1)
# Each process says who it is and waits; a child that outlives it would be left behind.
WAITING = 'echo "$DMLC_ROLE $$"; sleep 60 & exec sleep 60'


class Lines:
    """What the processes wrote, and a function that is called with each of it."""

    def __init__(self, react: Callable[[Member, str], None] = lambda member, line: None) -> None:
        self.seen: list[tuple[str, str]] = []
        self.pids: dict[str, int] = {}
        self.react = react

    def take(self, member: Member, rank: int | None, stream: str, line: bytes) -> None:
        del rank, stream
        text = line.decode()
        self.seen.append((str(member), text))
        if len(text.split()) == 2 and text.split()[1].isdecimal():
            self.pids[str(member)] = int(text.split()[1])
        self.react(member, text)

    def of(self, name: str) -> list[str]:
        return [line for member, line in self.seen if member == name]


def launch(
    script: str,
    lines: Lines,
    cluster: Cluster = PAIR,
    *,
    hang_seconds: float = 0,
    folder: Path | None = None,
) -> GroupEnd:
    return launch_group(
        ["sh", "-c", script], cluster, lines.take, hang_seconds=hang_seconds, folder=folder
    )


def killing(lines: Lines, victim: str, number: int) -> Callable[[Member, str], None]:
    """Sends the signal once, when every process has said who it is."""
    waiting = [victim]

    def react(member: Member, line: str) -> None:
        del member, line
        if len(lines.pids) == 4 and waiting:
            os.kill(lines.pids[waiting.pop()], number)

    return react


def test_each_process_is_told_what_mxnets_launcher_would_tell_it() -> None:
    lines = Lines()

    end = launch("env | grep ^DMLC_ | sort | paste -sd ' '", lines)

    assert (end.status, end.reason) == ("finished", None)
    host, port = end.address
    assert host == "127.0.0.1"
    for name, role in [
        ("scheduler", "scheduler"),
        ("server 0", "server"),
        ("worker 0", "worker"),
        ("worker 1", "worker"),
    ]:
        assert lines.of(name) == [
            f"DMLC_NODE_HOST=127.0.0.1 DMLC_NUM_SERVER=1 DMLC_NUM_WORKER=2 DMLC_PS_ROOT_PORT={port}"
            f" DMLC_PS_ROOT_URI=127.0.0.1 DMLC_ROLE={role}"
        ]
    assert [process.returncode for process in end.members] == [0, 0, 0, 0]


@pytest.mark.parametrize(
    ("given", "threads"),
    [({}, str(max(1, len(os.sched_getaffinity(0)) // 2))), ({"OMP_NUM_THREADS": "7"}, "7")],
)
def test_workers_share_the_processors_unless_told_otherwise(
    given: dict[str, str], threads: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    lines = Lines()

    launch('echo "$OMP_NUM_THREADS"', lines)

    assert lines.of("worker 1") == [threads]


def test_lines_are_whole_whatever_the_pieces_they_were_written_in() -> None:
    lines = Lines()

    launch("printf 'No'; printf 'de[7] a\\nb\\n\\nlast'", lines, Cluster(workers=1, servers=1))

    assert lines.of("worker 0") == ["Node[7] a", "b", "", "last"]


def test_a_rank_is_known_from_the_lines_of_a_worker() -> None:
    number = '$(test "$DMLC_ROLE" = worker && echo 5)'

    end = launch(f'echo "12:00:01 Node[{number}] started"', Lines())

    assert [process.rank for process in end.members] == [None, None, 5, 5]
    assert end.members[2].name == f"worker 0 (rank 5, pid {end.members[2].pid})"


def test_a_worker_that_fails_ends_the_group_with_its_last_words() -> None:
    lines = Lines()
    python = shlex.quote(sys.executable)

    end = launch(
        f'{WAITING.partition(";")[0]}; if [ "$DMLC_ROLE" = worker ]; then'
        f' exec {python} -c "raise ValueError(chr(111) * 3)"; fi; exec sleep 60',
        lines,
        Cluster(workers=1, servers=1),
    )

    assert end.status == "failed"
    assert end.reason == f"worker 0 (pid {lines.pids['worker 0']}) ended with exit code 1"
    assert end.last_words[-1] == "ValueError: ooo"
    assert living_in_groups(lines.pids.values()) == []


@pytest.mark.parametrize("victim", ["scheduler", "server 0", "worker 1"])
def test_a_process_that_is_killed_ends_the_group(victim: str) -> None:
    lines = Lines()
    lines.react = killing(lines, victim, signal.SIGKILL)

    end = launch(WAITING, lines)

    assert end.status == "failed"
    assert end.reason == f"{victim} (pid {lines.pids[victim]}) was killed by SIGKILL"
    assert living_in_groups(lines.pids.values()) == []


def test_a_process_that_is_stopped_ends_the_group() -> None:
    lines = Lines()
    lines.react = killing(lines, "worker 0", signal.SIGSTOP)
    busy = 'echo "$DMLC_ROLE $$"; while :; do :; done'

    end = launch(busy, lines, hang_seconds=0.5)

    assert end.status == "failed"
    assert end.reason is not None
    assert end.reason.startswith(
        f"worker 0 (pid {lines.pids['worker 0']}) hangs: it was stopped by"
    )
    assert end.reason.endswith("(--hang-seconds 0.5)")
    assert living_in_groups(lines.pids.values()) == []


def test_a_group_in_which_nothing_happens_is_ended() -> None:
    lines = Lines()

    end = launch(WAITING, lines, hang_seconds=0.5)

    assert end.status == "failed"
    assert end.reason is not None
    assert end.reason.startswith("the group hangs: no process has written a line or used the proc")
    assert living_in_groups(lines.pids.values()) == []


def test_what_a_process_leaves_behind_is_ended_with_it() -> None:
    lines = Lines()

    end = launch('echo "$DMLC_ROLE $$"; sleep 60 & exit 0', lines)

    assert end.status == "finished"
    assert living_in_groups(lines.pids.values()) == []


def test_processes_that_ignore_every_wish_are_killed() -> None:
    lines = Lines()
    lines.react = killing(lines, "server 0", signal.SIGKILL)

    end = launch("trap '' INT TERM; echo \"$DMLC_ROLE $$\"; while :; do sleep 60; done", lines)

    assert end.status == "failed"
    assert [process.returncode for process in end.members] == [-9, -9, -9, -9]
    assert living_in_groups(lines.pids.values()) == []


def test_a_command_that_is_not_there_is_named() -> None:
    end = launch_group(["no-such-command"], PAIR, Lines().take)

    assert end.status == "failed"
    assert end.reason is not None
    assert end.reason.endswith("ended with exit code 127")
    assert "no-such-command" in end.last_words[-1]


def test_a_folder_that_is_not_there_is_no_place_to_start_in(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=r"cannot start scheduler: .*No such file"):
        launch("true", Lines(), folder=tmp_path / "none")


def test_lines_that_cannot_be_taken_end_the_group() -> None:
    def refuse(member: Member, line: str) -> None:
        del member, line
        if len(lines.pids) == 4:
            raise OSError(28, "No space left on device")

    lines = Lines(refuse)

    with pytest.raises(OSError, match="No space left"):
        launch(WAITING, lines)

    assert living_in_groups(lines.pids.values()) == []


def test_a_port_that_is_taken_is_refused() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]

        with pytest.raises(SettingError, match=f"cannot have port {port} of 127.0.0.1: Address al"):
            launch("true", Lines(), Cluster(workers=1, servers=1, scheduler_port=port))


LAUNCHER = """
import sys
from fitlog.run.cluster import Cluster
from fitlog.run.group import launch_group
def take(member, rank, stream, line):
    print(line.decode(), flush=True)
end = launch_group(["sh", "-c", sys.argv[1]], Cluster(workers=2, servers=1), take, hang_seconds=0)
print(end.status, [process.returncode for process in end.members])
"""


def started_launcher(script: str) -> tuple[subprocess.Popen[str], list[int]]:
    """A launcher in a process of its own, and the processes of its group."""
    launcher = subprocess.Popen(
        [sys.executable, "-c", LAUNCHER, script], stdout=subprocess.PIPE, text=True, cwd=PROJECT
    )
    assert launcher.stdout is not None
    return launcher, [int(launcher.stdout.readline().split()[1]) for _ in range(4)]


@pytest.mark.parametrize(
    ("number", "outcome"),
    [
        (signal.SIGINT, "interrupted [-15, -15, 7, 7]"),
        (signal.SIGTERM, "terminated [-15, -15, 8, 8]"),
    ],
)
def test_signals_to_the_launcher_let_the_workers_finish(number: int, outcome: str) -> None:
    worker = "trap 'exit 7' INT; trap 'exit 8' TERM; echo worker $$; while :; do sleep 0.1; done"
    launcher, pids = started_launcher(f'if [ "$DMLC_ROLE" = worker ]; then {worker}; fi; {WAITING}')

    launcher.send_signal(number)
    shown, _ = launcher.communicate(timeout=60)

    assert shown.splitlines()[-1] == outcome
    assert living_in_groups(pids) == []


def test_nothing_outlives_a_launcher_that_is_killed() -> None:
    launcher, pids = started_launcher(WAITING)

    launcher.kill()
    launcher.communicate(timeout=60)

    assert living_in_groups(pids) == []


SSH = """#!/bin/sh
# Stands for ssh: runs the command here, in a session of its own, as sshd does there.
echo "$0 $*" | cut -d "'" -f 1 >> ssh.log
while [ $# -gt 2 ]; do case $1 in -o | -p) shift 2 ;; *) break ;; esac; done
shift
echo "Warning: a banner" >&2
exec setsid --wait sh -c "$*"
"""


@pytest.fixture
def ssh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder in which calls of ssh run here."""
    (tmp_path / "ssh").write_text(SSH)
    (tmp_path / "ssh").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_hosts_are_used_by_turns_and_told_what_they_are(
    ssh: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = ssh / "it's a folder"
    folder.mkdir()
    (ssh / "ssh.log").touch()
    (folder / "ssh.log").symlink_to(ssh / "ssh.log")
    monkeypatch.setenv("MXNET_ODD", "a 'b' \"c\" $HOME")
    hosts = (Host(login="ann@127.0.0.1", port=2222), Host(login="localhost"))
    lines = Lines()

    end = launch(
        'echo "$DMLC_ROLE on $DMLC_NODE_HOST in $PWD: $MXNET_ODD"; echo "worker $$"',
        lines,
        Cluster(workers=2, servers=1, hosts=hosts),
        folder=folder,
    )

    assert end.status == "finished"
    odd = "a 'b' \"c\" $HOME"
    said = [line for line in lines.of("server 0 on 127.0.0.1") if "banner" not in line]
    assert said == [
        f"server on 127.0.0.1 in {folder}: {odd}",
        f"worker {end.members[1].pid}",
    ]
    assert f"worker on 127.0.0.1 in {folder}: {odd}" in lines.of("worker 0 on localhost")
    assert f"worker on 127.0.0.1 in {folder}: {odd}" in lines.of("worker 1 on 127.0.0.1")
    calls = (ssh / "ssh.log").read_text()
    assert calls.count(" -p 2222 ann@127.0.0.1 cd ") == 2
    assert calls.count(" localhost cd ") == 1


def test_processes_on_hosts_end_with_their_connection(ssh: Path) -> None:
    assert ssh.is_dir()
    lines = Lines()
    lines.react = killing(lines, "worker 1 on localhost", signal.SIGKILL)
    cluster = Cluster(workers=2, servers=1, hosts=(Host(login="localhost"),))

    end = launch(WAITING, lines, cluster)

    assert end.status == "failed"
    assert end.reason is not None
    assert end.reason.startswith(
        f"worker 1 on localhost (pid {lines.pids['worker 1 on localhost']}) ended wi"
    )
    assert living_in_groups(lines.pids.values()) == []


def test_a_file_of_hosts_is_read(tmp_path: Path) -> None:
    path = tmp_path / "hosts"
    path.write_text("one\n\n# the fast ones\nann@two:2222  # with a card\n192.0.2.7:22\n")

    assert read_hosts(path) == (
        Host(login="one"),
        Host(login="ann@two", port=2222),
        Host(login="192.0.2.7", port=22),
    )
    assert read_hosts(path)[1].address == "two"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("one\n-oProxyCommand=x\n", "'-oProxyCommand=x' is no host; .*, line 2"),
        ("one two\n", "'one two' is no host"),
        ("one:0\n", "'0' is no port; it is a number up to 65535 .*, line 1"),
        ("one:ssh\n", "'ssh' is no port"),
        ("ann@\n", "'ann@' is no host"),
        ("# none\n", "names no host"),
    ],
)
def test_a_file_without_hosts_or_with_odd_ones_is_refused(
    text: str, message: str, tmp_path: Path
) -> None:
    (tmp_path / "hosts").write_text(text)

    with pytest.raises(SettingError, match=message):
        read_hosts(tmp_path / "hosts")


@pytest.mark.parametrize(
    ("counts", "message"),
    [
        ({"workers": 0, "servers": 1}, "--workers 0: must be at least 1"),
        ({"workers": 1, "servers": 0}, "--servers 0: must be at least 1"),
        ({"workers": 1, "servers": 1, "scheduler_port": 70000}, "--scheduler-port 70000: must be"),
    ],
)
def test_a_cluster_that_makes_no_sense_is_refused(counts: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingError, match=message):
        Cluster(**counts)


def reading(
    written: int = 0, cpu: float | None = 1.0, *, stopped: bool = False, disk: bool = False
) -> Reading:
    return Reading(written=written, cpu_seconds=cpu, is_stopped=stopped, waits_for_disk=disk)


def test_a_slow_training_is_no_hang() -> None:
    pulse = Pulse(7, now=0)
    waiting = reading()

    for second in range(100):
        slow = reading(cpu=1 + 0.005 * second)  # half a percent of a processor
        assert pulse.take(second, {"slow": slow, "waiting": waiting}) is None


@pytest.mark.parametrize("alive", [reading(written=9), reading(disk=True), reading(cpu=0.5)])
def test_a_line_the_disk_or_the_end_of_a_child_is_a_sign_of_life(alive: Reading) -> None:
    pulse = Pulse(7, now=0)

    assert pulse.take(5, {"a": reading()}) is None
    assert pulse.take(8, {"a": alive}) is None
    assert pulse.take(14, {"a": alive}) is None or alive.waits_for_disk


def test_a_silence_is_a_hang_from_the_last_sign_on() -> None:
    pulse = Pulse(7, now=0)

    assert pulse.take(4, {"a": reading(written=5), "b": reading(cpu=None)}) is None
    assert pulse.take(10.9, {"a": reading(written=5), "b": reading(cpu=None)}) is None
    assert pulse.take(11, {"a": reading(written=5), "b": reading(cpu=None)}) == (
        "the group hangs: no process has written a line for 7 s"
    )


def test_a_stopped_process_that_goes_on_in_time_is_no_hang() -> None:
    pulse = Pulse(7, now=0)

    assert pulse.take(1, {"a": reading(stopped=True), "b": reading(1)}) is None
    assert pulse.take(6, {"a": reading(), "b": reading(2)}) is None
    assert pulse.take(9, {"a": reading(stopped=True), "b": reading(3)}) is None
    assert pulse.take(16, {"a": reading(stopped=True), "b": reading(4)}) == (
        "a hangs: it was stopped by a signal 7 s ago"
    )
