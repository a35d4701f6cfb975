"""The phase recorder, under a clock that the tests move by hand."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

import pytest

from fitlog.run.phase_file import PhaseFile
from fitlog.run.phase_recorder import PHASES, PhaseRecorder
from fitlog.run.resources import Usage


class Clock:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class Training:
    """A recorder and its clock; `spend` is a phase that takes so many seconds."""

    def __init__(self, **settings: Any) -> None:
        self.clock = Clock()
        self.records: list[dict[str, Any]] = []
        self.recorder = PhaseRecorder(
            self.records.append,
            **{"frequent": 2, "batch_size": 10, **settings},
            clock=self.clock,
            wall_clock=lambda: 0.0,
            usage=lambda: Usage(cpu_seconds=self.clock.now / 2, involuntary_switches=0),
            machine=lambda: {"load": 0.5},
        )
        self.recorder.begin()

    def spend(self, phase: str, seconds: float) -> None:
        self.recorder.timed(phase, self.pass_by)(seconds)

    def pass_by(self, seconds: float) -> None:
        self.clock.now += seconds

    def kinds(self) -> list[str]:
        return [record.get("part", record["kind"]) for record in self.records]

    def run_epoch(self, epoch: int, batches: int) -> None:
        self.recorder.end_setup()
        for nbatch in range(batches):
            self.spend("data", 0.25)
            self.spend("compute", 1.0)
            self.recorder.end_batch(epoch, nbatch, padded=0, last=nbatch == batches - 1)
        self.spend("validation", 5.0)
        self.recorder.end_epoch()


def test_an_epoch_is_its_first_batch_its_windows_and_its_tail() -> None:
    training = Training()

    training.run_epoch(0, batches=6)
    training.recorder.close("finished")

    assert training.kinds() == [
        "fit", "setup", "first", "window", "window", "tail", "epoch", "end",
    ]  # fmt: skip
    windows = training.records[2:6]
    assert [(w["batch_start"], w["batch_end"], w["batches"]) for w in windows] == [
        (None, 0, 1), (0, 2, 2), (2, 4, 2), (4, 5, 1),
    ]  # fmt: skip
    assert [w["seconds"] for w in windows] == [1.25, 2.5, 2.5, 1.25]


def test_an_epoch_that_ends_with_a_window_has_no_tail() -> None:
    training = Training()

    training.run_epoch(0, batches=5)

    assert training.kinds() == ["fit", "setup", "first", "window", "window", "epoch"]


def test_an_epoch_of_one_batch_is_that_batch() -> None:
    training = Training()

    training.run_epoch(0, batches=1)

    assert training.kinds() == ["fit", "setup", "first", "epoch"]


def test_every_instant_is_charged_to_one_phase() -> None:
    training = Training()
    training.clock.now += 3.0

    training.run_epoch(0, batches=3)
    training.clock.now += 0.5
    training.run_epoch(1, batches=3)
    training.recorder.close("finished")

    setup, *epochs = (r for r in training.records if r["kind"] in ("setup", "epoch"))
    assert setup["phases"]["other"] == 3.0
    assert [epoch["seconds"] for epoch in epochs] == [8.75, 9.25]
    assert epochs[1]["phases"] == {
        **dict.fromkeys(PHASES, 0.0),
        "data": 0.75,
        "compute": 3.0,
        "validation": 5.0,
        "other": 0.5,
    }


def test_a_phase_owns_what_it_calls() -> None:
    training = Training()
    training.recorder.end_setup()

    def validate() -> None:
        training.spend("metric", 1.0)
        training.clock.now += 1.0

    training.recorder.timed("validation", validate)()
    training.recorder.end_batch(0, 0, padded=0, last=True)
    training.recorder.close("finished")

    epoch = training.records[-2]
    assert epoch["phases"]["validation"] == 2.0
    assert epoch["phases"]["metric"] == 0.0


def test_another_threads_work_is_not_charged() -> None:
    training = Training()

    thread = threading.Thread(target=training.spend, args=("sync", 3.0))
    thread.start()
    thread.join()
    training.recorder.close("finished")

    (setup,) = (r for r in training.records if r["kind"] == "setup")
    assert (setup["phases"]["sync"], setup["phases"]["other"]) == (0.0, 3.0)


def test_an_epoch_that_is_not_ended_ends_with_the_next_ones_first_batch() -> None:
    training = Training()
    training.recorder.end_setup()
    for epoch in (0, 1):
        training.recorder.end_batch(epoch, 0, padded=0, last=False)
    training.recorder.close("finished")

    epochs = [(r["epoch"], r["complete"]) for r in training.records if r["kind"] == "epoch"]
    assert epochs == [(0, True), (1, False)]


def test_samples_that_only_fill_a_batch_up_are_not_counted() -> None:
    training = Training()
    training.recorder.end_setup()
    for nbatch in range(3):
        training.recorder.end_batch(0, nbatch, padded=3 if nbatch == 2 else 0, last=nbatch == 2)
    training.recorder.end_epoch()

    assert [r.get("samples") for r in training.records[2:]] == [10, 17, 27]


def test_an_unknown_batch_size_leaves_samples_unknown() -> None:
    training = Training(batch_size=None)

    training.run_epoch(0, batches=1)

    assert training.records[-1]["samples"] is None


def test_a_fit_that_ends_within_an_epoch_says_so() -> None:
    training = Training()
    training.recorder.end_setup()
    training.recorder.end_batch(0, 0, padded=0, last=False)

    training.recorder.close("failed")

    assert training.kinds() == ["fit", "setup", "first", "epoch", "end"]
    assert training.records[-2]["complete"] is False
    assert training.records[-1]["status"] == "failed"


def test_records_are_lines_of_json_that_follow_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "phases.jsonl"
    for _ in range(2):
        with PhaseFile(path) as sink:
            sink({"kind": "fit", "seconds": 0.1})

    records = [json.loads(line) for line in path.read_text().splitlines()]
    assert records == [{"kind": "fit", "seconds": 0.1}] * 2


def test_records_are_written_when_a_second_has_passed(tmp_path: Path) -> None:
    path = tmp_path / "phases.jsonl"
    clock = Clock()

    with PhaseFile(path, clock=clock) as sink:
        sink({"n": 0})
        assert path.read_text() == ""
        clock.now += 1.0
        sink({"n": 1})
        assert path.read_text() == '{"n": 0}\n{"n": 1}\n'
        sink({"n": 2})

    assert path.read_text().endswith('{"n": 2}\n')


def test_a_timed_call_is_charged_and_gives_what_it_gives() -> None:
    training = Training()

    def work(seconds: float) -> str:
        training.clock.now += seconds
        return "done"

    timed = training.recorder.timed("sync", work)
    training.clock.now += 1.0

    assert timed(2.0) == "done"
    assert training.recorder.timed("metric", timed)(4.0) == "done"
    training.recorder.close("finished")
    (setup,) = (r for r in training.records if r["kind"] == "setup")
    spent = {name: seconds for name, seconds in setup["phases"].items() if seconds}
    assert spent == {"sync": 2.0, "metric": 4.0, "other": 1.0}


def test_a_file_that_cannot_be_opened_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No such file"):
        PhaseFile(tmp_path / "no" / "phases.jsonl")
