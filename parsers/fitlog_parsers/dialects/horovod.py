"""The MXNet examples of Horovod: training on many GPUs, of which each logs its rank.

A rank logs its own metrics, rank 0 the speed of all together. With `--mode module` they write the
lines of `Module.fit` for the rest.
"""

from __future__ import annotations

import re
from typing import Final

from fitlog_parsers.building import report
from fitlog_parsers.dialects.gluon import BATCH
from fitlog_parsers.dialects.module import SPEED, START_WITH_ARGUMENTS
from fitlog_parsers.grammar import FIELD_END, FLOAT, INT, NAME, Dialect, Rule, compile_pattern
from fitlog_parsers.records import Split

_RANK = rf"Epoch\[(?P<epoch>{INT})\][ ]Rank\[(?P<node>{INT})\]"
_FIELDS = rf"(?P<fields>(?:\t++{NAME}={FLOAT}{FIELD_END})++)"
_SPLIT_FIELDS = compile_pattern(rf"\t++(?P<metric>{NAME})=(?P<value>{FLOAT}){FIELD_END}")
_SIX_DECIMALS = re.compile(r"(?:\.[0-9]{6}|[^0-9.])$")
_SPLITS: Final[dict[str, Split]] = {
    "Train-": "train",
    "Validation-": "validation",
    "Train: ": "train",
    "Validation: ": "validation",
}

HOROVOD = Dialect(
    name="horovod",
    about="Horovod's examples for MXNet",
    rules=(
        START_WITH_ARGUMENTS,
        SPEED,
        Rule(
            name="training of an epoch by rank",
            starts=("Epoch[",),
            pattern=compile_pattern(
                rf"{_RANK}[ ]Batch\[{INT}\]\t++Time[ ]cost=(?P<seconds>{FLOAT}){_FIELDS}"
            ),
            build=report(scope="epoch", fields=_SPLIT_FIELDS, prefixes=_SPLITS),
            example="Epoch[0] Rank[1] Batch[240]\tTime cost=61.37\tTrain-accuracy=0.183724",
            source="horovod, examples/mxnet/mxnet_imagenet_resnet50.py, train_gluon",
            ending=_SIX_DECIMALS,
        ),
        Rule(
            name="batch by rank",
            starts=("Epoch[",),
            pattern=compile_pattern(rf"{_RANK}[ ]Batch\[(?P<batch_end>{INT})\]{_FIELDS}"),
            build=report(scope="running", fields=_SPLIT_FIELDS),
            example="Epoch[0] Rank[1] Batch[80]\taccuracy=0.064583\tlr=0.100000",
            source="horovod, examples/mxnet/mxnet_imagenet_resnet50.py, train_gluon",
            ending=_SIX_DECIMALS,
        ),
        Rule(
            name="validation by rank",
            starts=("Epoch[",),
            pattern=compile_pattern(rf"{_RANK}(?=\t++Validation-){_FIELDS}"),
            build=report(scope="epoch", fields=_SPLIT_FIELDS, prefixes=_SPLITS),
            example="Epoch[0] Rank[1]\tValidation-accuracy=0.211406\t"
            "Validation-top_k_accuracy_5=0.438180",
            source="horovod, examples/mxnet/mxnet_imagenet_resnet50.py, evaluate",
            ending=_SIX_DECIMALS,
        ),
        Rule(
            name="validation of a module by rank",
            starts=("Epoch[",),
            pattern=compile_pattern(
                rf"{_RANK}[ ]Validation-(?P<metric>{NAME})=(?P<value>{FLOAT}){FIELD_END}"
            ),
            build=report(split="validation", scope="epoch"),
            example="Epoch[1] Rank[0] Validation-accuracy=0.304217",
            source="horovod, examples/mxnet/mxnet_imagenet_resnet50.py, train_module",
            ending=_SIX_DECIMALS,
        ),
        Rule(
            name="speed of an epoch",
            starts=("Epoch[",),
            pattern=compile_pattern(
                rf"""Epoch\[(?P<epoch>{INT})\]\t++Speed(?::[ ]|=)(?P<samples_per_sec>{FLOAT})
                [ ]samples/s(?:ec)?(?:\t++Time[ ]cost=(?P<seconds>{FLOAT}))?{FIELD_END}"""
            ),
            build=report(),
            example="Epoch[0]\tSpeed=18274.55 samples/s\tTime cost=3.283264",
            source="horovod, examples/mxnet/mxnet_mnist.py; mxnet_imagenet_resnet50.py",
            ending=_SIX_DECIMALS,
        ),
        Rule(
            name="epoch",
            starts=("Epoch[",),
            pattern=compile_pattern(
                rf"Epoch\[(?P<epoch>{INT})\](?=\t++(?:Train|Validation):[ ]){_FIELDS}"
            ),
            build=report(scope="epoch", fields=_SPLIT_FIELDS, prefixes=_SPLITS),
            example="Epoch[0]\tTrain: accuracy=0.931517\tValidation: accuracy=0.970252",
            source="horovod, examples/mxnet/mxnet_mnist.py",
            ending=_SIX_DECIMALS,
        ),
        BATCH,
    ),
)
