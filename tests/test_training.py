"""From options to trainings: metrics, optimizers, devices, checkpoints and what a run tells."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fitlog import TrainingError, read_log
from fitlog.run.launch import train
from fitlog.run.recorded import RunResult
from fitlog.run.settings import RunOptions
from fitlog.run.training import Training, build_training
from support import Fitlog

SMALL = {"network": "mlp", "data": "synthetic", "image_shape": (1, 3, 3), "num_examples": 60}

# The files of a checkpoint: its manifest, and what that vouches for.
KINDS = ("json", "params", "states")


def built(mx: Any, **options: Any) -> Training:
    return build_training(mx, RunOptions(**{**SMALL, "batch_size": 20, **options}))


def trained(out: Path, **options: Any) -> RunResult:
    settings = {**SMALL, "batch_size": 20, "disp_batches": 1, "num_epochs": 2, "out": out}
    return train(RunOptions(**{**settings, **options}))


def test_metrics_of_any_name_are_reported(mx: Any, tmp_path: Path) -> None:
    assert mx is not None

    result = trained(tmp_path, metric=("ce", "top-3", "perplexity", "top_k_accuracy_2"), top_k=4)

    log = read_log(result.folder / "run.log")
    names = ["cross-entropy", "top_k_accuracy_3", "perplexity"]
    names += ["top_k_accuracy_2", "top_k_accuracy_4"]
    assert list(result.record["results"]["metrics"]) == [
        f"{split}-{name}" for split in ("train", "validation") for name in names
    ]
    assert log.unparsed.empty
    for name, found in result.record["results"]["metrics"].items():
        values = log.epochs[name].tolist()
        best = max(values) if "top" in name else min(values)
        assert found == {"last": values[-1], "best": best, "best_epoch": values.index(best)}


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("accurate", "no metric named 'accurate'; known: top-K, acc, accuracy, "),
        ("f1", "--metric f1: does not fit a network that tells 10 classes apart ("),
        ("pearsonr", "--metric pearsonr: does not fit a network that tells 10 classes apart ("),
        ("composite", "--metric composite: does not fit"),
        ("custommetric", "--metric custommetric: does not fit"),
        ("top-1", "--metric top-1: with 10 classes, k must be from 2 to 9; top-1 is the accuracy"),
        ("top-10", "--metric top-10: with 10 classes, k must be from 2 to 9"),
    ],
)
def test_metrics_that_do_not_fit_are_refused(name: str, message: str, mx: Any) -> None:
    with pytest.raises(TrainingError) as caught:
        built(mx, metric=(name,))

    assert str(caught.value).startswith(message)


def test_f1_fits_two_classes(mx: Any) -> None:
    (metric,) = built(mx, metric=("f1",), num_classes=2).arguments["eval_metric"]

    assert metric.name == "f1"
    assert np.isnan(metric.get()[1])  # what it was tried out with is forgotten


@pytest.mark.parametrize(
    ("optimizer", "momentum"), [("sgd", 0.5), ("NAG", 0.5), ("signum", 0.5), ("adam", None)]
)
def test_momentum_goes_to_optimizers_that_have_one(
    optimizer: str, momentum: float | None, mx: Any
) -> None:
    params = built(mx, optimizer=optimizer, mom=0.5, wd=0.01).arguments["optimizer_params"]

    made = mx.optimizer.create(optimizer, **params)
    assert getattr(made, "momentum", None) == momentum
    assert made.wd == 0.01


def test_gpus_are_refused_where_the_build_has_none(mx: Any) -> None:
    if mx.runtime.Features().is_enabled("CUDA"):
        pytest.skip("this build has them")

    with pytest.raises(TrainingError, match="--gpus 0,1: this build of MXNet is for the CPU only"):
        built(mx, gpus=(0, 1))
    with pytest.raises(TrainingError, match="--dtype float16: MXNet calculates in it on GPUs only"):
        built(mx, dtype="float16")
    with pytest.raises(TrainingError, match="--kv-store nccl: this build of MXNet has no NCCL"):
        built(mx, kv_store="nccl")


@pytest.mark.parametrize(
    ("count", "message"),
    [(2, "--gpus 1,2: there is no GPU 2; there are: 0 to 1"), (0, "there is no GPU 1; there are")],
)
def test_gpus_that_are_not_there_are_named(
    count: int, message: str, mx: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Features:
        def is_enabled(self, _: str) -> bool:
            return True

    monkeypatch.setattr(mx.runtime, "Features", Features)
    monkeypatch.setattr(mx.context, "num_gpus", lambda: count)

    with pytest.raises(TrainingError, match=message):
        built(mx, gpus=(1, 2))
    if count:
        assert built(mx, gpus=(0, 1), dtype="float16").module._context == [mx.gpu(0), mx.gpu(1)]


def test_a_distributed_store_outside_of_a_job_is_refused(
    mx: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DMLC_ROLE", raising=False)

    with pytest.raises(TrainingError, match="--kv-store dist_sync: this process is no worker"):
        built(mx, kv_store="dist_sync")


def test_the_learning_rate_falls_in_the_epochs_named(mx: Any, tmp_path: Path) -> None:
    assert mx is not None

    result = trained(
        tmp_path, num_epochs=4, lr=0.5, lr_step_epochs=(1, 3), lr_factor=0.1, warmup_epochs=1
    )

    log = (result.folder / "run.log").read_text()
    assert re.findall(r"Update\[(\d+)\]: Change learning rate to (\S+)", log) == [
        ("4", "5.00000e-02"),
        ("10", "5.00000e-03"),
    ]


def test_checkpoints_go_where_the_prefix_says_and_are_gone_on_from(mx: Any, tmp_path: Path) -> None:
    prefix = tmp_path / "models" / "net"
    options = {"model_prefix": prefix, "mom": 0.0, "num_epochs": 4}
    whole = trained(tmp_path / "runs", **options, lr_step_epochs=(1, 3))
    expected = mx.nd.load(f"{prefix}-0003.params")

    trained(tmp_path / "runs", **options, lr_step_epochs=(1, 3), load_epoch=2, save_period=2)

    assert sorted(path.name for path in prefix.parent.iterdir()) == [
        *(f"net-000{epoch}.{kind}" for epoch in range(1, 5) for kind in KINDS),
        "net-symbol.json",
    ]
    assert not list(whole.folder.glob("*.params"))
    assert expected.keys() == mx.nd.load(f"{prefix}-0003.params").keys()
    (second,) = (path for path in (tmp_path / "runs").iterdir() if path != whole.folder)
    epochs = read_log(second / "run.log").epochs
    assert epochs["epoch"].tolist() == [2, 3]
    before = read_log(whole.folder / "run.log").epochs
    # The first epoch of the second run begins with the parameters that the first run had there.
    assert epochs["train-cross-entropy"].iloc[0] == pytest.approx(
        before["train-cross-entropy"].iloc[2], rel=0.05
    )


def test_checkpoints_are_saved_every_so_many_epochs(mx: Any, tmp_path: Path) -> None:
    assert mx is not None

    result = trained(tmp_path, num_epochs=7, save_period=3)

    assert sorted(path.name for path in result.folder.glob("*.params")) == [
        "mlp-0003.params",
        "mlp-0006.params",
    ]


def test_a_checkpoint_that_does_not_fit_is_refused(mx: Any, tmp_path: Path) -> None:
    result = trained(tmp_path, num_epochs=1)
    prefix = result.folder / "mlp"
    again = {"model_prefix": prefix, "load_epoch": 1, "num_epochs": 2}

    with pytest.raises(TrainingError, match=r"mlp-0001.params: its dense1_weight is \(128, 9\)"):
        built(mx, **again, image_shape=(1, 4, 4))
    with pytest.raises(TrainingError, match=r"its convolution1_weight is missing, but --network"):
        built(mx, **again, network="lenet", image_shape=(1, 4, 4))
    with pytest.raises(TrainingError, match=r"mlp-0007.params: no such checkpoint; see"):
        built(mx, **{**again, "load_epoch": 7, "num_epochs": 8})
    Path(f"{prefix}-0001.params").write_bytes(b"damaged")
    with pytest.raises(TrainingError, match=r"mlp-0001.params: is no checkpoint of MXNet, or is"):
        built(mx, **again)


def test_a_prefix_whose_folder_cannot_be_made_leaves_no_run(mx: Any, tmp_path: Path) -> None:
    assert mx is not None
    (tmp_path / "file").write_text("")

    with pytest.raises(TrainingError, match=r"--model-prefix .*/file/net: cannot make the folder"):
        trained(tmp_path / "runs", model_prefix=tmp_path / "file" / "net")

    assert not (tmp_path / "runs").exists()


def test_the_monitor_logs_what_it_sees_every_so_many_batches(mx: Any, tmp_path: Path) -> None:
    assert mx is not None

    result = trained(tmp_path, monitor=2, num_epochs=1)

    lines = (result.folder / "run.log").read_text().splitlines()
    assert {line.split()[1] for line in lines if line.startswith("Batch:")} == {"1", "3"}
    assert any("dense1_weight" in line for line in lines)


def test_a_benchmark_without_validation_ends_with_a_summary(
    fitlog: Fitlog, tmp_path: Path, mx: Any
) -> None:
    assert mx is not None

    done = fitlog(
        *("run", "--benchmark", "--network", "mlp", "--image-shape", "1,3,3", "--metric", "ce"),
        *("--num-epochs", 1, "--num-examples", 500, "--batch-size", 50, "--disp-batches", 9),
    )

    assert done.returncode == 0, done.stderr
    (folder,) = (tmp_path / "runs").iterdir()
    assert folder.name.endswith("-mlp-benchmark")
    results = json.loads((folder / "run.json").read_text())["results"]
    assert list(results["metrics"]) == ["train-cross-entropy"]
    assert results["windows"] == 1
    assert re.search(r"^train cross-entropy  \d\.\d+$", done.stdout, re.MULTILINE)
    assert re.search(r"^best +\d\.\d+ in epoch 0$", done.stdout, re.MULTILINE)
    assert re.search(r"^throughput +[\d,]+ samples/sec, median of 1 window$", done.stdout, re.M)


def test_a_loss_that_is_no_number_is_no_result(mx: Any, tmp_path: Path) -> None:
    assert mx is not None

    result = trained(tmp_path, metric=("ce",), lr=1e30)

    found = json.loads((result.folder / "run.json").read_text())["results"]["metrics"]
    assert found["train-cross-entropy"]["last"] is None
    assert "NaN" not in (result.folder / "run.json").read_text()


def test_wrong_data_leave_nothing_behind(fitlog: Fitlog, tmp_path: Path, mx: Any) -> None:
    assert mx is not None
    (tmp_path / "d.csv").write_text("1,2,0\n1,2,x\n")

    done = fitlog("run", "--data", "csv:d.csv")

    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "fitlog: d.csv, row 2, column 2: 'x' is not a number\n"
    assert [path.name for path in tmp_path.iterdir()] == ["d.csv"]
