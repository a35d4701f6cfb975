"""A log that grows is read as it comes, whatever becomes of its file meanwhile."""

from __future__ import annotations

import contextlib
import io
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from fitlog import LogError, follow_log, read_log
from fitlog.follow import follow_table
from fitlog_parsers import Entry, Finding, Row, Speed
from support import SAMPLES

SPEED = "Epoch[{}] Batch [{}-{}]\tSpeed: {:.2f} samples/sec\taccuracy=0.500000\n"
Step = Callable[[], object]


def line(epoch: int, start: int, speed: float) -> str:
    return SPEED.format(epoch, start, start + 10, speed)


def after(*steps: Step) -> Callable[[], bool]:
    """A wait that does the next step each time all was read, and ends behind the last."""
    left = iter(steps)

    def wait() -> bool:
        step = next(left, None)
        if step is None:
            return False
        step()
        return True

    return wait


def append(path: Path, text: str) -> Step:
    def step() -> None:
        with path.open("a", encoding="utf-8") as log:
            log.write(text)

    return step


def speeds(entries: list[Entry]) -> list[tuple[int, float]]:
    return [
        (entry.line, entry.record.samples_per_sec)
        for entry in entries
        if isinstance(entry, Row) and isinstance(entry.record, Speed)
    ]


def findings(entries: list[Entry]) -> list[tuple[str, int]]:
    return [(entry.code, entry.line) for entry in entries if isinstance(entry, Finding)]


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "run.log"
    path.write_text(line(0, 0, 100.0), encoding="utf-8")
    return path


def test_lines_come_as_they_are_written_even_in_pieces(log: Path) -> None:
    whole = line(0, 10, 200.0)
    steps = [append(log, whole[:17]), append(log, whole[17:]), append(log, line(0, 20, 300.0))]

    entries = list(follow_log(log, wait=after(*steps)))

    assert speeds(entries) == [(1, 100.0), (2, 200.0), (3, 300.0)]
    assert findings(entries) == []


def test_an_entry_comes_before_the_next_one_is_written(log: Path) -> None:
    seen: list[int] = []
    entries: list[Entry] = []
    steps = [
        append(log, line(0, 10, 200.0)),
        lambda: seen.append(len(speeds(entries))),
        append(log, line(0, 20, 300.0)),
        lambda: seen.append(len(speeds(entries))),
    ]

    entries.extend(follow_log(log, wait=after(*steps)))

    assert seen == [2, 3]


def test_a_followed_log_gives_what_reading_it_gives(tmp_path: Path) -> None:
    for sample in sorted(SAMPLES.glob("*.log")):
        text, log = sample.read_bytes(), tmp_path / sample.name
        log.write_bytes(b"")
        pieces = iter([text[i : i + 1000] for i in range(0, len(text), 1000)])

        def more(pieces: Iterator[bytes] = pieces, log: Path = log) -> bool:
            piece = next(pieces, b"")
            with log.open("ab") as file:
                file.write(piece)
            return bool(piece)

        frames = list(follow_table(log, "metrics", wait=more))

        assert sum(map(len, frames)) == len(read_log(sample).metrics), sample.name


def test_a_rotated_log_is_read_to_its_end_and_then_the_next_one(log: Path) -> None:
    old = log.with_suffix(".log.1")

    def rotate() -> None:
        log.rename(old)
        append(old, line(0, 10, 200.0))()  # the writer has not noticed yet

    steps: list[Step] = [rotate, lambda: log.write_text(line(0, 20, 300.0), encoding="utf-8")]

    entries = list(follow_log(log, wait=after(*steps)))

    assert speeds(entries) == [(1, 100.0), (2, 200.0), (3, 300.0)]
    assert findings(entries) == [("rotated", 3)]


def test_a_line_that_rotation_tore_is_not_glued_to_the_next_file(log: Path) -> None:
    def rotate() -> None:
        append(log, "Epoch[0] Train-accuracy=0.97")()

    def create() -> None:
        log.rename(log.with_suffix(".log.1"))
        log.write_text("1234\n" + line(1, 0, 300.0), encoding="utf-8")

    entries = list(follow_log(log, wait=after(rotate, create)))

    assert speeds(entries) == [(1, 100.0), (4, 300.0)]
    assert [entry for entry in entries if isinstance(entry, Row) and entry.line == 2] == []


@pytest.mark.parametrize("longer", [False, True])
def test_a_log_that_is_cut_and_begun_anew_goes_on(log: Path, longer: bool) -> None:
    text = line(0, 10, 200.0) + (line(0, 20, 300.0) if longer else "")

    entries = list(follow_log(log, wait=after(lambda: log.write_text(text, encoding="utf-8"))))

    assert speeds(entries)[:2] == [(1, 100.0), (2, 200.0)]
    assert findings(entries) == [("truncated", 2)]


def test_a_log_that_is_truncated_before_it_is_written_again_goes_on(log: Path) -> None:
    steps: list[Step] = [lambda: os.truncate(log, 0), append(log, line(0, 10, 200.0))]

    entries = list(follow_log(log, wait=after(*steps)))

    assert speeds(entries) == [(1, 100.0), (2, 200.0)]
    assert findings(entries) == [("truncated", 2)]


def test_a_log_that_is_moved_away_is_waited_for(log: Path) -> None:
    away = log.with_suffix(".away")
    steps: list[Step] = [
        lambda: log.rename(away),
        lambda: None,
        lambda: shutil.move(away, log),
        append(log, line(0, 10, 200.0)),
    ]

    entries = list(follow_log(log, wait=after(*steps)))

    assert speeds(entries) == [(1, 100.0), (2, 200.0)]
    assert findings(entries) == []


def test_what_was_held_back_comes_at_the_end(log: Path) -> None:
    # A window that begins at batch 0 may be a running mean: only the next one tells.
    entries = list(follow_log(log, wait=lambda: False))

    assert speeds(entries) == [(1, 100.0)]


def test_a_stream_is_read_to_its_end_without_waiting() -> None:
    text = (line(0, 0, 100.0) + line(0, 10, 200.0)).encode()

    assert speeds(list(follow_log(io.BytesIO(text)))) == [(1, 100.0), (2, 200.0)]


def test_a_compressed_log_cannot_be_followed(tmp_path: Path) -> None:
    path = tmp_path / "run.log.gz"
    path.write_bytes(b"\x1f\x8b\x08\x00")

    with pytest.raises(LogError, match=r"cannot be followed.*run\.log\.gz"):
        list(follow_log(path, wait=lambda: False))


def test_a_log_that_is_not_there_cannot_be_followed(tmp_path: Path) -> None:
    with pytest.raises(LogError, match="cannot be opened"):
        list(follow_log(tmp_path / "none.log"))


def test_a_node_that_died_does_not_hold_up_the_others() -> None:
    died = "Node[1] " + line(0, 0, 50.0)
    others = "".join("Node[0] " + line(0, 10 * i, 100.0) for i in range(30_000))

    entries = follow_log(io.BytesIO((died + others).encode()))

    assert speeds([next(entries) for _ in range(4)])[:2] == [(1, 50.0), (2, 100.0)]


def test_the_command_prints_rows_as_they_come_until_ctrl_c(log: Path) -> None:
    command = [sys.executable, "-m", "fitlog", "parse", str(log), "--table", "speed", "--follow"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        header = process.stdout.readline()
        append(log, line(0, 10, 200.0))()
        rows = [process.stdout.readline() for _ in range(2)]
        append(log, line(1, 0, 300.0))()
        process.send_signal(signal.SIGINT)
        rest, errors = process.communicate(timeout=60)

    assert header == "run,node,epoch,batch_start,batch_end,split,samples_per_sec,time,line\n"
    assert rows == ["0,,0,0,10,train,100.0,,1\n", "0,,0,10,20,train,200.0,,2\n"]
    assert rest in ("", "0,,1,0,10,train,300.0,,3\n")  # as far as it was seen before Ctrl-C
    assert (process.returncode, errors) == (130, "fitlog: interrupted\n")


@pytest.mark.parametrize(
    ("sent", "code", "told"),
    [(signal.SIGINT, 130, "interrupted"), (signal.SIGTERM, 143, "terminated")],
)
@pytest.mark.parametrize("idle", [True, False])
def test_one_signal_ends_the_reading_of_a_pipe_with_what_was_held_back(
    idle: bool, sent: signal.Signals, code: int, told: str, tmp_path: Path
) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    command = [sys.executable, "-m", "fitlog", "parse", str(pipe), "--table", "speed", "--follow"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        with pipe.open("wb", buffering=0) as writer:
            writer.write((line(0, 0, 100.0) + line(0, 10, 200.0) + line(1, 0, 300.0)).encode())
            seen = [process.stdout.readline() for _ in range(3)]
            process.send_signal(sent)
            with contextlib.suppress(BrokenPipeError):
                while not idle:
                    writer.write(line(1, 10, 300.0).encode())
            rest, errors = process.communicate(timeout=60)

    assert seen[1:] == ["0,,0,0,10,train,100.0,,1\n", "0,,0,10,20,train,200.0,,2\n"]
    assert rest.startswith("0,,1,0,10,train,300.0,,3\n")
    assert process.returncode == code
    assert errors.endswith(f"fitlog: {told}\n")


@pytest.mark.parametrize("make", [Path.mkdir, os.mkfifo])
def test_a_log_in_the_place_of_which_there_is_no_file_is_waited_for(
    make: Callable[[Path], None], log: Path
) -> None:
    def replace() -> None:
        log.unlink()
        make(log)

    def come_back() -> None:
        log.rename(log.with_suffix(".old"))
        log.write_text(line(0, 10, 200.0), encoding="utf-8")

    entries = list(follow_log(log, wait=after(replace, come_back)))

    assert speeds(entries) == [(1, 100.0), (2, 200.0)]
    assert findings(entries) == [("rotated", 2)]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["a.log", "b.log", "--table", "speed"], "one log"),
        (["a.log", "--table", "epochs"], "--table speed, metrics, events, unparsed"),
        (["a.log", "--table", "speed", "--format", "json"], "CSV"),
    ],
)
def test_what_cannot_be_followed_is_refused(arguments: list[str], message: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "fitlog", "parse", *arguments, "--follow"],
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 2
    assert message in done.stderr
