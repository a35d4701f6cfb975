"""The sample logs: their golden tables, and counts that a few lines of plain Python make."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from types import ModuleType

import pytest

from fitlog import read_log
from support import SAMPLES

LOGS = sorted(SAMPLES.glob("*.log"))
ids = [log.stem for log in LOGS]


@pytest.fixture(scope="module")
def golden() -> ModuleType:
    spec = importlib.util.spec_from_file_location("golden", SAMPLES / "golden.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("log", LOGS, ids=ids)
def test_a_sample_log_parses_to_its_golden_tables(log: Path, golden: ModuleType) -> None:
    assert golden.format_tables(read_log(log)) == golden.golden_path(log).read_text("utf-8")


@pytest.mark.parametrize("log", LOGS, ids=ids)
def test_a_sample_log_has_a_row_for_each_line_that_says_something(log: Path) -> None:
    # Counted without the grammar: nothing here knows what a record looks like but for one word.
    text = log.read_text("utf-8")
    points = re.findall(r"\[(\d+)\] Batch \[([-\d]+)\]\s+Speed: (\S+) samples/sec", text)

    tables = read_log(log)

    metrics, events = tables.metrics, tables.events
    assert len(tables.speed) == len(set(points))
    assert (metrics["split"] == "validation").sum() >= text.count("Validation-")
    assert (metrics["scope"] == "epoch").sum() == len(
        re.findall(r"\] (?:Train|Validation)-", text)
    ) - len(re.findall(r"Iter\[\d+\] Batch\[\d+\] Train-", text))
    assert (events["kind"] == "time_cost").sum() == text.count("Time cost=")
    assert (events["kind"] == "checkpoint").sum() == text.count("Saved checkpoint to")
    assert (events["kind"] == "lr").sum() == text.count("Update[")


def test_every_sample_log_is_described(samples: Path) -> None:
    readme = (samples / "README.md").read_text("utf-8")
    numbered = re.compile(r"-[23]$")

    for log in LOGS:
        assert numbered.search(log.stem) or f"`{log.name}`" in readme


def test_only_the_torn_line_of_the_killed_run_is_not_read() -> None:
    unread = {log.stem: len(rows) for log in LOGS if len(rows := read_log(log).unparsed)}

    assert unread == {"killed": 1}
