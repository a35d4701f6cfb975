"""Dialects from elsewhere: a TOML file of a user's, or a package that brings one.

    name = "mytool"
    about = "our training script"

    [[rule]]
    name = "report"
    starts = ["step "]
    pattern = 'step[ ](?P<batch_end>{INT})[ ]loss[ ](?P<loss>{FLOAT})'
    metrics = { loss = "loss" }
    example = "step 20 loss 0.25"

A pattern is a verbose regular expression; its groups say what `building` lists, `metrics` gives
further groups the names of metrics. `{INT}`, `{FLOAT}` and `{NAME}` stand for grammar's fragments.
A package registers a `Dialect` as an entry point of the group `fitlog.dialects`.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Mapping
from functools import cache, partial
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, Final, cast, get_args

from fitlog_parsers import building
from fitlog_parsers.errors import DialectFileError
from fitlog_parsers.grammar import FIELD_END, FLOAT, INT, NAME, Dialect, Rule
from fitlog_parsers.records import Event, Metric, Record, Scope, Speed, Split

ENTRY_POINTS: Final = "fitlog.dialects"
_FRAGMENTS: Final = {"INT": INT, "FLOAT": FLOAT, "NAME": NAME, "FIELD_END": FIELD_END}
_GROUPS: Final = (
    "batch_end",
    "batch_start",
    "clock",
    "epoch",
    "fields",
    "lr",
    "metric",
    "milliseconds",
    "node",
    "samples_per_sec",
    "seconds",
    "text",
    "value",
)
_KEYS: Final = (
    "ahead",
    "example",
    "fields",
    "kind",
    "metrics",
    "name",
    "pattern",
    "scope",
    "source",
    "split",
    "starts",
)


def load_dialect(path: str | os.PathLike[str]) -> Dialect:
    """The dialect that a TOML file describes.

    Raises:
        DialectFileError: the file cannot be read, or says something that makes no dialect; the
            message names the file, the rule and what is wrong.
    """
    name = os.fspath(path)
    try:
        said = tomllib.loads(Path(path).read_text("utf-8"))
    except OSError as error:
        raise DialectFileError(f"{name}: cannot be read: {error.strerror}") from None
    except ValueError as error:  # no TOML, no UTF-8, or a number of thousands of digits
        raise DialectFileError(f"{name}: is not TOML: {error}") from None
    except RecursionError:
        raise DialectFileError(f"{name}: is nested too deeply") from None
    rules = said.get("rule")
    if not isinstance(rules, list) or not rules:
        raise DialectFileError(f"{name}: has no [[rule]]")
    dialect = Dialect(
        name=_text(said, "name", name),
        about=_text(said, "about", name),
        rules=tuple(_rule(rule, f"{name}, rule {i}") for i, rule in enumerate(rules, 1)),
    )
    _check(dialect, name)
    return dialect


@cache
def installed_dialects() -> tuple[Dialect, ...]:
    """The dialects of installed packages, by the names of their entry points.

    Raises:
        DialectFileError: what an entry point names is no dialect.
    """
    dialects = []
    for entry in sorted(entry_points(group=ENTRY_POINTS), key=lambda entry: entry.name):
        try:
            dialect = entry.load()
        except Exception as error:
            raise DialectFileError(f"the dialect {entry.value} cannot be loaded: {error}") from None
        if not isinstance(dialect, Dialect):
            raise DialectFileError(f"{entry.value} is no fitlog_parsers.Dialect")
        dialects.append(dialect)
    return tuple(dialects)


def _rule(said: Any, place: str) -> Rule:
    if not isinstance(said, dict):
        raise DialectFileError(f"{place}: is no table")
    if unknown := sorted(set(said) - set(_KEYS)):
        raise DialectFileError(f"{place}: unknown key {unknown[0]!r}; known: {_listed(_KEYS)}")
    place = f"{place} ({_text(said, 'name', place)})"
    starts = said.get("starts")
    if not isinstance(starts, list) or not starts or not all(_is_text(s) for s in starts):
        raise DialectFileError(f"{place}: starts must be a list of texts that records begin with")
    pattern = _pattern(_text(said, "pattern", place), place)
    metrics = said.get("metrics", {})
    if not isinstance(metrics, dict) or not all(_is_text(name) for name in metrics.values()):
        raise DialectFileError(f"{place}: metrics must map groups of the pattern to names")
    groups = set(pattern.groupindex)
    if unknown := sorted(set(metrics) - groups):
        raise DialectFileError(f"{place}: the pattern has no group {unknown[0]!r}")
    if unknown := sorted(groups - set(_GROUPS) - set(metrics)):
        raise DialectFileError(
            f"{place}: the group {unknown[0]!r} means nothing; groups are {_listed(_GROUPS)}, and"
            " those in metrics"
        )
    return Rule(
        name=said["name"],
        starts=tuple(starts),
        ahead=_ahead(said, place),
        pattern=pattern,
        build=_build(said, metrics, place),
        example=_text(said, "example", place),
        source=said.get("source", place),
    )


def _build(said: Mapping[str, Any], metrics: Mapping[str, str], place: str) -> building.Build:
    if "kind" in said:
        return building.event(_text(said, "kind", place))
    split, scope = said.get("split", "train"), said.get("scope", "window")
    for name, value, known in (
        ("split", split, get_args(Split)),
        ("scope", scope, get_args(Scope)),
    ):
        if value not in known:
            raise DialectFileError(f"{place}: {name} must be one of {_listed(known)}")
    fields = said.get("fields")
    splitter = None
    if fields is not None:
        splitter = _pattern(_text(said, "fields", place), place)
        if not {"metric", "value"} <= set(splitter.groupindex):
            raise DialectFileError(f"{place}: fields needs the groups metric and value")
    build = building.report(split=cast(Split, split), scope=cast(Scope, scope), fields=splitter)
    if not metrics:
        return build
    return partial(_with_metrics, build=build, metrics=dict(metrics), split=split, scope=scope)


def _with_metrics(
    match: re.Match[str],
    *,
    build: building.Build,
    metrics: Mapping[str, str],
    split: Split,
    scope: Scope,
) -> tuple[Record, ...]:
    said = match.groupdict()
    place = {
        name: building.integer(said.get(name)) for name in ("epoch", "batch_start", "batch_end")
    }
    named = tuple(
        Metric(**place, split=split, scope=scope, metric=name, value=float(said[group]))
        for group, name in metrics.items()
        if said[group] is not None
    )
    records = build(match)
    speeds = tuple(record for record in records if isinstance(record, Speed))
    return (*speeds, *named, *(record for record in records if not isinstance(record, Speed)))


def _check(dialect: Dialect, name: str) -> None:
    """Hold each rule to its example: it is read, whole, by this rule and by none before."""
    for rule in dialect.rules:
        place = f"{name}, rule {rule.name!r}"
        if not rule.example.startswith(rule.starts):
            raise DialectFileError(f"{place}: its example begins with none of its starts")
        first = next((other for other in dialect.rules if other.pattern.match(rule.example)), None)
        match = rule.pattern.match(rule.example)
        if match is None or match.end() != len(rule.example):
            raise DialectFileError(f"{place}: its pattern does not match its example to the end")
        if first is not rule and first is not None and rule.example.startswith(first.starts):
            raise DialectFileError(f"{place}: the rule {first.name!r} reads its example before it")
        try:
            records = rule.build(match)
        except (ValueError, ArithmeticError) as error:
            raise DialectFileError(
                f"{place}: its example has no number where one is: {error}"
            ) from None
        if not records:
            raise DialectFileError(f"{place}: its example says nothing: no group took part")
        if any(isinstance(record, Event) and not record.kind for record in records):
            raise DialectFileError(f"{place}: its kind is empty")


def _pattern(text: str, place: str) -> re.Pattern[str]:
    try:
        return re.compile(_fill(text), re.VERBOSE)
    except (re.error, OverflowError) as error:
        raise DialectFileError(f"{place}: no regular expression: {error}") from None
    except RecursionError:
        raise DialectFileError(f"{place}: its pattern is nested too deeply") from None


def _ahead(said: Mapping[str, Any], place: str) -> str:
    """The pattern of what must follow a start: one of many in one pattern, in text and in bytes."""
    if "ahead" not in said:
        return ""
    ahead = _fill(_text(said, "ahead", place))
    try:
        groups = re.compile(f"(?={ahead})").groups
        re.compile(f"(?={ahead})".encode())
    except (re.error, OverflowError, RecursionError) as error:
        raise DialectFileError(f"{place}: ahead is no regular expression: {error}") from None
    if groups:
        raise DialectFileError(f"{place}: ahead can have no groups but (?:...)")
    return ahead


def _fill(text: str) -> str:
    for name, fragment in _FRAGMENTS.items():
        text = text.replace(f"{{{name}}}", fragment)
    return text


def _text(said: Mapping[str, Any], key: str, place: str) -> str:
    value = said.get(key)
    if not _is_text(value):
        raise DialectFileError(f"{place}: {key} is missing, or no text")
    return cast(str, value)


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and bool(value)


def _listed(names: Any) -> str:
    return ", ".join(sorted(names))
