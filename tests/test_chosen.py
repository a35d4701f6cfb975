"""Commands take an archive in place of logs, and say the same of its runs as of the logs."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import fitlog as package
from archives import log_lines
from fitlog import chosen
from fitlog.archive import runlogs
from fitlog.archive.indexing import index
from fitlog.chosen import choose_history, choose_runs, choose_sides, is_archive
from fitlog.compared import read_facts
from fitlog.errors import ArchiveError, BaselineError, LogError, QueryError, SettingError
from fitlog.ledger import Ledger, read_ledger
from fitlog.report.contents import gather
from fitlog.tables import TABLES, RunLog, build_tables
from speeds import HOST, levels_around, log_of, make_ledger, write_logs, write_run
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
    (tmp_path / "manifests").mkdir()
    (tmp_path / "manifests" / "deployment.json").touch()
    assert not is_archive(tmp_path)
    mixed = choose_runs(["a.log", str(kept / "archive")], "host = 'host-1'")
    assert mixed[0] == "a.log"
    assert len(mixed) == 6


def test_a_choice_that_cannot_be_made_is_told(kept: Path) -> None:
    archive = str(kept / "archive")

    with pytest.raises(SettingError, match="and none is named"):
        choose_runs(["a.log"], "run = 0")
    with pytest.raises(QueryError, match="holds no run of which \"network = 'mlp'\" is true"):
        choose_runs([archive], "network = 'mlp'")
    with pytest.raises(QueryError, match="the condition 'nothing = 1'"):
        choose_runs([archive], "nothing = 1")
    with pytest.raises(SettingError, match="10 runs, and 5 at most can be taken: choose with --wh"):
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


def archived(folder: Path, *logs: Path) -> str:
    """The archive of these logs, or of all in `logs`."""
    index([str(log) for log in logs or [folder / "logs"]], str(folder / "archive"))
    return str(folder / "archive")


def undated(folder: Path, levels: Sequence[float]) -> list[Path]:
    """Logs without a date, run-1.log and on, all changed at the same minute."""
    (folder / "logs").mkdir()
    logs = [folder / "logs" / f"run-{number}.log" for number in range(1, len(levels) + 1)]
    for number, (log, level) in enumerate(zip(logs, levels, strict=True)):
        log.write_bytes(log_of(level, number))
        os.utime(log, (1_790_000_000 - number % 7, 1_790_000_000 - number % 7))
    return logs


def test_runs_without_a_date_follow_each_other_by_their_files(tmp_path: Path) -> None:
    levels = [*levels_around(1000, 12, spread=0.004), *levels_around(1120, 12, spread=0.004)]
    logs = undated(tmp_path, levels)
    slow = tmp_path / "slow.log"
    slow.write_bytes(log_of(1005, 99))
    archive = archived(tmp_path)

    judgement = package.check([slow], history=choose_history(archive))

    by_ledger = package.check([slow], history=make_ledger(tmp_path, logs))
    assert (judgement.verdict, judgement.effect) == (by_ledger.verdict, by_ledger.effect)
    assert judgement.verdict == "regression"
    assert judgement.reference is not None
    assert judgement.reference.since == ""
    assert any("when 24 of the 24 comparable runs" in reason for reason in judgement.reasons)
    assert [log.name for log in choose_runs([archive])] == list(map(str, logs))  # type: ignore[union-attr]


def test_a_run_without_a_date_stands_where_its_log_was_changed(tmp_path: Path) -> None:
    logs = undated(tmp_path, [1000, 1000, 1000])
    for log, when in zip(logs, (3e5, 1e5, 2e5), strict=True):
        os.utime(log, (1.79e9 + when, 1.79e9 + when))

    names = [Path(log.name).name for log in choose_runs([archived(tmp_path)])]  # type: ignore[union-attr]

    assert names == ["run-2.log", "run-3.log", "run-1.log"]


def test_a_run_of_an_archive_is_known_by_the_archive_alone(tmp_path: Path) -> None:
    logs = [write_run(tmp_path / "logs" / f"{i}", log_of(1000 + i, i), share=1.9) for i in range(9)]
    archive = archived(tmp_path)

    def known() -> tuple[object, ...]:
        runs, history = choose_runs([archive]), choose_history(archive)
        assert isinstance(history, Ledger)
        judged = package.check(runs[:1], baseline=runs[1:], history=history)
        facts = [read_facts(run) for run in runs]
        return judged, history, [(fact.settings, fact.phases, fact.notes) for fact in facts]

    there = known()
    assert package.check(logs[:1], baseline=logs[1:]).candidates[0].usage is not None
    shutil.move(tmp_path / "logs", tmp_path / "moved")

    assert known() == there


def test_conditions_choose_candidates_and_past_of_one_archive(kept: Path) -> None:
    archive = str(kept / "archive")

    both = choose_sides([archive], [], archive, "file LIKE '%/03/%'", "host = 'host-0'")
    past = choose_sides(["new.log"], [archive], None, "host = 'host-0'")
    whole = choose_sides([archive], [archive], None, "file LIKE '%/03/%'")

    assert isinstance(both.history, Ledger)
    assert (len(both.candidates), len(both.history.entries)) == (1, 5)
    assert (past.candidates, len(past.baseline)) == (["new.log"], 5)
    assert (len(whole.candidates), len(whole.baseline)) == (1, 10)
    judgement = package.check(whole.candidates, baseline=whole.baseline)
    assert len(judgement.baseline) == 9
    assert any(
        "03/run.log is a candidate, and is left out" in reason for reason in judgement.reasons
    )
    with pytest.raises(BaselineError, match="no run but the candidates"):
        package.check(whole.candidates, baseline=whole.candidates)
    with pytest.raises(SettingError, match="--past-where chooses runs of an archive, and none"):
        choose_sides([archive], ["a.log"], None, None, "run = 0")


def test_of_a_long_history_the_newest_runs_are_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    logs = undated(tmp_path, [1000.0] * 12)
    monkeypatch.setattr(chosen, "MOST_RUNS", 10)

    history = choose_history(archived(tmp_path))

    assert isinstance(history, Ledger)
    assert [entry.log for entry in history.entries] == list(map(str, logs[2:]))
    assert history.doubts == (f"of 12 runs of {history.name}, the newest 10 are taken",)


def test_copies_in_an_archive_count_once(tmp_path: Path) -> None:
    (log,) = write_logs(tmp_path / "logs", [1000])
    shutil.copy(log, tmp_path / "logs" / "copy.log")
    (new,) = write_logs(tmp_path / "new", [1000], name="new", seed=7)

    judgement = package.check([new], baseline=choose_runs([archived(tmp_path)]))

    assert len(judgement.baseline) == 1
    assert any("are one and the same run, which is counted once" in r for r in judgement.reasons)


def test_messages_about_an_archive_name_its_logs_and_what_helps(tmp_path: Path) -> None:
    (log,) = write_logs(tmp_path / "logs", [1000])
    other = write_run(tmp_path / "logs" / "other", log_of(1000, 5), host={**HOST, "cpu": "B"})
    new = write_run(tmp_path / "new", log_of(1000, 6), arguments={"network": "mlp"})
    archive = archived(tmp_path)

    with pytest.raises(BaselineError, match=f"there \\({other}\\); --ignore"):
        package.check([new], history=choose_history(archive, "network = 'lenet'"))
    with pytest.raises(BaselineError, match="holds no run but the candidate itself"):
        package.check([log], history=choose_history(archive, "network IS NULL"))
    with pytest.raises(SettingError, match="--series names runs of a ledger"):
        choose_history(archive, series="nightly")


def test_where_no_archive_is_taken_one_is_named_with_what_takes_it(
    kept: Path, fitlog: Fitlog
) -> None:
    archive = kept / "archive"
    log = archive / "run.log"

    for read in (package.read_log, package.compare, lambda a: package.check([log], baseline=[a])):
        with pytest.raises(LogError, match="is an archive, not a log: plot, compare, check"):
            read(archive)
    with pytest.raises(BaselineError, match="is an archive, not a ledger: check and report"):
        package.check([SAMPLES / "lenet-1.log"], history=archive)
    for words in (["doctor"], ["plot", "--kind", "history"], ["history", "show"], ["phases"]):
        done = fitlog(*words, archive)
        assert (done.returncode, "is an archive, " in done.stderr) == (2, True), words


def test_a_ledger_follows_an_archive(tmp_path: Path, fitlog: Fitlog) -> None:
    logs = undated(tmp_path, [1000, 1010, 1020])
    (tmp_path / "logs" / "silent.log").write_text("Epoch[0] Resetting Data Iterator\n")
    archive = archived(tmp_path, *logs[:2])

    first = fitlog("history", "add", "ledger.jsonl", archive)
    archived(tmp_path)
    second = fitlog("history", "add", "ledger.jsonl", archive)

    assert first.stdout.count("added run ") == 2
    assert "runs without a date: 2, in the order of their files' last changes" in first.stderr
    assert second.returncode == 0
    assert "known already, or twice in the archive: 2\n" in second.stdout
    assert [line for line in second.stdout.splitlines() if "added run" in line] == [
        f"added run {read_ledger(tmp_path / 'ledger.jsonl').entries[-1].id}: {logs[2]}"
    ]
    assert "left out: holds no speed of a training" in second.stderr


def test_a_comparisons_baseline_is_one_run_of_an_archive(
    kept: Path, tmp_path: Path, fitlog: Fitlog
) -> None:
    archive, log = kept / "archive", write_run(tmp_path / "new", log_of(1000, 99))
    one = "file LIKE '%/03/%'"

    by_log = fitlog("compare", log, "--baseline", archive, "--where", one, "--format", "json")
    two = "file LIKE '%/03/%' OR file LIKE '%/04/%'"
    both = ("--where", two, "--past-where", one, "--plot", "out.svg", "--format", "json")
    within = fitlog("compare", archive, "--baseline", archive, *both)
    many = fitlog("compare", log, "--baseline", archive)

    for done, other in ((by_log, "new"), (within, "04")):
        names = [Path(run["name"]).name for run in json.loads(done.stdout)["runs"]]
        assert names == ["03", other]
    assert many.returncode == 2
    assert "10 runs, and 1 at most can be taken: choose with --where" in many.stderr


def test_more_runs_than_can_be_told_apart_are_drawn_with_a_word(
    tmp_path: Path, fitlog: Fitlog
) -> None:
    write_logs(tmp_path / "logs", [1000.0] * 27, windows=3)
    archive = archived(tmp_path)

    many = fitlog("plot", archive, "-o", "many.svg")
    few = fitlog("plot", archive, "--where", "file LIKE '%old-0_.log'", "-o", "few.svg")

    assert many.stdout == "wrote many.svg\n"
    assert "27 logs or runs lie over each other, and 26 can be told apart: --where" in many.stderr
    assert (few.returncode, few.stderr) == (0, "")


def test_a_report_holds_a_run_of_an_archive_against_the_others_of_it(kept: Path) -> None:
    sides = choose_sides([str(kept / "archive")], [str(kept / "archive")], None, "host = 'host-1'")

    contents = gather(sides.candidates[:1], baseline=sides.baseline)

    assert [run.is_baseline for run in contents.runs] == [False, *[True] * 9]
    assert contents.comparison is not None
    assert contents.judgement is not None
    assert len(contents.notes) == 1
    alone = gather(sides.candidates[:1], baseline=sides.candidates[:1])
    assert "no baseline to compare with" in alone.unjudged
