"""Hyper-parameters as scripts log them: `Namespace(lr=0.1, gpus=None)`, read and never run."""

from __future__ import annotations

import ast
from typing import Any

from fitlog_parsers.columns import EventColumns


def find_hparams(events: EventColumns) -> dict[str, Any]:
    """The last `Namespace(...)`; a value that is no literal stays as its text."""
    for kind, text in zip(reversed(events.kind), reversed(events.text), strict=True):
        if kind == "start" and "Namespace(" in text:
            return parse_hparams(text)
    return {}


def parse_hparams(text: str) -> dict[str, Any]:
    """The arguments of the `Namespace(...)` in a text that holds one."""
    inside = text[text.index("Namespace(") + len("Namespace(") :].rpartition(")")[0]
    pairs = (argument.partition("=") for argument in _split_arguments(inside))
    return {name.strip(): _literal(value) for name, equals, value in pairs if equals}


def _split_arguments(text: str) -> list[str]:
    """The text between the commas that stand in no bracket and no string."""
    pieces, begin, depth, quote, escaped = [], 0, 0, "", False
    for i, char in enumerate(text):
        if quote:
            quote = "" if char == quote and not escaped else quote
            escaped = char == "\\" and not escaped
        elif char in "'\"":
            quote = char
        elif char in "([{<":
            depth += 1
        elif char in ")]}>":
            depth -= 1
        elif char == "," and depth <= 0:
            pieces.append(text[begin:i])
            begin = i + 1
    return [*pieces, text[begin:]]


def _literal(text: str) -> Any:
    try:
        return ast.literal_eval(text)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return text
