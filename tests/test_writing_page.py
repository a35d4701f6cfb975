"""The loops that the documentation shows leave logs that are read to the last line."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

import fitlog
from support import PROJECT

PAGE = PROJECT / "docs" / "writing.md"
EXAMPLES = {
    str(re.search(r'LineWriter\("runs/(\w+)"', block)[1]): block  # type: ignore[index]
    for block in re.findall(r"^```python\n(.*?)^```$", PAGE.read_text("utf-8"), re.DOTALL | re.M)
}


@pytest.mark.parametrize("name", ["numpy", "torch"])
def test_an_example_leaves_a_log_of_three_epochs(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip(name)
    monkeypatch.chdir(tmp_path)

    exec(compile(EXAMPLES[name], str(PAGE), "exec"), {})  # noqa: S102  # our own page

    log = fitlog.read_log(tmp_path / "runs" / name / "run.log")
    assert len(log.unparsed) == len(log.warnings) == 0
    assert log.epochs["epoch"].tolist() == [0, 1, 2]
    assert log.epochs["validation-accuracy"].iloc[-1] > 0.8
    assert (log.speed["batch_end"] - log.speed["batch_start"] == 5).all()
    assert len(log.speed) >= 6
    record = json.loads((tmp_path / "runs" / name / "run.json").read_text("utf-8"))
    assert record["status"] == "finished"
    assert record["versions"][name]


def test_the_example_in_numpy_prints_the_values_that_are_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    shown = re.findall(r"^Epoch.*$", PAGE.read_text("utf-8"), re.MULTILINE)

    exec(compile(EXAMPLES["numpy"], str(PAGE), "exec"), {})  # noqa: S102

    written = (tmp_path / "runs" / "numpy" / "run.log").read_text("utf-8").splitlines()
    speed = re.compile(r"Speed: [\d.]+ ")
    assert len(shown) == 2
    assert [speed.sub("", line) for line in shown] == [speed.sub("", line) for line in written[:2]]
