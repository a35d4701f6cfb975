"""Eight bytes of text as one integer: to compare with literals, and to read digits from."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Words = npt.NDArray[np.uint64]


def word_of(text: bytes) -> np.uint64:
    """At most eight bytes as they lie in memory."""
    return np.uint64(int.from_bytes(text, "little"))


def mask_of(count: int) -> np.uint64:
    """What leaves the first `count` bytes of a word."""
    return np.uint64((1 << 8 * count) - 1)


def words_of(text: bytes) -> list[tuple[np.uint64, np.uint64 | None]]:
    """A text as words, each with the mask of its bytes; None where all eight count."""
    pieces = [text[i : i + 8] for i in range(0, len(text), 8)]
    return [(word_of(p), None if len(p) == 8 else mask_of(len(p))) for p in pieces]


def stands(
    data: bytes, cursor: npt.NDArray[np.int64], words: list[tuple[np.uint64, np.uint64 | None]]
) -> npt.NDArray[np.bool_]:
    """Whether the text of these words stands at each cursor, gathered in one go."""
    count = len(words)
    view: Any = np.ndarray((len(data) - 8 * count,), f"V{8 * count}", data, 0, (1,))
    gathered = view[cursor].view("<u8").reshape(-1, count)
    hit = np.ones(len(cursor), dtype=bool)
    for i, (word, mask) in enumerate(words):
        column = gathered[:, i] if mask is None else gathered[:, i] & mask
        hit &= column == word
    return hit


ONE, SEVEN, EIGHT, SIXTEEN = (np.uint64(n) for n in (1, 7, 8, 16))
_TEN, _32, _56, _64 = (np.uint64(n) for n in (10, 32, 56, 64))
# Digits, by arithmetic on eight bytes (after Lemire, "Quickly parsing eight digits", 2018).
_ADD_46, _ASCII_0, _HIGH_BITS = (np.uint64(0x0101010101010101 * n) for n in (0x46, 0x30, 0x80))
_LOW_BITS, _EACH_BYTE = (np.uint64(0x0101010101010101 * n) for n in (0x0F, 0x01))
_PAIRS = np.uint64(0x000000FF000000FF)
_TIMES_1, _TIMES_2 = np.uint64(100 + (1000000 << 32)), np.uint64(1 + (10000 << 32))


def count_digits(word: Words) -> Words:
    """How many digits each word begins with, 0 to 8."""
    no_digit = word + _ADD_46
    no_digit |= word - _ASCII_0
    no_digit &= _HIGH_BITS
    no_digit >>= SEVEN
    below = no_digit - ONE
    np.invert(no_digit, out=no_digit)
    below &= no_digit
    below &= _EACH_BYTE
    below *= _EACH_BYTE
    below >>= _56
    return below


def from_digits(word: Words, bits: Words) -> Words:
    """The integer of the digits in the first `bits` bits of each word."""
    value = word & _LOW_BITS
    value <<= _64 - bits
    return from_eight_digits(value)


def from_eight_digits(value: Words) -> Words:
    """The integer of eight bytes that are digits' values, the first the highest."""
    high = value >> EIGHT
    value *= _TEN
    value += high
    high = value >> SIXTEEN
    high &= _PAIRS
    high *= _TIMES_2
    value &= _PAIRS
    value *= _TIMES_1
    value += high
    value >>= _32
    return value
