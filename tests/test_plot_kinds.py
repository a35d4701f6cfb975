"""Each kind of picture, its axes and its marks, by what is on the Axes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from fitlog import NoRecordsError, RunLog, SettingError, compare, read_log, read_logs, read_phases
from fitlog.choices import PlotKind
from fitlog.plots import (
    View,
    plot_compare,
    plot_epochs,
    plot_metrics,
    plot_overview,
    plot_phases,
    plot_speed,
    save_figure,
)
from fitlog.plots.pictures import draw_logs
from fitlog.plots.smoothing import time_weighted, usual_limits
from fitlog.plots.themes import THEMES
from support import SAMPLES

LENET = SAMPLES / "lenet-1.log"


def nodes_log(nodes: int = 3, windows: int = 4) -> RunLog:
    """Node k is 10 samples/sec slower than the one before it."""
    text = "".join(
        f"Node[{node}] Epoch[0] Batch [{10 * i}-{10 * i + 10}]\tSpeed: {100 - 10 * node}.00"
        f" samples/sec\taccuracy=0.{5 + node}\n"
        for i in range(windows)
        for node in range(nodes)
    )
    text += "".join(f"Node[{node}] Epoch[0] Time cost={node + 1}.000\n" for node in range(nodes))
    return read_log(text.encode())


def speeds_log(*speeds: float) -> RunLog:
    text = "".join(
        f"Epoch[0] Batch [{10 * i}-{10 * i + 10}]\tSpeed: {speed:.2f} samples/sec\n"
        for i, speed in enumerate(speeds)
    )
    return read_log(text.encode())


def labels(axes: Axes) -> list[str]:
    return [text.get_text() for text in axes.get_legend().get_texts()]  # type: ignore[union-attr]  # there is one


def words(axes: Axes) -> list[str]:
    return [text.get_text() for text in axes.texts]


def xs(axes: Axes, number: int = 0) -> list[float]:
    return [float(x) for x in np.asarray(axes.get_lines()[number].get_xdata())]


def test_a_picture_is_drawn_on_the_axes_that_are_given(samples: Path) -> None:
    log = read_log(samples / "canonical.log")
    own = Figure().add_subplot()

    assert plot_speed(log, own) is own
    assert plot_speed(log).figure is not own.figure
    assert plot_metrics(log, Figure().add_subplot(), metric="cross-entropy").get_ylabel() == "nats"
    assert plot_epochs(log).get_ylabel() == "seconds"
    assert plot_phases(read_phases(SAMPLES / "lenet-phases.jsonl")).get_ylabel() == "seconds"


def test_own_axes_of_a_dark_ground_get_the_light_colours(samples: Path) -> None:
    axes = Figure(facecolor="black").add_subplot(facecolor="black")

    plot_speed(read_log(samples / "canonical.log"), axes)

    assert axes.get_lines()[0].get_color() == THEMES["dark"].color(0)


def test_speed_stands_over_samples_where_the_batch_size_is_known(samples: Path) -> None:
    log = read_log(samples / "canonical.log")

    assert xs(plot_speed(log, view=View(x="sample", batch_size=32)))[:2] == [320, 640]
    with pytest.raises(SettingError, match="canonical does not state its batch size"):
        plot_speed(log, view=View(x="sample"))


def test_a_logged_batch_size_needs_no_option() -> None:
    text = b"INFO:root:start with arguments Namespace(batch_size=4)\n"
    text += b"Epoch[0] Batch [0-10]\tSpeed: 9.00 samples/sec\n"

    assert xs(plot_speed(read_log(text), view=View(x="sample"))) == [40]


def test_the_record_of_a_run_tells_the_batch_size_of_its_log(tmp_path: Path) -> None:
    (tmp_path / "run.log").write_text("Epoch[0] Batch [0-10]\tSpeed: 9.00 samples/sec\n")
    record = tmp_path / "run.json"
    by_sample = View(x="sample")

    record.write_text('{"schema": 1, "arguments": {"batch_size": 8}}')
    assert xs(plot_speed(read_log(tmp_path / "run.log"), view=by_sample)) == [80]

    record.write_text('{"schema": 1, "argu')
    with pytest.raises(SettingError, match="does not state its batch size"):
        plot_speed(read_log(tmp_path / "run.log"), view=by_sample)


def test_time_is_that_of_the_log_and_a_log_without_dates_says_so(samples: Path) -> None:
    log = read_log(samples / "timestamps.log")

    axes = plot_speed(log, view=View(x="time"))

    first = log.speed["time"].iloc[0]
    assert xs(axes)[0] == pytest.approx(first.timestamp() / 86_400)
    assert axes.get_xlabel() == "time, as logged"
    with pytest.raises(SettingError, match="canonical has no dates before its lines"):
        plot_speed(read_log(samples / "canonical.log"), view=View(x="time"))


def test_relative_time_is_by_dates_or_by_time_costs(samples: Path) -> None:
    dated, bare = read_log(samples / "timestamps.log"), read_log(samples / "canonical.log")

    assert xs(plot_speed(dated, view=View(x="relative")))[:2] == pytest.approx([0, 0.011], abs=1e-6)
    axes = plot_speed(bare, view=View(x="relative"))
    assert axes.get_xlabel() == "seconds since the run began, by the epochs' time costs"
    costs = bare.epochs["time_cost"].tolist()
    assert costs[0] < xs(axes)[3] < xs(axes)[5] < costs[0] + costs[1]


def test_a_log_without_dates_and_time_costs_has_no_relative_time() -> None:
    with pytest.raises(SettingError, match="neither dates nor time costs"):
        plot_speed(speeds_log(1.0, 2.0), view=View(x="relative"))


def test_smoothing_is_named_and_the_raw_line_stays(samples: Path) -> None:
    axes = plot_speed(read_log(samples / "long.log"), view=View(smooth=40))

    raw, course = axes.get_lines()[:2]
    assert labels(axes) == ["time-weighted mean, half-life 40 batches", "as logged"]
    assert raw.get_alpha() == 0.3
    assert np.std(np.asarray(course.get_ydata())) < np.std(np.asarray(raw.get_ydata()))


def test_a_value_weighs_by_how_long_it_stood() -> None:
    # The second stood for three half-lives, so it makes up 7/8 of the mean.
    smooth = time_weighted(np.array([1.0, 4.0]), np.array([0.0, 1.0]), 1.0)

    assert smooth[0] == 0
    assert smooth[1] == pytest.approx(0.875 / (0.875 + 0.125 * 0.875))


def test_the_mean_passes_over_what_is_not_finite() -> None:
    smooth = time_weighted(np.arange(4.0), np.array([2.0, np.nan, 2.0, 2.0]), 5.0)

    assert np.isnan(smooth).tolist() == [False, True, False, False]
    assert smooth[[0, 2, 3]].tolist() == pytest.approx([2, 2, 2])


def test_outliers_stay_beyond_the_axis_which_says_so() -> None:
    log = speeds_log(*[100 + i % 5 for i in range(20)], 9000.0, 8000.0)

    axes = plot_speed(log)

    assert axes.get_ylim()[1] < 110
    assert "windows beyond the axis: 2 above, up to 9,000" in words(axes)
    whole = plot_speed(log, view=View(clip=False))
    assert whole.get_ylim()[1] > 9000
    assert not words(whole)


def test_usual_values_and_few_values_have_no_outliers() -> None:
    assert usual_limits(np.arange(100.0), 6.0) is None
    assert usual_limits(np.array([1.0, 1, 1, 900]), 6.0) is None
    assert usual_limits(np.full(50, 3.0), 6.0) is None


def test_nodes_are_a_median_and_a_band() -> None:
    axes = plot_speed(nodes_log())

    assert np.asarray(axes.get_lines()[0].get_ydata()).tolist() == [90] * 4
    (band,) = axes.collections
    edges = np.asarray(band.get_paths()[0].vertices)[:, 1]
    assert (edges.min(), edges.max()) == (80, 100)
    assert "band: slowest to fastest of 3 nodes" in axes.get_title(loc="right")
    assert plot_epochs(nodes_log()).patches[0].get_height() == 2  # type: ignore[attr-defined]  # a bar


def test_learning_rates_checkpoints_and_epochs_are_marked(samples: Path) -> None:
    rates = plot_speed(read_log(samples / "lr-schedule.log"))
    saved = plot_speed(read_log(samples / "checkpoints.log"))

    assert words(rates) == ["lr 0.05", "lr 0.025", "lr 0.02"]
    assert labels(saved) == ["checkpoint"]
    ((_, marks),) = [
        (line, list(np.asarray(line.get_xdata())))
        for line in saved.get_lines()
        if line.get_label() == "checkpoint"
    ]
    assert len(marks) == 3
    unmarked = plot_speed(read_log(samples / "lr-schedule.log"), view=View(marks=False))
    assert not words(unmarked)
    assert len(unmarked.get_lines()) == 1


@pytest.mark.parametrize(("epoch", "word"), [(0, "restarted"), (1, "resumed")])
def test_a_log_that_begins_anew_is_marked_where_it_does(epoch: int, word: str) -> None:
    line = "Epoch[{}] Batch [0-10]\tSpeed: 9.00 samples/sec\n"
    text = "".join(line.format(each) for each in (0, 1, 2, epoch))

    axes = plot_speed(read_log(text.encode()))

    assert words(axes) == [word]
    marks = [line for line in axes.get_lines() if line.get_marker() == 10]
    assert [list(np.asarray(mark.get_xdata())) for mark in marks] == [[11 * epoch + 10]]


def test_windows_running_means_and_epochs_are_told_apart(samples: Path) -> None:
    windows = plot_metrics(read_log(samples / "canonical.log"))
    running = plot_metrics(read_log(samples / "running-means.log"))

    assert labels(windows) == ["train", "validation", "window, in the epoch"]
    assert labels(running) == ["train", "validation", "running, in the epoch"]
    assert windows.get_lines()[0].get_linestyle() != running.get_lines()[0].get_linestyle()


def test_runs_differ_by_marks_as_well_as_by_colours(samples: Path) -> None:
    logs = read_logs([samples / "lenet-1.log", samples / "lenet-2.log"])

    for axes in (plot_speed(logs), plot_metrics(logs), plot_epochs(logs)):
        lines = [line for line in axes.get_lines() if line.get_label() in ("lenet-1", "lenet-2")]
        assert len({str(line.get_marker()) for line in lines}) == 2


def test_a_picture_says_what_its_strong_lines_are() -> None:
    noisy = speeds_log(*range(100, 130))

    assert plot_speed(noisy).get_title(loc="right").endswith("30 windows; line: running median")
    both = plot_speed([noisy, speeds_log(*range(50, 80))])
    assert both.get_title(loc="right") == "lines: running medians of the windows"
    assert plot_speed(speeds_log(1, 2)).get_title(loc="right").endswith("of 2 windows")


def test_runs_that_lie_over_each_other_are_said_to_be_the_same() -> None:
    logs = [read_log(SAMPLES / f"{name}.log") for name in ("lenet-1", "lenet-naive-1", "lenet-2")]

    assert plot_metrics(logs[:2]).get_title(loc="right") == "the same in both runs"
    assert plot_metrics(logs).get_title(loc="right") == ""


def test_an_unknown_metric_is_named_with_those_there_are(samples: Path) -> None:
    with pytest.raises(SettingError, match="no metric 'loss' is logged; there are: accuracy"):
        plot_metrics(read_log(samples / "canonical.log"), metric="loss")


@pytest.mark.parametrize("plot", [plot_speed, plot_metrics, plot_epochs, plot_overview])
def test_nothing_to_draw_is_an_error_of_its_own(plot: Any) -> None:
    with pytest.raises(NoRecordsError):
        plot(read_log(b""))


def test_a_comparison_is_drawn_over_seconds() -> None:
    comparison = compare(LENET, SAMPLES / "lenet-2.log")

    axes = plot_compare(comparison)

    assert labels(axes) == ["A: lenet-1.log", "B: lenet-2.log"]
    assert xs(axes) == list(comparison.runs[0].wall_seconds.values())


def test_each_run_has_a_panel_of_the_same_axes() -> None:
    logs = [read_log(SAMPLES / f"lenet-{i}.log") for i in (1, 2, 3)]

    figure = draw_logs(PlotKind.SPEED, logs, View(), each=True)

    assert [axes.get_title(loc="left") for axes in figure.axes] == ["lenet-1", "lenet-2", "lenet-3"]
    assert len({axes.get_ylim() for axes in figure.axes}) == 1
    assert figure.get_suptitle() == "Throughput of each run"


@pytest.mark.parametrize("kind", ["overview", "speed", "metrics", "epochs"])
@pytest.mark.parametrize("style", ["light", "dark"])
@pytest.mark.parametrize(
    "name",
    ["canonical", "nan-loss", "killed", "single-batch-epochs", "eval-speedometer", "six-metrics"],
)
def test_every_kind_of_every_log_is_drawn_or_refused_in_words(
    kind: str, style: Any, name: str, tmp_path: Path
) -> None:
    log = read_log(SAMPLES / f"{name}.log")
    try:
        figure = draw_logs(PlotKind(kind), [log], View(style=style, log_scale=True))
    except NoRecordsError:
        assert (name, kind) in {("killed", "epochs")}
        return

    save_figure(figure, tmp_path / "p.png", dpi=40)

    assert (tmp_path / "p.png").stat().st_size > 1000
    assert figure.get_facecolor()[0] == pytest.approx(1.0 if style == "light" else 0.08, abs=0.01)


@pytest.mark.parametrize(
    "log", [*SAMPLES.glob("*.log"), *SAMPLES.glob("dialects/*.log")], ids=lambda log: log.stem
)
def test_every_sample_log_is_drawn_whatever_its_dialect_tells(log: Path) -> None:
    drawn = draw_logs(PlotKind("overview"), [read_log(log), read_log(LENET)], View())

    assert drawn.axes


def test_a_hundred_thousand_windows_are_thinned_to_what_can_be_seen() -> None:
    speeds = [100 + i % 7 for i in range(100_000)]
    speeds[54_321] = 150
    log = speeds_log(*speeds)

    raw = plot_speed(log, view=View(clip=False)).get_lines()[0]

    values = np.asarray(raw.get_ydata())
    assert len(values) < 10_000
    assert values.max() == 150
