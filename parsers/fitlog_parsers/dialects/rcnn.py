"""The Faster R-CNN family: MX-RCNN and what grew out of it (Deformable-ConvNets, SimpleDet, ...).

Their Speedometers write `Train-` before the first metric alone and a comma behind each, and newer
ones the progress, the learning rate or the time to go before the metrics. The times that some
print of a batch's phases are left out. The metrics are never reset within an epoch. All the rest is
what Module writes.
"""

from __future__ import annotations

from fitlog_parsers.building import event, report
from fitlog_parsers.dialects.module import (
    CHECKPOINT,
    EPOCH_METRIC,
    LR_CHANGE,
    SPEED_WITHOUT_METRIC,
    START_WITH_ARGUMENTS,
    TIME_COST,
)
from fitlog_parsers.grammar import FLOAT, INT, Dialect, Rule, compile_pattern

_NAME = r"[^\s=,]{1,200}+"
_COMMA = r"(?:,|(?=[ \t\r]*+$))"
_FIELDS = rf"(?P<fields>(?:\s++{_NAME}={FLOAT}{_COMMA})++)[ \t]*+"
# One metric and no comma is what Module wrote up to 0.9.
_TRAIN_FIELDS = rf"(?=\s++Train-{_NAME}={FLOAT},){_FIELDS}"
_BATCH = rf"Epoch\[(?P<epoch>{INT})\][ ]Batch[ ]\[(?P<batch_end>{INT})\]"
# Before the first batch of an epoch is timed, one of them prints a dash.
_SPEED = rf"Speed:[ ](?:(?P<samples_per_sec>{FLOAT})|-)[ ]samples/s(?:ec)?+"
_CLOCK = r"(?:-?[0-9]++[ ]days?+,[ ])?[0-9:]++\([0-9]++s\)"
_PARTS = r"[-0-9]++[ ]d[ ]++[-0-9]++[ ]h[ ]++[-0-9]++[ ]m"
_TO_GO = rf"(?:[ \t]++ETA:[ ](?:{_CLOCK}|{_PARTS})|\s++Time:[ ]\[[^\]\r]{{1,40}}+\])?+"
_PHASES = rf"(?:\s++(?:Data|Tran|[FBOM]):[ ]{FLOAT})*+"
_SECONDS = rf"{FLOAT}\({FLOAT}\)"

_SPLIT = compile_pattern(rf"(?P<metric>{_NAME})=(?P<value>{FLOAT})")
_running = report(scope="running", fields=_SPLIT, prefixes={"Train-": "train"})

SPEED_WITH_COMMAS = Rule(
    name="speed with commas",
    starts=("Epoch[",),
    pattern=compile_pattern(rf"{_BATCH}\s++{_SPEED}{_TO_GO}{_PHASES}{_TRAIN_FIELDS}"),
    build=_running,
    example="Epoch[0] Batch [20]\tSpeed: 1.59 samples/sec\tTrain-RPNAcc=0.931193,\tRPNL1Loss=0.16,",
    source="example/rcnn, core/callback.py, Speedometer.__call__; its copies",
    opens=(
        Rule(
            name="metrics of both stages",
            pattern=compile_pattern(rf"\t{{3}}(?=\s*+Train-){_FIELDS}"),
            build=_running,
            example="\t\t\t\t\t\t\tTrain-RCNNAcc=0.81,\tRCNNLogLoss=0.74,\tRCNNL1Loss=0.35",
            source="example/rcnn of 2016, callback.py, Speedometer.__call__ with END2END",
        ),
    ),
)

RCNN = Dialect(
    name="rcnn",
    about="MX-RCNN, Deformable-ConvNets, SimpleDet and their relatives",
    rules=(
        SPEED_WITH_COMMAS,
        Rule(
            name="speed with iterations",
            starts=("Epoch[",),
            pattern=compile_pattern(
                rf"""{_BATCH}\s++Iter:[ ]{INT}/{INT}\s++Lr:[ ](?P<lr>{FLOAT})\s++{_SPEED}{_TO_GO}
                {_FIELDS}"""
            ),
            build=_running,
            example="Epoch[5] Batch [490]\tIter: 2990/3000\tLr: 0.00250\tSpeed: 5.04 samples/sec"
            "\tTrain-RpnAcc=0.976214,\tRcnnL1=0.301250,\t",
            source="SimpleDet, core/callback.py, Speedometer.__call__",
        ),
        Rule(
            name="speed in detail",
            starts=("Epoch[",),
            pattern=compile_pattern(
                rf"""Epoch\[(?P<epoch>{INT})\][ ]Rank\[(?P<node>{INT})\]
                [ ]Batch\[(?P<batch_end>{INT})\][ ]TotalIter\[{INT}\]
                [ ]Train:{_SECONDS}(?:\s++[a-z_]{{1,40}}+:{_SECONDS})*+
                \s++{_SPEED}(?:{_FIELDS})?+"""
            ),
            build=_running,
            example="Epoch[1] Rank[3] Batch[40] TotalIter[2040] Train:0.412(0.420)"
            "\tkv_sync:0.031(0.033)\tdata:0.002(0.004)\titer_total_time:0.446(0.458)"
            "\tSpeed: 4.48 samples/sec\tTrain-RpnAcc=0.954102,\t",
            source="SimpleDet, core/callback.py, DetailSpeedometer.__call__",
        ),
        EPOCH_METRIC,
        TIME_COST,
        SPEED_WITHOUT_METRIC,
        CHECKPOINT,
        LR_CHANGE,
        START_WITH_ARGUMENTS,
        Rule(
            name="arguments in a tuple",
            starts=("('Called with argument:', Namespace(",),
            # What Python 2's print makes of two arguments.
            pattern=compile_pattern(
                r"\('Called[ ]with[ ]argument:',[ ](?P<text>Namespace\(.*\))\)[ \t\r]*+$"
            ),
            build=event("start"),
            example="('Called with argument:', Namespace(cfg='resnet_v1_101.yaml', frequent=100))",
            source="Deformable-ConvNets, experiments/*/train_end2end.py, train_net",
        ),
        Rule(
            name="average precision",
            starts=("AP for ", "Mean AP"),
            ahead=r"(?:[\w -]{1,60}|(?:@[0-9.]{1,9})?+) = ",
            pattern=compile_pattern(
                rf"(?P<metric>AP[ ]for[ ][\w -]{{1,60}}?|Mean[ ]AP(?:@[0-9.]{{1,9}}+)?+)"
                rf"[ ]=[ ](?P<value>{FLOAT})(?=\s|$)"
            ),
            build=report(split="validation", scope="epoch"),
            example="Mean AP@0.5 = 0.7031",
            source="example/rcnn, dataset/pascal_voc.py, do_python_eval",
        ),
    ),
)
