"""The command, as a process: what it prints, where, and how it ends, for good input and bad."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from fitlog import __version__
from support import SAMPLES, Fitlog

CANONICAL = SAMPLES / "canonical.log"
# Each command that reads a log, with the log in the place of `{}`.
READERS = {
    "parse": ["parse", "{}"],
    "plot": ["plot", "{}"],
    "check": ["check", "{}", "--baseline", str(SAMPLES / "lenet-1.log")],
    "check, baseline": ["check", str(SAMPLES / "lenet-1.log"), "--baseline", "{}"],
}
readers = pytest.mark.parametrize("command", READERS.values(), ids=READERS)


def with_log(command: list[str], log: object) -> list[str]:
    return [str(log) if part == "{}" else part for part in command]


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
        (["--help"], "numpy pandas matplotlib mxnet rich pydantic"),
        (["check", "{}", "--baseline", "{}"], "numpy pandas matplotlib mxnet rich pydantic"),
        (["parse", "{}"], "matplotlib mxnet"),
        (["plot", "{}"], "mxnet matplotlib.pyplot"),
    ],
)
def test_a_command_imports_no_more_than_it_needs(
    command: list[str], unwanted: str, tmp_path: Path
) -> None:
    arguments = with_log(command, SAMPLES / "lenet-1.log")
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


@pytest.mark.parametrize(
    ("command", "message"),
    [
        (["parse", "-", "-"], "- is named twice: standard input can be read only once"),
        (["plot", "-", "-"], "- is named twice"),
        (["check", "-", "--baseline", "-"], "- is named twice"),
        (["parse", ""], "the name of a log is empty"),
        (["plot", "."], "cannot be opened: is a directory (.)"),
        (["parse", "a" * 5000], "cannot be opened: file name too long"),
        (["parse", str(CANONICAL), "-o", "a" * 5000], "File name too long"),
    ],
)
def test_names_that_make_no_sense_are_refused(
    command: list[str], message: str, fitlog: Fitlog
) -> None:
    done = fitlog(*command)

    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("fitlog: ")
    assert message in done.stderr


@pytest.mark.skipif(not Path("/dev/full").is_char_device(), reason="needs /dev/full")
@pytest.mark.parametrize(
    "command",
    [
        f"parse {CANONICAL}",
        f"check {SAMPLES}/lenet-1.log --baseline {SAMPLES}/lenet-1.log --format json",
    ],
)
def test_output_that_cannot_be_written_is_an_error(command: str) -> None:
    done = subprocess.run(
        ["bash", "-c", f"{sys.executable} -m fitlog {command} > /dev/full"],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )

    assert done.returncode == 2
    assert done.stderr == "fitlog: cannot use standard output: No space left on device\n"


@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&-"])
def test_a_closed_stream_is_no_traceback(closed: str) -> None:
    done = subprocess.run(
        ["bash", "-c", f"{sys.executable} -m fitlog parse {CANONICAL} {closed}"],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )

    assert done.returncode == 0
    assert done.stderr == ""


def test_a_name_that_the_terminal_cannot_show_is_written_out(
    fitlog: Fitlog, tmp_path: Path
) -> None:
    (tmp_path / "u.log").write_text("Epoch[0] Train-精度=0.500000\n", "utf-8")

    done = fitlog("parse", "u.log", PYTHONIOENCODING="ascii")

    assert done.returncode == 0
    assert r"train-\u7cbe\u5ea6" in done.stdout


def test_a_file_whose_name_is_no_utf_8_can_be_read(tmp_path: Path) -> None:
    log = os.fsencode(tmp_path) + b"/\xff.log"
    Path(os.fsdecode(log)).write_bytes(CANONICAL.read_bytes())

    done = subprocess.run(
        [sys.executable, "-m", "fitlog", "parse", log, str(CANONICAL), "-o", "t.csv"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )

    assert (done.returncode, done.stderr) == (0, "")
    assert r"/\xff.log,0," in (tmp_path / "t.csv").read_text("utf-8")


def test_standard_input_is_not_written_over(tmp_path: Path) -> None:
    log = tmp_path / "s.log"
    log.write_bytes(CANONICAL.read_bytes())

    with log.open("rb") as stdin:
        done = subprocess.run(
            [sys.executable, "-m", "fitlog", "parse", "-", "-o", log],
            stdin=stdin,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )

    assert done.returncode == 2
    assert "would write over a log that is read" in done.stderr
    assert log.read_bytes() == CANONICAL.read_bytes()


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
    assert "would write over a log that is read" in done.stderr
    assert log.read_bytes() == CANONICAL.read_bytes()


def test_an_empty_table_is_its_header(fitlog: Fitlog) -> None:
    done = fitlog("parse", CANONICAL, "--table", "unparsed")

    assert (done.returncode, done.stdout) == (0, "line text reason\n")


def test_check_exits_with_1_for_a_regression_and_0_for_a_pass(fitlog: Fitlog) -> None:
    slower = fitlog("check", *lenets("lenet-naive"), *lenets("lenet", "--baseline"))
    faster = fitlog("check", *lenets("lenet"), *lenets("lenet-naive", "--baseline"))
    same = fitlog("check", *lenets("lenet"), *lenets("lenet", "--baseline"))

    assert (slower.returncode, faster.returncode, same.returncode) == (1, 0, 0)
    assert slower.stdout.startswith("regression: the candidate is 12.2% slower than the baseline")
    assert faster.stdout.startswith("improved: the candidate is 13.9% faster")
    assert same.stdout.startswith("pass: the candidate is 0.0% faster")


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


def test_check_without_a_baseline_is_never_a_pass(fitlog: Fitlog) -> None:
    done = fitlog("check", CANONICAL)

    assert done.returncode == 2
    assert done.stderr.startswith("fitlog: no baseline to compare with")


def test_check_names_the_line_of_a_speed_that_cannot_be_true(
    fitlog: Fitlog, tmp_path: Path
) -> None:
    text = (SAMPLES / "lenet-1.log").read_text()
    (tmp_path / "bad.log").write_text(text.replace("Speed: ", "Speed: -", 1))

    done = fitlog("check", "bad.log", "--baseline", SAMPLES / "lenet-1.log")

    assert done.returncode == 2
    assert "1 of 60 speeds cannot be true" in done.stderr
    assert "(bad.log, line 1)" in done.stderr


BAD_INPUTS = {
    "empty": (b"", "is empty (bad.log)|holds no speed"),
    "binary": (bytes(range(256)) * 64, "is binary data, not a log (bad.log)"),
    "png": (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" * 9, "is binary data, not a log (bad.log)"),
    "not a log": (b"hello\nworld\n" * 50, "no training record|holds no speed"),
    "one giant line": (b"x" * (5 << 20), "a line of more than 1,048,576 bytes|holds no speed"),
    "damaged gzip": (b"\x1f\x8b\x08\0\0\0\0\0\0\x03garbage", "is damaged"),
    "html": (b"<html><body>404</body></html>\n", "no training record|holds no speed"),
}


@readers
@pytest.mark.parametrize("kind", BAD_INPUTS)
def test_what_is_no_log_is_refused_with_the_reason(
    kind: str, command: list[str], fitlog: Fitlog, tmp_path: Path
) -> None:
    data, reasons = BAD_INPUTS[kind]
    (tmp_path / "bad.log").write_bytes(data)

    done = fitlog(*with_log(command, "bad.log"))

    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith("fitlog: ")
    assert done.stderr.count("\n") == 1
    assert "bad.log" in done.stderr
    assert any(reason in done.stderr for reason in reasons.split("|"))


@readers
def test_a_file_that_is_not_there_is_named(command: list[str], fitlog: Fitlog) -> None:
    done = fitlog(*with_log(command, "no.log"))

    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "fitlog: cannot be opened: no such file or directory (no.log)\n"


@readers
def test_a_folder_is_refused(command: list[str], fitlog: Fitlog, tmp_path: Path) -> None:
    done = fitlog(*with_log(command, tmp_path))

    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"fitlog: cannot be opened: is a directory ({tmp_path})\n"


@readers
@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_without_permission_is_refused(
    command: list[str], fitlog: Fitlog, tmp_path: Path
) -> None:
    (tmp_path / "secret.log").write_bytes(CANONICAL.read_bytes())
    (tmp_path / "secret.log").chmod(0)

    done = fitlog(*with_log(command, "secret.log"))

    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "fitlog: cannot be opened: permission denied (secret.log)\n"


@readers
@pytest.mark.skipif(not Path("/proc/self/mem").exists(), reason="needs Linux")
def test_a_file_that_cannot_be_read_is_refused(command: list[str], fitlog: Fitlog) -> None:
    done = fitlog(*with_log(command, "/proc/self/mem"))

    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "fitlog: cannot be read: input/output error (/proc/self/mem)\n"


@readers
def test_a_name_with_control_characters_is_shown_harmless(
    command: list[str], fitlog: Fitlog
) -> None:
    done = fitlog(*with_log(command, "no\x1b[31m.log"))

    assert done.returncode == 2
    assert r"(no\x1b[31m.log)" in done.stderr
    assert "\x1b" not in done.stderr


def test_a_log_with_nothing_that_can_be_drawn_is_refused(fitlog: Fitlog, tmp_path: Path) -> None:
    (tmp_path / "bad.log").write_text("Epoch[0] Time cost=1.000\n")

    done = fitlog("plot", "bad.log")

    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "fitlog: has neither a speed nor a metric to draw (bad.log)\n"


@pytest.mark.parametrize("target", ["no/p.png", "p.jpeg2", "."])
def test_a_picture_that_cannot_be_written_is_refused(target: str, fitlog: Fitlog) -> None:
    done = fitlog("plot", CANONICAL, "-o", target)

    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("fitlog: cannot ")


@pytest.mark.parametrize("target", ["no/t.csv", "."])
def test_a_table_that_cannot_be_written_is_refused(target: str, fitlog: Fitlog) -> None:
    done = fitlog("parse", CANONICAL, "-o", target)

    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("fitlog: cannot write ")
