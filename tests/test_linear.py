"""Time grows with the length of a line and not faster, whatever rule the line is made to hurt.

Each work is done at two sizes, and the CPU times of this process are compared: linear work grows
as the size does, quadratic work as its square. How long either takes is of no account.
"""

from __future__ import annotations

import gc
import re
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from bothways import by_rules, in_bulk
from fitlog.hparams import parse_hparams
from fitlog_parsers import DIALECTS, Dialect, DialectFileError, LogReader, Rule, load_dialect
from fitlog_parsers.prefix import Clock, rank_tag
from fitlog_parsers.stamps import find_stamp
from test_dialects import every_rule

Work = Callable[[], object]

# In characters. No line is read that is longer than a megabyte; of every pattern and every rule
# that would take minutes, and a tenth of it shows as well what is quadratic.
LINE = (10_000, 1_000_000)
OF_EACH_RULE = (10_000, 100_000)
OF_EACH_PATTERN = (1000, 20_000)
# Time may grow as this power of the size. It is 1 for linear work, seen as up to 1.25 where what is
# small fits into the processor's cache; it is 2 for quadratic work.
POWER = 1.4
RECORD = "Epoch[0] Time cost=1.000\t"
PARTS = re.compile(r"[A-Za-z]++|[0-9]++|.", re.DOTALL)
FILLERS = [
    *(" ", "\t", "\r", "0", ".", "-", "a", "é", "[", "]", "(", ",", "=", "_"),
    *("a b ", "a=1,", "a=1 ", "\ta=1", "a: 1, ", "a=", "1, ", ", a ", "'a', ", " \t", "1.5 ", "A="),
]


def is_linear(work_of: Callable[[int], Work], sizes: tuple[int, int]) -> bool:
    """Whether works of two sizes take times that fit each other.

    What seems not to is measured again, up to five times: a pause of the machine is no finding.
    """
    small, large = map(work_of, sizes)
    most = (sizes[1] / sizes[0]) ** POWER
    return any(seconds(large) < most * min(seconds(small) for _ in range(3)) for _ in range(5))


def seconds(work: Work) -> float:
    gc.disable()  # as timeit does: it looks through all that the tests hold
    begin = time.process_time()
    work()
    end = time.process_time()
    gc.enable()
    return end - begin


def filled(before: str, filler: str, after: str, size: int) -> str:
    return before + filler * (size // len(filler)) + after


def on_filled(
    act: Callable[[str], object], before: str, filler: str, after: str = ""
) -> Callable[[int], Work]:
    """What acts on a text of a size: one part of it repeated."""
    return lambda size: partial(act, filled(before, filler, after, size))


def adversaries(example: str) -> Iterator[tuple[str, str, str]]:
    """The example with each of its parts repeated, or with one of the fillers in its place.

    What stands before the repetition, what is repeated, what comes after it.
    """
    parts = PARTS.findall(example)
    for i in range(len(parts)):
        before, here = "".join(parts[:i]), parts[i:]
        for length in (1, 2, 3, 5):
            yield before, "".join(here[:length]), "".join(here[length:])
        for filler in FILLERS:
            yield before, filler, "".join(here)


RULES = {
    f"{dialect.name}-{rule.name}": (dialect, rule, above)
    for dialect in DIALECTS
    for rule, above in every_rule(dialect)
}
STARTS = sorted({start for _, rule, _ in RULES.values() for start in rule.starts})


@pytest.mark.parametrize("name", RULES)
def test_a_pattern_does_not_backtrack_more_than_linearly(name: str) -> None:
    _, rule, _ = RULES[name]

    # A control character ends what almost matched, behind all of it or behind the repetition.
    slow = (
        (before, filler, end)
        for before, filler, after in dict.fromkeys(adversaries(rule.example))
        for end in (after + "\x01", "\x01")
        if not is_linear(on_filled(rule.pattern.match, before, filler, end), OF_EACH_PATTERN)
    )

    assert next(slow, None) is None


@pytest.mark.parametrize("name", RULES)
def test_a_line_of_one_rules_pieces_is_read_in_linear_time(name: str) -> None:
    dialect, rule, above = RULES[name]
    example = rule.example
    pieces = [example, example[:-1] + "x", f"Epoch[1] {example}", RECORD + example[:-1]]

    slow = [
        piece for piece in pieces if not is_linear(partial(reading, piece, above), OF_EACH_RULE)
    ]

    assert slow == [], dialect.name


@pytest.mark.parametrize("start", STARTS)
def test_a_line_of_starts_that_nothing_follows_is_read_in_linear_time(start: str) -> None:
    pieces = [start, f"Epoch[1] {start}", RECORD + start, f'Saved checkpoint to "a"{start}']

    slow = [piece for piece in pieces if not is_linear(partial(reading, piece, ()), OF_EACH_RULE)]

    assert slow == []


@pytest.mark.parametrize(
    "piece",
    [
        *("Epoch[0] Time cost=1.2", "Epoch[0] Train-a=0.5", "Iter[0] Batch[1] Train-a=1"),
        *("Iteration[0] Train-", "Iter[0] Batch[0] Train-a=1x", "Train-", "Validation-a"),
        *("Epoch[0] Batch [1]\tSpeed: 1.00 samples/sec\ta=1 ", "Namespace() x", "a=1\t", "=1"),
        *("\x1b[3", "[====] 5%\r"),
    ],
)
def test_a_line_of_torn_records_is_read_in_linear_time(piece: str) -> None:
    assert is_linear(partial(reading, piece, ()), LINE)


def reading(piece: str, above: tuple[Rule, ...], size: int) -> Work:
    """A log to read: the headings above, and a line of one piece repeated."""
    heads = [rule.example for rule in above]
    log = "".join(f"{line}\n" for line in [*heads, filled("", piece, "", size)]).encode()
    return lambda: LogReader().feed(log)


@pytest.mark.parametrize(
    "piece",
    [
        *(" ", "\t", "\r", "0", "[", "Epoch[", "训", "\x1b[3", "Train-", "samples/s"),
        *(f"{RECORD}Namespace(", "[1,0]<stderr>:", "12:00:00 ", "Epoch[1] Batch [2]\tSpeed: "),
    ],
)
@pytest.mark.parametrize("read", [by_rules, in_bulk])
def test_a_line_of_a_megabyte_is_read_in_linear_time(
    read: Callable[[list[bytes]], object], piece: str
) -> None:
    def work_of(size: int) -> Work:
        line = filled("", piece, "", size // len(piece.encode()) * len(piece)).encode()
        return partial(read, [line + b" Epoch[0] Time cost=1.000\n"])

    assert is_linear(work_of, LINE)


@pytest.mark.parametrize(
    "stamp",
    [
        *("2018-03-14 10:02:11,345 ", "14/03/2018 ", "2018-", "Mar 14 ", "Mar 14 10:02:11 ", "1:"),
        *("I0314 10:02:11 ", "10:02:11 ", "10:02:11", "INFO ", "INFO:root:", "[", ": ", "0", "14 "),
        *(
            "Node[1] ",
            "Node[",
            "[1,0]<stderr>:",
            "[1,0]<",
            "[rank 1] ",
            "[rank ",
            "\r",
            " a.cc:1: ",
        ),
        *("20180314 10:02:11 ", "14 Mar 2018 10:02:11", "Wed ", "1.1.2018 10:02:11,", "10:02:11."),
    ],
)
def test_what_stands_before_a_record_is_read_in_linear_time(stamp: str) -> None:
    def reads(text: str) -> None:
        find_stamp(text)
        Clock().read(text)
        rank_tag(text)
        LogReader().feed(f"{text}Epoch[0] Time cost=1.000\n".encode())

    befores = ("", "x", "10:02 ", "2018-03-14 10:02")
    slow = [
        before for before in befores if not is_linear(on_filled(reads, before, stamp), OF_EACH_RULE)
    ]

    assert slow == []


@pytest.mark.parametrize(
    "piece",
    [
        *(
            "a=1, ",
            "a",
            ",",
            "=",
            "(",
            "[",
            "a=[",
            "'",
            '"',
            "\\",
            "'a' ",
            "a='",
            ")",
            "a=Namespace(",
        ),
        *(
            "-",
            "1+",
            "9",
            "0x",
            "1_0",
            "{1:",
            "a=-",
            "lambda ",
            "a.",
            "[], ",
            "<a>, ",
            "a=(1, 2), ",
        ),
    ],
)
def test_arguments_are_taken_apart_in_linear_time(piece: str) -> None:
    assert is_linear(on_filled(parse_hparams, "Namespace(a=", piece, ")"), LINE)


@pytest.mark.parametrize(
    ("before", "filler", "after"),
    [
        ('name = "own"\nabout = "', "a", '"\n[[rule]]\nname = "a"\n'),
        ("rule = ", "[", ""),
        ("[[rule]]\nname = 'a'\nstarts = ['a']\npattern = '", "a", "'\nexample = 'a'\n"),
        ("[[rule]]\nname = 'a'\nstarts = ['a']\npattern = '", "{INT", "'\nexample = 'a'\n"),
        ("[[rule]]\nname = 'a'\nstarts = ['a']\npattern = '", "(a)", "'\nexample = 'a'\n"),
        ("[[rule]]\nname = 'a'\npattern = 'a'\nexample = 'a'\nstarts = [", "'a', ", "]\n"),
        ("[[rule]]\nname = 'a'\nstarts = ['a']\npattern = 'a[ab]*+'\nexample = '", "ab", "'\n"),
    ],
)
def test_a_dialects_file_is_read_in_linear_time(
    tmp_path: Path, before: str, filler: str, after: str
) -> None:
    def reads(path: Path) -> Dialect | None:
        re.purge()
        try:
            return load_dialect(path)
        except DialectFileError:
            return None

    def work_of(size: int) -> Work:
        path = tmp_path / f"{size}.toml"
        path.write_text(filled(before, filler, after, size))
        return partial(reads, path)

    assert is_linear(work_of, LINE)


@pytest.mark.parametrize("pattern", [r"a[ ]*[ ]*b", r"a[ ]*[^b]*c"])
def test_a_pattern_that_backtracks_more_is_found(pattern: str) -> None:
    hurt = re.compile(pattern)

    assert not is_linear(on_filled(hurt.match, "a", " "), OF_EACH_PATTERN)
