"""`read_phases`: whole files, and those that trainings leave which were killed or followed."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
import tracemalloc
from pathlib import Path

import pytest

from fitlog import LogError, NoRecordsError, read_phases
from fitlog.phases import PhaseLog
from fitlog.plots import draw_phases
from fitlog.run.phase_recorder import PHASES
from phase_files import Simulated
from support import SAMPLES

SAMPLE = SAMPLES / "lenet-phases.jsonl"
TABLES = ("fits", "windows", "epochs", "validations", "warnings")


def read_text(text: str, tmp_path: Path) -> PhaseLog:
    path = tmp_path / "phases.jsonl"
    path.write_text(text, "utf-8")
    return read_phases(path)


def read_lines(lines: list[str], tmp_path: Path) -> PhaseLog:
    return read_text("".join(lines), tmp_path)


def test_a_run_is_read_into_tables_that_hold_what_its_lines_say() -> None:
    records = [json.loads(line) for line in SAMPLE.read_text().splitlines()]

    log = read_phases(SAMPLE)

    windows = [r for r in records if r["kind"] == "window"]
    assert log.fits[["fit", "status", "frequent", "batch_size"]].to_numpy().tolist() == [
        [0, "finished", 20, 32]
    ]
    assert log.windows["seconds"].tolist() == [w["seconds"] for w in windows]
    assert log.windows["metric"].tolist() == [w["phases"]["metric"] for w in windows]
    assert log.windows["split"].tolist() == [w["split"] for w in windows]
    assert log.windows["batch_start"].isna().sum() == sum(w["part"] == "first" for w in windows)
    assert log.epochs["epoch"].tolist() == [0, 1, 2, 3, 4]
    assert log.epochs["samples"].tolist() == [1437] * 5
    assert log.validations["samples"].tolist() == [360] * 5
    measured = log.windows.dropna(subset=["measured_batches"])
    assert measured["measured_batches"].sum() == 4
    assert (measured["measured_forward"] > 0).all()
    assert log.windows["measured_compute"].isna().all()
    assert str(log.windows["time"].dtype) == "datetime64[us, UTC]"
    assert log.warnings.empty


def test_the_phases_of_each_row_add_up_to_its_seconds() -> None:
    log = read_phases(SAMPLE)

    for table in (log.windows, log.epochs, log.validations):
        assert (table[list(PHASES)].sum(axis=1) - table["seconds"]).abs().max() < 1e-7


def test_every_table_has_the_same_columns_and_types_whatever_the_file_held(tmp_path: Path) -> None:
    full = read_phases(SAMPLE)

    empty = read_text("", tmp_path)

    for table in TABLES:
        assert getattr(empty, table).empty
        assert getattr(empty, table).dtypes.to_dict() == getattr(full, table).dtypes.to_dict()


def test_a_run_of_a_folder_is_found_by_the_folder_or_by_its_log(tmp_path: Path) -> None:
    Simulated().run(compute=1.0).write(tmp_path / "phases.jsonl")

    assert len(read_phases(tmp_path).epochs) == 2
    assert len(read_phases(tmp_path / "run.log").epochs) == 2


def test_fits_that_follow_each_other_in_a_file_are_told_apart(tmp_path: Path) -> None:
    lines = Simulated().run(epochs=1, compute=1.0).lines

    log = read_lines(lines + lines, tmp_path)

    assert log.fits["fit"].tolist() == [0, 1]
    assert log.epochs["fit"].tolist() == [0, 1]
    assert log.windows["fit"].value_counts().to_dict() == {0: 4, 1: 4}


def test_fits_that_are_numbered_and_interleaved_are_told_apart(tmp_path: Path) -> None:
    one = Simulated(fit=0).run(epochs=1, compute=1.0).lines
    other = Simulated(fit=1).run(epochs=1, compute=2.0).lines
    mixed = [line for pair in zip(one, other, strict=True) for line in pair]

    log = read_lines(mixed + one, tmp_path)  # a later process counts from 0 again

    assert log.fits["status"].tolist() == ["finished"] * 3
    assert log.epochs.set_index("fit")["compute"].to_dict() == {0: 6.0, 1: 12.0, 2: 6.0}


def test_an_evaluation_after_a_fit_belongs_to_none(tmp_path: Path) -> None:
    evaluation = Simulated(split="validation")
    evaluation.recorder.end_setup()
    evaluation.spend("compute", 1.0)
    evaluation.recorder.end_batch(0, 0, padded=0, last=True)
    evaluation.recorder.end_epoch()
    fit = Simulated().run(epochs=1, compute=1.0).lines

    within = read_lines([*fit[:-1], *evaluation.lines, fit[-1]], tmp_path)
    after = read_lines([*fit, *evaluation.lines], tmp_path)

    assert within.validations["fit"].tolist() == [0]
    assert after.validations["fit"].isna().tolist() == [True]
    assert after.fits["setup"].tolist() == [0.0]


def test_a_killed_fit_is_running_and_its_torn_line_is_told(tmp_path: Path) -> None:
    lines = Simulated().run(epochs=2, compute=1.0).lines

    log = read_text("".join(lines[:8]) + lines[8][:50], tmp_path)

    assert log.fits["status"].tolist() == ["running"]
    assert len(log.windows) == 5
    assert log.warnings[["code", "line"]].to_numpy().tolist() == [["damaged", 9]]


@pytest.mark.parametrize("fit", [None, 0])
def test_a_fit_that_follows_a_torn_line_is_read_from_its_beginning(
    fit: int | None, tmp_path: Path
) -> None:
    lines = Simulated(fit=fit).run(epochs=1, compute=1.0).lines

    log = read_text("".join(lines[:3]) + lines[3][:50] + "".join(lines), tmp_path)

    assert log.fits["status"].tolist() == ["running", "finished"]
    assert log.epochs["fit"].tolist() == [1]
    assert log.warnings["line"].tolist() == [4]


def test_a_file_whose_first_line_is_torn_is_an_empty_one(tmp_path: Path) -> None:
    log = read_text('{"kind": "fit", "sch', tmp_path)

    assert log.fits.empty
    assert log.warnings["line"].tolist() == [1]


def test_a_file_without_its_beginning_still_has_a_fit(tmp_path: Path) -> None:
    log = read_lines(Simulated().run(epochs=1, compute=1.0).lines[2:], tmp_path)

    assert log.fits[["fit", "frequent"]].isna().to_numpy().tolist() == [[False, True]]
    assert log.windows["fit"].tolist() == [0, 0, 0, 0]


def test_what_a_newer_schema_adds_is_passed_over_and_its_phases_are_other(tmp_path: Path) -> None:
    simulated = Simulated().run(epochs=1, compute=1.0)
    for record in simulated.records:
        record["new"] = {"field": 1}
        if record["kind"] == "window":
            record["phases"]["compute"] -= 0.25
            record["phases"]["teleport"] = 0.25
    lines = simulated.lines

    log = read_lines([lines[0], '{"kind": "dance", "steps": 3}\n', *lines[1:]], tmp_path)

    assert log.windows["other"].tolist() == [0.25] * 4
    assert log.warnings.empty


@pytest.mark.parametrize(
    "change",
    [
        {"seconds": "long"},
        {"seconds": float("nan")},
        {"seconds": True},
        {"seconds": 10**400},
        {"phases": None},
        {"phases": {"data": "x"}},
        {"kind": 7},
    ],
    ids=str,
)
def test_a_record_whose_times_are_none_is_left_out_and_told(
    change: dict[str, object], tmp_path: Path
) -> None:
    simulated = Simulated().run(epochs=1, compute=1.0)
    simulated.records[3] |= change

    log = read_lines(simulated.lines, tmp_path)

    assert len(log.windows) == 3
    assert log.warnings[["code", "line"]].to_numpy().tolist() == [["damaged", 4]]


def test_a_fields_wrong_type_is_a_missing_value(tmp_path: Path) -> None:
    simulated = Simulated().run(epochs=1, compute=1.0)
    simulated.records[2] |= {"epoch": "zero", "load": [], "samples": 2**70, "measured": 3}

    log = read_lines(simulated.lines, tmp_path)

    missing = log.windows[["epoch", "load", "samples", "measured_batches"]].isna()
    assert missing.to_numpy()[0].tolist() == [True] * 4


def test_gpus_are_their_mean_and_their_sum(tmp_path: Path) -> None:
    simulated = Simulated().run(epochs=1, compute=1.0)
    simulated.records[2]["gpus"] = [
        {"utilization": 0.5, "memory_bytes": 100},
        {"utilization": 1.0, "memory_bytes": 300},
    ]

    log = read_lines(simulated.lines, tmp_path)

    assert log.windows["gpu_utilization"].dropna().tolist() == [0.75]
    assert log.windows["gpu_memory_bytes"].dropna().tolist() == [400]


@pytest.mark.parametrize("text", ["Epoch[0] Time cost=1.0\n", '{"line": 3}\n', "[1]\n", "\x00\n"])
def test_another_file_is_an_error_with_its_line(text: str, tmp_path: Path) -> None:
    with pytest.raises(NoRecordsError, match=r"is no phases\.jsonl.*line 2") as caught:
        read_text("\n" + text, tmp_path)

    assert caught.value.line == 2


def test_of_a_distributed_run_one_worker_must_be_named(tmp_path: Path) -> None:
    for rank in (0, 1):
        Simulated().run(epochs=1, compute=1.0).write(tmp_path / f"phases-{rank}.jsonl")

    with pytest.raises(LogError, match=r"name one of phases-0\.jsonl, phases-1\.jsonl"):
        read_phases(tmp_path)

    log = read_phases(tmp_path / "phases-1.jsonl")
    assert draw_phases(log).get_suptitle() == f"{tmp_path.name}, phases-1"


def test_a_missing_file_and_a_folder_without_one_are_errors(tmp_path: Path) -> None:
    with pytest.raises(LogError, match=r"no such file or directory .*no\.jsonl"):
        read_phases(tmp_path / "no.jsonl")
    with pytest.raises(LogError, match=r"is a folder without a phases\.jsonl"):
        read_phases(tmp_path)
    with pytest.raises(LogError, match=r"has no phases\.jsonl beside it"):
        read_phases(tmp_path / "run.log")


def test_a_compressed_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "phases.jsonl.gz"
    path.write_bytes(gzip.compress(SAMPLE.read_bytes()))

    assert len(read_phases(path).epochs) == 5


def test_a_line_without_an_end_is_not_kept(tmp_path: Path) -> None:
    lines = Simulated().run(epochs=1, compute=1.0).lines
    text = "".join(lines[:3]) + "x" * 40_000_000 + "\n" + "".join(lines[3:])
    path = tmp_path / "phases.jsonl"
    path.write_text(text)
    read_phases(SAMPLE)  # what is imported for it counts for nothing

    tracemalloc.start()
    log = read_phases(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert peak < 20_000_000
    assert len(log.windows) == 4
    assert log.warnings["line"].tolist() == [4]


def test_reading_needs_no_mxnet(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c",
         "import sys, fitlog; fitlog.read_phases(sys.argv[1]); assert 'mxnet' not in sys.modules",
         SAMPLE],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert (done.returncode, done.stderr) == (0, "")
