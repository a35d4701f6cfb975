"""`fitlog run -- COMMAND`: what it writes is logged byte for byte, and shown where it was going."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import signal
import subprocess
import sys
import termios
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support import Fitlog

RUN = [sys.executable, "-m", "fitlog", "run"]
SECONDS = 60
TIMES = 10  # one of two signals that come at once is easily lost
# Counts the signals of one kind, says when it is ready, and ends when it is told to.
COUNTING = """
import signal, sys
count = 0
def handle(number, frame):
    global count
    count += 1
    print("got", count, flush=True)
signal.signal(int(sys.argv[1]), handle)
print("ready", flush=True)
sys.stdin.readline()
print("count", count)
"""
# Becomes the process that a terminal's Ctrl-C goes to, and then the command.
FOREGROUND = """
import fcntl, os, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execv(sys.argv[1], sys.argv[1:])
"""


def python(code: str, *arguments: object) -> list[str]:
    return ["--", sys.executable, "-c", code, *map(str, arguments)]


def folder_of(tmp_path: Path) -> Path:
    (folder,) = (tmp_path / "runs").iterdir()
    return folder


def record_of(tmp_path: Path) -> dict[str, Any]:
    record: dict[str, Any] = json.loads((folder_of(tmp_path) / "run.json").read_text("utf-8"))
    return record


def log_of(tmp_path: Path) -> bytes:
    return (folder_of(tmp_path) / "run.log").read_bytes()


class Terminal:
    """A terminal, as a person has it, in which a command runs as the foreground's."""

    def __init__(self, *arguments: object, cwd: Path, stderr: int | None = None) -> None:
        self._ours, theirs = pty.openpty()
        termios.tcsetwinsize(self._ours, (31, 97))
        self.process = subprocess.Popen(
            [sys.executable, "-c", FOREGROUND, *RUN, *map(str, arguments)],
            cwd=cwd,
            stdin=theirs,
            stdout=theirs,
            stderr=theirs if stderr is None else stderr,
            start_new_session=True,
        )
        os.close(theirs)
        self.shown = b""
        self._limit = threading.Timer(SECONDS, self.process.kill)
        self._limit.start()

    def type(self, keys: bytes) -> None:
        os.write(self._ours, keys)

    def resize(self, rows: int, columns: int) -> None:
        termios.tcsetwinsize(self._ours, (rows, columns))

    def wait_for(self, text: bytes) -> None:
        while text not in self.shown:
            self._read()

    def wait(self) -> int:
        with contextlib.suppress(OSError):  # how Linux says that the other side has closed
            while self._read():
                pass
        os.close(self._ours)
        self._limit.cancel()
        return self.process.wait(timeout=SECONDS)

    def _read(self) -> bool:
        piece = os.read(self._ours, 4096)
        self.shown += piece
        return bool(piece)


@contextlib.contextmanager
def started(*arguments: object, cwd: Path) -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(
        [*RUN, *map(str, arguments)],
        cwd=cwd,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        limit = threading.Timer(SECONDS, process.kill)
        limit.start()
        yield process
        limit.cancel()


def test_what_is_written_is_logged_and_shown_byte_for_byte(tmp_path: Path) -> None:
    code = """
import sys
sys.stdout.buffer.write(bytes(range(256)) * 10_000 + b"no newline")
sys.stdout.flush()
sys.stderr.buffer.write(b"\\xff\\x00\\r50 %\\r100 %\\n")
"""
    written = bytes(range(256)) * 10_000 + b"no newline"

    done = subprocess.run([*RUN, *python(code)], cwd=tmp_path, capture_output=True, check=True)

    assert done.stdout == written
    assert done.stderr.startswith(b"\xff\x00\r50 %\r100 %\nfitlog: finished\n")
    assert log_of(tmp_path).replace(b"\xff\x00\r50 %\r100 %\n", b"", 1) == written
    assert record_of(tmp_path)["results"] == {}


def test_the_order_is_kept_where_both_streams_lead_to_one_place(tmp_path: Path) -> None:
    code = "import os\nfor i in range(2000): os.write(1 + i % 2, b'%d\\n' % i)"

    done = subprocess.run(
        [*RUN, *python(code)],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=True,
    )

    assert log_of(tmp_path) == b"".join(b"%d\n" % i for i in range(2000))
    assert done.stdout.startswith(log_of(tmp_path) + b"fitlog: ")


def test_output_is_shown_as_it_comes(tmp_path: Path) -> None:
    code = "import os\nos.write(1, b'who? ')\nos.write(1, b'hello ' + os.read(0, 9))"

    with started(*python(code), cwd=tmp_path) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        question = os.read(process.stdout.fileno(), 9)
        answer, _ = process.communicate(b"you", timeout=SECONDS)

    assert (question, answer) == (b"who? ", b"hello you")
    assert log_of(tmp_path) == b"who? hello you"


def test_the_record_says_what_was_run_and_how_it_ended(fitlog: Fitlog, tmp_path: Path) -> None:
    done = fitlog("run", "--name", "three", "--out", "here", "--", "sh", "-c", "exit 3")

    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr.startswith("fitlog: failed: exit code 3\n")
    (folder,) = (tmp_path / "here").iterdir()
    assert folder.name.endswith("-three")
    assert str(folder.relative_to(tmp_path)) in done.stderr
    record = json.loads((folder / "run.json").read_text("utf-8"))
    assert record["arguments"] == {"command": ["sh", "-c", "exit 3"]}
    assert (record["status"], record["error"]) == ("failed", "exit code 3")
    assert (record["exit_code"], record["signal"]) == (3, None)
    assert record["end"] > record["start"]
    assert not (folder / "phases.jsonl").exists()


def test_a_command_that_is_killed_gives_the_exit_code_of_shells(
    fitlog: Fitlog, tmp_path: Path
) -> None:
    done = fitlog("run", "--", "sh", "-c", "echo before; kill -KILL $$; echo after")

    assert (done.returncode, done.stdout) == (137, "before\n")
    record = record_of(tmp_path)
    assert (record["status"], record["error"]) == ("failed", "killed by SIGKILL")
    assert (record["exit_code"], record["signal"]) == (None, "SIGKILL")


def test_a_command_has_the_signals_that_python_ignores(fitlog: Fitlog) -> None:
    assert fitlog("run", "--", "sh", "-c", "kill -PIPE $$").returncode == 128 + signal.SIGPIPE


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1])
def test_a_signal_to_fitlog_reaches_the_command_once(
    number: signal.Signals, tmp_path: Path
) -> None:
    with started(*python(COUNTING, number.value), cwd=tmp_path) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        for count in range(1, TIMES + 1):
            process.send_signal(number)
            assert process.stdout.readline() == b"got %d\n" % count
        rest, _ = process.communicate(b"\n", timeout=SECONDS)

    assert (process.returncode, rest) == (0, b"count %d\n" % TIMES)
    assert record_of(tmp_path)["status"] == "finished"


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)]
)
def test_a_command_that_a_signal_ends_is_interrupted(
    number: signal.Signals, code: int, tmp_path: Path
) -> None:
    hangup = signal.signal(signal.SIGHUP, signal.SIG_DFL)  # the tests may run under nohup
    try:
        # Not Python: a signal between its last look and its wait for input would go unheard.
        with started("--", "sh", "-c", "echo ready; exec cat", cwd=tmp_path) as process:
            assert process.stdout is not None
            process.stdout.readline()
            process.send_signal(number)
            process.wait(timeout=SECONDS)  # its standard input stays open until then
    finally:
        signal.signal(signal.SIGHUP, hangup)

    assert process.returncode == code
    record = record_of(tmp_path)
    assert (record["status"], record["signal"]) == ("interrupted", number.name)


def test_ctrl_c_reaches_the_command_once(tmp_path: Path) -> None:
    terminal = Terminal(*python(COUNTING, signal.SIGINT.value), cwd=tmp_path)
    terminal.wait_for(b"ready")

    for count in range(1, TIMES + 1):
        terminal.type(b"\x03")
        terminal.wait_for(b"got %d\r\n" % count)
    terminal.type(b"\n")

    assert terminal.wait() == 0
    assert b"count %d\r\n" % TIMES in terminal.shown


def test_ctrl_c_ends_a_command_as_ever(tmp_path: Path) -> None:
    terminal = Terminal(*python("print('ready', flush=True); input()"), cwd=tmp_path)
    terminal.wait_for(b"ready")

    terminal.type(b"\x03")

    assert terminal.wait() == 130
    assert b"KeyboardInterrupt\r\n" in terminal.shown
    assert b"fitlog: interrupted: killed by SIGINT\r\n" in terminal.shown
    record = record_of(tmp_path)
    assert (record["status"], record["signal"]) == ("interrupted", "SIGINT")


def test_a_terminal_stays_a_terminal(tmp_path: Path) -> None:
    code = """
import os, sys
print(os.isatty(0), os.isatty(1), os.isatty(2), os.get_terminal_size(1))
sys.stderr.write("\\r 50 %\\r100 %\\n")
"""

    terminal = Terminal(*python(code), cwd=tmp_path)

    assert terminal.wait() == 0
    size = b"os.terminal_size(columns=97, lines=31)"
    assert log_of(tmp_path) == b"True True True " + size + b"\n\r 50 %\r100 %\n"
    assert terminal.shown.startswith(log_of(tmp_path).replace(b"\n", b"\r\n"))


def test_a_terminals_new_size_is_passed_on(tmp_path: Path) -> None:
    code = """
import os, signal
changed = []
signal.signal(signal.SIGWINCH, lambda *_: changed.append(1))
print("ready", flush=True)
while os.get_terminal_size(1).columns != 50:
    signal.sigtimedwait([], 0.01)
print("changed", bool(changed))
"""
    terminal = Terminal(*python(code), cwd=tmp_path)
    terminal.wait_for(b"ready")

    terminal.resize(20, 50)

    assert terminal.wait() == 0
    assert b"changed True" in terminal.shown


def test_a_stream_that_is_no_terminal_is_none_for_the_command(tmp_path: Path) -> None:
    code = "import os\nos.write(1, b'%d%d' % (os.isatty(1), os.isatty(2)))\nos.write(2, b'error')"

    with (tmp_path / "errors").open("wb") as errors:
        terminal = Terminal(*python(code), cwd=tmp_path, stderr=errors.fileno())
        assert terminal.wait() == 0

    assert terminal.shown == b"10"
    assert (tmp_path / "errors").read_bytes().startswith(b"errorfitlog: finished")
    assert sorted(log_of(tmp_path)) == sorted(b"10error")


def test_a_process_that_outlives_the_command_is_not_waited_for(
    fitlog: Fitlog, tmp_path: Path
) -> None:
    done = fitlog("run", "--", "sh", "-c", "sleep 600 & echo $!")

    os.kill(int(done.stdout), signal.SIGKILL)  # it is still there
    assert done.returncode == 0
    assert log_of(tmp_path) == done.stdout.encode()


def test_what_such_a_process_writes_soon_afterwards_is_taken(
    fitlog: Fitlog, tmp_path: Path
) -> None:
    code = """
import os
command = os.getpid()
if os.fork() == 0:
    while os.getppid() == command:
        pass
    os.write(1, b"late")
"""

    done = fitlog("run", *python(code))

    assert (done.returncode, done.stdout) == (0, "late")
    assert log_of(tmp_path) == b"late"


def test_a_command_may_close_its_output_and_go_on(fitlog: Fitlog, tmp_path: Path) -> None:
    done = fitlog("run", "--", "sh", "-c", "echo said; exec >&- 2>&-; exit 4")

    assert (done.returncode, done.stdout) == (4, "said\n")
    assert log_of(tmp_path) == b"said\n"


@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&-", "<&- >&- 2>&-"])
def test_streams_may_be_closed_from_the_start(closed: str, tmp_path: Path) -> None:
    command = f"$0 -m fitlog run -- sh -c 'echo out; echo error >&2; exit 5' {closed}"

    done = subprocess.run(
        ["bash", "-c", command, sys.executable],
        cwd=tmp_path,
        capture_output=True,
        timeout=SECONDS,
        check=False,
    )

    assert done.returncode == 5
    assert sorted(log_of(tmp_path).splitlines()) == [b"error", b"out"]


def test_a_reader_that_stops_listening_does_not_stop_the_command(tmp_path: Path) -> None:
    command = "set -o pipefail; $0 -m fitlog run -- seq 200000 | head -1"

    done = subprocess.run(
        ["bash", "-c", command, sys.executable],
        cwd=tmp_path,
        capture_output=True,
        timeout=SECONDS,
        check=False,
    )

    assert (done.returncode, done.stdout) == (0, b"1\n")
    assert log_of(tmp_path).endswith(b"\n200000\n")
    assert record_of(tmp_path)["status"] == "finished"


def test_a_log_that_cannot_be_written_does_not_stop_the_command(tmp_path: Path) -> None:
    command = "ulimit -f 8; $0 -m fitlog run -- seq 20000"

    done = subprocess.run(
        ["bash", "-c", command, sys.executable],
        cwd=tmp_path,
        capture_output=True,
        timeout=SECONDS,
        check=False,
    )

    assert done.stdout.endswith(b"\n20000\n")
    assert done.stderr == b"fitlog: cannot write run.log: File too large\n"
    assert done.returncode == 2
    assert log_of(tmp_path) == done.stdout[:8192]
    record = record_of(tmp_path)
    assert (record["status"], record["exit_code"]) == ("failed", 0)
    assert record["error"] == "cannot write run.log: File too large"


def test_a_readable_log_is_summed_up_on_stderr(
    fitlog: Fitlog, tmp_path: Path, samples: Path
) -> None:
    log = samples / "canonical.log"

    done = fitlog("run", "--", "cat", log)

    assert done.stdout == log.read_text("utf-8")
    assert "samples/sec, median of" in done.stderr
    assert f"plot runs/{folder_of(tmp_path).name}/run.log" in done.stderr
    results = record_of(tmp_path)["results"]
    assert results["windows"] > 1
    assert "validation-accuracy" in results["metrics"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--"], "no command behind --"),
        (["--", "no-such-command"], "cannot run no-such-command: no such command"),
        (["--", "./no-such-command"], "cannot run ./no-such-command: no such command"),
        (["--", "./data.txt"], "cannot run ./data.txt: not executable"),
        (["--", "/"], "cannot run /: not executable"),
        (["data.txt"], "data.txt: no Python script; say `fitlog run SCRIPT.py [ARGS]` for"),
        (["none.py", "--lr", "1"], "none.py: no such file; say `fitlog run SCRIPT.py [ARGS]` for"),
        (["--lr", "1", "--network", "mlp", "--", "true"], "--network, --lr: of fitlog's own"),
        (["--name", "a/b", "--", "true"], "--name 'a/b': must do as the name of a folder"),
    ],
)
def test_what_cannot_be_run_is_refused_before_anything_is_written(
    arguments: list[str], message: str, fitlog: Fitlog, tmp_path: Path
) -> None:
    (tmp_path / "data.txt").write_text("a text\n")

    done = fitlog("run", *arguments)

    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"fitlog: {message}")
    assert not (tmp_path / "runs").exists()


def test_a_file_that_is_no_program_is_a_failed_run(fitlog: Fitlog, tmp_path: Path) -> None:
    (tmp_path / "noise").write_bytes(b"\x7fELF noise")
    (tmp_path / "noise").chmod(0o755)

    done = fitlog("run", "--", "./noise")

    assert done.returncode == 2
    assert done.stderr == "fitlog: cannot run ./noise: Exec format error\n"
    record = record_of(tmp_path)
    assert (record["status"], record["error"]) == (
        "failed",
        "cannot run ./noise: Exec format error",
    )
    assert record["end"] >= record["start"]


def test_a_command_behind_two_dashes_is_never_taken_for_a_script(
    fitlog: Fitlog, tmp_path: Path
) -> None:
    script = tmp_path / "own.py"
    script.write_text(f"#!{sys.executable}\nimport sys\nprint(sys.argv[1:])\n")
    script.chmod(0o755)

    as_command = fitlog("run", "--name", "command", "--", "./own.py", "--", "--help")
    as_script = fitlog("run", "--name", "script", "./own.py", "--", "--help")

    assert as_command.stdout == as_script.stdout == "['--', '--help']\n"
    records = [json.loads(path.read_text()) for path in (tmp_path / "runs").glob("*/run.json")]
    assert {record["name"]: record["arguments"] for record in records} == {
        "command": {"command": ["./own.py", "--", "--help"]},
        "script": {"script": "./own.py", "args": ["--", "--help"]},
    }
