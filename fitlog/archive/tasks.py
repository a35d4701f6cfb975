"""One task: some logs are read and written as groups of parts, by whatever process.

It depends on nothing but the logs and their records, so that it may be done again, by another
worker too, and gives the same parts under the same names.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import IO, Any, Final, cast

import numpy as np
import pyarrow as pa

from fitlog.archive.earlier import parts_before, rows_before
from fitlog.archive.gathering import Gathering
from fitlog.archive.growing import GrowingLog, Stand, can_be_resumed, is_still
from fitlog.archive.manifest import UNKNOWN, Group, Part
from fitlog.archive.opening import ClosedLogError, Named, open_all, read_beside
from fitlog.archive.parts import PartWriter, write_group
from fitlog.archive.rows import line_tables, printed, words
from fitlog.archive.runrows import moment_of
from fitlog.archive.schema import READS, TABLES, schema_of
from fitlog.archive.store import Store, open_store
from fitlog.errors import DamagedPartError, LogError
from fitlog.reading import read_parts
from fitlog.run_folder import SCHEMA as RECORD_SCHEMA
from fitlog.streams import no_records
from fitlog_parsers.columns import Columns

# A log that is larger is not held in memory.
LARGE_BYTES: Final = 4 << 20
_MOST_BYTES: Final = 1 << 62
# A table's rows are written as a part when they are so many.
_PART_ROWS: Final = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Log:
    """A log to be read, as it was found: `version` tells a change besides the size.

    `modified` is when it was changed (seconds since 1970). `record` is the path or URL of the
    run.json beside it, `record_version` its size and version; both are empty where there is none.
    `digest` is that of the `digested` bytes which the archive has, empty for a new log: if nothing
    else has changed, as far as is told (`touched`), the same content is not read again. A large log
    that has grown is read on from `stand`, and what the archive has of it is in `group`. Of one
    that is very large, only what is before the byte `until` is read now, if that is not 0: as if it
    were to grow.
    """

    file: str
    size: int
    version: str
    modified: float = 0.0
    record: str = ""
    record_version: str = ""
    digest: str = ""
    digested: int = 0
    touched: bool = False
    stand: Stand | None = None
    group: Group | None = None
    until: int = 0

    @property
    def to_read(self) -> int:
        """The bytes that are to be read of it."""
        return (self.until or self.size) - (self.stand.offset if self.stand else 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """Logs to be read together, for the archive at `archive`."""

    archive: str
    logs: tuple[Log, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """What became of a task: its groups, and the logs that are not in them.

    The archive has the content of the `same` ones already; the `closed` ones, each with the reason,
    cannot be opened or read just now: what the archive has of them stays. Those written `anew` do
    not begin with what the archive had of them.
    """

    groups: tuple[Group, ...]
    same: tuple[Log, ...]
    closed: tuple[tuple[str, str], ...]
    anew: tuple[str, ...]


def read_task(task: Task) -> Done:
    """Read the logs and write what they hold.

    Raises:
        ArchiveError: the archive cannot be written.
    """
    store = open_store(task.archive)
    try:
        return _Reading(store, task.logs).read()
    except DamagedPartError:  # of what the archive has of a log that has grown: it is read whole
        logs = (replace(log, digest="", stand=None, group=None) for log in task.logs)
        return _Reading(store, tuple(logs)).read()


class _Reading:
    """Reads the logs of one task."""

    def __init__(self, store: Store, logs: tuple[Log, ...]) -> None:
        self._store, self._logs = store, {log.file: log for log in logs}
        self._reasons: dict[str, str] = {}
        self._same: list[Log] = []
        self._closed: list[tuple[str, str]] = []
        self._anew: list[str] = []
        self._stands: dict[str, str] = {}
        self._read_until: dict[str, int] = {}
        # Of each table the last line that is in parts which stay as they are.
        self._kept_lines: dict[str, int] = {}
        self._opened: list[Named] = []
        self._records: dict[str, dict[str, Any]] = {}
        self._gathering = Gathering(self._records)
        self._months: dict[int, str] = {}
        # By month and table, the part in the making and those that are written; by month the logs.
        self._parts: dict[str, dict[str, PartWriter]] = {}
        self._written: dict[str, dict[str, list[Part]]] = {}
        self._sources: dict[str, Any] = {}

    def read(self) -> Done:
        """Read and write them all."""
        self._read_records()
        groups: tuple[Group, ...] = ()
        try:
            groups = self._groups()
        except ClosedLogError as error:  # a large log, which is alone
            self._note_closed(error)
        finally:
            for named in self._opened:
                named.file.close()
        return Done(
            groups=groups,
            same=tuple(self._same),
            closed=tuple(self._closed),
            anew=tuple(self._anew),
        )

    def _groups(self) -> tuple[Group, ...]:
        columns, waiting = Columns(), []
        for columns in self._read():
            self._gathering.add(columns)
            tables = self._new_rows(columns)
            # A text that was not read tells no date: the month is that of rows.
            if "unparsed" in tables:
                waiting.append(tables.pop("unparsed"))
            self._keep(tables, columns)
        self._note_recordless(columns)
        last = self._gathering.end(columns)
        self._keep({"unparsed": pa.concat_tables(waiting), **last} if waiting else last, columns)
        if self._logs:
            self._keep({"sources": self._source_rows(columns)}, columns)
        return tuple(self._write(month) for month in sorted(self._sources))

    def _read(self) -> Iterator[Columns]:
        """What is read, about a megabyte at a time."""
        opened = self._open()
        if len(opened) == 1 and self._logs[opened[0].name].size > LARGE_BYTES:
            named = opened[0]
            if can_be_resumed(named.file):
                yield from self._read_growing(named)
                return
        yield from read_parts([cast("IO[bytes]", named) for named in opened], refused=self._refuse)
        for named in opened:
            named.read_rest()

    def _read_growing(self, named: Named) -> Iterator[Columns]:
        log, codes = self._logs[named.name], dict[str, int]()
        size = log.until or log.size
        # Of a log without dates the record may tell another month now.
        month = month_of(None, self._records.get(log.file, {}))
        is_here = log.group is not None and month in (UNKNOWN, log.group.month)
        stand = log.stand if is_here else None
        if stand and not is_still(named.file, stand):
            self._anew.append(printed(log.file))
            stand = None
        try:
            growing = GrowingLog(named, size=size, start=stand, codes=codes)
        except ValueError:  # no memory of this parser's: it is read whole
            stand, growing = None, GrowingLog(named, size=size, start=None, codes=codes)
        if stand and log.group:
            yield from self._rows_before(log.group, log.file, stand.lines, codes)
        try:
            yield from growing
        except LogError as error:
            self._refuse(log.file, error)
        if log.until:
            self._read_until[log.file] = log.until
        if growing.stand:
            self._stands[log.file] = growing.stand.as_text()

    def _rows_before(
        self, group: Group, file: str, lines: int, codes: dict[str, int]
    ) -> Iterator[Columns]:
        """What the archive has of a log's first lines; parts with nothing else stay as they are."""
        kept = parts_before(self._store, group, lines)
        self._months[0] = group.month
        self._written[group.month] = {table: list(parts) for table, (parts, _) in kept.items()}
        self._kept_lines = {table: line for table, (_, line) in kept.items()}
        yield from rows_before(self._store, group, file, lines, codes)
        self._kept_lines = {}

    def _new_rows(self, columns: Columns) -> dict[str, Any]:
        """The rows, without those that are in parts which stay as they are."""
        kept = self._kept_lines
        if not kept:
            return line_tables(columns)
        last = {
            "speed": max(columns.speed.line, default=0),
            "metrics": max(columns.metrics.line, default=0),
            "events": max(columns.events.line, default=0),
            "unparsed": max((piece.line for _, piece in columns.unparsed), default=0),
        }
        tables = line_tables(columns, {name for name in last if last[name] > kept.get(name, 0)})
        return {
            name: rows.filter(pa.array(rows["line"].to_numpy() > kept.get(name, 0)))
            for name, rows in tables.items()
        }

    def _open(self) -> list[Named]:
        """The logs, open, without those that the archive has already."""
        small = {file for file, log in self._logs.items() if log.size <= LARGE_BYTES}
        for file, opened in open_all(list(self._logs), small):
            if isinstance(opened, ClosedLogError):
                self._note_closed(opened)
            elif self._is_known(opened):
                opened.file.close()
                self._same.append(self._logs.pop(file))
            else:
                self._opened.append(opened)
        order = {file: number for number, file in enumerate(self._logs)}
        self._opened.sort(key=lambda named: order[named.name])
        return self._opened

    def _is_known(self, named: Named) -> bool:
        """Whether the archive has this very content; if not, it is at its beginning again."""
        log = self._logs[named.name]
        if not log.digest or (log.stand and log.size >= log.digested):
            return False
        # A server may not tell how much there is.
        is_there = named.digest_of(log.digested or _MOST_BYTES) == log.digest
        if not is_there and log.digested:
            self._anew.append(printed(log.file))
        return is_there and log.touched

    def _read_records(self) -> None:
        """The run.json beside the logs; one that is damaged is as good as none."""
        for log in [log for log in self._logs.values() if log.record]:
            try:
                record = json.loads(read_beside(log.record, log.file) or b"null")
            except ClosedLogError as error:
                self._note_closed(error)
                continue
            except (ValueError, RecursionError):
                continue
            if isinstance(record, dict) and record.get("schema") == RECORD_SCHEMA:
                self._records[log.file] = record

    def _note_closed(self, error: ClosedLogError) -> None:
        file = str(error.path)
        self._closed.append((printed(file), _without_place(error, file)))
        del self._logs[file]

    def _refuse(self, file: str, error: LogError) -> None:
        if isinstance(error, ClosedLogError):
            raise error
        self._reasons[file] = _without_place(error, file)

    def _note_recordless(self, columns: Columns) -> None:
        """A readable text without a record is no log of a training."""
        with_records = {file for file, _ in self._gathering.runs}
        for number, file in enumerate(columns.files):
            if number not in with_records and file not in self._reasons:
                lines = columns.file_lines[number] if number < len(columns.file_lines) else 0
                self._reasons[file] = _without_place(no_records(file, lines, ""), file)

    def _keep(self, tables: Mapping[str, Any], columns: Columns) -> None:
        """Keep the rows by the month of their file, and write what has grown large."""
        for name, table in tables.items():
            if not table.num_rows:
                continue
            numbers = _numbers(table["file"])
            months = {int(n): self._month(int(n), columns) for n in np.unique(numbers)}
            every = sorted(set(months.values()))
            if len(every) == 1:
                self._add(every[0], name, table)
                continue
            codes = np.zeros(len(columns.files) + len(self._logs), dtype="i4")
            for number, month in months.items():
                codes[number] = every.index(month)
            for code, month in enumerate(every):
                self._add(month, name, table.filter(pa.array(codes[numbers] == code)))

    def _add(self, month: str, name: str, rows: Any) -> None:
        if name == "sources":
            self._sources[month] = rows
            return
        making = self._parts.setdefault(month, {})
        if name not in making:
            making[name] = PartWriter(name)
        making[name].add(rows)
        if making[name].rows >= _PART_ROWS:
            self._write_part(month, name)

    def _write_part(self, month: str, name: str) -> None:
        part = self._parts[month].pop(name).write(self._store, month)
        self._written.setdefault(month, {}).setdefault(name, []).append(part)

    def _month(self, number: int, columns: Columns) -> str:
        if number not in self._months:
            date = self._gathering.date_of(number)
            # One of which nothing could be read is not among the files, and has no rows.
            file = columns.files[number] if number < len(columns.files) else ""
            self._months[number] = month_of(date, self._records.get(file, {}))
        return self._months[number]

    def _source_rows(self, columns: Columns) -> Any:
        """One row for each log, in order."""
        runs: dict[str, int] = {}
        for number, run in self._gathering.runs:
            file = columns.files[number]
            runs[file] = max(runs.get(file, 0), run + 1)
        lines = dict(zip(columns.files, columns.file_lines, strict=False))
        dialects = dict(zip(columns.files, columns.file_dialects, strict=False))
        opened = {named.name: named for named in self._opened}
        names = list(columns.files)
        rows: dict[str, list[Any]] = {name: [] for name in TABLES["sources"]}
        for log in self._logs.values():
            if log.file not in names:
                names.append(log.file)
            row = {
                "file": names.index(log.file),
                # Of what it is known by, the digest is of what was read, the rest was found before:
                # a log that has grown meanwhile is read again.
                "size": self._read_until.get(log.file, log.size),
                "version": log.version,
                "record": log.record_version,
                "digest": opened[log.file].digest.hexdigest(),
                "reads": READS,
                "runs": runs.get(log.file, 0),
                "lines": lines.get(log.file, 0),
                "dialects": sorted(dialects.get(log.file, {}).items()),
                "reason": self._reasons.get(log.file),
                "deleted": None,
                "state": self._stands.get(log.file),
            }
            for key, value in row.items():
                rows[key].append(value)
        schema = schema_of("sources")
        return pa.Table.from_arrays(
            [
                words(rows["file"], names)
                if field.name == "file"
                else pa.array(rows[field.name], field.type)
                for field in schema
            ],
            schema=schema,
        )

    def _write(self, month: str) -> Group:
        for name in list(self._parts.get(month, ())):
            self._write_part(month, name)
        tables = {"sources": self._sources[month]}
        return write_group(self._store, month, tables, before=self._written.get(month))


def month_of(date: int | None, record: Mapping[str, Any]) -> str:
    """The month of a log by its first date (microseconds since 1970), else by its record."""
    if date is None:
        date = moment_of(record.get("start"))
    return UNKNOWN if date is None else str(np.datetime64(date, "us").astype("datetime64[M]"))


def _numbers(file: Any) -> Any:
    """The numbers of files in a column of their names."""
    chunks = file.chunks if isinstance(file, pa.ChunkedArray) else [file]
    return np.concatenate([chunk.indices.to_numpy() for chunk in chunks])


def _without_place(error: LogError, file: str) -> str:
    """What is wrong with a file that is named elsewhere."""
    return printed(str(error).removesuffix(f" ({file})"))
