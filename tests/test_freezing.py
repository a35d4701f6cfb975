"""A reader that is put away between two lines, and goes on as another, reads the same."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest

import synthetic
from fitlog_parsers.bulk import BulkReader
from fitlog_parsers.columns import Columns
from fitlog_parsers.dialects import DIALECTS
from fitlog_parsers.freezing import freeze, thaw
from fitlog_parsers.rows import collect
from support import SAMPLES

LOGS = sorted(SAMPLES.rglob("*.log"))
LINE = (
    b"2026-03-0%d 10:00:0%d Epoch[0] Batch [%d-%d]\tSpeed: 10.00 samples/sec\taccuracy=0.500000\n"
)


def read(pieces: list[bytes], *, anew: bool) -> tuple[dict[str, Any], int]:
    """What is read, and how often another reader went on."""
    columns = Columns()
    columns.begin_file("log")
    reader, times, text, done = BulkReader(columns, DIALECTS), 0, b"", 0
    for piece in pieces:
        reader.feed(piece)
        text += piece
        memory = freeze(reader) if anew else None
        if memory is not None:
            assert reader.waiting_bytes is not None
            done = len(text) - reader.waiting_bytes
            reader = thaw(memory, columns, DIALECTS)
            reader.feed(text[done:])
            times += 1
    reader.close()
    columns.end_file(reader)
    collect(columns)
    return {
        **{name: rows(getattr(columns, name)) for name in ("speed", "metrics", "events")},
        "metrics by code": columns.metrics.names,
        "unparsed": columns.unparsed,
        "findings": sorted(map(repr, columns.findings)),
        "counts": (columns.lines, columns.dialect_lines, columns.rule_uses),
    }, times


def rows(table: Any) -> dict[str, str]:
    lists = {k: v.tolist() if hasattr(v, "tolist") else v for k, v in vars(table).items()}
    return {name: repr(values) for name, values in lists.items()}


@pytest.mark.parametrize("log", LOGS, ids=lambda log: str(log.relative_to(SAMPLES)))
def test_another_reader_goes_on_with_the_same_rows(log: Path) -> None:
    text = log.read_bytes()
    generator = random.Random(log.name)
    cuts = sorted(generator.randrange(len(text) + 1) for _ in range(8))
    pieces = [text[a:b] for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True)]

    assert read(pieces, anew=True)[0] == read([text], anew=False)[0]


def test_most_places_will_do() -> None:
    text = "".join(synthetic.lines(200_000, seed=3)).encode()
    pieces = [text[i : i + 5000] for i in range(0, len(text), 5000)]
    kept, times = read(pieces, anew=True)

    assert kept == read([text], anew=False)[0]
    assert times > len(pieces) // 2


def test_nothing_is_put_away_where_a_line_waits_for_the_next() -> None:
    columns = Columns()
    columns.begin_file("log")
    reader = BulkReader(columns, DIALECTS)
    reader.feed(LINE % (1, 1, 0, 20))

    # Whether the first report of an epoch is a running mean, the second one tells.
    assert freeze(reader) is None
    reader.feed(LINE % (1, 2, 20, 40))
    assert freeze(reader) is not None


def test_no_text_in_utf_16_is_put_away() -> None:
    columns = Columns()
    columns.begin_file("log")
    reader = BulkReader(columns, DIALECTS)
    text = (LINE % (1, 1, 0, 20) + LINE % (1, 2, 20, 40)).decode().encode("utf-16")
    reader.feed(text)

    assert freeze(reader) is None


@pytest.mark.parametrize(
    "text",
    [
        "", "null", "[]", "{}", '{"lines": 1}',
        json.dumps({"lines": 1, "has_nul": False, "crash_line": 0, "dialect_lines": {},
                    "rule_uses": [], "clock": {"object": ["Popen", {}]}, "nodes": []}),
        json.dumps({"lines": 1, "has_nul": False, "crash_line": 0, "dialect_lines": {},
                    "rule_uses": [], "clock": {"eval": "1"}, "nodes": []}),
    ],
)  # fmt: skip
def test_what_is_no_memory_of_a_reader_is_refused(text: str) -> None:
    columns = Columns()
    columns.begin_file("log")

    with pytest.raises(ValueError, match=r"state|Expecting"):
        thaw(text, columns, DIALECTS)
