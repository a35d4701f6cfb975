"""InsightFace of the years when it was trained with MXNet: its scripts and Partial FC.

Module's lines, with its own between them: every so many batches, counted since training began, the
model is tried on pairs of faces. Such a result is of no epoch: its `batch_end` is that count. The
deviation behind `+-` is a metric of its own.
"""

from __future__ import annotations

import re

from fitlog_parsers.building import event, integer, report
from fitlog_parsers.dialects.module import (
    CHECKPOINT,
    EPOCH_METRIC,
    LR_CHANGE,
    SPEED,
    SPEED_WITHOUT_METRIC,
    START_WITH_ARGUMENTS,
    TIME_COST,
)
from fitlog_parsers.grammar import FLOAT, INT, Dialect, Rule, compile_pattern
from fitlog_parsers.records import Metric, Record

_SET = r"[^\]\[\s]{1,64}+"
_WHAT = r"(?:XNorm|Accuracy(?:-Flip|-Highest)?+)"
_FIVE_DECIMALS = re.compile(r"\.[0-9]{5,6}$")
_TWO_DECIMALS = re.compile(r"\.[0-9]{2}$")
_FIELD = compile_pattern(rf"\[(?P<metric>[^\]\s]{{1,64}}+)\]:(?P<value>{FLOAT})")


def _verification(match: re.Match[str]) -> tuple[Record, ...]:
    said = match.groupdict()
    name = said["what"] if said.get("set") is None else f"{said['set']}-{said['what']}"
    values = {name: said["value"], f"{name}-std": said.get("deviation")}
    return tuple(
        Metric(
            epoch=None,
            batch_end=integer(said.get("batch_end")),
            split="validation",
            scope="window",
            metric=metric,
            value=float(value),
        )
        for metric, value in values.items()
        if value is not None
    )


INSIGHTFACE = Dialect(
    name="insightface",
    about="InsightFace's face recognition with MXNet, 2018 to 2021",
    rules=(
        SPEED,
        SPEED_WITHOUT_METRIC,
        EPOCH_METRIC,
        TIME_COST,
        Rule(
            name="best verification",
            starts=("[",),
            ahead=r"[0-9]++\]Accuracy-Highest: ",
            pattern=compile_pattern(
                rf"\[(?P<batch_end>{INT})\](?P<what>Accuracy-Highest):[ ](?P<value>{FLOAT})(?=\s|$)"
            ),
            build=_verification,
            example="[32500]Accuracy-Highest: 0.55717",
            source="src/train_softmax.py, _batch_callback",
            ending=_FIVE_DECIMALS,
        ),
        Rule(
            name="verification",
            starts=("[",),
            ahead=rf"{_SET}\](?:\[[0-9]++\])?+{_WHAT}: ",
            pattern=compile_pattern(
                rf"""\[(?P<set>{_SET})\](?:\[(?P<batch_end>{INT})\])?+(?P<what>{_WHAT}):[ ]
                (?P<value>{FLOAT})(?:\+-(?P<deviation>{FLOAT}))?+(?=\s|$)"""
            ),
            build=_verification,
            example="[lfw][32500]Accuracy-Flip: 0.50750+-0.00704",
            source="src/train_softmax.py, ver_test; Partial FC, callbacks.py, ver_test",
            ending=_FIVE_DECIMALS,
        ),
        Rule(
            name="lr, batch and epoch",
            starts=("lr-batch-epoch: ",),
            # Parallel training has two rates, of which the first is the network's.
            pattern=compile_pattern(
                rf"""lr-batch-epoch:[ ](?P<value>{FLOAT})(?:[ ]{FLOAT}(?=[ ]{INT}[ ]{INT}))?
                [ ]{INT}(?:[ ](?P<epoch>{INT}))?+(?=\s|$)"""
            ),
            build=event("lr"),
            example="lr-batch-epoch: 0.1 279 20",
            source="src/train_softmax.py, _batch_callback; ArcFace/train_parall.py",
        ),
        Rule(
            name="lr change of a step",
            starts=("lr change to ",),
            ahead=r"[0-9]",
            pattern=compile_pattern(
                rf"""lr[ ]change[ ]to[ ](?P<value>{FLOAT})
                (?:[ ]{FLOAT}|[ ]{{1,2}}in[ ]batch[ ]{INT})?(?=\s|$)"""
            ),
            build=event("lr"),
            example="lr change to 0.010000000000000002",
            source="src/train_softmax.py, _batch_callback; RetinaFace/train.py",
        ),
        Rule(
            name="accuracy of one batch",
            starts=("{fc7_acc} ",),
            pattern=compile_pattern(
                rf"\{{(?P<metric>fc7_acc)\}}[ ](?P<batch_end>{INT})[ ](?P<value>{FLOAT})(?=\s|$)"
            ),
            build=report(),
            example="{fc7_acc} 2000 0.1171875",
            source="ArcFace/parall_module_local_v1.py, ParallModule.backward",
        ),
        Rule(
            name="partial fc speed",
            starts=("Iter:",),
            ahead=r"[0-9]++ Rank:",
            # `it/sec` are samples: frequent * batch_size / seconds, then times the ranks.
            pattern=compile_pattern(
                rf"""Iter:(?P<batch_end>{INT})[ ]Rank:{FLOAT}[ ]it/sec
                [ ]Total:(?P<samples_per_sec>{FLOAT})[ ]it/sec
                [ ]\[(?P<epoch>{INT})\](?P<fields>\[[^\]\s]{{1,64}}+\]:{FLOAT})(?=\s|$)"""
            ),
            build=report(fields=_FIELD),
            example="Iter:2000 Rank:412.30 it/sec Total:3298.40 it/sec [0][loss]:31.27",
            source="Partial FC, callbacks.py, CallBackLogging.__call__",
            ending=_TWO_DECIMALS,
        ),
        CHECKPOINT,
        LR_CHANGE,
        START_WITH_ARGUMENTS,
        Rule(
            name="arguments before a configuration",
            starts=("Namespace(",),
            pattern=compile_pattern(r"(?P<text>Namespace\([^{}\r]*+)(?<=\)[ ])\{.*\}[ \t\r]*+$"),
            build=event("start"),
            example="Namespace(ckpt=3, dataset='emore', lr=0.1) {'bn_mom': 0.9, 'emb_size': 512}",
            source="ArcFace/train.py, train_net",
        ),
    ),
)
