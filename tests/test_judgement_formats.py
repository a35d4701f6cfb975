"""Verdicts as CI reads them, of logs whose names are as nasty as a file's name can be."""

from __future__ import annotations

import json
import os
import re
import shutil
from pathlib import Path
from xml.etree import ElementTree

import pytest

from fitlog import check
from fitlog.judgement_formats import (
    format_annotation,
    format_junit,
    format_markdown,
    format_outputs,
)
from fitlog.verdicts import Judgement
from support import SAMPLES, Fitlog

NASTY = "a|b`c``<b>&\"'@all ##[error]\x1b[31m\x01\n::error::%0A,:$x$ *_~\\.log"

# Of what Jenkins' schema allows (xunit-plugin, junit-10.xsd): an element's attributes, those it
# must have, and its children.
SCHEMA: dict[str, tuple[set[str], set[str], set[str]]] = {
    "testsuites": ({"name", "time", "tests", "failures", "errors"}, set(), {"testsuite"}),
    "testsuite": (
        {"name", "tests", "failures", "errors", "skipped", "time", "timestamp", "hostname"},
        {"name", "tests", "failures", "errors"},
        {"properties", "testcase", "system-out"},
    ),
    "properties": (set(), set(), {"property"}),
    "property": ({"name", "value"}, {"name", "value"}, set()),
    "testcase": (
        {"name", "classname", "time"},
        {"name"},
        {"failure", "error", "skipped", "system-out"},
    ),
    "failure": ({"type", "message"}, set(), set()),
    "error": ({"type", "message"}, set(), set()),
    "skipped": ({"type", "message"}, set(), set()),
    "system-out": (set(), set(), set()),
}


def judged(candidate: str, baseline: str = "lenet-1") -> Judgement:
    return check([SAMPLES / f"{candidate}.log"], baseline=[SAMPLES / f"{baseline}.log"])


@pytest.fixture
def nasty(tmp_path: Path) -> Path:
    """A slower run under a name that would mean something in every format."""
    return Path(shutil.copy(SAMPLES / "lenet-naive-1.log", tmp_path / NASTY))


def read_junit(text: str) -> ElementTree.Element:
    """The only test case of a document that keeps to the schema."""
    text.encode("ascii")
    root = ElementTree.fromstring(text)  # noqa: S314  # our own
    assert root.tag == "testsuites"
    for element in root.iter():
        allowed, required, children = SCHEMA[element.tag]
        assert required <= element.attrib.keys() <= allowed, element.tag
        assert {child.tag for child in element} <= children, element.tag
        if "time" in element.attrib:
            assert re.fullmatch(r"\d{1,3}(\.\d*)?", element.attrib["time"])
    (case,) = root.iter("testcase")
    (suite,) = root
    for owner in (root, suite):
        for name, tag in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
            if name in owner.attrib:
                assert int(owner.attrib[name]) == len(case.findall(tag)), name
        assert owner.attrib["tests"] == "1"
    return case


def unescaped(data: str) -> str:
    """As GitHub's runner reads the data of a command (ActionCommand.cs)."""
    return data.replace("%0D", "\r").replace("%0A", "\n").replace("%25", "%")


def test_a_regression_is_a_failed_test_case() -> None:
    case = read_junit(format_junit(judged("lenet-naive-1")))

    (failure,) = case
    assert failure.tag == "failure"
    assert failure.attrib["message"].startswith("the candidate is 11.6% slower")
    assert "note: one run a side" in (failure.text or "")


def test_a_pass_is_a_test_case_without_an_outcome() -> None:
    judgement = check([SAMPLES / "lenet-2.log"], baseline=[SAMPLES / "lenet-1.log"], tolerance=0.15)

    (output,) = read_junit(format_junit(judgement))

    assert judgement.verdict == "pass"
    assert output.tag == "system-out"


def test_what_is_inconclusive_is_an_error_or_skipped_where_it_passes() -> None:
    judgement = judged("lenet-noisy", "lenet-2")

    (error,) = read_junit(format_junit(judgement))
    (skipped,) = read_junit(format_junit(judgement, undecided_passes=True))

    assert (error.tag, error.attrib["type"]) == ("error", "inconclusive")
    assert (skipped.tag, skipped.attrib["type"]) == ("skipped", "inconclusive")


def test_a_regression_fails_even_where_the_inconclusive_passes() -> None:
    judgement = judged("lenet-naive-1")

    assert read_junit(format_junit(judgement, undecided_passes=True))[0].tag == "failure"
    assert format_annotation(judgement, undecided_passes=True).startswith("::error ")


def test_an_annotation_is_as_grave_as_the_verdict() -> None:
    undecided = judged("lenet-noisy", "lenet-2")

    assert format_annotation(judged("lenet-naive-1")).startswith(
        "::error title=fitlog regression::"
    )
    assert format_annotation(judged("lenet-1", "lenet-naive-1")).startswith("::notice ")
    assert format_annotation(undecided).startswith("::error title=fitlog inconclusive::")
    assert format_annotation(undecided, undecided_passes=True).startswith("::warning ")


def test_outputs_are_the_verdict_and_the_effect() -> None:
    assert format_outputs(judged("lenet-naive-1")) == "verdict=regression\neffect=-0.116382\n"
    assert format_outputs(judged("lenet-noisy", "lenet-2")) == "verdict=inconclusive\neffect=\n"


def test_a_name_cannot_end_an_annotation_nor_begin_another(fitlog: Fitlog, nasty: Path) -> None:
    done = fitlog("check", nasty, "--baseline", SAMPLES / "lenet-1.log", "--format", "github")

    (line,) = done.stdout.splitlines()
    command, title, data = re.fullmatch(r"::(\w+) title=([^:,]+)::(.*)", line).groups()  # type: ignore[union-attr]
    text = unescaped(data)
    assert (command, title, done.returncode) == ("error", "fitlog regression", 1)
    assert r"\x1b[31m\x01\n::error::%0A,:$x$" in text
    assert text.splitlines()[1].startswith("  candidate: ")
    assert line.isprintable()


def test_a_name_is_one_value_in_the_xml_and_has_no_control_characters(
    fitlog: Fitlog, nasty: Path
) -> None:
    done = fitlog("check", nasty, "--baseline", SAMPLES / "lenet-1.log", "--format", "junit")

    (failure,) = read_junit(done.stdout)
    assert r"<b>&" in (failure.text or "")
    assert r"\x1b[31m\x01\n" in (failure.text or "")


def test_a_name_stays_in_its_cell_of_a_markdown_table(fitlog: Fitlog, nasty: Path) -> None:
    done = fitlog("check", nasty, "--baseline", SAMPLES / "lenet-1.log", "--format", "markdown")

    rows = [line for line in done.stdout.splitlines() if line.startswith("|")]
    assert [len(re.findall(r"(?<!\\)\|", row)) for row in rows] == [4, 4, 4, 4]
    assert re.search(r"\| ```/.*a\\\|b`c``<b>&.*?\.log``` \|", rows[2])
    assert "\x1b" not in done.stdout


def test_a_name_that_is_no_text_can_be_written_in_every_format(
    fitlog: Fitlog, tmp_path: Path
) -> None:
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff\xfe.log"))
    shutil.copy(SAMPLES / "lenet-naive-1.log", path)

    for form in ("text", "json", "markdown", "junit", "github"):
        done = fitlog("check", path, "--baseline", SAMPLES / "lenet-1.log", "--format", form)
        assert done.returncode == 1, done.stderr
        assert "xff" in done.stdout


def test_summary_and_outputs_are_appended_to_github_files(fitlog: Fitlog, tmp_path: Path) -> None:
    summary, outputs = tmp_path / "summary.md", tmp_path / "outputs"
    summary.write_text("before\n")
    outputs.write_text("other=1\n")

    done = fitlog(
        "check", SAMPLES / "lenet-naive-1.log", "--baseline", SAMPLES / "lenet-1.log",
        "--format", "github", GITHUB_STEP_SUMMARY=str(summary), GITHUB_OUTPUT=str(outputs),
    )  # fmt: skip

    assert done.returncode == 1
    assert outputs.read_text() == "other=1\nverdict=regression\neffect=-0.116382\n"
    assert summary.read_text().startswith("before\n### fitlog: regression\n")
    assert summary.read_text().endswith("\n")


@pytest.mark.parametrize("form", ["json", "markdown", "junit", "github"])
def test_what_cannot_be_judged_is_an_error_in_every_format(
    fitlog: Fitlog, tmp_path: Path, form: str
) -> None:
    outputs = tmp_path / "outputs"
    done = fitlog(
        "check", "missing.log", "--baseline", SAMPLES / "lenet-1.log", "--format", form,
        "--inconclusive", "pass", GITHUB_OUTPUT=str(outputs),
    )  # fmt: skip

    assert done.returncode == 2
    assert "no such file or directory (missing.log)" in done.stdout
    assert "no such file or directory (missing.log)" in done.stderr
    if form == "json":
        assert json.loads(done.stdout) == {
            "verdict": "error",
            "error": "cannot be opened: no such file or directory (missing.log)",
        }
    if form == "junit":
        assert read_junit(done.stdout)[0].tag == "error"
    if form == "github":
        assert done.stdout.startswith("::error title=fitlog error::")
        assert outputs.read_text() == "verdict=error\neffect=\n"


def test_a_summary_that_cannot_be_written_is_said(fitlog: Fitlog, tmp_path: Path) -> None:
    done = fitlog(
        "check", SAMPLES / "lenet-2.log", "--baseline", SAMPLES / "lenet-1.log",
        "--format", "github", GITHUB_STEP_SUMMARY=str(tmp_path / "no" / "summary.md"),
    )  # fmt: skip

    assert done.returncode == 2
    assert "summary.md: No such file or directory" in done.stderr


def test_markdown_names_the_runs_and_the_notes() -> None:
    text = format_markdown(judged("lenet-naive-1"))

    assert text.startswith("### fitlog: regression\n\nThe candidate is 11.6% slower")
    assert len([line for line in text.splitlines() if line.startswith("| ")]) == 3
    assert text.splitlines()[-1].startswith("- `one run a side says nothing")
