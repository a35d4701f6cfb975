"""The fast reader gives what the rules give, to the last bit, whatever the log and its pieces."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from bothways import by_rules, cut, in_bulk
from fitlog_parsers import MISSING
from fitlog_parsers.lines import MAX_LINE_BYTES
from fitlog_parsers.scanner import Scanner
from support import SAMPLES

LOGS = sorted(SAMPLES.glob("**/*.log"))
SPEED = "Epoch[{}] Batch [{}-{}]\tSpeed: {:.2f} samples/sec\tacc=0.500000\tloss=1.250000"


@pytest.mark.parametrize("log", LOGS, ids=lambda log: log.stem)
@pytest.mark.parametrize("size", [1 << 20, 977])
def test_a_sample_log_is_the_same_by_both_ways(log: Path, size: int) -> None:
    data = log.read_bytes()
    pieces = [data[i : i + size] for i in range(0, len(data), size)]

    assert in_bulk(pieces) == by_rules([data])


numbers = st.one_of(
    st.floats(0, 1).map("{:f}".format),
    st.floats(allow_nan=False, allow_infinity=False, width=32).map("{:f}".format),
    st.decimals(-(10**20), 10**20, allow_nan=False, places=3).map(str),
    st.sampled_from(["nan", "inf", "-inf", "-0.000000", "1e-05", "5.", "12", "x", "", "0.9685712"]),
)
names = st.sampled_from(["acc", "loss", "x y", "top_k_accuracy_5", "a=b", "M0_L1", "é", "n,"])
prefixes = st.sampled_from(
    [
        "",
        "INFO:root:",
        "2017-05-01 12:{:02d}:{:02d},037 Node[0] ",
        "2017-05-01T12:{:02d}:{:02d} ",
        "0026-05-01 12:{:02d}:{:02d},037 Node[0] ",
        "2017-02-3{:d} 12:00:{:02d},037 Node[1] ",
        "{:02d}/{:02d}/2018 10:11:12 AM: INFO: ",
        "{:02d}-07 01:{:02d} root         INFO     ",
        "{:02d}:{:02d}:38 INFO:",
        "{:d} {:d} ",
        "[1,0]<stderr>:",
    ]
)
others = st.sampled_from(
    [
        "",
        "start with arguments Namespace(lr=0.1)",
        "Start training with [cpu(0)]",
        "Update[10]: Change learning rate to 1.00000e-02",
        'Saved checkpoint to "m-0001.params"',
        "[Epoch 1] Validation: ",
        "mAP=0.5",
        "[Epoch 2] Begin, current learning rate: 0.1000",
        "Iter[0] Batch[10] Train-acc=0.500000",
        "Batch [50]\tSpeed: 10.00 samples/sec",
        "Epoch[0] Resetting Data Iterator",
        "saw Epoch[7] then Epoch[1] Time cost=1.000",
        "\x1b[32mI0505\x1b[0m Epoch[1] Time cost=1.000",
        "samples/sec Epoch[1] Validation-acc=0.500000",
        "Epoch[0] Batch [10-20]\tSpeed: 12.5 samples/sec",
        "Epoch[0] Batch [10-20]\tSpeed: 12.50 samples/sec acc=0.5\tloss=0.5",
        "Epoch[0] Batch [10-20]\tSpeed: 12.50 samples/sec\tacc=0.5 loss=0.5",
    ]
)


@st.composite
def runs(draw: st.DrawFn) -> list[str]:
    """The lines of a training as MXNet writes them, in one of its forms."""
    form = draw(st.sampled_from(["range", "range", "single", "per metric", "means"]))
    prefix, some = draw(prefixes), draw(st.lists(names, max_size=3, unique=True))
    gap = draw(st.sampled_from(["\t", "\t", " ", "\t\t"]))
    evaluates, validates = draw(st.booleans()), draw(st.booleans())
    records: list[str] = []

    def windows(epoch: int) -> None:
        for end in range(10, 10 * draw(st.integers(1, 5)), 10):
            start = {"range": f"{end - 10}-", "means": "0-"}.get(form, "")
            head = f"Epoch[{epoch}] Batch [{start}{end}]\tSpeed: {draw(speeds)} samples/sec"
            fields = [f"{gap}{name}={draw(numbers)}" for name in some]
            if form == "per metric":
                records.extend(f"{head}{field}" for field in fields)
            else:
                records.append(head + "".join(fields))

    for epoch in range(draw(st.integers(0, 2)), 4):
        windows(epoch)
        records += [f"Epoch[{epoch}] Train-{name}={draw(numbers)}" for name in some]
        records.append(f"Epoch[{epoch}] Time cost={draw(times)}")
        if evaluates:
            windows(epoch)
        if validates:
            records += [f"Epoch[{epoch}] Validation-{name}={draw(numbers)}" for name in some]
    clock = draw(st.integers(0, 61))
    return [prefix.format(n % 62, clock) + record for n, record in enumerate(records)]


speeds = st.sampled_from(["100.00", "100.00", "99.50", "101.25", "inf", "12", "1.5", "nan"])
times = st.sampled_from(["1.000", "2.000", "12.500", "3", "-1.000", "1e-05"])


@st.composite
def logs(draw: st.DrawFn) -> bytes:
    """Runs one after the other, in which some lines are lost, doubled, moved or other output."""
    lines = [line for run in draw(st.lists(runs(), min_size=1, max_size=3)) for line in run]
    for place, change in draw(
        st.lists(st.tuples(st.integers(0, 500), st.integers(0, 5)), max_size=8)
    ):
        if not lines:
            break
        i = place % len(lines)
        if change == 0:
            del lines[i]
        elif change == 1:
            lines.insert(i, lines[i])
        elif change == 2:
            lines.insert(i, lines.pop(place // 3 % len(lines)))
        elif change == 3:
            lines[i] = lines[i][: place % 60]
        else:
            lines.insert(i, draw(others))
    ends = st.sampled_from(["\n", "\n", "\n", "\n", "\r\n", " \n", "\t", "x\n"])
    usual = draw(st.sampled_from(["\n", "\n", "\r\n"]))
    odd = draw(st.dictionaries(st.integers(0, 60), ends, max_size=3))
    return "".join(line + odd.get(i, usual) for i, line in enumerate(lines)).encode()


@settings(deadline=None, max_examples=250, suppress_health_check=[HealthCheck.too_slow])
@given(logs(), st.lists(st.integers(0, 5000), max_size=4))
@example(b"".join((SPEED.format(0, 0, n, 1.0) + "\n").encode() for n in (10, 20, 20, 10)), [90])
def test_a_generated_log_is_the_same_by_both_ways(log: bytes, places: list[int]) -> None:
    assert in_bulk(cut(log, places)) == by_rules([log])


@settings(deadline=None, max_examples=100, suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
def test_a_damaged_log_is_the_same_by_both_ways(data: st.DataObject) -> None:
    log = bytearray((SAMPLES / data.draw(st.sampled_from(LOGS))).read_bytes()[:20_000])
    for place in data.draw(st.lists(st.integers(0, len(log) - 1), max_size=20)):
        log[place] = data.draw(st.integers(0, 255))
    places = data.draw(st.lists(st.integers(0, len(log)), max_size=3))

    assert in_bulk(cut(bytes(log), places)) == by_rules([bytes(log)])


def test_a_line_beyond_the_bound_is_the_same_by_both_ways() -> None:
    line = (SPEED.format(0, 0, 10, 1.0) + "\n").encode()
    giant = b"x" * (MAX_LINE_BYTES + 1) + line
    log = line + giant + line.replace(b"0-10", b"10-20")

    assert in_bulk([log]) == by_rules([log])
    assert in_bulk(cut(log, [500_000, 1_000_000])) == by_rules([log])
    assert len(in_bulk([log])["unparsed"]) == 1


def test_lines_of_interleaved_ranks_are_the_same_by_both_ways() -> None:
    log = "".join(
        f"Node[{rank}] {SPEED.format(epoch, batch, batch + 10, 100.0 + rank)}\n"
        for epoch in (0, 1, 0)
        for batch in (0, 10, 20)
        for rank in (0, 1, 2)
    ).encode()

    assert in_bulk([log]) == by_rules([log])
    assert set(in_bulk([log])["speed.run"]) == {0, 1}


def test_evaluation_windows_at_the_end_of_a_piece_wait_for_the_next_one() -> None:
    first = [SPEED.format(0, 0, 10, 1.0), "Epoch[0] Time cost=1.000", SPEED.format(0, 0, 10, 2.0)]
    second = ["Epoch[0] Validation-acc=0.500000", SPEED.format(1, 0, 10, 3.0)]
    pieces = ["".join(f"{line}\n" for line in part).encode() for part in (first, second)]

    found = in_bulk(pieces)

    assert found["speed.split"] == [0, 1, 0]
    assert found == by_rules([b"".join(pieces)])


TABS = "Epoch[0] Batch [{}]\tSpeed: 1.00 samples/sec\tacc=0.500000\tloss=0.500000"
WINDOW = SPEED.format(0, 0, 10, 1.0)


@pytest.mark.parametrize(
    ("lines", "tells"),
    [
        pytest.param(
            [
                TABS.format(10),
                TABS.format(20).replace("\tacc", " acc").replace("\tloss", " loss"),
                TABS.format(30).replace("\tloss", " loss"),
            ],
            ("metrics.line", [1, 1, 2, 2]),
            id="fields set off by tabs and by blanks",
        ),
        pytest.param(
            [
                f"2017-05-01 {clock},000 Node[0] {SPEED.format(0, n, n + 10, 1.0)}"
                for n, clock in enumerate(["12:00:00", "12:00:01", "12:00:61", "25:00:00"])
            ],
            ("speed.time", [1_493_640_000_000_000, 1_493_640_001_000_000, MISSING, MISSING]),
            id="a clock that shows no time",
        ),
        pytest.param(
            [
                "start with arguments Namespace(lr=0.1)",
                "Update[10]: Change learning rate to 1.00000e-02",
                "Start training with [cpu(0)]",
                WINDOW,
            ],
            ("speed.run", [1]),
            id="a record between two start lines",
        ),
        pytest.param(
            [WINDOW, "Epoch[0] Train-acc=0.100000", "Epoch[0] Train-acc=0.200000"],
            ("metrics.run", [0, 0, 0, 1]),
            id="an epoch that ends twice",
        ),
        pytest.param(
            [WINDOW, "[Epoch 1] Validation: ", WINDOW, "mAP=0.5"],
            ("metrics.line", [1, 1, 3, 3]),
            id="a canonical line below a heading",
        ),
        pytest.param(
            [TABS.format(10).replace("loss", "\x1b[1mloss"), TABS.format(20)],
            ("metrics.metric", [0, 1, 0, 1]),
            id="a colour in a metric's name",
        ),
        pytest.param(
            [f"Batch:      16 {TABS.format(10)}", f"Batch:      16 fc{WINDOW}", TABS.format(20)],
            ("metrics.line", [1, 1, 2, 2, 3, 3]),
            id="a start that the record behind it completes",
        ),
        pytest.param(
            [TABS.format(10), "AP for café = 0.5", f"[{'训' * 60}][10]XNorm: 1.5"],
            ("metrics.line", [1, 1, 2, 3]),
            id="letters that are no ASCII in what tells a start from prose",
        ),
        pytest.param(
            [
                f"Node[1] {TABS.format(30)}",
                f"Node[3] {TABS.format(30)}",
                f"Node[3] {TABS.format(20)}\tNode[1] {TABS.format(10)}",
            ],
            ("speed.run", [0, 0, 1, 1]),
            id="two nodes that start again on one line",
        ),
        pytest.param(
            [
                f"Epoch[{n}] Time cost={cost}"
                for n, cost in enumerate(["0.E85", "0.1e5", "1.500", f"{'9' * 19}.500"])
            ],
            ("events.line", [3]),
            id="a time with an exponent or too many digits",
        ),
    ],
)
def test_what_one_line_changes_for_another_is_the_same_by_both_ways(
    lines: list[str], tells: tuple[str, list[int]]
) -> None:
    log = "".join(f"{line}\n" for line in lines).encode()

    found = in_bulk([log])

    assert found == by_rules([log])
    assert found[tells[0]] == tells[1]


def test_times_wait_until_the_file_tells_day_from_month() -> None:
    stamps = ["03/04/2018 10:00:00", "03/04/2018 10:00:10", "13/04/2018 10:00:20"]
    pieces = [f"{stamp} Epoch[0] Time cost=1.000\n".encode() for stamp in stamps]

    found = in_bulk(pieces)

    assert found == by_rules([b"".join(pieces)])
    days = [time // 86_400_000_000 for time in found["events.time"]]
    assert days == [17_624, 17_624, 17_634]  # 2018-04-03, and ten days later


def test_a_file_that_never_tells_day_from_month_has_no_times() -> None:
    log = b"03/04/2018 10:00:00 Epoch[0] Time cost=1.000\n" * 2

    found = in_bulk([log])

    assert found == by_rules([log])
    assert found["events.time"] == [MISSING, MISSING]
    assert [finding.code for _, finding in found["findings"]] == ["date-order"]


def test_canonical_lines_are_read_in_lock_step(monkeypatch: pytest.MonkeyPatch) -> None:
    log = "".join(SPEED.format(0, n, n + 10, 9.5) + "\n" for n in range(0, 10_000, 10)).encode()
    scanned: list[int] = []
    scan = Scanner.scan

    def watched(self: Scanner, number: int, raw: bytes, *, ended: bool = True) -> Any:
        scanned.append(number)
        return scan(self, number, raw, ended=ended)

    monkeypatch.setattr(Scanner, "scan", watched)

    found = in_bulk([log])

    assert len(found["speed.line"]) == 1000
    assert scanned == []
