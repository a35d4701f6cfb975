"""From a match to records: what the named groups of a rule's pattern say.

    epoch, batch_start, batch_end     the place, each missing where the line does not state it
    samples_per_sec                   a `Speed`
    metric and value                  a `Metric`
    fields                            text that a splitter takes apart into metrics
    lr                                an `Event` of kind 'lr'
    seconds, milliseconds             an `Event` of kind 'time_cost', its value in seconds

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

_LEARNING_RATES: Final = frozenset({"lr", "LR", "Lr", "learning_rate"})


def report(
    *,
    split: Split = "train",
    scope: Scope = "window",
    fields: re.Pattern[str] | None = None,
    prefixes: Mapping[str, Split] | None = None,
) -> Build:
    """Build a line of numbers about batches, or about a whole epoch where `scope` is 'epoch'.

    `prefixes` maps what a metric's name begins with to the split it is of; the name goes without.
    """
    return partial(_report, split=split, scope=scope, splitter=fields, prefixes=prefixes or {})


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
    fields = [(said["metric"], said["value"])] if said.get("metric") else []
    if splitter is not None and said.get("fields"):
        fields += [(field["metric"], field["value"]) for field in splitter.finditer(said["fields"])]
    for name, value in fields:
        if name in _LEARNING_RATES:
            records.append(_lr(f"{name}={value}", epoch, value))
            continue
        prefix = next((prefix for prefix in prefixes if name.startswith(prefix)), "")
        records.append(
            Metric(
                epoch=epoch,
                batch_start=batch_start,
                batch_end=batch_end,
                split=prefixes[prefix] if prefix else split,
                scope=scope,
                metric=name.removeprefix(prefix),
                value=float(value),
            )
        )
    if lr := said.get("lr"):
        records.append(_lr(f"lr={lr}", epoch, lr))
    return (*records, *_time_cost(match, epoch))


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
    else:
        return ()
    return (Event(kind="time_cost", text=match[0].strip(), epoch=epoch, value=seconds),)


def integer(text: str | None) -> int | None:
    """The number of a group that may not have taken part."""
    return None if text is None else int(text)
