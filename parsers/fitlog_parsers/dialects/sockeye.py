"""Sockeye 1 and 2: neural machine translation, whose unit is the checkpoint and not the epoch.

There are several checkpoints in an epoch, or several epochs between two; batches count on over the
epochs. What a checkpoint's lines state is of the updates since the last one.
"""

from __future__ import annotations

import re
from typing import Final

from fitlog_parsers.building import event, report
from fitlog_parsers.dialects.module import START_WITH_ARGUMENTS
from fitlog_parsers.grammar import FLOAT, INT, NAME, Dialect, Rule, compile_pattern
from fitlog_parsers.records import Metric, Record, Split

_END = r"(?=[ \t\r]*+$)"
_SIX_DECIMALS = re.compile(r"(?:\.[0-9]{6}[ ]*+|[^0-9.])$")
_THREE_DECIMALS = re.compile(r"\.[0-9]{3}$")
_EXPONENT = re.compile(r"e[-+][0-9]{2}$")
# Sockeye 2 writes a blank before a tab.
_FIELD_END = r"(?=[ \r]*+(?:\t|$))[ ]*+"
_FIELD = rf"\t++[ ]*+{NAME}={FLOAT}{_FIELD_END}"
_SPLIT_FIELDS = compile_pattern(rf"\t++[ ]*+(?P<metric>{NAME})=(?P<value>{FLOAT}){_FIELD_END}")
_CHECKPOINT = rf"Checkpoint[ ]\[{INT}\]"
_SPLITS: Final[dict[str, Split]] = {"Train-": "train", "Validation-": "validation"}
# The speedometer resets no metric, a checkpoint does.
_SPEED: Final = report(scope="running", fields=_SPLIT_FIELDS)
_NOTED: Final = event("checkpoint")
_RATES: Final = {
    "tokens_per_sec": "tokens_per_sec",
    "updates_per_sec": "updates_per_sec",
    "time": "Time-cost",
}


def _speed(match: re.Match[str]) -> tuple[Record, ...]:
    place = int(match["epoch"]), int(match["batch_end"])
    speed, *metrics = _SPEED(match)
    return (speed, *_rates(match, *place), *metrics)


def _checkpoint(match: re.Match[str]) -> tuple[Record, ...]:
    return (*_NOTED(match), *_rates(match, int(match["epoch"]), None))


def _rates(match: re.Match[str], epoch: int, batch_end: int | None) -> tuple[Metric, ...]:
    return tuple(
        Metric(
            epoch=epoch,
            batch_end=batch_end,
            split="train",
            scope="window",
            metric=_RATES[name],
            value=float(value),
        )
        for name, value in match.groupdict().items()
        if name in _RATES and value is not None
    )


def _best(match: re.Match[str]) -> tuple[Record, ...]:
    return (
        Metric(
            epoch=None,
            split="validation",
            scope="epoch",
            metric=f"best-{match['metric']}",
            value=float(match["value"]),
        ),
    )


TRAINING = Rule(
    name="training of a checkpoint",
    starts=("Checkpoint [",),
    pattern=compile_pattern(
        rf"{_CHECKPOINT}(?P<fields>(?:\t++Train-{NAME}={FLOAT}{_FIELD_END})++){_END}"
    ),
    build=report(fields=_SPLIT_FIELDS, prefixes=_SPLITS),
    example="Checkpoint [1]\tTrain-perplexity=118.402657",
    source="sockeye/training.py, EarlyStoppingTrainer",
    ending=_SIX_DECIMALS,
)

VALIDATION = Rule(
    name="validation of a checkpoint",
    starts=("Checkpoint [",),
    pattern=compile_pattern(
        rf"{_CHECKPOINT}(?P<fields>(?:\t++Validation-{NAME}={FLOAT}{_FIELD_END})++){_END}"
    ),
    build=report(scope="epoch", fields=_SPLIT_FIELDS, prefixes=_SPLITS),
    example="Checkpoint [1]\tValidation-perplexity=83.175024",
    source="sockeye/training.py, EarlyStoppingTrainer",
    ending=_SIX_DECIMALS,
)

SOCKEYE = Dialect(
    name="sockeye",
    about="Sockeye 1 and 2",
    rules=(
        START_WITH_ARGUMENTS,
        Rule(
            name="speed",
            starts=("Epoch[",),
            pattern=compile_pattern(
                rf"""Epoch\[(?P<epoch>{INT})\][ ]Batch[ ]\[(?P<batch_end>{INT})\]
                [ \t]++Speed:[ ](?P<samples_per_sec>{FLOAT})[ ]samples/sec
                [ ](?P<tokens_per_sec>{FLOAT})[ ]tokens/sec
                (?:[ ](?P<updates_per_sec>{FLOAT})[ ]updates/sec)?
                (?P<fields>(?:{_FIELD})*+){_END}"""
            ),
            build=_speed,
            example="Epoch[0] Batch [50]\tSpeed: 71.54 samples/sec 2208.91 tokens/sec"
            " 1.12 updates/sec\tperplexity=1324.507810",
            source="sockeye/training.py, Speedometer.__call__",
            ending=_SIX_DECIMALS,
        ),
        Rule(
            name="checkpoint",
            starts=("Checkpoint [",),
            pattern=compile_pattern(
                rf"""{_CHECKPOINT}[ \t]++Updates={INT}[ ]Epoch=(?P<epoch>{INT})[ ]Samples={INT}
                [ ]Time-cost=(?P<time>{FLOAT})(?:[ ]Updates/sec=(?P<updates_per_sec>{FLOAT}))?
                {_END}"""
            ),
            build=_checkpoint,
            example="Checkpoint [1]\tUpdates=400 Epoch=0 Samples=25531 Time-cost=358.114"
            " Updates/sec=1.117",
            source="sockeye/training.py, EarlyStoppingTrainer",
            ending=_THREE_DECIMALS,
            opens=(TRAINING, VALIDATION),
            stays=True,
        ),
        TRAINING,
        VALIDATION,
        Rule(
            name="lr change",
            starts=("checkpoints since improvement or rate scaling, lowering learning rate: ",),
            pattern=compile_pattern(
                rf"""checkpoints[ ]since[ ]improvement[ ]or[ ]rate[ ]scaling,[ ]lowering
                [ ]learning[ ]rate:[ ]{FLOAT}[ ]->[ ](?P<value>{FLOAT}){_END}"""
            ),
            build=event("lr"),
            example="checkpoints since improvement or rate scaling, lowering learning rate:"
            " 3.00e-04 -> 2.10e-04",
            source="sockeye/lr_scheduler.py, LearningRateSchedulerPlateauReduce",
            ending=_EXPONENT,
        ),
        Rule(
            name="lr",
            starts=("Learning rate currently at ",),
            pattern=compile_pattern(
                rf"Learning[ ]rate[ ]currently[ ]at[ ](?P<value>{FLOAT}){_END}"
            ),
            build=event("lr"),
            example="Learning rate currently at 2.83e-04",
            source="sockeye/lr_scheduler.py, LearningRateSchedulerInvSqrtT",
            ending=_EXPONENT,
        ),
        Rule(
            name="best checkpoint",
            starts=("Best checkpoint: ",),
            pattern=compile_pattern(
                rf"""Best[ ]checkpoint:[ ]{INT}\.[ ]Best[ ]validation[ ]
                (?P<metric>[^\s:]{{1,200}}+):[ ](?P<value>{FLOAT}){_END}"""
            ),
            build=_best,
            example="Best checkpoint: 9. Best validation perplexity: 22.419630",
            source="sockeye/training.py, EarlyStoppingTrainer.fit",
            ending=_SIX_DECIMALS,
        ),
    ),
)
