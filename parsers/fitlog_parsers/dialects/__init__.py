"""The dialects that fitlog reads, one module each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from fitlog_parsers.dialects.estimator import ESTIMATOR
from fitlog_parsers.dialects.gluon import GLUON
from fitlog_parsers.dialects.gluoncv import GLUONCV
from fitlog_parsers.dialects.gluonnlp import GLUONNLP
from fitlog_parsers.dialects.horovod import HOROVOD
from fitlog_parsers.dialects.insightface import INSIGHTFACE
from fitlog_parsers.dialects.julia import JULIA
from fitlog_parsers.dialects.module import MODULE
from fitlog_parsers.dialects.r import R
from fitlog_parsers.dialects.rcnn import RCNN
from fitlog_parsers.dialects.scala import SCALA
from fitlog_parsers.dialects.sockeye import SOCKEYE
from fitlog_parsers.dialects.sparse_lm import SPARSE_LM
from fitlog_parsers.errors import UnknownDialectError
from fitlog_parsers.grammar import Dialect, Rule

DIALECTS: Final[tuple[Dialect, ...]] = (
    MODULE,
    SCALA,
    ESTIMATOR,
    GLUON,
    GLUONCV,
    GLUONNLP,
    HOROVOD,
    INSIGHTFACE,
    JULIA,
    R,
    RCNN,
    SOCKEYE,
    SPARSE_LM,
)


def find_dialects(name: str | None, more: tuple[Dialect, ...] = ()) -> tuple[Dialect, ...]:
    """The dialect called `name`, or all of them for None; `more` are known besides.

    What comes from elsewhere is tried before the dialects here, but for Module's own lines.

    Raises:
        UnknownDialectError: there is none of that name.
    """
    every = (MODULE, *more, *(dialect for dialect in DIALECTS if dialect is not MODULE))
    if name is None:
        return every
    found = tuple(dialect for dialect in (*more, *DIALECTS) if name == dialect.name)[:1]
    if not found:
        known = ", ".join(dialect.name for dialect in every)
        raise UnknownDialectError(f"no dialect named {name!r}; known: {known}")
    return found


def own_rules(dialect: Dialect, before: Sequence[Dialect]) -> tuple[Rule, ...]:
    """The rules of a dialect that none of those before it has."""
    theirs = {id(rule) for other in before for rule in other.rules}
    return tuple(rule for rule in dialect.rules if id(rule) not in theirs)
