"""What the fuzzer feeds: sample logs, rules' examples and a dialect's file, mutated."""

from __future__ import annotations

import bz2
import contextlib
import functools
import gzip
import importlib
import lzma
import random
import re
import sys
from collections.abc import Callable, Iterator
from typing import Final

from fitlog_parsers import DIALECTS, Rule
from support import SAMPLES

_ZSTD: Final = "compression.zstd" if sys.version_info >= (3, 14) else "backports.zstd"
DIALECT_FILE: Final = SAMPLES / "dialects" / "own" / "mytool.toml"
_LONGEST: Final = 8000
_MEGABYTE: Final = 1 << 20
_PREFIXES: Final = [
    *(b"INFO:root:", b"2017-05-01 12:00:00,037 Node[0] ", b"2017-02-30 12:00:00 ", b"Node[1] "),
    *(b"[1,0]<stderr>:", b"03/04/2018 10:00:00 ", b"04-07 01:02 root INFO ", b"12:00:00 "),
    *(b"I0314 10:02:11 4710 a.py:3] ", b"\x1b[32m", b"Mar 14 10:02:11 ", b"[rank 3] ", b"1e5 "),
]
_ODD: Final = [
    *(b"\n", b"\r", b"\r\n", b"\t", b" ", b",", b"=", b"[", b"]", b"-", b".", b"\0", b"\xff"),
    *(b"\xef\xbb\xbf", b"\xff\xfe", b"\xe2\x80\xa8", b"\x1b[", b"\xc3\xa9", "训练".encode()),
    *(b"{INT}", b"{FLOAT}", b"(?P<", b"(", b")", b"*", b"++", b"{9}", b"\\", b"'", b'"', b"|"),
]
_NUMBERS: Final = [
    *(b"", b"0", b"-1", b"7999", b"nan", b"-inf", b"inf", b"1e-05", b"-0.000000", b"1e400", b"0.5"),
    *(b"999999999999999999", b"9223372036854775808", b"9" * 30, b"9" * 5000, b"0.9685712", b"1."),
]
_A_NUMBER: Final = re.compile(rb"[-+]?[0-9]+(?:\.[0-9]*)?(?:e[-+]?[0-9]+)?")


def make_log(source: random.Random) -> bytes:
    """Lines of a sample log, or of rules' examples, mutated."""
    return mutate(some_lines(source), source)


def make_compressed(source: random.Random) -> bytes:
    """A compressed log, mutated before or after or not at all."""
    text = source.choice([some_lines, make_log])(source)
    whole = source.choice(COMPRESS)(text * source.choice([1, 1, 1, 50]))
    change = source.randrange(4)
    if change == 0:
        return whole[: source.randrange(len(whole) + 1)]
    if change == 1:
        return whole + source.choice([whole, b"\0" * 20, some_lines(source), whole[:7]])
    if change == 2:
        return mutate(whole, source)
    return whole


def make_nodes(source: random.Random) -> bytes:
    """Logs of workers that write by turns, their ranks before the lines, mutated."""
    logs = [some_lines(source).splitlines(keepends=True) for _ in range(source.randrange(2, 5))]
    stamp = source.choice([b"", b"", b"2017-05-01 12:00:00,037 "])
    turns: list[bytes] = []
    while any(logs):
        rank = source.randrange(len(logs))
        taken = source.choice([1, 1, 1, 2, 5, 50])
        turns += [b"%sNode[%d] %s" % (stamp, rank, line) for line in logs[rank][:taken]]
        del logs[rank][:taken]
    return mutate(b"".join(turns), source)


def make_long(source: random.Random) -> bytes:
    """Text of a few megabytes: a mutated log again and again, or with lines that are too long."""
    text = source.choice([make_log, make_nodes])(source) or b"\n"
    if source.random() < 0.5:
        return text * (source.choice([_MEGABYTE, 3 * _MEGABYTE // 2]) // len(text) + 1)
    for _ in range(source.randrange(1, 3)):
        filler = source.choice(source.choice([_ODD, _NUMBERS[1:], _PREFIXES, starts(), examples()]))
        length = _MEGABYTE + source.choice([-100, -1, 0, 1, 300_000])
        line = (filler * (length // len(filler) + 1))[:length]
        if source.random() < 0.5:
            line = _insert(_copy(line, source), source) + b"\0" * source.choice([0, 1, 100])
        text = _splice_in(text, line, source)
    return text


def make_dialect(source: random.Random) -> bytes:
    """The sample of a dialect's file, mutated."""
    return mutate(DIALECT_FILE.read_bytes(), source)


def some_lines(source: random.Random) -> bytes:
    """Lines that one training could have written, or several writers into one file."""
    if source.random() < 0.5:
        log = source.choice(sample_logs())
        begin = source.choice([0, log.rfind(b"\n", 0, source.randrange(len(log))) + 1])
        return log[begin : begin + source.randrange(100, _LONGEST)]
    lines = source.choices(examples(), k=source.randrange(1, 30))
    prefix = source.choice([b"", *_PREFIXES])
    return b"".join(prefix + line + b"\n" for line in lines)


def mutate(data: bytes, source: random.Random) -> bytes:
    """The text with a few changes at places of their own, and seldom one of all of it."""
    for _ in range(source.choice([1, 1, 2, 3, 5, 8, 20])):
        data = source.choice(CHANGES)(data, source)
    odd = source.randrange(40)
    if odd == 0:
        data = data.replace(b"\n", b"\r\n")
    elif odd == 1:
        data = data.decode("utf-8", "replace").encode(source.choice(["utf-16", "utf-16-be"]))
    elif odd == 2:
        data = data * source.randrange(2, 20)
    elif odd == 3:
        data = b"".join(source.choice(_PREFIXES) + line for line in data.splitlines(keepends=True))
    elif odd == 4:
        place, count = source.randrange(len(data) + 1), source.choice([300, 5000])
        data = data[:place] + source.choice(_ODD) * count + data[place:]
    return data


def _flip(data: bytes, source: random.Random) -> bytes:
    place = source.randrange(len(data) + 1)
    return data[:place] + bytes([source.randrange(256)]) + data[place + 1 :]


def _insert(data: bytes, source: random.Random) -> bytes:
    place = source.randrange(len(data) + 1)
    token = source.choice(source.choice([_ODD, _NUMBERS, _PREFIXES, starts(), examples()]))
    return data[:place] + token + data[place:]


def _cut_out(data: bytes, source: random.Random) -> bytes:
    place = source.randrange(len(data) + 1)
    return data[:place] + data[place + source.choice([1, 2, 5, 20, 100]) :]


def _end(data: bytes, source: random.Random) -> bytes:
    return data[: source.randrange(len(data) // 2, len(data) + 1)]


def _copy(data: bytes, source: random.Random) -> bytes:
    begin, place = source.randrange(len(data) + 1), source.randrange(len(data) + 1)
    part = data[begin : begin + source.choice([1, 3, 10, 50, 200])]
    return data[:place] + part * source.choice([1, 1, 2, 9]) + data[place:]


def _renumber(data: bytes, source: random.Random) -> bytes:
    match = _A_NUMBER.search(data, source.randrange(len(data) + 1))
    if match is None:
        return data
    number = source.choice([*_NUMBERS, b"%d" % source.randrange(100)])
    return data[: match.start()] + number + data[match.end() :]


def _move_lines(data: bytes, source: random.Random) -> bytes:
    lines = data.splitlines(keepends=True) or [b""]
    line = source.choice(lines)
    if source.random() < 0.5:
        lines.remove(line)
    lines.insert(source.randrange(len(lines) + 1), line)
    return b"".join(lines)


def _glue(data: bytes, source: random.Random) -> bytes:
    place = data.find(b"\n", source.randrange(len(data) + 1))
    return data if place < 0 else data[:place] + data[place + 1 :]


def _splice(data: bytes, source: random.Random) -> bytes:
    other = source.choice(sample_logs())
    begin, place = source.randrange(len(other)), source.randrange(len(data) + 1)
    part = other[begin : begin + source.choice([50, 500, 2000])]
    return data[:place] + part + data[place if source.random() < 0.5 else len(data) :]


def _splice_in(data: bytes, part: bytes, source: random.Random) -> bytes:
    place = source.choice([0, data.find(b"\n", source.randrange(len(data) + 1)) + 1, len(data)])
    return data[:place] + part + data[place:]


@functools.cache
def sample_logs() -> list[bytes]:
    """The sample logs."""
    return [path.read_bytes() for path in sorted(SAMPLES.glob("**/*.log"))]


@functools.cache
def examples() -> list[bytes]:
    """An example of each rule of every dialect, those below headings too."""
    return sorted({rule.example.encode() for rule in _rules()})


@functools.cache
def starts() -> list[bytes]:
    """What the records of every dialect begin with."""
    return sorted({start.encode() for rule in _rules() for start in rule.starts})


def _rules() -> Iterator[Rule]:
    todo = [rule for dialect in DIALECTS for rule in dialect.rules]
    seen: set[int] = set()
    while todo:
        rule = todo.pop()
        if id(rule) not in seen:
            seen.add(id(rule))
            yield rule
            todo += rule.opens


def _compressors() -> list[Callable[[bytes], bytes]]:
    found: list[Callable[[bytes], bytes]] = [
        functools.partial(gzip.compress, mtime=0),
        lzma.compress,
        bz2.compress,
    ]
    with contextlib.suppress(ImportError):  # an extra
        found.append(importlib.import_module(_ZSTD).compress)
    return found


COMPRESS = _compressors()
CHANGES = (_flip, _insert, _cut_out, _end, _copy, _renumber, _move_lines, _glue, _splice)
