"""Results of queries as tables, CSV, JSON and Parquet."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.dataset as pads
import pyarrow.parquet as pq
import pytest

from archives import write_logs
from fitlog.archive.indexing import index
from fitlog.archive.query import query
from fitlog.archive.results import write_result
from fitlog.errors import OutputError, QueryError
from support import Fitlog

TABLES = {"runs": pads.dataset(pa.table({"run": [0, 1]}))}
SQL = """
SELECT run, CASE run WHEN 0 THEN 0.1 + 0.2::DOUBLE ELSE 'nan'::DOUBLE END AS pace,
  CASE run WHEN 0 THEN 'a, "b"' END AS text, sum(run) OVER () AS total,
  TIMESTAMP '2026-11-25 10:00:00.5' AS started, MAP {'accuracy': 0.5::DOUBLE} AS best,
  [1, NULL] AS list, run = 0 AS is_first
FROM runs ORDER BY run
"""


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("answered")
    write_logs(folder / "logs", 2)
    index([str(folder / "logs")], str(folder / "archive"))
    return folder / "archive"


def written(sql: str, form: str, path: Path) -> bool:
    with query(TABLES, sql) as result:
        return write_result(result, form, path)


def test_csv_is_read_back_the_same(tmp_path: Path) -> None:
    assert written(SQL, "csv", tmp_path / "out.csv")

    with (tmp_path / "out.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert rows == [
        {
            "run": "0", "pace": "0.30000000000000004", "text": 'a, "b"', "total": "1",
            "started": "2026-11-25 10:00:00.500000", "best": '{"accuracy": 0.5}',
            "list": "[1, null]", "is_first": "True",
        },
        {
            "run": "1", "pace": "nan", "text": "", "total": "1",
            "started": "2026-11-25 10:00:00.500000", "best": '{"accuracy": 0.5}',
            "list": "[1, null]", "is_first": "False",
        },
    ]  # fmt: skip


def test_json_keeps_numbers_and_what_is_missing(tmp_path: Path) -> None:
    assert written(SQL, "json", tmp_path / "out.json")

    first, second = json.loads((tmp_path / "out.json").read_text())
    assert first == {
        "run": 0, "pace": 0.30000000000000004, "text": 'a, "b"', "total": 1,
        "started": "2026-11-25 10:00:00.500000", "best": {"accuracy": 0.5}, "list": [1, None],
        "is_first": True,
    }  # fmt: skip
    assert (second["pace"], second["text"]) == ("nan", None)
    written("SELECT 1 AS a WHERE false", "json", tmp_path / "none.json")
    assert json.loads((tmp_path / "none.json").read_text()) == []


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT 'infinity'::TIMESTAMP AS late",
        "SELECT ['-infinity'::DATE] AS late",
        "SELECT '10:00:00.000000001'::TIME_NS AS late",
    ],
)
def test_a_time_that_is_none_of_pythons_is_told_with_the_remedy(
    sql: str, archive: Path, fitlog: Fitlog
) -> None:
    for form in ("table", "csv", "json"):
        done = fitlog("query", archive, sql, "--format", form)

        assert (done.returncode, done.stdout) == (2, "late\n" if form == "csv" else "")
        assert done.stderr.startswith("fitlog: late holds a time")
        assert done.stderr.endswith("ask for late::VARCHAR\n")
    asked = fitlog("query", archive, f"FROM ({sql}) SELECT late::VARCHAR AS text")
    assert asked.returncode == 0


def test_an_interval_is_the_same_text_in_all_formats(tmp_path: Path) -> None:
    sql = (
        "SELECT 1 AS a, TIMESTAMP '2026-11-26 10:01:59' - TIMESTAMP '2026-11-25 10:00:00' AS took,"
        " [INTERVAL 2 HOUR] AS list, 2 AS a, NULL::INTERVAL AS none"
    )
    for form in ("table", "csv", "json", "parquet"):
        written(sql, form, tmp_path / f"out.{form}")

    row = {"a": 1, "took": "1 day 00:01:59", "list": "['02:00:00']", "a_2": 2, "none": None}
    assert json.loads((tmp_path / "out.json").read_text()) == [row]
    assert pq.read_table(tmp_path / "out.parquet").to_pylist() == [row]
    for form in ("table", "csv"):
        assert "1 day 00:01:59" in (tmp_path / f"out.{form}").read_text()


def test_what_parquet_does_not_have_is_told_with_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(QueryError, match=r"parquet has no such values .* that column::VARCHAR"):
        written("SELECT union_value(one := 1) AS a", "parquet", tmp_path / "out.parquet")

    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("form", ["table", "csv", "json", "parquet"])
def test_a_query_imports_no_pandas(form: str, archive: Path, fitlog: Fitlog) -> None:
    sql = "SELECT max(started) AS last, [avg(pace)] AS paces FROM runs JOIN speed USING (run)"
    done = fitlog("query", archive, sql, "--format", form, "-o", "out", PYTHONPROFILEIMPORTTIME="1")

    assert done.returncode == 0
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert "pyarrow.dataset" in imported
    assert [name for name in imported if name.startswith("pandas.")] == []


def test_parquet_keeps_types(tmp_path: Path) -> None:
    assert written(SQL, "parquet", tmp_path / "out.parquet")

    table = pq.read_table(tmp_path / "out.parquet")
    assert table.schema.field("started").type == pa.timestamp("us")
    assert table["run"].to_pylist() == [0, 1]
    assert table["best"].to_pylist()[0] == [("accuracy", 0.5)]


def test_a_table_is_for_people(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with query(TABLES, "SELECT run, 'x' || chr(7) AS text, 1.5 AS pace FROM runs") as result:
        write_result(result, "table", None)

    assert capsys.readouterr().out == "run  text   pace\n  0  x\\x07   1.5\n  1  x\\x07   1.5\n"
    with query(TABLES, "SELECT run, list_resize([1], 99, 5) AS many FROM runs") as result:
        write_result(result, "table", None)
    assert all(len(line) < 70 for line in capsys.readouterr().out.splitlines())
    assert not written("SELECT * FROM range(1001)", "table", tmp_path / "out.txt")
    assert len((tmp_path / "out.txt").read_text().splitlines()) == 1001
    assert written("SELECT * FROM range(1000)", "table", tmp_path / "out.txt")


def test_a_result_of_many_batches_is_whole(tmp_path: Path) -> None:
    for form in ("csv", "json", "parquet"):
        written("SELECT range AS i FROM range(50000)", form, tmp_path / f"out.{form}")

    text = (tmp_path / "out.csv").read_text().split()
    assert text == ["i", *map(str, range(50_000))]
    assert [row["i"] for row in json.loads((tmp_path / "out.json").read_text())] == list(
        range(50_000)
    )
    assert pq.read_table(tmp_path / "out.parquet")["i"].to_pylist() == list(range(50_000))


@pytest.mark.parametrize("form", ["table", "csv", "json", "parquet"])
def test_a_file_is_whole_or_not_there(form: str, tmp_path: Path) -> None:
    late = "SELECT range, CASE WHEN range = 90000 THEN error('late') END AS e FROM range(100000)"
    old = tmp_path / "out.txt"
    old.write_text("as it was")

    if form != "table":  # which ends before
        with pytest.raises(Exception, match="late"):
            written(late, form, old)
    with pytest.raises(OutputError, match="cannot write"):
        written("SELECT 1", form, tmp_path / "nowhere" / "out.csv")
    for folder in (Path(), Path("/"), tmp_path):
        with pytest.raises(OutputError, match="it is a folder"):
            written("SELECT 1", form, folder)

    assert [path.name for path in tmp_path.iterdir()] == ["out.txt"]
    assert old.read_text() == "as it was"
