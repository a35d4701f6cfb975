"""Logs and archives in other places than folders: file://, memory:// and an S3 server of moto's."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import fsspec
import pytest

from archives import log_lines, rows_of, write_logs
from fitlog.archive.cleaning import clean
from fitlog.archive.finding import find_all
from fitlog.archive.indexing import index
from fitlog.archive.manifest import manifest_numbers
from fitlog.archive.reading import open_archive
from fitlog.archive.store import changed_at, open_store, version_of
from fitlog.errors import ArchiveError, LogError
from support import Fitlog


@pytest.fixture(scope="module")
def s3_server() -> Iterator[str]:
    """The address of an S3 server on this machine that ends with the tests."""
    server = pytest.importorskip("moto.server").ThreadedMotoServer(
        ip_address="127.0.0.1", port=0, verbose=False
    )
    pytest.importorskip("s3fs")
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def s3(s3_server: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """The URL of a new bucket."""
    for name, value in {
        "AWS_ENDPOINT_URL": s3_server,
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_DEFAULT_REGION": "us-east-1",
    }.items():
        monkeypatch.setenv(name, value)
    bucket = f"logs-{uuid.uuid4().hex[:8]}"
    fsspec.filesystem("s3").mkdir(bucket)
    return f"s3://{bucket}"


@pytest.fixture(params=["memory", "s3"])
def place(request: pytest.FixtureRequest) -> str:
    """An empty place that is no folder."""
    if request.param == "s3":
        url: str = request.getfixturevalue("s3")
        return url
    return f"memory://{uuid.uuid4().hex}"


def put(place: str, folder: Path) -> None:
    """Copy a folder's logs to the place."""
    fs, root = fsspec.url_to_fs(place)
    for log in sorted(folder.iterdir()):
        fs.pipe_file(f"{root}/{log.name}", log.read_bytes())


def without_names(rows: dict[str, list[tuple[object, ...]]]) -> dict[str, int]:
    return {table: len(found) for table, found in rows.items()}


def test_an_archive_of_a_store_in_a_store_holds_what_one_of_a_folder_does(
    place: str, tmp_path: Path
) -> None:
    write_logs(tmp_path / "logs", 4)
    put(f"{place}/logs", tmp_path / "logs")
    first = index([f"{place}/logs"], f"{place}/archive")
    index([str(tmp_path / "logs")], str(tmp_path / "archive"))
    second = index([f"{place}/logs/*.log"], f"{place}/archive")
    there, here = open_archive(f"{place}/archive"), open_archive(str(tmp_path / "archive"))

    assert (first.read, second.read, second.unchanged) == (4, 0, 4)
    assert without_names(rows_of(there)) == without_names(rows_of(here))
    for table in ("speed", "metrics", "runs"):
        a, b = (archive.table(table).drop_columns(["file", "run_id"]) for archive in (there, here))
        assert a.to_pylist() == b.to_pylist()
    file = there.table("runs")["file"][0].as_py()
    assert file.startswith(f"{place.partition(':')[0]}://")
    assert (
        there.run_log(there.table("runs")["run_id"].to_pylist()[:1]).speed["file"].iloc[0] == file
    )


def test_what_changes_in_a_store_is_read_again_and_what_is_gone_is_marked(
    place: str, tmp_path: Path
) -> None:
    logs = write_logs(tmp_path / "logs", 3)
    put(f"{place}/logs", tmp_path / "logs")
    index([f"{place}/logs"], f"{place}/archive")
    with logs[1].open("a") as log:
        log.writelines(log_lines(epochs=3, reports=6, seed=1, first=2))
    put(f"{place}/logs", tmp_path / "logs")
    fs, root = fsspec.url_to_fs(f"{place}/logs/000.log")
    fs.rm_file(root)
    again = index([f"{place}/logs"], f"{place}/archive")

    assert (again.read, again.unchanged, again.gone) == (1, 1, 1)
    runs = {
        r["file"][-7:]: r["epochs"]
        for r in open_archive(f"{place}/archive").table("runs").to_pylist()
    }
    assert runs == {"000.log": 2, "001.log": 3, "002.log": 2}


def test_a_run_json_in_a_store_is_found(place: str, tmp_path: Path) -> None:
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "run.log").write_text("".join(log_lines(epochs=1, reports=6)))
    (tmp_path / "logs" / "run.json").write_text('{"schema": 1, "arguments": {"network": "lenet"}}')
    put(f"{place}/logs", tmp_path / "logs")
    for source in ("logs", "logs/*.log", "logs/run.log"):
        index([f"{place}/{source}"], f"{place}/archive")

        (row,) = open_archive(f"{place}/archive").table("runs").to_pylist()
        assert row["network"] == "lenet"


def test_a_manifest_is_never_written_over(place: str) -> None:
    store = open_store(f"{place}/archive")

    assert store.create("manifests/00000001.json", b"first")
    assert not store.create("manifests/00000001.json", b"second")
    assert store.read("manifests/00000001.json") == b"first"


def test_when_a_file_was_changed_is_known_of_every_store() -> None:
    when = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)
    told: list[dict[str, Any]] = [
        {"mtime": when.timestamp(), "created": 1.0},  # folders
        {"LastModified": when},  # S3
        {"last_modified": when, "creation_time": None},  # Azure
        {"updated": "2026-03-04T05:06:07.000Z", "timeCreated": "2020-01-01T00:00:00Z"},  # Google
        {"modified": when, "created": None},
        {"created": when},  # memory
    ]

    assert [changed_at(info) for info in told] == [when.timestamp()] * 6
    for unknown in ({}, {"mtime": None}, {"modified": "yesterday"}, {"updated": ["now"]}):
        assert changed_at(unknown) is None
    assert version_of({"etag": "0x8D", "last_modified": when}) == "0x8D"
    assert version_of({"ETag": '"9a"', "LastModified": when}) == '"9a"'
    assert version_of({"generation": 17, "updated": "2026-03-04T05:06:07Z"}) == "17"
    assert version_of({"created": when}) == str(when.timestamp())
    assert version_of({}) == ""


def test_a_part_of_unknown_age_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    store = open_store(f"memory://{uuid.uuid4().hex}")
    number = "manifests/00000001.json"
    store.create(number, b'{"schema": 1, "groups": []}')
    part = f"parts/speed/month=2026-01/{'0' * 32}.parquet"
    store.write(part, b"x")
    far = datetime(2100, 1, 1, tzinfo=UTC).timestamp()
    monkeypatch.setattr("fitlog.archive.store.changed_at", lambda info: None)
    kept = clean(store, 1, now=far)
    monkeypatch.undo()

    assert kept == []
    assert clean(store, 1, now=far) == [part]


def test_folders_are_brought_to_the_disk_with_the_files_in_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[Path] = []
    monkeypatch.setattr("fitlog.archive.store.sync_folder", synced.append)
    store = open_store(str(tmp_path / "years" / "archive"))
    store.write("parts/speed/month=2026-01/a.parquet", b"x")
    store.create("manifests/00000001.json", b"{}")

    archive = tmp_path / "years" / "archive"
    speed = archive / "parts" / "speed"
    assert synced == [
        tmp_path, tmp_path / "years", archive, archive / "parts", speed, speed / "month=2026-01",
        archive, archive / "manifests",
    ]  # fmt: skip


def test_a_file_url_is_the_path(tmp_path: Path) -> None:
    write_logs(tmp_path / "logs", 2)
    first = index([f"file://{tmp_path / 'logs'}"], f"file://{tmp_path / 'archive'}")
    second = index([str(tmp_path / "logs")], str(tmp_path / "archive"))

    assert (first.read, second.unchanged) == (2, 2)
    assert manifest_numbers(open_store(str(tmp_path / "archive"))) == [1]


def test_a_store_that_refuses_is_told_without_a_traceback(
    s3: str, fitlog: Fitlog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_logs(tmp_path / "logs", 1)
    none = fitlog("index", tmp_path / "logs", "-o", "s3://no-such-bucket-here/archive")
    absent = fitlog("index", f"{s3}/absent", "-o", "archive")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    away = fitlog("index", f"{s3}/absent", "-o", "archive", AWS_MAX_ATTEMPTS="1")

    for done in (none, absent, away):
        assert done.returncode == 2, done.stderr
        assert done.stderr.startswith("fitlog: ")
        assert "Traceback" not in done.stderr
    assert "s3://no-such-bucket-here/archive cannot be used" in none.stderr
    assert absent.stderr == f"fitlog: does not exist ({s3}/absent)\n"
    with pytest.raises((ArchiveError, LogError)):
        find_all([f"{s3}/absent"])
