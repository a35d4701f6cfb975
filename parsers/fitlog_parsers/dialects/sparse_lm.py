r"""Language models in MXNet's example/sparse and example/rnn/large_word_lm, loops over a Module.

Speedometer has no metric there and writes `Iter[0] Batch [200]`; the loop writes its loss beside.
A line of the evaluation names no epoch: it is that of the training before.
"""

from __future__ import annotations

import re

from fitlog_parsers import fields
from fitlog_parsers.dialects.module import (
    CHECKPOINT,
    OPTIMIZER_STATE,
    SPEED_WITHOUT_METRIC,
    START_WITH_ARGUMENTS,
)
from fitlog_parsers.grammar import FLOAT, INT, Dialect, Rule, compile_pattern
from fitlog_parsers.records import Metric, Record

_END = r"(?=[ \t\r]*+$)"
_EPOCH = rf"Iter\[(?P<epoch>{INT})\]"
_DECIMALS = re.compile(r"(?:\.[0-9]{7}|[^0-9.])$")


def _evaluation(match: re.Match[str]) -> tuple[Record, ...]:
    return (
        Metric(
            epoch=None,
            batch_end=int(match["batch_end"]),
            split="validation",
            scope="running",
            metric="loss",
            value=float(match["value"]),
        ),
    )


EVALUATION_BATCH = Rule(
    name="evaluation batch",
    starts=("eval batch ", "Eval batch "),
    pattern=compile_pattern(
        rf"[eE]val[ ]batch[ ](?P<batch_end>{INT})(?:[ ]loss)?[ ]:[ ](?P<value>{FLOAT}){_END}"
    ),
    build=_evaluation,
    example="eval batch 99 : 5.2174630",
    source="example/sparse/nce_language_model/evaluate.py; run_utils.py, evaluate",
    ending=_DECIMALS,
)

SPARSE_LM = Dialect(
    name="sparse_lm",
    about="the language models of example/sparse and example/rnn/large_word_lm",
    rules=(
        START_WITH_ARGUMENTS,
        SPEED_WITHOUT_METRIC,
        CHECKPOINT,
        OPTIMIZER_STATE,
        Rule(
            name="loss",
            starts=("Iter[",),
            pattern=compile_pattern(
                rf"{_EPOCH}[ ]Batch[ ]\[(?P<batch_end>{INT})\][ \t]++{fields.FIELDS}{_END}"
            ),
            build=fields.report(),
            example="Iter[0] Batch [200] \tloss 6.8912043, ppl 983.5869214",
            source="example/sparse/nce_language_model/train.py; rnn/large_word_lm/train.py",
            ending=_DECIMALS,
            opens=(EVALUATION_BATCH,),
            stays=True,
        ),
        EVALUATION_BATCH,
        Rule(
            name="evaluation",
            starts=("Iter[",),
            pattern=compile_pattern(
                rf"""{_EPOCH}[ \t]++(?P<fields>CE[ ]loss[ ]{FLOAT},[ ]ppl[ ]{FLOAT})\.?
                [ ](?:Time[ ]cost|Eval[ ]duration)[ ]=[ ]{FLOAT}[ ]seconds"""
            ),
            # The time is the evaluation's, not the epoch's.
            build=fields.report(split="validation", scope="epoch"),
            example="Iter[0]\t\t CE loss 5.1903377, ppl 179.5291840. Time cost = 812.40 seconds",
            source="example/sparse/nce_language_model/evaluate.py; run_utils.py, evaluate",
        ),
        Rule(
            name="validation",
            starts=("Iter[",),
            pattern=compile_pattern(rf"{_EPOCH}[ ]Valid[ \t]++{fields.FIELDS}{_END}"),
            build=fields.report(split="validation", scope="epoch"),
            example="Iter[0] Valid \tloss 5.4210288, ppl 226.1116842",
            source="example/sparse/nce_language_model/train.py of 2017",
            ending=_DECIMALS,
        ),
        Rule(
            name="test",
            starts=("Iter[",),
            pattern=compile_pattern(rf"{_EPOCH}[ ]Test[ \t]++{fields.FIELDS}{_END}"),
            build=fields.report(split="validation", scope="epoch", kept="test-"),
            example="Iter[0] Test \tloss 5.3850147, ppl 218.1132405",
            source="example/sparse/nce_language_model/train.py of 2017",
            ending=_DECIMALS,
        ),
    ),
)
