"""The ready questions have the answers that a few runs, written down here, must give."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.dataset as pads
import pytest

from archives import write_logs
from fitlog.archive.indexing import index
from fitlog.archive.query import query
from fitlog.archive.questions import QUESTIONS, find_question, left_out_sql, sql_of
from fitlog.archive.reading import open_archive
from fitlog.archive.schema import TABLES, schema_of
from fitlog.errors import QueryError
from support import SAMPLES, Fitlog

NAMES = [question.name for question in QUESTIONS]


def table_of(name: str, rows: list[dict[str, Any]]) -> pa.Table:
    """A table of the archive with these rows; what they do not say is missing."""
    schema = schema_of(name)
    empty: dict[str, list[Any]] = {
        "best": [],
        "last": [],
        "metrics": [],
        "nodes": [],
        "dialects": [],
    }
    columns = {
        field.name: pa.array([row.get(field.name, empty.get(field.name)) for row in rows]).cast(
            field.type.value_type if pa.types.is_dictionary(field.type) else field.type
        )
        if field.name not in empty
        else pa.array([row.get(field.name, []) for row in rows], field.type)
        for field in schema
    }
    return pa.table({**columns, "month": [row.get("month", "unknown") for row in rows]})


def run(name: str, month: int, pace: float | None, **more: Any) -> dict[str, Any]:
    accuracy = more.pop("accuracy", None)
    return {
        "run_id": name, "file": f"/{name}.log", "run": 0, "month": f"2026-{month:02d}",
        "started": datetime(2026, month, 1, 10), "ended": datetime(2026, month, 1, 12),
        "status": "finished", "network": "lenet", "batch_size": 64, "host": "a", "pace": pace,
        "best": [] if accuracy is None else [("validation-accuracy", accuracy)], **more,
    }  # fmt: skip


RUNS = [
    run("one", 1, 100.0, accuracy=0.9, lr=0.1, optimizer="sgd"),
    run("two", 2, 102.0, accuracy=0.8),
    run("three", 3, 98.0),
    run("slow", 4, 80.0, pace_low=70.0, pace_high=90.0),
    run("large", 4, 150.0, batch_size=128, accuracy=0.7),
    run("far", 5, 60.0, host="b", status="cut", last_epoch=3, error="killed"),
    run("mlp", 5, 900.0, network="mlp"),
    run("stopped", 6, None, network="mlp", record_status="stopped"),
]  # fmt: skip


@pytest.fixture(scope="module")
def tables() -> dict[str, pads.Dataset]:
    rows: dict[str, list[dict[str, Any]]] = {
        "runs": RUNS,
        "epochs": [
            {"run_id": "one", "file": "/one.log", "run": 0, "epoch": i, "time_cost": cost}
            for i, cost in enumerate((10.0, 12.0, 30.0))
        ],
        "metrics": [
            {"run_id": "mlp", "epoch": epoch, "split": "train", "metric": "loss", "value": value}
            for epoch, value in enumerate((1.0, float("nan"), float("inf")))
        ],
        "sources": [
            {"file": "/b.log", "reason": "is binary data"},
            {"file": "/gone.log", "reason": "is empty", "deleted": datetime(2026, 1, 1)},
        ],
        "unparsed": [
            {"file": "/one.log", "line": line, "reason": f"of {line}", "text": ""}
            for line in (7, 5)
        ],
        "warnings": [
            {"file": f"/{name}.log", "line": 1, "code": "restart", "text": "run 1 begins"}
            for name in ("two", "one", "of-no-run")
        ],
    }
    return {name: pads.dataset(table_of(name, rows.get(name, []))) for name in TABLES}


def ask(tables: dict[str, Any], name: str, where: str | None = None) -> list[dict[str, Any]]:
    with query(tables, sql_of(find_question(name), where)) as result:
        return [row for batch in result for row in batch.to_pylist()]


def left_out(tables: dict[str, Any], name: str, where: str | None = None) -> dict[str, int]:
    with query(tables, str(left_out_sql(find_question(name), where))) as result:
        return {row["reason"]: row["runs"] for batch in result for row in batch.to_pylist()}


def some(rows: list[dict[str, Any]], *columns: str) -> list[tuple[Any, ...]]:
    return [tuple(row[column] for column in columns) for row in rows]


def test_the_fastest_of_each_network_and_batch_size(tables: dict[str, Any]) -> None:
    columns = ("network", "batch_size", "runs", "best_samples_per_sec", "host", "run_id")

    assert some(ask(tables, "fastest"), *columns, "median_samples_per_sec") == [
        ("lenet", 64, 5, 102.0, "a", "two", 98.0),
        ("lenet", 128, 1, 150.0, "a", "large", 150.0),
        ("mlp", 64, 1, 900.0, "a", "mlp", 900.0),
    ]


def test_regressions_are_held_against_like_runs_before_them(tables: dict[str, Any]) -> None:
    found = ask(tables, "regressions")

    # On its own machine `far` has no runs before it.
    assert some(found, "run_id", "change_percent", "before_samples_per_sec", "earlier_runs") == [
        ("slow", -20.0, 100.0, 3)
    ]


def test_the_trend_by_month(tables: dict[str, Any]) -> None:
    columns = ("month", "median_samples_per_sec", "change_percent")

    assert some(ask(tables, "trend", "batch_size = 64 AND network = 'lenet'"), *columns) == [
        ("2026-01", 100.0, None),
        ("2026-02", 102.0, 2.0),
        ("2026-03", 98.0, -3.9),
        ("2026-04", 80.0, -18.4),
        ("2026-05", 60.0, -25.0),
    ]


def test_runs_that_died_by_their_log_or_their_record(tables: dict[str, Any]) -> None:
    assert some(ask(tables, "died"), "run_id", "status", "last_epoch", "error") == [
        ("stopped", "stopped", None, None),
        ("far", "cut", 3, "killed"),
    ]


def test_what_may_still_go_on_is_not_counted_as_dead(tables: dict[str, Any]) -> None:
    moment = datetime.now(UTC)
    now = moment.replace(tzinfo=None)
    month = f"{now:%Y-%m}"
    hour, days = timedelta(hours=1), timedelta(days=3)
    runs = [
        run("dated", 1, 1.0, status="cut", ended=now - hour),
        run("silent", 1, 1.0, status="cut", ended=now - days),
        run("ahead", 1, 1.0, status="cut", ended=now + days),
        run("undated", 1, 1.0, status="cut", ended=None),
        run("recorded", 1, 1.0, status="cut", ended=None, record_status="running"),
        run("killed", 1, 1.0, status="cut", ended=None, record_status="running"),
        run("between-epochs", 1, 1.0, ended=None, record_status="running"),
        run("killed-between", 1, 1.0, ended=None, record_status="running"),
        run("begun-again", 1, 1.0, status="restarted", ended=now - hour, record_status="running"),
        run("stopped", 1, 1.0, status="cut", ended=now - hour, record_status="stopped"),
        run("done", 1, 1.0, ended=now - hour),
    ]
    changed = {
        "undated": hour, "recorded": 2 * hour, "killed": days, "between-epochs": 3 * hour,
        "killed-between": days,
    }  # fmt: skip
    sources = [
        {"file": f"/{name}.log", "version": str(int((moment - ago).timestamp() * 1e9))}
        for name, ago in changed.items()
    ]
    given = {
        **tables,
        "runs": pads.dataset(table_of("runs", [{**one, "month": month} for one in runs])),
        "sources": pads.dataset(table_of("sources", sources)),
    }

    running = ask(given, "running")
    died = {row["run_id"]: row["status"] for row in ask(given, "died")}

    assert [(row["run_id"], round(row["silent_hours"])) for row in running] == [
        ("dated", 1), ("recorded", 2), ("between-epochs", 3)
    ]  # fmt: skip
    assert died == {
        "ahead": "cut", "killed": "cut", "silent": "cut", "stopped": "stopped",
        "undated": "cut", "begun-again": "restarted", "killed-between": "silent",
    }  # fmt: skip
    for name in ("hosts", "settings", "months"):
        assert [row["died"] for row in ask(given, name)] == [7], name


def test_the_slowest_machines_by_like_runs(tables: dict[str, Any]) -> None:
    assert some(ask(tables, "hosts"), "host", "runs", "compared", "pace_percent", "died") == [
        ("b", 1, 1, 61.2, 1),
        ("a", 7, 6, 100.0, 1),
    ]


def test_what_is_not_known_is_not_taken_to_be_alike(tables: dict[str, Any]) -> None:
    unknown = [
        run(f"{column}-{i}", 1 + i, pace, **{column: None})
        for column in ("network", "batch_size", "host")
        for i, pace in enumerate((100.0, 100.0, 100.0, 10.0))
    ]
    undated = [{**run("undated", 9, 10.0), "started": None, "month": "unknown"}]
    given = {**tables, "runs": pads.dataset(table_of("runs", [*RUNS, *unknown, *undated]))}

    assert [row["run_id"] for row in ask(given, "regressions")] == ["slow"]
    for row in ask(given, "trend"):
        assert None not in (row["network"], row["batch_size"])
    hosts = {row["host"]: (row["runs"], row["compared"]) for row in ask(given, "hosts")}
    assert hosts == {None: (4, 4), "a": (16, 7), "b": (1, 1)}
    assert left_out(given, "regressions") == {
        "whose batch size is not known": 4,
        "whose host is not known": 4,
        "whose network is not known": 4,
        "without a date": 1,
        "without a pace": 1,
    }
    assert left_out(given, "trend", "network IS NULL") == {"whose network is not known": 4}
    assert left_out(given, "trend", "run_id = 'one'") == {}
    assert left_out_sql(find_question("months")) is None


def test_an_accuracy_has_many_names_and_may_be_in_percent(tables: dict[str, Any]) -> None:
    best = {
        "validation-acc": 0.5, "validation-Accuracy": 0.6, "validation-top1": 70.0,
        "validation-acc-top1": 0.8, "validation-test-acc": 0.9, "validation-accuracy_top_1": 0.1,
        "validation-accuracy_top5": 0.99, "train-accuracy": 0.99, "validation-pixAcc": 0.99,
    }  # fmt: skip
    runs = [
        run(f"r{i}", 1, 1.0, network=name, best=[("validation-loss", 2.0), (name, value)])
        for i, (name, value) in enumerate(best.items())
    ]
    given = {**tables, "runs": pads.dataset(table_of("runs", runs))}

    assert some(ask(given, "accuracy"), "metric", "best_accuracy") == [
        ("validation-Accuracy", 0.6),
        ("validation-acc", 0.5),
        ("validation-acc-top1", 0.8),
        ("validation-accuracy_top_1", 0.1),
        ("validation-test-acc", 0.9),
        ("validation-top1", 0.7),
    ]
    assert left_out(given, "accuracy") == {"without a validated accuracy": 3}
    tried = {row["network"]: row["best_accuracy"] for row in ask(given, "settings")}
    assert (tried["validation-top1"], tried["validation-pixAcc"]) == (0.7, None)


def test_the_best_accuracy_and_who_reached_it(tables: dict[str, Any]) -> None:
    assert some(ask(tables, "accuracy"), "network", "runs", "best_accuracy", "run_id", "lr") == [
        ("lenet", 3, 0.9, "one", 0.1)
    ]


def test_what_was_tried_how_long_it_took_and_how_much(tables: dict[str, Any]) -> None:
    tried = ask(tables, "settings", "network = 'mlp'")
    epochs = ask(tables, "epochs")
    months = ask(tables, "months", "month >= '2026-05'")
    noisy = ask(tables, "noisy", "pace_low IS NOT NULL")

    assert some(tried, "network", "runs", "died", "median_samples_per_sec") == [
        ("mlp", 2, 1, 900.0)
    ]
    assert some(epochs, "epochs", "median_seconds", "slow_seconds") == [(3, 12.0, 28.2)]
    assert left_out(tables, "epochs") == {"without a timed epoch": 7}
    assert some(months, "month", "runs", "hours", "hosts", "died") == [
        ("2026-05", 2, 4.0, 2, 1),
        ("2026-06", 1, 2.0, 1, 1),
    ]
    assert some(noisy, "run_id", "interval_percent") == [("slow", 25.0)]


def test_runs_whose_metrics_ceased_to_be_numbers(tables: dict[str, Any]) -> None:
    assert some(ask(tables, "diverged"), "run_id", "metric", "first_epoch") == [("mlp", "loss", 1)]
    assert ask(tables, "diverged", "network = 'lenet'") == []


def test_what_was_not_read(tables: dict[str, Any]) -> None:
    assert some(ask(tables, "unread"), "file", "reason") == [("/b.log", "is binary data")]
    with pytest.raises(QueryError, match="asks of logs, and not of runs"):
        ask(tables, "unread", "run = 0")


def test_what_was_found_in_the_logs_of_runs(tables: dict[str, Any]) -> None:
    assert some(ask(tables, "findings"), "file", "what", "times", "first_line", "first") == [
        ("/one.log", "like a record", 2, 5, "of 5"),
        ("/one.log", "restart", 1, 1, "run 1 begins"),
        ("/two.log", "restart", 1, 1, "run 1 begins"),
    ]
    assert len(ask(tables, "findings", "batch_size = 128 OR host = 'b'")) == 0
    assert len(ask(tables, "findings", "run_id = 'two'")) == 1


@pytest.mark.parametrize("name", [name for name in NAMES if name != "unread"])
def test_a_condition_knows_the_columns_of_runs_alone(name: str, tables: dict[str, Any]) -> None:
    for column in ("epoch", "value", "version"):  # of other tables
        with pytest.raises(QueryError, match=f'"{column}" not found'):
            ask(tables, name, f"{column} IS NOT NULL")


@pytest.mark.parametrize("name", NAMES)
def test_every_question_has_an_answer_where_there_is_nothing(name: str) -> None:
    assert ask({table: pads.dataset(table_of(table, [])) for table in TABLES}, name) == []


def test_every_question_can_be_asked_of_the_sample_logs(tmp_path: Path) -> None:
    index([str(SAMPLES)], str(tmp_path / "archive"))
    tables = open_archive(str(tmp_path / "archive")).datasets()

    for name in NAMES:
        assert ask(tables, name) or name in ("regressions", "running"), name
    pd_lines = ask(tables, "died", "file LIKE '%killed.log'")
    assert some(pd_lines, "status") == [("cut",)]


def test_the_questions_are_listed_shown_and_asked(tmp_path: Path, fitlog: Fitlog) -> None:
    write_logs(tmp_path / "logs", 3)
    index([str(tmp_path / "logs")], str(tmp_path / "archive"))

    listed = fitlog("query", "--list").stdout
    shown = fitlog("query", "--ask", "months", "--where", "run = 0", "--sql").stdout
    asked = fitlog("query", "archive", "--ask", "months", "--format", "csv")
    again = fitlog("query", "archive", shown, "--format", "csv")

    assert [line.split()[0] for line in listed.splitlines()] == NAMES
    assert asked.stdout.startswith("month,runs,hours,hosts,died\n2026-01,1,")
    assert again.stdout == asked.stdout
    assert (asked.stderr, again.stderr) == ("", "")
    slow = fitlog("query", "archive", "--ask", "regressions")
    assert slow.stderr == "fitlog: 3 runs are left out: 3 whose network is not known\n"
