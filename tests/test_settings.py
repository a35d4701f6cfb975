"""What `fitlog run` is told: options, their checks, and options from a file."""

from __future__ import annotations

import inspect
import json
import re
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from fitlog.cli.running import run
from fitlog.errors import SettingError, TrainingError
from fitlog.run.config import read_config
from fitlog.run.settings import RunOptions, check_options
from support import PROJECT, Fitlog

PAGE = PROJECT / "docs" / "running.md"


def test_the_defaults_make_sense() -> None:
    check_options(RunOptions())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"network": "vgg"}, "no network named 'vgg'; known: lenet, mlp, resnet20, resnet50"),
        ({"dtype": "int8"}, "no dtype named 'int8'; known: float32, float16"),
        ({"kv_store": "disk"}, "no kv-store named 'disk'; known: local, device,"),
        ({"data": "foo"}, "--data foo: must be digits, synthetic, csv:FILE"),
        ({"data": "csv"}, "--data csv: must be"),
        ({"data": "csv:"}, "--data csv:: must be"),
        ({"data": "digits:x"}, "--data digits:x: must be"),
        ({"data_val": "digits"}, "--data-val digits: must be csv:FILE"),
        ({"val_share": 1.0}, "--val-share 1.0: must be a part of the whole"),
        ({"val_share": 0.1, "data_val": "csv:x"}, "--val-share and --data-val: the validation"),
        ({"benchmark": True, "data": "csv:x"}, "--benchmark reads no data: leave out --data"),
        ({"benchmark": True, "val_share": 0.1}, "--benchmark validates nothing"),
        ({"image_shape": (3, 32)}, "--image-shape 3,32: must be channels,height,width"),
        ({"image_shape": (3, 0, 32)}, "--image-shape 3,0,32: must be channels,height,width"),
        ({"num_classes": 1}, "--num-classes 1: must be at least 2"),
        ({"num_examples": 0}, "--num-examples 0: must be at least 1"),
        ({"lr_factor": 2.0}, "--lr-factor 2.0: must be above 0 and at most 1"),
        ({"lr_step_epochs": (3, 3)}, "--lr-step-epochs 3,3: must be rising numbers"),
        ({"lr_step_epochs": (0,)}, "--lr-step-epochs 0: the first must be 1 or later"),
        ({"lr_step_epochs": (2,), "warmup_epochs": 3}, "--lr-step-epochs 2: the first must be 3"),
        ({"warmup_epochs": -1}, "--warmup-epochs -1: must be at least 0"),
        ({"mom": float("nan")}, "--mom nan: must be a number from 0 on"),
        ({"wd": -0.1}, "--wd -0.1: must be a number from 0 on"),
        ({"top_k": 1}, "--top-k 1: must be at least 2; top-1 is the accuracy"),
        ({"top_k": -3}, "--top-k -3: must be at least 2"),
        ({"metric": ()}, "no metric: there would be nothing to report"),
        ({"save_period": 0}, "--save-period 0: must be at least 1"),
        ({"monitor": -1}, "--monitor -1: must be at least 0"),
        ({"gpus": (0, 0)}, "--gpus 0,0: must be different numbers from 0 on"),
        ({"load_epoch": 3}, "--load-epoch 3: of what? say so by --model-prefix"),
        (
            {"load_epoch": 5, "num_epochs": 5, "model_prefix": Path("x")},
            "--load-epoch 5: with --num-epochs 5, which counts from the very first, there is",
        ),
    ],
)
def test_what_makes_no_sense_is_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(TrainingError) as caught:
        check_options(RunOptions(**options))

    assert str(caught.value).startswith(message)


@pytest.mark.parametrize(
    ("options", "name"),
    [
        ({}, "lenet-digits"),
        ({"network": "mlp", "data": "csv:some/where/cats.csv.gz"}, "mlp-cats"),
        ({"data": "mnist:data/mnist/"}, "lenet-mnist"),
        ({"data": "mnist:."}, "lenet-mnist"),
        ({"network": "resnet50", "benchmark": True}, "resnet50-benchmark"),
        ({"name": "mine"}, "mine"),
    ],
)
def test_a_run_is_called_after_network_and_data(options: dict[str, Any], name: str) -> None:
    assert RunOptions(**options).run_name == name


def test_a_file_sets_options_by_their_names(tmp_path: Path) -> None:
    file = tmp_path / "run.toml"
    file.write_text(
        'network = "mlp"\nnum-epochs = 3\nlr = 1\nmetric = ["ce", "top-3"]\n'
        'lr_step_epochs = [1, 2]\nbenchmark = true\nout = "there"\n'
    )

    options = RunOptions(**read_config(file))

    assert options == RunOptions(
        network="mlp",
        num_epochs=3,
        lr=1.0,
        metric=("ce", "top-3"),
        lr_step_epochs=(1, 2),
        benchmark=True,
        out=Path("there"),
    )
    assert isinstance(options.lr, float)


def test_the_file_that_the_documentation_shows_is_read(tmp_path: Path) -> None:
    (shown,) = re.findall(r"^```toml\n(.*?)^```$", PAGE.read_text("utf-8"), re.M | re.S)
    file = tmp_path / "resnet.toml"
    file.write_text(shown)

    options = RunOptions(**read_config(file))

    check_options(options)
    assert options.lr_step_epochs == (50, 75)


def test_the_command_the_options_and_the_documentation_agree() -> None:
    parameters = inspect.signature(run).parameters
    defaults = {field.name: field.default for field in fields(RunOptions)}
    pages = PAGE.read_text("utf-8") + PAGE.with_name("distributed.md").read_text("utf-8")
    documented = re.findall(r"^\| `--([a-z-]+)`", pages, re.M)

    assert {name.replace("-", "_") for name in documented} == {*defaults, "config", "resume"}
    assert set(parameters) == {*defaults, "config", "resume", "context", "words"}
    for name, default in defaults.items():
        given = parameters[name].default
        if given is not None:
            assert given == default
        elif name != "metric":  # which cannot say so: what is given would be added
            assert not default


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("epochs = 3", "run.toml: no option named 'epochs'; known: network, dtype, data,"),
        ("[network]\nx = 1", "run.toml: network = {'x': 1}: must be text"),
        ('num-epochs = "3"', "run.toml: num-epochs = '3': must be a whole number"),
        ("num-epochs = true", "run.toml: num-epochs = true: must be a whole number"),
        ("num-epochs = 3.0", "run.toml: num-epochs = 3.0: must be a whole number"),
        ("lr = [1]", "run.toml: lr = [1]: must be a number"),
        ("benchmark = 1", "run.toml: benchmark = 1: must be true or false"),
        ("gpus = 0", "run.toml: gpus = 0: must be a list of whole numbers"),
        ('metric = "ce"', "run.toml: metric = 'ce': must be a list of texts"),
        ('network = "vgg"', "run.toml: no network named 'vgg'; known: lenet, mlp,"),
        ("num-epochs = 1\nnum_epochs = 2", "run.toml: num_epochs is there twice"),
        ("num-epochs =", "run.toml: is no TOML: Invalid value (at"),
    ],
)
def test_a_file_that_is_wrong_is_refused_by_name_and_key(
    text: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("run.toml").write_text(text)

    with pytest.raises(SettingError) as caught:
        read_config(Path("run.toml"))

    assert str(caught.value).startswith(message)


def test_every_option_can_be_set_by_a_file_and_the_command_line_wins(
    fitlog: Fitlog, tmp_path: Path, mx: Any
) -> None:
    assert mx is not None
    (tmp_path / "run.toml").write_text(
        'network = "mlp"\nnum-epochs = 5\nmetric = ["ce"]\nlr-step-epochs = [1]\nval-share = 0.5\n'
        'data = "synthetic"\nimage-shape = [1, 4, 4]\nnum-examples = 60\nbatch-size = 20\n'
        'seed = 3\nname = "set"\nbenchmark = true\n'
    )

    done = fitlog(
        *("run", "--num-epochs", 2, "--config", "run.toml", "--seed", 4, "--no-benchmark"),
        *("--val-share", "25%", "--metric", "top-2"),
    )

    assert done.returncode == 2
    assert done.stderr == "fitlog: --val-share: synthetic brings validation data of its own\n"

    (tmp_path / "run.toml").write_text(
        (tmp_path / "run.toml").read_text().replace("val-share = 0.5\n", "")
    )
    done = fitlog(
        *("run", "--num-epochs", 2, "--config", "run.toml", "--seed", 4, "--no-benchmark")
    )

    assert done.returncode == 0, done.stderr
    (folder,) = (tmp_path / "runs").iterdir()
    arguments = json.loads((folder / "run.json").read_text())["arguments"]
    assert folder.name.endswith("-set")
    assert arguments["seed"] == 4
    assert arguments["num_epochs"] == 2
    assert arguments["metric"] == ["ce"]
    assert arguments["lr_step_epochs"] == [1]
    assert arguments["image_shape"] == [1, 4, 4]
    assert arguments["benchmark"] is False
    assert arguments["lr"] == 0.1


def test_a_config_that_is_missing_is_an_error_and_no_traceback(fitlog: Fitlog) -> None:
    done = fitlog("run", "--config", "nowhere.toml")

    assert done.returncode == 2
    assert done.stderr == (
        "fitlog: --config nowhere.toml: cannot be read: No such file or directory\n"
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--gpus", "a"], "--gpus a: must be whole numbers between commas"),
        (["--image-shape", "3,32,"], "--image-shape 3,32,: must be whole numbers between commas"),
        (["--val-share", "2"], "--val-share 2: must be a part of the whole"),
    ],
)
def test_lists_and_shares_that_are_none_are_refused(
    arguments: list[str], message: str, fitlog: Fitlog
) -> None:
    done = fitlog("run", *arguments)

    assert done.returncode == 2
    assert done.stderr.startswith(f"fitlog: {message}")


def test_the_help_groups_the_options(fitlog: Fitlog) -> None:
    lines = fitlog("run", "--help").stdout.splitlines()

    groups = [line for line in lines if line.endswith(":") and not line.startswith(" ")]
    assert groups == [
        "Arguments:",
        "Network and data:",
        "Learning:",
        "Machine:",
        "Several workers:",
        "Record:",
        "Options:",
    ]
    assert lines.index("Learning:") < next(i for i, x in enumerate(lines) if "--lr " in x)
