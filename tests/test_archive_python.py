"""Archives from Python: made, opened and asked with what `fitlog` has at its top."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

import fitlog
from archives import write_logs
from fitlog.archive.reading import Archive
from fitlog.archive.schema import TABLES
from fitlog.errors import ArchiveError, QueryError, SettingError


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Archive:
    folder = tmp_path_factory.mktemp("asked")
    write_logs(folder / "logs", 6)
    indexed = fitlog.index_logs(folder / "logs", folder / "archive")
    assert (indexed.read, indexed.runs, indexed.refused) == (6, 6, ())
    return fitlog.open_archive(folder / "archive")


def test_logs_are_indexed_by_paths_and_globs_one_or_several(tmp_path: Path) -> None:
    first, second = write_logs(tmp_path / "logs", 2)
    told: list[tuple[int, int]] = []

    one = fitlog.index_logs(
        str(first), tmp_path / "archive", progress=lambda done, total: told.append((done, total))
    )
    more = fitlog.index_logs([first, f"{tmp_path}/logs/*1.log"], str(tmp_path / "archive"))

    assert (one.logs, more.read, more.unchanged, more.logs) == (1, 1, 1, 2)
    assert told[-1] == (first.stat().st_size,) * 2
    with pytest.raises(SettingError, match="workers 0: must be more than 0"):
        fitlog.index_logs(second, tmp_path / "archive", workers=0)


def test_an_answer_is_a_data_frame_with_integers_and_dicts(archive: Archive) -> None:
    runs = archive.query("SELECT *, NULLIF(run_id, run_id) IS NULL AS is_run FROM runs")
    summed = archive.query(
        "SELECT sum(run) AS runs, sum(run)::DECIMAL(9, 1) + 0.5 AS half FROM runs"
    )

    assert len(runs) == 6
    assert runs["run"].dtype == runs["batch_size"].dtype == pd.Int64Dtype()
    assert runs["batch_size"].isna().all()
    assert runs["started"].dtype == "datetime64[us]"
    assert (
        runs["best"].iloc[0]["validation-accuracy"] == runs["last"].iloc[0]["validation-accuracy"]
    )
    assert sorted(runs["month"].unique()) == ["2026-01", "2026-02", "2026-03"]
    assert summed.to_dict("records") == [{"runs": 0, "half": 0.5}]
    assert summed["runs"].dtype == pd.Int64Dtype()


def test_a_ready_question_tells_what_it_leaves_out(archive: Archive) -> None:
    months = archive.ask("months", "month <> '2026-03'")
    regressions = archive.ask("regressions")

    assert months["runs"].tolist() == [2, 2]
    assert months.attrs["left_out"] == {}
    assert len(regressions) == 0
    assert regressions.attrs["left_out"] == {"whose network is not known": 6}


@pytest.mark.parametrize(
    ("sql", "told"),
    [
        ("SELECT 1; SELECT 2", "these are 2 statements"),
        ("SELECT MAP {[1]: 2} AS a", "pandas has no such values .* column::VARCHAR"),
        ("SELECT union_value(one := 1) AS a", "pandas has no such values .* column::VARCHAR"),
        ("SELECT * FROM range(1000000000000)", r"stopped after 0\.2 s$"),
    ],
)
def test_what_cannot_be_answered_is_told(sql: str, told: str, archive: Archive) -> None:
    with pytest.raises(QueryError, match=told):
        archive.query(sql, seconds=0.2 if "range" in sql else 60)


def test_what_is_not_there_is_told(archive: Archive, tmp_path: Path) -> None:
    for ask in (archive.table, archive.dataset):
        with pytest.raises(SettingError, match="no table 'nope'; its tables: speed, metrics, "):
            ask("nope")
    with pytest.raises(SettingError, match="seconds nan"):
        archive.query("SELECT 1", seconds=float("nan"))
    with pytest.raises(QueryError, match="no question is named 'nope'; known: fastest"):
        archive.ask("nope")
    with pytest.raises(QueryError, match="the condition 'run =': it is incomplete"):
        archive.ask("months", "run =")
    with pytest.raises(ArchiveError, match="is no archive"):
        fitlog.open_archive(tmp_path)


def test_every_table_has_a_month(archive: Archive) -> None:
    for name in TABLES:
        table, dataset = archive.table(name), archive.dataset(name).to_table()

        assert table.column_names == dataset.column_names
        assert table["month"].to_pylist() == dataset["month"].to_pylist()


def test_runs_are_named_by_one_id_several_or_none(archive: Archive) -> None:
    runs = archive.query("SELECT run_id FROM runs ORDER BY file")["run_id"]

    assert len(archive.run_log(runs[0]).runs) == 1
    assert len(archive.run_log(runs).runs) == 6
    assert [log.name for log in archive.run_logs(runs[1])] == [archive.run_log(runs[1]).name]
    nothing = archive.run_log([])
    pd.testing.assert_frame_equal(nothing.speed, fitlog.read_logs([]).speed)
    assert archive.run_logs([]) == []
    assert archive in {archive}


def test_a_package_that_is_missing_is_named() -> None:
    code = (
        "import sys, fitlog\n"
        "sys.modules['pyarrow'] = sys.modules['fsspec'] = None\n"
        "import importlib.util\n"
        "importlib.util.find_spec = lambda name: None\n"
        "for call in (fitlog.open_archive, lambda a: fitlog.index_logs(a, a)):\n"
        "    try:\n"
        "        call('a')\n"
        "    except fitlog.ArchiveError as error:\n"
        "        print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)

    assert done.stdout.count("archives need pyarrow: ") == 2, done.stderr
