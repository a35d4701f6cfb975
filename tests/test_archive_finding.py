"""Which logs are found, by folders, globs and URLs, and which of those that were are gone."""

from __future__ import annotations

import functools
import os
import threading
import uuid
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import fsspec
import pytest

from archives import rows_of, write_log, write_logs
from fitlog.archive.finding import find_all
from fitlog.archive.indexing import Indexed, index
from fitlog.archive.reading import open_archive
from fitlog.errors import LogError
from support import Fitlog


def gone_of(archive: Path | str) -> set[str]:
    rows = open_archive(str(archive)).table("sources").to_pylist()
    return {Path(row["file"]).name for row in rows if row["deleted"]}


@pytest.mark.parametrize("pattern", ["logs/**/*.log", "logs/**", "l*/**/*.log"])
def test_links_that_lead_back_are_passed_over_by_globs_of_any_depth(
    pattern: str, tmp_path: Path
) -> None:
    logs = write_logs(tmp_path / "logs", 2)
    for name in ("a", "b"):  # each way leads to each other one: more names than can be looked at
        logs.append(write_log(tmp_path / "logs" / name / "c" / "own.log"))
        (tmp_path / "logs" / name / "up").symlink_to("..")
        (tmp_path / "logs" / name / "again").symlink_to("../a")
    found = find_all([str(tmp_path / pattern)])

    assert sorted(found.logs) == sorted(map(str, logs))
    assert all(found.covers(str(log)) for log in logs)


def test_a_glob_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(LogError, match="is no glob: Invalid pattern"):
        find_all([str(tmp_path / "a**.log")])


def test_logs_that_a_folder_is_not_searched_for_are_not_gone(tmp_path: Path) -> None:
    (log,) = write_logs(tmp_path / "logs", 1)
    odd = write_log(tmp_path / "logs" / "train.stdout")
    linked = write_log(tmp_path / "elsewhere" / "linked.log")
    (tmp_path / "logs" / "link").symlink_to(tmp_path / "elsewhere")
    archive = str(tmp_path / "archive")
    sources = [str(tmp_path / "logs"), str(tmp_path / "logs" / "*"), str(tmp_path / "logs/*/*")]
    index(sources, archive)
    folder = index(sources[:1], archive)
    again = index(sources, archive)
    for path in (log, odd, linked):
        path.unlink()
    with pytest.raises(LogError, match="no log"):
        index([str(tmp_path / "elsewhere")], archive)
    last = index(sources, archive)

    assert (folder.unchanged, folder.gone) == (1, 0)
    assert (again.read, again.unchanged, again.gone) == (0, 3, 0)
    assert (last.gone, gone_of(archive)) == (3, {"000.log", "train.stdout", "linked.log"})


def test_a_log_that_cannot_be_looked_at_is_not_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_log(tmp_path / "logs" / "closed" / "one.log")
    write_log(tmp_path / "logs" / "other.log")
    archive = str(tmp_path / "archive")
    index([str(tmp_path / "logs")], archive)
    stat, walk = Path.stat, os.walk

    def refused(self: Path, **options: bool) -> os.stat_result:
        if "closed/" in str(self):
            raise PermissionError(13, "Permission denied")
        return stat(self, **options)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "stat", refused)
        patch.setattr(os, "walk", lambda *args, **options: [next(walk(*args, **options))])
        closed = index([str(tmp_path / "logs")], archive)
    again = index([str(tmp_path / "logs")], archive)

    assert (closed.unchanged, closed.gone) == (1, 0)
    assert (again.read, again.unchanged) == (0, 2)


def test_a_store_holds_logs_of_any_name(tmp_path: Path) -> None:
    text = write_log(tmp_path / "one.log").read_bytes()
    place = f"memory://{uuid.uuid4().hex}"
    fs, root = fsspec.url_to_fs(place)
    for name in ("x[1].log", "sub/y.log", "z.stdout"):
        fs.pipe_file(f"{root}/logs/{name}", text)

    def indexed(source: str) -> Indexed:
        return index([f"{place}/logs{source}"], f"{place}/archive")

    assert indexed("/x[1].log").read == 1
    assert indexed("/z.stdout").read == 1
    assert [(done.read, done.unchanged, done.gone) for done in map(indexed, ("", "/*"))] == [
        (1, 1, 0),
        (0, 2, 0),
    ]
    fs.rm(f"{root}/logs", recursive=True)
    assert indexed("").gone == 3


def test_a_folder_that_is_gone_is_told_and_its_logs_are_gone(
    tmp_path: Path, fitlog: Fitlog
) -> None:
    logs = write_logs(tmp_path / "logs" / "old", 2)
    write_logs(tmp_path / "logs" / "new", 1)
    fitlog("index", "logs", "-o", "archive")
    before = rows_of(tmp_path / "archive")["speed"]
    for log in logs:
        log.unlink()
    logs[0].parent.rmdir()
    done = fitlog("index", "logs/old", "logs/new", "-o", "archive")
    again = fitlog("index", logs[1], "-o", "archive")

    assert (done.returncode, again.returncode) == (0, 0)
    assert done.stderr == "fitlog: logs/old is not there any more: its logs are gone\n"
    assert done.stdout.startswith("read 0 logs (0.0 MB); 1 as they were; 2 gone\n")
    assert gone_of(tmp_path / "archive") == {"000.log", "001.log"}
    assert rows_of(tmp_path / "archive")["speed"] == before


class Server(SimpleHTTPRequestHandler):
    """A web server of files, which may not tell their sizes and times."""

    tells = True

    def send_header(self, keyword: str, value: str) -> None:
        """Send what is told."""
        if self.tells or keyword not in {"Content-Length", "Last-Modified"}:
            super().send_header(keyword, value)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Say nothing."""


@pytest.fixture
def web(tmp_path: Path) -> Iterator[str]:
    """The address of a server of the folder `web`."""
    pytest.importorskip("aiohttp")
    (tmp_path / "web").mkdir()
    handler = functools.partial(Server, directory=str(tmp_path / "web"))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("tells", [True, False])
def test_logs_of_a_web_server_are_indexed(
    tells: bool, web: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Server, "tells", tells)
    log = write_log(tmp_path / "web" / "logs" / "run.log", seed=1)
    write_log(tmp_path / "web" / "logs" / "other.log")
    log.with_name("run.json").write_text('{"schema": 1, "arguments": {"network": "lenet"}}')
    sources = [f"{web}/logs/run.log", f"{web}/logs/other.log"]
    archive = str(tmp_path / "archive")
    first, second = index(sources, archive), index(sources, archive)
    folder = index([f"{web}/logs"], archive)
    write_log(log, seed=2)
    os.utime(log, (1e9, 1e9))
    changed = index(sources, archive)
    networks = open_archive(archive).table("runs")["network"].to_pylist()

    assert [done.read for done in (first, second, folder, changed)] == [2, 0, 0, 1]
    assert (second.unchanged, folder.unchanged) == (2, 2)
    assert sorted(map(str, networks)) == ["None", "lenet"]
    log.unlink()
    with pytest.raises(LogError, match="does not exist, or its server does not answer"):
        index(sources, archive)
    assert index([f"{web}/logs"], archive).gone == 1
