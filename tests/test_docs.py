"""What the documentation shows is what happens: its commands and its Python are run."""

from __future__ import annotations

import doctest
import os
import re
import shutil
import subprocess
import sysconfig
from pathlib import Path

import pytest

import fitlog
from fitlog_parsers import DIALECTS
from support import PROJECT, SAMPLES

PAGES = [PROJECT / "README.md", *sorted((PROJECT / "docs").glob("*.md"))]
CONSOLE = re.compile(r"^```console\n(.*?)^```$", re.DOTALL | re.MULTILINE)
PYTHON = re.compile(r"^```python\n(.*?)^```$", re.DOTALL | re.MULTILINE)


def commands(page: Path) -> list[tuple[str, str]]:
    """The page's commands and what it says that they print."""
    steps = [
        step for block in CONSOLE.findall(page.read_text("utf-8")) for step in block.split("$ ")
    ]
    return [(step.partition("\n")[0], step.partition("\n")[2]) for step in steps if step]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with the sample logs, as a reader of the documentation has it."""
    shutil.copytree(SAMPLES, tmp_path / "sample_logs")
    return tmp_path


@pytest.mark.parametrize("page", [p for p in PAGES if commands(p)], ids=lambda page: page.stem)
def test_the_commands_of_a_page_print_what_it_shows(page: Path, folder: Path) -> None:
    path = f"{sysconfig.get_path('scripts')}{os.pathsep}{os.environ['PATH']}"
    code = 0

    for command, shown in commands(page):
        done = subprocess.run(
            ["bash", "-c", f"(exit {code}); {command}"],
            cwd=folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={**os.environ, "PATH": path},
            timeout=120,
            check=False,
        )
        assert done.stdout == shown, command
        code = done.returncode


@pytest.mark.parametrize(
    "page", [page for page in PAGES if ">>>" in page.read_text("utf-8")], ids=lambda page: page.stem
)
def test_the_python_of_a_page_does_what_it_shows(
    page: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    session = "".join(block for block in PYTHON.findall(page.read_text("utf-8")) if ">>>" in block)
    example = doctest.DocTestParser().get_doctest(session, {}, page.name, str(page), 0)
    said: list[str] = []

    outcome = doctest.DocTestRunner(verbose=False).run(example, out=said.append)

    assert outcome.failed == 0, "".join(said)


def test_every_public_name_is_documented() -> None:
    page = (PROJECT / "docs" / "python.md").read_text("utf-8")

    for name in fitlog.__all__:
        assert f"`{name}" in page, name


@pytest.mark.parametrize(
    "command",
    [
        *(
            "run",
            "parse",
            "doctor",
            "dialects",
            "phases",
            "plot",
            "report",
            "serve",
            "watch",
            "compare",
            "check",
            "bench",
            "index",
            "query",
        ),
        *(f"history {part}" for part in ("add", "show", "accept", "prune", "export")),
    ],
)
def test_every_option_is_documented(command: str) -> None:
    pages = {
        "run": "running distributed",
        "parse": "reading",
        "doctor": "reading",
        "dialects": "reading",
        "phases": "phases",
        "plot": "plotting",
        "report": "report",
        "serve": "report",
        "watch": "watching",
        "compare": "comparing",
        "check": "gate",
        "bench": "bench",
        "index": "archive",
        "query": "querying",
        "history": "history",
    }
    fitlog_command = Path(sysconfig.get_path("scripts")) / "fitlog"
    done = subprocess.run(
        [fitlog_command, *command.split(), "--help"], capture_output=True, text=True, check=True
    )
    page = "".join(
        (PROJECT / "docs" / f"{name}.md").read_text("utf-8")
        for name in pages[command.split()[0]].split()
    )

    options = set(re.findall(r"--[a-z-]+", done.stdout)) - {"--help"}
    assert len(options) >= 1
    for option in options:
        assert option in page, option


def test_every_dialect_is_documented() -> None:
    page = (PROJECT / "docs" / "reading.md").read_text("utf-8")

    for dialect in DIALECTS:
        assert f"| `{dialect.name}` | {dialect.about} |" in page


def test_links_lead_somewhere() -> None:
    for page in [*PAGES, PROJECT / "CONTRIBUTING.md", PROJECT / "CHANGELOG.md"]:
        text = re.sub(r"^```.*?^```$", "", page.read_text("utf-8"), flags=re.DOTALL | re.MULTILINE)
        for target in re.findall(r"\]\(([^)#]+)\)", text):
            assert target.startswith("https://") or (page.parent / target).exists(), target


def test_the_readme_has_the_two_commands() -> None:
    readme = (PROJECT / "README.md").read_text("utf-8")

    assert re.search(r"^# run\npython3 -m venv .*fitlog run$", readme, re.MULTILINE)
    assert re.search(
        r"^# test\npython3 -m venv .*pytest --cov -n 2 --dist loadfile$", readme, re.MULTILINE
    )
