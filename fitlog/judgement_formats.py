"""Judgements for CI: annotations and outputs of GitHub's, XML of JUnit's, Markdown.

Names come from the command line and from logs, so nothing of them is trusted: each format escapes
what would mean something in it, and control characters are written out.
"""

from __future__ import annotations

import math
import re
from typing import Final
from xml.etree import ElementTree

from fitlog.printable import printable
from fitlog.verdicts import (
    Judgement,
    Verdict,
    format_judgement,
    format_reference,
    format_run,
    format_sentence,
)

_TITLE: Final = "fitlog"
_LEVELS: Final[dict[Verdict, str]] = {
    "pass": "notice",
    "improved": "notice",
    "regression": "error",
    "inconclusive": "error",
}
# What a punctuation mark of Markdown or HTML is written as, so that it means nothing.
_MARKED: Final = re.compile(r"[\\`*_~\[\]<>|&#@$]")


def format_markdown(judgement: Judgement) -> str:
    """The verdict, a table of the runs, and notes as a list."""
    measure = judgement.measure
    rows = [("candidate", run.name, format_run(run, measure)) for run in judgement.candidates]
    if judgement.reference is None:
        rows += [("baseline", run.name, format_run(run, measure)) for run in judgement.baseline]
    else:
        name = judgement.reference.name
        told = format_reference(judgement.reference, measure).removeprefix(f"{name}: ")
        rows.append(("history", name, told))
    lines = [
        f"### {_TITLE}: {judgement.verdict}",
        "",
        _capitalised(format_sentence(judgement)),
        "",
        f"| | run | {_code(measure.name, cell=True)} |",
        "|---|---|---|",
        *(f"| {side} | {_code(name, cell=True)} | {_marked(told)} |" for side, name, told in rows),
    ]
    if judgement.reasons:
        lines += ["", *(f"- {_code(reason)}" for reason in judgement.reasons)]
    return "\n".join(lines)


def format_markdown_error(message: str) -> str:
    """That nothing could be judged, and why."""
    return f"### {_TITLE}: error\n\n{_code(message)}"


def format_annotation(judgement: Judgement, *, undecided_passes: bool = False) -> str:
    """A workflow command of GitHub: the whole report as an error, a warning or a notice."""
    is_mild = undecided_passes and judgement.verdict == "inconclusive"
    level = "warning" if is_mild else _LEVELS[judgement.verdict]
    text = _capitalised(format_judgement(judgement).removeprefix(f"{judgement.verdict}: "))
    return _annotation(level, judgement.verdict, text)


def format_annotation_error(message: str) -> str:
    """The same of what could not be judged."""
    return _annotation("error", "error", printable(message))


def format_outputs(judgement: Judgement) -> str:
    """What the step puts out to others, as GitHub reads it; `effect` is empty where it is nan."""
    effect = "" if math.isnan(judgement.effect) else f"{judgement.effect:.6f}"
    return f"verdict={judgement.verdict}\neffect={effect}\n"


def format_outputs_error() -> str:
    """The same of what could not be judged."""
    return "verdict=error\neffect=\n"


def format_junit(judgement: Judgement, *, undecided_passes: bool = False) -> str:
    """One test case in JUnit's XML, as Jenkins' and GitLab's readers take it.

    A regression is a failure. Inconclusive is an error, or skipped where it passes.
    """
    low, high = judgement.interval
    facts = {
        "verdict": judgement.verdict,
        "effect": f"{judgement.effect:.6f}",
        "interval": f"{low:.6f} {high:.6f}",
        "detectable": f"{judgement.detectable:.6f}",
        "tolerance": f"{judgement.tolerance:g}",
    }
    outcome = {"regression": "failure", "inconclusive": "error"}.get(judgement.verdict, "")
    if undecided_passes and outcome == "error":
        outcome = "skipped"
    return _junit(
        judgement.measure.name,
        outcome=outcome,
        kind=judgement.verdict,
        message=format_sentence(judgement),
        report=format_judgement(judgement),
        facts=facts,
    )


def format_junit_error(metric: str, message: str, kind: str) -> str:
    """The same of what could not be judged by this metric; `kind` names what went wrong."""
    return _junit(
        metric, outcome="error", kind=kind, message=message, report=printable(message), facts={}
    )


def _annotation(level: str, verdict: str, text: str) -> str:
    """Escaped as in actions/toolkit, command.ts: a title may hold neither colon nor comma."""
    data = text.replace("%", "%25").replace("\n", "%0A")
    return f"::{level} title={_TITLE} {verdict}::{data}"


def _junit(
    metric: str, *, outcome: str, kind: str, message: str, report: str, facts: dict[str, str]
) -> str:
    """As Jenkins' schema has it (xunit-plugin, junit-10.xsd), in ASCII."""
    counts = {
        "tests": "1",
        "failures": str(int(outcome == "failure")),
        "errors": str(int(outcome == "error")),
    }
    root = ElementTree.Element("testsuites", {"name": _TITLE, **counts})
    skipped = str(int(outcome == "skipped"))
    suite = ElementTree.SubElement(
        root, "testsuite", {"name": "fitlog.check", **counts, "skipped": skipped, "time": "0"}
    )
    if facts:
        properties = ElementTree.SubElement(suite, "properties")
        for name, value in facts.items():
            ElementTree.SubElement(properties, "property", {"name": name, "value": value})
    case = ElementTree.SubElement(
        suite,
        "testcase",
        {"classname": "fitlog.check", "name": printable(metric), "time": "0"},
    )
    if outcome:
        attributes = {"type": kind, "message": message}
        ElementTree.SubElement(case, outcome, attributes).text = report
    else:
        ElementTree.SubElement(case, "system-out").text = report
    ElementTree.indent(root)
    body = ElementTree.tostring(root, encoding="us-ascii", xml_declaration=False).decode("ascii")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{body}'


def _capitalised(text: str) -> str:
    return text[:1].upper() + text[1:]


def _code(text: str, *, cell: bool = False) -> str:
    """As code, in which nothing means anything: the fence is longer than any in the text.

    In a cell of a table, bars would end it even so.
    """
    shown = printable(text)
    fence = "`" * (1 + max(map(len, re.findall("`+", shown)), default=0))
    padding = " " if shown.startswith("`") or shown.endswith("`") else ""
    if cell:
        shown = shown.replace("|", "\\|")
    return f"{fence}{padding}{shown}{padding}{fence}"


def _marked(text: str) -> str:
    return _MARKED.sub(lambda mark: f"&#{ord(mark[0])};", printable(text))
