"""`fitlog dialects`, as a process."""

from __future__ import annotations

import subprocess
import sysconfig
from pathlib import Path

import pytest

from fitlog_parsers import DIALECTS
from support import SAMPLES

FITLOG = Path(sysconfig.get_path("scripts")) / "fitlog"


def fitlog(*args: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [FITLOG, *map(str, args)], capture_output=True, text=True, timeout=60, check=False
    )


def test_every_dialect_is_listed_with_a_line_of_its_own() -> None:
    done = fitlog("dialects")

    assert done.returncode == 0
    lines = done.stdout.splitlines()
    assert [line.split()[0] for line in lines[::2]] == [dialect.name for dialect in DIALECTS]
    assert len({line.strip() for line in lines[1::2]}) == len(DIALECTS)


def test_every_rule_of_a_dialect_is_listed_with_its_example() -> None:
    done = fitlog("dialects", "--rules", "scala")

    assert "time cost in milliseconds\n    Epoch[0] Time cost=464187\n" in done.stdout


def test_control_characters_in_a_dialect_file_do_not_reach_the_terminal(tmp_path: Path) -> None:
    path, log = tmp_path / "own.toml", tmp_path / "own.log"
    rule = """starts = ["step "]
        pattern = 'step[ ](?P<batch_end>{INT})[ ](?P<samples_per_sec>{INT})'
        example = "step 1 2" """
    path.write_text(f'name="a\\u001b[2J"\nabout="b\\u0007"\n[[rule]]\nname="c\\u009b"\n{rule}')
    log.write_text("step 1 2\n")
    option = "--dialect-file", path

    listed = fitlog("dialects", *option)
    rules = fitlog("dialects", "--rules", "a\x1b[2J", *option)
    named = fitlog("dialects", log, *option)

    assert r"a\x1b[2J    b\x07" in listed.stdout
    assert rules.stdout == "c\\x9b\n    step 1 2\n"
    assert named.stdout == "a\\x1b[2J\n"


@pytest.mark.parametrize("name", ["module", "gluoncv", "sockeye"])
def test_a_logs_dialect_is_named(name: str) -> None:
    assert fitlog("dialects", SAMPLES / "dialects" / f"{name}.log").stdout == f"{name}\n"


def test_a_tie_is_said_with_both_names_and_the_file(tmp_path: Path) -> None:
    log = tmp_path / "run.log"
    log.write_text("[Epoch 3] validation: accuracy=0.5\nEpoch[0] Time cost=1000\n")

    done = fitlog("dialects", log)

    assert (done.returncode, done.stdout) == (2, "")
    assert "read equally many lines of it: 1" in done.stderr
    assert " and " in done.stderr
    assert str(log) in done.stderr


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["/nowhere/run.log"], "cannot be opened"),
        ([SAMPLES / "README.md"], "no dialect reads any line"),
        (["--rules", "keras"], "no dialect named 'keras'"),
    ],
)
def test_what_cannot_be_answered_is_said(args: list[object], message: str) -> None:
    done = fitlog("dialects", *args)

    assert done.returncode == 2
    assert message in done.stderr
