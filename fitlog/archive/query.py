"""Questions in SQL to an archive: DuckDB over the archive's tables, confined to them.

DuckDB with allowed paths is not read-only: `COPY`, also within `WITH` and `EXPLAIN ANALYZE`, writes
where it may read. So it may touch no file at all: the tables are given to it as Arrow's data sets,
which read the parts that the manifest lists, and its configuration is locked.
"""

from __future__ import annotations

import contextlib
import re
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final, TypeVar

from fitlog.archive.guard import GRACE_SECONDS, bounded_memory, took_too_long
from fitlog.choices import QUERY_BYTES, QUERY_SECONDS
from fitlog.errors import QueryError
from fitlog.extras import install
from fitlog.options import positive

T = TypeVar("T")


_SETTINGS: Final = {
    "allow_community_extensions": "false",
    "allow_unsigned_extensions": "false",
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    "python_enable_replacements": "false",  # of names by Python's variables
}
_LOCKS: Final = (
    "SET enable_progress_bar = false",
    "SET temp_directory = ''",
    "SET enable_external_access = false",
    "SET lock_configuration = true",
)
_ALLOWED: Final = ("SELECT", "EXPLAIN")
# What DuckDB's Python makes of Ctrl-C.
_INTERRUPTED: Final = "Query interrupted"
_ROWS_AT_ONCE: Final = 10_000
# Where DuckDB stumbles over what stands behind a condition (see `filtered`).
_CONDITION_ENDS: Final = re.compile(r"\nLINE \d+: \)\)")
_INCOMPLETE: Final = "it is incomplete, or its brackets do not match"
_NO_COLUMN: Final = re.compile(r'Referenced column "([^"]+)" not found')
# Of `fitlog query`; other commands, which have conditions, know no such option.
_OPTION: Final = re.compile(r" \(--(timeout|memory)\)$")


class Result:
    """What a query gives: its Arrow `schema`, and its record batches, which are read once.

    No two columns have the same name: the second `pace` is called `pace_2`. Intervals are DuckDB's
    text of them, `00:01:59`.
    """

    def __init__(
        self, reader: Any, names: Sequence[str], tables: Mapping[str, Any], memory: int
    ) -> None:
        self.schema = _named_apart(reader.schema, names)
        self._reader, self._tables, self._memory = reader, tables, memory

    def __iter__(self) -> Iterator[Any]:
        """Record batches.

        Raises:
            QueryError: what comes next cannot be had.
        """
        while True:
            with _refusals(self._tables, self._memory):
                try:
                    batch = self._reader.read_next_batch()
                except StopIteration:
                    return
            yield batch.rename_columns(self.schema.names)


@contextlib.contextmanager
def query(
    tables: Mapping[str, Any],
    sql: str,
    *,
    seconds: float = QUERY_SECONDS,
    memory: int = QUERY_BYTES,
) -> Iterator[Result]:
    """The result of one SELECT over these Arrow data sets.

    It can read the tables and nothing else, and write nothing. Within the block it is stopped after
    `seconds`; `memory` is what DuckDB counts of the bytes it takes.

    Raises:
        QueryError: the query is none, does what it may not, fails, or takes too much.
    """
    connection = _connect(tables, memory)
    is_late = threading.Event()

    def stop() -> None:
        is_late.set()
        connection.interrupt()

    timer = threading.Timer(seconds, stop)
    timer.daemon = True
    timer.start()
    try:
        with _refusals(tables, memory, sql):
            relation = connection.sql(_the_statement(connection, sql))
            names = relation.columns
            reader = _without_intervals(relation).to_arrow_reader(_ROWS_AT_ONCE)
        yield Result(reader, names, tables, memory)
    except QueryError:
        if is_late.is_set():
            raise took_too_long(seconds) from None
        raise
    finally:
        timer.cancel()
        connection.close()


def select(
    tables: Mapping[str, Any], where: str | None, *, seconds: float = QUERY_SECONDS
) -> list[str]:
    """The ids of the runs that `where`, an SQL condition on the table `runs`, is true of; in time.

    Raises:
        QueryError: as `query`; also where the engine does not hear that it is to stop.
    """
    sql = f"SELECT run_id FROM {filtered(where)} ORDER BY started NULLS FIRST, file, run"
    with _naming(where), bounded_memory(QUERY_BYTES):
        runs = _whole(tables, sql, seconds=seconds, memory=QUERY_BYTES)
    return [str(run_id) for run_id in runs["run_id"].to_pylist()]


def fetch(
    tables: Mapping[str, Any],
    sql: str,
    *,
    seconds: float = QUERY_SECONDS,
    memory: int = QUERY_BYTES,
) -> Any:
    """The whole result of a query as an Arrow table, in time; errors name no command's options.

    Raises:
        QueryError: as `query`. SettingError: there is no time.
    """
    positive("seconds", seconds)
    with _naming(None):
        return _whole(tables, sql, seconds=seconds, memory=memory)


def check_condition(
    tables: Mapping[str, Any], where: str, *, seconds: float = QUERY_SECONDS
) -> None:
    """Raise where `where` is no condition on the table `runs` alone, whatever it stands in later.

    Raises:
        QueryError: it is none.
    """
    sql = f"EXPLAIN SELECT run_id FROM {filtered(where)}"
    with _naming(where), query(tables, sql, seconds=seconds):
        pass


def filtered(where: str | None) -> str:
    """The table of runs as SQL has it, or its rows of which `where` is true.

    Raises:
        QueryError: the condition is empty.
    """
    if where is None:
        return "main.runs"
    if not where.strip():  # of a shell's variable that is not set
        raise QueryError("the condition is empty: say which runs, or leave it out for all")
    # The line's end, for a comment at the end of the condition would go on.
    return f"(SELECT * FROM main.runs WHERE (\n{where}\n))"


@contextlib.contextmanager
def _naming(where: str | None) -> Iterator[None]:
    """What is wrong with a condition is told with it."""
    try:
        yield
    except QueryError as error:
        told = _OPTION.sub("", str(error))
        raise QueryError(told if where is None else f"the condition {where!r}: {told}") from None


def _whole(tables: Mapping[str, Any], sql: str, *, seconds: float, memory: int) -> Any:
    import pyarrow as pa

    def ask() -> Any:
        with query(tables, sql, seconds=seconds, memory=memory) as result:
            return pa.Table.from_batches(list(result), result.schema)

    return _in_time(ask, seconds)


def _in_time(ask: Callable[[], T], seconds: float) -> T:
    """What `ask` gives; or it is left alone a little after that time, in a thread of its own."""
    from concurrent.futures import Future

    answer: Future[T] = Future()

    def work() -> None:
        try:
            answer.set_result(ask())
        except BaseException as error:  # it is raised where the answer is waited for
            answer.set_exception(error)

    threading.Thread(target=work, daemon=True).start()
    try:
        return answer.result(seconds + GRACE_SECONDS)
    except TimeoutError:
        raise took_too_long(seconds) from None


def _connect(tables: Mapping[str, Any], memory: int) -> Any:
    try:
        import duckdb
    except ImportError:
        raise QueryError(f"queries need duckdb: {install('archive')}") from None
    connection = duckdb.connect(
        ":memory:", config={**_SETTINGS, "memory_limit": f"{memory >> 20}MiB"}
    )
    for name, table in tables.items():
        connection.register(name, table)
    for lock in _LOCKS:
        connection.execute(lock)
    return connection


def _without_intervals(relation: Any) -> Any:
    """The same rows with text for intervals, which neither Parquet nor JSON has."""
    kinds = [str(kind) for kind in relation.types]
    if not any("INTERVAL" in kind for kind in kinds):
        return relation
    columns = [
        f"#{place}::VARCHAR" if "INTERVAL" in kind else f"#{place}"
        for place, kind in enumerate(kinds, 1)
    ]
    return relation.project(", ".join(columns))


def _named_apart(schema: Any, names: Sequence[str]) -> Any:
    """The schema with these names for its columns, or such that tell them apart."""
    import pyarrow as pa

    taken: list[str] = []
    for name in names:
        number, apart = 1, name
        while apart in taken:
            number += 1
            apart = f"{name}_{number}"
        taken.append(apart)
    return pa.schema([field.with_name(name) for field, name in zip(schema, taken, strict=True)])


def _the_statement(connection: Any, sql: str) -> Any:
    statements = connection.extract_statements(sql)
    if not statements:
        raise QueryError("the query is empty")
    if len(statements) > 1:
        raise QueryError(f"one query at a time: these are {len(statements)} statements")
    try:
        kind = statements[0].type.name
    except ValueError:  # a kind that duckdb's Python has no name for
        kind = "of another kind"
    if kind == "MULTI":
        raise QueryError("a PIVOT needs its columns named: PIVOT ... ON column IN ('this', 'that')")
    if kind not in _ALLOWED:
        raise QueryError(f"only SELECT is answered, and EXPLAIN; this is a statement {kind}")
    return statements[0]


@contextlib.contextmanager
def _refusals(tables: Mapping[str, Any], memory: int, sql: str = "") -> Iterator[None]:
    """DuckDB's errors as one of our own, in its words where these help; `sql` is what was asked."""
    import duckdb
    import pyarrow as pa

    from fitlog.archive.parts import told_of_part

    try:
        yield
    except duckdb.PermissionException as error:
        reason = f"only the archive's tables can be read, and nothing written: {_told(error)}"
        raise QueryError(reason) from None
    except duckdb.OutOfMemoryException:
        raise QueryError(_too_much(memory)) from None
    except duckdb.CatalogException as error:
        raise QueryError(f"{_told(error)} The tables are {', '.join(tables)}.") from None
    except duckdb.ParserException as error:
        is_incomplete = _CONDITION_ENDS.search(str(error))
        raise QueryError(_INCOMPLETE if is_incomplete else _told(error)) from None
    except duckdb.BinderException as error:
        named = _NO_COLUMN.search(str(error))
        is_quoted = named is not None and f'"{named[1]}"' in sql
        hint = f" Text stands in single quotes: '{named[1]}'." if named and is_quoted else ""
        raise QueryError(_told(error) + hint) from None
    except duckdb.Error as error:
        raise QueryError(told_of_part(error, tables.values()) or _told(error)) from None
    except (MemoryError, pa.ArrowMemoryError):
        raise QueryError(_too_much(memory)) from None
    except (pa.ArrowException, OSError, RuntimeError) as error:  # while the result is fetched
        text = str(error)
        if "Out of Memory" in text or "bad_alloc" in text:
            raise QueryError(_too_much(memory)) from None
        if text == _INTERRUPTED:
            raise KeyboardInterrupt from None
        raise QueryError(told_of_part(error, tables.values()) or _told(error)) from None


def _too_much(memory: int) -> str:
    return f"the query needs more memory than the {memory >> 20:,} MB it may take (--memory)"


def _told(error: Exception) -> str:
    """The first paragraph: behind it the query is shown, or settings that cannot be changed."""
    lines = str(error).split("\nLINE ")[0].split("\n\n")[0].splitlines()
    return " ".join(line.strip() for line in lines if line.strip())
