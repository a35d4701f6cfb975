"""What tests of time stamps share: the text before records in, what it says out."""

from __future__ import annotations

from datetime import datetime, timedelta

from fitlog_parsers.prefix import Clock

EPOCH = datetime(1970, 1, 1)


def shown(micros: int | None) -> str | None:
    """A time as it is written in the tables of the tests."""
    return None if micros is None else str(EPOCH + timedelta(microseconds=micros))


def times(*texts: str) -> list[str | None]:
    """What the prefixes of one file say, each settled at its end."""
    clock = Clock()
    read = [clock.read(text).time for text in texts]
    clock.close()
    return [shown(None if given is None else clock.settle(given)) for given in read]


def codes(*texts: str) -> list[str]:
    clock = Clock()
    for text in texts:
        clock.read(text)
    clock.close()
    return [code for code, _ in clock.findings]
