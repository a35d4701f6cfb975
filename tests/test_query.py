"""`fitlog query` reads an archive's tables and nothing else, writes nothing, and always ends."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pyarrow as pa
import pyarrow.dataset as pads
import pyarrow.parquet as pq
import pytest

from archives import write_logs
from fitlog.archive.indexing import index
from fitlog.archive.query import query, select
from fitlog.errors import QueryError
from support import Fitlog
from terminals import FitlogTerminal

SECRET = "5ecre7"  # noqa: S105  # what must not be read
CONFINED = "only the archive's tables can be read, and nothing written"
ONE_KIND = "only SELECT is answered, and EXPLAIN; this is a statement"

# Longer than anybody waits, and deaf to every request to stop.
DEAF = "regexp_matches(repeat('a', 30000000), '(a|aa|aaa|aaaa){900}b')"

# What is asked, and what must be said of it. `{folder}` holds secret.* and part.parquet.
ATTACKS = {
    "copy to a file": ("COPY runs TO '{folder}/out.csv'", ONE_KIND),
    "copy over a part": ("COPY (SELECT 1) TO '{folder}/part.parquet'", ONE_KIND),
    "copy without a file aside": (
        "COPY runs TO '{folder}/part.parquet' (FORMAT parquet, USE_TMP_FILE false)",
        ONE_KIND,
    ),
    "copy into folders": (
        "COPY runs TO '{folder}/out' (FORMAT parquet, PARTITION_BY (network))",
        ONE_KIND,
    ),
    "copy to a descriptor": ("COPY runs TO '/dev/stdout'", ONE_KIND),
    "copy from a file": ("COPY runs FROM '{folder}/secret.csv'", ONE_KIND),
    "copy in a CTE": ("WITH q AS (COPY runs TO '{folder}/out.csv') SELECT 1", CONFINED),
    "copy over a part in a CTE": (
        "WITH q AS (COPY runs TO '{folder}/part.parquet' (FORMAT parquet, USE_TMP_FILE false))"
        " SELECT * FROM q",
        CONFINED,
    ),
    "copy explained": ("EXPLAIN COPY runs TO '{folder}/out.csv'", CONFINED),
    "copy explained and run": (
        "EXPLAIN ANALYZE COPY runs TO '{folder}/part.parquet' (FORMAT parquet)",
        CONFINED,
    ),
    "copy a database": ("COPY FROM DATABASE memory TO memory", "[Cc]annot|only SELECT|same"),
    "export": ("EXPORT DATABASE '{folder}/out'", ONE_KIND),
    "import": ("IMPORT DATABASE '{folder}'", ONE_KIND),
    "attach": ("ATTACH '{folder}/out.db'", ONE_KIND),
    "attach in memory": ("ATTACH ':memory:' AS other", ONE_KIND),
    "detach": ("DETACH memory", ONE_KIND),
    "use": ("USE memory", ONE_KIND),
    "read_csv": ("SELECT * FROM read_csv('{folder}/secret.csv')", CONFINED),
    "read_csv of a pipe": ("SELECT * FROM read_csv('/dev/stdin')", CONFINED),
    "sniff_csv": ("SELECT * FROM sniff_csv('{folder}/secret.csv')", CONFINED),
    "read_text": ("SELECT * FROM read_text('{folder}/secret.csv')", CONFINED),
    "read_blob": ("SELECT * FROM read_blob('{folder}/*')", CONFINED),
    "read_json": ("SELECT * FROM read_json('{folder}/secret.csv')", CONFINED),
    "read_ndjson_objects": ("FROM read_ndjson_objects('{folder}/secret.csv')", CONFINED),
    "read_parquet": ("SELECT * FROM read_parquet('{folder}/secret.parquet')", CONFINED),
    "read_parquet of the archive": ("FROM read_parquet('{folder}/part.parquet')", CONFINED),
    "parquet_schema": ("SELECT * FROM parquet_schema('{folder}/secret.parquet')", CONFINED),
    "parquet_kv_metadata": ("FROM parquet_kv_metadata('{folder}/secret.parquet')", CONFINED),
    "read over http": ("FROM read_csv('http://127.0.0.1:1/x.csv')", "http|extension|external"),
    "read from s3": ("FROM read_parquet('s3://bucket/x.parquet')", "s3|extension|external"),
    "glob": ("SELECT * FROM glob('{folder}/*')", CONFINED),
    "a file as a table": ("SELECT * FROM '{folder}/secret.csv'", CONFINED),
    "a file as a quoted table": ('SELECT * FROM "{folder}/secret.parquet"', CONFINED),
    "a file by query_table": ("FROM query_table('{folder}/secret.csv')", CONFINED),
    "SQL in SQL": ("FROM query('FROM read_text(''{folder}/secret.csv'')')", CONFINED),
    "SQL in JSON": (
        "FROM json_execute_serialized_sql(json_serialize_sql("
        "'SELECT * FROM read_text(''{folder}/secret.csv'')'))",
        CONFINED,
    ),
    "a file in a subquery": (
        "SELECT (SELECT content FROM read_text('{folder}/secret.csv')), * FROM runs",
        CONFINED,
    ),
    "a file in a recursion": (
        "WITH RECURSIVE t AS (SELECT 1::VARCHAR a UNION SELECT content FROM"
        " read_text('{folder}/secret.csv'), t) FROM t",
        CONFINED,
    ),
    "a variable of Python's": ("SELECT * FROM of_python", "of_python does not exist"),
    "a module of Python's": ("SELECT * FROM SECRET", "SECRET does not exist"),
    "memory by its address": ("FROM pandas_scan(123::POINTER)", "POINTER does not exist"),
    "memory by a number": ("FROM arrow_scan(1, 2, 3)", "No function matches"),
    "the environment": ("SELECT getenv('HOME')", "getenv does not exist"),
    "secrets": ("FROM duckdb_secrets()", CONFINED),
    "a secret": ("CREATE SECRET s (TYPE s3, KEY_ID 'a', SECRET 'b')", ONE_KIND),
    "a secret that is kept": ("CREATE PERSISTENT SECRET s (TYPE s3, KEY_ID 'a')", ONE_KIND),
    "install": ("INSTALL httpfs", ONE_KIND),
    "install by force": ("FORCE INSTALL httpfs FROM community", ONE_KIND),
    "load": ("LOAD '{folder}/part.parquet'", ONE_KIND),
    "set": ("SET enable_external_access = true", ONE_KIND),
    "unlock": ("SET lock_configuration = false", ONE_KIND),
    "more memory": ("SET memory_limit = '90GB'", ONE_KIND),
    "a folder for swapping": ("SET temp_directory = '{folder}'", ONE_KIND),
    "reset": ("RESET memory_limit", ONE_KIND),
    "pragma": ("PRAGMA enable_external_access = true", ONE_KIND),
    "a profile": ("PRAGMA profiling_output = '{folder}/out.json'", ONE_KIND),
    "a log": ("CALL enable_logging(storage = 'file', storage_path = '{folder}/out')", ONE_KIND),
    "call": ("CALL pragma_version()", ONE_KIND),
    "prepare": ("PREPARE p AS COPY runs TO '{folder}/out.csv'", ONE_KIND),
    "execute": ("EXECUTE p", ONE_KIND),
    "a table": ("CREATE TABLE t AS SELECT 1", ONE_KIND),
    "a macro": ("CREATE MACRO f(x) AS TABLE SELECT * FROM read_text(x)", ONE_KIND),
    "insert": ("INSERT INTO runs VALUES ('a', 1)", ONE_KIND),
    "delete": ("DELETE FROM runs", ONE_KIND),
    "update": ("UPDATE runs SET pace = 1", ONE_KIND),
    "extensions": ("UPDATE EXTENSIONS", ONE_KIND),
    "delete in a CTE": ("WITH q AS (DELETE FROM runs RETURNING *) FROM q", "."),
    "drop": ("DROP VIEW runs", ONE_KIND),
    "vacuum": ("VACUUM", ONE_KIND),
    "checkpoint": ("CHECKPOINT", ONE_KIND),
    "begin": ("BEGIN", ONE_KIND),
    "pivot": ("PIVOT runs ON network USING count(*)", "a PIVOT needs its columns named"),
    "two statements": ("SELECT 1; SELECT 2", "these are 2 statements"),
    "a statement behind another": (
        "SELECT 1; COPY runs TO '{folder}/out.csv'",
        "these are 2 statements",
    ),
    "nothing": (" ; -- nothing", "the query is empty"),
    "no SQL": ("what is the fastest?", "syntax error"),
    "no such table": ("FROM logs", "The tables are runs"),
    "no such column": ("SELECT speed FROM runs", '"speed" not found.*"pace"'),
    "deep brackets": ("SELECT " + "(" * 20_000 + "1" + ")" * 20_000, "depth"),
    "a type error": ("SELECT pace + network FROM runs", "."),
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a part of an archive, and files that are none of it."""
    runs = pa.table({"network": ["lenet", "mlp"] * 50, "pace": [100.0, 200.0] * 50})
    pq.write_table(runs, tmp_path / "part.parquet")
    pq.write_table(pa.table({"a": [SECRET]}), tmp_path / "secret.parquet")
    (tmp_path / "secret.csv").write_text(f"a,b\n{SECRET},2\n")
    return tmp_path


@pytest.fixture
def tables(folder: Path) -> dict[str, pads.Dataset]:
    return {"runs": pads.dataset([str(folder / "part.parquet")])}


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("queried")
    write_logs(folder / "logs", 6)
    index([str(folder / "logs")], str(folder / "archive"))
    before = digests(folder)
    yield folder / "archive"
    assert digests(folder) == before  # whatever the tests of this module asked


def digests(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.mark.parametrize("name", ATTACKS)
def test_an_attack_writes_nothing_reads_nothing_and_is_told_why(
    name: str, folder: Path, tables: dict[str, pads.Dataset], monkeypatch: pytest.MonkeyPatch
) -> None:
    of_python = pa.table({"a": [SECRET]})
    monkeypatch.setattr("fitlog.archive.query.of_python", of_python, raising=False)
    monkeypatch.chdir(folder)
    sql, told = ATTACKS[name]
    before = digests(folder)

    with (
        pytest.raises(QueryError, match=told) as raised,
        query(tables, sql.replace("{folder}", str(folder))) as result,
    ):
        list(result)

    assert digests(folder) == before
    assert SECRET not in str(raised.value)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("name", ATTACKS)
def test_the_engine_alone_refuses_to_touch_files(
    name: str, folder: Path, tables: dict[str, pads.Dataset], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where a statement's kind is not what it seems: the kinds are only the second lock."""
    monkeypatch.chdir(folder)
    monkeypatch.setattr("fitlog.archive.query._the_statement", lambda connection, sql: sql)
    sql = ATTACKS[name][0].replace("{folder}", str(folder))
    before, rows = digests(folder), []

    try:
        with query(tables, sql) as result:
            rows = [row for batch in result for row in batch.to_pylist()]
    except (QueryError, AttributeError):  # of a statement without a result
        pass

    assert digests(folder) == before
    assert SECRET not in repr(rows)


@pytest.mark.parametrize(
    ("sql", "rows"),
    [
        ("SELECT network, avg(pace) FROM runs GROUP BY network ORDER BY network", 2),
        ("FROM runs LIMIT 3", 3),
        ("WITH fast AS (FROM runs WHERE pace > 150) SELECT count(*) FROM fast", 1),
        ("SELECT 1 UNION ALL SELECT 2 ORDER BY 1;", 2),
        ("DESCRIBE runs", 2),
        ("SUMMARIZE runs", 2),
        ("VALUES (1), (2), (3)", 3),
        ("EXPLAIN SELECT * FROM runs", 1),
        ("FROM (PIVOT runs ON network IN ('lenet', 'mlp') USING count(*))", 2),
    ],
)
def test_what_only_reads_the_tables_is_answered(
    sql: str, rows: int, tables: dict[str, pads.Dataset]
) -> None:
    with query(tables, sql) as result:
        assert sum(batch.num_rows for batch in result) == rows


def test_columns_of_the_same_name_are_told_apart(tables: dict[str, pads.Dataset]) -> None:
    with query(tables, "SELECT 1 AS a, 2 AS a, 3 AS a_2") as result:
        rows = [row for batch in result for row in batch.to_pylist()]

    assert rows == [{"a": 1, "a_2": 2, "a_2_2": 3}]


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT count(*) FROM range(10000000) a, range(10000000) b WHERE a.range = 3 * b.range + 7"
        " AND (a.range % 7 + b.range % 5) > 100",
        "WITH RECURSIVE t(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM t) SELECT max(i) FROM t",
        "SELECT * FROM range(1000000000000)",
        "SELECT sum(a.range ^ b.range) FROM range(1000000000) a, range(1000) b",
    ],
)
def test_a_query_that_does_not_end_is_stopped(sql: str, tables: dict[str, pads.Dataset]) -> None:
    with (
        pytest.raises(QueryError, match=r"stopped after 0\.2 s \(--timeout\)"),
        query(tables, sql, seconds=0.2) as result,
    ):
        for _ in result:
            pass


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM range(1000000000) ORDER BY random()",
        "SELECT len(list(range)) FROM range(1000000000)",
        "SELECT length(string_agg(repeat('x', 1000), '')) FROM range(10000000)",
        "SELECT a.range, count(*) FROM range(100000000) a GROUP BY a.range",
    ],
)
def test_a_query_that_needs_much_memory_is_refused_it(
    sql: str, tables: dict[str, pads.Dataset]
) -> None:
    with (
        pytest.raises(QueryError, match=r"more memory than the 64 MB it may take \(--memory\)"),
        query(tables, sql, memory=64 << 20) as result,
    ):
        list(result)


def test_a_condition_can_do_no_more_than_a_query(tables: dict[str, pads.Dataset]) -> None:
    runs = tables["runs"].to_table()
    of_runs = {
        "run_id": [f"r{i}" for i in range(100)], "started": [None] * 100, "file": ["f"] * 100,
        "run": range(100), "network": runs["network"],
    }  # fmt: skip
    given = {"runs": pads.dataset(pa.table(of_runs))}

    assert len(select(given, None)) == 100
    assert select(given, "run < 2 -- and more") == ["r0", "r1"]
    for where in (
        "1 = 1) UNION ALL (SELECT content FROM read_text('/etc/hostname')",
        "network = (SELECT content FROM read_text('/etc/hostname'))",
        "1 = 1; COPY runs TO 'out.csv'",
        "nothing = 1",
    ):
        with pytest.raises(QueryError, match="the condition"):
            select(given, where)


@pytest.mark.parametrize(
    ("where", "told"),
    [
        ("", "the condition is empty"),
        (" \n", "the condition is empty"),
        ("network = 'lenet' and", "it is incomplete, or its brackets do not match"),
        ("(pace > 1", "it is incomplete, or its brackets do not match"),
        ("pace > 1)", "it is incomplete, or its brackets do not match"),
        ('network = "lenet"', "Text stands in single quotes: 'lenet'."),
    ],
)
def test_a_condition_that_is_none_is_told_in_its_own_words(
    where: str, told: str, archive: Path, fitlog: Fitlog
) -> None:
    asked = fitlog("query", archive, "--ask", "months", "--where", where)
    compared = fitlog("compare", archive, "--where", where)

    for done in (asked, compared):
        assert (done.returncode, done.stdout) == (2, "")
        assert told in done.stderr
    assert asked.stderr == compared.stderr


# What the engine neither hears nor counts is ended by the system.
@pytest.mark.parametrize(
    ("sql", "limits", "told"),
    [
        ("SELECT len(range(1000000000))", ("--memory", 64), "more memory than the 64 MB"),
        ("SELECT length(repeat('x', 4000000000))", ("--memory", 64), "more memory than the 64 MB"),
        (f"SELECT {DEAF}", ("--timeout", 0.3), r"stopped after 0.3 s (--timeout)"),
    ],
)
def test_what_the_engine_does_not_hear_is_ended_all_the_same(
    sql: str, limits: tuple[object, ...], told: str, archive: Path, fitlog: Fitlog, tmp_path: Path
) -> None:
    """Also where the libraries take little of what they may: the rest must be the query's."""
    for threads in ("8", "1"):
        done = fitlog("query", archive, sql, "-o", "out.csv", *limits, OPENBLAS_NUM_THREADS=threads)

        assert done.returncode == 2
        assert told in done.stderr
        assert done.stderr.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(not Path("/proc/self/statm").is_file(), reason="Linux tells what is taken")
def test_a_condition_takes_no_more_memory_than_a_query_may(archive: Path, fitlog: Fitlog) -> None:
    done = fitlog("compare", archive, "--where", "length(repeat('x', 3000000000)) > 1")

    assert done.returncode == 2
    assert done.stderr.endswith("the query needs more memory than the 1,024 MB it may take\n")


def test_a_condition_that_does_not_hear_is_left_alone_in_time(archive: Path) -> None:
    """Also the process ends then, with the engine at work in it."""
    code = (
        "import sys\n"
        "from fitlog.archive.query import select\n"
        "from fitlog.archive.reading import open_archive\n"
        "from fitlog.endings import user_errors\n"
        "import typer\n"
        "try:\n"
        "    with user_errors():\n"
        "        select(open_archive(sys.argv[1]).datasets(), sys.argv[2], seconds=0.2)\n"
        "except typer.Exit as end:\n"
        "    raise SystemExit(end.exit_code)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(archive), DEAF],
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 2
    assert done.stderr == f"fitlog: the condition {DEAF!r}: the query was stopped after 0.2 s\n"


def test_the_guard_is_set_before_any_library_is_imported() -> None:
    """They would have threads, which a fork loses, and memory, which the limit would not count."""
    code = (
        "import sys, fitlog.cli, fitlog.chosen, fitlog.archive.guard, fitlog.archive.questions\n"
        "print({'numpy', 'pandas', 'pyarrow', 'duckdb', 'fsspec'} & set(sys.modules))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False)

    assert done.stdout == b"set()\n"


def test_a_lower_limit_of_the_system_is_kept(archive: Path) -> None:
    command = f"ulimit -d 4000000; {sys.executable} -m fitlog query {archive} 'SELECT 1 AS one'"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False)

    assert (done.returncode, done.stdout.split()) == (0, ["one", "1"]), done.stderr


def test_an_engine_that_breaks_is_told_and_no_traceback() -> None:
    code = (
        "import os, sys\n"
        "from fitlog.archive.guard import go_on_limited\n"
        "from fitlog.endings import user_errors\n"
        "with user_errors():\n"
        "    if go_on_limited(seconds=60, memory=1 << 26) is None:\n"
        "        os.abort()\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False)

    assert b"the query broke the engine (SIGABRT)" in done.stderr


@pytest.mark.parametrize("to", ["the command", "all"])
@pytest.mark.parametrize(
    ("sent", "code", "told"),
    [(signal.SIGINT, 130, b"interrupted"), (signal.SIGTERM, 143, b"terminated")],
)
def test_ctrl_c_ends_the_query_and_what_works_on_it(
    sent: signal.Signals, code: int, told: bytes, to: str, archive: Path, tmp_path: Path
) -> None:
    endless = "SELECT sum(a.range ^ b.range) FROM range(1000000000) a, range(1000) b"
    process = subprocess.Popen(
        [sys.executable, "-m", "fitlog", "query", str(archive), endless],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=tmp_path,
        start_new_session=True,
    )
    command = psutil.Process(process.pid)
    while not (children := command.children()):
        assert process.poll() is None

    if to == "all":  # as a terminal does, and who ends a service
        os.killpg(process.pid, sent)
    else:
        process.send_signal(sent)
    out, err = process.communicate(timeout=30)

    assert process.returncode == code
    assert out == b""
    assert err == b"fitlog: %s\n" % told
    assert not psutil.wait_procs(children, timeout=10)[1]


def test_ctrl_c_in_a_script_is_ctrl_c() -> None:
    endless = "SELECT sum(a.range ^ b.range) FROM range(1000000000) a, range(1000) b"
    before = signal.signal(signal.SIGALRM, signal.default_int_handler)
    signal.setitimer(signal.ITIMER_REAL, 0.3)
    try:
        with pytest.raises(KeyboardInterrupt), query({}, endless) as result:
            list(result)
    finally:
        signal.signal(signal.SIGALRM, before)


def test_a_query_writes_what_it_says_and_nothing_into_the_archive(
    archive: Path, fitlog: Fitlog, tmp_path: Path
) -> None:
    part = next(archive.rglob("*.parquet"))

    for target in (part, archive / "new.csv"):
        for name in (archive, archive.as_uri(), f"local://{archive}"):
            done = fitlog("query", name, "SELECT 1", "-o", target, "--format", "csv")
            assert done.returncode == 2
            assert "lies in the archive itself" in done.stderr
    done = fitlog("query", archive, "SELECT count(*) AS runs FROM runs", "-o", "out.csv")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert [path.name for path in tmp_path.iterdir()] == ["out.csv"]
    assert (tmp_path / "out.csv").read_text() == "runs\n6\n"


def test_sql_comes_from_standard_input_and_goes_to_standard_output(
    archive: Path, fitlog: Fitlog, tmp_path: Path
) -> None:
    words = ("query", archive, "-", "--format", "csv", "-o", "-")
    done = fitlog(*words, stdin=b"-- how many\nSELECT count(*) AS runs\nFROM runs;\n")
    binary = fitlog(*words, stdin=b"\xff\xfe")

    assert (done.returncode, done.stdout, done.stderr) == (0, "runs\n6\n", "")
    assert (binary.returncode, binary.stdout) == (2, "")
    assert "standard input is no SQL" in binary.stderr
    assert list(tmp_path.iterdir()) == []


def test_what_is_asked_must_be_asked_once(archive: Path, fitlog: Fitlog) -> None:
    for words, told in (
        ((), "say what to ask"),
        (("SELECT 1", "--where", "run = 0"), "SQL has its own WHERE"),
        (("--ask", "slowest"), "no question is named 'slowest'; known: fastest, "),
        (("q.sql",), "q.sql names a file: fitlog query ARCHIVE - < q.sql"),
        (("SELECT 1", "--timeout", "nan"), "--timeout nan: must be more than 0"),
    ):
        done = fitlog("query", archive, *words)
        assert (done.returncode, done.stdout) == (2, "")
        assert told in done.stderr
    vast = fitlog("query", archive, "SELECT 1", "--memory", 99999999999999)
    assert vast.returncode == 2
    assert "--memory" in vast.stderr
    assert "Traceback" not in vast.stderr
    unnamed = fitlog("query", "--ask", "months")
    assert (unnamed.returncode, unnamed.stderr) == (
        2, "fitlog: name the archive that is to be asked\n"
    )  # fmt: skip
    elsewhere = fitlog("query", "nowhere", "SELECT 1")
    assert elsewhere.returncode == 2
    assert "nowhere" in elsewhere.stderr


def test_what_a_terminal_would_obey_is_shown_as_text(archive: Path, tmp_path: Path) -> None:
    sql = "SELECT 'red' || chr(27) || '[31m' || chr(10) AS \"na\x1b[7mme\", [chr(155)] AS list"
    for form in ("table", "csv"):
        terminal = FitlogTerminal("query", archive, sql, "--format", form, cwd=tmp_path)
        code, shown = terminal.wait(), terminal.shown

        assert code == 0
        assert b"red" in shown
        assert b"\x1b[31m" not in shown
        assert b"\x1b[7m" not in shown
        assert b"\xc2\x9b" not in shown


def test_errors_do_not_reach_the_terminal_raw(archive: Path, fitlog: Fitlog) -> None:
    done = fitlog("query", archive, 'SELECT "\x1b[31mx" FROM runs')

    assert done.returncode == 2
    assert "\x1b" not in done.stderr
