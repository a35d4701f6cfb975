"""Tables that come in parts are the tables of the whole log, and take no more memory for more."""

from __future__ import annotations

import gc
import io
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from fitlog import NoRecordsError, read_log
from fitlog.formats import write_parts, write_table
from fitlog.streams import TableStream
from fitlog.tables import TABLES
from support import SAMPLES, Fitlog

LOGS = sorted([*SAMPLES.glob("*.log"), *SAMPLES.glob("dialects/*.log")])


@pytest.fixture
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fitlog.reading._PART_BYTES", 700)


@pytest.mark.usefixtures("small_parts")
@pytest.mark.parametrize("form", ["csv", "json"])
@pytest.mark.parametrize("table", TABLES)
def test_the_parts_together_are_the_table(table: str, form: str, tmp_path: Path) -> None:
    for log in LOGS:
        stream = TableStream([log], table, with_file=False)

        write_parts(stream, form, tmp_path / "parts")
        whole = read_log(log)
        write_table(getattr(whole, table), form, tmp_path / "whole")

        assert (tmp_path / "parts").read_text() == (tmp_path / "whole").read_text(), log.name
        assert (stream.unparsed, stream.warnings) == (len(whole.unparsed), len(whole.warnings))


@pytest.mark.usefixtures("small_parts")
def test_a_long_log_comes_in_many_parts() -> None:
    parts = list(TableStream([SAMPLES / "long.log"], "speed", with_file=False))

    assert len(parts) > 10
    assert all(len(part) for part in parts)


@pytest.mark.parametrize("table", TABLES)
def test_the_warnings_are_as_many_whatever_table_is_asked_for(
    table: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    line = "Epoch[{}] Batch [{}-{}]\tSpeed: 9.50 samples/sec\ta=0.500000\n"
    text = "".join(line.format(*window) for window in [(0, 0, 10), (0, 10, 20), (0, 50, 60)])
    monkeypatch.setattr("fitlog.reading._PART_BYTES", len(text) // 3)
    stream = TableStream([text.encode()], table, with_file=False)

    list(stream)

    assert stream.warnings == len(read_log(text.encode()).warnings) == 1  # lost-lines


def test_several_logs_are_told_apart_in_each_part() -> None:
    logs = [SAMPLES / "restarted.log", SAMPLES / "killed.log"]

    parts: list[pd.DataFrame] = list(TableStream(logs, "runs", with_file=True))

    assert [str(file) for part in parts for file in part["file"]] == [
        str(logs[0]),
        str(logs[0]),
        str(logs[1]),
    ]


def test_nothing_is_written_of_a_log_without_a_record(tmp_path: Path) -> None:
    stream = TableStream([b"hello\nEpoch[0] foo\n"], "speed", with_file=False)

    with pytest.raises(NoRecordsError, match="2 lines; not read: no rule reads this"):
        write_parts(stream, "csv", tmp_path / "t.csv")
    assert not (tmp_path / "t.csv").exists()


class Growing(io.RawIOBase):
    """A stream of so many trainings' epochs; `kept` is the memory in use when all was taken."""

    def __init__(self, epoch: Callable[[int], bytes], times: int) -> None:
        self.kept = 0
        self._epochs = map(epoch, range(times))

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        text = next(self._epochs, b"")
        if not text:
            gc.collect()  # pandas leaves cycles
            self.kept = tracemalloc.get_traced_memory()[0]
        buffer[: len(text)] = text
        return len(text)


@pytest.fixture
def traced() -> Iterator[None]:
    tracemalloc.start()
    yield
    tracemalloc.stop()


def epoch_text(number: int) -> bytes:
    window = "Epoch[{}] Batch [{}-{}]\tSpeed: 9.50 samples/sec\ta=0.5\n"
    lines = [window.format(number, 10 * i, 10 * i + 10) for i in range(40)]
    ends = ["Epoch[{}] Train-a=0.5\n", "Epoch[{}] Time cost=1.0\n", "Epoch[{}] Validation-a=0.5\n"]
    return "".join(lines + [end.format(number) for end in ends]).encode()


@pytest.mark.usefixtures("traced")
@pytest.mark.parametrize(
    ("epoch", "most_bytes"),
    [
        (epoch_text, 1024),
        (lambda _: epoch_text(0), 1024 + 512),  # each is a run of its own
    ],
)
@pytest.mark.parametrize("table", ["metrics", "epochs"])
def test_memory_stays_flat_on_a_stream(
    table: str, epoch: Callable[[int], bytes], most_bytes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fitlog.reading._PART_BYTES", 1 << 15)
    monkeypatch.setattr("fitlog.course._MOST_SPEEDS", 1000)

    def kept(times: int) -> int:
        source = Growing(epoch, times)
        for _ in TableStream([io.BufferedReader(source, 1 << 17)], table, with_file=False):
            pass
        return source.kept

    kept(30)  # what is learned once

    assert kept(1600) - kept(400) < 1200 * most_bytes  # an epoch has 83 rows


@pytest.mark.parametrize("part_bytes", [300, 500, 900])
def test_windows_are_timed_alike_whatever_the_parts(
    part_bytes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = ["start with arguments Namespace(batch_size=32, num_epochs=1)"]
    for batch in range(5, 101, 5):
        if batch % 10 == 0:
            speed = 300.0 * batch**2
            lines.append(f"Epoch[0] Batch [{batch}]\tSpeed: {speed:.2f} samples/sec\ta=0.500000")
        if batch % 25 == 0:
            lines.append(f"Iter[0] Batch[{batch}] Train-a=0.500000")
    text = "\n".join([*lines, "Epoch[0] Time cost=60.000", ""]).encode()
    whole = read_log(text).warnings

    monkeypatch.setattr("fitlog.reading._PART_BYTES", part_bytes)
    (parts,) = TableStream([text], "warnings", with_file=False)

    assert whole["code"].tolist() == ["asynchronous-speed"]
    assert parts["text"].tolist() == whole["text"].tolist()


def test_parquet_tells_of_warnings_as_csv_does(fitlog: Fitlog) -> None:
    pytest.importorskip("pyarrow")
    log = SAMPLES / "restarted.log"

    csv, parquet = (
        fitlog("parse", log, "--table", "speed", "-o", f"t.{e}") for e in ("csv", "parquet")
    )

    assert csv.stderr == parquet.stderr == "fitlog: warnings: 1 (--table warnings)\n"


def test_an_epoch_may_say_hundreds_of_things() -> None:
    names = [f"m{i}" for i in range(300)]
    text = "".join(f"Epoch[0] Validation-{name}={i}.5\n" for i, name in enumerate(names))

    epochs = read_log(text.encode()).epochs

    assert [epochs[f"validation-{name}"][0] for name in names] == [i + 0.5 for i in range(300)]
