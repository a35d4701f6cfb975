"""The recipes of docs/ci.md: their commands are run, with a script that writes a log."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from support import PROJECT
from test_bench import WRITER

PAGE = (PROJECT / "docs" / "ci.md").read_text("utf-8")
ACTION = yaml.safe_load((PROJECT / "action.yml").read_text("utf-8"))


def block(language: str, word: str) -> str:
    """The page's block of this language with this word in it."""
    blocks = re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
    (found,) = [text for text in blocks if word in text]
    return str(found)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A repository with a script that is slower than that of the commit before; fitlog is there."""
    (tmp_path / "bin").mkdir()
    program = tmp_path / "bin" / "fitlog"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m fitlog "$@"\n')
    program.chmod(0o755)
    folder = tmp_path / "project"
    folder.mkdir()
    write_script(folder, 1000)
    run(
        folder,
        ["git init -q && git add train.py && git -c user.name=a -c user.email=a@b commit -qm a"],
    )
    return folder


def write_script(folder: Path, speed: float) -> None:
    """A train.py of this speed."""
    folder.mkdir(exist_ok=True)
    (folder / "train.py").write_text(WRITER.replace("float(sys.argv[1])", str(speed)))


def run(
    folder: Path, commands: Sequence[str], **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run the commands one after the other, until one fails, as CI does."""
    path = f"{folder.parent / 'bin'}{os.pathsep}{os.environ['PATH']}"
    return subprocess.run(
        ["bash", "-ec", "\n".join(commands)], cwd=folder, text=True, capture_output=True,
        env={**os.environ, "PATH": path, **environment}, timeout=300, check=False,
    )  # fmt: skip


def test_the_pull_request_of_githubs_recipe_is_judged(project: Path) -> None:
    workflow: dict[Any, Any] = yaml.safe_load(block("yaml", "on: pull_request"))
    command = workflow["jobs"]["bench"]["steps"][-1]["run"]
    write_script(project / "base", 1000)
    write_script(project, 500)

    done = run(project, [command], GITHUB_OUTPUT=str(project / "outputs"))

    assert done.returncode == 1, done.stderr
    assert done.stdout.startswith("::error title=fitlog regression::")
    assert (project / "outputs").read_text().startswith("verdict=regression\n")


def test_the_actions_recipe_and_table_name_what_it_takes_and_gives() -> None:
    judged, shown = yaml.safe_load(block("yaml", "id: throughput"))
    rows = re.findall(r"^\| `([a-z-]+)` \| (.*?) \|", PAGE.partition("| input |")[2], re.MULTILINE)

    assert judged["with"].keys() <= ACTION["inputs"].keys()
    assert rows == [
        (name, "required" if about.get("required") else about["default"] or "none")
        for name, about in ACTION["inputs"].items()
    ]
    named = re.findall(r"steps\.throughput\.outputs\.(\w+)", str(shown))
    assert sorted(named) == sorted(ACTION["outputs"])


def test_gitlabs_recipe_compares_with_the_commit_that_is_merged_into(project: Path) -> None:
    job = yaml.safe_load(block("yaml", "merge_request_event"))["throughput"]
    write_script(project, 500)

    done = run(project, job["script"], CI_MERGE_REQUEST_DIFF_BASE_SHA="HEAD")

    assert done.returncode == 1, done.stderr
    assert '<failure type="regression"' in (project / "fitlog.xml").read_text()
    assert job["artifacts"]["reports"]["junit"] == "fitlog.xml"


def test_jenkins_recipe_adds_what_passes_and_nothing_else(project: Path, tmp_path: Path) -> None:
    ledger = tmp_path / "ledger.jsonl"
    commands = re.findall(r"sh '(.*?)'$", block("groovy", "pipeline"), re.MULTILINE)
    by_hand = re.findall(r"^`(fitlog history add .*?)`\.", PAGE, re.MULTILINE)
    assert len(commands) == 4
    assert len(by_hand) == 1

    without = run(project, commands, LEDGER=str(ledger))
    first = run(project, by_hand, LEDGER=str(ledger))
    passed = run(project, commands, LEDGER=str(ledger))
    write_script(project, 500)
    failed = run(project, commands, LEDGER=str(ledger))

    assert without.returncode == 2, without.stderr
    assert first.returncode == 0, first.stderr
    assert passed.returncode == 0, passed.stderr
    assert failed.returncode == 1, failed.stderr
    assert len(ledger.read_text().splitlines()) == 6
    assert '<failure type="regression"' in (project / "fitlog.xml").read_text()
