"""MXNet's Scala package, and Clojure's, which calls it.

Its lines are those of MXNet 0.7 in Python, one for each metric, but for the time of an epoch, which
is in whole milliseconds, for Java's `NaN` and `Infinity`, and for what it leaves out: quotes around
a checkpoint's name, brackets around an update's number. log4j writes its own prefix. Clojure's own
`fit` prints an epoch's end in another form.
"""

from __future__ import annotations

from fitlog_parsers.building import event, report
from fitlog_parsers.dialects.module import EPOCH_METRIC, SPEED, SPEED_WITHOUT_METRIC
from fitlog_parsers.grammar import FIELD_END, FLOAT, INT, Dialect, Rule, compile_pattern

_CLOJURE = "clojure-package, module.clj, fit"
_PRINTED_EPOCH = rf"Epoch[ ]{{2}}(?P<epoch>{INT})[ ]{{2}}"
_PRINTED_METRIC = rf"\[(?P<metric>[^\[\]\s]{{1,200}}+)[ ](?P<value>{FLOAT})\]"

SCALA = Dialect(
    name="scala",
    about="the Scala and Clojure packages",
    rules=(
        SPEED,
        EPOCH_METRIC,
        SPEED_WITHOUT_METRIC,
        Rule(
            name="time cost in milliseconds",
            starts=("Epoch[",),
            pattern=compile_pattern(
                rf"Epoch\[(?P<epoch>{INT})\][ ]Time[ ]cost=(?P<milliseconds>{INT}){FIELD_END}"
            ),
            build=report(),
            example="Epoch[0] Time cost=464187",
            source="scala-package, module/BaseModule.scala, fit",
        ),
        Rule(
            name="checkpoint without quotes",
            starts=("Saved checkpoint to ",),
            ahead=r"[^\"'\r]{1,500}?\.params",
            pattern=compile_pattern(r"Saved[ ]checkpoint[ ]to[ ][^\"'\r]{1,500}?\.params(?=\s|$)"),
            build=event("checkpoint"),
            example="Saved checkpoint to lenet-0001.params",
            source="scala-package, Model.scala, saveCheckpoint",
        ),
        Rule(
            name="lr change without brackets",
            starts=("Update",),
            ahead=r"[0-9]++: Change",
            pattern=compile_pattern(
                rf"Update{INT}:[ ]Change[ ]learning[ ]rate[ ]to[ ](?P<value>{FLOAT})(?=\s|$)"
            ),
            build=event("lr"),
            example="Update1001: Change learning rate to 0.05",
            source="scala-package, LRScheduler.scala, FactorScheduler",
        ),
        Rule(
            name="monitor",
            starts=("Batch: ",),
            ahead=r"[0-9]++ [^\s:=]++ \S++\s*+$",
            pattern=compile_pattern(
                rf"""Batch:[ ]{INT}[ ][^\s:=]{{1,200}}+[ ]
                (?:(?P<value>{FLOAT})|\[{FLOAT}(?:,{FLOAT})*+\])[ \t\r]*+$"""
            ),
            build=event("monitor"),
            example="Batch: 16 fc1_weight 0.14440648",
            source="scala-package, Monitor.scala, tocPrint",
        ),
        Rule(
            name="printed epoch metric",
            starts=("Epoch  ",),
            ahead=r"[0-9]++  (?:Train|Validation)- ",
            pattern=compile_pattern(rf"{_PRINTED_EPOCH}Train-[ ]{{1,2}}{_PRINTED_METRIC}"),
            build=report(scope="epoch"),
            example="Epoch  0  Train- [accuracy 0.8145]",
            source=_CLOJURE,
        ),
        Rule(
            name="printed epoch validation",
            starts=("Epoch  ",),
            ahead=r"[0-9]++  (?:Train|Validation)- ",
            pattern=compile_pattern(rf"{_PRINTED_EPOCH}Validation-[ ]{{1,2}}{_PRINTED_METRIC}"),
            build=report(split="validation", scope="epoch"),
            example="Epoch  0  Validation-  [accuracy 0.9227]",
            source=_CLOJURE,
        ),
        Rule(
            name="printed time cost",
            starts=("Epoch  ",),
            ahead=r"[0-9]++  Time cost- ",
            pattern=compile_pattern(
                rf"{_PRINTED_EPOCH}Time[ ]cost-[ ]{{1,2}}(?P<milliseconds>{INT})(?=\s|$)"
            ),
            build=report(),
            example="Epoch  0  Time cost- 8392",
            source=_CLOJURE,
        ),
    ),
)
