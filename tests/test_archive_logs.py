"""What becomes of logs that cannot be read for a moment, are gone, or are written anew."""

from __future__ import annotations

import contextlib
import errno
import gzip
import io
import os
from pathlib import Path
from typing import Any

import pytest
from fsspec.implementations.local import LocalFileSystem

from archives import log_lines, rows_of, take_small_logs_for_large, write_log, write_logs
from fitlog.archive import growing, indexing, opening
from fitlog.archive.engines import Here
from fitlog.archive.indexing import Indexed, index
from fitlog.archive.manifest import manifest_numbers
from fitlog.archive.reading import open_archive
from fitlog.archive.store import open_store
from fitlog_parsers.bulk import BulkReader
from support import Fitlog


def index_again(folder: Path, **options: Any) -> Indexed:
    return index([str(folder / "logs")], str(folder / "archive"), **options)


@pytest.fixture
def large(monkeypatch: pytest.MonkeyPatch) -> None:
    """A log of more than 1,000 bytes is a large one."""
    take_small_logs_for_large(monkeypatch)
    monkeypatch.setattr(indexing, "LARGE_BYTES", 1000)


def logged(archive: Path) -> dict[str, Any]:
    """All rows, and of what is known of the logs their sizes and digests."""
    sources = open_archive(str(archive)).table("sources").to_pylist()
    known = {row["file"]: (row["size"], row["digest"]) for row in sources}
    return {**rows_of(archive), "sources": known}


def grow(log: Path, *, epochs: int = 3) -> None:
    with log.open("a") as file:
        file.writelines(log_lines(epochs=epochs, reports=6, first=2))


def test_a_log_that_cannot_be_opened_for_a_moment_keeps_its_rows_and_is_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    logs = write_logs(tmp_path / "logs", 3)
    index_again(tmp_path)
    before = rows_of(tmp_path / "archive")
    grow(logs[0])
    grow(logs[1])
    read = LocalFileSystem.cat_file

    def slowed_down(self: Any, path: str, *args: Any, **options: Any) -> Any:
        if path.endswith(("000.log", "001.log")):
            raise RuntimeError("SlowDown: please reduce\nyour request rate")
        return read(self, path, *args, **options)

    with monkeypatch.context() as patch:
        patch.setattr(LocalFileSystem, "cat_file", slowed_down)
        slow = index_again(tmp_path)
        kept = rows_of(tmp_path / "archive")
    again = index_again(tmp_path)
    index([str(tmp_path / "logs")], str(tmp_path / "whole"))

    reason = "cannot be opened: SlowDown: please reduce your request rate"
    assert slow.refused == ((str(logs[0]), reason), (str(logs[1]), reason))
    assert (slow.read, slow.unchanged, slow.runs) == (0, 1, 3)
    assert kept == before
    assert (again.read, again.unchanged, again.refused) == (2, 1, ())
    assert rows_of(tmp_path / "archive") == rows_of(tmp_path / "whole")


class Failing(io.BytesIO):
    """A file that is read as far as its disk goes."""

    def read(self, size: int | None = -1, /) -> bytes:
        """What is asked for, unless it lies far behind."""
        if self.tell() > 800:
            raise OSError(errno.EIO, "Input/output error")
        return super().read(size)


@pytest.mark.usefixtures("large")
@pytest.mark.parametrize("name", ["large.log", "large.log.gz"])
@pytest.mark.parametrize("split", [4000, 1 << 30])
def test_a_large_log_that_fails_halfway_keeps_its_rows_and_stops_no_other(
    name: str, split: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(indexing, "SPLIT_BYTES", split)
    text = "".join(log_lines(epochs=8, reports=6)).encode()
    large, other = tmp_path / "logs" / name, write_log(tmp_path / "logs" / "other.log")
    large.write_bytes(gzip.compress(text) if name.endswith(".gz") else text)
    index_again(tmp_path)
    before = rows_of(tmp_path / "archive")["runs"]
    text += "".join(log_lines(epochs=20, reports=6, first=8)).encode()
    large.write_bytes(gzip.compress(text) if name.endswith(".gz") else text)
    write_log(other, epochs=1)
    opened = LocalFileSystem._open

    def failing(self: Any, path: str, *args: Any, **options: Any) -> Any:
        if path == str(large):
            return Failing(large.read_bytes())
        return opened(self, path, *args, **options)

    with monkeypatch.context() as patch:
        patch.setattr(LocalFileSystem, "_open", failing)
        failed = index_again(tmp_path)
    kept = rows_of(tmp_path / "archive")["runs"]
    again = index_again(tmp_path)
    index([str(tmp_path / "logs")], str(tmp_path / "whole"))

    assert failed.refused == ((str(large), "cannot be read: input/output error"),)
    assert (failed.read, failed.runs) == (1, 2)
    assert [row for row in kept if name in row] == [row for row in before if name in row]
    assert (again.read, again.refused) == (1, ())
    assert logged(tmp_path / "archive") == logged(tmp_path / "whole")


def test_a_log_whose_run_json_cannot_be_read_for_a_moment_keeps_what_is_known(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = write_log(tmp_path / "logs" / "run.log")
    record = log.with_name("run.json")
    record.write_text('{"schema": 1, "arguments": {"network": "lenet"}}')
    index_again(tmp_path)
    grow(log)
    read = LocalFileSystem.cat_file

    def closed(self: Any, path: str, *args: Any, **options: Any) -> Any:
        if path.endswith("run.json"):
            raise PermissionError(errno.EACCES, "Permission denied")
        return read(self, path, *args, **options)

    with monkeypatch.context() as patch:
        patch.setattr(LocalFileSystem, "cat_file", closed)
        failed = index_again(tmp_path)
    again = index_again(tmp_path)
    (row,) = open_archive(str(tmp_path / "archive")).table("runs").to_pylist()

    assert failed.refused == ((str(log), f"{record} cannot be read: permission denied"),)
    assert (failed.runs, again.read) == (1, 1)
    assert (row["network"], row["epochs"]) == ("lenet", 3)


@pytest.mark.usefixtures("large")
def test_a_log_that_is_read_in_pieces_is_read_once_and_known_by_its_content(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = write_log(tmp_path / "logs" / "one.log", epochs=40)
    size = log.stat().st_size
    monkeypatch.setattr(opening, "BLOCK_BYTES", 500)
    monkeypatch.setattr(growing, "_LAST_BYTES", 2000)
    index([str(tmp_path / "logs")], str(tmp_path / "whole"))
    monkeypatch.setattr(indexing, "SPLIT_BYTES", size // 5)
    read: list[int] = []
    readinto = opening.Named.readinto

    def counted(self: Any, buffer: Any, /) -> int:
        read.append(readinto(self, buffer))
        return read[-1]

    monkeypatch.setattr(opening.Named, "readinto", counted)
    index_again(tmp_path)
    once = sum(read)
    os.utime(log, (1, 1))
    touched = index_again(tmp_path)

    assert len(manifest_numbers(open_store(str(tmp_path / "archive")))) > 5
    assert size <= once < 1.5 * size  # a little before each place is read anew
    assert logged(tmp_path / "archive") == logged(tmp_path / "whole")
    assert (touched.read, touched.unchanged, sum(read)) == (0, 1, once)


@pytest.mark.parametrize(
    "record",
    [
        '"arguments": ' + '{"a": ' * 500 + "1" + "}" * 500,
        '"arguments": ' + '{"a": ' * 990 + "1" + "}" * 990,
        '"start": "9999-12-31T23:59:59.9999999+00:00", "end": "0001-01-01T00:00:00+14:00"',
    ],
)
def test_a_run_json_that_cannot_be_used_stops_nothing(
    record: str, tmp_path: Path, fitlog: Fitlog
) -> None:
    write_log(tmp_path / "logs" / "other.log")
    log = write_log(tmp_path / "logs" / "run.log")
    undated = [line[24:] for line in log_lines(epochs=3, reports=6)]
    log.write_text("".join(undated))
    log.with_name("run.json").write_text(f'{{"schema": 1, {record}}}')
    done = fitlog("index", "logs", "-o", "archive")
    compared = fitlog("compare", "archive")
    asked = fitlog("query", "archive", "FROM runs")

    assert [done.stderr, compared.stderr, asked.stderr] == [""] * 3
    assert (done.returncode, compared.returncode, asked.returncode) == (0, 0, 0)


class Stopping(Here):
    """Stops when it is asked for the second time."""

    asked = 0

    def run(self, do: Any, tasks: Any) -> Any:
        """The results of what is asked for first."""
        self.asked += 1
        if self.asked > 1:
            raise KeyboardInterrupt
        return super().run(do, tasks)


@pytest.mark.usefixtures("large")
@pytest.mark.parametrize("dated", [True, False])
def test_a_very_large_log_whose_record_has_changed_is_gone_on_with(
    dated: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = "".join(line[0 if dated else 24 :] for line in log_lines(epochs=40, reports=6))
    log, record = tmp_path / "logs" / "run.log", tmp_path / "logs" / "run.json"
    log.parent.mkdir()
    log.write_text(lines)
    monkeypatch.setattr(growing, "_LAST_BYTES", 2000)
    monkeypatch.setattr(indexing, "SPLIT_BYTES", len(lines) // 4)
    fed: list[int] = []
    feed = BulkReader.feed

    def counted(self: BulkReader, piece: bytes) -> None:
        fed.append(len(piece))
        feed(self, piece)

    monkeypatch.setattr(BulkReader, "feed", counted)
    begun = '"start": "2026-01-31T23:00:00+00:00"'
    for text in (f'"status": "running", {begun}', f'"status": "finished", {begun}'):
        record.write_text(f'{{"schema": 1, {text}}}')
        fed.clear()
        index_again(tmp_path)
    assert 0 < sum(fed) < len(lines) / 4
    record.write_text('{"schema": 1, "start": "2026-03-31T23:00:00+00:00"}')
    with contextlib.suppress(KeyboardInterrupt):
        index_again(tmp_path, engine=Stopping())
    kept = open_archive(str(tmp_path / "archive")).table("speed").num_rows
    index_again(tmp_path)
    index([str(tmp_path / "logs")], str(tmp_path / "whole"))

    assert kept == lines.count("Speed")
    assert logged(tmp_path / "archive") == logged(tmp_path / "whole")


def test_a_log_that_is_back_as_it_was_is_not_read_again(tmp_path: Path) -> None:
    log, _ = write_logs(tmp_path / "logs", 2)
    index_again(tmp_path)
    log.rename(tmp_path / "away")
    gone = index_again(tmp_path)
    (tmp_path / "away").rename(log)
    back = index_again(tmp_path)
    index([str(tmp_path / "logs")], str(tmp_path / "whole"))

    assert (gone.gone, back.read, back.unchanged) == (1, 0, 2)
    assert logged(tmp_path / "archive") == logged(tmp_path / "whole")


@pytest.mark.parametrize("is_large", [True, False])
def test_what_is_lost_of_logs_that_are_written_anew_is_told(
    is_large: bool, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    if is_large:
        request.getfixturevalue("large")
    names = ("grown", "truncated", "nightly", "touched", "recorded", "bad")
    logs = {name: write_log(tmp_path / "logs" / name / "run.log", epochs=4) for name in names}
    index_again(tmp_path)
    grow(logs["grown"], epochs=6)
    write_log(logs["truncated"], epochs=3)
    write_log(logs["nightly"], epochs=5, seed=1)
    os.utime(logs["touched"], (1, 1))
    logs["recorded"].with_name("run.json").write_text('{"schema": 1}')
    logs["bad"].write_bytes(bytes(range(256)) * 10)
    again, once_more = index_again(tmp_path), index_again(tmp_path)

    assert (again.read, again.unchanged, len(again.refused)) == (4, 1, 1)
    assert (again.anew, again.earlier_runs) == (3, 3)
    assert (once_more.anew, once_more.unchanged, once_more.refused_before) == (0, 5, 1)


def test_the_summary_of_a_log_that_is_written_anew(tmp_path: Path, fitlog: Fitlog) -> None:
    log = write_log(tmp_path / "logs" / "nightly.log")
    fitlog("index", "logs", "-o", "archive")
    write_log(log, seed=1)
    done = fitlog("index", "logs", "-o", "archive")

    assert done.stdout.splitlines()[0] == (
        "read 1 log (0.0 MB); 0 as they were; 1 written anew (1 earlier run is replaced)"
    )
