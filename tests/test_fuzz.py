"""The fuzzer itself: it runs, it is the same for a seed, and it can fail."""

from __future__ import annotations

import faulthandler
import random
import subprocess
import sys
from pathlib import Path

import pytest

import fuzz_reading
from fitlog_parsers.scanner import RuleIndex
from support import PROJECT
from ways import ReadersDifferError


def test_mutated_logs_and_dialect_files_are_read_alike_or_refused(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, PROJECT / "tests" / "fuzz_reading.py", "--inputs", "200", "--seed", "7"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.stderr == ""
    assert done.stdout == "seed 7: 200 inputs, none failed\n"
    assert done.returncode == 0


def test_an_input_depends_on_the_seed_and_its_number_alone() -> None:
    first, second = (
        [kind.make(random.Random(f"7 {n}")) for n in range(20) for kind in fuzz_reading.KINDS]
        for _ in range(2)
    )

    assert first == second


def test_an_input_on_which_the_readers_differ_is_kept_and_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(RuleIndex, "is_interesting", lambda *_: False)
    monkeypatch.setattr(faulthandler, "dump_traceback_later", lambda *_, **__: None)
    monkeypatch.setattr(sys, "argv", ["fuzz_reading.py", "--seed", "7", "--inputs", "2000"])

    with pytest.raises(ReadersDifferError, match="read differently in bulk: "):
        fuzz_reading.main()

    (kept,) = tmp_path.iterdir()
    number = kept.stem.removeprefix("fuzz-7-")
    assert capsys.readouterr().out == f"seed 7, input {number} failed; it is kept in {kept.name}\n"
    assert kept.name == f"fuzz-7-{int(number)}.log"
