"""Tables to parts and back: Parquet files that are named by their own content.

The same rows give the same bytes, and so the same name, whoever writes them and however often.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from fitlog.archive.manifest import PART_PATH, PARTS_FOLDER, Group, Part
from fitlog.archive.schema import TABLES, encodings_of, schema_of, words_of
from fitlog.archive.store import Store
from fitlog.errors import ArchiveError, DamagedPartError

# How DuckDB passes on what Arrow says while it reads.
_WHILE_READING: Final = re.compile(r"IOError:|reading the stream registered as")
_AGAIN: Final = "run fitlog index, which reads its logs again"
_REMEDY: Final = f"restore it from a copy, or remove it and {_AGAIN}"
# Of a part, so much is read at once; one run's rows are mostly in one or two of these.
ROW_GROUP_ROWS: Final = 1 << 16
_NAME_DIGITS: Final = 32
# Beside level 3: values that look random take a tenth less room for a seventh more time.
_LEVEL: Final = 9


class PartWriter:
    """One part of a table in the making: `add` rows, then `write` it.

    Rows are encoded as soon as they fill a group of rows, so that a part takes little memory. The
    same rows in the same pieces give the same bytes.
    """

    def __init__(self, table: str) -> None:
        self.rows = 0
        self._table = table
        self._waiting: list[Any] = []
        self._out = io.BytesIO()
        words: Any = words_of(table)
        self._writer = pq.ParquetWriter(
            self._out,
            schema_of(table),
            compression="zstd",
            compression_level=_LEVEL,
            use_dictionary=words,
            column_encoding=encodings_of(table),
            write_page_index=True,
            write_page_checksum=True,
        )

    def add(self, rows: Any) -> None:
        """Rows more, as an Arrow table of the table's schema."""
        self.rows += rows.num_rows
        self._waiting.append(rows)
        waiting = sum(some.num_rows for some in self._waiting)
        if waiting >= ROW_GROUP_ROWS:
            self._encode(waiting - waiting % ROW_GROUP_ROWS)

    def write(self, store: Store, month: str) -> Part:
        """Write it, with all rows that were added.

        Raises:
            ArchiveError: it cannot be written.
        """
        self._encode(ROW_GROUP_ROWS)
        self._writer.close()
        content = self._out.getvalue()
        path = f"{PARTS_FOLDER}/{self._table}/month={month}/{_digest(content)}.parquet"
        store.write(path, content)
        return Part(path=path, rows=self.rows, size=len(content))

    def _encode(self, count: int) -> None:
        """So many of the rows that wait, or all."""
        rows = pa.concat_tables(self._waiting)
        for first in range(0, min(count, rows.num_rows), ROW_GROUP_ROWS):
            some = rows.slice(first, ROW_GROUP_ROWS)
            self._writer.write_table(some.unify_dictionaries().combine_chunks())
        self._waiting = [rows.slice(count)]


def write_part(store: Store, table: str, month: str, rows: Any) -> Part:
    """Write the rows (an Arrow table of the table's schema) as one part.

    Raises:
        ArchiveError: it cannot be written.
    """
    writer = PartWriter(table)
    writer.add(rows)
    return writer.write(store, month)


def write_group(
    store: Store,
    month: str,
    tables: Mapping[str, Any],
    *,
    before: Mapping[str, Sequence[Part]] | None = None,
) -> Group:
    """Write the tables of some logs; `before` are parts of theirs that are written already.

    Raises:
        ArchiveError: a part cannot be written.
    """
    parts: dict[str, tuple[Part, ...]] = {}
    for name in TABLES:
        listed = list((before or {}).get(name, ()))
        if name in tables and tables[name].num_rows:
            listed.append(write_part(store, name, month, tables[name]))
        if listed:
            parts[name] = tuple(listed)
    sources = tables["sources"]
    return Group(
        month=month,
        first=sources["file"][0].as_py(),
        logs=sources.num_rows,
        size=sum(sources["size"].to_pylist()),
        parts=parts,
    )


def read_table(
    store: Store, table: str, groups: Iterable[Group], *, columns: Sequence[str] | None = None
) -> Any:
    """All rows of a table in some groups, in order; an empty Arrow table where there are none.

    Of all `columns`, or those named.

    Raises:
        DamagedPartError: a part is missing or damaged. ArchiveError: the store cannot be used.
    """
    schema = schema_of(table)
    if columns is not None:
        schema = pa.schema([schema.field(name) for name in columns])
    read = [
        _read_part(store, part, schema) for group in groups for part in group.parts.get(table, ())
    ]
    return pa.concat_tables([schema.empty_table(), *read]).unify_dictionaries()


def told_of_part(error: Exception, datasets: Iterable[Any]) -> str | None:
    """What is said where an error, of Arrow's or passed on by an engine, is about a part.

    Where it does not name the part, the parts of the data sets are looked through for it.
    """
    named = PART_PATH.search(str(error))
    if named:
        return _told_of(named[0])
    if isinstance(error, (OSError, pa.ArrowInvalid)) or _WHILE_READING.search(str(error)):
        path = _find_damaged(datasets)
        if path:
            return _told_of(path)
    return f"a part cannot be read: {_on_one_line(error)}" if isinstance(error, OSError) else None


def _find_damaged(datasets: Iterable[Any]) -> str | None:
    """The first part that cannot be read or is not what its name says."""
    for dataset in datasets:
        for path in getattr(dataset, "files", ()):
            try:
                with dataset.filesystem.open_input_file(path) as file:
                    is_whole = _is_whole(path, file.read())
            except OSError:
                return str(path)
            if not is_whole:
                return str(path)
    return None


@contextlib.contextmanager
def reading_part(url: str, path: str) -> Iterator[None]:
    """What Arrow cannot read of a part of an archive becomes an error that says what helps.

    Raises:
        DamagedPartError: it cannot.
    """
    try:
        yield
    except (pa.ArrowException, OSError):
        raise DamagedPartError(f"{url}: {_told_of(path)}", path) from None


@contextlib.contextmanager
def reading_parts(url: str, datasets: Iterable[Any]) -> Iterator[None]:
    """The same of all parts of some data sets.

    Raises:
        ArchiveError: as `reading_part`.
    """
    try:
        yield
    except (pa.ArrowException, OSError) as error:
        told = told_of_part(error, datasets) or _on_one_line(error)
        raise ArchiveError(f"{url}: {told}") from None


def _told_of(path: str) -> str:
    return f"the part {path} cannot be read; if it is missing or damaged, {_REMEDY}"


def _read_part(store: Store, part: Part, schema: Any) -> Any:
    """The rows of a part, of the columns of the schema."""
    try:
        content = store.read(part.path)
    except FileNotFoundError:
        how = f"is missing: restore it from a copy, or {_AGAIN}"
        raise _damaged(store, part, how) from None
    if not _is_whole(part.path, content):
        raise _damaged(store, part, f"is damaged: {_REMEDY}")
    try:
        # By this thread alone (`read_table` would start others): one of Arrow's that holds bytes of
        # Python's aborts a process that it outlives.
        file = pq.ParquetFile(pa.BufferReader(content), pre_buffer=False)
        return file.read(columns=schema.names, use_threads=False).cast(schema)
    except (pa.ArrowException, OSError) as error:
        how = f"is damaged ({_on_one_line(error)}): {_REMEDY}"
        raise _damaged(store, part, how) from None


def _damaged(store: Store, part: Part, how: str) -> DamagedPartError:
    return DamagedPartError(f"{store.url}: the part {part.path} {how}", part.path)


def _is_whole(path: str, content: bytes) -> bool:
    """Whether a part is what its name says."""
    return path.endswith(f"/{_digest(content)}.parquet")


def _digest(content: bytes) -> str:
    return hashlib.blake2b(content).hexdigest()[:_NAME_DIGITS]


def _on_one_line(error: Exception) -> str:
    return " ".join(str(error).split())
