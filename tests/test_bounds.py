"""What grows with a log is bounded, says so, and does not depend on how the log is cut."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bothways import by_rules, cut, in_bulk
from fitlog import read_log
from fitlog.streams import TableStream
from fitlog_parsers import LogReader, Row
from fitlog_parsers.lines import KEPT_BYTES, MAX_LINE_BYTES
from support import SAMPLES, Fitlog

RECORD = b"Epoch[0] Time cost=1.000\n"


@pytest.mark.parametrize("end", [b"", b"\n", b"\n" + RECORD])
@pytest.mark.parametrize("at", [0, KEPT_BYTES + 1, MAX_LINE_BYTES, MAX_LINE_BYTES + 20])
def test_a_nul_in_a_line_that_is_too_long_is_told_wherever_it_stands(at: int, end: bytes) -> None:
    line = b"x" * at + b"\0" + b"x" * (MAX_LINE_BYTES + 40 - at)
    log = RECORD + line + end + RECORD

    whole = by_rules([log])

    assert [(found.code, found.line) for _, found in whole["findings"]] == [("nul-bytes", 2)]
    for places in ([], [30], [at + 1], [MAX_LINE_BYTES + 30], [at, at + 30, len(RECORD + line)]):
        pieces = cut(log, [len(RECORD) + place for place in places])
        assert by_rules(pieces) == whole
        assert in_bulk(pieces) == whole


def test_times_that_no_later_line_explains_are_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fitlog_parsers.times._MOST_OPEN_LINES", 10)
    record = b"03/04/2018 10:00:00 " + RECORD
    reader = LogReader()

    waiting = reader.feed(record + b"other output\n" * 9)
    given = reader.feed(b"other output\n" * 2)

    assert [entry for entry in waiting if isinstance(entry, Row)] == []
    assert [entry.time for entry in given if isinstance(entry, Row)] == [None]
    log = record + b"other output\n" * 30 + record
    whole = by_rules([log])
    assert [(found.code, found.line) for _, found in whole["findings"]] == [("date-order", 12)]
    for place in (20, 150, 300):
        assert by_rules(cut(log, [place])) == whole
        assert in_bulk(cut(log, [place])) == whole


def test_a_table_of_epochs_that_would_be_too_wide_has_its_first_columns(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    log = "".join(f"Epoch[{i}] Validation-m{i}={i}.5\n" for i in range(6)).encode()
    monkeypatch.setattr("fitlog.epochs._MOST_CELLS", 12)

    wide = read_log(log)
    (parts,) = TableStream([log], "warnings", with_file=False)

    named = [name for name in map(str, wide.epochs) if "-m" in name]
    assert named == ["validation-m0", "validation-m1"]
    assert wide.epochs["validation-m1"].to_list()[1] == 1.5
    assert [(row.code, row.line) for row in wide.warnings.itertuples()] == [("wide-epochs", 3)]
    assert parts.equals(wide.warnings)
    assert wide.metrics["value"].tolist() == [i + 0.5 for i in range(6)]


def test_json_is_whole_where_a_later_log_cannot_be_read(fitlog: Fitlog, tmp_path: Path) -> None:
    good = SAMPLES / "long.log"
    bad = tmp_path / "bad.log"
    bad.write_bytes(b"\0\1\2" * 1000)

    ran = fitlog("parse", good, bad, "--table", "speed", "-o", "t.json")

    assert ran.returncode == 2
    assert "bad.log" in ran.stderr
    rows = json.loads((tmp_path / "t.json").read_text())
    assert len(rows) == len(read_log(good).speed)
