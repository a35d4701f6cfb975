"""GluonNLP's pretraining and finetuning of BERT, XLNet and their kin: rules of its dialect.

While a finetuning is validated its lines name no epoch; it is that of the training before. Their
loss is set to zero after each line, their metrics are of all batches since the epoch began.
"""

from __future__ import annotations

import re
from typing import Final

from fitlog_parsers import building, fields
from fitlog_parsers.building import event, nothing
from fitlog_parsers.fields import FIELD_LIST, FIELDS
from fitlog_parsers.grammar import FLOAT, INT, Rule, compile_pattern
from fitlog_parsers.records import Record

_END = r"(?=[ \t\r]*+(?:$|\[Epoch[ ]))"
_METRICS = rf"metrics:(?P<metrics>{FIELD_LIST})"
# Its time counts from the begin of the training; `Thoughput` is how they spell it.
_SPEED_SO_FAR = rf"""Time[ ]cost=[ ]*+{FLOAT}[ ]?s
    ,[ ](?P<fields>[tT]hr?oughput={FLOAT}[ ]samples/s){_END}"""

_WINDOW: Final = fields.report()
_MEANS: Final = fields.report(scope="running", group="metrics")
_VALIDATION: Final = fields.report(split="validation", scope="epoch")
_VALIDATION_WINDOW: Final = fields.report(split="validation")
_VALIDATION_MEANS: Final = fields.report(split="validation", scope="running", group="metrics")


def _finetuning_batch(match: re.Match[str]) -> tuple[Record, ...]:
    return (*_WINDOW(match), *_MEANS(match))


def _validation_batch(match: re.Match[str]) -> tuple[Record, ...]:
    means = _VALIDATION_MEANS(match) if match["metrics"] else ()
    return (*_VALIDATION_WINDOW(match), *means)


def _answering_batch(match: re.Match[str]) -> tuple[Record, ...]:
    return _WINDOW(match) if match["fields"] else ()


_SAVED = Rule(
    name="saved parameters",
    starts=("params saved in: ", "Params saved in: ", "Save best parameters to "),
    pattern=compile_pattern(
        r"(?:[pP]arams[ ]saved[ ]in:|Save[ ]best[ ]parameters[ ]to)[ ][^\t\r\n]++"
    ),
    build=event("checkpoint"),
    example="params saved in: ./output/model_bert_RTE_0.params",
    source="scripts/bert/finetune_classifier.py, train; machine_translation",
)

_VALIDATION_BATCH = Rule(
    name="validation batch",
    starts=("[Batch ",),
    pattern=compile_pattern(
        rf"\[Batch[ ](?P<batch_end>{INT})/{INT}\][ ]{FIELDS}(?:,[ ]{_METRICS})?{_END}"
    ),
    build=_validation_batch,
    example="[Batch 10/35] loss=0.6120, metrics:accuracy:0.6625,f1:0.7216",
    source="scripts/bert/finetune_classifier.py, log_eval",
)

_VALIDATION_METRICS = Rule(
    name="validation metrics",
    starts=("validation metrics:",),
    pattern=compile_pattern(rf"validation[ ]metrics:[ ]?{FIELDS}{_END}"),
    build=_VALIDATION,
    example="validation metrics:accuracy:0.6931,f1:0.7480",
    source="scripts/bert/finetune_classifier.py, evaluate",
)

_VALIDATION_SPEED = Rule(
    name="speed of a validation",
    starts=("Time cost=",),
    pattern=compile_pattern(_SPEED_SO_FAR),
    build=_VALIDATION,
    example="Time cost=2.31s, throughput=120.34 samples/s",
    source="scripts/bert/finetune_classifier.py, evaluate; finetune_squad.py, evaluate",
)

_TRAINING_SPEED = Rule(
    name="speed since the begin",
    starts=("Time cost=",),
    pattern=compile_pattern(_SPEED_SO_FAR),
    build=fields.report(scope="epoch"),
    example="Time cost=1480.25 s, Thoughput=59.88 samples/s",
    source="scripts/bert/finetune_squad.py, train",
)

_EPOCH_TIME = Rule(
    name="time of an epoch",
    starts=("Time cost=",),
    pattern=compile_pattern(rf"Time[ ]cost=(?P<seconds>{FLOAT})s{_END}"),
    build=building.report(),
    example="Time cost=44.09s",
    source="scripts/bert/finetune_classifier.py, train",
)

_LOSSES = Rule(
    name="losses",
    starts=("span_loss: ",),
    pattern=compile_pattern(rf"(?=span_loss:[ ]){FIELDS}{_END}"),
    build=_WINDOW,
    example="span_loss: 1.4210, cls_loss: 0.2164",
    source="scripts/language_model/run_squad.py, train",
)

_ANSWERS = Rule(
    name="scores of the answers",
    starts=("{'exact_match': ",),
    pattern=compile_pattern(
        rf"\{{(?P<fields>'exact_match':[ ]{FLOAT}(?:,[ ]'[A-Za-z0-9_]++':[ ]{FLOAT})*+)\}}"
    ),
    build=building.report(
        split="validation",
        scope="epoch",
        fields=compile_pattern(rf"'(?P<metric>[A-Za-z0-9_]++)':[ ](?P<value>{FLOAT})"),
    ),
    example="{'exact_match': 79.35666982024598, 'f1': 87.10412093851722}",
    source="scripts/bert/finetune_squad.py, evaluate",
)

_PREDICTION = Rule(
    name="prediction",
    starts=("start prediction", "Start predict"),
    pattern=compile_pattern(r"[sS]tart[ ]predict(?:ion)?"),
    build=nothing,
    example="start prediction",
    source="scripts/bert/finetune_squad.py, evaluate",
    opens=(_VALIDATION_SPEED, _ANSWERS),
    stays=True,
)

BERT: Final = (
    Rule(
        name="finetuning batch",
        starts=("[Epoch ",),
        pattern=compile_pattern(
            rf"""\[Epoch[ ](?P<epoch>{INT})[ ]Batch[ ](?P<batch_end>{INT})(?:/{INT})?\]
            [ ]{FIELDS},[ ]{_METRICS}{_END}"""
        ),
        build=_finetuning_batch,
        example="[Epoch 1 Batch 10/78] loss=0.6948, lr=0.0000128, metrics:accuracy:0.5188,f1:0.62",
        source="scripts/bert/finetune_classifier.py and language_model/run_glue.py, log_train",
        opens=(_VALIDATION_BATCH, _VALIDATION_METRICS, _VALIDATION_SPEED, _EPOCH_TIME, _SAVED),
        stays=True,
    ),
    _VALIDATION_BATCH,
    _VALIDATION_METRICS,
    _VALIDATION_SPEED,
    _SAVED,
    Rule(
        name="best model of a finetuning",
        starts=("Best model at epoch ",),
        # The scripts count this epoch from 0 or from 1, and those of the lines above from 1.
        pattern=compile_pattern(
            rf"Best[ ]model[ ]at[ ]epoch[ ]{INT}\.[ ]Validation[ ]metrics:[ ]?{FIELDS}{_END}"
        ),
        build=fields.report(split="validation", scope="epoch", kept="best-"),
        example="Best model at epoch 1. Validation metrics:accuracy:0.6931,f1:0.7480",
        source="scripts/bert/finetune_classifier.py and language_model/run_glue.py, train",
    ),
    Rule(
        name="question answering batch",
        starts=("Epoch: ",),
        pattern=compile_pattern(
            rf"""Epoch:[ ](?P<epoch>{INT}),[ ]Batch:[ ](?P<batch_end>{INT})/{INT}
            ,[ ]{FIELDS}{_END}"""
        ),
        build=_WINDOW,
        example="Epoch: 0, Batch: 49/3690, Loss=4.2107, lr=0.0000041 Time cost=26.7"
        " Thoughput=44.94 samples/s",
        source="scripts/bert/finetune_squad.py, train; question_answering/run_squad.py of 1.x",
        opens=(_LOSSES, _TRAINING_SPEED, _PREDICTION, _SAVED),
        stays=True,
    ),
    Rule(
        name="question answering step",
        starts=("Batch: ", "Step: "),
        ahead=r"[0-9]++/[0-9]",
        # The prediction counts its batches: `Batch: 11/170`.
        pattern=compile_pattern(
            rf"(?:Batch|Step):[ ](?P<batch_end>{INT})/{INT}(?:,[ ]{FIELDS})?{_END}"
        ),
        build=_answering_batch,
        example="Step: 50/7380, Loss span=4.1932, LR=0.00001355, grad_norm=8.1205."
        " Time cost=25.91, Throughput=46.31 samples/s ETA=1.06h",
        source="scripts/bert/finetune_squad.py of 2020; question_answering/run_squad.py of 1.x",
    ),
    _PREDICTION,
    Rule(
        name="prediction batch",
        starts=("[batch ",),
        pattern=compile_pattern(rf"\[batch[ ](?P<batch_end>{INT})\],[ ]++{FIELDS}{_END}"),
        build=_VALIDATION_WINDOW,
        example="[batch 10], Time cost=6.14, Throughput=156.35 samples/s, ETA=0.02h",
        source="scripts/question_answering/run_squad.py of 1.x, evaluate",
    ),
    _ANSWERS,
    Rule(
        name="pretraining step",
        starts=("[step ",),
        pattern=compile_pattern(rf"\[step[ ](?P<batch_end>{INT})\],?[ \t]++{FIELDS}{_END}"),
        build=_WINDOW,
        example="[step 99]\tmlm_loss=7.84120\tmlm_acc=5.06311\tnsp_loss=0.69277\tnsp_acc=52.106"
        "\tthroughput=88.6K tks/s\tlr=0.0000099 time=18.52, latency=185.2 ms/batch",
        source="scripts/bert/pretraining_utils.py, log; run_pretraining.py; pretraining of 1.x",
    ),
    Rule(
        name="pretraining evaluation",
        starts=("mlm_loss=",),
        # Behind a tab it is the rest of a step's line.
        pattern=compile_pattern(rf"(?<!\t)(?=mlm_loss=){FIELDS}{_END}"),
        build=_VALIDATION,
        example="mlm_loss=2.104\tmlm_acc=60.3\tnsp_loss=0.131\tnsp_acc=95.2",
        source="scripts/bert/pretraining_utils.py, evaluate",
    ),
    Rule(
        name="pretraining checkpoint",
        starts=("[step ",),
        pattern=compile_pattern(rf"\[step[ ]{INT}\][ ]Saving[ ](?:checkpoints|model)[^\t\r\n]++"),
        build=event("checkpoint"),
        example="[step 499] Saving checkpoints to ckpt/0000499.params, ckpt/0000499.states.",
        source="scripts/bert/pretraining_utils.py, save_params",
    ),
    Rule(
        name="loss scale",
        starts=("overflow detected. set loss_scale = ",),
        pattern=compile_pattern(
            rf"overflow[ ]detected\.[ ]set[ ](?P<metric>loss_scale)[ ]=[ ](?P<value>{FLOAT}){_END}"
        ),
        build=building.report(),
        example="overflow detected. set loss_scale = 16384.0",
        source="scripts/bert/fp16_utils.py, DynamicLossScaler",
    ),
    Rule(
        name="time of the pretraining",
        starts=("Train cost=",),
        pattern=compile_pattern(rf"Train[ ]cost=(?P<value>{FLOAT})[ ]?s{_END}"),
        build=event("end"),
        example="Train cost=7214.6s",
        source="scripts/bert/run_pretraining.py, train",
    ),
)
