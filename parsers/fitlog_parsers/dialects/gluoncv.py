"""The training scripts and tutorials of GluonCV, for every task that it has.

They share the style of MXNet's Gluon examples and a few of their lines. Segmentation and depth also
draw tqdm bars: each update is a record of its own, and a carriage return away from the next one.
"""

from __future__ import annotations

from fitlog_parsers.building import event, report
from fitlog_parsers.dialects.gluon import (
    END,
    EPOCH,
    EPOCH_STARTS,
    FIELDS,
    LOGGER,
    LOSS_SCALE,
    SENTENCE_PREFIXES,
    SIX_DECIMALS,
    SPEED,
    SPLIT_FIELDS,
    TRAINING,
    VALIDATION,
)
from fitlog_parsers.dialects.gluoncv_detection import DETECTION_RULES, THREE_DECIMALS
from fitlog_parsers.dialects.module import START_WITH_ARGUMENTS
from fitlog_parsers.grammar import FLOAT, INT, Dialect, Rule, compile_pattern

# `training loss 0.532, batch time 0.41`
_LOSS = rf"[A-Za-z][A-Za-z_ ]{{1,60}}?[ ]{FLOAT}"
_LOSSES = rf"(?P<fields>{_LOSS}(?:,[ ]++{_LOSS})*+)"
_SPLIT_LOSSES = compile_pattern(rf"(?P<metric>[A-Za-z][A-Za-z_ ]*?)[ ](?P<value>{FLOAT})(?=,|$)")

# `pixAcc: 0.71, mIoU: 0.43`, and with blanks alone in between.
_SCORE = rf"(?!time:)[A-Za-z][\w-]{{0,60}}+:[ ]{FLOAT}"
_SCORES = rf"(?P<fields>{_SCORE}(?:[,|]?[ ](?:[|][ ])?{_SCORE})*+)"
_SPLIT_SCORES = compile_pattern(rf"(?P<metric>[A-Za-z][\w-]*+):[ ](?P<value>{FLOAT})")

# tqdm: `:  45%|####5     | 5/11 [00:04<00:05,  1.10it/s]`
_BAR = rf":[ ]++{INT}%\|[^|\r\n]*+\|[ ](?P<batch_end>{INT})/{INT}[ ]\[[^\]\r\n]*+\]"

GLUONCV = Dialect(
    name="gluoncv",
    about="GluonCV's training scripts: classification, detection, segmentation, pose, video",
    rules=(
        START_WITH_ARGUMENTS,
        SPEED,
        TRAINING,
        VALIDATION,
        Rule(
            name="speed of an epoch",
            starts=("[Epoch ",),
            pattern=compile_pattern(
                rf"""{EPOCH}[ ]speed:[ ](?P<samples_per_sec>{FLOAT})[ ]samples/sec
                (?:,?[ \t]++time[ ]cost:[ ](?P<seconds>{FLOAT}))?{END}"""
            ),
            build=report(scope="epoch"),
            example="[Epoch 0] speed: 1843 samples/sec\ttime cost: 694.812037",
            source="GluonCV, scripts/classification/imagenet/train_imagenet.py, train",
            ending=SIX_DECIMALS,
            stays=True,
            opens=(
                Rule(
                    name="evaluation so far",
                    pattern=compile_pattern(
                        rf"{LOGGER}Batch[ ]\[(?P<batch_end>{INT})\]/\[{INT}\]:[ ]{FIELDS}{END}"
                    ),
                    build=report(split="validation", scope="running", fields=SPLIT_FIELDS),
                    example="Batch [0019]/[0118]: acc-top1=41.250000 acc-top5=70.312500",
                    source="GluonCV, scripts/action-recognition/train_recognizer.py, test",
                ),
            ),
        ),
        Rule(
            name="epoch of CIFAR",
            starts=("[Epoch ",),
            pattern=compile_pattern(
                rf"""{EPOCH}[ ](?P<fields>train={FLOAT}(?:,?[ ][A-Za-z][\w-]*+={FLOAT})*+)
                (?:,?[ ]lr:[ ](?P<lr>{FLOAT}))?,?[ ]time:[ ](?P<seconds>{FLOAT}){END}"""
            ),
            build=report(scope="epoch", fields=SPLIT_FIELDS, prefixes={"val": "validation"}),
            example="[Epoch 0] train=0.412840 val=0.507300 loss=1.598114 time: 31.207418",
            source="GluonCV, scripts/classification/cifar/train_cifar10.py, train",
            ending=SIX_DECIMALS,
        ),
        Rule(
            name="epoch of transfer learning",
            starts=("[Epoch ",),
            pattern=compile_pattern(
                rf"{EPOCH}[ ](?=Train-){_SCORES}(?:[ ]\|[ ]time:[ ](?P<seconds>{FLOAT}))?{END}"
            ),
            build=report(scope="epoch", fields=_SPLIT_SCORES, prefixes=SENTENCE_PREFIXES),
            example="[Epoch 0] Train-acc: 0.512, loss: 1.804 | Val-acc: 0.603 | time: 52.4",
            source="GluonCV, scripts/classification/finetune/finetune_minc.py, train",
        ),
        Rule(
            name="test of transfer learning",
            starts=("[Finished] Test-",),
            pattern=compile_pattern(rf"\[Finished\][ ]{_SCORES}{END}"),
            build=report(scope="epoch", fields=_SPLIT_SCORES, prefixes=SENTENCE_PREFIXES),
            example="[Finished] Test-acc: 0.617",
            source="GluonCV, scripts/classification/finetune/finetune_minc.py, train",
            ending=THREE_DECIMALS,
        ),
        Rule(
            name="epoch of pose",
            starts=("Epoch[",),
            pattern=compile_pattern(
                rf"""Epoch\[(?P<epoch>{INT})\]\t++Speed:[ ](?P<samples_per_sec>{FLOAT})
                [ ]samples/sec[ ]over[ ](?P<seconds>{FLOAT})[ ]secs(?:\t++{FIELDS})?{END}"""
            ),
            build=report(scope="epoch", fields=SPLIT_FIELDS),
            example="Epoch[0]\t\tSpeed: 914 samples/sec over 163 secs\tloss=0.000841",
            source="GluonCV, scripts/pose/simple_pose/train_simple_pose.py, train",
            ending=SIX_DECIMALS,
        ),
        Rule(
            name="start of a segmentation",
            starts=("Starting Epoch: ",),
            pattern=compile_pattern(rf"Starting[ ]Epoch:[ ](?P<epoch>{INT}){END}"),
            build=event("start"),
            example="Starting Epoch: 0",
            source="GluonCV, scripts/segmentation/train.py",
        ),
        Rule(
            name="iteration of an epoch",
            starts=EPOCH_STARTS,
            pattern=compile_pattern(
                rf"""Epoch[ ](?P<epoch>{INT})[ ]iteration[ ](?P<batch_end>{INT})/{INT}:
                [ ]{_LOSSES}{END}"""
            ),
            build=report(
                scope="running",
                fields=_SPLIT_LOSSES,
                prefixes={"training ": "train"},
                scopes={"batch time": "window"},
            ),
            example="Epoch 0 iteration 0020/0743: training loss 2.918",
            source="GluonCV, scripts/segmentation/train.py; depth/trainer.py; tracking/train.py",
            ending=THREE_DECIMALS,
        ),
        Rule(
            name="scores of an epoch",
            starts=EPOCH_STARTS,
            pattern=compile_pattern(rf"Epoch[ ](?P<epoch>{INT}),?[ ]validation[ ]{_SCORES}{END}"),
            build=report(split="validation", scope="epoch", fields=_SPLIT_SCORES),
            example="Epoch 0 validation pixAcc: 0.684, mIoU: 0.217",
            source="GluonCV, scripts/segmentation/train.py, validation; depth/trainer.py, val",
            ending=THREE_DECIMALS,
        ),
        Rule(
            name="bar of training",
            starts=EPOCH_STARTS,
            pattern=compile_pattern(rf"Epoch[ ](?P<epoch>{INT}),[ ]{_LOSSES}{_BAR}"),
            build=report(scope="running", fields=_SPLIT_LOSSES, prefixes={"training ": "train"}),
            example="Epoch 0, training loss 2.911:   3%|2        | 21/743 [00:19<10:52,  1.11it/s]",
            source="GluonCV, scripts/segmentation/train.py, training",
        ),
        Rule(
            name="bar of validation",
            starts=EPOCH_STARTS,
            pattern=compile_pattern(
                rf"Epoch[ ](?P<epoch>{INT}),[ ](?:validation[ ])?{_SCORES}{_BAR}"
            ),
            build=report(split="validation", scope="running", fields=_SPLIT_SCORES),
            example="Epoch 0, validation pixAcc: 0.671, mIoU: 0.208:"
            "  40%|####      | 36/90 [00:31<00:47,  1.14it/s]",
            source="GluonCV, scripts/segmentation/train.py, validation; depth/trainer.py, val",
        ),
        Rule(
            name="batch of two networks",
            starts=("(epoch: ",),
            pattern=compile_pattern(
                rf"""\(epoch:[ ](?P<epoch>{INT}),[ ]iters:[ ](?P<batch_end>{INT})\)[ ]
                {_SCORES}[ ]?"""
            ),
            build=report(fields=_SPLIT_SCORES),
            example="(epoch: 1, iters: 40) loss_G_A: 0.381 loss_cycle_A: 2.206 loss_idt_A: 1.087 ",
            source="GluonCV, scripts/gan/cycle_gan/train_cgan.py, plot_loss; srgan",
        ),
        Rule(
            name="first epochs of SRGAN",
            starts=EPOCH_STARTS,
            pattern=compile_pattern(
                rf"Epoch[ ](?P<epoch>{INT}):[ ]++(?P<metric>mse):[ ](?P<value>{FLOAT})[ ]?"
            ),
            build=report(),
            example="Epoch 0:  mse: 0.04127735 ",
            source="GluonCV, scripts/gan/srgan/train_srgan.py",
        ),
        *DETECTION_RULES,
        LOSS_SCALE,
    ),
)
