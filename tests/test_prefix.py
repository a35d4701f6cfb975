"""Time stamps and ranks before a record: every form, and what is none."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from time import process_time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fitlog_parsers.prefix import Clock, Prefix
from stamped import codes, shown, times


@pytest.mark.parametrize(
    ("text", "said"),
    [
        # Year first.
        ("2018-03-14 10:02:11,345 Node[0] ", "2018-03-14 10:02:11.345000"),
        ("2018-03-14 10:02:11,345 - ", "2018-03-14 10:02:11.345000"),
        ("2018-03-14 10:02:11,345 INFO - ", "2018-03-14 10:02:11.345000"),
        ("2018-03-14 10:02:11,345 - root - ", "2018-03-14 10:02:11.345000"),
        ("2018-03-14 10:02:11.5 ", "2018-03-14 10:02:11.500000"),
        ("2018-03-14 10:02:11.345678 ", "2018-03-14 10:02:11.345678"),
        ("2018-03-14T10:02:11.123456789Z stderr F ", "2018-03-14 10:02:11.123456"),
        ("2018-03-14T10:02:11Z ", "2018-03-14 10:02:11"),
        ("2018-03-14T10:02:11+0200 ", "2018-03-14 10:02:11"),
        ("2018-03-14 10:02:11,345-05:00 ", "2018-03-14 10:02:11.345000"),
        ("2018-03-14 10:02 INFO ", "2018-03-14 10:02:00"),
        ("2018-03-14 10:02:11 PM ", "2018-03-14 22:02:11"),
        ("2018-03-14 10:02:11PM: INFO: ", "2018-03-14 22:02:11"),
        ("2018-03-14 10:02:11,345 PM ", "2018-03-14 22:02:11.345000"),
        ("2018/03/14 10:02:11 ", "2018-03-14 10:02:11"),
        ("2018.03.14 10:02:11 ", "2018-03-14 10:02:11"),
        ("[2018-03-14:10:02:11:INFO:train:fit] ", "2018-03-14 10:02:11"),
        ("2018-03-14 10:02:11 [main] [a.Callback$Speedometer] [INFO] - ", "2018-03-14 10:02:11"),
        ("INFO:root:2018-03-14 10:02:11,345 ", "2018-03-14 10:02:11.345000"),
        ("20180314 10:02:11 ", "2018-03-14 10:02:11"),
        ("2020-02-29 23:59:59,999 ", "2020-02-29 23:59:59.999000"),
        # Year last, in a form that tells its order itself.
        ("16/06/2019 07:15:40 PM: INFO: ", "2019-06-16 19:15:40"),
        ("06/16/2019 07:15:40 AM ", "2019-06-16 07:15:40"),
        ("6/16/2019, 7:15:40 PM ", "2019-06-16 19:15:40"),
        ("16.06.2019 19:15:40 ", "2019-06-16 19:15:40"),
        ("16-06-2019 19:15:40 ", "2019-06-16 19:15:40"),
        ("[16-06-2019 19:15] ", "2019-06-16 19:15:00"),
        ("16/06/2019 19:15:40 PM ", "2019-06-16 19:15:40"),
        ("16/06/2019 12:00:01 AM ", "2019-06-16 00:00:01"),
        ("16/06/2019 12:00:01 PM ", "2019-06-16 12:00:01"),
        ("05/05/2019 12:00:01 pm ", "2019-05-05 12:00:01"),
        # A month by its name.
        ("Wed Mar 14 10:02:11 2018 ", "2018-03-14 10:02:11"),
        ("Wed Mar  7 10:02:11 2018: ", "2018-03-07 10:02:11"),
        ("Wed Mar 14 10:02:11 CEST 2018 ", "2018-03-14 10:02:11"),
        ("Wed Mar 14 10:02:11 2018[1,3]<stderr>:", "2018-03-14 10:02:11"),
        ("Mar 14, 2018 10:02:11 AM ", "2018-03-14 10:02:11"),
        ("March 14, 2018 10:02:11 PM ", "2018-03-14 22:02:11"),
        ("14 Mar 2018 10:02:11,345 ", "2018-03-14 10:02:11.345000"),
        ("Wed, 14 Mar 2018 10:02:11 +0100 ", "2018-03-14 10:02:11"),
        ("[14/Mar/2018:10:02:11 +0000] ", "2018-03-14 10:02:11"),
        ("14-Mar-2018 10:02:11 ", "2018-03-14 10:02:11"),
        ("2018-Mar-14 10:02:11 ", "2018-03-14 10:02:11"),
        # Without a year.
        ("\x1b[32mI0514 01:36:57 4710 base_module.py:fit:480]\x1b[0m ", "1972-05-14 01:36:57"),
        ("I0514 01:36:57.345678 4710 train.py:48] ", "1972-05-14 01:36:57.345678"),
        ("I20180514 01:36:57.345678 4710 train.py:48] ", "2018-05-14 01:36:57.345678"),
        ("Mar 14 10:02:11 gpu07 python[4710]: ", "1972-03-14 10:02:11"),
        ("14 Mar 10:02:11 ", "1972-03-14 10:02:11"),
        ("Feb 29 10:02:11 ", "1972-02-29 10:02:11"),
        ("03-08 14:52 root         INFO     ", "1972-03-08 14:52:00"),
        ("06-09 21:14:06 ", "1972-06-09 21:14:06"),
        ("[07/25 11:48:05 INFO] ", "1972-07-25 11:48:05"),
        ("07/25 11:48:05 PM ", "1972-07-25 23:48:05"),
        ("25/07 11:48:05 ", "1972-07-25 11:48:05"),
        # Without a date.
        ("05:52:13 INFO:", "1970-01-01 05:52:13"),
        ("Node[1] 08:51:33 INFO:root:", "1970-01-01 08:51:33"),
        ("[1,3]<stderr>:08:51:33 ", "1970-01-01 08:51:33"),
        ("[rank 3] 08:51:33 ", "1970-01-01 08:51:33"),
        ("INFO:root:07:41:26 ", "1970-01-01 07:41:26"),
        ("[INFO 07:41:26,250] ", "1970-01-01 07:41:26.250000"),
        ("7:15:40 PM INFO ", "1970-01-01 19:15:40"),
        ("> 05:52:13 INFO:", "1970-01-01 05:52:13"),
        ("## [09:43:17] ", "1970-01-01 09:43:17"),
        ("[===--] 45%\r05:52:13 ", "1970-01-01 05:52:13"),
    ],
)
def test_a_stamp_is_read_in_every_form(text: str, said: str) -> None:
    assert times(text) == [said]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("reading train-01172018-03-14 20:47:19,061 ", "2018-03-14 20:47:19.061000"),
        ("[12.5, 7.403188272018-03-14 02:31:40,224 ", "2018-03-14 02:31:40.224000"),
        ("Don2018-03-14 02:31:40,224 Node[2] ", "2018-03-14 02:31:40.224000"),
        ("2018-03-14 02:31:40,2242018-03-14 02:31:41,100 ", "2018-03-14 02:31:41.100000"),
        ("2018-03-14 02:31:40,224 loss 2018-03-14 02:31:41,100 ", "2018-03-14 02:31:41.100000"),
        ("2018-03-14 02:31:40,224 took 00:12:30 ", "2018-03-14 02:31:40.224000"),
        ("[09:43:17] ../src/x.cc:9: ok2018-03-14 09:43:18,100 ", "2018-03-14 09:43:18.100000"),
        ("2018-05-14T01:36:58.1Z I0514 01:36:57 4710 a.py:9] ", "1972-05-14 01:36:57"),
    ],
)
def test_the_last_stamp_counts_also_behind_torn_output(text: str, said: str) -> None:
    assert times(text) == [said]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "INFO:root:",
        "INFO  org.apache.mxnet.Callback$Speedometer: ",
        "[INFO] [12:34] ",
        # What cannot be.
        "2017-02-30 10:00:00 ",
        "2017-13-01 10:00:00 ",
        "2018-03-14 24:00:00 ",
        "2018-03-14 10:60:00 ",
        "2018-03-14 10:00:60 ",
        "2018-03-14 14:00:00 AM ",
        "2018-03-14 00:10:00 PM ",
        "1825-03-14 10:02:11 ",
        "31/04/2019 10:02:11 ",
        "13/13/2019 10:02:11 ",
        "00/00 10:02:11 ",
        "Feb 30 10:02:11 ",
        "25:10:00 INFO ",
        # The end of another word.
        "116/06/2019 07:15:40 ",
        "v16.06.2019 07:15:40 ",
        "18/06/16 07:15:40 ",
        "dI0514 01:36:57 4710 ",
        "0.120180314 10:02:11 ",
        "1:07:41:26 ",
        "07:41:26:12 ",
        "407:41:26 ",
        # Other output that holds a time or a duration.
        "took 00:12:30 ",
        "ETA: 00:12:30 ",
        "ETA 0:12:30 ",
        "0:12:30 ",
        "45%|####  | 12/27 [00:12<00:15, 3.20it/s] ",
        "loss 0.5 at 12:30:45 ",
        "step 12/25 10:20:30 ",
        "a ratio of 10:20:30, ",
        "backup-2018-03-14_10-02-11/ ",
        "[09:43:17] ../src/io/iter_image_recordio.cc:91: use 6 threads",
        "[09:43:17] src/operator/./cudnn_algoreg-inl.h:58: Running performance tests",
        "I0514 01:36:57.345678 4710 kvstore_dist.cc:12] connected",
        # Other scripts' digits.
        "\u0662\u0660\u0661\u0668-03-14 10:02:1\u0661 ",
    ],
)
def test_no_time_is_invented(text: str) -> None:
    assert times(text) == [None]
    assert codes(text) == []


@pytest.mark.parametrize(
    ("text", "node"),
    [
        ("2018-03-14 10:02:11,345 Node[0] ", 0),
        ("2018-03-14 10:02:11,345 INFO Node[12] - ", 12),
        ("Node[1] 08:51:33 INFO:root:", 1),
        ("Node[1535] ", 1535),
        ("2018-03-14 10:02:11,345 Worker[2] ", 2),
        ("[1,3]<stderr>:INFO:root:", 3),
        ("[1,3]<stdout>:", 3),
        ("[prterun-gpu07-4710@1,3]<stderr>:", 3),
        ("[rank 3] INFO ", 3),
        ("[Rank 3] ", 3),
        ("[rank3]: ", 3),
        ("Node[1] Node[2] ", 2),
        ("\x1b[32mNode[4]\x1b[0m ", 4),
        ("2018-03-14 10:02:11,345 Server[0] ", None),
        ("Node[1] ok2018-03-14 10:02:11,345 Server[0] ", None),
        ("MyNode[3] ", None),
        ("Node[] ", None),
        ("Node[-1] ", None),
        ("Node[12345678901] ", None),
        ("[1,3] ", None),
        ("[3] ", None),
        ("INFO:root:", None),
        ("", None),
    ],
)
def test_a_rank_is_that_of_a_worker(text: str, node: int | None) -> None:
    assert Clock().read(text).node == node


# How a moment is written, in forms that say all of it to the given part of a second.
FORMS: list[tuple[str, Callable[[datetime], datetime]]] = [
    ("%Y-%m-%d %H:%M:%S,%f Node[0] ", lambda t: t),
    ("%Y-%m-%dT%H:%M:%S.%f+0200 ", lambda t: t),
    ("%Y/%m/%d %H:%M:%S ", lambda t: t.replace(microsecond=0)),
    ("[%Y-%m-%d:%H:%M:%S:INFO:train:fit] ", lambda t: t.replace(microsecond=0)),
    ("%Y-%m-%d %H:%M INFO ", lambda t: t.replace(second=0, microsecond=0)),
    ("%d/%m/%Y %I:%M:%S %p: INFO: ", lambda t: t.replace(microsecond=0)),
    ("%m/%d/%Y %I:%M:%S %p ", lambda t: t.replace(microsecond=0)),
    ("%d.%m.%Y %H:%M:%S,%f ", lambda t: t),
    ("%d-%m-%Y %H:%M:%S ", lambda t: t.replace(microsecond=0)),
    ("%a %b %d %H:%M:%S %Y ", lambda t: t.replace(microsecond=0)),
    ("%B %d, %Y %I:%M:%S %p ", lambda t: t.replace(microsecond=0)),
    ("%d %b %Y %H:%M:%S,%f ", lambda t: t),
    ("%d/%b/%Y:%H:%M:%S +0000 ", lambda t: t.replace(microsecond=0)),
    ("I%Y%m%d %H:%M:%S.%f 4710 train.py:48] ", lambda t: t),
    ("I%m%d %H:%M:%S.%f 4710 train.py:48] ", lambda t: t.replace(year=1972)),
    ("%b %d %H:%M:%S ", lambda t: t.replace(year=1972, microsecond=0)),
    ("%m-%d %H:%M:%S,%f ", lambda t: t.replace(year=1972)),
    ("%d/%m %H:%M:%S,%f ", lambda t: t.replace(year=1972)),
    ("[%H:%M:%S,%f] ", lambda t: t.replace(1970, 1, 1)),
    ("%I:%M:%S %p INFO ", lambda t: t.replace(1970, 1, 1, microsecond=0)),
]
MOMENTS = st.datetimes(datetime(1970, 1, 1), datetime(2199, 12, 31))


@pytest.mark.parametrize(("form", "said"), FORMS, ids=[form for form, _ in FORMS])
@given(moment=MOMENTS)
def test_what_a_form_says_of_a_moment_is_read_back(
    form: str, said: Callable[[datetime], datetime], moment: datetime
) -> None:
    # A day that tells the order, in the year that is counted in, so that no year ends between.
    teller = moment.replace(day=20)

    first, _ = times(moment.strftime(form), teller.strftime(form))

    assert first is not None
    assert datetime.fromisoformat(first) == said(moment)


# Joined at random; the last stands for digits of other scripts.
PIECES = st.sampled_from(
    (
        *("2018-03-14 10:02:11", "03/07/2018 ", "04-05 ", "I0514 ", "Mar 14 ", " 2018", "10:02:11"),
        *(
            ",345",
            " PM",
            "Z",
            "Node[3] ",
            "Server[0] ",
            "[1,3]<stderr>:",
            "INFO",
            "root:",
            ".cc:9:",
        ),
        *(" ", ":", "/", "-", "[", "]", "\r", "\n", "\x1b[32m", "x", "7", "31", "\u0664"),
    )
)


@given(st.lists(st.lists(PIECES, max_size=20).map("".join), max_size=5))
def test_any_text_is_read_into_times_that_fit_into_64_bits(texts: list[str]) -> None:
    clock = Clock()
    read = [clock.read(text) for text in texts]
    clock.close()

    settled = [clock.settle(each.time) for each in read if each.time is not None]

    assert all(each.time is None or -(1 << 62) < each.time < 1 << 63 for each in read)
    assert all(each is None or "1969" <= str(shown(each))[:4] <= "2200" for each in settled)


@given(st.lists(PIECES, max_size=20).map("".join))
def test_the_short_way_for_the_usual_form_says_what_the_long_way_says(text: str) -> None:
    assert Clock().read(text) == (Clock()._read(text) if text else Prefix(None, None))


def test_only_the_last_256_characters_are_read() -> None:
    stamp = "2018-03-14 10:02:11 Node[3] "

    assert Clock().read("x" * 1000 + stamp) == Clock().read(stamp)
    assert Clock().read(stamp + "x" * 256) == Prefix(None, None)


@pytest.mark.parametrize(
    "cut", ["16/06/2019 07:15:40 ", "05:52:13 ", "I0514 01:36:57 ", "Node[3] "]
)
def test_no_word_begins_where_a_long_text_is_cut(cut: str) -> None:
    text = "7" + cut + "x" * (256 - len(cut))

    assert Clock().read(text) == Prefix(None, None)


@pytest.mark.parametrize(
    "piece",
    [
        *("12:30:45 ", "2018", "2018-03-14 10:02:1", "03/07/", "1/1/2018 1:1", "I0514 ", "Mar 1"),
        *("[1,", "Node[1", "INFO ", ": ", "[", "1", "\x1b[3"),
    ],
)
def test_long_text_takes_no_more_time_than_short(piece: str) -> None:
    def work(length: int) -> float:
        clock = Clock()
        texts = [f"{n}{piece * (length // len(piece))}" for n in range(300)]
        begin = process_time()
        for text in texts:
            clock.read(text)
        return process_time() - begin

    short, long = (min(work(length) for _ in range(5)) for length in (300, 30_000))

    assert long < 10 * short  # of a hundred times the text


def test_a_clock_keeps_a_bounded_number_of_texts() -> None:
    clock = Clock()

    for number in range(10_000):
        clock.read(f"step {number} ")

    assert len(clock._timeless) <= 256
