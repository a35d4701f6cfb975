"""Logs that are read together are what each of them is alone."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest

from fitlog import LogError, read_log, read_logs
from fitlog.streams import TableStream
from fitlog.tables import TABLES
from support import SAMPLES, Fitlog

LOGS = sorted([*SAMPLES.glob("*.log"), *SAMPLES.glob("dialects/*.log")])
SPEED = "Epoch[0] Batch [0-10]\tSpeed: 9.50 samples/sec\tacc=0.500000\n"


def plain(table: pd.DataFrame) -> list[tuple[str, ...]]:
    return [tuple(map(str, row)) for row in table.itertuples(index=False)]


def of_file(table: pd.DataFrame, file: Path) -> pd.DataFrame:
    """The rows of a file, with the columns in which any of these has a value."""
    rows = table[table["file"] == str(file)].drop(columns="file")
    return rows.dropna(axis="columns", how="all")


@pytest.mark.parametrize("table", TABLES)
def test_many_logs_are_read_as_each_alone(table: str) -> None:
    together = getattr(read_logs(LOGS), table)

    for log in LOGS:
        alone = getattr(read_log(log), table).dropna(axis="columns", how="all")
        mine = of_file(together, log)
        assert sorted(mine.columns) == sorted(alone.columns), log.name
        assert plain(mine[list(alone.columns)]) == plain(alone), log.name


def test_dialects_and_lines_are_counted_over_all_logs() -> None:
    every = [read_log(log) for log in LOGS]

    together = read_logs(LOGS)

    assert together.lines == sum(log.lines for log in every)
    assert sum(together.dialects.values()) == sum(sum(log.dialects.values()) for log in every)


def test_logs_that_cannot_be_read_together_stay_in_their_place(tmp_path: Path) -> None:
    small, holed, packed, large = (tmp_path / f"{name}.log" for name in "abcd")
    small.write_text(SPEED)
    holed.write_bytes(SPEED.encode() + b"\0\n")
    packed.write_bytes(gzip.compress(SPEED.encode()))
    large.write_text(SPEED + 300_000 * "\n")
    logs = [small, holed, small, packed, large, small]

    speed = read_logs(logs).speed

    assert speed["file"].tolist() == [str(log) for log in logs]
    assert speed["line"].tolist() == [1] * 6


def test_the_end_of_a_log_does_not_join_the_beginning_of_the_next(tmp_path: Path) -> None:
    texts = ["Epoch[0] Train-acc=0.97", "1234\nEpoch[0] Train-acc=0.971234", "Epoch[1] Train-"]
    logs = [tmp_path / f"{i}.log" for i in range(3)]
    for log, text in zip(logs, texts, strict=True):
        log.write_text(text)

    together = read_logs(logs)

    assert together.metrics["value"].tolist() == [0.971234]
    assert plain(together.unparsed[["file", "line"]]) == [(str(logs[0]), "1"), (str(logs[2]), "1")]


def test_logs_before_a_bad_one_are_not_lost(tmp_path: Path) -> None:
    (tmp_path / "a.log").write_text(SPEED)
    stream: Iterator[pd.DataFrame] = iter(
        TableStream([tmp_path / "a.log", tmp_path / "none.log"], "speed", with_file=True)
    )

    assert len(next(stream)) == 1
    with pytest.raises(LogError, match=r"none\.log"):
        next(stream)


def test_a_log_without_a_record_among_others_is_named(fitlog: Fitlog, tmp_path: Path) -> None:
    (tmp_path / "a.log").write_text(SPEED)
    (tmp_path / "b.log").write_text("hello\n")
    (tmp_path / "c.log").write_text("")

    done = fitlog("parse", "a.log", "b.log", "c.log", "--format", "csv")

    assert (done.returncode, done.stderr) == (0, "fitlog: no record in b.log and 1 more\n")
    assert len(done.stdout.splitlines()) == 2
