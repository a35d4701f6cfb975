"""What the tests of archives share: logs made for them, and all rows of an archive by table."""

from __future__ import annotations

import hashlib
import os
import signal
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from fitlog.archive import growing, tasks
from fitlog.archive.reading import Archive, open_archive
from fitlog.archive.schema import TABLES
from fitlog.archive.tasks import Done, Task, read_task

# Where and when a log was found is none of its rows.
OF_THE_FILE = ("version", "record")


def take_small_logs_for_large(monkeypatch: pytest.MonkeyPatch) -> None:
    """A log of more than 1,000 bytes is read in chunks of 700, and read on when it grows."""
    monkeypatch.setattr(tasks, "LARGE_BYTES", 1000)
    monkeypatch.setattr(growing, "CHUNK_BYTES", 700)


def write_log(path: Path, *, epochs: int = 2, reports: int = 6, seed: int = 0) -> Path:
    """A log of a training; the same arguments give the same bytes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(log_lines(epochs=epochs, reports=reports, seed=seed)))
    return path


def log_lines(*, epochs: int, reports: int, seed: int = 0, first: int = 0) -> Iterable[str]:
    """The lines of such a log, from epoch `first` on."""
    month = 1 + seed % 3
    for epoch in range(first, epochs):
        stamp = f"2026-{month:02d}-{1 + seed % 27:02d} 10:{epoch % 60:02d}:"
        for report in range(reports):
            begin = report * 20
            speed = 1000 + 10 * seed + (7 * report + 3 * epoch) % 11
            yield (
                f"{stamp}{report % 60:02d},000 Epoch[{epoch}] Batch [{begin}-{begin + 20}]\tSpeed:"
                f" {speed:.2f} samples/sec\taccuracy=0.{seed % 10}{report % 10}1\n"
            )
        yield f"{stamp}58,000 Epoch[{epoch}] Train-accuracy=0.{seed % 10}5\n"
        yield f"{stamp}58,500 Epoch[{epoch}] Time cost=12.5\n"
        yield f"{stamp}59,000 Epoch[{epoch}] Validation-accuracy=0.{seed % 10}6\n"


def write_logs(folder: Path, count: int, **shape: int) -> list[Path]:
    """So many logs, of three months."""
    return [write_log(folder / f"{i:03d}.log", seed=i, **shape) for i in range(count)]


def rows_of(archive: Path | str | Archive) -> dict[str, list[tuple[Any, ...]]]:
    """All rows by table, in an order of their own, without what is of the file as it lies there."""
    opened = archive if isinstance(archive, Archive) else open_archive(str(archive))
    rows = {}
    for table in TABLES:
        found = opened.dataset(table).to_table()
        columns = [name for name in found.column_names if name not in OF_THE_FILE]
        lists = [found[name].to_pylist() for name in columns]
        rows[table] = sorted(map(repr, zip(*lists, strict=True)))
    return rows  # type: ignore[return-value]


def parts_of(archive: Path | str) -> dict[str, str]:
    """The digests of the parts that the last manifest lists, by path."""
    opened = open_archive(str(archive))
    return {
        path: hashlib.sha256(opened.store.read(path)).hexdigest()
        for path in sorted(opened.manifest.paths)
    }


def read_or_die(task: Task) -> Done:
    """Read the logs; who is the first to read `010.log` is killed when it has done so."""
    done = read_task(task)
    if any(log.file.endswith("010.log") for log in task.logs):
        try:
            Path(f"{task.archive}-killed").touch(exist_ok=False)
        except FileExistsError:
            return done
        os.kill(os.getpid(), signal.SIGKILL)
    return done


def part_of(archive: Path, table: str) -> Path:
    """The first part of a table that the last manifest lists."""
    paths = sorted(open_archive(str(archive)).manifest.paths)
    return archive / next(path for path in paths if path.startswith(f"parts/{table}/"))
