"""Archives: what is read is what the logs hold, and what has not changed is not read again."""

from __future__ import annotations

import gzip
import json
import os
import random
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import fitlog
import synthetic
from archives import log_lines, rows_of, take_small_logs_for_large, write_log, write_logs
from fitlog.archive import growing, indexing, schema, tasks
from fitlog.archive.cleaning import GRACE_SECONDS, clean
from fitlog.archive.commits import Ledger
from fitlog.archive.finding import find_all
from fitlog.archive.growing import GrowingLog
from fitlog.archive.indexing import Indexed, index, make_plan
from fitlog.archive.manifest import manifest_numbers, path_of, read_manifest
from fitlog.archive.reading import Archive, open_archive
from fitlog.archive.rows import run_id
from fitlog.archive.store import Store, open_store
from fitlog.archive.tasks import Task, read_task
from fitlog.errors import ArchiveError, LogError
from fitlog.measures import PACE_MEASURE, measure_run
from fitlog.readings import read_run
from support import PROJECT, SAMPLES, Fitlog

TABLES = ("speed", "metrics", "epochs", "events", "runs", "unparsed", "warnings")


@pytest.fixture(scope="module")
def sampled(tmp_path_factory: pytest.TempPathFactory) -> Archive:
    """The archive of the sample logs."""
    target = str(tmp_path_factory.mktemp("sampled") / "archive")
    index([str(SAMPLES)], target)
    return open_archive(target)


def ids_of(archive: Archive, file: Path) -> list[str]:
    rows = archive.table("runs").select(["file", "run", "run_id"]).to_pylist()
    own = sorted((row["run"], row["run_id"]) for row in rows if row["file"] == str(file))
    return [name for _, name in own]


def index_again(folder: Path, **options: Any) -> Indexed:
    return index([str(folder / "logs")], str(folder / "archive"), **options)


def test_a_run_log_from_the_archive_is_that_of_the_log(sampled: Archive) -> None:
    logs = sorted(SAMPLES.rglob("*.log"))
    with_runs = 0
    for log in logs:
        own = ids_of(sampled, log)
        if not own:
            continue
        with_runs += 1
        kept, read = sampled.run_log(own, with_file=False), fitlog.read_log(log)
        for table in TABLES:
            pd.testing.assert_frame_equal(
                getattr(kept, table), getattr(read, table), check_exact=True, obj=f"{log} {table}"
            )
        assert (kept.hparams, kept.lines) == (read.hparams, read.lines)
        assert kept.dialects == read.dialects

    assert with_runs > 30


def test_one_run_of_several_is_read_alone(sampled: Archive) -> None:
    log = SAMPLES / "restarted.log"
    second = sampled.run_log(ids_of(sampled, log)[1:2], with_file=False)

    read = fitlog.read_log(log)
    assert set(second.speed["run"]) == {1}
    assert len(second.speed) == (read.speed["run"] == 1).sum() > 0
    assert second.runs["status"].tolist() == read.runs["status"].tolist()[1:2]


def test_where_runs_are_is_looked_up_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_logs(tmp_path / "logs", 6)
    index_again(tmp_path)
    archive = open_archive(str(tmp_path / "archive"))
    names = archive.table("runs")["run_id"].to_pylist()
    read: list[str] = []
    content = Store.read

    def noted(self: Store, path: str) -> bytes:
        read.append(path)
        return content(self, path)

    monkeypatch.setattr(Store, "read", noted)
    logs = [archive.run_log([name]) for name in names]

    assert len({log.speed["file"].iloc[0] for log in logs}) == 6
    assert len(archive.manifest.groups) == 3
    assert len(read) == 3 + 6  # of each group once, and its own group's of each run


def test_the_pace_of_a_run_is_the_gates(sampled: Archive) -> None:
    log = SAMPLES / "lenet-1.log"
    rows = sampled.table("runs").to_pylist()
    (row,) = (row for row in rows if row["file"] == str(log))

    pace = measure_run(read_run(log), PACE_MEASURE)
    assert row["pace"] == pace.samples_per_sec
    assert row["pace_low"] < row["pace"] < row["pace_high"]
    assert row["throughput"] == pace.throughput
    assert row["windows"] == pace.windows


def test_every_table_says_what_its_columns_are(sampled: Archive) -> None:
    for table, dataset in sampled.datasets().items():
        assert dataset.schema.metadata == {b"fitlog_archive": b"1"}, table
        for field in dataset.schema:
            assert field.name == "month" or field.metadata[b"description"], field
    assert (
        sampled.dataset("speed").schema.field("samples_per_sec").metadata[b"unit"] == b"samples/s"
    )


def test_the_rows_of_a_month_lie_in_parts_of_their_own(tmp_path: Path) -> None:
    write_logs(tmp_path / "logs", 6)
    index_again(tmp_path)
    archive = open_archive(str(tmp_path / "archive"))

    import pyarrow.dataset as pads

    january = archive.dataset("speed").to_table(filter=pads.field("month") == "2026-01")
    assert {Path(file).name for file in january["file"].to_pylist()} == {"000.log", "003.log"}
    paths = [path for path in archive.manifest.paths if "speed" in path]
    assert {path.split("/")[2] for path in paths} == {f"month=2026-0{month}" for month in (1, 2, 3)}


def test_what_a_run_json_says_is_in_the_row_of_the_run(tmp_path: Path) -> None:
    folder = tmp_path / "logs" / "one"
    write_log(folder / "run.log")
    record = {
        "schema": 1, "status": "interrupted", "error": "SIGTERM",
        "arguments": {"network": "lenet", "batch_size": 64, "lr": 0.1, "disp_batches": 20},
        "host": {"name": "node7"}, "versions": {"mxnet": "1.9.1"},
    }  # fmt: skip
    (folder / "run.json").write_text(json.dumps(record))
    index_again(tmp_path)
    (row,) = open_archive(str(tmp_path / "archive")).table("runs").to_pylist()

    expected = {
        "network": "lenet", "batch_size": 64, "lr": 0.1, "host": "node7", "mxnet": "1.9.1",
        "record_status": "interrupted", "error": "SIGTERM", "status": "finished",
    }  # fmt: skip
    assert {name: row[name] for name in expected} == expected
    assert json.loads(row["settings"])["disp_batches"] == 20


def test_a_log_is_read_again_when_its_record_has_changed(tmp_path: Path) -> None:
    log = write_log(tmp_path / "logs" / "run.log")
    record = log.with_name("run.json")
    record.write_text(json.dumps({"schema": 1, "status": "running"}))
    index_again(tmp_path)
    record.write_text(json.dumps({"schema": 1, "status": "finished"}))
    again = index_again(tmp_path)
    (row,) = open_archive(str(tmp_path / "archive")).table("runs").to_pylist()

    assert (again.read, row["record_status"]) == (1, "finished")


def test_nothing_is_read_or_written_where_nothing_has_changed(tmp_path: Path) -> None:
    write_logs(tmp_path / "logs", 3)
    index_again(tmp_path)
    before = sorted((tmp_path / "archive").rglob("*"))
    again = index_again(tmp_path)

    assert (again.read, again.unchanged) == (0, 3)
    assert sorted((tmp_path / "archive").rglob("*")) == before


def test_a_log_of_the_same_content_is_not_read_again(tmp_path: Path) -> None:
    logs = write_logs(tmp_path / "logs", 3)
    index_again(tmp_path)
    speed = [
        path for path in open_archive(str(tmp_path / "archive")).manifest.paths if "speed" in path
    ]
    os.utime(logs[1], ns=(10**18, 10**18))
    touched = index_again(tmp_path)
    third = index_again(tmp_path)

    now = open_archive(str(tmp_path / "archive")).manifest.paths
    assert (touched.read, touched.unchanged, third.unchanged) == (0, 3, 3)
    assert set(speed) <= now
    plan = make_plan(
        find_all([str(tmp_path / "logs")]), Ledger(open_store(str(tmp_path / "archive")))
    )
    assert plan.changed == ()


def test_a_log_that_has_changed_takes_the_place_of_what_it_was(tmp_path: Path) -> None:
    logs = write_logs(tmp_path / "logs", 5)
    index_again(tmp_path)
    with logs[2].open("a") as log:
        log.writelines(log_lines(epochs=4, reports=6, seed=2, first=2))
    write_log(logs[3], seed=9)
    again = index_again(tmp_path)
    index([str(tmp_path / "logs")], str(tmp_path / "whole"))

    assert (again.read, again.unchanged) == (2, 3)
    assert rows_of(tmp_path / "archive") == rows_of(tmp_path / "whole")


def test_a_log_that_is_gone_is_marked_and_its_rows_are_kept(tmp_path: Path) -> None:
    logs = write_logs(tmp_path / "logs", 3)
    index_again(tmp_path)
    before = rows_of(tmp_path / "archive")["speed"]
    text = logs[1].read_bytes()
    logs[1].unlink()
    gone = index_again(tmp_path)
    deleted = {
        Path(row["file"]).name: row["deleted"] is not None
        for row in open_archive(str(tmp_path / "archive")).table("sources").to_pylist()
    }
    nothing_more = index_again(tmp_path)
    logs[1].write_bytes(text)
    back = index_again(tmp_path)

    assert (gone.gone, nothing_more.gone, back.gone) == (1, 0, 0)
    assert deleted == {"000.log": False, "001.log": True, "002.log": False}
    assert rows_of(tmp_path / "archive")["speed"] == before
    rows = open_archive(str(tmp_path / "archive")).table("sources").to_pylist()
    assert [row["deleted"] for row in rows] == [None] * 3


def test_logs_of_other_places_are_not_gone(tmp_path: Path) -> None:
    write_logs(tmp_path / "logs", 2)
    write_logs(tmp_path / "others", 2)
    archive = str(tmp_path / "archive")
    index([str(tmp_path / "logs")], archive)
    second = index([str(tmp_path / "others" / "*.log")], archive)

    assert (second.gone, second.logs) == (0, 4)


def test_bad_files_are_listed_with_the_reason_and_stop_nothing(
    tmp_path: Path, fitlog: Fitlog
) -> None:
    logs = tmp_path / "logs"
    write_logs(logs, 3)
    (logs / "binary.log").write_bytes(bytes(range(256)) * 10)
    (logs / "damaged.log.gz").write_bytes(gzip.compress(b"x" * 1000)[:20])
    (logs / "empty.log").write_bytes(b"")
    (logs / "other.txt").write_text("nothing of a training\n")
    (logs / "gone.log").symlink_to("nowhere")
    os.mkfifo(logs / "pipe.log")
    # A glob, and what fsspec takes for a chain of file systems.
    (logs / "run[1].log").write_bytes((logs / "000.log").read_bytes())
    (logs / "run::1.log").write_bytes((logs / "000.log").read_bytes())
    done = fitlog("index", logs, "-o", tmp_path / "archive")
    again = fitlog("index", logs, "-o", tmp_path / "archive")

    assert done.returncode == again.returncode == 0
    told = done.stderr.splitlines()
    assert len(told) == 4
    for line, name, reason in zip(
        told,
        ("binary.log", "damaged.log.gz", "empty.log", "other.txt"),
        ("is binary data", "is damaged", "is empty", "no training record in its 1 line"),
        strict=True,
    ):
        assert line.startswith(f"fitlog: {logs / name}: {reason}")
    assert "read 5 logs (0.0 MB); 0 as they were; 4 not to be read\n" in done.stdout
    assert "5 runs of 9 logs" in done.stdout
    as_before = f"as before (fitlog query {tmp_path / 'archive'} --ask unread)"
    assert f"read 0 logs (0.0 MB); 5 as they were; 4 not to be read, {as_before}\n" in again.stdout
    assert again.stderr == ""
    rows = open_archive(str(tmp_path / "archive")).table("sources").to_pylist()
    assert sum(row["reason"] is not None for row in rows) == 4


def test_what_was_not_read_of_a_log_is_in_the_archive(tmp_path: Path) -> None:
    log = write_log(tmp_path / "logs" / "one.log")
    with log.open("a") as file:
        file.write("Epoch[3] Train-accuracy=oops\n")
    index_again(tmp_path)
    archive = open_archive(str(tmp_path / "archive"))

    (unparsed,) = archive.table("unparsed").to_pylist()
    (run,) = archive.table("runs").to_pylist()
    assert unparsed["line"] == 19
    assert "oops" in unparsed["text"]
    assert run["unparsed"] == 1


def test_a_name_that_is_no_text_is_indexed_and_found_again(tmp_path: Path) -> None:
    write_log(tmp_path / "logs" / os.fsdecode(b"caf\xe9.log"))
    first, second = index_again(tmp_path), index_again(tmp_path)

    assert (first.read, first.runs, second.unchanged, second.gone) == (1, 1, 1, 0)


def test_a_compressed_log_reads_as_the_plain_one(tmp_path: Path) -> None:
    log = write_log(tmp_path / "logs" / "one.log")
    packed = tmp_path / "packed" / "one.log.gz"
    packed.parent.mkdir()
    packed.write_bytes(gzip.compress(log.read_bytes()))
    index_again(tmp_path)
    index([str(packed)], str(tmp_path / "second"))

    plain, other = (
        open_archive(str(tmp_path / name)).table("speed").drop_columns(["file", "run_id"])
        for name in ("archive", "second")
    )
    assert plain.to_pylist() == other.to_pylist()


def test_many_small_groups_become_few(tmp_path: Path) -> None:
    logs = tmp_path / "logs"
    for i in range(9):
        write_log(logs / f"{i}.log", seed=3 * i)
        index_again(tmp_path)
    archive = open_archive(str(tmp_path / "archive"))
    index([str(logs)], str(tmp_path / "whole"))

    assert len(archive.manifest.groups) < 3
    assert rows_of(archive) == rows_of(tmp_path / "whole")


def test_a_reader_keeps_its_state_while_the_archive_goes_on(tmp_path: Path) -> None:
    logs = write_logs(tmp_path / "logs", 3)
    index_again(tmp_path)
    archive = open_archive(str(tmp_path / "archive"))
    before = rows_of(archive)
    write_log(logs[0], seed=20)
    index_again(tmp_path)

    assert rows_of(archive) == before
    assert rows_of(tmp_path / "archive") != before


def test_old_parts_are_removed_when_nobody_can_need_them(tmp_path: Path) -> None:
    logs = write_logs(tmp_path / "logs", 3)
    index_again(tmp_path)
    write_log(logs[0], seed=21)
    index_again(tmp_path)
    store = open_store(str(tmp_path / "archive"))
    left = f"parts/speed/month=2026-01/{'0' * 32}.parquet"  # by an indexer that was killed
    store.write(left, b"x")
    store.write(f"{left}.{'0' * 12}.tmp", b"x")
    before = rows_of(tmp_path / "archive")
    number = read_manifest(store).number
    written = max(file.modified or 0.0 for file in store.files(""))

    assert clean(store, number, now=written + GRACE_SECONDS - 60) == []
    removed = clean(store, number, now=written + GRACE_SECONDS + 60)
    assert {path_of(1), left, f"{left}.{'0' * 12}.tmp"} <= set(removed)
    assert manifest_numbers(store) == [number]
    assert rows_of(tmp_path / "archive") == before
    assert {file.path for file in store.files("parts")} == read_manifest(store).paths


def test_two_indexers_at_once_lose_nothing_and_double_nothing(tmp_path: Path) -> None:
    logs = write_logs(tmp_path / "logs", 4)
    archive = str(tmp_path / "archive")
    store = open_store(archive)
    first, second = Ledger(store), Ledger(store)
    found = list(find_all([str(tmp_path / "logs")]).logs.values())
    mine = read_task(Task(archive=archive, logs=tuple(found[:3])))
    theirs = read_task(Task(archive=archive, logs=tuple(found[1:])))
    first.add(mine.groups)
    second.add(theirs.groups)
    first.commit()
    second.commit()
    index([str(tmp_path / "logs")], str(tmp_path / "whole"))

    assert rows_of(archive) == rows_of(tmp_path / "whole")
    assert manifest_numbers(store) == [1, 2]
    assert len(logs) == len(second.known)


def test_what_another_indexer_has_read_since_is_not_taken_back(tmp_path: Path) -> None:
    (log,) = write_logs(tmp_path / "logs", 1)
    archive = str(tmp_path / "archive")
    index_again(tmp_path)
    late = Ledger(open_store(archive))
    old = read_task(Task(archive=archive, logs=tuple(find_all([str(log)]).logs.values())))
    with log.open("a") as file:
        file.writelines(log_lines(epochs=4, reports=6, first=2))
    index_again(tmp_path)
    newest = rows_of(archive)
    late.add(old.groups)
    late.commit()

    assert rows_of(archive) == newest


def test_the_run_id_is_the_same_wherever_the_archive_is() -> None:
    assert run_id("/logs/a.log", 0) == run_id("/logs/a.log", 0) != run_id("/logs/a.log", 1)


def test_a_large_log_is_read_in_parts_with_the_same_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_log(tmp_path / "logs" / "one.log", epochs=300, reports=50)
    index_again(tmp_path)
    monkeypatch.setattr(tasks, "_PART_ROWS", 4000)
    index([str(tmp_path / "logs")], str(tmp_path / "parts"))
    parts = open_archive(str(tmp_path / "parts"))

    assert len(parts.manifest.groups[0].parts["speed"]) > 1
    assert rows_of(parts) == rows_of(tmp_path / "archive")


def test_what_does_not_exist_is_named(tmp_path: Path, fitlog: Fitlog) -> None:
    (tmp_path / "nothing").mkdir()
    absent = fitlog("index", "absent", "-o", "archive")
    nothing = fitlog("index", "nothing", "-o", "archive")
    protocol = fitlog("index", "nothing", "-o", "nosuch://archive")

    assert (absent.returncode, nothing.returncode, protocol.returncode) == (2, 2, 2)
    assert absent.stderr == "fitlog: does not exist (absent)\n"
    assert nothing.stderr.startswith("fitlog: no log (*.log, *.txt, *.out) in nothing")
    assert protocol.stderr.startswith("fitlog: nosuch://archive cannot be opened")
    with pytest.raises(ArchiveError, match="is no archive: there is no manifest in it"):
        open_archive(str(tmp_path / "archive"))
    with pytest.raises(LogError):
        index(["absent"], str(tmp_path / "archive"))


def test_a_damaged_archive_is_told(tmp_path: Path) -> None:
    write_logs(tmp_path / "logs", 1)
    index_again(tmp_path)
    archive = open_archive(str(tmp_path / "archive"))
    path = next(path for path in archive.manifest.paths if "speed" in path)
    (tmp_path / "archive" / path).write_bytes(b"PAR1")

    with pytest.raises(ArchiveError, match="is damaged"):
        archive.table("speed")
    (tmp_path / "archive" / path).unlink()
    with pytest.raises(ArchiveError, match="is missing"):
        archive.table("speed")
    manifest = tmp_path / "archive" / path_of(1)
    manifest.write_text(manifest.read_text().replace("parts/", "../../parts/"))
    with pytest.raises(ArchiveError, match="is damaged"):
        open_archive(str(tmp_path / "archive"))
    manifest.write_text('{"schema": 99}')
    with pytest.raises(ArchiveError, match="schema 99"):
        open_archive(str(tmp_path / "archive"))


@pytest.mark.parametrize("source", ["synthetic", "dates", "restarts"])
def test_a_large_log_that_grows_is_read_on_from_where_it_stood(
    source: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is cut anywhere, also within a line, and within what waits for later lines."""
    take_small_logs_for_large(monkeypatch)
    monkeypatch.setattr(growing, "_LAST_BYTES", 5000)
    text = growing_text(source)
    generator = random.Random(source)
    log = tmp_path / "logs" / "one.log"
    log.parent.mkdir()
    begins: list[int] = []
    read_on = GrowingLog.__init__

    def noted(self: GrowingLog, *args: Any, start: Any, **others: Any) -> None:
        begins.append(start.offset if start else 0)
        read_on(self, *args, start=start, **others)

    monkeypatch.setattr(GrowingLog, "__init__", noted)
    for size in sorted(generator.sample(range(2000, len(text)), 6)):
        log.write_bytes(text[:size])
        index_again(tmp_path)
        index([str(log.parent)], str(tmp_path / f"whole-{size}"))
        assert begins.pop() == 0

        kept, whole = rows_of(tmp_path / "archive"), rows_of(tmp_path / f"whole-{size}")
        assert [table for table in TABLES if kept[table] != whole[table]] == [], size
    assert sum(begin > 0 for begin in begins) >= 4


def test_a_large_log_that_was_written_anew_is_read_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    take_small_logs_for_large(monkeypatch)
    log = write_log(tmp_path / "logs" / "one.log", epochs=10)
    index_again(tmp_path)
    write_log(log, epochs=20, seed=3)
    index_again(tmp_path)
    index([str(log)], str(tmp_path / "whole"))

    assert rows_of(tmp_path / "archive") == rows_of(tmp_path / "whole")


def test_a_memory_that_no_parser_has_is_not_gone_on_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    take_small_logs_for_large(monkeypatch)
    log = write_log(tmp_path / "logs" / "one.log", epochs=10)
    index_again(tmp_path)
    store = open_store(str(tmp_path / "archive"))
    (row,) = open_archive(str(tmp_path / "archive")).table("sources").to_pylist()
    offset, lines, check, _, digest = json.loads(row["state"])
    ledger = Ledger(store)
    ledger.mark({str(log): {"state": json.dumps([offset, lines, check, "{}", digest])}})
    ledger.commit()
    with log.open("a") as file:
        file.writelines(log_lines(epochs=12, reports=6, first=10))
    again = index_again(tmp_path)
    index([str(log)], str(tmp_path / "whole"))

    assert again.read == 1
    assert rows_of(tmp_path / "archive")["speed"] == rows_of(tmp_path / "whole")["speed"]


def growing_text(source: str) -> bytes:
    if source == "synthetic":
        return "".join(synthetic.lines(60_000, seed=5)).encode()
    name = {"dates": "timestamps.log", "restarts": "restarted.log"}[source]
    return (SAMPLES / name).read_bytes() * 8


@pytest.mark.parametrize("source", ["synthetic", "dates", "restarts"])
def test_a_very_large_log_is_split_and_read_in_pieces_with_the_same_rows(
    source: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = growing_text(source)
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "one.log").write_bytes(text)
    index([str(tmp_path / "logs")], str(tmp_path / "whole"))
    monkeypatch.setattr(tasks, "LARGE_BYTES", 1000)
    monkeypatch.setattr(tasks, "_PART_ROWS", 50)
    monkeypatch.setattr(growing, "CHUNK_BYTES", 700)
    monkeypatch.setattr(growing, "_LAST_BYTES", 5000)
    monkeypatch.setattr(indexing, "SPLIT_BYTES", len(text) // 7)
    told: list[tuple[int, int]] = []
    index_again(tmp_path, progress=lambda done, total: told.append((done, total)))
    numbers = manifest_numbers(open_store(str(tmp_path / "archive")))

    kept, whole = rows_of(tmp_path / "archive"), rows_of(tmp_path / "whole")
    assert [table for table in TABLES if kept[table] != whole[table]] == []
    assert len(numbers) >= 7
    assert index_again(tmp_path).unchanged == 1
    assert told == sorted(told)


def test_the_page_of_archives_says_what_every_column_is() -> None:
    page = (PROJECT / "docs" / "archive.md").read_text("utf-8")

    for name, columns in schema.TABLES.items():
        section = page.partition(f"### `{name}`\n")[2].partition("\n###")[0]
        told = [
            (cells[1].strip(" `"), cells[3].strip(), cells[4].strip())
            for row in section.splitlines()
            if len(cells := row.split("|")) == 6 and cells[1].startswith(" `")
        ]
        assert told == [(column, about.unit, about.text) for column, about in columns.items()]
