"""The lines of GluonCV's detection and instance segmentation: SSD, YOLO, RCNN, CenterNet.

After `[Epoch 3] Validation: ` the value of each class stands on a line of its own; the COCO metrics
print pycocotools' table there. YOLO never resets its losses, so that its means are over the whole
training, not the epoch.
"""

from __future__ import annotations

import re
from functools import partial

from fitlog_parsers.building import event, nothing, report
from fitlog_parsers.dialects.gluon import END, EPOCH, FIELDS, SPLIT_FIELDS
from fitlog_parsers.grammar import FLOAT, INT, Rule, compile_pattern
from fitlog_parsers.records import Metric, Record

_SOURCE = "GluonCV, scripts/detection and scripts/instance, train"
_LINE_END = r"[ \t\r]*+$"
THREE_DECIMALS = re.compile(r"(?:\.[0-9]{3}|[^0-9.])$")

# pycocotools, cocoeval.py, COCOeval.summarize: blanks fill each part to a width.
_COCO = rf"""Average[ ](?:Precision|Recall)[ ]++\((?P<name>AP|AR)\)[ ]@\[[ ]
    IoU=(?P<iou>[0-9.:]++)[ ]*+\|[ ]area=[ ]*+(?P<area>\w++)[ ]\|
    [ ]maxDets=[ ]*+(?P<max_dets>{INT})[ ]\][ ]=[ ](?P<value>{FLOAT})"""


def _coco(match: re.Match[str], *, kind: str) -> tuple[Record, ...]:
    place = f"IoU={match['iou']}|area={match['area']}|maxDets={match['max_dets']}"
    return _value(match, name=f"{kind} {match['name']}[{place}]".lstrip())


def _value(match: re.Match[str], *, name: str) -> tuple[Record, ...]:
    value = float(match["value"])
    return (Metric(epoch=None, split="validation", scope="epoch", metric=name, value=value),)


def _summary(kind: str, *, then: tuple[Rule, ...] = ()) -> Rule:
    """The heading of a COCO table, and below it the table, the classes, the mean, and `then`."""
    title, mean = (
        (f"{kind} metrics", f"Mean AP for {kind}")
        if kind
        else ("metrics", "MeanAP @ IoU=[0.50,0.95]")
    )
    mean_pattern = rf"Mean[ ]AP[ ]for[ ]{kind}" if kind else r"MeanAP[ ]@[ ]IoU=\[[^\]]++\]"
    table = Rule(
        name=f"row of the {title}",
        pattern=compile_pattern(rf"[= ]?{_COCO}{_LINE_END}"),
        build=partial(_coco, kind=kind),
        example="=Average Precision  (AP) @[ IoU=0.50:0.95 | area=   all | maxDets=100 ] = 0.31764",
        source="pycocotools, COCOeval.summarize; GluonCV, COCODetectionMetric.get",
    )
    value = Rule(
        name=f"value of {mean}",
        pattern=compile_pattern(rf"=(?P<value>{FLOAT}){_LINE_END}"),
        build=partial(_value, name=mean.partition(" @")[0]),
        example="=31.8",
        source="GluonCV, COCODetectionMetric.get and COCOInstanceMetric.get",
    )
    below = Rule(
        name=mean,
        pattern=compile_pattern(rf"~~~~[ ]{mean_pattern}[ ]~~~~{_LINE_END}"),
        build=nothing,
        example=f"~~~~ {mean} ~~~~",
        source="GluonCV, COCODetectionMetric.get and COCOInstanceMetric.get",
        opens=(value, *then),
    )
    return Rule(
        name=f"summary of {title}",
        pattern=compile_pattern(rf"~~~~[ ]Summary[ ]{title.replace(' ', '[ ]')}[ ]~~~~{_LINE_END}"),
        build=nothing,
        example=f"~~~~ Summary {title} ~~~~",
        source="GluonCV, COCODetectionMetric.get and COCOInstanceMetric.get",
        opens=(table, _CLASS_VALUE, below),
    )


_CLASS_VALUE = Rule(
    name="value of a class",
    # No bracket and no colon, which a logger's prefix or a record of its own would have.
    pattern=compile_pattern(
        rf"(?P<metric>[^\s=:|\[\]][^=:|\[\]\t\r\n]{{0,80}}+)=(?P<value>{FLOAT}){_LINE_END}"
    ),
    build=report(split="validation", scope="epoch"),
    example="pottedplant=0.4127093315",
    source="GluonCV, VOCMApMetric.get and COCODetectionMetric.get",
)

DETECTION_RULES = (
    Rule(
        name="detection batch",
        starts=("[Epoch ",),
        pattern=compile_pattern(
            rf"""{EPOCH}\[Batch[ ](?P<batch_end>{INT})\],?[ ](?:LR:[ ](?P<lr>{FLOAT}),[ ])?
            Speed:[ ](?P<samples_per_sec>{FLOAT})[ ]samples/sec(?:,[ ]{FIELDS})?{END}"""
        ),
        build=report(scope="running", fields=SPLIT_FIELDS),
        example="[Epoch 0][Batch 99], Speed: 41.207 samples/sec, ObjLoss=6.118, ClassLoss=2.904",
        source=_SOURCE,
        ending=THREE_DECIMALS,
    ),
    Rule(
        name="detection epoch",
        starts=("[Epoch ",),
        pattern=compile_pattern(
            rf"{EPOCH}[ ]Training[ ]cost:[ ](?P<seconds>{FLOAT})(?:,[ ]{FIELDS})?{END}"
        ),
        build=report(scope="epoch", fields=SPLIT_FIELDS),
        example="[Epoch 0] Training cost: 402.518, CrossEntropy=4.770, SmoothL1=2.251",
        source=_SOURCE,
        ending=THREE_DECIMALS,
    ),
    Rule(
        name="detection validation",
        starts=("[Epoch ",),
        pattern=compile_pattern(rf"{EPOCH}[ ]Validation:{_LINE_END}"),
        build=nothing,
        example="[Epoch 0] Validation: ",
        source=_SOURCE,
        opens=(_CLASS_VALUE, _summary("bbox", then=(_summary("segm"),)), _summary("")),
    ),
    Rule(
        name="validation inference",
        starts=("[Epoch ",),
        pattern=compile_pattern(
            rf"{EPOCH}[ ]Validation[ ](?P<metric>Inference[ ]cost):[ ](?P<value>{FLOAT}){END}"
        ),
        build=report(split="validation", scope="epoch"),
        example="[Epoch 0] Validation Inference cost: 21.684",
        source="GluonCV, scripts/instance/mask_rcnn/train_mask_rcnn.py with Horovod, validate",
        ending=THREE_DECIMALS,
    ),
    Rule(
        name="set learning rate",
        starts=("[Epoch ",),
        pattern=compile_pattern(
            rf"""\[Epoch[ ](?P<epoch>{INT})(?:[ ]Iteration[ ]{INT})?\]
            [ ]Set[ ]learning[ ]rate[ ]to[ ](?P<value>{FLOAT}){END}"""
        ),
        build=event("lr"),
        example="[Epoch 0 Iteration 100] Set learning rate to 0.00042",
        source=_SOURCE,
    ),
    Rule(
        name="start from an epoch",
        starts=("Start training from [Epoch ",),
        pattern=compile_pattern(rf"Start[ ]training[ ]from[ ]{EPOCH}"),
        build=event("start"),
        example="Start training from [Epoch 0]",
        source=_SOURCE,
    ),
    Rule(
        name="saved parameters",
        starts=("[Epoch ",),
        pattern=compile_pattern(
            rf"""{EPOCH}[ ](?:mAP[ ]{FLOAT}[ ]higher[ ]than[ ]current[ ]best[ ]\[?{FLOAT}\]?[ ]
            saving[ ]to|Saving[ ]parameters[ ]to)[ ][^\s]++"""
        ),
        build=event("checkpoint"),
        example="[Epoch 0] mAP 0.4183 higher than current best [0] saving to ssd_512_best.params",
        source="GluonCV, scripts/detection and scripts/instance, save_params",
    ),
    Rule(
        name="row of a COCO table",
        starts=("Average Precision  (AP) @[ ", "Average Recall     (AR) @[ "),
        pattern=compile_pattern(rf"{_COCO}{_LINE_END}"),
        build=partial(_coco, kind=""),
        example="Average Recall     (AR) @[ IoU=0.50:0.95 | area= large | maxDets=100 ] = 0.558",
        source="pycocotools, COCOeval.summarize; GluonCV, scripts/pose, validate.py",
        ending=re.compile(r"\.[0-9]{3,}$"),
    ),
    Rule(
        name="time of the training",
        starts=("Total Training ",),
        pattern=compile_pattern(
            rf"""Total[ ]Training(?:[ ][tT]ime)?(?:[ ]with[ ]validation)?:?[ ]
            (?P<seconds>{FLOAT})[ ]secs?"""
        ),
        build=report(),
        example="Total Training with validation: 1874.213350772858 secs",
        source="GluonCV, scripts/instance/mask_rcnn/train_mask_rcnn.py with Horovod",
    ),
)
