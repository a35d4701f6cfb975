"""Commands take an archive in place of logs, and say the same of its runs as of the logs."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import fitlog as package
from archives import log_lines
from fitlog.archive import runlogs
from fitlog.archive.indexing import index
from fitlog.chosen import choose_history, choose_runs, is_archive
from fitlog.compared import read_facts
from fitlog.errors import ArchiveError, BaselineError, QueryError, SettingError
from fitlog.ledger import Ledger
from fitlog.tables import TABLES, RunLog, build_tables
from speeds import HOST, levels_around, log_of, write_run
from support import SAMPLES, Fitlog

ENDS = "Epoch[{epoch}] Train-accuracy=0.{epoch}5\nEpoch[{epoch}] Validation-accuracy=0.{epoch}4\n"


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten runs' folders, `runs`, and their archive; the logs of `gone` are there no more."""
    folder = tmp_path_factory.mktemp("kept")
    for i, level in enumerate(levels_around(1000, 10, spread=0.006)):
        arguments = {"network": "lenet", "batch_size": 64, "lr": 0.1 + i / 100}
        write_run(
            folder / "runs" / f"{i:02}", log_of(level, i, ends=ENDS), arguments=arguments,
            host={**HOST, "name": f"host-{i % 2}"},
        )  # fmt: skip
    index([str(folder / "runs")], str(folder / "archive"))
    shutil.copytree(folder / "runs", folder / "gone")
    index([str(folder / "gone")], str(folder / "of-gone"))
    shutil.move(folder / "gone", folder / "moved")
    return folder


def one(archive: Path, where: str) -> RunLog:
    (found,) = choose_runs([str(archive)], where)
    assert isinstance(found, RunLog)
    return found


def test_an_archives_runs_are_those_of_the_logs_table_by_table(kept: Path) -> None:
    chosen = choose_runs([str(kept / "archive")])

    logs = sorted((kept / "runs").rglob("run.log"))
    by_name = {log.name: log for log in chosen if isinstance(log, RunLog)}
    assert sorted(by_name) == [str(log) for log in logs]
    for log in logs:
        read, archived = package.read_log(log), by_name[str(log)]
        for table in TABLES:
            pd.testing.assert_frame_equal(
                getattr(archived, table), getattr(read, table), check_exact=True
            )
        assert archived.hparams == read.hparams
        assert archived.record == json.loads((log.parent / "run.json").read_text())


def test_runs_of_one_file_are_told_apart(tmp_path: Path) -> None:
    index([str(SAMPLES / "restarted.log")], str(tmp_path / "archive"))

    names = [log.name for log in choose_runs([str(tmp_path / "archive")])]  # type: ignore[union-attr]
    second = one(tmp_path / "archive", "run = 1")

    assert names == [f"{SAMPLES / 'restarted.log'} (run {run})" for run in (0, 1)]
    read = package.read_log(SAMPLES / "restarted.log")
    for table in ("speed", "metrics", "epochs", "events", "runs"):
        whole = getattr(read, table)
        expected = whole[whole["run"] == 1].reset_index(drop=True)
        pd.testing.assert_frame_equal(getattr(second, table), expected, check_exact=True)


def test_the_tables_of_a_log_are_built_once_for_all_its_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = "".join("".join(log_lines(epochs=2, reports=3)) for _ in range(4))
    (tmp_path / "restarted.log").write_text(log)
    index([str(tmp_path / "restarted.log")], str(tmp_path / "archive"))
    built: list[object] = []

    def build(*args: Any, **options: Any) -> RunLog:
        built.append(args)
        return build_tables(*args, **options)

    monkeypatch.setattr(runlogs, "build_tables", build)

    assert len(choose_runs([str(tmp_path / "archive")])) == 4
    assert len(built) == 1


def test_what_is_no_archive_stays_as_it_is(tmp_path: Path, kept: Path) -> None:
    log = package.read_log(SAMPLES / "lenet-1.log")

    assert choose_runs(["a.log", "-", log, b"bytes", tmp_path]) == [
        "a.log", "-", log, b"bytes", tmp_path
    ]  # fmt: skip
    assert is_archive(kept / "archive")
    assert is_archive("s3://bucket/archive")
    assert not is_archive(kept / "runs")
    mixed = choose_runs(["a.log", str(kept / "archive")], "host = 'host-1'")
    assert mixed[0] == "a.log"
    assert len(mixed) == 6


def test_a_choice_that_cannot_be_made_is_told(kept: Path) -> None:
    archive = str(kept / "archive")

    with pytest.raises(SettingError, match="and none is named"):
        choose_runs(["a.log"], "run = 0")
    with pytest.raises(QueryError, match="holds no run of which \"network = 'mlp'\" is true"):
        choose_runs([archive], "network = 'mlp'")
    with pytest.raises(QueryError, match="--where 'nothing = 1'"):
        choose_runs([archive], "nothing = 1")
    with pytest.raises(SettingError, match="10 runs, and 5 at most can be taken"):
        choose_runs([archive], most=5)
    with pytest.raises(ArchiveError, match="nowhere"):
        choose_runs(["memory://nowhere"])


def test_a_comparison_is_the_same_when_the_logs_are_gone(kept: Path) -> None:
    where = "file LIKE '%/00/%' OR file LIKE '%/01/%'"
    archived = package.compare(*choose_runs([str(kept / "of-gone")], where))
    read = package.compare(kept / "moved" / "00", kept / "moved" / "01")

    assert archived.settings == read.settings
    assert archived.quantities == read.quantities
    assert [run.settings for run in archived.runs] == [run.settings for run in read.runs]
    assert "lr" in {setting.name for setting in archived.settings}
    facts = read_facts(one(kept / "of-gone", "file LIKE '%/00/%'"))
    assert facts.settings_source == "run.json"


def test_a_check_judges_archived_runs_as_it_judges_logs(kept: Path) -> None:
    new, old = kept / "moved" / "03" / "run.log", kept / "moved" / "04" / "run.log"
    archived = package.check(
        choose_runs([str(kept / "of-gone")], "file LIKE '%/03/%'"),
        baseline=choose_runs([str(kept / "of-gone")], "file LIKE '%/04/%'"),
    )
    read = package.check([new], baseline=[old])

    assert (archived.verdict, archived.effect, archived.interval) == (
        read.verdict, read.effect, read.interval
    )  # fmt: skip


def test_an_archive_is_a_history(kept: Path, tmp_path: Path) -> None:
    slow = write_run(tmp_path / "slow", log_of(850, 77))
    same = write_run(tmp_path / "same", log_of(1000, 78))
    other = write_run(tmp_path / "other", log_of(1000, 79), host={**HOST, "cpu": "B"})

    history = choose_history(str(kept / "of-gone"))
    assert isinstance(history, Ledger)
    assert len(history.entries) == 10
    assert package.check([slow], history=history).verdict == "regression"
    assert package.check([same], history=history).verdict == "pass"
    with pytest.raises(BaselineError, match="cpu is 'B' here and 'A' there"):
        package.check([other], history=history)
    few = choose_history(str(kept / "of-gone"), "host = 'host-1'")
    assert isinstance(few, Ledger)
    assert len(few.entries) == 5
    assert choose_history("ledger.jsonl") == "ledger.jsonl"


def test_a_run_whose_machine_nobody_knows_is_not_taken_to_be_of_this_one(tmp_path: Path) -> None:
    (tmp_path / "bare.log").write_bytes(log_of(1000, 1))
    index([str(tmp_path / "bare.log")], str(tmp_path / "archive"))
    history = choose_history(str(tmp_path / "archive"))

    assert isinstance(history, Ledger)
    assert set(history.entries[0].like) == {"window", "warmup", "series"}


def test_the_commands_take_an_archive(kept: Path, tmp_path: Path, fitlog: Fitlog) -> None:
    slow = write_run(tmp_path / "slow", log_of(850, 77))
    where = "file LIKE '%/00/%' OR file LIKE '%/01/%'"

    plotted = fitlog("plot", kept / "of-gone", "--where", where, "-o", "out.png")
    compared = fitlog("compare", kept / "of-gone", "--where", where, "--format", "json")
    checked = fitlog("check", slow, "--history", kept / "of-gone", "--where", "network = 'lenet'")
    added = fitlog("history", "add", "ledger.jsonl", kept / "of-gone", "--where", where)

    assert (plotted.returncode, plotted.stdout) == (0, "wrote out.png\n")
    assert (tmp_path / "out.png").read_bytes().startswith(b"\x89PNG")
    assert len(json.loads(compared.stdout)["runs"]) == 2
    assert (checked.returncode, checked.stdout[:10]) == (1, "regression")
    assert added.stdout.count("added run ") == 2
