"""Archives in trouble: full disks, damage, several indexers, odd files; all of it is told."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from archives import part_of, rows_of, take_small_logs_for_large, write_log, write_logs
from fitlog.archive import indexing
from fitlog.archive.cleaning import GRACE_SECONDS, clean
from fitlog.archive.commits import Ledger
from fitlog.archive.engines import Here
from fitlog.archive.finding import find_all
from fitlog.archive.indexing import index
from fitlog.archive.manifest import manifest_numbers, path_of
from fitlog.archive.reading import open_archive
from fitlog.archive.store import open_store
from fitlog.archive.tasks import Task, read_task
from fitlog.errors import ArchiveError, LogError
from support import Fitlog

REMEDY = "run fitlog index, which reads its logs again"


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    """An archive of six logs, of two manifests."""
    write_logs(tmp_path / "logs", 5)
    index([str(tmp_path / "logs")], str(tmp_path / "archive"))
    write_logs(tmp_path / "logs", 6)
    index([str(tmp_path / "logs")], str(tmp_path / "archive"))
    return tmp_path / "archive"


def test_where_nothing_more_can_be_written_the_archive_stays_and_indexing_goes_on_later(
    archive: Path, tmp_path: Path
) -> None:
    before = rows_of(archive)
    write_log(tmp_path / "logs" / "large.log", epochs=300, reports=50)
    command = f"ulimit -f 16; {sys.executable} -m fitlog index {tmp_path / 'logs'} -o {archive}"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False)

    assert done.returncode == 2
    assert done.stderr == f"fitlog: {archive} cannot be used: File too large\n"
    assert rows_of(archive) == before
    assert index([str(tmp_path / "logs")], str(archive)).read == 1
    index([str(tmp_path / "logs")], str(tmp_path / "whole"))
    assert rows_of(archive) == rows_of(tmp_path / "whole")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_an_archive_that_is_read_only_is_read(
    archive: Path, tmp_path: Path, fitlog: Fitlog
) -> None:
    write_log(tmp_path / "logs" / "more.log")
    folders = [archive, *(path for path in archive.rglob("*") if path.is_dir())]
    for folder in folders:
        folder.chmod(0o555)
    try:
        asked = fitlog("query", archive, "SELECT count(*) AS runs FROM runs", "--format", "csv")
        indexed = fitlog("index", tmp_path / "logs", "-o", archive)
    finally:
        for folder in folders:
            folder.chmod(0o755)

    assert (asked.returncode, asked.stdout) == (0, "runs\n6\n")
    assert indexed.returncode == 2
    assert indexed.stderr == f"fitlog: {archive} cannot be used: Permission denied\n"


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        (
            lambda text: text[:500],
            "is no manifest of an archive: restore it from a copy, or remove",
        ),
        (lambda text: b"", "is no manifest of an archive"),
        (lambda text: b"\xff\x00" * 99, "is no manifest of an archive"),
        (lambda text: b"[" * 100_000, "is no manifest of an archive"),
        (lambda text: text.replace(b"parts", b"pieces"), "is damaged: restore it from a copy"),
        (lambda text: text.replace(b'"schema": 1', b'"schema": 2'), "is of schema 2; this fitlog"),
    ],
)
def test_a_manifest_that_cannot_be_read_is_named_and_what_helps(
    damage: Callable[[bytes], bytes], told: str, archive: Path, tmp_path: Path, fitlog: Fitlog
) -> None:
    whole = rows_of(archive)
    last = archive / path_of(2)
    last.write_bytes(damage(last.read_bytes()))
    files = sorted(archive.rglob("*"))
    asked = fitlog("query", archive, "SELECT 1")
    indexed = fitlog("index", tmp_path / "logs", "-o", archive)

    for done in (asked, indexed):
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr.startswith(f"fitlog: {archive}: manifests/00000002.json {told}")
        assert done.stderr.count("\n") == 1
    assert sorted(archive.rglob("*")) == files
    last.unlink()
    assert len(open_archive(str(archive)).table("runs")) == 5
    index([str(tmp_path / "logs")], str(archive))
    assert rows_of(archive) == whole


@pytest.mark.parametrize("table", ["speed", "runs", "sources"])
@pytest.mark.parametrize("damage", ["missing", "cut", "within"])
def test_a_part_that_cannot_be_read_is_told_and_what_helps(
    table: str, damage: str, archive: Path, fitlog: Fitlog
) -> None:
    run = open_archive(str(archive)).table("runs")["run_id"].to_pylist()
    part = part_of(archive, table)
    content = part.read_bytes()
    if damage == "missing":
        part.unlink()
    else:
        scratched = content[:4] + b"\xff" * 600 + content[604:]
        part.write_bytes(content[:-50] if damage == "cut" else scratched)
    asked = fitlog("query", archive, f"FROM {table}", "--format", "csv")
    compared = fitlog("compare", archive)

    for done in (asked, compared):
        assert done.returncode == 2
        assert done.stderr.endswith(f"{REMEDY}\n")
        assert done.stderr.count("\n") == 1
        if damage != "within":
            assert f"the part {part.relative_to(archive)} " in done.stderr
    with pytest.raises(ArchiveError, match=REMEDY):
        open_archive(str(archive)).run_log(run)


def later(archive: Path) -> float:
    """More than a day after everything in the archive was written."""
    written = max(file.modified or 0.0 for file in open_store(str(archive)).files(""))
    return written + GRACE_SECONDS + 60


def test_a_file_that_was_not_made_here_is_never_removed(archive: Path) -> None:
    names = (
        "manifests/deploy.yaml", "manifests/2024.json", "manifests/more/00000001.json",
        "parts/cad/wheel.stl", "parts/speed/month=2026-01/wheel.parquet", "parts/notes.tmp",
    )  # fmt: skip
    for name in names:
        (archive / name).parent.mkdir(parents=True, exist_ok=True)
        (archive / name).write_text("mine")

    removed = clean(open_store(str(archive)), 2, now=later(archive))
    assert path_of(1) in removed
    assert {(archive / name).read_text() for name in names} == {"mine"}


@pytest.mark.parametrize("listing", range(1, 5))
def test_a_folder_that_cannot_be_listed_is_not_an_empty_one(
    listing: int, archive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = rows_of(archive)
    long_ago = time.time() - 3 * GRACE_SECONDS
    for part in archive.rglob("*.parquet"):
        os.utime(part, (long_ago, long_ago))
    write_logs(tmp_path / "logs", 7)
    listings = 0
    scan = os.scandir

    def failing(path: Any) -> Any:
        nonlocal listings
        listings += str(path) == str(archive / "manifests")
        if listings == listing:
            raise OSError(errno.EIO, os.strerror(errno.EIO), path)
        return scan(path)

    monkeypatch.setattr(os, "scandir", failing)
    told = ""
    try:
        index([str(tmp_path / "logs")], str(archive))
    except ArchiveError as error:
        told = str(error)
    monkeypatch.undo()

    assert told == (f"{archive} cannot be used: Input/output error" if listings >= listing else "")
    assert open_archive(str(archive)).manifest.number >= 2
    assert set(before["speed"]) <= set(rows_of(archive)["speed"])


def test_nothing_is_removed_by_a_list_without_the_last_manifest(archive: Path) -> None:
    assert clean(open_store(str(archive)), 3, now=later(archive)) == []


def test_an_older_manifest_that_is_damaged_stops_no_indexer(archive: Path, tmp_path: Path) -> None:
    (archive / path_of(1)).write_bytes(b"{")
    files = set(archive.rglob("*"))
    write_logs(tmp_path / "logs", 7)
    more = index([str(tmp_path / "logs")], str(archive))

    assert (more.read, more.runs) == (1, 7)
    assert files <= set(archive.rglob("*"))
    removed = clean(open_store(str(archive)), 3, now=later(archive))
    assert removed[:2] == [path_of(1), path_of(2)]
    assert len(rows_of(archive)["runs"]) == 7


def test_indexers_at_once_make_one_archive(archive: Path, tmp_path: Path) -> None:
    write_logs(tmp_path / "logs", 40)
    write_logs(tmp_path / "others", 3)
    command = [sys.executable, "-m", "fitlog", "index", "-o", str(archive), str(tmp_path / "logs")]
    indexers = [
        subprocess.Popen([*command, *more], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        for more in ([], [str(tmp_path / "others")], [])
    ]
    told = [indexer.communicate(timeout=120)[1] for indexer in indexers]
    index([str(tmp_path / "logs"), str(tmp_path / "others")], str(tmp_path / "whole"))

    assert ([indexer.returncode for indexer in indexers], told) == ([0] * 3, [b""] * 3)
    assert rows_of(archive) == rows_of(tmp_path / "whole")


def test_a_very_large_log_is_read_on_where_an_indexer_that_died_has_left_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    take_small_logs_for_large(monkeypatch)
    log = write_log(tmp_path / "logs" / "large.log", epochs=60)
    index([str(log)], str(tmp_path / "whole"))
    monkeypatch.setattr(indexing, "SPLIT_BYTES", 6000)
    pieces = -(-log.stat().st_size // 6000)
    archive = str(tmp_path / "archive")

    class DiedError(Exception):
        pass

    class Another(Here):
        """It commits one piece, and dies."""

        rounds = 0

        def run(self, do: Any, tasks: Any) -> Any:
            self.rounds += 1
            if self.rounds == 2:
                raise DiedError
            return super().run(do, tasks)

    class Ours(Here):
        """Another one is at work between our plan and our reading."""

        rounds = 0

        def run(self, do: Any, tasks: Any) -> Any:
            self.rounds += 1
            if self.rounds == 1:
                with pytest.raises(DiedError):
                    index([str(log)], archive, engine=Another())
            assert self.rounds <= 1 + pieces
            return super().run(do, tasks)

    ours = Ours()
    index([str(log)], archive, engine=ours)

    assert ours.rounds == 1 + pieces
    assert manifest_numbers(open_store(archive)) == list(range(1, 1 + pieces))
    assert rows_of(archive)["speed"] == rows_of(tmp_path / "whole")["speed"]


def test_what_another_indexer_has_read_all_of_makes_no_manifest(
    archive: Path, tmp_path: Path
) -> None:
    write_logs(tmp_path / "logs", 8)
    ledger = Ledger(open_store(str(archive)))
    found = find_all([str(tmp_path / "logs")]).logs.values()
    ledger.add(read_task(Task(archive=str(archive), logs=tuple(found))).groups)
    index([str(tmp_path / "logs")], str(archive))
    ledger.commit()

    assert manifest_numbers(open_store(str(archive))) == [1, 2, 3]
    assert (ledger.manifest.number, len(ledger.known)) == (3, 8)


def test_a_log_that_is_deleted_while_others_are_read_is_told(tmp_path: Path) -> None:
    logs = write_logs(tmp_path / "logs", 3)
    archive = str(tmp_path / "archive")

    def delete(*_: int) -> None:
        logs[1].unlink(missing_ok=True)

    first = index([str(tmp_path / "logs")], archive, progress=delete)
    second = index([str(tmp_path / "logs")], archive)

    assert first.refused == ((str(logs[1]), "cannot be opened: no such file or directory"),)
    assert (first.runs, second.gone, second.unchanged) == (2, 0, 2)


def test_links_that_lead_back_and_pipes_are_no_logs(tmp_path: Path, fitlog: Fitlog) -> None:
    logs = tmp_path / "logs"
    write_logs(logs, 2)
    (logs / "below").mkdir()
    (logs / "below" / "up").symlink_to("..")
    (logs / "here").symlink_to(".")
    (logs / "self.log").symlink_to("self.log")
    os.mkfifo(logs / "pipe.log")
    done = fitlog("index", logs, logs / "*.log", "-o", "archive")

    assert (done.returncode, done.stderr) == (0, "")
    assert "read 2 logs" in done.stdout
    for name in ("self.log", "pipe.log"):
        alone = fitlog("index", logs / name, "-o", "archive")
        assert alone.returncode == 2
        assert alone.stderr == f"fitlog: is neither a file nor a folder ({logs / name})\n"


def test_a_hidden_log_is_found_by_a_glob_that_covers_it(tmp_path: Path) -> None:
    write_log(tmp_path / "logs" / ".one.log")
    for source in ("logs", "logs/*.log"):
        done = index([str(tmp_path / source)], str(tmp_path / "archive"))
        assert (done.logs, done.gone) == (1, 0)


def test_logs_of_any_name_are_found_again_and_chosen(tmp_path: Path, fitlog: Fitlog) -> None:
    names = [
        "new\nline.log", "quo\"te'.log", "tab\tand space.log", "\x1b[31mred.log", "训练-é.log",
        os.fsdecode(b"half\xff.log"), "%s{x}.log", "-dash.log", "month=1.log", "back\\slash.log",
    ]  # fmt: skip
    for seed, name in enumerate(names):
        write_log(tmp_path / "logs" / name, seed=seed)
    archive = tmp_path / "archive"
    done = fitlog("index", "logs", "-o", archive)
    again = fitlog("index", "logs", "-o", archive)
    asked = fitlog("query", archive, "SELECT DISTINCT file FROM runs", "--format", "json")
    opened = open_archive(str(archive))
    runs = opened.table("runs")["run_id"].to_pylist()

    assert (done.returncode, again.returncode, done.stderr) == (0, 0, "")
    assert f"read 0 logs (0.0 MB); {len(names)} as they were\n" in again.stdout
    files = {row["file"].removeprefix(f"{tmp_path}/logs/") for row in json.loads(asked.stdout)}
    assert files == {name.replace("\udcff", r"\udcff") for name in names}
    assert len(opened.run_log(runs).runs) == len(names)
    assert "\x1b" not in done.stdout + fitlog("query", archive, "FROM runs").stderr


@pytest.mark.parametrize("name", ["", "parts", "manifests"])
def test_what_is_no_folder_is_no_archive(name: str, tmp_path: Path, fitlog: Fitlog) -> None:
    write_logs(tmp_path / "logs", 1)
    place = tmp_path / "archive" / name
    place.parent.mkdir(exist_ok=True)
    place.symlink_to("nowhere")
    done = fitlog("index", "logs", "-o", "archive")

    assert done.returncode == 2
    assert done.stderr == f"fitlog: {place} is no folder\n"


def test_a_name_that_is_empty_is_no_archive(tmp_path: Path) -> None:
    write_logs(tmp_path / "logs", 1)

    with pytest.raises(ArchiveError, match="is empty"):
        index([str(tmp_path / "logs")], "")
    with pytest.raises(ArchiveError, match="is empty"):
        open_archive("")
    with pytest.raises(LogError, match="is empty"):
        index([""], str(tmp_path / "archive"))
