"""Which words of `fitlog check` are candidates or baselines, and that no run counts twice."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from fitlog import BaselineError, SettingError, check
from fitlog.cli.baselines import spread_baselines
from speeds import log_of, write_logs, write_run
from support import Fitlog

VALUED = {"--baseline", "--tolerance"}


@pytest.mark.parametrize(
    ("words", "spread"),
    [
        ("new --baseline a b c", "new --baseline a --baseline b --baseline c"),
        ("--baseline a b --tolerance 5% new", "--baseline a --baseline b --tolerance 5% new"),
        ("--baseline a b -- new", "--baseline a --baseline b -- new"),
        ("new --baseline a --baseline b c", "new --baseline a --baseline b --baseline c"),
        ("new --baseline a -", "new --baseline a --baseline -"),
        ("--baseline a new", "--baseline a new"),
        ("--baseline a --baseline b new", "--baseline a --baseline b new"),
        ("--baseline=a new1 new2", "--baseline=a new1 new2"),
        ("--tolerance 5% --baseline a new", "--tolerance 5% --baseline a new"),
        ("new --baseline", "new --baseline"),
        ("new --baseline --tolerance 5%", "new --baseline --tolerance 5%"),
        ("--baseline a --", "--baseline a --"),
        ("", ""),
    ],
)
def test_words_behind_baseline_belong_to_it_where_the_candidate_is_elsewhere(
    words: str, spread: str
) -> None:
    assert spread_baselines(words.split(), VALUED) == spread.split()


@pytest.mark.parametrize(
    "words",
    ["--baseline a b c", "--tolerance 5% --baseline a b c", "--baseline a b c --", "--baseline a b "
     "--baseline c d"],
)  # fmt: skip
def test_words_that_could_be_either_are_refused(words: str) -> None:
    with pytest.raises(ValueError, match="whether b is a baseline or a candidate: name the cand"):
        spread_baselines(words.split(), VALUED)


def test_what_a_shell_makes_of_a_glob_behind_baseline_is_the_baseline(
    tmp_path: Path, fitlog: Fitlog
) -> None:
    good = write_logs(tmp_path / "good", [1000.0, 1003.0, 998.0])
    slow = write_logs(tmp_path / "slow", [600.0], seed=900)

    first = fitlog("check", *slow, "--baseline", *good)
    doubtful = fitlog("check", "--baseline", *good, *slow)

    assert first.returncode == 1
    assert first.stdout.count("\n  candidate: ") == 1
    assert first.stdout.count("\n  baseline: ") == 3
    assert (doubtful.returncode, doubtful.stdout) == (2, "")
    assert "nothing tells whether" in doubtful.stderr


def test_folders_of_runs_and_quoted_globs_are_judged(tmp_path: Path, fitlog: Fitlog) -> None:
    for i in range(3):
        write_run(tmp_path / "good" / str(i), log_of(1000, i))
        write_run(tmp_path / "new" / str(i), log_of(800, 10 + i))

    done = fitlog("check", "new/0", "new/1", "new/2", "--baseline", "good/*")
    none = fitlog("check", "new/0", "--baseline", "better/*")

    assert done.returncode == 1
    assert "  candidate: new/2/run.log: " in done.stdout
    assert "  baseline: good/2/run.log: " in done.stdout
    assert (none.returncode, none.stderr) == (2, "fitlog: matches no file (better/*)\n")


def test_a_copy_of_a_run_is_neither_its_baseline_nor_another_run(
    tmp_path: Path, fitlog: Fitlog
) -> None:
    one, two = write_logs(tmp_path / "logs", [1000.0, 1001.0])
    shutil.copy(one, tmp_path / "copy.log")

    done = fitlog("check", "copy.log", "--baseline", one)

    assert (done.returncode, done.stdout) == (2, "")
    assert f"copy.log and {one} are one and the same run: it is both" in done.stderr
    with pytest.raises(BaselineError, match="it is both candidate and baseline"):
        check([one.read_bytes()], baseline=[one.read_bytes()])
    with pytest.raises(SettingError, match="one and the same run, which counts once"):
        check([two], baseline=[one, tmp_path / "copy.log"])


def test_runs_that_only_agree_in_a_metric_are_others() -> None:
    only_metric = b"Epoch[0] Validation-accuracy=0.9\n"

    judgement = check([only_metric], baseline=[only_metric], metric="validation-accuracy")

    assert judgement.effect == 0


def test_a_rate_of_false_alarms_is_a_part_of_the_whole(tmp_path: Path, fitlog: Fitlog) -> None:
    one, two = write_logs(tmp_path / "logs", [1000.0, 960.0])

    strict = fitlog("check", two, "--baseline", one, "--alpha", "0.1%")
    lenient = fitlog("check", two, "--baseline", one, "--alpha", "10%")
    wrong = fitlog("check", two, "--baseline", one, "--alpha", "often")

    assert (strict.returncode, lenient.returncode, wrong.returncode) == (3, 1, 2)
    assert wrong.stderr == (
        "fitlog: --alpha often: must be a part of the whole, such as 5% or 0.05\n"
    )
