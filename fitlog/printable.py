"""Makes text from logs safe to show: a terminal would obey the control characters in it."""

from __future__ import annotations


def printable(text: str, *, keep: str = "") -> str:
    """`text` with every character that is not printable, but for those in `keep`, as an escape."""
    if text.isprintable():
        return text
    return "".join(
        char
        if char.isprintable() or char in keep
        else char.encode("unicode_escape").decode("ascii")
        for char in text
    )
