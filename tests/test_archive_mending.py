"""Archives with damaged parts are mended: what can be read is kept, what is lost is told."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

import pytest
from fsspec.implementations.local import LocalFileSystem

from archives import log_lines, part_of, rows_of, take_small_logs_for_large, write_log
from fitlog.archive.indexing import Damage, index
from fitlog.archive.reading import open_archive
from fitlog.errors import ArchiveError
from support import Fitlog


def test_a_large_log_whose_part_is_damaged_is_read_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    take_small_logs_for_large(monkeypatch)
    log = write_log(tmp_path / "logs" / "one.log", epochs=10)
    archive = tmp_path / "archive"
    index([str(log)], str(archive))
    scratch(part_of(archive, "speed"))
    with log.open("a") as file:
        file.writelines(log_lines(epochs=12, reports=6, first=10))
    index([str(log)], str(archive))
    index([str(log)], str(tmp_path / "whole"))

    assert rows_of(archive) == rows_of(tmp_path / "whole")


def scratch(part: Path) -> None:
    """Make it another part of the same length."""
    content = part.read_bytes()
    part.write_bytes(content[:9] + b"\xff" * 99 + content[108:])


@pytest.fixture
def group(tmp_path: Path) -> tuple[Path, list[Path]]:
    """An archive of one group, and its four logs."""
    logs = [write_log(tmp_path / "logs" / f"{i}.log", seed=3 * i) for i in range(4)]
    index([str(tmp_path / "logs")], str(tmp_path / "archive"))
    return tmp_path / "archive", logs


def grow(log: Path) -> None:
    with log.open("a") as file:
        file.writelines(log_lines(epochs=3, reports=6, first=2))


@pytest.mark.parametrize("table", ["speed", "runs", "sources"])
@pytest.mark.parametrize("damage", ["missing", "cut", "within"])
def test_a_group_with_a_damaged_part_is_read_again_where_its_logs_are_there(
    table: str, damage: str, group: tuple[Path, list[Path]], tmp_path: Path
) -> None:
    archive, logs = group
    part = part_of(archive, table)
    if damage == "missing":
        part.unlink()
    elif damage == "cut":
        part.write_bytes(part.read_bytes()[:-50])
    else:
        scratch(part)
        grow(logs[0])
    write_log(tmp_path / "logs" / "new.log", seed=7)
    done = index([str(tmp_path / "logs")], str(archive))
    again = index([str(tmp_path / "logs")], str(archive))
    index([str(tmp_path / "logs")], str(tmp_path / "whole"))

    assert rows_of(archive) == rows_of(tmp_path / "whole")
    path = str(part.relative_to(archive))
    assert done.damaged == (Damage(part=path, logs=4, lost=0, unnamed=0),)
    assert (done.read, done.unchanged, done.refused) == (5, 0, ())
    assert (again.read, again.unchanged, again.damaged) == (0, 5, ())


@pytest.mark.parametrize("table", ["speed", "runs", "sources"])
@pytest.mark.parametrize("gone", [1, 4])
def test_of_logs_that_are_gone_what_can_be_read_is_kept_and_what_is_lost_is_told(
    table: str, gone: int, group: tuple[Path, list[Path]], tmp_path: Path, fitlog: Fitlog
) -> None:
    archive, logs = group
    before = rows_of(archive)
    part = part_of(archive, table)
    part.unlink()
    for log in logs[:gone]:
        log.unlink()
    done = fitlog("index", tmp_path / "logs", "-o", archive)
    again = fitlog("index", tmp_path / "logs", "-o", archive)
    unread = fitlog("query", archive, "--ask", "unread", "--format", "csv").stdout.splitlines()

    path = part.relative_to(archive)
    assert (done.returncode, again.returncode, again.stderr) == (0, 0, "")
    assert done.stderr == (
        f"fitlog: {archive}: the part {path} was missing or damaged: {4 - gone} of its 4 logs read"
        f" again; {gone} not, and rows of them are lost\n"
    )
    after = rows_of(archive)
    for name, rows in before.items():
        if name == table:
            kept = [row for row in rows if not any(str(log) in row for log in logs[:gone])]
            assert name == "sources" or after[name] == kept
        elif name != "sources":
            assert after[name] == rows
    lost = [line.split(",")[0] for line in unread if f"rows of it are lost with {path}" in line]
    assert lost == [str(log) for log in logs[:gone]]


def test_a_group_of_which_nothing_can_be_read_is_told(
    group: tuple[Path, list[Path]], tmp_path: Path, fitlog: Fitlog
) -> None:
    archive, logs = group
    for part in archive.rglob("*.parquet"):
        part.unlink()
    logs[0].unlink()
    done = fitlog("index", tmp_path / "logs", "-o", archive)
    index([str(tmp_path / "logs")], str(tmp_path / "whole"))

    assert done.returncode == 0
    for line in done.stderr.splitlines():
        assert line.endswith(
            "0 of its 4 logs read again; 4 if they are there, for which they were is not known"
        )
    assert rows_of(archive) == rows_of(tmp_path / "whole")


def test_groups_of_which_one_is_damaged_are_not_merged(tmp_path: Path) -> None:
    archive = tmp_path / "archive"
    for i in range(7):
        write_log(tmp_path / "logs" / f"{i}.log", seed=3 * i)
        index([str(tmp_path / "logs")], str(archive))
    scratch(part_of(archive, "speed"))
    write_log(tmp_path / "logs" / "8.log", seed=24)
    done = index([str(tmp_path / "logs")], str(archive))

    assert (done.read, done.logs, done.damaged) == (1, 8, ())
    assert len(open_archive(str(archive)).manifest.groups) == 8


def test_a_part_that_cannot_be_reached_is_not_taken_for_damaged(
    group: tuple[Path, list[Path]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive, logs = group
    before = rows_of(archive)
    grow(logs[0])
    speed = str(part_of(archive, "speed"))
    cat = LocalFileSystem.cat_file

    def failing(self: Any, path: str, *args: Any, **kwargs: Any) -> Any:
        if path == speed:
            raise OSError(errno.EIO, os.strerror(errno.EIO), path)
        return cat(self, path, *args, **kwargs)

    monkeypatch.setattr(LocalFileSystem, "cat_file", failing)
    with pytest.raises(ArchiveError, match="cannot be used: Input/output error"):
        index([str(tmp_path / "logs")], str(archive))
    monkeypatch.undo()
    assert rows_of(archive) == before
