"""Gluon's Estimator, of MXNet 1.5 and of 1.6 to 2.0: the lines of its LoggingHandler.

From 1.6 on an estimator validates with handlers of its own, whose counters start anew each time: a
validation's line always names epoch 0. Its epoch is that of the last `Begin` line.
"""

from __future__ import annotations

import re
from typing import Final

from fitlog_parsers.building import event, integer, report
from fitlog_parsers.grammar import FLOAT, INT, Dialect, Rule, compile_pattern
from fitlog_parsers.records import Metric, Record, Split

_END = r"(?=[ \t\r]*+(?:$|\[Epoch[ ]))"
_EPOCH = rf"\[Epoch[ ](?P<epoch>{INT})\]"
_NAME = r"[^\s:,][^:,\t\r\n]{0,200}+"
_FIELDS = rf"(?P<fields>{_NAME}:[ ]{FLOAT}(?:,[ ]{_NAME}:[ ]{FLOAT})*+)"
_SPLIT_FIELDS = compile_pattern(rf"(?P<metric>{_NAME}):[ ](?P<value>{FLOAT})(?=,|\s|$)[, ]*+")
# The time is summed over the batches of an interval, whose first was batch 0.
_BATCH = rf"""\[Batch[ ](?P<batch_end>{INT})\]\[Samples[ ]{INT}\]
    [ ](?P<time>time/(?:interval|batch)):[ ](?P<value>{FLOAT})s"""
_FOUR_DECIMALS = re.compile(r"(?:\.[0-9]{4}|[^0-9.])$")
_SPLITS: Final[dict[str, Split]] = {
    "training ": "train",
    "train ": "train",
    "validation ": "validation",
}
# What the handler resets is the time alone: the metrics are means since the epoch began.
_MEANS: Final = report(scope="running", fields=_SPLIT_FIELDS, prefixes=_SPLITS)


def _batch(match: re.Match[str]) -> tuple[Record, ...]:
    is_training = "epoch" in match.re.groupindex
    return (
        Metric(
            epoch=integer(match["epoch"]) if is_training else None,
            batch_end=int(match["batch_end"]),
            split="train" if is_training else "validation",
            scope="window",
            metric=match["time"],
            value=float(match["value"]),
        ),
        *_MEANS(match),
    )


VALIDATION = Rule(
    name="validation of an epoch",
    starts=("[Epoch ",),
    pattern=compile_pattern(
        rf"\[Epoch[ ]{INT}\][ ]Finished[ ]in[ ]{FLOAT}s,[ ](?=validation[ ]){_FIELDS}{_END}"
    ),
    build=report(split="validation", scope="epoch", fields=_SPLIT_FIELDS, prefixes=_SPLITS),
    example="[Epoch 0] Finished in 0.412s, validation accuracy: 0.8125",
    source="gluon/contrib/estimator/event_handler.py, LoggingHandler.epoch_end, 1.6 on",
    ending=_FOUR_DECIMALS,
)

VALIDATION_BATCH = Rule(
    name="validation batch",
    starts=("[Epoch ",),
    pattern=compile_pattern(rf"\[Epoch[ ]{INT}\]{_BATCH}[ ](?=validation[ ]){_FIELDS}{_END}"),
    build=_batch,
    example="[Epoch 0][Batch 5][Samples 192] time/interval: 0.021s validation accuracy: 0.8021",
    source="gluon/contrib/estimator/event_handler.py, LoggingHandler.batch_end, 1.6 on",
    ending=_FOUR_DECIMALS,
)

ESTIMATOR = Dialect(
    name="estimator",
    about="Gluon's Estimator, 1.5 to 2.0",
    rules=(
        Rule(
            name="start",
            starts=("Training begin: using optimizer ",),
            pattern=compile_pattern(
                rf"""Training[ ]begin:[ ]using[ ]optimizer[ ]\S++
                [ ]with[ ]current[ ]learning[ ]rate[ ]{FLOAT}{_END}"""
            ),
            build=event("start"),
            example="Training begin: using optimizer Adam with current learning rate 0.0020",
            source="gluon/contrib/estimator/event_handler.py, LoggingHandler.train_begin",
            ending=_FOUR_DECIMALS,
        ),
        Rule(
            name="begin of an epoch",
            starts=("[Epoch ",),
            pattern=compile_pattern(
                rf"{_EPOCH}[ ]Begin,[ ]current[ ]learning[ ]rate:[ ](?P<value>{FLOAT}){_END}"
            ),
            build=event("lr"),
            example="[Epoch 0] Begin, current learning rate: 0.0020",
            source="gluon/contrib/estimator/event_handler.py, LoggingHandler.epoch_begin",
            ending=_FOUR_DECIMALS,
            opens=(VALIDATION, VALIDATION_BATCH),
            stays=True,
        ),
        VALIDATION,
        VALIDATION_BATCH,
        Rule(
            name="batch",
            starts=("[Epoch ",),
            pattern=compile_pattern(rf"{_EPOCH}{_BATCH}(?:[ ]{_FIELDS})?{_END}"),
            build=_batch,
            example="[Epoch 0][Batch 10][Samples 352] time/interval: 0.118s training accuracy:"
            " 0.3153, training softmaxcrossentropyloss: 2.0418",
            source="gluon/contrib/estimator/event_handler.py, LoggingHandler.batch_end",
            ending=_FOUR_DECIMALS,
        ),
        Rule(
            name="end of an epoch",
            starts=("[Epoch ",),
            pattern=compile_pattern(
                rf"""{_EPOCH}[ ]Finished[ ]in[ ](?P<seconds>{FLOAT})s
                (?:,[ ]{_FIELDS})?{_END}"""
            ),
            build=report(scope="epoch", fields=_SPLIT_FIELDS, prefixes=_SPLITS),
            example="[Epoch 0] Finished in 3.507s, training accuracy: 0.6412",
            source="gluon/contrib/estimator/event_handler.py, LoggingHandler.epoch_end",
            ending=_FOUR_DECIMALS,
        ),
        Rule(
            name="checkpoint",
            starts=("[Epoch ",),
            pattern=compile_pattern(
                rf"""{_EPOCH}[ ]CheckpointHandler:[ ](?:trained[ ]total[ ]{INT}[ ]batches,[ ]saving
                |[^\t\r\n]{{1,200}}?[ ]improved[ ]from[ ]{FLOAT}[ ]to[ ]{FLOAT},[ ]updating[ ]best)
                [ ]model[ ]at[ ][^\t\r\n]++"""
            ),
            build=event("checkpoint"),
            example="[Epoch 0] CheckpointHandler: trained total 40 batches, saving model at ./out"
            " with prefix: lenet-epoch0batch40",
            source="gluon/contrib/estimator/event_handler.py, CheckpointHandler",
        ),
        Rule(
            name="no checkpoint",
            starts=("[Epoch ",),
            # It prints the count of batches in the epoch's place.
            pattern=compile_pattern(
                rf"""\[Epoch[ ]{INT}\][ ]CheckpointHandler:[ ][^\t\r\n]{{1,200}}?
                [ ]did[ ]not[ ]improve[ ]from[ ]{FLOAT},[ ]skipping[ ]updating[ ]best[ ]model"""
            ),
            build=event("checkpoint_skipped"),
            example="[Epoch 80] CheckpointHandler: validation accuracy did not improve from"
            " 0.81250, skipping updating best model",
            source="gluon/contrib/estimator/event_handler.py, CheckpointHandler",
        ),
        Rule(
            name="early stop",
            starts=("[Epoch ",),
            pattern=compile_pattern(
                rf"""{_EPOCH}[ ]EarlyStoppingHanlder:[ ]early[ ]stopping[ ]due[ ]to
                [ ][^\t\r\n]{{1,200}}?[ ]not[ ]improving"""
            ),
            build=event("end"),
            example="[Epoch 7] EarlyStoppingHanlder: early stopping due to validation accuracy"
            " not improving",
            source="gluon/contrib/estimator/event_handler.py, EarlyStoppingHandler.train_end",
        ),
        Rule(
            name="end",
            starts=("Train finished using total ",),
            pattern=compile_pattern(
                rf"""Train[ ]finished[ ]using[ ]total[ ](?P<value>{INT})s[ ]with[ ]{INT}[ ]epochs
                \.(?:[ ]{_FIELDS})?{_END}"""
            ),
            build=event("end"),
            example="Train finished using total 7s with 2 epochs. training accuracy: 0.7931",
            source="gluon/contrib/estimator/event_handler.py, LoggingHandler.train_end",
            ending=_FOUR_DECIMALS,
        ),
    ),
)
