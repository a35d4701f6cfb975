"""Every dialect is held to the same promises; a new one needs no new test."""

from __future__ import annotations

import pytest

from fitlog_parsers import DIALECTS, Dialect, LogReader, Row, Rule, find_dialects, format_line
from fitlog_parsers.errors import UnknownDialectError

RULES = [
    pytest.param(dialect, rule, id=f"{dialect.name}-{rule.name}")
    for dialect in DIALECTS
    for rule in dialect.rules
]


@pytest.mark.parametrize(("dialect", "rule"), RULES)
def test_a_rule_is_the_first_of_its_dialect_to_match_its_example(
    dialect: Dialect, rule: Rule
) -> None:
    start = next(start for start in rule.starts if rule.example.startswith(start))
    rivals = [other for other in dialect.rules if start in other.starts]

    first = next(other for other in rivals if other.pattern.match(rule.example))

    assert first is rule


@pytest.mark.parametrize(("dialect", "rule"), RULES)
def test_the_reader_reads_all_of_a_rules_example(dialect: Dialect, rule: Rule) -> None:
    reader = LogReader()

    entries = reader.feed(rule.example.encode() + b"\n") + reader.close()

    assert entries
    assert all(isinstance(entry, Row) for entry in entries)
    assert reader.dialect_lines == {dialect.name: 1}


@pytest.mark.parametrize(("dialect", "rule"), RULES)
def test_a_rule_matches_its_example_whole(dialect: Dialect, rule: Rule) -> None:
    assert rule in dialect.rules
    match = rule.pattern.match(rule.example)

    assert match is not None
    assert match.end() == len(rule.example)
    assert rule.build(match)


def test_canonical_examples_are_written_back_to_the_letter() -> None:
    canonical = {"speed", "epoch metric", "time cost", "train metric", "checkpoint", "lr change"}
    rules = [rule for rule in find_dialects("module")[0].rules if rule.name in canonical]

    written = {}
    for rule in rules:
        match = rule.pattern.match(rule.example)
        assert match is not None
        written[rule.example] = format_line(rule.build(match))

    assert len(written) == len(canonical)
    assert all(line == example for example, line in written.items())


def test_an_unknown_dialect_is_refused_with_the_known_ones() -> None:
    with pytest.raises(UnknownDialectError, match="no dialect named 'keras'; known: module"):
        find_dialects("keras")
