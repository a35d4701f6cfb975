"""MXNet's `Module.fit`, `FeedForward.fit` and their callbacks, 2015 to 2.0.

Versions differ in the batch bounds (`[50]`, from 1.4 on `[0-50]`), in how many metrics stand on a
line (up to 0.9 one, `Train-` before its name) and in the word before the epoch (`Iteration` in
2015). Documents often turn the tabs between fields into blanks. The loops that MXNet's tutorials
write by hand print what `EvalMetric.get` gives.
"""

from __future__ import annotations

import re

from fitlog_parsers.building import Build, event, integer, report
from fitlog_parsers.grammar import (
    FIELD_END,
    FLOAT,
    INT,
    NAME,
    NEXT_RECORD,
    Dialect,
    Rule,
    compile_pattern,
)
from fitlog_parsers.records import Metric, Record, Scope, Speed, Split

_BOUNDS = rf"(?:(?P<batch_start>-?{INT})-)?(?P<batch_end>{INT})"
_TWO_DECIMALS = r"(?:[-+]?(?:[0-9]++\.[0-9]{2}|nan|inf))"
_NO_FIELDS = r"(?P<fields>)"
# Two decimals, as Speedometer prints them; other writers' lines that look the same have six.
_SPEED = rf"\s++Speed:[ ]*+(?P<samples_per_sec>{_TWO_DECIMALS})[ ]samples/sec"
_TAB_FIELD = rf"\t++[ ]*+{NAME}={FLOAT}{FIELD_END}"
_BLANK_FIELD = rf"[ ]++(?!Epoch\[)[^\s=,]++={FLOAT}(?=\s|$)"
# RCNN's lines end their fields with commas or tell the time first, Sockeye's go on with other
# rates: not Module's.
_NOT_OTHERS = r"(?!\t[^\t\r\n]*,[\t\r]|\t[^\t\r\n]*,$|\tTime:|[ ]Train-[^\s,]++,|[ ][0-9])"
_FIELDS = rf"(?P<fields>(?:{_TAB_FIELD})*+(?:{_BLANK_FIELD})*+){_NOT_OTHERS}"
_EPOCH = rf"(?:Epoch|Iteration)\[(?P<epoch>{INT})\][ ]"

_SIX_DECIMALS = re.compile(r"(?:\.[0-9]{6}|[^0-9.])$")
_FIVE_DECIMALS = re.compile(r"\.[0-9]{5}$")
_THREE_DECIMALS = re.compile(r"\.[0-9]{3}$")
_EXPONENT_OR_WORD = re.compile(r"(?:e[-+][0-9]{2}|[a-z])$")
_LR = r"[0-9]\.[0-9]{5,6}e[-+][0-9]{2}"

# What EvalMetric.get and get_name_value give, as print writes it: `('accuracy', 0.5)`, the same in
# lists, or pairs in a list.
_QUOTED = r"'[^'\r]++'"
_PAIR = rf"\({_QUOTED},[ ]{FLOAT}\)"
_LISTS = rf"\(\[{_QUOTED}(?:,[ ]{_QUOTED})*+\],[ ]\[{FLOAT}(?:,[ ]{FLOAT})*+\]\)"
_GOT = rf"(?P<got>{_PAIR}|{_LISTS}|\[{_PAIR}(?:,[ ]{_PAIR})*+\])"
_NAMES = re.compile(_QUOTED)
_VALUES = re.compile(FLOAT)

_SPLIT_TABS = compile_pattern(rf"\t++[ ]*+(?P<metric>{NAME})=(?P<value>{FLOAT}){FIELD_END}")
_SPLIT_BLANKS = compile_pattern(rf"[ ]++(?P<metric>[^\s=,]++)=(?P<value>{FLOAT})(?=\s|$)")

_ALL_FIELDS = compile_pattern(rf"{_FIELDS}[ \r]*+$")
_EPOCH_VALUE = compile_pattern(
    rf"""(?:(?P<split>Train|Validation)-(?P<metric>{NAME})=|Time[ ]cost=)
    (?P<value>{FLOAT}){FIELD_END}"""
)


def _speed(match: re.Match[str]) -> tuple[Record, ...]:
    epoch, batch_end = int(match["epoch"]), int(match["batch_end"])
    batch_start = integer(match["batch_start"])
    samples_per_sec = float(match["samples_per_sec"])
    records: list[Record] = [
        Speed(
            epoch=epoch,
            batch_start=batch_start,
            batch_end=batch_end,
            samples_per_sec=samples_per_sec,
        )
    ]
    fields = match["fields"]
    splitter = _SPLIT_TABS if fields.startswith("\t") else _SPLIT_BLANKS
    for metric, value in splitter.findall(fields):
        records.append(
            Metric(
                epoch=epoch,
                batch_start=batch_start,
                batch_end=batch_end,
                split="train",
                scope="window",
                metric=metric.removeprefix("Train-"),
                value=float(value),
            )
        )
    return tuple(records)


def _epoch_metric(match: re.Match[str]) -> tuple[Record, ...]:
    split: Split = "train" if match["split"] == "Train" else "validation"
    return (
        Metric(
            epoch=int(match["epoch"]),
            split=split,
            scope="epoch",
            metric=match["metric"],
            value=float(match["value"]),
        ),
    )


def _got(scope: Scope) -> Build:
    """Build what EvalMetric.get gives; where counts of names and values differ, the shorter."""

    def build(match: re.Match[str]) -> tuple[Record, ...]:
        said = match.groupdict()
        split: Split = "validation" if said.get("split") == "Validation" else "train"
        values = _VALUES.findall(_NAMES.sub("", match["got"]))
        return tuple(
            Metric(
                epoch=int(match["epoch"]),
                batch_end=integer(said.get("batch_end")),
                split=split,
                scope=scope,
                metric=name[1:-1],
                value=float(value),
            )
            for name, value in zip(_NAMES.findall(match["got"]), values, strict=False)
        )

    return build


SPEED = Rule(
    name="speed",
    starts=("Epoch[", "Iteration["),
    pattern=compile_pattern(rf"{_EPOCH}Batch[ ]?\[{_BOUNDS}\]{_SPEED}{_FIELDS}"),
    build=_speed,
    example="Epoch[0] Batch [0-20]\tSpeed: 257.26 samples/sec\taccuracy=0.968571",
    source="callback.py, Speedometer.__call__, 0.7 on",
    ending=_SIX_DECIMALS,
)

EPOCH_METRIC = Rule(
    name="epoch metric",
    starts=("Epoch[", "Iteration["),
    pattern=compile_pattern(
        rf"{_EPOCH}(?P<split>Train|Validation)-(?P<metric>{NAME})=(?P<value>{FLOAT}){FIELD_END}"
    ),
    build=_epoch_metric,
    example="Epoch[0] Validation-accuracy=0.971000",
    source="module/base_module.py, BaseModule.fit; model.py, _train_multi_device",
    ending=_SIX_DECIMALS,
)

TIME_COST = Rule(
    name="time cost",
    starts=("Epoch[", "Iteration["),
    pattern=compile_pattern(rf"{_EPOCH}Time[ ]cost=(?P<seconds>{INT}\.[0-9]++){FIELD_END}"),
    build=report(),
    example="Epoch[0] Time cost=12.345",
    source="module/base_module.py, BaseModule.fit; model.py, _train_multi_device",
    ending=_THREE_DECIMALS,
)

SPEED_WITHOUT_METRIC = Rule(
    name="speed without metric",
    starts=("Iter[",),
    pattern=compile_pattern(
        rf"Iter\[(?P<epoch>{INT})\][ ]Batch[ ]\[{_BOUNDS}\]{_SPEED}{_NO_FIELDS}"
    ),
    build=_speed,
    example="Iter[0] Batch [50]\tSpeed: 31067.45 samples/sec",
    source="callback.py, Speedometer.__call__ without a metric, 2015 on",
)

START_WITH_ARGUMENTS = Rule(
    name="start with arguments",
    starts=("start with arguments Namespace(", "Namespace("),
    pattern=compile_pattern(r"(?:start[ ]with[ ]arguments[ ])?Namespace\(.*\)[ \t\r]*+$"),
    build=event("start"),
    example="start with arguments Namespace(batch_size=128, lr=0.1, network='resnet')",
    source="example/image-classification/common/fit.py, fit",
)

START_ON_DEVICES = Rule(
    name="start on devices",
    starts=("Start training with ",),
    ahead=r"\[|[cg]pu\(|[0-9]++ device",
    pattern=compile_pattern(
        rf"""Start[ ]training[ ]with[ ]
        (?:\[[^\]]*+\]|[cg]pu\({INT}\)(?:,[ ]?[cg]pu\({INT}\))*+|{INT}[ ]devices?+)"""
    ),
    build=event("start"),
    example="Start training with [cpu(0)]",
    source="model.py, FeedForward.fit; R-package, model.R, mx.model.train",
)

CHECKPOINT = Rule(
    name="checkpoint",
    starts=('Saved checkpoint to "',),
    pattern=compile_pattern(r'Saved[ ]checkpoint[ ]to[ ]"(?:(?!Saved[ ])[^"])++"'),
    build=event("checkpoint"),
    example='Saved checkpoint to "model-0001.params"',
    source="model.py, save_checkpoint; module/module.py, Module.save_checkpoint",
)

OPTIMIZER_STATE = Rule(
    name="optimizer state",
    starts=('Saved optimizer state to "',),
    pattern=compile_pattern(r'Saved[ ]optimizer[ ]state[ ]to[ ]"(?:(?!Saved[ ])[^"])++"'),
    build=event("optimizer_state"),
    example='Saved optimizer state to "model-0001.states"',
    source="module/module.py, Module.save_checkpoint",
)

LR_CHANGE = Rule(
    name="lr change",
    starts=("Update[",),
    pattern=compile_pattern(
        rf"""Update\[{INT}\]:[ ](?:Change[ ]learning[ ]rate[ ]to|
        now[ ]learning[ ]rate[ ]arrived[ ]at)[ ](?P<value>{_LR})
        (?:,[ ]will[ ]not[ ]change[ ]in[ ]the[ ]future)?"""
    ),
    build=event("lr"),
    example="Update[1001]: Change learning rate to 5.00000e-02",
    source="lr_scheduler.py, FactorScheduler and MultiFactorScheduler",
    ending=_EXPONENT_OR_WORD,
)


def split_fields(text: str) -> tuple[str, int, str] | None:
    """What stands before the first value of a speed line's fields, 0, and the metric's name.

    None where `text`, from behind `samples/sec` to the end of the line, is not fields alone.
    """
    match = _ALL_FIELDS.match(text)
    if match is None or not match["fields"]:
        return None
    splitter = _SPLIT_TABS if text.startswith("\t") else _SPLIT_BLANKS
    field = splitter.match(text)
    if field is None:
        return None
    return text[: field.start("value")], 0, field["metric"].removeprefix("Train-")


def split_epoch_metric(text: str) -> tuple[str, int, str] | None:
    """What stands before the value behind `Epoch[3] `, which kind of line it is, and the metric.

    The kinds are 0 for training, 1 for validation, 2 for the time; None where it is no such line.
    """
    match = _EPOCH_VALUE.match(text)
    if match is None:
        return None
    kind = 2 if match["split"] is None else 1 if match["split"] == "Validation" else 0
    return text[: match.start("value")], kind, match["metric"] or "Time cost"


MODULE = Dialect(
    name="module",
    about="Module.fit, FeedForward.fit and their callbacks, 2015 to 2.0; Perl's AI::MXNet",
    rules=(
        SPEED,
        EPOCH_METRIC,
        TIME_COST,
        Rule(
            name="reset",
            starts=("Epoch[", "Iteration["),
            pattern=compile_pattern(rf"{_EPOCH}Resetting[ ](?:Data[ ]Iterator|Eval[ ]Metric)"),
            build=event("reset"),
            example="Epoch[0] Resetting Data Iterator",
            source="model.py, _train_multi_device",
        ),
        SPEED_WITHOUT_METRIC,
        Rule(
            name="train metric",
            starts=("Iter[",),
            pattern=compile_pattern(
                rf"""Iter\[(?P<epoch>{INT})\][ ]Batch\[(?P<batch_end>{INT})\]
                [ ]Train-(?P<metric>{NAME})=(?P<value>{FLOAT}){FIELD_END}"""
            ),
            build=report(scope="running"),
            example="Iter[0] Batch[50] Train-accuracy=0.910000",
            source="callback.py, log_train_metric",
            ending=_SIX_DECIMALS,
        ),
        Rule(
            name="speed without epoch",
            starts=("Batch [",),
            # Behind `] ` it is the rest of an epoch's line that no rule above could read; before
            # a metric it is R's.
            pattern=compile_pattern(
                rf"(?<!\][ ])Batch[ ]\[(?P<batch_end>{INT})\]{_SPEED}(?![ ]Train-)"
            ),
            build=report(),
            example="Batch [50]\tSpeed: 1034.50 samples/sec",
            source="callback.py, Speedometer of 2015-09; common/fit.py, --test-io",
        ),
        START_WITH_ARGUMENTS,
        START_ON_DEVICES,
        CHECKPOINT,
        OPTIMIZER_STATE,
        LR_CHANGE,
        Rule(
            name="lr of a resumed epoch",
            starts=("Adjust learning rate to ",),
            pattern=compile_pattern(
                rf"""Adjust[ ]learning[ ]rate[ ]to[ ](?P<value>{_LR})
                [ ]for[ ]epoch[ ](?P<epoch>{INT})"""
            ),
            build=event("lr"),
            example="Adjust learning rate to 1.000000e-03 for epoch 30",
            source="example/image-classification/common/fit.py, _get_lr_scheduler",
        ),
        Rule(
            name="lr change of 2015",
            starts=("At Iteration [",),
            pattern=compile_pattern(
                rf"""At[ ]Iteration[ ]\[(?P<epoch>{INT})\](?:,[ ]Batch[ ]\[{INT}\])?:
                [ ]Swith[ ]to[ ]new[ ]learning[ ]rate[ ](?P<value>{FLOAT})"""
            ),
            build=event("lr"),
            example="At Iteration [8]: Swith to new learning rate 0.02500",
            source="misc.py, FactorScheduler of 2015",
            ending=_FIVE_DECIMALS,
        ),
        Rule(
            name="end of a benchmark",
            starts=(":::MLL ", ":::MLPv"),
            ahead=r"[^\r{]{1,200}run_stop",
            pattern=compile_pattern(
                r""":::(?:MLL[ ][0-9.]++[ ]run_stop:[ ]\{
                (?:(?!"status")[^\r])*+"status":[ ]"success"[^\r]*+
                |MLPv[0-9.]++[ ]\w++[ ][0-9.]++[ ]\([^)\r]*+\)[ ]run_stop\b)"""
            ),
            build=event("end"),
            example=':::MLL 1560888652.056 run_stop: {"metadata": {"status": "success"}}',
            source="mlperf_compliance, mlperf_log.py, as NVIDIA's image-classification uses it",
        ),
        Rule(
            name="progress bar",
            starts=("[",),
            ahead=r"[=-]++\] [0-9.]++%",
            # Drawn over and over on one line; the last state counts.
            pattern=compile_pattern(
                rf"(?:(?P<text>\[=*+-*+\][ ](?P<value>{INT}(?:\.[0-9]++)?+)%)\r*+)++"
            ),
            build=event("progress"),
            example="[========------------------------------] 20%\r",
            source="callback.py, ProgressBar",
        ),
        Rule(
            name="monitor",
            starts=("Batch: ",),
            ahead=r"[ 0-9]{7} \S++ ",
            # `{:7d} {:30s} {:s}`: the widths tell it from other writers' lines.
            pattern=compile_pattern(
                rf"""Batch:[ ](?=[ 0-9]{{7}})[ ]*+{INT}[ ](?=\S{{30}}|.{{30}}[ ])
                (?:(?!{NEXT_RECORD})\S)++[ ]++
                (?:(?P<value>{FLOAT})(?=[ \t\r]*+$)|(?:(?!{NEXT_RECORD})[^\r])++)"""
            ),
            build=event("monitor"),
            example="Batch:      16 fc1_output                     0.6322091",
            source="monitor.py, Monitor.toc_print",
        ),
        Rule(
            name="epoch of a loop by hand",
            starts=("Epoch ",),
            ahead=r"[0-9]++, (?:Training|Validation) [(\[]++'",
            pattern=compile_pattern(
                rf"Epoch[ ](?P<epoch>{INT}),[ ](?P<split>Training|Validation)[ ]{_GOT}"
            ),
            build=_got("epoch"),
            example="Epoch 0, Training ('accuracy', 0.4346)",
            source="docs/tutorials/basic/module.md and many copies",
        ),
        Rule(
            name="batch of a loop by hand",
            starts=("epoch: ",),
            ahead=r"[0-9]++ iter: [0-9]++ metric: [(\[]++'",
            pattern=compile_pattern(
                rf"epoch:[ ](?P<epoch>{INT})[ ]iter:[ ](?P<batch_end>{INT})[ ]metric:[ ]{_GOT}"
            ),
            build=_got("running"),
            example="epoch: 0 iter: 100 metric: ('accuracy', 0.1427)",
            source="mxnet-notebooks, python/cnn/mnist.ipynb",
        ),
    ),
)
