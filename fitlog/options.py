"""Options of the command that are more than text, read with a message that names them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, cast

from fitlog.errors import SettingError


def fraction(option: str, text: str) -> float:
    """The number that `5%`, `2.5%` or `0.05` stands for.

    Raises:
        SettingError: it is no part of the whole.
    """
    try:
        value = float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
    except ValueError:
        value = -1.0
    if not 0 < value < 1:
        raise SettingError(f"{option} {text}: must be a part of the whole, such as 5% or 0.05")
    return value


def positive(option: str, value: float | None) -> float | None:
    """The value as it is; None of nothing.

    Raises:
        SettingError: it is not positive, or no number.
    """
    if value is not None and not 0 < value < float("inf"):
        raise SettingError(f"{option} {value:g}: must be more than 0")
    return value


def inches(option: str, text: str | None) -> tuple[float, float] | None:
    """Width and height of `8x5`; None of nothing.

    Raises:
        SettingError: it is not such a size, or none that a picture can have.
    """
    if text is None:
        return None
    width, _, height = text.lower().partition("x")
    try:
        size = float(width), float(height)
    except ValueError:
        size = 0.0, 0.0
    if not all(1 <= side <= 100 for side in size):
        raise SettingError(
            f"{option} {text}: must be width and height in inches, 1 to 100, such as 8x5"
        )
    return size


def number_of_windows(text: str) -> int | None:
    """The windows of `--warmup`; None for `auto`.

    Raises:
        SettingError: it is neither `auto` nor a number.
    """
    if text == "auto":
        return None
    if not text.isdecimal() or len(text) > 9:
        raise SettingError(f"--warmup {text}: must be auto or a number of windows")
    return int(text)


def whole_numbers(option: str, text: str | None) -> tuple[int, ...]:
    """The numbers of `0,1`; none of nothing.

    Raises:
        SettingError: it is anything else than whole numbers between commas.
    """
    parts = text.split(",") if text else []
    if not all(part.strip().isdecimal() and len(part) <= 9 for part in parts):
        raise SettingError(f"{option} {text}: must be whole numbers between commas, such as 1,2")
    return tuple(map(int, parts))


def seconds(option: str, text: str) -> float:
    """The seconds that `90s`, `30m` or `2h` stand for.

    Raises:
        SettingError: it is no such time.
    """
    units = {"s": 1, "m": 60, "h": 3600}
    number = text[:-1]
    if text[-1:] not in units or not number.isdecimal() or len(number) > 9 or not int(number):
        raise SettingError(f"{option} {text}: must be a time such as 90s, 30m or 2h")
    return float(int(number) * units[text[-1]])


def directions(option: str, texts: Sequence[str]) -> dict[str, Literal["higher", "lower"]]:
    """What each `NAME=higher` or `NAME=lower` says, by name.

    Raises:
        SettingError: one is neither.
    """
    found = {}
    for text in texts:
        name, _, word = text.rpartition("=")
        if not name or word not in ("higher", "lower"):
            raise SettingError(f"{option} {text}: must be NAME=higher or NAME=lower")
        found[name] = cast('Literal["higher", "lower"]', word)
    return found
