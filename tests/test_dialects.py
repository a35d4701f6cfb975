"""Every dialect is held to the same promises; a new one needs a sample log and no new test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from fitlog_parsers import (
    DIALECTS,
    AmbiguousDialectError,
    Dialect,
    LogReader,
    NoRecordsError,
    Row,
    Rule,
    UnknownDialectError,
    Unparsed,
    find_dialects,
    format_line,
    sniff_dialect,
)
from support import SAMPLES


def every_rule(dialect: Dialect) -> Iterator[tuple[Rule, tuple[Rule, ...]]]:
    """Each rule with the headings that it stands below."""
    todo: list[tuple[Rule, tuple[Rule, ...]]] = [(rule, ()) for rule in dialect.rules]
    while todo:
        rule, above = todo.pop(0)
        yield rule, above
        todo += [(below, (*above, rule)) for below in rule.opens if below not in above]


RULES = [
    pytest.param(dialect, rule, above, id=f"{dialect.name}-{rule.name}")
    for dialect in DIALECTS
    for rule, above in every_rule(dialect)
]
each_rule = pytest.mark.parametrize(("dialect", "rule", "above"), RULES)
each_dialect = pytest.mark.parametrize("dialect", DIALECTS, ids=lambda dialect: dialect.name)


@each_rule
def test_a_rule_is_the_first_of_all_rules_to_match_its_example(
    dialect: Dialect, rule: Rule, above: tuple[Rule, ...]
) -> None:
    every = [rule for dialect in DIALECTS for rule in dialect.rules]
    rivals = above[-1].opens if above else [r for r in every if rule.example.startswith(r.starts)]

    first = next(other for other in rivals if other.pattern.match(rule.example))

    assert first is rule
    assert rule.source
    assert dialect.about


@each_rule
def test_all_of_a_rules_example_is_read(
    dialect: Dialect, rule: Rule, above: tuple[Rule, ...]
) -> None:
    reader = LogReader((dialect,))
    log = "".join(f"{line}\n" for line in [*(rule.example for rule in above), rule.example])

    entries = reader.feed(log.encode()) + reader.close()

    assert entries or rule.opens
    assert all(isinstance(entry, Row) for entry in entries)
    assert reader.dialect_lines == {dialect.name: len(above) + 1}


@each_rule
def test_a_rule_matches_its_example_whole(
    dialect: Dialect, rule: Rule, above: tuple[Rule, ...]
) -> None:
    assert rule in (above[-1].opens if above else dialect.rules)
    match = rule.pattern.match(rule.example)

    assert match is not None
    assert match.end() == len(rule.example)
    assert rule.build(match) or rule.opens


@each_dialect
def test_a_dialects_sample_log_uses_every_rule_and_leaves_nothing_unparsed(
    dialect: Dialect,
) -> None:
    log = sample(dialect)
    reader = LogReader()

    entries = reader.feed(log) + reader.close()

    assert [entry for entry in entries if isinstance(entry, Unparsed)] == []
    lines = log.decode().splitlines()
    for rule, above in every_rule(dialect):
        found = [
            line
            for line in lines
            if (match := rule.pattern.search(line))
            and (above or not rule.starts or match[0].startswith(rule.starts))
        ]
        assert found, rule.name


@each_dialect
def test_a_dialect_is_told_from_its_sample_log(dialect: Dialect) -> None:
    assert sniff_dialect(sample(dialect)) is dialect


def test_lines_that_dialects_share_are_the_first_ones() -> None:
    assert sniff_dialect(b"Epoch[0] Train-accuracy=0.500000\n").name == "module"


def test_a_tie_of_dialects_is_an_error_that_names_both() -> None:
    log = b"Epoch[0] Time cost=12.345\nEpoch[0] Time cost=464187\n"

    with pytest.raises(AmbiguousDialectError, match="module and scala read equally many lines"):
        sniff_dialect(log, find_dialects("module") + find_dialects("scala"))


def test_a_log_that_no_dialect_reads_has_none() -> None:
    with pytest.raises(NoRecordsError, match="no dialect reads any line"):
        sniff_dialect(b"nothing\n")


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


def sample(dialect: Dialect) -> bytes:
    return (SAMPLES / "dialects" / f"{dialect.name}.log").read_bytes()
