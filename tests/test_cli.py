"""The command, as a process: what it prints, where, and how it ends, for good input and bad."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from fitlog import __version__
from support import SAMPLES, Fitlog

CANONICAL = SAMPLES / "canonical.log"


def lenets(name: str, option: str = "") -> list[str]:
    paths = [str(SAMPLES / f"{name}-{i}.log") for i in (1, 2, 3)]
    return [part for path in paths for part in ((option, path) if option else (path,))]


def test_help_names_the_commands(fitlog: Fitlog) -> None:
    done = fitlog("--help")

    assert done.returncode == 0
    assert all(command in done.stdout for command in ("run", "parse", "plot", "check"))


def test_the_version_is_printed(fitlog: Fitlog) -> None:
    assert fitlog("--version").stdout == f"fitlog {__version__}\n"


@pytest.mark.parametrize("command", [[], ["parse"], ["nosuch"], ["parse", "a", "--table", "b"]])
def test_wrong_usage_exits_with_2(command: list[str], fitlog: Fitlog) -> None:
    done = fitlog(*command)

    assert done.returncode == 2
    assert "Usage: " in done.stdout + done.stderr


@pytest.mark.parametrize(
    ("command", "unwanted"),
    [
        (["--help"], "numpy pandas matplotlib mxnet rich pydantic fitlog_parsers"),
        (["check", "{}", "--baseline", "{}"], "numpy pandas matplotlib mxnet rich pydantic"),
        (["parse", "{}"], "matplotlib mxnet"),
        (["export", "{}", "--to", "csv", "-o", "a.csv"], "matplotlib mxnet tensorboard mlflow"),
        (["compare", "{}", str(SAMPLES / "lenet-2.log")], "matplotlib mxnet"),
        (
            ["phases", str(SAMPLES / "lenet-phases.jsonl")],
            "numpy pandas matplotlib mxnet rich pydantic",
        ),
        (["plot", "{}"], "mxnet matplotlib.pyplot"),
    ],
)
def test_a_command_imports_no_more_than_it_needs(
    command: list[str], unwanted: str, tmp_path: Path
) -> None:
    arguments = [str(SAMPLES / "lenet-1.log") if part == "{}" else part for part in command]
    code = f"""
import sys
sys.argv = ["fitlog", *{arguments!r}]
from fitlog.cli import main
try:
    main()
finally:
    loaded = [name for name in {unwanted.split()!r} if name in sys.modules]
    open("loaded", "w").write(repr(loaded))
"""
    (tmp_path / "lenet-1.log").write_bytes((SAMPLES / "lenet-1.log").read_bytes())
    subprocess.run(
        [sys.executable, "-c", code.replace(str(SAMPLES), str(tmp_path))],
        cwd=tmp_path,
        capture_output=True,
        check=False,
        timeout=120,
    )

    assert (tmp_path / "loaded").read_text() == "[]"


def test_parse_prints_epochs_unless_asked_otherwise(fitlog: Fitlog) -> None:
    done = fitlog("parse", CANONICAL)

    header, *rows = done.stdout.splitlines()
    assert header.split()[:4] == ["run", "node", "epoch", "time_cost"]
    assert len(rows) == 3
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("table", ["speed", "metrics", "epochs", "events", "unparsed", "warnings"])
@pytest.mark.parametrize("form", ["table", "csv", "json"])
def test_parse_prints_every_table_in_every_format(table: str, form: str, fitlog: Fitlog) -> None:
    done = fitlog("parse", SAMPLES / "restarted.log", "--table", table, "--format", form)

    assert done.returncode == 0
    if form == "json":
        assert isinstance(json.loads(done.stdout), list)
    else:
        assert done.stdout


def test_parse_writes_the_format_that_the_file_asks_for(fitlog: Fitlog, tmp_path: Path) -> None:
    done = fitlog("parse", CANONICAL, "--table", "speed", "-o", "speed.csv")

    assert (done.returncode, done.stdout) == (0, "")
    header, first, *_ = (tmp_path / "speed.csv").read_text().splitlines()
    assert header == "run,node,epoch,batch_start,batch_end,split,samples_per_sec,time,line"
    assert first == "0,,0,0,10,train," + first.split(",")[6] + ",,1"


def test_parse_reads_standard_input(fitlog: Fitlog) -> None:
    from_stdin = fitlog("parse", "-", stdin=CANONICAL.read_bytes())

    assert from_stdin.stdout == fitlog("parse", CANONICAL).stdout


def test_parse_names_the_file_of_each_row_of_several_logs(fitlog: Fitlog) -> None:
    done = fitlog("parse", CANONICAL, SAMPLES / "crlf.log", "--format", "csv")

    assert done.stdout.splitlines()[0].startswith("file,run,")
    assert done.stdout.count(str(SAMPLES / "crlf.log")) == 3


def test_parse_says_what_it_could_not_read(fitlog: Fitlog) -> None:
    done = fitlog("parse", SAMPLES / "killed.log")

    assert done.returncode == 0
    assert done.stderr == "fitlog: not read, though like a record: 1 (--table unparsed)\n"


def test_parquet_on_a_terminal_is_refused(fitlog: Fitlog) -> None:
    done = fitlog("parse", CANONICAL, "--format", "parquet")

    assert done.returncode == 2
    assert done.stderr == "fitlog: parquet is not text: name a file to write with --output\n"


def test_a_reader_that_stops_listening_is_no_error(tmp_path: Path) -> None:
    log = SAMPLES / "long.log"
    command = f"{sys.executable} -m fitlog parse {log} --table metrics --format csv | head -1"

    done = subprocess.run(
        ["bash", "-c", f"set -o pipefail; {command}"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )

    assert done.stdout.startswith("run,node,")
    assert done.stderr == ""


def test_plot_draws_beside_the_log(fitlog: Fitlog, tmp_path: Path) -> None:
    (tmp_path / "my.run.log").write_bytes(CANONICAL.read_bytes())

    done = fitlog("plot", "my.run.log")

    assert done.stdout == "wrote my.run.png\n"
    assert (tmp_path / "my.run.png").read_bytes().startswith(b"\x89PNG")


def test_plot_draws_standard_input_and_several_logs(fitlog: Fitlog, tmp_path: Path) -> None:
    assert fitlog("plot", "-", stdin=CANONICAL.read_bytes()).stdout == "wrote fitlog.png\n"
    done = fitlog("plot", CANONICAL, SAMPLES / "crlf.log", "-o", "both.svg")

    assert done.returncode == 0
    assert ">crlf<" in (tmp_path / "both.svg").read_text()


@pytest.mark.parametrize(
    "command",
    [
        ["plot", "log.png"],
        ["plot", "log.png", "-o", "./log.png"],
        ["parse", "log.png", "-o", "log.png"],
    ],
)
def test_a_log_is_never_written_over(command: list[str], fitlog: Fitlog, tmp_path: Path) -> None:
    log = tmp_path / "log.png"
    log.write_bytes(CANONICAL.read_bytes())

    done = fitlog(*command)

    assert (done.returncode, done.stdout) == (2, "")
    assert "would write over a log or ledger that is read" in done.stderr
    assert log.read_bytes() == CANONICAL.read_bytes()


@pytest.mark.parametrize("folder", [".", "*.log", "../*/run.log"])
@pytest.mark.parametrize("command", ["parse", "plot"])
def test_a_log_of_a_folder_or_glob_is_never_written_over(
    command: str, folder: str, fitlog: Fitlog, tmp_path: Path
) -> None:
    log = tmp_path / "run.log"
    log.write_bytes(CANONICAL.read_bytes())

    done = fitlog(command, folder, "-o", "run.log")

    assert done.returncode == 2
    assert "would write over a log or ledger that is read" in done.stderr
    assert log.read_bytes() == CANONICAL.read_bytes()


@pytest.mark.parametrize("place", [".", "runs", "runs/*.log"])
def test_plot_draws_beside_the_first_log_of_a_folder(
    place: str, fitlog: Fitlog, tmp_path: Path
) -> None:
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs" / "a.log").write_bytes(CANONICAL.read_bytes())

    done = fitlog("plot", place)

    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "runs" / "a.png").is_file()


def test_an_empty_table_is_its_header(fitlog: Fitlog) -> None:
    done = fitlog("parse", CANONICAL, "--table", "unparsed")

    assert (done.returncode, done.stdout) == (0, "line text reason\n")


def test_check_exits_with_1_for_a_regression_and_0_for_an_improvement(fitlog: Fitlog) -> None:
    slower = fitlog("check", *lenets("lenet-naive"), *lenets("lenet", "--baseline"))
    faster = fitlog("check", *lenets("lenet"), *lenets("lenet-naive", "--baseline"))

    assert (slower.returncode, faster.returncode) == (1, 0)
    assert slower.stdout.startswith("regression: the candidate is 12.2% slower than the baseline")
    assert faster.stdout.startswith("improved: the candidate is 13.9% faster")


def test_a_regression_stays_one_when_nobody_reads_the_report() -> None:
    logs = f"{SAMPLES}/lenet-naive-1.log --baseline {SAMPLES}/lenet-1.log"
    command = f"{sys.executable} -m fitlog check {logs} | true; exit ${{PIPESTATUS[0]}}"

    done = subprocess.run(
        ["bash", "-c", command], capture_output=True, text=True, check=False, timeout=120
    )

    assert (done.returncode, done.stderr) == (1, "")


def test_check_exits_with_3_where_it_cannot_tell_unless_asked_to_pass(fitlog: Fitlog) -> None:
    undecided = ["check", SAMPLES / "lenet-1.log", "--baseline", SAMPLES / "lenet-3.log"]

    assert fitlog(*undecided).returncode == 3
    lenient = fitlog(*undecided, "--inconclusive", "pass")
    assert lenient.returncode == 0
    assert lenient.stdout.startswith("inconclusive: ")


def test_check_prints_json(fitlog: Fitlog) -> None:
    done = fitlog(
        "check", *lenets("lenet-naive"), *lenets("lenet", "--baseline"), "--format", "json"
    )

    judgement = json.loads(done.stdout)
    assert done.returncode == 1
    assert judgement["verdict"] == "regression"
    assert judgement["effect"] == pytest.approx(-0.122, abs=0.001)
    assert [run["name"] for run in judgement["candidates"]] == lenets("lenet-naive")


@pytest.mark.parametrize("tolerance", ["15%", "0.15", "15.0%"])
def test_a_tolerance_is_a_percentage_or_a_fraction(tolerance: str, fitlog: Fitlog) -> None:
    one = ["check", SAMPLES / "lenet-1.log", "--baseline", SAMPLES / "lenet-3.log"]

    done = fitlog(*one, "--tolerance", tolerance)

    assert done.returncode == 0
    assert "a slowdown of 15.0% is ruled out" in done.stdout


@pytest.mark.parametrize(
    "option",
    [
        ["--tolerance", "5"],
        ["--tolerance", "0%"],
        ["--tolerance", "much"],
        ["--min-effect", "-1%"],
        ["--alpha", "0.7"],
        ["--warmup", "-1"],
        ["--warmup", "some"],
        ["--warmup", "9" * 5000],
        ["--tolerance", "1e-200"],
        ["--alpha", "1e-20"],
    ],
)
def test_check_refuses_settings_out_of_range(option: list[str], fitlog: Fitlog) -> None:
    done = fitlog("check", CANONICAL, "--baseline", CANONICAL, *option)

    assert done.returncode == 2
    assert done.stdout == ""
    assert option[0].strip("-").replace("-", "_").rstrip("p") in done.stderr.replace("-", "_")


@pytest.mark.parametrize(
    ("words", "candidates", "baselines"),
    [
        ("lenet-naive-1 --baseline lenet-1 lenet-2 lenet-3", 1, 3),
        ("--tolerance 4% lenet-naive-1 --baseline lenet-1 lenet-2 --baseline lenet-3", 1, 3),
        ("lenet-naive-1 --baseline lenet-1 -- lenet-naive-2", 2, 1),
        ("--baseline lenet-1 lenet-naive-1", 1, 1),
        ("--baseline lenet-1 --tolerance 4% lenet-naive-1 lenet-naive-2", 2, 1),
    ],
)
def test_what_a_shell_makes_of_several_baselines_is_no_candidate(
    words: str, candidates: int, baselines: int, fitlog: Fitlog
) -> None:
    named = [f"{SAMPLES}/{w}.log" if w.startswith("lenet") else w for w in words.split()]

    judgement = json.loads(fitlog("check", "--format", "json", *named).stdout)

    assert len(judgement["candidates"]) == candidates
    assert len(judgement["baseline"]) == baselines


def test_check_without_a_baseline_is_never_a_pass(fitlog: Fitlog) -> None:
    done = fitlog("check", CANONICAL)

    assert done.returncode == 2
    assert done.stderr.startswith("fitlog: no baseline to compare with")
    assert "(--baseline)" in done.stderr


def test_check_names_the_line_of_a_speed_that_cannot_be_true(
    fitlog: Fitlog, tmp_path: Path
) -> None:
    text = (SAMPLES / "lenet-1.log").read_text()
    (tmp_path / "bad.log").write_text(text.replace("Speed: ", "Speed: -", 1))

    done = fitlog("check", "bad.log", "--baseline", SAMPLES / "lenet-1.log")

    assert done.returncode == 2
    assert "1 of 60 speeds cannot be true" in done.stderr
    assert "(bad.log, line 1)" in done.stderr
