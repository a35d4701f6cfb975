"""Dialects of users: files that describe one, packages that bring one."""

from __future__ import annotations

import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from fitlog import DialectFileError, read_log
from fitlog_parsers import LogReader, Metric, Row, Unparsed, find_dialects, load_dialect
from support import SAMPLES

OWN = SAMPLES / "dialects" / "own"
RULE = """\
name = "mine"
about = "my script"
[[rule]]
name = "step"
starts = ["step "]
pattern = 'step[ ](?P<batch_end>{INT})[ ]loss[ ](?P<loss>{FLOAT})'
metrics = { loss = "loss" }
example = "step 20 loss 0.25"
"""


def described(tmp_path: Path, text: str = RULE) -> Path:
    path = tmp_path / "mine.toml"
    path.write_text(text)
    return path


def test_the_worked_example_of_the_documentation_is_the_sample() -> None:
    page = (SAMPLES.parent / "docs" / "dialects.md").read_text("utf-8")

    assert f"```toml\n{(OWN / 'mytool.toml').read_text('utf-8')}```" in page


def test_a_file_adds_a_dialect_to_the_others() -> None:
    log = (OWN / "mytool.log").read_bytes() + b"Epoch[0] Time cost=2.000\n"

    tables = read_log(log, dialect_file=OWN / "mytool.toml")

    assert tables.dialects == {"mytool": 6, "module": 1}
    assert tables.speed["samples_per_sec"].tolist() == [512.0, 520.5, 518.25, 522.0]
    assert tables.metrics["value"].tolist() == [
        *(2.25, 1.75, 0.91, 0.98),
        *(1.25, 0.9375, 0.94, 0.99),
    ]
    assert tables.unparsed.empty


def test_a_dialect_of_a_file_can_be_read_alone() -> None:
    log = b"step 20 loss 2.0000 512.00 img/s\nEpoch[0] Time cost=2.000\n"

    tables = read_log(log, dialect="mytool", dialect_file=OWN / "mytool.toml")

    assert tables.dialects == {"mytool": 1}


def test_a_users_rule_goes_before_other_dialects_but_for_modules_own(tmp_path: Path) -> None:
    path = described(tmp_path)

    order = [dialect.name for dialect in find_dialects(None, (load_dialect(path),))]

    assert order[:2] == ["module", "mine"]


def test_what_a_pattern_took_for_a_number_and_is_none_is_not_read(tmp_path: Path) -> None:
    path = described(tmp_path, RULE.replace("(?P<loss>{FLOAT})", "(?P<loss>\\S+)"))
    reader = LogReader((load_dialect(path),))

    entries = reader.feed(b"step 20 loss 0.25\nstep 40 loss high\n") + reader.close()

    assert [type(entry) for entry in entries] == [Row, Unparsed]
    first = entries[0]
    assert isinstance(first, Row)
    assert isinstance(first.record, Metric)
    assert (first.record.metric, first.record.value) == ("loss", 0.25)


@pytest.mark.parametrize(
    ("pattern", "line"),
    [
        ("(?P<epoch>[0-9]+)[ ]loss[ ](?P<loss>{FLOAT})", "99999999999999999999 loss 0.25"),
        ("(?P<node>[0-9]+)[ ]loss[ ](?P<loss>{FLOAT})", "9223372036854775808 loss 0.25"),
        ("(?P<node>\\w+)[ ]loss[ ](?P<loss>{FLOAT})", "two loss 0.25"),
        ("(?P<milliseconds>[0-9]+)[ ]loss[ ](?P<loss>{FLOAT})", f"{'9' * 400} loss 0.25"),
    ],
)
def test_a_count_that_is_none_is_not_read(tmp_path: Path, pattern: str, line: str) -> None:
    old = "(?P<batch_end>{INT})[ ]loss[ ](?P<loss>{FLOAT})"
    path = described(tmp_path, RULE.replace(old, pattern))

    log = read_log(f"step 20 loss 0.25\nstep {line}\n".encode(), dialect_file=path)

    assert log.metrics["value"].tolist() == [0.25]
    assert log.unparsed["text"].tolist() == [f"step {line}"]


def test_a_pattern_that_matches_nothing_reads_nothing(tmp_path: Path) -> None:
    rule = RULE.replace("pattern = 'step", "pattern = '(?:step").replace("{FLOAT})'", "{FLOAT}))?'")
    path = described(tmp_path, rule)

    log = read_log(b"step x loss 0.25\n", dialect_file=path)

    assert log.metrics.empty
    assert log.unparsed["text"].tolist() == ["step x loss 0.25"]


def test_a_field_without_its_value_is_left_out(tmp_path: Path) -> None:
    rule = RULE.replace(
        'metrics = { loss = "loss" }', "fields = '(?P<metric>[a-z])(?P<value>[0-9])?'"
    )
    rule = rule.replace("(?P<loss>{FLOAT})", "(?P<fields>[a-z0-9]+)").replace("0.25", "a1b2")
    path = described(tmp_path, rule)

    log = read_log(b"step 20 loss a1b\n", dialect_file=path)

    assert log.metrics[["metric", "value"]].to_numpy().tolist() == [["a", 1.0]]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('name = "mine"', "", "name is missing"),
        ("[[rule]]", "[[rules]]", "has no [[rule]]"),
        ('starts = ["step "]', "starts = []", "rule 1 (step): starts must be a list"),
        ('starts = ["step "]', 'starts = ["stop "]', "its example begins with none of its starts"),
        ("{INT})", "{INT}", "no regular expression: missing )"),
        ("batch_end", "nbatch", "the group 'nbatch' means nothing; groups are batch_end"),
        ('loss = "loss"', 'lose = "loss"', "the pattern has no group 'lose'"),
        ("0.25", "0.25x", "does not match its example to the end"),
        ("loss 0.25", "loss much", "does not match its example"),
        ("example =", 'split = "test"\nexample =', "split must be one of train, validation"),
        ("example =", "exmaple =", "unknown key 'exmaple'; known: ahead, example"),
        ("[[rule]]", "[[rule]", "is not TOML"),
        ("[[rule]]", f"x = {'[' * 3000}", "is nested too deeply"),
        ("[[rule]]", f"x = {'9' * 5000}\n[[rule]]", "is not TOML: Exceeds the limit"),
        ("step[ ]", f"{'(' * 3000}step[ ]{')' * 3000}", "its pattern is nested too deeply"),
        ("step[ ]", "step[ ]{99999999999999}", "no regular expression: the repetition number"),
        ("example =", "ahead = '('\nexample =", "ahead is no regular expression: missing )"),
        ("example =", "ahead = '(2)0'\nexample =", "ahead can have no groups but (?:...)"),
        ("example =", "ahead = '\\u0032'\nexample =", "ahead is no regular expression: bad esc"),
        ("step 20", f"step 2{'0' * 18}", "does not match its example"),
        (
            "(?P<batch_end>{INT})[ ]loss[ ](?P<loss>{FLOAT})'",
            "20[ ](?P<metric>loss)[ ]0.25'\nfields = '(?P<metric>a)(?P<value>b)'",
            "the pattern has no group 'loss'",
        ),
    ],
)
def test_a_file_that_describes_no_dialect_is_refused_with_the_reason(
    tmp_path: Path, old: str, new: str, message: str
) -> None:
    path = described(tmp_path, RULE.replace(old, new, 1))

    with pytest.raises(DialectFileError) as caught:
        load_dialect(path)

    assert message in str(caught.value)
    assert str(path) in str(caught.value)


def test_a_file_that_is_not_there_ends_the_command_with_its_name(tmp_path: Path) -> None:
    fitlog = Path(sysconfig.get_path("scripts")) / "fitlog"
    log = SAMPLES / "lenet-1.log"
    done = subprocess.run(
        [fitlog, "parse", log, "--dialect-file", tmp_path / "no.toml"],
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 2
    assert f"{tmp_path}/no.toml: cannot be read: No such file" in done.stderr


def test_an_installed_package_brings_its_dialect(tmp_path: Path) -> None:
    (tmp_path / "mytool.py").write_text(
        "from fitlog_parsers import load_dialect\n"
        f"MYTOOL = load_dialect({str(OWN / 'mytool.toml')!r})\n"
    )
    info = tmp_path / "mytool-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: mytool\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[fitlog.dialects]\nmytool = mytool:MYTOOL\n")
    program = (
        "import sys, fitlog\n"
        f"sys.path.insert(0, {str(tmp_path)!r})\n"
        f"print(fitlog.read_log({str(OWN / 'mytool.log')!r}).dialects)\n"
    )

    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )

    assert done.stdout == "{'mytool': 6}\n"
