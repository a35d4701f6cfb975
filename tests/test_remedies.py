"""Whatever the code may doubt of a log has a remedy and a place in the documentation."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache

from fitlog.remedies import REMEDIES, TOLD_BY_TABLES
from support import PROJECT

# They take the code from their callers, and `_report` what was given to `_say`.
HAND_ON = {"_find", "_say", "begin_anew"}
# They name no code themselves: those of the warnings, and of the clock, are named elsewhere.
PASS_ON = {"examine", "_report", "fill_columns"}


@cache
def sources() -> dict[str, ast.Module]:
    return {
        str(path.relative_to(PROJECT)): ast.parse(path.read_text("utf-8"))
        for folder in ("fitlog", "parsers")
        for path in (PROJECT / folder).rglob("*.py")
    }


def calls(tree: ast.AST) -> Iterator[tuple[str, ast.Call]]:
    """The calls in a tree, each with the last name of what is called."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func).rpartition(".")[2], node


def code_of(call: ast.Call) -> ast.expr | None:
    return next((each.value for each in call.keywords if each.arg == "code"), None)


def strings(node: ast.AST | None) -> list[str]:
    """The string, or the first of a pair, or the keys of a dictionary."""
    match node:
        case ast.Constant(value=str(text)):
            return [text]
        case ast.Tuple(elts=[first, _]):
            return strings(first)
        case ast.Dict(keys=keys):
            return [text for key in keys for text in strings(key)]
    return []


def emitted(tree: ast.Module) -> Iterator[str]:
    """The codes that a module names where it makes a finding, or has one made."""
    constants = {
        ast.unparse(node.target): node.value
        for node in tree.body
        if isinstance(node, ast.AnnAssign)
    }
    for name, call in calls(tree):
        yield from strings(code_of(call))
        if name not in HAND_ON:
            continue
        if told := strings(call.args[0]):
            yield from told
        else:
            for node in ast.walk(call):
                if isinstance(node, ast.Name):
                    yield from strings(constants.get(node.id))


def test_every_code_has_a_remedy_and_every_remedy_a_code() -> None:
    assert {code for tree in sources().values() for code in emitted(tree)} == set(REMEDIES)


def test_no_code_is_made_where_it_would_not_be_seen_here() -> None:
    unnamed = {
        function.name
        for tree in sources().values()
        for function in ast.walk(tree)
        if isinstance(function, ast.FunctionDef)
        for name, call in calls(function)
        if name in {"Finding", "Doubt"} and not strings(code_of(call))
    }

    assert unnamed <= HAND_ON | PASS_ON


def test_what_tables_tell_is_what_the_module_of_their_findings_makes() -> None:
    assert set(emitted(sources()["fitlog/findings.py"])) == TOLD_BY_TABLES


def test_the_documentation_has_a_line_for_every_code_and_for_no_other() -> None:
    page = (PROJECT / "docs" / "reading.md").read_text("utf-8")
    table = page.partition("\n| code |")[2].partition("\n\n")[0]

    assert set(re.findall(r"^\| `([a-z-]+)` \|", table, re.MULTILINE)) == set(REMEDIES)
