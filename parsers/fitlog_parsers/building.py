"""From a match to records: what the named groups of a rule's pattern say.

    epoch, batch_start, batch_end     the place, each missing where the line does not state it
    samples_per_sec                   a `Speed`
    metric and value                  a `Metric`
    fields                            text that a splitter takes apart into metrics
    lr                                an `Event` of kind 'lr'
    seconds, milliseconds, clock      an `Event` of kind 'time_cost', its value in seconds; a clock
                                      is written 01:02:03

A splitter is a pattern with the groups `metric` and `value`. A field that is called `lr` is no
metric, wherever it stands: it is an event.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import partial
from typing import Final

from fitlog_parsers.records import Event, Metric, Record, Scope, Speed, Split

Build = Callable[[re.Match[str]], tuple[Record, ...]]

_NO_COUNT: Final = 10**18
_LEARNING_RATES: Final = frozenset({"lr", "LR", "Lr", "learning_rate"})


def report(
    *,
    split: Split = "train",
    scope: Scope = "window",
    fields: re.Pattern[str] | None = None,
    prefixes: Mapping[str, Split] | None = None,
    scopes: Mapping[str, Scope] | None = None,
) -> Build:
    """Build a line of numbers about batches, or about a whole epoch where `scope` is 'epoch'.

    `prefixes` maps what a metric's name begins with to the split it is of; the name goes without,
    but that `test` stays: `Test_acc` is `test-acc`. `scopes` holds the names, as the records have
    them, of metrics whose scope is another than that of the rest of the line.
    """
    return partial(
        _report,
        split=split,
        scope=scope,
        splitter=fields,
        prefixes=prefixes or {},
        scopes=scopes or {},
    )


def event(kind: str) -> Build:
    """Build an event: its text is what was matched, its value the group `value` if there is one.

    Where the pattern has a group `text`, that is the text.
    """
    return partial(_event, kind=kind)


def nothing(_: re.Match[str]) -> tuple[Record, ...]:
    """Build no record: a heading, which says where the lines below it belong."""
    return ()


def _report(
    match: re.Match[str],
    *,
    split: Split,
    scope: Scope,
    splitter: re.Pattern[str] | None,
    prefixes: Mapping[str, Split],
    scopes: Mapping[str, Scope],
) -> tuple[Record, ...]:
    said = match.groupdict()
    epoch = integer(said.get("epoch"))
    batch_start, batch_end = integer(said.get("batch_start")), integer(said.get("batch_end"))
    records: list[Record] = []
    if speed := said.get("samples_per_sec"):
        records.append(
            Speed(
                epoch=epoch,
                batch_start=batch_start,
                batch_end=batch_end,
                samples_per_sec=float(speed),
                split=split,
            )
        )
    fields = [(said.get("metric"), said.get("value"))]
    if splitter is not None and said.get("fields"):
        fields += [(field["metric"], field["value"]) for field in splitter.finditer(said["fields"])]
    for name, value in fields:
        if not name or value is None:
            continue
        if name in _LEARNING_RATES:
            records.append(_lr(f"{name}={value}", epoch, value))
            continue
        prefix = next((prefix for prefix in prefixes if name.startswith(prefix)), "")
        metric = _without(prefix, name)
        records.append(
            Metric(
                epoch=epoch,
                batch_start=batch_start,
                batch_end=batch_end,
                split=prefixes[prefix] if prefix else split,
                scope=scopes.get(metric, scope),
                metric=metric,
                value=float(value),
            )
        )
    if lr := said.get("lr"):
        records.append(_lr(f"lr={lr}", epoch, lr))
    return (*records, *_time_cost(match, epoch))


def _without(prefix: str, name: str) -> str:
    """The name that goes into the record; a name that is nothing but its prefix stays."""
    kept = "test-" if prefix.lower().startswith("test") else ""
    rest = name.removeprefix(prefix)
    return kept + rest if rest else name


def _event(match: re.Match[str], *, kind: str) -> tuple[Record, ...]:
    said = match.groupdict()
    value = said.get("value")
    return (
        Event(
            kind=kind,
            text=(said.get("text") or match[0]).strip(),
            epoch=integer(said.get("epoch")),
            value=None if value is None else float(value),
        ),
    )


def _lr(text: str, epoch: int | None, value: str) -> Event:
    return Event(kind="lr", text=text, epoch=epoch, value=float(value))


def _time_cost(match: re.Match[str], epoch: int | None) -> tuple[Event, ...]:
    said = match.groupdict()
    if said.get("seconds"):
        seconds = float(said["seconds"])
    elif said.get("milliseconds"):
        seconds = int(said["milliseconds"]) / 1000
    elif said.get("clock"):
        hours, minutes, rest = said["clock"].split(":")
        seconds = int(hours) * 3600 + int(minutes) * 60 + float(rest)
    else:
        return ()
    return (Event(kind="time_cost", text=match[0].strip(), epoch=epoch, value=seconds),)


def integer(text: str | None) -> int | None:
    """The number of a group that may not have taken part.

    Raises:
        ValueError: it is no number, or has more digits than a count has (see `grammar.INT`).
    """
    if text is None:
        return None
    number = int(text)
    if abs(number) >= _NO_COUNT:
        raise ValueError(f"{text} is no count")
    return number
