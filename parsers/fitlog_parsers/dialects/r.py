"""MXNet's R package: `mx.model.FeedForward.create`, its callbacks, and the older `train.rnn`.

Fields are parted by blanks, batches name no epoch, epochs begin at 1, and numbers have up to
fifteen digits. The metrics are never reset within an epoch. What R prints a document often quotes
behind `## `.
"""

from __future__ import annotations

from typing import Final

from fitlog_parsers.building import event, report
from fitlog_parsers.dialects.module import START_ON_DEVICES
from fitlog_parsers.grammar import FLOAT, INT, NAME, Dialect, Rule, compile_pattern
from fitlog_parsers.records import Split

_END = r"(?=\s|$)"
_SPLITS: Final[dict[str, Split]] = {"Train-": "train", "Validation-": "validation"}
_METRIC = rf"(?P<metric>(?:Train|Validation)-{NAME})=(?P<value>{FLOAT}){_END}"
# Behind `] ` it is the rest of another writer's line.
_BATCH = rf"(?<!\][ ])Batch[ ]\[(?P<batch_end>{INT})\][ ]"
_NLL = rf"(?P<fields>NLL={FLOAT},[ ]Perp={FLOAT}){_END}"

_SPLIT = compile_pattern(rf"(?P<metric>NLL|Perp)=(?P<value>{FLOAT})")

R = Dialect(
    name="r",
    about="the R package",
    rules=(
        START_ON_DEVICES,
        Rule(
            name="epoch metric",
            starts=("[",),
            ahead=r"[0-9]++\] (?:Train|Validation)-",
            # Behind a word it is the epoch of another writer's line.
            pattern=compile_pattern(rf"(?<!\w)(?<!\w[ ])\[(?P<epoch>{INT})\][ ]{_METRIC}"),
            build=report(scope="epoch", prefixes=_SPLITS),
            example="[1] Train-accuracy=0.859832935560859",
            source="R-package, model.R, mx.model.train; model.rnn.R, mx.model.train.buckets",
        ),
        Rule(
            name="batch speed",
            starts=("Batch [",),
            pattern=compile_pattern(
                rf"{_BATCH}Speed:[ ](?P<samples_per_sec>{FLOAT})[ ]samples/sec[ ]{_METRIC}"
            ),
            build=report(scope="running", prefixes=_SPLITS),
            example="Batch [100] Speed: 15413.0104454713 samples/sec Train-accuracy=0.9519",
            source="R-package, callback.R, mx.callback.log.speedometer",
        ),
        Rule(
            name="batch metric",
            starts=("Batch [",),
            pattern=compile_pattern(rf"{_BATCH}{_METRIC}"),
            build=report(scope="running", prefixes=_SPLITS),
            example="Batch [100] Train-accuracy=0.6563",
            source="R-package, callback.R, mx.callback.log.train.metric",
        ),
        Rule(
            name="model checkpoint",
            starts=("Model checkpoint saved to ",),
            pattern=compile_pattern(r"Model[ ]checkpoint[ ]saved[ ]to[ ][^\r]{1,500}?\.params"),
            build=event("checkpoint"),
            example="Model checkpoint saved to boston-0001.params",
            source="R-package, callback.R, mx.callback.save.checkpoint",
        ),
        Rule(
            name="lr is changed",
            starts=("Update[",),
            pattern=compile_pattern(
                rf"""Update\[[ ]?{INT}[ ]?\]:[ ](?:learning[ ]rate[ ]is[ ]changed[ ]to|
                now[ ]learning[ ]rate[ ]arrived[ ]at)[ ](?P<value>{FLOAT})
                (?:[ ]?+will[ ]not[ ]change[ ]in[ ]the[ ]future|[ ]\\n")?+"""
            ),
            build=event("lr"),
            example="Update[1001]: learning rate is changed to 0.05",
            source="R-package, lr_scheduler.R, FactorScheduler and MultiFactorScheduler",
        ),
        Rule(
            name="early stop",
            starts=("Best score=",),
            # The best epoch lies behind the one that ended: not where the log stands.
            pattern=compile_pattern(rf"Best[ ]score=(?P<value>{FLOAT}),[ ]iteration[ ]\[{INT}\]"),
            build=event("early_stop"),
            example="Best score=8.25927979725672, iteration [9]",
            source="R-package, callback.R, mx.callback.early.stop",
        ),
        Rule(
            name="rnn updates",
            starts=("Epoch [",),
            ahead=r"[0-9]++\] Train: NLL=",
            # What it calls an epoch counts the updates since training began.
            pattern=compile_pattern(rf"Epoch[ ]\[(?P<batch_end>{INT})\][ ]Train:[ ]{_NLL}"),
            build=report(scope="running", fields=_SPLIT),
            example="Epoch [31] Train: NLL=3.4876, Perp=32.7073",
            source="R-package, rnn_model.R, train.rnn; lstm.R, train.lstm",
        ),
        Rule(
            name="rnn epoch",
            starts=("Iter [",),
            ahead=r"[0-9]++\] Train: Time: ",
            pattern=compile_pattern(
                rf"""Iter[ ]\[(?P<epoch>{INT})\][ ]Train:
                [ ]Time:[ ](?P<seconds>{FLOAT})[ ]sec,[ ]{_NLL}"""
            ),
            build=report(scope="epoch", fields=_SPLIT),
            example="Iter [1] Train: Time: 2.41203498840332 sec, NLL=3.2876, Perp=26.7786",
            source="R-package, rnn_model.R, train.rnn; lstm.R, train.lstm",
        ),
        Rule(
            name="rnn validation",
            starts=("Iter [",),
            ahead=r"[0-9]++\] Val: NLL=",
            pattern=compile_pattern(rf"Iter[ ]\[(?P<epoch>{INT})\][ ]Val:[ ]{_NLL}"),
            build=report(split="validation", scope="epoch", fields=_SPLIT),
            example="Iter [1] Val: NLL=3.0125, Perp=20.3382",
            source="R-package, rnn_model.R, train.rnn; lstm.R, train.lstm",
        ),
    ),
)
