"""Feeds mutated logs and dialect files to all that reads: only a `FitlogError` may come out.

    python tests/fuzz_reading.py --minutes 10
    python tests/fuzz_reading.py --seed 3 --first 1200 --inputs 1
    python tests/fuzz_reading.py --replay fuzz-3-1200.log

Each log, compressed or not, damaged or not, is read by both readers, whose tables must be equal,
and examined. An input depends on the seed and its number alone: a failure says both, and leaves
the input in the current folder.
"""

from __future__ import annotations

import argparse
import bz2
import contextlib
import faulthandler
import functools
import gzip
import importlib
import lzma
import random
import re
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final, NamedTuple

from bothways import Tables, by_rules, cut, in_bulk, tables
from fitlog.doctor import examine, format_examination
from fitlog.errors import FitlogError
from fitlog.hparams import parse_hparams
from fitlog.reading import read_columns
from fitlog.tables import build_tables
from fitlog_parsers import DIALECTS, Rule
from support import SAMPLES

_ZSTD: Final = "compression.zstd" if sys.version_info >= (3, 14) else "backports.zstd"
_COMPRESSED: Final = (b"\x1f\x8b", b"\xfd7zXZ\x00", b"BZh", b"\x28\xb5\x2f\xfd")
_LONGEST: Final = 8000
_MOST_SECONDS: Final = 60  # no input takes a second
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
_DIALECT_FILE: Final = SAMPLES / "dialects" / "own" / "mytool.toml"


class ReadersDifferError(Exception):
    """Two ways to read a log give different tables."""


class Kind(NamedTuple):
    """A kind of input: its share of all inputs, what makes and what tries it, its file's ending."""

    share: int
    make: Callable[[random.Random], bytes]
    check: Callable[[bytes, random.Random], None]
    suffix: str


def main() -> int:
    """Try inputs until the time is over; what one of them raises ends it."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--inputs", type=int, default=sys.maxsize, help="stop after so many")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--first", type=int, default=0, help="the number of the first input")
    parser.add_argument("--replay", type=Path, help="try this file alone")
    said = parser.parse_args()
    warnings.simplefilter("error")
    if said.replay is not None:
        check = check_dialect if said.replay.suffix == ".toml" else check_log
        check(said.replay.read_bytes(), random.Random(said.seed))
        return 0
    number, end = said.first, time.monotonic() + 60 * said.minutes
    while number < said.first + said.inputs and time.monotonic() < end:
        source = random.Random(f"{said.seed} {number}")
        kind = source.choices(KINDS, [kind.share for kind in KINDS])[0]
        data = kind.make(source)
        faulthandler.dump_traceback_later(_MOST_SECONDS, exit=True)
        try:
            kind.check(data, source)
        except Exception:
            path = Path(f"fuzz-{said.seed}-{number}{kind.suffix}")
            path.write_bytes(data)
            print(f"seed {said.seed}, input {number} failed; it is kept in {path}", flush=True)
            raise
        finally:
            faulthandler.cancel_dump_traceback_later()
        number += 1
    print(f"seed {said.seed}: {number - said.first} inputs, none failed")
    return 0


def check_log(data: bytes, source: random.Random) -> None:
    """Read a log in every way; it may be refused, if it is refused alike."""
    whole = read_whole(data, bulk=False)
    compare(whole, read_whole(data, bulk=True), "in bulk")
    if isinstance(whole, str) or data.startswith(_COMPRESSED):
        return
    pieces = cut(data, [source.randrange(len(data) + 1) for _ in range(source.randrange(1, 6))])
    compare(whole, by_rules(pieces), "in pieces")
    compare(whole, in_bulk(pieces), "in bulk and pieces")


def read_whole(data: bytes, *, bulk: bool) -> Tables | str:
    """All that is read of a log, or why it is refused."""
    try:
        columns = read_columns([data], bulk=bulk)
    except FitlogError as error:
        return str(error)
    found = tables(columns)
    if not bulk:
        return found
    log = build_tables(columns, with_file=False)  # what `read_log` does
    format_examination(examine(log))
    for text in log.events["text"]:
        if "Namespace(" in text and ")" in text:
            parse_hparams(text)
    return found


def compare(expected: Tables | str, found: Tables | str, how: str) -> None:
    """Raise an error that names the first column which differs."""
    if isinstance(expected, str) or isinstance(found, str):
        differing = [] if expected == found else [str(expected)[:200], str(found)[:200]]
    else:
        differing = [name for name in expected if expected[name] != found[name]]
    if differing:
        raise ReadersDifferError(f"read differently {how}: {differing}")


def check_dialect(data: bytes, source: random.Random) -> None:
    """Load a dialect's file and, if it is one, read its log with it in both ways."""
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a pattern may be doubtful and still be one
        path = Path(folder) / "own.toml"
        path.write_bytes(data)
        log = mutate(_DIALECT_FILE.with_suffix(".log").read_bytes(), source)
        try:
            whole = read_columns([log], dialect_file=path)
        except FitlogError:
            return
        bulk = read_columns([log], dialect_file=path, bulk=True)
    compare(tables(whole), tables(bulk), "in bulk")


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


def make_dialect(source: random.Random) -> bytes:
    """The sample of a dialect's file, mutated."""
    return mutate(_DIALECT_FILE.read_bytes(), source)


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
KINDS = (
    Kind(8, make_log, check_log, ".log"),
    Kind(2, make_compressed, check_log, ".log"),
    Kind(2, make_dialect, check_dialect, ".toml"),
)


if __name__ == "__main__":
    sys.exit(main())
