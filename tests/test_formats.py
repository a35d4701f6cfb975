"""Tables as text: it reads back the same, tells nan from missing, and is safe to show."""

from __future__ import annotations

import io
import json
import math
from pathlib import Path

import pandas as pd
import pytest

from fitlog import read_log
from fitlog.errors import OutputError
from fitlog.formats import format_of, write_table

LOG = (
    b"Epoch[0] Batch [0-20]\tSpeed: 0.10 samples/sec\tloss=nan\tb=0.30000000000000004\n"
    b"Iter[0] Batch [40]\tSpeed: inf samples/sec\n"
    b"Epoch[0] Train-loss=-inf\nEpoch[1] Train-loss=1e-05\nEpoch[1] Time cost=1.000\n"
)


def test_csv_reads_back_the_same(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    metrics = read_log(LOG).metrics

    write_table(metrics, "csv", path)

    back = pd.read_csv(path, float_precision="round_trip")
    assert back["value"].map(repr).tolist() == metrics["value"].map(repr).tolist()
    assert back["batch_end"].isna().tolist() == metrics["batch_end"].isna().tolist()


def test_csv_tells_nan_from_missing(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"

    write_table(read_log(b"Epoch[0] Train-a=nan\nEpoch[1] Time cost=2.000\n").epochs, "csv", path)

    header, first, second = path.read_text().splitlines()
    assert header == "run,node,epoch,time_cost,speed_median,batches,lr,train-a"
    assert first == "0,,0,,,,,nan"
    assert second == "0,,1,2.0,,,,"


def test_json_is_valid_and_tells_nan_inf_and_missing(tmp_path: Path) -> None:
    path = tmp_path / "t.json"
    log = read_log(LOG)

    write_table(log.metrics, "json", path)
    write_table(log.speed, "json", tmp_path / "s.json")

    rows = json.loads(path.read_text(), parse_constant=lambda name: pytest.fail(name))
    assert [row["value"] for row in rows] == ["nan", 0.30000000000000004, "-inf", 1e-05]
    assert [row["batch_end"] for row in rows] == [20, 20, None, None]
    speeds = json.loads((tmp_path / "s.json").read_text())
    assert [row["samples_per_sec"] for row in speeds] == [0.1, "inf"]


def test_an_empty_table_is_valid_json(tmp_path: Path) -> None:
    path = tmp_path / "t.json"

    write_table(read_log(LOG).unparsed, "json", path)

    assert json.loads(path.read_text()) == []


def test_times_are_written_in_iso_form(tmp_path: Path) -> None:
    path = tmp_path / "t.json"

    write_table(
        read_log(b"2018-03-07 10:29:27,419 Epoch[0] Time cost=1.000\n").events, "json", path
    )

    assert json.loads(path.read_text())[0]["time"] == "2018-03-07T10:29:27.419000"


def test_parquet_keeps_dtypes(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    path = tmp_path / "t.parquet"
    metrics = read_log(LOG).metrics

    write_table(metrics, "parquet", path)

    back = pd.read_parquet(path)
    assert back["epoch"].dtype == "Int64"
    assert [repr(value) for value in back["value"]] == [repr(value) for value in metrics["value"]]
    assert back["line"].tolist() == metrics["line"].tolist()


def test_parquet_needs_a_file() -> None:
    with pytest.raises(OutputError, match="name a file to write with --output"):
        write_table(read_log(LOG).speed, "parquet", None)


def test_a_table_for_people_shows_missing_as_blank(capsys: pytest.CaptureFixture[str]) -> None:
    write_table(read_log(LOG).speed, "table", None)

    header, first, second = capsys.readouterr().out.splitlines()
    assert header.split() == list(read_log(LOG).speed.columns)
    assert "<NA>" not in first + second
    assert second.split() == ["0", "0", "40", "train", "inf", "NaT", "2"]


def test_a_table_for_people_shows_no_digits_that_arithmetic_left(
    capsys: pytest.CaptureFixture[str],
) -> None:
    write_table(pd.DataFrame({"speed": [0.1 + 0.2, 16.0, 5e-07]}), "table", None)

    assert capsys.readouterr().out.split() == ["speed", "0.3", "16.0", "5e-07"]


def test_a_table_for_people_shows_a_nan_that_was_logged(capsys: pytest.CaptureFixture[str]) -> None:
    log = read_log(b"Epoch[0] Train-a=nan\nEpoch[1] Time cost=2.000\n")

    write_table(log.epochs, "table", None)
    write_table(log.metrics, "table", None)

    _, first, second, _, metric = capsys.readouterr().out.splitlines()
    assert first.split() == ["0", "0", "nan"]
    assert second.split() == ["0", "1", "2.0"]
    assert metric.split() == ["0", "0", "train", "epoch", "a", "nan", "NaT", "1"]


def test_a_bare_carriage_return_does_not_break_csv(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"

    write_table(read_log(b"Epoch[0] foo\r[=>] 50%\rbar\n").unparsed, "csv", path)

    assert pd.read_csv(path)["text"].tolist() == [r"Epoch[0] foo\r[=>] 50%\rbar"]


def test_control_characters_of_a_log_are_written_out(capsys: pytest.CaptureFixture[str]) -> None:
    log = read_log(b"Epoch[0] Train-a\x07\x1b]0;x=0.500000\nEpoch[0] Train-\xc2\x9b=oops\n")

    write_table(log.metrics, "table", None)
    write_table(log.unparsed, "table", None)

    shown = capsys.readouterr().out
    assert r"a\x07\x1b]0;x" in shown
    assert r"\x9b" in shown
    assert all(char.isprintable() or char == "\n" for char in shown)


@pytest.mark.parametrize("form", ["csv", "json"])
def test_control_characters_do_not_reach_a_terminal(
    form: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    terminal = io.StringIO()
    terminal.isatty = lambda: True  # type: ignore[method-assign]  # a terminal that can be read
    monkeypatch.setattr("sys.stdout", terminal)

    write_table(read_log(b"Epoch[0] Train-a\x1bb=0.500000\n").metrics, form, None)

    assert "\x1b" not in terminal.getvalue()


@pytest.mark.parametrize(
    ("name", "form"),
    [("t.csv", "csv"), ("t.JSON", "json"), ("t.parquet", "parquet"), ("t", "table")],
)
def test_the_ending_of_a_file_asks_for_a_format(name: str, form: str) -> None:
    assert format_of(Path(name)) == form


def test_a_file_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"cannot write .*no/t.csv: No such file"):
        write_table(read_log(LOG).speed, "csv", tmp_path / "no" / "t.csv")


def test_nan_is_written_for_speeds_too(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"

    write_table(read_log(b"Batch [1]\tSpeed: nan samples/sec\n").speed, "csv", path)

    assert math.isnan(pd.read_csv(path)["samples_per_sec"][0])
    assert ",nan," in path.read_text()
