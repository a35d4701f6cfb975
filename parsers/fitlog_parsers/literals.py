r"""What stands before the values of canonical lines: texts learned from the first line of a kind.

`\taccuracy=` before a field, `Train-accuracy=` or `Time cost=` behind an epoch. What such a text
means is what the rules of `dialects.module` say of it. All lines of a block are compared with a
text at once.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from fitlog_parsers.canonical import Bools, Ints
from fitlog_parsers.dialects.module import split_epoch_metric, split_fields
from fitlog_parsers.words import Words, stands, words_of

LONGEST_LITERAL: Final = 256
_MOST_LITERALS: Final = 1024
# Lines of a block that are looked at one by one, in vain or with a new text found, before the rest
# is left to the rules.
_MOST_FAILURES: Final = 8
_MOST_NEW: Final = 64


@dataclass(slots=True)
class _Literal:
    """A text, its words to compare with, and what it means."""

    text: bytes
    metric: int
    kind: int
    words: list[tuple[np.uint64, np.uint64 | None]]


class Literals:
    """The texts that are known; `names` are the metrics' names by code.

    Texts before fields are looked for by the fields' slots; those of epochs' lines have slot -1.
    """

    def __init__(self) -> None:
        self.names: list[str] = []
        self._codes: dict[str, int] = {}
        self._literals: list[_Literal] = []
        self._known: dict[tuple[bytes, bool], int] = {}
        self._usual: dict[int, list[int]] = {}

    def kinds_and_metrics(self, codes: Ints) -> tuple[Ints, Ints]:
        """The kinds of line, and the codes of the metrics, of texts by their codes."""
        kinds = np.array([literal.kind for literal in self._literals] or [0])
        metrics = np.array([literal.metric for literal in self._literals] or [0])
        return kinds[codes], metrics[codes]

    def match(
        self, data: bytes, words: Any, cursor: Ints, slot: int
    ) -> tuple[Any, Ints, Bools | None]:
        """Which text stands at each cursor: its code, the cursor behind it, and which failed.

        The code (for fields, that of the metric) is one integer where all lines have the same, else
        an array. `words` are those of `data` at every byte.
        """
        usual = self._usual.setdefault(slot, [])
        tried: set[int] = set()
        known = len(usual)
        todo: Ints | None = None  # the lines not matched so far; None for all
        codes = np.zeros(0, dtype="i8")
        behind = cursor
        begin = words[cursor]  # of the lines in `todo`
        order = list(usual)
        failed: list[Ints] = []
        while True:
            for code in order:
                tried.add(code)
                literal = self._literals[code]
                hit = _hits(data, literal, begin, cursor if todo is None else cursor[todo])
                if hit is None:
                    continue
                if todo is None:
                    if hit.all():
                        return self._metric_or_code(code, slot), cursor + len(literal.text), None
                    codes = np.where(hit, code, -1)
                    behind = cursor + np.where(hit, len(literal.text), 0)
                    todo, begin = np.flatnonzero(~hit), begin[~hit]
                else:
                    codes[todo[hit]] = code
                    behind[todo[hit]] += len(literal.text)
                    todo, begin = todo[~hit], begin[~hit]
                if not len(todo) and not failed:
                    self._prefer(usual, int(codes[-1]))
                    return self._metrics_or_codes(codes, slot), behind, None
            if todo is None:
                todo = np.arange(len(cursor))
                codes, behind = np.full(len(cursor), -1), cursor.copy()
            order = []
            is_patient = len(failed) < _MOST_FAILURES and len(tried) < known + _MOST_NEW
            while len(todo) and not order and is_patient:
                learned = self._learn(data, int(cursor[todo[0]]), is_field=slot >= 0)
                if learned is None or learned in tried:
                    failed.append(todo[:1])
                    todo, begin = todo[1:], begin[1:]
                    is_patient = len(failed) < _MOST_FAILURES
                else:
                    usual.append(learned)
                    order = [learned]
            if not order:
                break
        ok = np.ones(len(cursor), dtype=bool)
        for lanes in (*failed, todo):
            ok[lanes] = False
            codes[lanes] = 0
        return self._metrics_or_codes(codes, slot), behind, ok

    def _metric_or_code(self, code: int, slot: int) -> int:
        return code if slot < 0 else self._literals[code].metric

    def _metrics_or_codes(self, codes: Ints, slot: int) -> Ints:
        if slot < 0 or not self._literals:
            return codes
        return np.array([literal.metric for literal in self._literals])[codes]

    def _prefer(self, usual: list[int], code: int) -> None:
        """What stood there last stands there next, most likely."""
        if usual[0] != code:
            usual.remove(code)
            usual.insert(0, code)

    def _learn(self, data: bytes, at: int, *, is_field: bool) -> int | None:
        """The literal at `at`, as the module dialect reads the line; None where it reads none."""
        end = data.index(b"\n", at) if b"\n" in data[at : at + 8192] else at
        text = data[at:end]
        if not text.isascii() or b"\x1b" in text:  # the rules take colours out
            return None
        split = split_fields if is_field else split_epoch_metric
        found = split(text.decode())
        if found is None:
            return None
        literal, kind, name = found
        key = (literal.encode(), is_field)
        if key in self._known:
            return self._known[key]
        if len(literal) > LONGEST_LITERAL or len(self._literals) >= _MOST_LITERALS:
            return None
        metric = self._code_of(name)
        self._known[key] = len(self._literals)
        self._literals.append(_Literal(key[0], metric, kind, words_of(key[0])))
        return self._known[key]

    def _code_of(self, name: str) -> int:
        """The code of a metric's name."""
        if name not in self._codes:
            self._codes[name] = len(self.names)
            self.names.append(name)
        return self._codes[name]


def _hits(data: bytes, literal: _Literal, begin: Words, cursor: Ints) -> Bools | None:
    """Where the literal stands; None for nowhere. `begin` are the words at the cursors."""
    word, mask = literal.words[0]
    hit: Bools = (begin if mask is None else begin & mask) == word
    if not hit.any():
        return None
    if len(literal.words) > 1:
        where = np.flatnonzero(hit)
        rest = stands(data, cursor[where] + 8, literal.words[1:])
        if rest.all():
            return hit
        hit[where] = rest
        if not rest.any():
            return None
    return hit
