"""The ways to read a log that the fuzzer compares: whatever the way, the tables are the same."""

from __future__ import annotations

import random
import tempfile
import warnings
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Final
from unittest.mock import patch

import pandas as pd

from bothways import Tables, by_rules, cut, in_bulk, tables
from fitlog import RunLog, read_log, read_logs
from fitlog.doctor import examine, format_examination
from fitlog.errors import FitlogError, NoRecordsError
from fitlog.follow import follow_table
from fitlog.hparams import parse_hparams
from fitlog.reading import read_columns
from fitlog.streams import TableStream
from fitlog.tables import ROW_TABLES, TABLES, build_tables
from fitlog_parsers import Finding
from mutated import DIALECT_FILE, make_log, mutate

_COMPRESSED: Final = (b"\x1f\x8b", b"\xfd7zXZ\x00", b"BZh", b"\x28\xb5\x2f\xfd")
_MEGABYTE: Final = 1 << 20
_OF_ANY_TEXT: Final = ("unparsed", "warnings")
_NO_RECORD: Final = "no record"

Shown = list[tuple[str, ...]]
Way = Callable[[bytes, random.Random], None]


class ReadersDifferError(Exception):
    """Two ways to read a log give different tables."""


def check_log(data: bytes, source: random.Random) -> None:
    """Read a log by the rules, in bulk, and in one way more."""
    whole = read_whole(data, bulk=False)
    compare(whole, read_whole(data, bulk=True), "in bulk")
    ways = (in_parts, together) if data.startswith(_COMPRESSED) else WAYS
    source.choice(ways)(data, source)


def check_in_every_way(data: bytes, source: random.Random) -> None:
    """Read a log in all ways, many times those that are drawn."""
    for _ in range(100):
        check_log(data, source)


def check_dialect(data: bytes, source: random.Random) -> None:
    """Load a dialect's file and, if it is one, read its log with it in both ways."""
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a pattern may be doubtful and still be one
        path = Path(folder) / "own.toml"
        path.write_bytes(data)
        log = mutate(DIALECT_FILE.with_suffix(".log").read_bytes(), source)
        try:
            whole = read_columns([log], dialect_file=path)
        except FitlogError:
            return
        bulk = read_columns([log], dialect_file=path, bulk=True)
    compare(tables(whole), tables(bulk), "in bulk")


def read_whole(data: bytes, *, bulk: bool) -> Tables | str:
    """All that is read of a log, or why it is refused."""
    try:
        columns = read_columns([data], bulk=bulk)
    except FitlogError as error:
        return str(error)
    found = tables(columns)
    if not bulk:
        return found
    log = build_tables(columns, with_file=False)  # what `read_log` does
    format_examination(examine(log))
    for text in log.events["text"]:
        if "Namespace(" in text and ")" in text:
            parse_hparams(text)
    return found


def in_pieces(data: bytes, source: random.Random) -> None:
    """Pieces that end anywhere."""
    whole = read_whole(data, bulk=False)
    if isinstance(whole, str):
        return
    pieces = some_pieces(data, source)
    compare(whole, by_rules(pieces), "in pieces")
    compare(whole, in_bulk(pieces), "in bulk and pieces")


def in_parts(data: bytes, source: random.Random) -> None:
    """Tables by themselves, part by part and in one frame."""
    log = read_alone(data)
    most = [_MEGABYTE]
    if not data.startswith(_COMPRESSED):  # how much is read before damage depends on the parts
        most += [len(data) // 7 + 1, len(data) // 2 + 1]
    for table in source.sample(TABLES, 3):
        expected = log if isinstance(log, str) else shown([getattr(log, table)])
        if isinstance(log, RunLog) and not log.has_records and table not in _OF_ANY_TEXT:
            expected = _NO_RECORD
        found, _ = streamed(data, table, whole=True)
        compare({table: expected}, {table: found}, "as a whole")
        with patch("fitlog.reading._PART_BYTES", source.choice(most)):
            found, counts = streamed(data, table, whole=False)
        compare({table: expected}, {table: found}, "in parts")
        if isinstance(log, RunLog) and expected != _NO_RECORD:
            rows = {"unparsed": len(log.unparsed), "warnings": len(log.warnings)}
            compare(rows, counts, f"where rows are counted beside {table}")


def together(data: bytes, source: random.Random) -> None:
    """With other logs in one call, each as alone."""
    texts = [data, *(make_log(source) for _ in range(source.randrange(1, 4)))]
    source.shuffle(texts)
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder) / f"{number}.log" for number in range(len(texts))]
        for path, text in zip(paths, texts, strict=True):
            path.write_bytes(text)
        alone = [read_alone(path) for path in paths]
        try:
            logs: RunLog | str = read_logs(paths)
        except FitlogError as error:
            logs = str(error)
    refused = [each for each in alone if isinstance(each, str)]
    if refused or isinstance(logs, str):
        compare({"error": refused[:1]}, {"error": [logs] * isinstance(logs, str)}, "together")
        return
    for table in source.sample(TABLES, 3):
        frame = getattr(logs, table)
        for path, each in zip(paths, alone, strict=True):
            mine = frame[frame["file"] == str(path)].drop(columns="file")
            assert isinstance(each, RunLog)
            expected = shown([with_values(getattr(each, table))])
            compare({table: expected}, {table: shown([with_values(mine)])}, "together")


def followed(data: bytes, source: random.Random) -> None:
    """As it grows, a piece at a time."""
    whole = read_alone(data)
    table = source.choice(sorted(ROW_TABLES))
    pieces = iter(some_pieces(data, source))
    findings: list[Finding] = []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "run.log"
        path.write_bytes(next(pieces))

        def more() -> bool:
            piece = next(pieces, None)
            with path.open("ab") as file:
                file.write(piece or b"")
            return piece is not None

        found = shown(follow_table(path, table, wait=more, report=findings.append))
    if isinstance(whole, str):  # binary data are no less followed
        return
    told = read_columns([data], bulk=False).findings
    compare({table: shown([getattr(whole, table)])}, {table: found}, "as it grows")
    compare(
        {"findings": sorted(map(repr, (finding for _, finding in told)))},
        {"findings": sorted(map(repr, findings))},
        "as it grows",
    )


WAYS: Final[tuple[Way, ...]] = (in_pieces, in_parts, together, followed)


def compare(expected: Tables | str, found: Tables | str, how: str) -> None:
    """Raise an error that names the first column which differs."""
    if isinstance(expected, str) or isinstance(found, str):
        differing = [] if expected == found else [str(expected)[:200], str(found)[:200]]
    else:
        differing = [name for name in expected if expected[name] != found[name]]
    if differing:
        raise ReadersDifferError(f"read differently {how}: {differing}")


def some_pieces(data: bytes, source: random.Random) -> list[bytes]:
    """The text, cut at a few places."""
    return cut(data, [source.randrange(len(data) + 1) for _ in range(source.randrange(1, 6))])


def read_alone(log: bytes | Path) -> RunLog | str:
    """The tables, or why there are none."""
    try:
        return read_log(log)
    except FitlogError as error:
        return str(error)


def streamed(data: bytes, table: str, *, whole: bool) -> tuple[Shown | str, Tables]:
    """The rows of all frames, or why there are none; and what the stream counted."""
    try:
        stream = TableStream([data], table, with_file=False, whole=whole)
        found = shown(stream)
    except NoRecordsError:
        return _NO_RECORD, {}
    except FitlogError as error:
        return str(error), {}
    return found, {"unparsed": stream.unparsed, "warnings": stream.warnings}


def shown(frames: Iterable[pd.DataFrame]) -> Shown:
    """The columns and all rows as text, each number as it reads back."""
    return list(_rows(frames))


def _rows(frames: Iterable[pd.DataFrame]) -> Iterator[tuple[str, ...]]:
    head: tuple[str, ...] | None = None
    for frame in frames:
        columns = (*map(str, frame.columns), *map(str, frame.dtypes))
        if columns != head:
            yield columns
        head = columns
        yield from (tuple(map(str, row)) for row in frame.itertuples(index=False))


def with_values(frame: pd.DataFrame) -> pd.DataFrame:
    """The frame without the columns that are empty: other logs may have those."""
    full = frame.dropna(axis="columns", how="all")
    return full[sorted(full.columns)]
