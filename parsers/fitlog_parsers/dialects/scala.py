"""MXNet's Scala package, and Clojure's, which calls it.

Its lines are those of MXNet 0.7 in Python, one for each metric, but for the time of an epoch, which
is in whole milliseconds, and for Java's `NaN` and `Infinity`. log4j writes its own prefix.
"""

from __future__ import annotations

from fitlog_parsers.building import report
from fitlog_parsers.dialects.module import EPOCH_METRIC, SPEED
from fitlog_parsers.grammar import FIELD_END, INT, Dialect, Rule, compile_pattern

SCALA = Dialect(
    name="scala",
    about="the Scala and Clojure packages",
    rules=(
        SPEED,
        EPOCH_METRIC,
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
    ),
)
