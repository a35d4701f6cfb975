"""Training loops written by hand over Gluon: MXNet's example/gluon and what was made from it.

There is no `fit`, so each script writes lines of its own, most in one style: `%f` for every number,
so six decimals where Speedometer has two, and several metrics on a line behind commas, tabs or
blanks. `metric.get()` is called without a reset in between: what a batch's line states is the mean
since the epoch began.
"""

from __future__ import annotations

import re
from typing import Final

from fitlog_parsers.building import event, report
from fitlog_parsers.dialects.module import START_WITH_ARGUMENTS
from fitlog_parsers.grammar import FLOAT, INT, Dialect, Rule, compile_pattern
from fitlog_parsers.records import Split

# Where a write was torn, the next record follows, or a comma after the last field that is whole.
END = r"(?=,$|[ \t\r]*+(?:$|Epoch\[|\[Epoch[ ]))"
EPOCH = rf"\[Epoch[ ](?P<epoch>{INT})\]"
# A script counts its epochs in a sentence, too; digits keep its start apart from other prose.
EPOCH_STARTS: Final = tuple(f"Epoch {digit}" for digit in range(10))
SIX_DECIMALS = re.compile(r"(?:\.[0-9]{6}|[^0-9.])$")

_NAME = r"[^\s=:,][^=:,\t\r\n]{0,200}+"
FIELDS = rf"(?P<fields>{_NAME}={FLOAT}(?:(?:,[ ]?|\t[ ]*+|[ ]){_NAME}={FLOAT})*+)"
SPLIT_FIELDS = compile_pattern(rf"(?P<metric>{_NAME})=(?P<value>{FLOAT})(?=[,\s]|$)[,\s]*+")

# What tells the split in a sentence: `Train_acc 0.9`, `test acc 0.9`, `Val loss 0.4`.
_WORDS: Final[dict[str, Split]] = {
    "training": "train",
    "train": "train",
    "test": "validation",
    "validation": "validation",
    "valid": "validation",
    "val": "validation",
}
SENTENCE_PREFIXES: Final[dict[str, Split]] = {
    f"{spelt}{blank}": split
    for word, split in _WORDS.items()
    for spelt in (word, word.capitalize())
    for blank in (" ", "_", "-")
}
_SPLIT_WORD = rf"(?:{'|'.join(f'[{word[0].upper()}{word[0]}]{word[1:]}' for word in _WORDS)})"
_SAID = rf"(?:{_SPLIT_WORD}[ _-][A-Za-z][A-Za-z0-9_]*+|[Ll]oss)"
_SENTENCE = rf"(?P<fields>{_SAID}[ ]?:?[ ]{FLOAT}(?:,?[ ]{_SAID}[ ]?:?[ ]{FLOAT})*+)"
_SPLIT_SENTENCE = compile_pattern(rf"(?P<metric>{_SAID})[ ]?:?[ ](?P<value>{FLOAT})")

_SAMPLES = r"[ ]samples/s(?:ec)?(?![a-z])"
# What stands before a line below another: a logger's name, a level, a time.
LOGGER = r"[^\r\n]{0,120}?\b"
_GAN_FIELD = rf"[A-Za-z][A-Za-z ]{{1,60}}?[ ]=[ ]{FLOAT}"

SPEED = Rule(
    name="speed with six decimals",
    starts=("Epoch[", "Epoch ["),
    pattern=compile_pattern(
        rf"""Epoch[ ]?\[(?P<epoch>{INT})\][ ]Batch[ ]?\[(?P<batch_end>{INT})\](?:/\[{INT}\])?
        (?:,[ ]|[ \t]++)Speed:[ ]*+(?P<samples_per_sec>{FLOAT}){_SAMPLES}
        (?:(?:,[ ]|\t[ ]*+|[ ]){FIELDS})?{END}"""
    ),
    build=report(scope="running", fields=SPLIT_FIELDS),
    example="Epoch[0] Batch [49]\tSpeed: 612.843914 samples/sec\taccuracy=0.411250, f1=0.391604",
    source="example/gluon/image_classification.py, train; GluonCV's train_imagenet.py",
    ending=SIX_DECIMALS,
)

TRAINING = Rule(
    name="training of an epoch",
    starts=("[Epoch ",),
    pattern=compile_pattern(rf"{EPOCH}[ ][tT]raining:?[ ]{FIELDS}{END}"),
    build=report(scope="epoch", fields=SPLIT_FIELDS),
    example="[Epoch 0] training: accuracy=0.534180, top_k_accuracy_5=0.921400",
    source="example/gluon/image_classification.py, train; mnist.py; embedding_learning/train.py",
    ending=SIX_DECIMALS,
)

VALIDATION = Rule(
    name="validation of an epoch",
    starts=("[Epoch ",),
    pattern=compile_pattern(rf"{EPOCH}[ ][vV]alidation:[ ]{FIELDS}{END}"),
    build=report(split="validation", scope="epoch", fields=SPLIT_FIELDS),
    example="[Epoch 0] validation: accuracy=0.587300, top_k_accuracy_5=0.944800",
    source="example/gluon/image_classification.py, train; GluonCV's train_imagenet.py",
    ending=SIX_DECIMALS,
)

BATCH = Rule(
    name="batch",
    starts=("[Epoch ",),
    pattern=compile_pattern(
        rf"""\[Epoch[ ](?P<epoch>{INT})[ ]Batch[ ](?P<batch_end>{INT})\][ ]
        (?:speed:[ ](?P<samples_per_sec>{FLOAT}){_SAMPLES},[ ])?
        [tT]raining:[ ]{FIELDS}{END}"""
    ),
    build=report(scope="running", fields=SPLIT_FIELDS),
    example="[Epoch 0 Batch 49] speed: 604.112875 samples/s, training: accuracy=0.402500",
    source="example/gluon/image_classification.py of 2017, train; mnist.py",
    ending=SIX_DECIMALS,
)

LOSS_SCALE = Rule(
    name="loss scale",
    starts=("AMP: increasing loss scale to ", "AMP: decreasing loss scale to "),
    pattern=compile_pattern(
        rf"AMP:[ ](?:in|de)creasing[ ](?P<metric>loss[ ]scale)[ ]to[ ](?P<value>{FLOAT}){END}"
    ),
    build=report(),
    example="AMP: decreasing loss scale to 32768.000000",
    source="contrib/amp/loss_scaler.py, LossScaler.update_scale",
    ending=SIX_DECIMALS,
)

GLUON = Dialect(
    name="gluon",
    about="training loops over Gluon: example/gluon and scripts made from it",
    rules=(
        START_WITH_ARGUMENTS,
        SPEED,
        TRAINING,
        VALIDATION,
        Rule(
            name="time cost of an epoch",
            starts=("[Epoch ",),
            pattern=compile_pattern(rf"{EPOCH}[ ][tT]ime[ ]cost:[ ](?P<seconds>{FLOAT})s?{END}"),
            build=report(),
            example="[Epoch 0] time cost: 81.640219",
            source="example/gluon/image_classification.py, train",
            ending=SIX_DECIMALS,
        ),
        BATCH,
        Rule(
            name="iteration",
            starts=("[Epoch ",),
            pattern=compile_pattern(
                rf"""\[Epoch[ ](?P<epoch>{INT}),[ ]Iter[ ](?P<batch_end>{INT})\]
                [ ]training[ ]{FIELDS}{END}"""
            ),
            # It subtracts what its last line had summed up.
            build=report(fields=SPLIT_FIELDS),
            example="[Epoch 0, Iter 20] training loss=4.817302",
            source="example/gluon/embedding_learning/train.py, train",
            ending=SIX_DECIMALS,
        ),
        Rule(
            name="learning rate",
            starts=EPOCH_STARTS,
            pattern=compile_pattern(
                rf"""Epoch[ ](?P<epoch>{INT})[ ](?:beta[ ])?learning[ ]rate=
                (?P<value>{FLOAT}){END}"""
            ),
            build=event("lr"),
            example="Epoch 0 learning rate=0.000100",
            source="example/gluon/embedding_learning/train.py, train",
            ending=SIX_DECIMALS,
        ),
        Rule(
            name="sentence",
            starts=EPOCH_STARTS,
            pattern=compile_pattern(
                rf"""Epoch[ ](?P<epoch>{INT})[.:,][ ]{_SENTENCE}
                (?:,[ ][Tt]ime[ ](?:(?P<clock>[0-9]++:[0-9]{{2}}:[0-9]{{2}})|
                (?P<seconds>{FLOAT})(?:[ ]?s(?:ec)?)?))?
                (?:,[ ]lr[ ](?P<lr>{FLOAT}))?{END}"""
            ),
            build=report(scope="epoch", fields=_SPLIT_SENTENCE, prefixes=SENTENCE_PREFIXES),
            example="Epoch 0. Loss: 0.48213, Train_acc 0.8513, Test_acc 0.8477",
            source="tutorials of Gluon; distributed_training/cifar10_dist.py; GluonCV's re-id",
        ),
        Rule(
            name="training at an epoch",
            starts=("training acc at epoch ", "training mse at epoch ", "binary training acc at "),
            pattern=compile_pattern(
                rf"""(?:binary[ ])?training[ ](?:acc|mse)[ ]at[ ]epoch[ ](?P<epoch>{INT}):
                [ ]{FIELDS}{END}"""
            ),
            build=report(scope="epoch", fields=SPLIT_FIELDS),
            example="training acc at epoch 0: pearsonr=0.714036",
            source="example/gluon/tree_lstm/main.py; super_resolution.py; dc_gan/dcgan.py",
            ending=SIX_DECIMALS,
            stays=True,
            opens=(
                Rule(
                    name="validation below",
                    pattern=compile_pattern(rf"{LOGGER}validation[ ]acc:[ ]{FIELDS}{END}"),
                    build=report(split="validation", scope="epoch", fields=SPLIT_FIELDS),
                    example="validation acc: pearsonr=0.731920",
                    source="example/gluon/tree_lstm/main.py, test",
                ),
                Rule(
                    name="test below",
                    pattern=compile_pattern(
                        rf"{LOGGER}(?P<metric>test[ ]acc:[ ]{_NAME})=(?P<value>{FLOAT}){END}"
                    ),
                    build=report(scope="epoch", prefixes={"test acc: ": "validation"}),
                    example="test acc: pearsonr=0.725581",
                    source="example/gluon/tree_lstm/main.py, test",
                ),
                Rule(
                    name="validation psnr below",
                    pattern=compile_pattern(
                        rf"{LOGGER}validation[ ](?P<metric>avg[ ]psnr):[ ](?P<value>{FLOAT}){END}"
                    ),
                    build=report(split="validation", scope="epoch"),
                    example="validation avg psnr: 24.381257",
                    source="example/gluon/super_resolution/super_resolution.py, test",
                ),
                Rule(
                    name="time below",
                    pattern=compile_pattern(rf"{LOGGER}time:[ ](?P<seconds>{FLOAT}){END}"),
                    build=report(),
                    example="time: 96.482013",
                    source="example/gluon/dc_gan/dcgan.py, main",
                ),
            ),
        ),
        Rule(
            name="adversarial losses",
            starts=("discriminator loss = ", "Discriminator Loss = "),
            pattern=compile_pattern(
                rf"""(?P<fields>{_GAN_FIELD}(?:,[ ]++{_GAN_FIELD})*+)
                [ ]at[ ]iter[ ](?P<batch_end>{INT})[ ]epoch[ ](?P<epoch>{INT}){END}"""
            ),
            build=report(
                fields=compile_pattern(
                    rf"(?P<metric>[A-Za-z][A-Za-z ]*?)[ ]=[ ](?P<value>{FLOAT})"
                ),
                scopes={"binary training acc": "running"},
            ),
            example="discriminator loss = 0.312608, generator loss = 3.150922,"
            " binary training acc = 0.882812 at iter 40 epoch 0",
            source="example/gluon/dc_gan/dcgan.py, main; sn_gan/train.py",
        ),
        Rule(
            name="speed without epoch",
            starts=("speed: ",),
            pattern=compile_pattern(rf"speed:[ ](?P<samples_per_sec>{FLOAT}){_SAMPLES}{END}"),
            build=report(),
            example="speed: 1184.2093311 samples/s",
            source="example/gluon/dc_gan/dcgan.py of 2017, main",
        ),
        LOSS_SCALE,
    ),
)
