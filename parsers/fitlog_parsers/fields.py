"""Fields of lines that a script prints by hand: `loss=0.52, throughput 12.30K wps, lr: 30.00`.

One script writes `=` between name and value, the next a blank; values are scaled and carry units,
and a word of the name tells the split. `FIELDS` takes all of these, `report` says what they mean:
    throughput 40.20 samples/s        a `Speed`
    12.3K wps, 8.1K tks/s             the metrics wps and tokens_per_sec, 12300 and 8100
    lr 30.00                          an `Event` of kind 'lr'
    valid loss 4.1, test_f1 0.88      of the split 'validation': loss, test-f1
    Loss mlm/nsp=7.2/0.6              the metrics `Loss mlm` and `Loss nsp`
    time cost 51.2s                   an `Event` of kind 'time_cost' where the line is of an epoch
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal
from functools import partial
from typing import Final, NamedTuple

from fitlog_parsers.building import Build, integer
from fitlog_parsers.grammar import FLOAT, compile_pattern
from fitlog_parsers.records import Event, Metric, Record, Scope, Speed, Split

_NO_NUMBER = r"(?!(?:[nN]a[nN]|[iI]nf(?:inity)?)\b)"
_WORD = rf"{_NO_NUMBER}[A-Za-z#][A-Za-z0-9_/#-]*+"
_NAME = rf"{_WORD}(?:[ ]{_WORD}){{0,4}}+"
_IS = r"(?:[ ]?=[ ]?|:[ ]?|[ ])"
_VALUE = rf"{FLOAT}(?:/{FLOAT})*+"
_UNITS = r"(?:of[ ])?samples/s(?:ec)?|wps|tks/s|ms/(?:batch|step)|s(?:econds)?|h|%"
# A period ends a sentence: `grad_norm=1.2. Time cost=3.4`.
_END = r"(?![^\s,.])"
_FIELD = rf"{_NAME}{_IS}{_VALUE}[KM]?+(?:[ ]?(?:{_UNITS}){_END})?+{_END}"
_SEPARATOR = r"(?:[.,][ \t]*+|[ \t]++)"

FIELD_LIST: Final = rf"{_FIELD}(?:{_SEPARATOR}{_FIELD})*+"
FIELDS: Final = rf"(?P<fields>{FIELD_LIST})"

_SPLIT_FIELDS: Final = compile_pattern(
    rf"""(?P<metric>{_NAME}){_IS}(?P<value>{_VALUE})(?P<scale>[KM]?+)
    (?:[ ]?(?P<unit>{_UNITS}){_END})?+{_END}"""
)
_POWERS: Final = {"": 0, "K": 3, "M": 6}
_RATES: Final = {"wps": "wps", "tks/s": "tokens_per_sec"}
_RATE_NAMES: Final = {"#token per second": "tokens_per_sec"}
_LEARNING_RATES: Final = frozenset({"lr", "learning_rate", "learning rate"})
_SPLITS: Final[dict[str, Split]] = {
    "train": "train",
    "training": "train",
    "valid": "validation",
    "validation": "validation",
    "val": "validation",
    "dev": "validation",
    "test": "validation",
}
_SPLIT_WORD: Final = re.compile(
    rf"(?P<best>best )?(?P<split>{'|'.join(_SPLITS)})[ _](?P<rest>.+)", re.IGNORECASE
)


class _Field(NamedTuple):
    """`kept` is what goes before the metric's name: `test` and `best` are no splits."""

    text: str
    name: str
    value: float
    unit: str
    split: Split
    kept: str


def report(
    *, split: Split = "train", scope: Scope = "window", kept: str = "", group: str = "fields"
) -> Build:
    """Build the records of the fields in a match's `group`; `epoch` and `batch_end` are the place.

    `split` is that of fields which do not name one, `kept` goes before the name of every metric:
    `test-` where the line says so, and not its fields.
    """
    return partial(_report, split=split, scope=scope, kept=kept, group=group)


def _report(
    match: re.Match[str], *, split: Split, scope: Scope, kept: str, group: str
) -> tuple[Record, ...]:
    said = match.groupdict()
    epoch, batch_end = integer(said.get("epoch")), integer(said.get("batch_end"))
    records: list[Record] = []
    for field in _split(said[group] or "", split, kept):
        name = field.name
        if name.lower() in _LEARNING_RATES:
            records.append(Event(kind="lr", text=field.text, epoch=epoch, value=field.value))
        elif name.lower() == "time cost" and scope == "epoch":
            text = match[0].strip()
            records.append(Event(kind="time_cost", text=text, epoch=epoch, value=field.value))
        elif "samples/s" in field.unit:
            records.append(
                Speed(
                    epoch=epoch,
                    batch_start=None,
                    batch_end=batch_end,
                    samples_per_sec=field.value,
                    split=split,
                )
            )
        # A throughput without its unit was cut off; a forecast is no measurement.
        elif field.unit in _RATES or name.lower() not in ("throughput", "eta"):
            records.append(
                Metric(
                    epoch=epoch,
                    batch_end=batch_end,
                    split=field.split,
                    scope=scope,
                    metric=field.kept + _RATES.get(field.unit, name),
                    value=field.value,
                )
            )
    return tuple(records)


def _split(text: str, split: Split, always: str) -> Iterator[_Field]:
    """The fields one by one; where one names no split it goes on with that of the field before."""
    now, kept = split, always
    for found in _SPLIT_FIELDS.finditer(text):
        name, unit, whole = found["metric"], found["unit"] or "", found[0]
        if unit in _RATES or name in _RATE_NAMES:
            yield _Field(whole, _RATE_NAMES.get(name, name), _number(found), unit, split, "")
            continue
        if (said := _SPLIT_WORD.fullmatch(name)) is not None:
            word = said["split"].lower()
            now, name = _SPLITS[word], said["rest"]
            kept = always + ("best-" if said["best"] else "") + ("test-" if word == "test" else "")
        values = found["value"].split("/")
        if len(values) == 1:
            yield _Field(whole, name, _number(found), unit, now, kept)
            continue
        start, _, last = name.rpartition(" ")
        for part, value in zip(last.split("/"), values, strict=False):
            yield _Field(whole, f"{start} {part}".strip(), float(value), unit, now, kept)


def _number(found: re.Match[str]) -> float:
    """Shifted as a decimal: 64.1K is 64100, and 64.1 * 1000 is not."""
    return float(Decimal(found["value"].partition("/")[0]).scaleb(_POWERS[found["scale"]]))
