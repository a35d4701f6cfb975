"""Trainings that are watched: what is known of them, what their files say, and how they look."""

from __future__ import annotations

import contextlib
import io
import json
import os
import tracemalloc
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from rich.text import Text

from fitlog import LogError
from fitlog.watch import Watched, seconds_left
from fitlog.watch_files import MOST_RUNS, Watch
from fitlog.watch_lines import EpochLines
from fitlog.watch_view import ASCII, draw_run, draw_runs, format_duration, sparkline, status_of
from fitlog_parsers import LogReader
from phase_files import Simulated
from support import SAMPLES

T0 = 1_800_000_000.0
NAN, INF = float("nan"), float("inf")
RECORD = {"schema": 1, "status": "running", "error": None, "arguments": {"num_epochs": 4}}


def epoch_text(epoch: int, accuracy: float = 0.5, cost: float = 10.0) -> str:
    return (
        f"Epoch[{epoch}] Batch [0-20]\tSpeed: {1000 + epoch:.2f} samples/sec\taccuracy=0.400000\n"
        f"Epoch[{epoch}] Train-accuracy=0.450000\n"
        f"Epoch[{epoch}] Time cost={cost:.3f}\n"
        f"Epoch[{epoch}] Validation-accuracy={accuracy:.6f}\n"
    )


def window(epoch: int, batch: int, speed: float) -> str:
    bounds = f"{batch - 5}-{batch}"
    return f"Epoch[{epoch}] Batch [{bounds}]\tSpeed: {speed:.2f} samples/sec\taccuracy=0.600000\n"


def watched(text: str, name: str = "run", **settings: Any) -> Watched:
    run = Watched(name, **settings)
    reader = LogReader()
    run.take([*reader.feed(text.encode()), *reader.close()], T0)
    return run


def shown(lines: Iterable[Text], width: int) -> list[str]:
    """The lines as a console of this width prints them."""
    console = Console(width=width, file=io.StringIO(), record=True)
    console.print(Text("\n").join(lines), highlight=False)
    return console.export_text().splitlines()


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """The folder of a run in its second epoch."""
    folder = tmp_path / "20270115-080000-lenet"
    folder.mkdir()
    (folder / "run.json").write_text(json.dumps(RECORD), encoding="utf-8")
    text = epoch_text(0) + window(1, 5, 900.0) + window(1, 10, 900.0)
    (folder / "run.log").write_text(text, encoding="utf-8")
    return folder


def append(path: Path, text: str) -> None:
    with path.open("a", encoding="utf-8") as file:
        file.write(text)


def read(watch: Watch) -> list[Watched]:
    while not watch.poll():
        pass
    return watch.runs


@pytest.mark.parametrize(
    ("values", "width", "bars"),
    [
        ([], 8, ""),
        ([5.0], 8, "#"),
        ([5.0, 5.0], 0, ""),
        ([50.0, 75.0, 100.0], 8, "_=#"),  # the lowest is half of the highest
        ([99.0, 100.0, 98.0, 101.0], 8, "####"),  # noise looks like little
        ([1.0, 50.0, 100.0], 8, "_-#"),  # or the smallest, if that is less
        ([1.0, 2.0, 3.0, 4.0], 2, "=#"),  # the last ones
        ([NAN, 100.0, INF], 8, "!#!"),
        ([NAN], 8, "!"),
        ([0.0, 0.0], 8, "##"),
        ([-4.0, 4.0], 8, "_#"),
    ],
)
def test_a_sparkline_shows_the_last_values(values: list[float], width: int, bars: str) -> None:
    assert sparkline(values, width, ASCII) == bars


@pytest.mark.parametrize(
    ("epochs_left", "epoch_seconds", "since", "seconds"),
    [
        (3.0, [10.0], 0.0, 30.0),
        (2.5, [10.0, 12.0, 50.0], 0.0, 30.0),  # the median: the first epoch takes longer
        (3.0, [10.0], 4.0, 26.0),
        (0.5, [10.0], 8.0, 0.0),  # late, but not less than nothing
        (3.0, [10.0], 21.0, None),  # nothing was heard for longer than two epochs take
        (3.0, [10.0], -5.0, 30.0),  # the clock was set back
        (3.0, [], 0.0, None),
        (NAN, [10.0], 0.0, None),
    ],
)
def test_what_is_left_comes_from_the_epochs_before(
    epochs_left: float, epoch_seconds: list[float], since: float, seconds: float | None
) -> None:
    left = seconds_left(epochs_left=epochs_left, epoch_seconds=epoch_seconds, since=since)

    assert left == seconds


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.4, "0:00"), (61, "1:01"), (3723, "1:02:03"), (86_400 * 2 + 11_045, "2 d 03:04")],
)
def test_durations_are_shown_as_by_a_clock(seconds: float, text: str) -> None:
    assert format_duration(seconds) == text


def test_the_eta_counts_down_while_nothing_is_written() -> None:
    run = watched(epoch_text(0) + window(1, 10, 900.0), num_epochs=4)

    assert run.eta(T0) == 25.0  # half of this epoch, by the batches of the one before, and two more
    assert run.eta(T0 + 7) == 18.0


@pytest.mark.parametrize("argument", ["num_epochs", "num_epoch"])
def test_a_log_may_say_itself_how_long_it_trains(argument: str) -> None:
    head = f"INFO:root:start with arguments Namespace(batch_size=64, {argument}=3, lr=0.1)\n"

    assert watched(head + epoch_text(0)).eta(T0) == 20.0


def test_the_eta_knows_what_an_epoch_takes_beside_its_batches() -> None:
    run = watched(epoch_text(0), num_epochs=3)
    run.take_epoch({"complete": True, "seconds": 15.0, "batches": 23, "phases": {"data": 15.0}})

    assert run.eta(T0) == 30.0
    assert run.batches == 23


def test_the_eta_goes_by_time_stamps_where_the_log_has_them() -> None:
    stamp = "2027-01-15 08:00:{:02} Epoch[{}] Train-accuracy=0.5\n"
    text = "".join(stamp.format(12 * epoch, epoch) for epoch in range(3))

    assert watched(text, num_epochs=5).eta(T0) == 24.0


def test_in_the_first_epoch_the_eta_comes_from_the_speed() -> None:
    run = watched(window(0, 5, 100.0), num_epochs=2, batches=20, batch_size=50)

    assert run.eta(T0) == 17.5  # 20 batches of 50 at 100 a second, twice, without 5 batches


def test_one_run_in_80_columns() -> None:
    run = watched(epoch_text(0, 0.7) + epoch_text(1, 0.6) + window(2, 5, 600.0), num_epochs=4)
    run.take_epoch({"complete": True, "seconds": 12.0, "phases": {"data": 3.0, "metric": 9.0}})
    run.warn("the disk is nearly full")

    assert shown(draw_runs([run], T0 + 3, 80, 24, ASCII), 80) == [
        "run                                                                      running",
        "Epoch[2] of 4, batch 5 of 20  ======================------------------  ETA 0:18",
        "600 samples/sec ##.",
        "metric                        train validation      best (epoch)",
        "accuracy                     60.00%     60.00%        70.00% (0)",
        "time  metric 75%  data 25%",
        "! the disk is nearly full",
    ]


def test_one_run_in_40_columns() -> None:
    run = watched(
        epoch_text(0, 0.7) + window(1, 5, 600.0), name="20270115-080000-resnet20-synthetic"
    )

    assert shown(draw_runs([run], T0 + 100, 40, 24, ASCII), 40) == [
        "resnet20-synthetic      no line for 1:40",
        "Epoch[1], batch 5 of 20",
        "600 samples/sec #.",
        "metric      train  valid.   best (epoch)",
        "accuracy   60.00%  70.00%     70.00% (0)",
    ]


def test_runs_stand_side_by_side_where_there_is_room() -> None:
    runs = [watched(epoch_text(0), name=name) for name in ("first", "second", "third")]

    lines = shown(draw_runs(runs, T0, 120, 24, ASCII), 120)

    assert lines[0].split() == ["first", "running", "second", "running"]
    assert lines[0].index("second") == 61
    assert lines[6].split() == ["third", "running"]
    assert shown(draw_runs(runs, T0, 110, 24, ASCII), 110)[0].split() == ["first", "running"]


def test_many_runs_are_a_line_each() -> None:
    runs = [watched(epoch_text(0), name=f"run-{i}", num_epochs=2) for i in range(9)]
    runs[0].status, runs[1].status = "finished", "failed"

    assert shown(draw_runs(runs, T0, 80, 6, ASCII), 80) == [
        "run    epoch   validation  ETA   samples/sec  status",
        "run-0  0 of 2  50.00%            1,000        finished  #",
        "run-1  0 of 2  50.00%            1,000        failed    #",
        "run-2  0 of 2  50.00%      0:10  1,000        running   #",
        "run-3  0 of 2  50.00%      0:10  1,000        running   #",
        "and 5 more",
    ]


def test_narrow_terminals_get_fewer_columns() -> None:
    runs = [watched(epoch_text(0), name="20270115-080000-resnet50") for _ in range(9)]

    assert shown(draw_runs(runs, T0, 30, 11, ASCII), 30)[:2] == [
        "run         epoch  validation",
        "resnet50    0      50.00%",
    ]


@pytest.mark.parametrize("width", [*range(1, 60), 80, 113, 200])
def test_no_line_is_longer_than_the_terminal_is_wide(width: int) -> None:
    text = "INFO:root:start with arguments Namespace(num_epochs=90000)\n" + epoch_text(80_000)
    runs = [watched(text + window(80_001, 5, 1e9), name="学習" * 20) for _ in range(3)]
    for run in runs:
        run.take_epoch({"complete": True, "seconds": 9e9, "phases": {"data": 1.0, "other": 1.0}})
        run.warn("something is not as it should be " * 9, 123_456)

    for height in (6, 100):
        lines = draw_runs(runs, T0, width, height)
        assert max(line.cell_len for line in lines) <= width


def test_what_a_log_says_moves_no_cursor() -> None:
    evil = "acc\x1b[2J\u202e\x9b"
    text = (
        f"Epoch[0] Validation-{evil}=nan\nEpoch[0] Train-accuracy=0.5\nEpoch[1] Batch [5]\x1b[H\n"
    )
    run = watched(text, name=evil)
    run.take_record({"status": "failed", "error": evil, "arguments": None})
    run.warn(evil)
    said: list[str] = []
    EpochLines(said.append).warning(run, run.warnings[-1])

    drawn = [line.plain for line in draw_run(run, T0, 200)] + said
    drawn += [line.plain for line in draw_runs([run] * 30, T0, 200, 9)]

    assert len(run.warnings) >= 2
    assert all(line.isprintable() for line in drawn)
    assert any("acc\\x1b[2J\\u202e\\x9b" in line for line in drawn)


def test_the_last_run_of_a_log_is_shown() -> None:
    run = watched(epoch_text(0, 0.9) + epoch_text(1, 0.9) + epoch_text(0, 0.2))

    lines = shown(draw_run(run, T0, 80, ASCII), 80)

    assert lines[1] == "run 2 of its log, Epoch[0]"
    assert "20.00% (0)" in lines[4]


def test_of_several_nodes_the_first_is_shown() -> None:
    lines = epoch_text(0, 0.9).splitlines(), epoch_text(0, 0.2).splitlines()
    text = "".join(f"Node[0] {a}\nNode[1] {b}\n" for a, b in zip(*lines, strict=True))

    run = watched(text)

    assert run.metrics["accuracy"].validation == 0.9
    assert len(run.speeds) == 1
    assert "2 nodes" in draw_run(run, T0, 80)[1].plain


def test_what_becomes_nan_is_warned_of_once() -> None:
    text = "".join(f"Epoch[{epoch}] Train-accuracy=nan\n" for epoch in range(3))

    run = watched(epoch_text(0) + text.replace("Epoch[0]", "Epoch[1]"))

    assert [(one.line, one.text) for one in run.warnings] == [(5, "train accuracy is nan")]


@pytest.mark.parametrize("status", ["finished", "failed", "interrupted"])
def test_a_run_that_is_over_is_called_so_and_has_no_eta(status: str) -> None:
    run = watched(epoch_text(0), num_epochs=4)
    run.take_record({"status": status, "error": "no space left", "arguments": {}})

    lines = [line.plain for line in draw_run(run, T0 + 1000, 80, ASCII)]

    assert lines[0].split() == ["run", status]
    assert "ETA" not in lines[1]
    assert "no space left" in lines


def test_who_says_nothing_for_ten_seconds_is_called_silent() -> None:
    run = watched(epoch_text(0))

    assert status_of(run, T0 + 9) == "running"
    assert status_of(run, T0 + 10) == "no line for 0:10"
    assert status_of(Watched("new"), T0) == "no line yet"


def test_memory_stays_flat() -> None:
    run, reader = Watched("run"), LogReader()
    sizes = []
    tracemalloc.start()
    for part in range(3):
        for i in range(300):
            epoch = 300 * part + i
            text = epoch_text(epoch).replace("accuracy", f"metric-{epoch}") + "Epoch[x] Batch\n"
            run.take(reader.feed(text.encode()), T0)
        sizes.append(tracemalloc.get_traced_memory()[0])
    tracemalloc.stop()

    assert len(run.metrics) == 24
    assert sizes[2] - sizes[1] < 100_000


def test_a_run_is_read_as_it_goes_on(run: Path) -> None:
    watch = Watch([str(run)])
    (state,) = read(watch)
    assert (state.name, state.num_epochs, state.batch, watch.is_over) == (run.name, 4, 10, False)

    append(run / "run.log", window(1, 15, 800.0))
    append(run / "phases.jsonl", "".join(Simulated().run(epochs=2, data=1.0, metric=1.0).lines))
    read(watch)
    assert state.batch == 15
    assert state.phases["data"] == state.phases["metric"] > 0
    assert list(state.epoch_seconds) == [sum(state.phases.values())] * 2

    (run / "run.json").write_text(json.dumps({**RECORD, "status": "finished"}), encoding="utf-8")
    read(watch)
    assert watch.is_over
    watch.close()


def test_half_a_line_of_phases_waits_for_the_rest(run: Path) -> None:
    *lines, last = [line for line in Simulated().run(epochs=1, data=1.0).lines if "epoch" in line]
    text = "".join([*lines, last])
    append(run / "phases.jsonl", text[:-30])
    watch = Watch([str(run)])
    (state,) = read(watch)
    before = list(state.epoch_seconds)

    append(run / "phases.jsonl", text[-30:])
    read(watch)
    watch.close()

    assert (len(before), sum(state.phases.values())) == (1, state.epoch_seconds[0])


def test_a_log_is_followed_through_rotation_and_a_new_start(run: Path) -> None:
    log = run / "run.log"
    watch = Watch([str(log)])
    (state,) = read(watch)

    log.rename(run / "run.log.1")
    log.write_text(window(1, 15, 700.0), encoding="utf-8")
    read(watch)
    assert (state.run, state.batch, list(state.speeds)) == (0, 15, [1000.0, 900.0, 900.0, 700.0])

    log.write_text(epoch_text(0), encoding="utf-8")  # the training was begun anew
    read(watch)
    watch.close()

    assert (state.run, state.epoch, list(state.speeds)) == (1, 0, [1000.0])
    assert [one.text.partition(":")[0] for one in state.warnings] == [
        "another file took the place of the one that was followed",
        "the file was cut and begun anew",
    ]


def test_a_folder_is_watched_for_new_runs(run: Path, tmp_path: Path) -> None:
    watch = Watch([str(tmp_path)])
    assert [state.name for state in read(watch)] == [run.name]

    (tmp_path / "other.log").write_text(epoch_text(0), encoding="utf-8")
    (tmp_path / "notes.txt").write_text("no training\n", encoding="utf-8")
    (tmp_path / "packed.log").write_bytes(b"\x1f\x8b\x08\x00")
    (run / "run-cut-1.log").write_text(epoch_text(0), encoding="utf-8")
    watch.look()

    assert [state.name for state in read(watch)] == [run.name, "other.log"]
    assert not watch.is_over
    watch.close()


def test_of_many_logs_the_newest_are_watched(tmp_path: Path) -> None:
    for i in range(MOST_RUNS + 3):
        log = tmp_path / f"{i:02}.log"
        log.write_text(epoch_text(0), encoding="utf-8")
        os.utime(log, (T0 + i, T0 + i))
    watch = Watch([str(tmp_path)])
    assert (read(watch)[0].name, watch.older) == ("03.log", 3)

    os.utime(tmp_path / "00.log")
    os.utime(tmp_path / "00.log", (T0 + 99, T0 + 99))
    watch.look()

    assert [run.name for run in read(watch)][:2] == ["00.log", "04.log"]
    watch.close()


@pytest.mark.parametrize("kind", ["missing", "compressed", "pipe"])
def test_what_is_named_must_be_a_log_that_can_grow(kind: str, tmp_path: Path) -> None:
    log = tmp_path / "run.log"
    if kind == "compressed":
        log.write_bytes(b"\x1f\x8b\x08\x00")
    elif kind == "pipe":
        os.mkfifo(log)

    with (
        pytest.raises(LogError, match=r"no such file|is compressed|is no file"),
        contextlib.closing(Watch([str(log)])) as watch,
    ):
        read(watch)


def test_every_sample_log_can_be_watched() -> None:
    logs = sorted(map(str, SAMPLES.glob("**/*.log")))
    watch = Watch(logs)

    runs = read(watch)
    watch.close()

    assert len(runs) == len(logs)
    assert all(draw_run(run, T0, 80) for run in runs)
    assert sum(bool(run.metrics) for run in runs) > len(logs) / 2


def test_lines_say_what_came_of_each_epoch() -> None:
    said: list[str] = []
    lines = EpochLines(said.append, clock=lambda: T0)
    run = Watched("run", num_epochs=2, listener=lines)
    reader = LogReader()

    text = epoch_text(0) + window(1, 5, 500.0) + window(1, 10, 500.0)
    run.take(reader.feed(text.encode()), T0)
    assert said == [
        "run: Epoch[0] of 2: train accuracy=0.45, 1,000 samples/sec, 10 s, ETA 0:10",
        "run: Epoch[0] of 2: validation accuracy=0.5",
    ]
    del said[:]

    run.take(reader.feed(b"Epoch[1] Validation-accuracy=0.7\n"), T0)
    run.take_record({"status": "failed", "error": "no space left", "arguments": {}})
    lines.settle()
    assert said == []  # more of the validation may come
    lines.settle()
    assert said == ["run: Epoch[1] of 2: validation accuracy=0.7", "run: failed: no space left"]
