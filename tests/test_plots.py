"""Pictures, tested by what is on their axes."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from fitlog import NoRecordsError, plot_overview, read_log, read_logs
from fitlog.directions import is_higher_better, unit_of
from fitlog.errors import OutputError, SettingError
from fitlog.plots import View, save_figure


def figure_of(*logs: Path | bytes) -> Figure:
    return plot_overview([read_log(log) for log in logs])


def titles(figure: Figure) -> list[str]:
    return [axes.get_title(loc="left") for axes in figure.axes]


def panel(figure: Figure, title: str) -> Axes:
    return figure.axes[titles(figure).index(title)]


def drawn(axes: Axes, style: str) -> list[tuple[list[float], list[float]]]:
    """The (x, y) of each line of a style."""
    return [
        (list(line.get_xdata()), list(line.get_ydata()))  # type: ignore[arg-type]  # arrays here
        for line in axes.get_lines()
        if line.get_linestyle() == style and line.get_alpha() is None
    ]


def legend_of(figure: Figure) -> list[str]:
    return [text.get_text() for legend in figure.legends for text in legend.get_texts()]


def rises(values: Sequence[float]) -> bool:
    return all(a < b for a, b in itertools.pairwise(values))


def test_speed_is_drawn_over_the_batches_since_the_run_began(samples: Path) -> None:
    log = read_log(samples / "canonical.log")

    axes = panel(plot_overview([log]), "Throughput")

    ((x, y),) = drawn(axes, "-")[:1]
    assert y == log.speed["samples_per_sec"].tolist()
    assert x[:3] == [10, 20, 30]
    assert rises(x)
    assert axes.get_xlabel() == "batches since the run began"
    assert axes.get_ylabel() == "samples/sec"
    assert "median 29,097 samples/sec of 9 windows" in axes.get_title(loc="right")


def test_metrics_are_drawn_over_epochs_train_dashed_and_validation_solid(samples: Path) -> None:
    log = read_log(samples / "canonical.log")

    axes = panel(plot_overview([log]), "accuracy")

    assert drawn(axes, "--") == [([0, 1, 2], log.epochs["train-accuracy"].tolist())]
    assert drawn(axes, "-")[0] == ([0, 1, 2], log.epochs["validation-accuracy"].tolist())
    assert axes.get_xlabel() == "epoch"
    assert axes.get_ylabel() == "share"
    assert panel(plot_overview([log]), "cross-entropy").get_ylabel() == "nats"


def test_the_name_of_the_run_is_the_title(samples: Path, tmp_path: Path) -> None:
    folder = tmp_path / "20260101-lenet"
    folder.mkdir()
    (folder / "run.log").write_bytes((samples / "canonical.log").read_bytes())

    assert figure_of(samples / "canonical.log").get_suptitle() == "canonical"
    assert figure_of(folder / "run.log").get_suptitle() == "20260101-lenet"


def test_the_best_validation_is_marked_with_its_epoch(samples: Path) -> None:
    figure = figure_of(samples / "canonical.log")

    notes = [text.get_text() for text in panel(figure, "accuracy").texts]
    assert notes == ["best 0.767, epoch 1"]
    assert panel(figure, "cross-entropy").texts[0].get_text() == "best 0.6734, epoch 2"


def test_a_metric_of_unknown_direction_has_no_best(samples: Path) -> None:
    assert not list(panel(figure_of(samples / "six-metrics.log"), "x y=z").texts)


def test_six_metrics_have_six_panels_below_the_speed(samples: Path) -> None:
    names = titles(figure_of(samples / "six-metrics.log"))

    assert names[0] == "Throughput"
    assert len(names) == 7


def test_a_log_of_one_epoch_shows_its_points(samples: Path) -> None:
    text = (samples / "canonical.log").read_text().split("Epoch[1]")[0]

    figure = figure_of(text.encode())

    ((x, y),) = drawn(panel(figure, "accuracy"), "--")
    assert (x, y) == ([0], [0.558036])
    assert panel(figure, "accuracy").get_lines()[-1].get_marker() == "s"


def test_a_hundred_epochs_are_lines_without_markers_and_a_smoothed_speed(samples: Path) -> None:
    figure = figure_of(samples / "long.log")

    validation = [
        line
        for line in panel(figure, "accuracy").get_lines()
        if len(np.asarray(line.get_xdata())) == 100
    ]
    assert len(validation) == 2
    assert all(line.get_marker() in ("", "None") for line in validation)
    points, course = panel(figure, "Throughput").get_lines()[:2]
    assert np.std(np.asarray(course.get_ydata())) < np.std(np.asarray(points.get_ydata()))


def test_nan_breaks_the_line_and_is_marked() -> None:
    text = "".join(
        f"Epoch[{i}] Validation-loss={value}\n" for i, value in enumerate(["0.5", "nan", "0.25"])
    )

    axes = panel(figure_of(text.encode()), "loss")

    crosses = [line for line in axes.get_lines() if line.get_marker() == "x"]
    assert [list(np.asarray(line.get_xdata())) for line in crosses] == [[1.0]]
    assert "not finite" in [note.get_text() for note in axes.texts]
    assert np.isnan(drawn(axes, "-")[0][1]).tolist() == [False, True, False]


def test_a_log_of_nothing_but_nan_and_inf_can_be_drawn() -> None:
    text = (
        b"Epoch[0] Batch [5]\tSpeed: inf samples/sec\tloss=nan\n"
        b"Epoch[0] Train-loss=nan\nEpoch[0] Validation-loss=inf\n"
    )

    figure = figure_of(text)

    assert "no finite speed" in [note.get_text() for note in panel(figure, "Throughput").texts]
    assert panel(figure, "loss").get_yticks().tolist() == []


def test_values_at_the_edge_of_floats_can_be_drawn(tmp_path: Path) -> None:
    text = "Epoch[0] Train-a=1e308\nEpoch[1] Train-a=-1e308\nEpoch[2] Train-a=1.0\n"

    save_figure(figure_of(text.encode()), tmp_path / "p.png")

    assert (tmp_path / "p.png").exists()


def test_of_very_many_metrics_the_first_are_drawn_and_the_title_says_so() -> None:
    text = "".join(f"Epoch[0] Train-m{i}=0.5\n" for i in range(60))

    figure = figure_of(text.encode())

    assert len(figure.axes) == 24
    assert figure.get_suptitle() == "<bytes> (24 of 60 metrics)"


def test_without_validation_the_legend_does_not_name_it(samples: Path) -> None:
    assert legend_of(figure_of(samples / "no-validation.log")) == ["train", "window, in the epoch"]
    assert legend_of(figure_of(samples / "canonical.log")) == [
        "train",
        "validation",
        "window, in the epoch",
    ]


def test_several_logs_are_drawn_over_each_other_and_named(samples: Path) -> None:
    figure = figure_of(samples / "lenet-1.log", samples / "lenet-naive-1.log")

    assert figure.get_suptitle() == "2 runs"
    assert legend_of(figure)[:2] == ["lenet-1", "lenet-naive-1"]
    lines = panel(figure, "accuracy").get_lines()
    colors = {line.get_color() for line in lines if len(np.asarray(line.get_xdata()))}
    assert len(colors) == 2


def test_the_runs_of_one_log_are_curves_of_their_own(samples: Path) -> None:
    figure = figure_of(samples / "restarted.log")

    assert legend_of(figure)[:2] == ["restarted (run 0)", "restarted (run 1)"]


def test_speeds_alone_and_metrics_alone_can_be_drawn() -> None:
    assert titles(figure_of(b"Epoch[0] Batch [5]\tSpeed: 9.50 samples/sec\n")) == ["Throughput"]
    assert titles(figure_of(b"Epoch[0] Train-a=0.5\n")) == ["a"]


def test_logs_that_were_read_as_one_are_drawn_each(samples: Path) -> None:
    logs = read_logs([samples / "lenet-1.log", samples / "lenet-naive-1.log"])

    assert legend_of(plot_overview([logs]))[:2] == ["lenet-1", "lenet-naive-1"]


def test_no_log_is_nothing_to_draw() -> None:
    with pytest.raises(NoRecordsError, match="neither a speed nor a metric to draw"):
        plot_overview([])


def test_an_epoch_that_two_handlers_logged_has_no_best() -> None:
    figure = figure_of(b"Epoch[0] Validation-acc=0.5\n" * 2)

    assert not list(panel(figure, "acc").texts)


def test_a_log_with_nothing_to_draw_is_an_error() -> None:
    with pytest.raises(NoRecordsError, match="neither a speed nor a metric to draw"):
        figure_of(b"Epoch[0] Time cost=1.000\n")


def test_a_loss_that_falls_a_hundredfold_has_a_logarithmic_axis() -> None:
    text = b"Epoch[0] Train-loss=2.0\nEpoch[1] Train-loss=0.01\n"

    assert panel(figure_of(text), "loss").get_yscale() == "log"
    assert panel(figure_of(text.replace(b"0.01", b"1.0")), "loss").get_yscale() == "linear"


@pytest.mark.parametrize("name", ["$x^{", "$$", "a_b$c", "准确率", "x\x07y", "\\frac{"])
def test_any_name_of_a_metric_can_be_drawn(name: str, tmp_path: Path) -> None:
    figure = figure_of(f"Epoch[0] Train-{name}=0.5\nEpoch[0] Validation-{name}=0.25\n".encode())

    save_figure(figure, tmp_path / "p.png")

    assert titles(figure) == [name.replace("\x07", r"\x07")]


@pytest.mark.parametrize(
    ("ending", "start"),
    [(".png", b"\x89PNG"), (".svg", b"<?xml"), (".pdf", b"%PDF"), (".PNG", b"\x89PNG")],
)
def test_the_ending_of_the_file_decides_its_format(
    ending: str, start: bytes, samples: Path, tmp_path: Path
) -> None:
    path = tmp_path / f"p{ending}"

    save_figure(figure_of(samples / "canonical.log"), path)

    assert path.read_bytes().startswith(start)


def test_a_picture_is_saved_where_a_text_says(samples: Path, tmp_path: Path) -> None:
    save_figure(figure_of(samples / "canonical.log"), str(tmp_path / "p.png"))

    assert (tmp_path / "p.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("wish", "said"),
    [
        ({"x": "batches"}, "x 'batches': must be one of batch, sample, epoch, time, relative"),
        ({"style": "pink"}, "style 'pink': must be one of light, dark"),
        ({"smooth": -1.0}, "smooth -1: must be more than 0"),
        ({"batch_size": 0}, "batch_size 0: must be more than 0"),
    ],
)
def test_a_view_that_no_picture_has_is_refused(wish: Any, said: str) -> None:
    with pytest.raises(SettingError, match=said):
        View(**wish)


def test_an_svg_keeps_its_text_as_text(samples: Path, tmp_path: Path) -> None:
    save_figure(figure_of(samples / "canonical.log"), tmp_path / "p.svg")

    assert ">samples/sec<" in (tmp_path / "p.svg").read_text()


def test_another_ending_is_refused_with_the_known_ones(samples: Path, tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"must be one of \.png, \.svg, \.pdf"):
        save_figure(figure_of(samples / "canonical.log"), tmp_path / "p.jpeg2")


def test_a_picture_that_cannot_be_written_is_named(samples: Path, tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"cannot write .*no/p\.png: No such file"):
        save_figure(figure_of(samples / "canonical.log"), tmp_path / "no" / "p.png")


@pytest.mark.parametrize(
    ("metric", "higher", "unit"),
    [
        ("accuracy", True, "share"),
        ("Acc", True, "share"),
        ("top_k_accuracy_5", True, "share"),
        ("nce-auc", True, "share"),
        ("cross-entropy", False, "nats"),
        ("perplexity", False, "value"),
        ("rmse", False, "value"),
        ("RPNLogLoss", False, "value"),
        ("err-top1", False, "value"),
        ("correct-count", None, "value"),
    ],
)
def test_a_metrics_name_tells_direction_and_unit(
    metric: str, higher: bool | None, unit: str
) -> None:
    assert is_higher_better(metric) is higher
    assert unit_of(metric) == unit
