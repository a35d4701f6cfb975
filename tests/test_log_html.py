"""A log as a notebook shows it, and the units that its tables carry."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from fitlog import read_log, read_logs
from support import SAMPLES


def shown(log: bytes | Path) -> str:
    return read_log(log)._repr_html_()


def test_a_log_is_shown_with_its_runs_its_charts_and_its_warnings() -> None:
    page = shown(SAMPLES / "restarted.log")

    assert "2 runs, 5 epochs" in page
    assert "run 1: finished, epochs 0 to 2" in page
    assert page.count("<svg") == 3
    assert "accuracy, best validation 0.7841 (epoch 2)" in page
    assert "1 warning<" in page
    assert "run 1 begins: epoch 0 after epoch 1" in page


def test_text_from_the_log_cannot_become_markup() -> None:
    text = "Epoch[{}] Validation-<script>alert(1)</script>&\"'=0.{}\n"

    page = shown("".join(text.format(i, 5 - i) for i in range(3)).encode())

    assert "<script" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;&amp;&quot;&#x27;" in page


def test_the_name_of_a_file_cannot_become_markup(tmp_path: Path) -> None:
    path = tmp_path / "<b>.log"
    path.write_bytes(b"Epoch[0] Train-a=0.5\n")

    assert "<b>" not in shown(path)
    assert "<b>" not in read_logs([path])._repr_html_()


@pytest.mark.parametrize(
    "name",
    [
        *("canonical", "nan-loss", "killed", "node-prefix", "six-metrics", "no-validation"),
        *("running-means", "single-batch-epochs", "lr-schedule"),
    ],
)
def test_what_is_shown_is_well_formed(name: str) -> None:
    ET.fromstring(shown(SAMPLES / f"{name}.log"))  # noqa: S314  # it is our own


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"nothing\n",
        b"Epoch[0] Train-a=nan\n",
        b"Epoch[0] Train-a=inf\nEpoch[0] Batch [1]\tSpeed: inf samples/sec\n",
        b"Epoch[0] Train-a=1e308\nEpoch[1] Train-a=-1e308\n",
        b"Epoch[0] Train-a=0.5\n",
        b"Node[0] Epoch[0] Train-a=0.5\nNode[1] Epoch[0] Train-a=0.5\n",
    ],
)
def test_little_or_nothing_can_be_shown(text: bytes) -> None:
    ET.fromstring(shown(text))  # noqa: S314


def test_what_is_shown_does_not_grow_with_the_log() -> None:
    line = "Epoch[{}] Batch [{}-{}]\tSpeed: {}.00 samples/sec\tacc=0.5\n"
    text = "".join(line.format(e, b, b + 1, 100 + b % 9) for e in range(40) for b in range(500))
    text += "".join(f"Epoch[{e}] Train-m{i}=0.5\n" for e in range(40) for i in range(50))
    text += "Epoch[0] Batch [1-2\tSpeed: 9\n" * 50

    page = shown(text.encode())

    assert len(page) < 30_000
    assert "and 44 more metrics" in page


def test_tables_carry_their_units() -> None:
    log = read_log(SAMPLES / "canonical.log")

    assert log.speed.attrs["units"] == {"samples_per_sec": "samples/sec"}
    assert log.epochs.attrs["units"] == {
        "speed_median": "samples/sec",
        "time_cost": "s",
        "train-accuracy": "share",
        "train-cross-entropy": "nats",
        "validation-accuracy": "share",
        "validation-cross-entropy": "nats",
    }
    assert log.warnings.attrs["units"] == {}
    assert log.speed.head(2).attrs == log.speed.attrs
