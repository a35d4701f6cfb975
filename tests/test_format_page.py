"""The grammar of docs/format.md: the lines of Module's dialect, and no lines that only look so."""

from __future__ import annotations

import re

import pytest

from fitlog_parsers import LogReader, Row, Rule, find_dialects
from support import PROJECT, SAMPLES

PAGE = (PROJECT / "docs" / "format.md").read_text("utf-8")
(MODULE,) = find_dialects("module")
_TOKEN = re.compile(
    r"""\s+|"(?P<text>[^"]*)"|(?P<set>\[[^\]]*\])|\#x(?P<code>[0-9A-F]+)
    |(?P<operator>[()|?*+])|(?P<name>[a-z][a-z0-9.-]*)""",
    re.VERBOSE,
)


def productions() -> dict[str, str]:
    """The right side of each production on the page, by its name."""
    text = "\n".join(re.findall(r"^```ebnf\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE))
    parts = re.split(r"^([a-z][a-z0-9.-]*) *::=", text, flags=re.MULTILINE)
    names = parts[1::2]
    assert len(set(names)) == len(names)
    return dict(zip(names, parts[2::2], strict=True))


def pattern_of(name: str, rules: dict[str, str]) -> str:
    """A production as a regular expression: none refers to itself."""
    pieces, place, right = [], 0, rules[name]
    while place < len(right):
        token = _TOKEN.match(right, place)
        assert token, f"{name}: {right[place:]}"
        place = token.end()
        if token["text"] is not None:
            pieces.append(f"(?:{re.escape(token['text'])})")
        elif token["set"]:
            pieces.append(_characters(token["set"]))
        elif token["code"]:
            pieces.append(re.escape(chr(int(token["code"], 16))))
        elif token["name"]:
            pieces.append(f"(?:{pattern_of(token['name'], rules)})")
        elif token["operator"]:
            pieces.append(token["operator"])
    return "".join(pieces)


def _characters(codes: str) -> str:
    """A set with the characters themselves in the place of their codes."""
    return re.sub(r"#x([0-9A-F]+)", lambda code: re.escape(chr(int(code[1], 16))), codes)


RULES = productions()
RECORD = re.compile(pattern_of("record", RULES))


def reads_whole(line: str) -> bool:
    """Whether Module's rules read the line as one record from its beginning to its end."""
    reader = LogReader(dialects=(MODULE,))
    entries = reader.feed(line.encode() + b"\n") + reader.close()
    return bool(entries) and all(isinstance(entry, Row) for entry in entries)


@pytest.mark.parametrize("rule", MODULE.rules, ids=lambda rule: rule.name)
def test_the_example_of_each_rule_is_a_record(rule: Rule) -> None:
    assert RECORD.fullmatch(rule.example), rule.example


def test_the_examples_of_the_page_are_records_and_are_read() -> None:
    shown = [
        code.replace("→", "\t")
        for code in re.findall(r"(?<=`)[^`\n]+(?=` \||`$)", PAGE, re.MULTILINE)
        if "[" in code or "Epoch" in code or "Saved" in code or "Batch:" in code
    ]

    assert len(shown) >= 15
    for line in shown:
        assert RECORD.fullmatch(line), line
        assert reads_whole(line), line


@pytest.mark.parametrize(
    ("production", "log"),
    [
        ("speed-0.7", "mxnet-0.9"),
        ("speed-0.10", "mxnet-0.12"),
        ("speed-0.10", "mxnet-1.2"),
        ("speed-1.4", "mxnet-1.4"),
        ("speed-1.4", "canonical"),
        ("speed-bare", "no-metric"),
        ("speed-1.4", "six-metrics"),
    ],
)
def test_what_each_version_really_wrote_is_in_its_grammar(production: str, log: str) -> None:
    path = SAMPLES / f"{log}.log"
    speed = re.compile(pattern_of(production, RULES))

    lines = path.read_text("utf-8").splitlines()
    lines = [re.sub(r"^.*?(?=(?:Epoch|Iter)\[)", "", line) for line in lines]

    assert len(lines) > 5
    for line in lines:
        assert RECORD.fullmatch(line), line
        if "Speed" in line:
            assert speed.fullmatch(line), line


@pytest.mark.parametrize(
    "line",
    [
        "Epoch[0] Batch [0-20] Speed: 257.26 samples/sec\taccuracy=0.968571",
        "Epoch[0] Batch [0-20]\tSpeed: 257.2 samples/sec\taccuracy=0.968571",
        "Epoch[0] Batch [0-20]\tSpeed: 257.26 samples/sec\taccuracy=0.97",
        "Epoch[0] Batch [0-20]\tSpeed: 257.26 samples/sec\taccuracy=0.968571,",
        "Epoch[x] Batch [0-20]\tSpeed: 257.26 samples/sec",
        "Epoch[0] Batch[0-20]\tSpeed: 257.26 samples/sec",
        "Epoch[0] Batch [20-]\tSpeed: 257.26 samples/sec",
        "Epoch[0] Train-accuracy=0.97",
        "Epoch[0] Training-accuracy=0.968571",
        "Epoch[0] Validation-accuracy",
        "Epoch[0] Time cost=12",
        "Epoch[0] Time cost=12.34",
        "Iter[0] Batch[50]\tSpeed: 31067.45 samples/sec",
        "Iter[0] Batch [50] Train-accuracy=0.910000",
        "Batch [50] Speed: 1034.50",
        "Saved checkpoint to model-0001.params",
        "Update[1001]: Change learning rate to 0.05",
        "Start training with love",
        "[====----] 20",
        "Epoch 0, Testing ('accuracy', 0.4346)",
        "epoch: 0 iter: 100 metric: accuracy",
    ],
)
def test_a_line_that_only_looks_like_a_record_is_refused(line: str) -> None:
    assert not RECORD.fullmatch(line)


def test_every_production_is_used() -> None:
    named = {token for right in RULES.values() for token in re.findall(r"[a-z][a-z0-9.-]*", right)}

    assert set(RULES) - named == {"record"}
