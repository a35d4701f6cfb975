r"""The vectorised engine: all lines of a block advance in step, each with a cursor of its own.

It reads what `Module.fit` and Speedometer write, and of that only what it is certain of:

    <prefix>Epoch[3] Batch [0-20]\tSpeed: 257.26 samples/sec\taccuracy=0.968571\tloss=0.11
    <prefix>Epoch[3] Train-accuracy=0.968571        and Validation-
    <prefix>Epoch[3] Time cost=12.345

Any other line is left to the rules of `dialects.module`, which define what lines mean. Eight bytes
are gathered at each cursor at once; runs of digits are found and turned into integers by arithmetic
on these words. A number is an integer of at most 15 digits over a power of ten, which divides to
the very float that Python reads. What stands between the numbers is compared with literals seen
before: the first line of its kind is read by its rule, which teaches them.
"""

from __future__ import annotations

import re
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from fitlog_parsers.canonical import (
    TIME_COST,
    Bools,
    Canonical,
    Epochs,
    Floats,
    Ints,
    Speeds,
    flatten,
)
from fitlog_parsers.grammar import FLOAT
from fitlog_parsers.literals import LONGEST_LITERAL, Literals
from fitlog_parsers.words import (
    EIGHT,
    ONE,
    SEVEN,
    SIXTEEN,
    Words,
    count_digits,
    from_digits,
    from_eight_digits,
    mask_of,
    word_of,
)

# So many bytes behind a block can be gathered without a look at its end.
PADDING: Final = 512
_LONGEST_TIME: Final = 22
_MOST_FIELDS: Final = 64


_BYTE, _TWO_BYTES = mask_of(1), mask_of(2)
_ZERO, _THREE, _32 = (np.uint64(n) for n in (0, 3, 32))
_LF, _CRLF = np.uint64(10), word_of(b"\r\n")
_DASH, _DOT, _MINUS = (np.uint64(ord(c)) for c in "-.-")
_EPOCH_MASK, _BATCH_MASK, _SEC_MASK = mask_of(6), mask_of(7), mask_of(4)
EPOCH: Final = b"Epoch["
_EPOCH, _BATCH = word_of(EPOCH), word_of(b"Batch [")
_END_OF_EPOCH = word_of(b"] ")
_B, _END_OF_BOUNDS = np.uint64(ord("B")), np.uint64(ord("]"))
_SPEED_AFTER_TAB, _SPEED_AFTER_BLANK = word_of(b"\tSpeed: "), word_of(b" Speed: ")
_SAMPLES, _PER_SEC = word_of(b" samples"), word_of(b"/sec")
_NAN, _INF, _THREE_BYTES = word_of(b"nan"), word_of(b"inf"), mask_of(3)
# `0.968571`: the form that nearly all values have, one digit and six decimals.
_UNIT_FORM = word_of(b"0.000000")
_UNIT_ADD, _UNIT_TEST = (
    word_of(b"\x06\x00\x06\x06\x06\x06\x06\x06"),
    word_of(b"\xf0\xff" + b"\xf0" * 6),
)
_FIRST_BYTE, _LAST_SIX_BYTES = mask_of(1), np.uint64(0xFFFFFFFFFFFF0000)
_INT_POWERS = np.array([10**i for i in range(9)], dtype="u8")
_FLOAT_POWERS = _INT_POWERS.astype("f8")
_FLOAT = re.compile(FLOAT.encode() + rb"(?=[ \t\r\n])")


class Lockstep:
    """Reads blocks, and learns from each; `names` are the metrics' names by code."""

    def __init__(self) -> None:
        self._literals = Literals()
        self._unit_slots: dict[int, bool] = {}

    @property
    def names(self) -> list[str]:
        """The metrics' names by code."""
        return self._literals.names

    def read(self, data: bytes, begins: Ints, count: int) -> Canonical:
        """Read the lines whose record begins at `begins`, in a block of `count` lines.

        `data` has PADDING bytes behind its lines; a line without a record has -1 in `begins`.
        """
        self._data = data
        self._bytes = np.frombuffer(data, dtype="u1")
        self._words: Any = np.ndarray((len(data) - 8,), "<u8", data, 0, (1,))
        self._accepted = np.zeros(count, dtype=bool)
        line = np.flatnonzero(begins >= 0)
        begin = begins[line]
        epoch, cursor, word, digits = self._integer(begin + 6)
        ok = (word & _TWO_BYTES) == _END_OF_EPOCH
        ok &= (digits - ONE) < SEVEN
        is_speed = ((word >> SIXTEEN) & _BYTE) == _B
        is_speed &= ok
        ok &= ~is_speed
        cursor += 2
        if is_speed.all():
            speeds = self._read_speeds(line, epoch, cursor)
        else:
            speeds = self._read_speeds(line[is_speed], epoch[is_speed], cursor[is_speed])
        epochs = self._read_epochs(line[ok], epoch[ok], begin[ok], cursor[ok])
        self._accepted[speeds.line] = True
        self._accepted[epochs.line] = True
        return Canonical(self._accepted, speeds, epochs)

    def _read_speeds(self, line: Ints, epoch: Ints, cursor: Ints) -> Speeds:
        words = self._words
        ok = (words[cursor] & _BATCH_MASK) == _BATCH
        start, cursor, word, digits = self._integer(cursor + 7)
        ok &= (digits - ONE) < SEVEN
        after = word & _BYTE
        is_range = after == _DASH
        if is_range.all():
            end, cursor, word, digits = self._integer(cursor + 1)
            ok &= (digits - ONE) < SEVEN
            ok &= (word & _BYTE) == _END_OF_BOUNDS
        elif not is_range.any():
            start, end = np.full(len(cursor), -1), start
            ok &= after == _END_OF_BOUNDS
        else:
            second, past, word, digits = self._integer(cursor + 1)
            range_ok = ((digits - ONE) < SEVEN) & ((word & _BYTE) == _END_OF_BOUNDS)
            ok &= np.where(is_range, range_ok, after == _END_OF_BOUNDS)
            end = np.where(is_range, second, start)
            start = np.where(is_range, start, -1)
            cursor = np.where(is_range, past, cursor)
        cursor = cursor + 1
        word = words[cursor]
        ok &= (word == _SPEED_AFTER_TAB) | (word == _SPEED_AFTER_BLANK)
        speed, cursor, decimals = self._decimal(cursor + 8)
        ok &= decimals == 2
        ok &= words[cursor] == _SAMPLES
        ok &= (words[cursor + 8] & _SEC_MASK) == _PER_SEC
        cursor += 12
        if not ok.all():
            line, epoch, start, end = line[ok], epoch[ok], start[ok], end[ok]
            speed, cursor = speed[ok], cursor[ok]
        alive, fields, metric, value = self._read_fields(cursor)
        if alive is not None:
            line, epoch, start, end = line[alive], epoch[alive], start[alive], end[alive]
            speed = speed[alive]
        return Speeds(line, epoch, start, end, speed, fields, metric, value)

    def _read_fields(
        self, cursor: Ints
    ) -> tuple[Bools | None, Ints, npt.NDArray[np.int32], Floats]:
        """The metrics at the end of speed lines.

        Gives which lines could be read (None for all), and for these the number of metrics, and
        the metrics' codes and values, one line's after another's.
        """
        count = len(cursor)
        steps: list[tuple[Ints | None, Any, Floats]] = []
        dead: list[Ints] = []
        lanes: Ints | None = None  # the lines that still have fields; None for all
        first_tab: Bools | None = None
        word = self._words[cursor]
        for slot in range(_MOST_FIELDS + 1):
            done = (word & _BYTE) == _LF
            done |= (word & _TWO_BYTES) == _CRLF
            if done.all():
                break
            if done.any():
                go = ~done
                lanes = np.flatnonzero(go) if lanes is None else lanes[go]
                cursor, word = cursor[go], word[go]
                first_tab = first_tab[go] if first_tab is not None else None
            if slot == _MOST_FIELDS:
                dead.append(np.arange(count) if lanes is None else lanes)
                break
            # Fields are all set off by tabs or all by blanks: a rule of the module dialect.
            is_tab = (word & _BYTE) == np.uint64(9)
            if first_tab is None:
                first_tab = is_tab
            code, cursor, ok = self._literals.match(self._data, self._words, cursor, slot)
            mixed = is_tab != first_tab
            if mixed.any():
                ok = ~mixed if ok is None else ok & ~mixed
            value, cursor, bad, word = self._value(cursor, slot)
            if bad is not None:
                ok = ~bad if ok is None else ok & ~bad
            if ok is not None and not ok.all():
                every = np.arange(count) if lanes is None else lanes
                dead.append(every[~ok])
                lanes, cursor, value, word = every[ok], cursor[ok], value[ok], word[ok]
                code = code if isinstance(code, int) else code[ok]
                first_tab = first_tab[ok] if first_tab is not None else None
            steps.append((lanes, code, value))
        return flatten(count, steps, dead)

    def _read_epochs(self, line: Ints, epoch: Ints, begin: Ints, cursor: Ints) -> Epochs:
        code, cursor, ok = self._literals.match(self._data, self._words, cursor, -1)
        codes = np.full(len(line), code, dtype="i8") if isinstance(code, int) else code
        kind, metric = self._literals.kinds_and_metrics(codes)
        value, end, bad, word = self._value(cursor, -1)
        good = np.ones(len(line), dtype=bool) if ok is None else ok
        if bad is not None:
            good = good & ~bad
        good = good & (((word & _BYTE) == _LF) | ((word & _TWO_BYTES) == _CRLF))
        # A time has no sign, no exponent, three decimals, and no more digits than a count.
        is_time = self._bytes[end - 4] == ord(".")
        is_time &= end - cursor <= _LONGEST_TIME
        for at in (cursor, end - 3, end - 2, end - 1):
            is_time &= (self._bytes[at] >= ord("0")) & (self._bytes[at] <= ord("9"))
        good &= is_time | (kind != TIME_COST)
        if not good.all():
            line, epoch, kind, metric = line[good], epoch[good], kind[good], metric[good]
            value, begin, end = value[good], begin[good], end[good]
        return Epochs(line, epoch, kind, metric, value, begin, end)

    def _integer(self, cursor: Ints) -> tuple[Ints, Ints, Words, Words]:
        """An integer, the cursor behind it, the bytes from there on, the number of its digits."""
        word = self._words[cursor]
        digits = count_digits(word)
        bits = digits << _THREE
        value = from_digits(word, bits)
        word >>= bits
        return value.view("i8"), cursor + digits.view("i8"), word, digits

    def _decimal(self, cursor: Ints) -> tuple[Floats, Ints, Ints]:
        """A number with a point: its value, the cursor behind it, and its decimals, -1: none."""
        word = self._words[cursor]
        digits = count_digits(word)
        bits = digits << _THREE
        mantissa = from_digits(word, bits)
        word >>= bits
        ok = (word & _BYTE) == _DOT
        ok &= (digits - ONE) < EIGHT
        cursor = cursor + digits.view("i8")
        cursor += 1
        word = self._words[cursor]
        decimals = count_digits(word)
        ok &= decimals < EIGHT
        fraction = from_digits(word, decimals << _THREE)
        power = decimals & SEVEN
        mantissa *= _INT_POWERS[power]
        mantissa += fraction
        value = mantissa.astype("f8")
        value /= _FLOAT_POWERS[power]
        cursor += decimals.view("i8")
        return value, cursor, np.where(ok, decimals.view("i8"), -1)

    def _value(self, cursor: Ints, slot: int) -> tuple[Floats, Ints, Bools | None, Words]:
        """A metric's value: the value, the cursor behind it, which are none, the word behind."""
        if self._unit_slots.get(slot, True):
            pair: Any = np.ndarray((len(self._data) - 16,), "V16", self._data, 0, (1,))[cursor]
            both = pair.view("<u8").reshape(-1, 2)
            word, after = both[:, 0] ^ _UNIT_FORM, both[:, 1]
            other = ((word + _UNIT_ADD) | word) & _UNIT_TEST != _ZERO
            ends = after & _BYTE
            other |= ends > _32
            whole = (word & _FIRST_BYTE) << EIGHT
            word &= _LAST_SIX_BYTES
            word |= whole
            value = from_eight_digits(word).astype("f8")
            value /= 1e6
            if not other.any():
                return value, cursor + 8, None, after
            rest = np.flatnonzero(other)
            self._unit_slots[slot] = 2 * len(rest) < len(cursor)
            values, ends_at, bad = self._any_value(cursor[rest])
            cursor = cursor + 8
            value[rest], cursor[rest] = values, ends_at
            after = after.copy()
            after[rest] = self._words[ends_at]
            if not bad.any():
                return value, cursor, None, after
            is_bad = np.zeros(len(cursor), dtype=bool)
            is_bad[rest] = bad
            return value, cursor, is_bad, after
        value, cursor, bad = self._any_value(cursor)
        return value, cursor, bad if bad.any() else None, self._words[cursor]

    def _any_value(self, cursor: Ints) -> tuple[Floats, Ints, Bools]:
        begin = cursor
        negative = (self._words[cursor] & _BYTE) == _MINUS
        any_negative = bool(negative.any())
        if any_negative:
            cursor = cursor + negative
        value, end, decimals = self._decimal(cursor)
        if any_negative:
            np.negative(value, out=value, where=negative)
        bad = decimals < 0
        bad |= (self._words[end] & _BYTE) > _32
        odd = np.flatnonzero(bad)
        if not len(odd):
            return value, end, bad
        word = self._words[cursor[odd]] & _THREE_BYTES
        is_nan, is_inf = word == _NAN, word == _INF
        found = is_nan | is_inf
        at = odd[found]
        value[at] = np.where(is_nan, np.nan, np.where(negative[odd], -np.inf, np.inf))[found]
        end[at] = cursor[at] + 3
        bad[at] = (self._words[end[at]] & _BYTE) > _32
        for i in odd[~found].tolist():
            start = int(begin[i])
            match = _FLOAT.match(self._data, start, start + LONGEST_LITERAL)
            if match is not None:
                value[i], end[i], bad[i] = float(match[0]), match.end(), False
        return value, end, bad
