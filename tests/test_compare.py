"""Comparisons of real logs, and of logs made up to differ in one thing."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from comparing import difference, log_of, phased, record_of, row
from fitlog import (
    compare,
)
from fitlog.compare_formats import format_comparison
from fitlog.contrasts import (
    Difference,
)
from phase_files import Simulated


def test_a_slower_training_is_likely_worse_by_so_much(samples: Path) -> None:
    speed = row(
        compare(samples / "lenet-1.log", samples / "lenet-naive-1.log"), "throughput", "samples/sec"
    )

    told = difference(speed)
    assert speed.values == pytest.approx((16273.5, 14379.5), abs=0.1)
    assert told.effect == pytest.approx(-0.116, abs=0.001)
    assert told.interval is not None
    assert told.interval[0] < -0.116 < told.interval[1] < 0
    assert (told.is_better, told.sureness) == (False, "likely")
    assert speed.differences[0] is None


def test_runs_of_about_the_same_speed_are_unclear(samples: Path) -> None:
    told = difference(
        row(compare(samples / "lenet-1.log", samples / "lenet-2.log"), "throughput", "samples/sec")
    )

    assert told.interval is not None
    assert told.interval[0] < 0 < told.interval[1]
    assert told.sureness == "unclear"


def test_windows_that_scatter_leave_a_difference_unclear() -> None:
    quiet = compare(log_of(), log_of(level=700.0))
    noisy = compare(log_of(), log_of(level=700.0, noise=0.1))

    assert difference(row(quiet, "throughput", "samples/sec")).sureness == "likely"
    assert difference(row(noisy, "throughput", "samples/sec")).sureness == "unclear"
    assert difference(row(noisy, "throughput", "samples/sec")).interval is None
    assert any("windows scatter by" in note for note in noisy.runs[1].notes)


def test_what_no_busy_machine_explains_is_certain() -> None:
    noisy = compare(log_of(), log_of(level=200.0, noise=0.1))
    assert difference(row(noisy, "throughput", "samples/sec")).sureness == "certain"
    assert (
        difference(
            row(compare(log_of(), log_of(level=200.0)), "throughput", "samples/sec")
        ).sureness
        == "certain"
    )
    assert (
        difference(
            row(compare(log_of(), log_of(level=400.0)), "throughput", "samples/sec")
        ).sureness
        == "likely"
    )


def test_it_is_said_that_one_run_tells_nothing_of_how_runs_differ() -> None:
    assert any("each column is one run" in n for n in compare(log_of(), log_of(level=9.0)).notes)


def test_settings_that_differ_come_first_and_those_that_do_not_are_left_out(
    tmp_path: Path,
) -> None:
    one = record_of(tmp_path / "one")
    other = record_of(
        tmp_path / "other",
        arguments={"batch_size": 32, "dtype": "float16", "name": "other"},
        versions={"python": "3.11.7", "mxnet": "1.8.0"},
        host={"name": "two", "cpu": "EPYC", "cpus": 2, "environment": {}},
        git={"commit": "0123456789abcdef", "dirty": True},
    )

    comparison = compare(one, other)

    assert {setting.name: setting.values for setting in comparison.settings} == {
        "batch_size": ("64", "32"),
        "dtype": ("float32", "float16"),
        "mxnet version": ("1.9.1", "1.8.0"),
        "host name": ("one", "two"),
        "OMP_NUM_THREADS": ("1", None),
        "git commit": ("0123456789ab", "0123456789ab and changes"),
    }
    text = format_comparison(comparison, "text")
    assert "  batch_size            A: 64; B: 32\n" in text
    assert "  OMP_NUM_THREADS       A: 1; B: not set\n" in text
    assert text.index("batch_size") < text.index("throughput")


def test_runs_with_the_same_settings_are_said_to_have_them(tmp_path: Path) -> None:
    text = format_comparison(
        compare(record_of(tmp_path / "one"), record_of(tmp_path / "other")), "text"
    )

    assert "no setting differs\n" in text
    assert "are not known" not in text


def test_settings_are_those_of_a_namespace_where_there_is_no_record(tmp_path: Path) -> None:
    said = b"INFO:root:start with arguments Namespace(batch_size=128, lr=0.1)\n"

    comparison = compare(record_of(tmp_path / "one"), said + log_of())

    assert [(s.name, s.values) for s in comparison.settings] == [("batch_size", ("64", "128"))]
    assert [run.settings_source for run in comparison.runs] == ["run.json", "Namespace"]
    assert any("versions and machine of B are not known" in note for note in comparison.notes)


def test_settings_that_nothing_tells_are_said_not_to_be_known(tmp_path: Path) -> None:
    comparison = compare(record_of(tmp_path / "one"), log_of())

    assert comparison.settings == ()
    assert any("machine of B are not known: there is no run.json" in n for n in comparison.notes)
    assert "no setting is known to differ" in format_comparison(comparison, "text")


def test_time_until_the_best_that_all_reach_is_told_in_seconds_and_epochs() -> None:
    comparison = compare(
        log_of(costs=(5, 4, 4, 4), accuracies=(0.5, 0.6, 0.7, 0.8)),
        log_of(costs=(3, 2, 2, 2), accuracies=(0.4, 0.5, 0.7, 0.7)),
    )

    group = "time to validation-accuracy 0.7"
    assert row(comparison, group, "seconds").values == (13.0, 7.0)
    assert row(comparison, group, "epoch").values == (2, 2)
    assert difference(row(comparison, group, "seconds")).is_better is True


def test_a_target_that_a_run_does_not_reach_leaves_its_time_empty() -> None:
    comparison = compare(log_of(), log_of(accuracies=(0.1, 0.2, 0.3, 0.4)), target=0.75)

    assert row(comparison, "time to validation-accuracy 0.75", "seconds").values == (17.0, None)
    assert difference(row(comparison, "time to validation-accuracy 0.75", "seconds")).effect is None


def test_an_epoch_without_its_time_cost_ends_the_wall_time() -> None:
    cut = log_of().replace(b"Epoch[1] Time cost=4.000\n", b"")

    comparison = compare(log_of(), cut, target=0.7)

    assert row(comparison, "time to validation-accuracy 0.7", "seconds").values == (13.1, None)
    assert row(comparison, "time to validation-accuracy 0.7", "epoch").values == (2, 2)


def test_metrics_are_compared_at_their_best_and_last_at_one_epoch_and_after_one_time() -> None:
    comparison = compare(
        log_of(costs=(5, 5, 5, 10), accuracies=(0.5, 0.6, 0.9, 0.8)),
        log_of(costs=(10, 5, 5), accuracies=(0.4, 0.5, 0.7)),
    )

    accuracy = {q.name: q for q in comparison.quantities if q.group == "validation-accuracy"}
    assert {name: (q.values, q.epochs) for name, q in accuracy.items()} == {
        "best": ((0.9, 0.7), (2, 2)),
        "last": ((0.8, 0.7), (3, 2)),
        "at epoch 2": ((0.9, 0.7), (2, 2)),
        "after 20 s": ((0.9, 0.7), (2, 2)),
    }
    assert difference(accuracy["best"]).effect == pytest.approx(-0.2)
    assert difference(accuracy["best"]).is_better is False


def test_where_all_end_with_the_same_epoch_the_last_value_is_that_of_the_same_epoch() -> None:
    comparison = compare(log_of(), log_of(accuracies=(0.5, 0.6, 0.7, 0.7)))

    names = [q.name for q in comparison.quantities if q.group == "validation-accuracy"]
    assert names == ["best", "last", "after 17 s"]
    assert row(comparison, "validation-accuracy", "last").epochs == (3, 3)


def test_of_a_loss_less_is_better() -> None:
    comparison = compare(
        log_of(name="cross-entropy", accuracies=(0.9, 0.5, 0.6, 0.7)),
        log_of(name="cross-entropy", accuracies=(0.9, 0.8, 0.4, 0.7)),
    )

    best = row(comparison, "validation-cross-entropy", "best")
    assert (best.values, best.epochs) == ((0.5, 0.4), (1, 2))
    assert best.higher_is_better is False
    assert difference(best).is_better is True


def test_the_direction_of_a_metric_can_be_overridden() -> None:
    logs = [
        log_of(name="score", accuracies=(1.0, 2.0)),
        log_of(name="score", accuracies=(1.0, 3.0)),
    ]

    unknown = compare(*logs)
    told = compare(*logs, better={"score": "lower"})

    assert difference(row(unknown, "validation-score", "last")).is_better is None
    assert any("--better" in note for note in unknown.notes)
    assert difference(row(told, "validation-score", "last")).is_better is False
    assert row(told, "validation-score", "best").values == (1.0, 1.0)


def test_the_same_value_is_equal_and_one_that_is_not_finite_is_no_difference() -> None:
    comparison = compare(log_of(), log_of(level=7.0), log_of(accuracies=(0.5, math.nan)))

    last = row(comparison, "validation-accuracy", "last")
    assert difference(last, 1).sureness == "equal"
    assert difference(last, 2) == Difference()
    assert comparison.to_dict()["quantities"][-2]["values"][2] == "nan"


@pytest.mark.parametrize(("samples", "sureness"), [(100, "unclear"), (1000, "likely")])
def test_an_accuracy_is_as_exact_as_the_samples_it_was_validated_on_allow(
    samples: int, sureness: str, tmp_path: Path
) -> None:
    one = phased(tmp_path / "one", last=0.8, samples=samples, data=0.25)
    other = phased(tmp_path / "other", last=0.9, samples=samples, data=0.25)

    told = difference(row(compare(one, other), "validation-accuracy", "last"))

    assert told.interval is not None
    assert told.interval[0] < 0.1 < told.interval[1]
    assert told.effect == pytest.approx(0.1)
    assert told.sureness == sureness


def test_phases_of_an_epoch_are_compared_where_they_are_recorded(tmp_path: Path) -> None:
    phases = {"compute": 0.5, "metric": 0.25, "callbacks": 0.001}
    one = phased(tmp_path / "one", last=0.8, samples=100, data=0.25, **phases)
    other = phased(tmp_path / "other", last=0.8, samples=100, data=0.5, **phases)

    comparison = compare(one, other, log_of())

    group = "phases of an epoch, seconds"
    assert row(comparison, group, "data").values == pytest.approx((1.5, 3.0, None))
    assert row(comparison, group, "network").values == pytest.approx((4.5, 4.5, None))
    assert difference(row(comparison, group, "data")).effect == pytest.approx(1.0)
    assert difference(row(comparison, group, "data")).sureness == "likely"
    assert [q.name for q in comparison.quantities if q.group == group] == ["network", "data"]


def test_the_time_of_an_epoch_and_its_phases_leave_out_the_first(tmp_path: Path) -> None:
    run = tmp_path / "run"
    run.mkdir()
    (run / "run.log").write_bytes(log_of(costs=(9, 8, 10, 12)))
    trained = Simulated()
    trained.recorder.begin()
    for epoch, data in enumerate((50.0, 1.0, 2.0, 3.0)):
        trained.run_epoch(epoch, 1, data=data)
    trained.recorder.close("finished")
    trained.write(run / "phases.jsonl")

    comparison = compare(log_of(costs=(50, 4, 5, 6)), run)

    assert row(comparison, "time per epoch", "seconds").values == (5.0, 10.0)
    assert row(comparison, "phases of an epoch, seconds", "data").values == (None, 2.0)


def test_a_metric_that_leaps_is_less_sure_than_one_that_has_settled() -> None:
    calm = log_of(costs=(1.0,) * 6, accuracies=(0.1, 0.7, 0.70, 0.71, 0.70, 0.71))
    wild = log_of(costs=(1.0,) * 6, accuracies=(0.1, 0.9, 0.50, 0.90, 0.50, 0.81))
    better = log_of(costs=(1.0,) * 6, accuracies=(0.1, 0.8, 0.80, 0.81, 0.80, 0.81))

    last = row(compare(calm, better, wild), "validation-accuracy", "last")

    assert [difference(last, i).effect for i in (1, 2)] == pytest.approx([0.1, 0.1])
    assert [difference(last, i).sureness for i in (1, 2)] == ["likely", "unclear"]
