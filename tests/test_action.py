"""The action as GitHub would run it: its own steps, by bash, with its inputs as variables."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import sysconfig
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from support import PROJECT, SAMPLES

ACTION: dict[str, Any] = yaml.safe_load((PROJECT / "action.yml").read_text("utf-8"))
EXPRESSION = re.compile(r"\$\{\{ (.*?) \}\}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """How a step ended, and what it put out."""

    code: int
    shown: str
    errors: str
    outputs: dict[str, str]
    summary: str


def step(name: str) -> dict[str, Any]:
    (found,) = [one for one in ACTION["runs"]["steps"] if one.get("name") == name]
    return dict(found)


def run_step(name: str, folder: Path, inputs: dict[str, str], **environment: str) -> Done:
    """Run a step in the folder as GitHub's runner does on Linux, given these inputs."""
    values = {f"inputs.{key}": value.get("default", "") for key, value in ACTION["inputs"].items()}
    values |= {f"inputs.{key}": value for key, value in inputs.items()}
    values["steps.python.outputs.python-path"] = sys.executable
    wanted = step(name)
    variables = {
        key: EXPRESSION.sub(lambda found: values[found[1]], text)
        for key, text in wanted["env"].items()
    }
    script, outputs, summary = (folder / part for part in ("step.sh", "outputs", "summary.md"))
    script.write_text(wanted["run"], "utf-8")
    done = subprocess.run(
        [shutil.which("bash") or "bash", "--noprofile", "--norc", "-eo", "pipefail", script],
        cwd=folder,
        env={
            **os.environ,
            **variables,
            "GITHUB_ACTION_PATH": str(PROJECT),
            "GITHUB_OUTPUT": str(outputs),
            "GITHUB_STEP_SUMMARY": str(summary),
            "RUNNER_TEMP": str(folder / "temp"),
            **environment,
        },
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    lines = outputs.read_text().splitlines() if outputs.exists() else []
    return Done(
        code=done.returncode,
        shown=done.stdout,
        errors=done.stderr,
        outputs={key: value for key, _, value in (line.partition("=") for line in lines)},
        summary=summary.read_text() if summary.exists() else "",
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A job's folder with logs, and fitlog installed as by the step before."""
    program = tmp_path / "temp" / "mxfitlog" / "bin" / "fitlog"
    program.parent.mkdir(parents=True)
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m fitlog "$@"\n')
    program.chmod(0o755)
    for number in (1, 2, 3):
        for kind, source in (("new", "lenet-naive"), ("old", "lenet")):
            (tmp_path / kind / str(number)).mkdir(parents=True)
            shutil.copy(SAMPLES / f"{source}-{number}.log", tmp_path / kind / f"{number}/run.log")
    return tmp_path


def test_a_regression_fails_the_step_and_is_put_out(folder: Path) -> None:
    done = run_step(
        "Judge the runs", folder, {"logs": "new/*/run.log\n", "baseline": "old/*/run.log\n"}
    )

    assert done.code == 1, done.errors
    assert done.outputs["verdict"] == "regression"
    assert float(done.outputs["effect"]) == pytest.approx(-0.122, abs=0.001)
    assert done.shown.startswith("::error title=fitlog regression::")
    assert done.summary.count("| candidate |") == done.summary.count("| baseline |") == 3


def test_paths_on_lines_of_their_own_may_hold_spaces(folder: Path) -> None:
    shutil.copy(SAMPLES / "lenet-1.log", folder / "a good run.log")
    shutil.copy(SAMPLES / "lenet-2.log", folder / "another one.log")

    done = run_step(
        "Judge the runs",
        folder,
        {
            "logs": "a good run.log\nanother one.log\n\n",
            "baseline": "\nnew/1/run.log\nnew/2/run.log",
        },
    )

    assert (done.code, done.outputs["verdict"]) == (0, "improved")


def test_what_is_inconclusive_fails_unless_it_shall_pass(folder: Path) -> None:
    inputs = {"logs": "old/1/run.log", "baseline": "old/2/run.log"}

    assert run_step("Judge the runs", folder, inputs).code == 3
    passed = run_step("Judge the runs", folder, {**inputs, "inconclusive": "pass"})
    assert (passed.code, passed.outputs["verdict"]) == (0, "inconclusive")
    assert passed.shown.startswith("::warning ")


@pytest.mark.parametrize(
    "inputs",
    [
        {"logs": ""},
        {"logs": "nothing/*/run.log", "baseline": "old/*/run.log"},
        {"logs": "new/*/run.log"},
        {"logs": "new/*/run.log", "history": "missing.jsonl"},
        {"logs": "new/*/run.log", "baseline": "old/*/run.log", "tolerance": "much"},
        {"logs": "new/*/run.log", "baseline": "old/*/run.log", "metric": "nothing"},
    ],
)
def test_nothing_to_judge_fails_the_step(folder: Path, inputs: dict[str, str]) -> None:
    done = run_step("Judge the runs", folder, inputs)

    assert done.code == 2
    assert done.outputs.get("verdict", "error") == "error"


@pytest.mark.parametrize("name", ["logs", "baseline", "history", "metric", "tolerance"])
@pytest.mark.parametrize("attack", ["$(touch hacked)", "`touch hacked`", '"; touch hacked; "'])
def test_inputs_are_never_run(folder: Path, name: str, attack: str) -> None:
    inputs = {"logs": "new/*/run.log", "baseline": "old/*/run.log", name: attack}

    done = run_step("Judge the runs", folder, inputs)

    assert done.code == 2
    assert not (folder / "hacked").exists()


def test_an_input_cannot_become_an_option(folder: Path) -> None:
    done = run_step(
        "Judge the runs", folder, {"logs": "--help\nnew/1/run.log", "baseline": "old/1/run.log"}
    )

    assert done.code == 2
    assert "no such file or directory (--help)" in done.errors


def test_the_action_is_a_composite_one_whose_scripts_hold_no_expressions() -> None:
    assert ACTION["runs"]["using"] == "composite"
    assert ACTION["name"]
    assert ACTION["description"]
    used = {
        found
        for one in ACTION["runs"]["steps"]
        for text in (*one.get("env", {}).values(), *one.get("with", {}).values())
        for found in EXPRESSION.findall(str(text))
    }
    for one in ACTION["runs"]["steps"]:
        assert "uses" in one or one["shell"] == "bash"
        assert "${{" not in one.get("run", "")
    assert {f"inputs.{name}" for name in ACTION["inputs"]} <= used
    assert all(about["description"] for about in ACTION["inputs"].values())
    assert {key: about["value"] for key, about in ACTION["outputs"].items()} == {
        name: f"${{{{ steps.check.outputs.{name} }}}}" for name in ("verdict", "effect")
    }


def test_fitlog_is_installed_from_the_actions_own_path(tmp_path: Path) -> None:
    # The dependencies and the build's are lent from here, for a test must not need the network.
    done = run_step(
        "Install fitlog", tmp_path, {},
        PYTHONPATH=sysconfig.get_paths()["purelib"], PIP_NO_DEPS="1", PIP_NO_INDEX="1",
        PIP_NO_BUILD_ISOLATION="0", PIP_IGNORE_INSTALLED="1",
        PIP_DISABLE_PIP_VERSION_CHECK="1",
    )  # fmt: skip
    assert done.code == 0, done.errors
    (installed,) = (tmp_path / "temp" / "mxfitlog").glob("lib/python*/site-packages/fitlog")
    shutil.copy(SAMPLES / "lenet-1.log", tmp_path)
    shutil.copy(SAMPLES / "lenet-naive-1.log", tmp_path)

    judged = run_step(
        "Judge the runs", tmp_path, {"logs": "lenet-naive-1.log", "baseline": "lenet-1.log"},
        PYTHONPATH=os.pathsep.join([str(installed.parent), sysconfig.get_paths()["purelib"]]),
    )  # fmt: skip

    assert judged.code == 1, judged.errors
    assert judged.outputs["verdict"] == "regression"
