"""An archive, open for reading: one state of it, whatever indexers do meanwhile."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.dataset as pads

from fitlog.archive.manifest import Group, Manifest, read_manifest
from fitlog.archive.parts import read_table, reading_parts
from fitlog.archive.query import check_condition, fetch
from fitlog.archive.questions import find_question, left_out_sql, sql_of
from fitlog.archive.schema import TABLES, schema_of
from fitlog.archive.store import Store, open_store
from fitlog.choices import QUERY_BYTES, QUERY_SECONDS
from fitlog.errors import ArchiveError, SettingError

if TYPE_CHECKING:
    import pandas as pd

    from fitlog.tables import RunLog


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Archive:
    """One state of an archive, open for reading."""

    store: Store
    manifest: Manifest
    # The number of the group that holds a run, once that is asked: parts never change.
    _homes: dict[str, int] = field(default_factory=dict, init=False, repr=False)

    @property
    def url(self) -> str:
        """Where it is."""
        return self.store.url

    def query(
        self, sql: str, *, seconds: float = QUERY_SECONDS, memory: int = QUERY_BYTES
    ) -> pd.DataFrame:
        """What one SELECT over the tables gives, in DuckDB's SQL, as a DataFrame.

        Integers are Int64, and stay integers where one is missing; maps such as `best` are dicts.
        It is stopped after `seconds`, and may take so many bytes of memory. It reads the archive's
        tables and nothing else.

        Raises:
            QueryError: it is none, does what it may not, fails, or takes too much.
            SettingError: `seconds` is no time.
        """
        from fitlog.archive.frames import frame_of

        return frame_of(fetch(self.datasets(), sql, seconds=seconds, memory=memory))

    def ask(self, question: str, where: str | None = None) -> pd.DataFrame:
        """The answer to a ready question, such as 'regressions', as `query` gives it.

        `where` chooses the runs: a condition of SQL on the table `runs`. How many runs the question
        left out is in `attrs["left_out"]`, by the reason.

        Raises:
            QueryError: there is no such question, or as `query`.
        """
        asked = find_question(question)
        tables = self.datasets()
        if where is not None:
            check_condition(tables, where)
        answer = self.query(sql_of(asked, where))
        left_out = left_out_sql(asked, where)
        rows = [] if left_out is None else fetch(tables, left_out).to_pylist()
        answer.attrs["left_out"] = {row["reason"]: row["runs"] for row in rows}
        return answer

    def datasets(self) -> dict[str, Any]:
        """Each table as a data set of Arrow's, of the listed parts only, with a column `month`."""
        return {table: self.dataset(table) for table in TABLES}

    def dataset(self, table: str, groups: Sequence[Group] | None = None) -> Any:
        """A table, or its rows in some of the archive's groups, as a data set of Arrow's.

        Raises:
            SettingError: there is no such table.
        """
        _require_table(table)
        month = pa.schema([pa.field("month", pa.string())])
        schema = pa.unify_schemas([schema_of(table), month])
        form = pads.ParquetFileFormat(
            default_fragment_scan_options=pads.ParquetFragmentScanOptions(
                page_checksum_verification=True
            )
        )
        fragments = [
            form.make_fragment(
                part.path,
                filesystem=self.store.arrow(),
                partition_expression=pads.field("month") == group.month,
            )
            for group in (self.manifest.groups if groups is None else groups)
            for part in group.parts.get(table, ())
        ]
        return pads.FileSystemDataset(fragments, schema, form, self.store.arrow())

    def table(self, name: str, groups: Sequence[Group] | None = None) -> Any:
        """All rows of a table as an Arrow table; for small tables.

        Raises:
            ArchiveError: a part is missing or damaged. SettingError: there is no such table.
        """
        _require_table(name)
        groups = self.manifest.groups if groups is None else groups
        months = [
            pa.repeat(group.month, part.rows)
            for group in groups
            for part in group.parts.get(name, ())
        ]
        rows = read_table(self.store, name, groups)
        return rows.append_column("month", pa.chunked_array(months, pa.string()))

    def groups_of(self, run_ids: Sequence[str]) -> list[Group]:
        """The groups that hold these runs: nothing else need be read for them.

        Raises:
            ArchiveError: a part is missing or damaged.
        """
        if not self._homes:
            for number, group in enumerate(self.manifest.groups):
                runs = read_table(self.store, "runs", [group], columns=["run_id"])
                self._homes.update(dict.fromkeys(runs["run_id"].to_pylist(), number))
        numbers = {self._homes[run_id] for run_id in run_ids if run_id in self._homes}
        return [self.manifest.groups[number] for number in sorted(numbers)]

    def run_log(self, run_ids: str | Iterable[str], *, with_file: bool = True) -> RunLog:
        """Some runs, or one, as `read_logs` gives their logs; without `file`, as `read_log`.

        Raises:
            ArchiveError: there is no such run, or a part is missing or damaged.
        """
        from fitlog.archive.runlogs import run_log_of

        wanted, tables = self._rows_of(run_ids)
        files = list(dict.fromkeys(file for file, _ in wanted))
        return run_log_of(tables, files, wanted, with_file=with_file)

    def run_logs(self, run_ids: str | Iterable[str]) -> list[RunLog]:
        """Each of these runs as `read_log` gives it, with its `record`.

        Its name is its file's, with its number where the file holds several runs.

        Raises:
            ArchiveError: there is no such run, or a part is missing or damaged.
        """
        from fitlog.archive.runlogs import logs_of_file, record_of, rows_by_file

        wanted, tables = self._rows_of(run_ids)
        rows = {(row["file"], row["run"]): row for row in tables["runs"].to_pylist()}
        counts = Counter(file for file, _ in rows)
        runs: dict[str, list[int]] = {}
        for file, run in wanted:
            runs.setdefault(file, []).append(run)
        logs: dict[tuple[str, int], RunLog] = {}
        for file, own in rows_by_file(tables, list(runs)):
            for run, log in logs_of_file(own, file, runs[file]):
                name = file if counts[file] == 1 else f"{file} (run {run})"
                logs[file, run] = replace(log, name=name, record=record_of(rows[file, run]))
        return [logs[place] for place in wanted]

    def _rows_of(
        self, run_ids: str | Iterable[str]
    ) -> tuple[list[tuple[str, int]], dict[str, Any]]:
        """The file and number of each run, and all rows of these files by table."""
        run_ids = [run_ids] if isinstance(run_ids, str) else list(run_ids)
        groups = self.groups_of(run_ids)
        rows = self.table("runs", groups).select(["run_id", "file", "run"]).to_pylist()
        runs = {row["run_id"]: (row["file"], row["run"]) for row in rows}
        for run_id in run_ids:
            if run_id not in runs:
                raise ArchiveError(f"{self.url} holds no run {run_id}")
        wanted = [runs[run_id] for run_id in run_ids]
        files = pa.array(sorted({file for file, _ in wanted}), pa.string())
        datasets = {name: self.dataset(name, groups) for name in TABLES}
        with reading_parts(self.url, datasets.values()):
            tables = {
                name: rows.to_table(filter=pads.field("file").isin(files)).drop_columns("month")
                for name, rows in datasets.items()
            }
        return wanted, tables


def _require_table(name: str) -> None:
    if name not in TABLES:
        raise SettingError(f"an archive has no table {name!r}; its tables: {', '.join(TABLES)}")


def open_archive(url: str) -> Archive:
    """The archive at a path or URL, as it is now.

    Raises:
        ArchiveError: there is none, or it cannot be read.
    """
    store = open_store(url)
    manifest = read_manifest(store)
    if not manifest.number:
        raise ArchiveError(
            f"{store.url} is no archive: there is no manifest in it (fitlog index makes one)"
        )
    return Archive(store=store, manifest=manifest)
