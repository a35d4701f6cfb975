"""`fitlog phases` and `fitlog plot --phases`: where the time of a training went."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.container import BarContainer
from matplotlib.patches import Rectangle, StepPatch

from fitlog import NoRecordsError, SettingError, fit, read_phases
from fitlog.phase_records import read_records
from fitlog.phase_sums import FitSums, sum_fit
from fitlog.plots.phases import GROUPS, draw_phases
from fitlog.run.phase_recorder import PHASES
from phase_files import Simulated
from support import SAMPLES, Fitlog

SAMPLE = SAMPLES / "lenet-phases.jsonl"


def sums_of(simulated: Simulated, tmp_path: Path) -> FitSums:
    records = read_records(simulated.write(tmp_path / "phases.jsonl"))
    return sum_fit(records, records.fits[0])


def bars_of(axes: Axes) -> dict[str, list[Rectangle]]:
    """The rectangles of each group."""
    return {
        str(bars.get_label()): list(bars.patches)
        for bars in axes.containers
        if isinstance(bars, BarContainer)
    }


def steps_of(axes: Axes) -> dict[str, StepPatch]:
    return {str(step.get_label()): step for step in axes.patches if isinstance(step, StepPatch)}


def test_the_report_says_where_the_time_of_a_fit_went(fitlog: Fitlog, tmp_path: Path) -> None:
    trained = Simulated(switches_per_sec=7).run(
        epochs=2, batches=6, setup=1.5, data=0.25, compute=0.5, metric=1.0,
        validation=2.0, measured={"forward": 0.5, "backward": 0.75, "update": 0.1, "metric": 0.05},
    )  # fmt: skip
    trained.write(tmp_path / "phases.jsonl")

    done = fitlog("phases", "phases.jsonl")

    assert (done.returncode, done.stderr) == (0, "")
    assert (
        done.stdout
        == """phases.jsonl

fit 0, finished: 2 epochs, 12 batches, 25.000 s
=> the network's own work takes 69% of the time, and nothing else a fifth: that
   is as it should be; only another network, batch size or machine makes it
   faster.

seconds     batch 0 windows    tail   after     all  share
setup                                         1.500   5.7%
data          0.500   2.000   0.500           3.000  11.3%  waits for data
compute       1.000   4.000   1.000           6.000  22.6%  queues the work
metric        2.000   8.000   2.000          12.000  45.3%  waits for the engine
validation                            4.000   4.000  15.1%
training      3.500  14.000   3.500   4.000  25.000  94.3%
batches           2       8       2
ms a batch    1,750   1,750   1,750

measured   forward 500, backward 750, update 100, metric 50 ms: 12 batches, the
           engine waited for
speed      6 samples/sec over all batches, 6 within windows
processor  1.00 s of processor time a second, 7 involuntary switches a second,
           load 0.5 on CPUS
memory     5 MB at most
""".replace("CPUS", f"{read_phases(tmp_path).fits['cpus'][0]} CPUs")
    )


def test_the_report_of_a_real_run_keeps_to_eighty_columns(fitlog: Fitlog) -> None:
    done = fitlog("phases", SAMPLE)

    assert done.returncode == 0
    assert max(map(len, done.stdout.splitlines()[1:])) <= 80
    assert "padding    15 samples more (0.2%)" in done.stdout
    assert "validation 5 evaluations" in done.stdout
    assert "measured   forward" in done.stdout


def test_as_json_the_parts_add_up_to_what_the_epochs_took(fitlog: Fitlog) -> None:
    (report,) = json.loads(fitlog("phases", SAMPLE, "--format", "json").stdout)

    epochs = [
        json.loads(line) for line in SAMPLE.read_text().splitlines() if '"kind": "epoch"' in line
    ]
    assert report["seconds"] == pytest.approx(sum(epoch["seconds"] for epoch in epochs), abs=1e-6)
    for phase in PHASES:
        assert sum(report["phases"][phase].values()) == pytest.approx(
            sum(epoch["phases"][phase] for epoch in epochs), abs=1e-6
        )
    assert report["samples"] == {"first": 160, "window": 6400, "tail": 625}
    assert report["padding"] == 15
    assert report["bottleneck"]["kind"] == "network"


COSTLY_METRIC = {"forward": 0.2, "backward": 0.2, "update": 0.1, "metric": 0.5}
BOUND: dict[str, tuple[dict[str, Any], dict[str, Any], str]] = {
    "data": ({}, {"data": 1.0, "metric": 1.0}, "waiting for the iterator takes 50% of the time"),
    "callbacks": ({}, {"callbacks": 1.0, "metric": 3.0}, "batch callbacks takes 25%"),
    "checkpoint": ({}, {"checkpoint": 6.0, "metric": 1.0}, "save less often"),
    "validation": ({}, {"validation": 6.0, "metric": 1.0}, "validation takes 52% of the time"),
    "reset": ({}, {"reset": 6.0, "metric": 1.0}, "the iterator's reset"),
    "metric": ({}, {"metric": 1.0, "measured": COSTLY_METRIC}, "500 ms of each batch, 50% of"),
    "network": ({}, {"data": 0.2, "metric": 1.0}, "the network's own work takes 83%"),
    "start": ({}, {"setup": 50.0, "metric": 1.0}, "took 82% of 62 s: train for longer"),
    "processor": (
        {"cpu": 0.5, "switches_per_sec": 100},
        {"metric": 1.0},
        "only 50% of the time, was sent off it 100 times a second",
    ),
}


@pytest.mark.parametrize("code", BOUND)
def test_what_a_training_is_bound_by_is_named_with_its_figure(code: str, tmp_path: Path) -> None:
    machine, spent, text = BOUND[code]

    bottleneck = sums_of(Simulated(**machine).run(**spent), tmp_path).bottleneck

    assert bottleneck.kind == code
    assert text in bottleneck.text


def test_a_real_training_on_a_slow_iterator_is_bound_by_its_data(mx: Any, tmp_path: Path) -> None:
    class Slow(mx.io.NDArrayIter):  # type: ignore[misc]  # MXNet has no types
        def next(self) -> Any:
            end = time.perf_counter() + 0.01
            while time.perf_counter() < end:
                pass
            return super().next()

    network = mx.sym.FullyConnected(mx.sym.Variable("data"), num_hidden=4)
    module = mx.mod.Module(mx.sym.SoftmaxOutput(network, name="softmax"))
    data = Slow(np.zeros((160, 6), "float32"), np.zeros(160, "float32"), 16)
    fit(module, data, num_epoch=3, phases=tmp_path / "phases.jsonl")

    records = read_records(tmp_path / "phases.jsonl")
    sums = sum_fit(records, records.fits[0])

    assert sums.bottleneck.kind == "data"
    assert sums.batches == {"first": 3, "window": 0, "tail": 27}
    assert sum(sums.phases["data"].values()) >= 33 * 0.01  # each epoch's end is asked for, too


def test_the_load_of_others_tells_that_the_processor_is_short(tmp_path: Path) -> None:
    bottleneck = sums_of(Simulated(cpu=0.5, load=999.0).run(metric=1.0), tmp_path).bottleneck

    assert bottleneck.kind == "processor"
    assert "the load was 999 on" in bottleneck.text


@pytest.mark.parametrize(
    ("machine", "spent", "code"),
    [
        ({"cpu": 0.5, "switches_per_sec": 100}, {"data": 1.0, "metric": 1.0}, "data"),
        ({"cpu": 0.5, "switches_per_sec": 0}, {"metric": 1.0}, "network"),
        ({"cpu": 0.9, "switches_per_sec": 5000}, {"metric": 1.0}, "network"),
    ],
    ids=["it waits for data", "nobody sends it off", "it runs all the same"],
)
def test_a_process_that_does_not_run_need_not_be_short_of_the_processor(
    machine: dict[str, Any], spent: dict[str, Any], code: str, tmp_path: Path
) -> None:
    assert sums_of(Simulated(**machine).run(**spent), tmp_path).bottleneck.kind == code


def test_a_slow_first_batch_is_no_bottleneck(tmp_path: Path) -> None:
    trained = Simulated()
    trained.recorder.begin()
    trained.recorder.end_setup()
    trained.sleep("data", 50.0)
    trained.run_epoch(0, 100, metric=1.0)
    trained.recorder.close("finished")

    sums = sums_of(trained, tmp_path)
    assert sums.bottleneck.kind == "network"
    assert sums.cpu_ratio == 1.0


def test_a_part_is_no_bottleneck_below_a_fifth(tmp_path: Path) -> None:
    below = Simulated().run(epochs=1, batches=100, data=0.19, metric=0.81)
    above = Simulated().run(epochs=1, batches=100, data=0.21, metric=0.79)

    assert sums_of(below, tmp_path).bottleneck.kind == "network"
    assert sums_of(above, tmp_path).bottleneck.kind == "data"


def test_of_a_killed_fit_the_windows_of_the_last_epoch_count(
    fitlog: Fitlog, tmp_path: Path
) -> None:
    lines = Simulated().run(epochs=2, compute=1.0).lines
    (tmp_path / "phases.jsonl").write_text("".join(lines[:9]) + lines[9][:40])

    done = fitlog("phases", tmp_path)

    assert "fit 0, has no end: 2 epochs (1 cut short), 9 batches, 9.000 s" in done.stdout
    assert "left out, damaged: 1 (line 10, ...)" in done.stdout
    assert done.returncode == 0


def test_several_fits_are_reported_each_and_one_can_be_chosen(
    fitlog: Fitlog, tmp_path: Path
) -> None:
    lines = [*Simulated().run(compute=1.0).lines, *Simulated().run(data=1.0).lines]
    (tmp_path / "phases.jsonl").write_text("".join(lines))

    every = fitlog("phases", "phases.jsonl").stdout
    second = fitlog("phases", "phases.jsonl", "--fit", "1").stdout
    neither = fitlog("phases", "phases.jsonl", "--fit", "2")

    assert every.index("fit 0, finished") < every.index("fit 1, finished")
    assert "fit 0" not in second
    assert "waiting for the iterator takes 100%" in second
    assert neither.returncode == 2
    assert neither.stderr == "fitlog: --fit 2: the file holds 2, counted from 0\n"


def test_what_the_recorder_warned_of_is_in_the_report(fitlog: Fitlog, tmp_path: Path) -> None:
    trained = Simulated().run(compute=1.0)
    trained.records.insert(3, {"kind": "warning", "code": "x", "text": "speeds \x1b[31m lie"})
    trained.write(tmp_path / "phases.jsonl")

    assert r"warning    speeds \x1b[31m lie" in fitlog("phases", tmp_path).stdout


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "no such file or directory"),
        ("", "holds no fit"),
        ("Epoch[0] Time cost=1.0\n", "is no phases.jsonl, such as fitlog run"),
    ],
)
@pytest.mark.parametrize("command", [["phases"], ["plot", "--phases"]], ids=" ".join)
def test_what_holds_no_phases_is_an_error(
    command: list[str], content: str | None, message: str, fitlog: Fitlog, tmp_path: Path
) -> None:
    if content is not None:
        (tmp_path / "p.jsonl").write_text(content)

    done = fitlog(*command, "p.jsonl")

    assert done.returncode == 2
    assert done.stderr.startswith("fitlog: ")
    if content or command == ["phases"]:
        assert message in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("epochs", [1, 3, 100])
def test_an_epochs_seconds_are_stacked_by_group(epochs: int, tmp_path: Path) -> None:
    spent = {"data": 0.25, "compute": 1.0, "metric": 0.5, "validation": 3.0}
    Simulated().run(epochs=epochs, batches=6, **spent).write(tmp_path / "phases.jsonl")

    axes = draw_phases(read_phases(tmp_path)).axes[0]

    bars = bars_of(axes)
    assert list(bars) == list(GROUPS)
    heights = {name: {p.get_height() for p in bar} for name, bar in bars.items()}
    assert heights["network"] == {9.0}
    assert heights["data"] == {1.5}
    assert heights["validation"] == {3.0}
    assert {p.get_y() for p in bars["validation"]} == {10.5}
    assert [p.get_x() + p.get_width() / 2 for p in bars["data"]] == pytest.approx(
        list(range(epochs))
    )
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("epoch", "seconds")
    legend = axes.get_legend()
    assert legend is not None
    assert [text.get_text() for text in legend.get_texts()] == [
        "network 67%", "data 11%", "validation 22%",
    ]  # fmt: skip


def test_the_windows_shares_fill_the_whole(tmp_path: Path) -> None:
    Simulated().run(epochs=2, batches=6, data=0.25, compute=0.75).write(tmp_path / "phases.jsonl")

    axes = draw_phases(read_phases(tmp_path)).axes[1]

    steps = {name: step.get_data() for name, step in steps_of(axes).items()}
    assert steps["network"][1].tolist() == [0, 1, 3, 5, 6, 7, 9, 11, 12]
    assert steps["network"][0].tolist() == [75.0] * 8
    assert steps["data"][0].tolist() == [100.0] * 8
    assert axes.get_ylabel() == "percent of its time"


def test_of_very_many_windows_neighbours_are_drawn_together(tmp_path: Path) -> None:
    Simulated().run(epochs=1, batches=2001, compute=1.0).write(tmp_path / "phases.jsonl")

    axes = draw_phases(read_phases(tmp_path)).axes[1]

    _, edges, _ = steps_of(axes)["network"].get_data()
    assert len(edges) == 335
    assert edges[-1] == 2001


def test_the_parts_of_a_measured_batch_are_drawn_in_their_order() -> None:
    axes = draw_phases(read_phases(SAMPLE)).axes[2]

    assert list(bars_of(axes)) == [
        "forward", "backward", "update", "metric",
    ]  # fmt: skip
    assert "mean of 4 batches" in axes.get_title(loc="right")
    assert axes.get_xlabel() == "milliseconds"


def test_without_a_measured_batch_there_is_no_such_panel(tmp_path: Path) -> None:
    Simulated().run(epochs=1, compute=1.0).write(tmp_path / "phases.jsonl")

    assert len(draw_phases(read_phases(tmp_path)).axes) == 2


def test_an_epoch_that_was_cut_is_drawn_as_far_as_it_came(tmp_path: Path) -> None:
    lines = Simulated().run(epochs=2, compute=1.0).lines
    (tmp_path / "phases.jsonl").write_text("".join(lines[:9]))

    axes = draw_phases(read_phases(tmp_path)).axes[0]

    assert [bar.get_height() for bar in bars_of(axes)["network"]] == [6.0, 3.0]


def test_the_last_fit_is_drawn_or_the_one_asked_for(tmp_path: Path) -> None:
    lines = [*Simulated().run(epochs=1, compute=1.0).lines, *Simulated().run(data=1.0).lines]
    (tmp_path / "phases.jsonl").write_text("".join(lines))
    log = read_phases(tmp_path)

    assert len(bars_of(draw_phases(log).axes[0])["data"]) == 2
    assert len(bars_of(draw_phases(log, 0).axes[0])["data"]) == 1
    assert draw_phases(log, 0).get_suptitle() == f"{tmp_path.name} (fit 0 of 2)"
    with pytest.raises(SettingError, match="no fit 2: there are 2"):
        draw_phases(log, 2)


def test_what_records_do_not_say_in_numbers_is_not_drawn(tmp_path: Path) -> None:
    simulated = Simulated().run(epochs=3, compute=1.0)
    of_first = [r for r in simulated.records if r.get("epoch") == 0]
    for record in of_first:
        record["epoch"] = "zero"
    of_first[0]["measured"] = {"batches": 0, "forward": 1.0}
    of_first[0]["part"] = "\ud800"
    simulated.write(tmp_path / "phases.jsonl")

    figure = draw_phases(read_phases(tmp_path))

    assert len(bars_of(figure.axes[0])["network"]) == 2
    assert len(figure.axes) == 2


def test_a_report_counts_no_epoch_twice_and_no_sample_less_than_none(tmp_path: Path) -> None:
    simulated = Simulated(batch_size=10).run(epochs=3, compute=1.0)
    for record in simulated.records:
        record |= {"epoch": "one"} if "epoch" in record else {}
        record |= {"batches": 10**400} if "batches" in record else {}

    sums = sums_of(simulated, tmp_path)

    assert (sums.epochs, sums.complete_epochs) == (3, 3)
    assert sums.padding == 0


def test_a_fit_without_a_batch_cannot_be_drawn(tmp_path: Path) -> None:
    (tmp_path / "phases.jsonl").write_text(Simulated().run(epochs=0).lines[0])

    with pytest.raises(NoRecordsError, match="has no batch to draw"):
        draw_phases(read_phases(tmp_path))


def test_plot_draws_the_phases_beside_them(fitlog: Fitlog, tmp_path: Path) -> None:
    (tmp_path / "phases.jsonl").write_bytes(SAMPLE.read_bytes())

    done = fitlog("plot", ".", "--phases")

    assert (done.returncode, done.stdout) == (0, "wrote phases.png\n")
    assert (tmp_path / "phases.png").read_bytes().startswith(b"\x89PNG")
    assert fitlog("plot", ".", ".", "--phases").returncode == 2
    assert "would write over" in fitlog("plot", ".", "--phases", "-o", "phases.jsonl").stderr
