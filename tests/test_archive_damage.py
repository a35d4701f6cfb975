"""A part that is damaged is named; no number of it is given as if nothing had happened."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from archives import write_logs
from fitlog.archive.indexing import index
from fitlog.archive.query import query
from fitlog.archive.reading import Archive, open_archive
from fitlog.errors import ArchiveError, QueryError


def ask(archive: Archive) -> Any:
    sql = "SELECT epoch, sum(samples_per_sec), max(line) FROM speed GROUP BY ALL ORDER BY ALL"
    with query(archive.datasets(), sql) as result:
        return [batch.to_pylist() for batch in result]


def read_rows(archive: Archive) -> Any:
    return archive.table("speed").to_pylist()


def read_run(archive: Archive) -> Any:
    run_id = archive.table("runs")["run_id"][0].as_py()
    return archive.run_log([run_id]).speed.to_csv()


@pytest.mark.parametrize("read", [ask, read_rows, read_run])
def test_of_a_part_of_which_one_bit_is_wrong_no_number_is_given(
    read: Callable[[Archive], Any], tmp_path: Path
) -> None:
    write_logs(tmp_path / "logs", 1, epochs=30, reports=50)
    index([str(tmp_path / "logs")], str(tmp_path / "archive"))
    archive = open_archive(str(tmp_path / "archive"))
    part = next((tmp_path / "archive" / "parts" / "speed").rglob("*.parquet"))
    whole = part.read_bytes()
    rows = pq.ParquetFile(part).metadata.row_group(0)
    # Behind these lies what the part says of itself, of which a query has no checksum.
    end = 4 + sum(rows.column(i).total_compressed_size for i in range(rows.num_columns))
    right = read(archive)
    told = set()
    for at in range(4, end, max(1, end // 60)):
        part.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        try:
            given = read(archive)
        except (ArchiveError, QueryError) as error:
            told.add(part.name in str(error))
            given = right
        assert given == right, at

    assert told == {True}
