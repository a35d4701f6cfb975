"""`fitlog run train.py`: an unmodified script runs as with Python, and every fit is measured."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from support import Fitlog

# Fits twice, and saves what it has learnt into the folder that its first argument names.
TRAIN = """
import argparse
import logging
import numpy as np
import mxnet as mx

parser = argparse.ArgumentParser()
parser.add_argument("folder")
parser.add_argument("--num-epoch", type=int, default=2)
args = parser.parse_args()
logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s")
print("numpy has a bool:", "bool" in vars(np), "mxnet's loader:", type(mx.__loader__).__name__)
mx.random.seed(1)
np.random.seed(1)
x = np.random.normal(size=(104, 6)).astype("float32")
y = (x[:, 0] > 0).astype("float32")
net = mx.sym.FullyConnected(mx.sym.Variable("data"), num_hidden=2, name="dense")
net = mx.sym.SoftmaxOutput(net, name="softmax")
for number, metric in enumerate(["acc", "ce"]):
    module = mx.mod.Module(net)
    module.fit(
        mx.io.NDArrayIter(x, y, 16, shuffle=True),
        eval_data=mx.io.NDArrayIter(x, y, 16),
        eval_metric=metric,
        batch_end_callback=mx.callback.Speedometer(16, 2),
        num_epoch=args.num_epoch,
    )
    print("fit", number, "is done")
    module.save_params(f"{args.folder}/{number}.params")
"""
# What the same is without fitlog: MXNet cannot be imported with this numpy, but by the shim.
PLAIN = """
import runpy, sys
from fitlog.run.shim import import_mxnet
import_mxnet()
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


@pytest.fixture
def script(tmp_path: Path) -> Path:
    """A script in another folder than the one that is worked in."""
    path = tmp_path / "scripts" / "train.py"
    path.parent.mkdir()
    return path


def python(*arguments: object, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *map(str, arguments)],
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def folder_of(tmp_path: Path) -> Path:
    (folder,) = (tmp_path / "runs").iterdir()
    return folder


def record_of(tmp_path: Path) -> dict[str, Any]:
    record: dict[str, Any] = json.loads((folder_of(tmp_path) / "run.json").read_text("utf-8"))
    return record


def phases_of(tmp_path: Path) -> list[dict[str, Any]]:
    text = (folder_of(tmp_path) / "phases.jsonl").read_text("utf-8")
    return [json.loads(line) for line in text.splitlines()]


def own_errors(stderr: str) -> str:
    """What the script wrote to stderr, without what fitlog says afterwards."""
    return re.split(r"^fitlog: ", stderr, flags=re.MULTILINE)[0]


def without_times(text: str) -> str:
    return re.sub(r"(Speed: |Time cost=)[-\d.einf]+", r"\1?", text)


def test_text_and_parameters_are_those_without_fitlog(
    mx: Any, fitlog: Fitlog, script: Path, tmp_path: Path
) -> None:
    script.write_text(TRAIN)
    for folder in ("plain", "measured"):
        (tmp_path / folder).mkdir()

    plain = python("-c", PLAIN, script, "plain", "--num-epoch", 3, cwd=tmp_path)
    measured = fitlog("run", script, "measured", "--num-epoch", 3)

    assert (plain.returncode, measured.returncode) == (0, 0), plain.stderr + measured.stderr
    assert measured.stdout == plain.stdout
    assert without_times(own_errors(measured.stderr)) == without_times(plain.stderr)
    log = (folder_of(tmp_path) / "run.log").read_text("utf-8")
    lines = (measured.stdout + own_errors(measured.stderr)).splitlines()
    assert sorted(log.splitlines()) == sorted(lines)
    assert log.splitlines()[0] == "numpy has a bool: False mxnet's loader: SourceFileLoader"
    for number in range(2):
        theirs = mx.nd.load(str(tmp_path / "plain" / f"{number}.params"))
        ours = mx.nd.load(str(tmp_path / "measured" / f"{number}.params"))
        assert ours.keys() == theirs.keys()
        for name, value in theirs.items():
            np.testing.assert_array_equal(ours[name].asnumpy(), value.asnumpy())


@pytest.fixture(scope="module")
def run(mx: Any, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The folder in which a script was run, and all that was printed, in the order of printing."""
    assert mx is not None
    folder = tmp_path_factory.mktemp("run")
    (folder / "train.py").write_text("import os\nos.mkdir('new')\nos.chdir('new')\n" + TRAIN)
    done = subprocess.run(
        [sys.executable, "-m", "fitlog", "run", "--name", "first", "train.py", "."],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env={name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"},
        text=True,
        timeout=120,
        check=True,
    )
    return folder, done.stdout


def test_lines_of_both_streams_keep_their_order(run: tuple[Path, str]) -> None:
    folder, shown = run

    assert re.findall(
        r"^fit \d is done|^INFO Epoch\[1\] Validation-\S+(?==)", shown, re.MULTILINE
    ) == [
        "INFO Epoch[1] Validation-accuracy",
        "fit 0 is done",
        "INFO Epoch[1] Validation-cross-entropy",
        "fit 1 is done",
    ]
    log = (folder_of(folder) / "run.log").read_text("utf-8")
    assert shown.startswith(f"{log}fitlog: finished\n")


def test_every_fit_is_measured_and_told_from_the_others(run: tuple[Path, str]) -> None:
    records = phases_of(run[0])

    assert [(r["fit"], r["epoch"], r["batches"]) for r in records if r["kind"] == "epoch"] == [
        (0, 0, 7), (0, 1, 7), (1, 0, 7), (1, 1, 7),
    ]  # fmt: skip
    assert [(r["fit"], r["status"]) for r in records if r["kind"] == "end"] == [
        (0, "finished"), (1, "finished"),
    ]  # fmt: skip
    assert list((run[0] / "new").glob("*.jsonl")) == []


def test_record_and_summary_say_what_the_log_says(run: tuple[Path, str]) -> None:
    folder, shown = run

    record = record_of(folder)
    assert record["name"] == "first"
    assert record["arguments"] == {"script": "train.py", "args": ["."]}
    assert (record["status"], record["error"], record["exit_code"]) == ("finished", None, 0)
    assert record["results"]["windows"] == 12
    assert record["results"]["metrics"]["validation-accuracy"]["last"] > 0.5
    summary = shown.partition("fitlog: finished\n")[2]
    assert "validation accuracy  " in summary
    assert "samples/sec, median of 12 windows" in summary
    assert f"check runs/{folder_of(folder).name}/run.log --baseline" in summary


def test_a_script_sees_what_it_sees_with_python(
    fitlog: Fitlog, script: Path, tmp_path: Path
) -> None:
    script.write_text("""
import os, sys, __main__
print(sys.argv, sys.orig_argv[1:], sys.path, sys.flags, __name__, __file__, __spec__)
print(sorted(set(vars(__main__))), os.getcwd(), sys.warnoptions, sys.stdin.read())
print([name for name in ("numpy", "mxnet", "fitlog", "typing") if name in sys.modules])
print(sorted(name for name in os.environ if "FITLOG" in name), file=sys.stderr)
""")
    arguments = ["--help", "--", "--name", "x"]

    theirs = python(script, *arguments, cwd=tmp_path)
    ours = fitlog("run", script, *arguments)

    assert (ours.returncode, ours.stdout) == (theirs.returncode, theirs.stdout)
    assert own_errors(ours.stderr) == theirs.stderr == "[]\n"
    assert theirs.stdout.endswith("\n[]\n")


@pytest.mark.parametrize(
    ("end", "code"),
    [
        ("sys.exit(3)", 3),
        ("sys.exit('a message')", 1),
        ("sys.exit()", 0),
        ("os._exit(5)", 5),
        ("def f():\n    1 / 0\nf()", 1),
        ("raise KeyboardInterrupt", 130),
        ("os.kill(os.getpid(), 9)", 137),
        ("syntax error", 1),
    ],
)
def test_a_script_ends_as_with_python(
    end: str, code: int, fitlog: Fitlog, script: Path, tmp_path: Path
) -> None:
    script.write_text(f"import os, sys\nprint('begun')\n{end}\n")

    theirs = python(script, cwd=tmp_path)
    ours = fitlog("run", script)

    assert theirs.returncode % 256 in (code, 384 - code)  # killed: less the signal's number
    assert ours.returncode == code
    assert own_errors(ours.stderr) == theirs.stderr
    expected = "" if end == "syntax error" else "begun\n"
    assert ours.stdout == expected
    assert (folder_of(tmp_path) / "run.log").read_text("utf-8") == expected + theirs.stderr


def test_the_records_of_a_fit_are_written_before_the_script_is_killed(
    mx: Any, fitlog: Fitlog, script: Path, tmp_path: Path
) -> None:
    assert mx is not None
    script.write_text(f"{TRAIN}\nimport os\nos.kill(os.getpid(), 9)\n")

    done = fitlog("run", script, tmp_path)

    assert done.returncode == 137
    assert "fitlog: failed: killed by SIGKILL\n" in done.stderr
    assert [r["fit"] for r in phases_of(tmp_path) if r["kind"] == "end"] == [0, 1]
    assert record_of(tmp_path)["results"]["windows"] == 12


def test_a_fit_that_fails_is_recorded_and_its_traceback_is_the_scripts(
    mx: Any, fitlog: Fitlog, script: Path, tmp_path: Path
) -> None:
    assert mx is not None
    failing = TRAIN.replace("mx.callback.Speedometer(16, 2)", "lambda param: [][param.nbatch]")
    script.write_text(failing)

    done = fitlog("run", script, tmp_path)

    assert done.returncode == 1
    assert own_errors(done.stderr).endswith("IndexError: list index out of range\n")
    assert f'File "{script}", line ' in done.stderr
    assert phases_of(tmp_path)[-1]["status"] == "failed"


def test_an_interrupted_fit_is_recorded(mx: Any, script: Path, tmp_path: Path) -> None:
    assert mx is not None
    script.write_text(TRAIN)

    with subprocess.Popen(
        [sys.executable, "-m", "fitlog", "run", script, tmp_path, "--num-epoch", "1000000"],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if "Validation-" in line:
                break
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)

    assert process.returncode == 130
    assert "\nKeyboardInterrupt\nfitlog: interrupted: killed by SIGINT\n" in errors
    assert phases_of(tmp_path)[-1]["status"] == "interrupted"
    assert record_of(tmp_path)["status"] == "interrupted"


def test_the_scripts_own_logging_is_left_alone(
    mx: Any, fitlog: Fitlog, script: Path, tmp_path: Path
) -> None:
    assert mx is not None
    own = """
own = logging.getLogger("own")
own.propagate = False
own.setLevel(logging.INFO)
handler = logging.StreamHandler(sys.stdout)
handler.setFormatter(logging.Formatter("[%(name)s] %(message)s"))
own.addHandler(handler)
"""
    text = TRAIN.replace("import argparse", "import argparse, sys")
    text = text.replace(
        'logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s")', own
    )
    script.write_text(text.replace("mx.mod.Module(net)", "mx.mod.Module(net, logger=own)"))

    done = fitlog("run", script, tmp_path)

    assert done.returncode == 0, done.stderr
    assert own_errors(done.stderr) == ""
    lines = done.stdout.splitlines()
    assert [line for line in lines if "Validation" in line] == [
        line for line in lines if line.startswith("[own] Epoch[") and "Validation" in line
    ]
    assert len([line for line in lines if "Validation" in line]) == 4
    assert not [line for line in lines if "Speed" in line]  # to the root logger, which is silent
    assert (folder_of(tmp_path) / "run.log").read_text("utf-8") == done.stdout


def test_processes_of_the_script_have_mxnet_and_are_not_measured(
    mx: Any, fitlog: Fitlog, script: Path, tmp_path: Path
) -> None:
    assert mx is not None
    script.write_text(f"""
import multiprocessing, os, sys
if __name__ != "__main__":  # a process that was spawned
    sys.argv[1:] = [{str(tmp_path)!r}]
{TRAIN}
def spawned():
    print("spawned", os.getppid() == int(os.environ["SCRIPT"]))
def forked():
    module = mx.mod.Module(net)
    module.fit(mx.io.NDArrayIter(x, y, 16), num_epoch=1)
    print("forked")
if __name__ == "__main__":
    os.environ["SCRIPT"] = str(os.getpid())
    for kind, call in ("spawn", spawned), ("fork", forked):
        process = multiprocessing.get_context(kind).Process(target=call)
        process.start()
        process.join()
        print(kind, process.exitcode)
""")

    done = fitlog("run", script, tmp_path, MXNET_ENGINE_TYPE="NaiveEngine")

    assert done.returncode == 0, done.stderr
    assert "\nspawned True\nspawn 0\nforked\nfork 0\n" in done.stdout
    assert [r["fit"] for r in phases_of(tmp_path) if r["kind"] == "fit"] == [0, 1]


def test_a_sitecustomize_of_ones_own_is_run(fitlog: Fitlog, script: Path, tmp_path: Path) -> None:
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "sitecustomize.py").write_text("import sys\nsys.own = 'own'\n")
    script.write_text("import sys, sitecustomize\nprint(sys.own, sitecustomize.__file__)\n")

    paths = os.pathsep.join(filter(None, [str(tmp_path / "site"), os.environ.get("PYTHONPATH")]))
    done = fitlog("run", script, PYTHONPATH=paths)

    assert done.stdout == f"own {tmp_path}/site/sitecustomize.py\n"


def test_where_mxnet_would_be_wrong_its_import_says_so(
    mx: Any, fitlog: Fitlog, script: Path
) -> None:
    assert mx is not None
    script.write_text("""
import importlib.metadata
importlib.metadata.version = lambda name: "2.4.1"
try:
    import mxnet
except ImportError as error:
    print(error)
""")

    done = fitlog("run", script)

    assert "mxnet 1.9.1 gives wrong metrics with numpy 2.4.1; install an older one" in done.stdout


def test_a_script_without_mxnet_installed_fails_as_with_python(
    fitlog: Fitlog, script: Path
) -> None:
    script.write_text("import sys\nsys.path[:] = []\nimport mxnet\n")

    done = fitlog("run", script)

    assert done.returncode == 1
    assert own_errors(done.stderr).endswith("ModuleNotFoundError: No module named 'mxnet'\n")


def test_phases_that_cannot_be_written_do_not_stop_the_script(
    mx: Any, fitlog: Fitlog, script: Path, tmp_path: Path
) -> None:
    assert mx is not None
    script.write_text(f"""
import os
(folder,) = os.listdir("runs")
os.mkdir(f"runs/{{folder}}/phases.jsonl")
{TRAIN}""")

    done = fitlog("run", script, tmp_path)

    assert done.returncode == 0, done.stderr
    path = folder_of(tmp_path) / "phases.jsonl"
    assert done.stderr.count(f"fitlog: cannot write {path}: Is a directory\n") == 1
    assert "fit 1 is done" in done.stdout
