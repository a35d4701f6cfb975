"""`fitlog run`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fitlog.choices import Dtype, Network, OnNan
from fitlog.cli.app import given_options
from fitlog.endings import user_errors

if TYPE_CHECKING:
    from fitlog.run.recorded import RunResult

_NETWORK = "Network and data"
_LEARNING = "Learning"
_MACHINE = "Machine"
_CLUSTER = "Several workers"
_RECORD = "Record"


def _configure(context: typer.Context, path: Path | None) -> Path | None:
    """What a file sets becomes the options' defaults: what the command line says, wins."""
    if path is not None and not context.resilient_parsing:
        with user_errors():
            from fitlog.run.config import read_config

            context.default_map = {**(context.default_map or {}), **_as_given(read_config(path))}
    return path


def _as_given(options: dict[str, Any]) -> dict[str, Any]:
    """As they would stand on the command line, where lists of numbers are joined by commas."""
    return {
        name: ",".join(map(str, value)) if isinstance(value, tuple) and name != "metric" else value
        for name, value in options.items()
    }


def run(
    context: typer.Context,
    words: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[SCRIPT.py [ARGS]... | -- COMMAND...]",
            help="Run this instead of a training of fitlog's own, and record it.",
        ),
    ] = None,
    network: Annotated[
        Network, typer.Option(help="The network to train.", rich_help_panel=_NETWORK)
    ] = Network.LENET,
    data: Annotated[
        str | None,
        typer.Option(
            metavar="SOURCE",
            help="digits, synthetic, csv:FILE, npz:FILE, mnist:FOLDER or rec:FILE."
            "  [default: digits]",
            rich_help_panel=_NETWORK,
        ),
    ] = None,
    data_val: Annotated[
        str | None,
        typer.Option(
            metavar="SOURCE",
            help="What to validate with, where the data bring nothing for it or something else is"
            " wanted.",
            rich_help_panel=_NETWORK,
        ),
    ] = None,
    val_share: Annotated[
        str | None,
        typer.Option(
            metavar="SHARE",
            help="Validate with this part of the data, such as 20%.",
            rich_help_panel=_NETWORK,
        ),
    ] = None,
    benchmark: Annotated[
        bool,
        typer.Option(
            "--benchmark/--no-benchmark",
            help="Train with one made-up batch again and again, without reading any data.",
            rich_help_panel=_NETWORK,
        ),
    ] = False,
    image_shape: Annotated[
        str | None,
        typer.Option(
            metavar="C,H,W",
            help="Channels, height and width of an image.  [default: as the data have it]",
            rich_help_panel=_NETWORK,
        ),
    ] = None,
    num_classes: Annotated[
        int | None,
        typer.Option(help="Classes.  [default: as the labels tell]", rich_help_panel=_NETWORK),
    ] = None,
    num_examples: Annotated[
        int | None,
        typer.Option(help="Train with so many images.  [default: all]", rich_help_panel=_NETWORK),
    ] = None,
    dtype: Annotated[
        Dtype, typer.Option(help="What the network calculates in.", rich_help_panel=_NETWORK)
    ] = Dtype.FLOAT32,
    num_epochs: Annotated[
        int, typer.Option(help="Passes over the training images.", rich_help_panel=_LEARNING)
    ] = 15,
    batch_size: Annotated[
        int, typer.Option(help="Images in a batch.", rich_help_panel=_LEARNING)
    ] = 64,
    lr: Annotated[float, typer.Option(help="Learning rate.", rich_help_panel=_LEARNING)] = 0.1,
    lr_step_epochs: Annotated[
        str | None,
        typer.Option(
            metavar="EPOCHS",
            help="Multiply the learning rate before these epochs, such as 30,60.",
            rich_help_panel=_LEARNING,
        ),
    ] = None,
    lr_factor: Annotated[
        float, typer.Option(help="What to multiply it by.", rich_help_panel=_LEARNING)
    ] = 0.1,
    warmup_epochs: Annotated[
        int,
        typer.Option(
            help="Let the learning rate rise from 0 over so many epochs.",
            rich_help_panel=_LEARNING,
        ),
    ] = 0,
    optimizer: Annotated[
        str, typer.Option(help="Any of MXNet's.", rich_help_panel=_LEARNING)
    ] = "sgd",
    mom: Annotated[
        float,
        typer.Option(help="Momentum, of optimizers that have one.", rich_help_panel=_LEARNING),
    ] = 0.9,
    wd: Annotated[float, typer.Option(help="Weight decay.", rich_help_panel=_LEARNING)] = 0.0,
    seed: Annotated[
        int,
        typer.Option(
            help="Of the initial weights and of the shuffling.", rich_help_panel=_LEARNING
        ),
    ] = 0,
    gpus: Annotated[
        str | None,
        typer.Option(
            metavar="NUMBERS",
            help="Train on these GPUs, such as 0,1.  [default: the CPU]",
            rich_help_panel=_MACHINE,
        ),
    ] = None,
    kv_store: Annotated[
        str,
        typer.Option(
            help="How devices share gradients: local, device, nccl, dist_sync, ...",
            rich_help_panel=_MACHINE,
        ),
    ] = "local",
    workers: Annotated[
        int | None,
        typer.Option(
            help="Train by so many processes, each its part of the data.", rich_help_panel=_CLUSTER
        ),
    ] = None,
    servers: Annotated[
        int,
        typer.Option(
            help="Processes that keep the parameters of the workers.", rich_help_panel=_CLUSTER
        ),
    ] = 1,
    hosts: Annotated[
        Path | None,
        typer.Option(
            help="Where to start them, by ssh: a file, one user@host:port a line.  [default: here]",
            rich_help_panel=_CLUSTER,
        ),
    ] = None,
    scheduler_port: Annotated[
        int | None,
        typer.Option(
            help="Where they meet.  [default: a free port]",
            rich_help_panel=_CLUSTER,
        ),
    ] = None,
    hang_seconds: Annotated[
        float | None,
        typer.Option(
            help="End them when none does anything for so long; 0 never does.  [default: 7, with"
            " --hosts 0]",
            rich_help_panel=_CLUSTER,
        ),
    ] = None,
    metric: Annotated[
        list[str] | None,
        typer.Option(
            help="Any of MXNet's metrics, or top-K; can be repeated.  [default: accuracy, ce]",
            rich_help_panel=_RECORD,
        ),
    ] = None,
    top_k: Annotated[
        int,
        typer.Option(help="Report the top-k accuracy, too; 0 does not.", rich_help_panel=_RECORD),
    ] = 0,
    disp_batches: Annotated[
        int,
        typer.Option(help="Report the speed every so many batches.", rich_help_panel=_RECORD),
    ] = 5,
    fast: Annotated[
        bool,
        typer.Option(
            "--fast/--no-fast",
            help="The same to the last digit, with less work around it.",
            rich_help_panel=_MACHINE,
        ),
    ] = False,
    sync_every: Annotated[
        int | None,
        typer.Option(
            help="Take one batch of so many apart, to tell what its parts take; 0 takes none."
            "  [default: 50, at most ten a second]",
            rich_help_panel=_RECORD,
        ),
    ] = None,
    on_nan: Annotated[
        OnNan,
        typer.Option(
            help="Where a metric or a parameter becomes nan, say so, or stop.",
            rich_help_panel=_RECORD,
        ),
    ] = OnNan.WARN,
    monitor: Annotated[
        int,
        typer.Option(
            help="Log statistics of all outputs and weights every so many batches; slow.",
            rich_help_panel=_RECORD,
        ),
    ] = 0,
    model_prefix: Annotated[
        Path | None,
        typer.Option(
            help="Where checkpoints go, and come from.  [default: the network's name, in the run's"
            " folder]",
            rich_help_panel=_RECORD,
        ),
    ] = None,
    save_period: Annotated[
        int,
        typer.Option(help="Save a checkpoint every so many epochs.", rich_help_panel=_RECORD),
    ] = 1,
    load_epoch: Annotated[
        int | None,
        typer.Option(
            help="Go on from the checkpoint of this epoch of --model-prefix.",
            rich_help_panel=_RECORD,
        ),
    ] = None,
    out: Annotated[
        Path, typer.Option(help="The folder that runs are put in.", rich_help_panel=_RECORD)
    ] = Path("runs"),
    name: Annotated[
        str | None,
        typer.Option(
            help="Ends the name of the run's folder.  [default: network and data, or what is run]",
            rich_help_panel=_RECORD,
        ),
    ] = None,
    trace: Annotated[
        Path | None,
        typer.Option(
            help="Write a Chrome trace of the first 200 batches, or of the first minute, here;"
            " slow.",
            rich_help_panel=_RECORD,
        ),
    ] = None,
    config: Annotated[  # noqa: ARG001  # its callback has read it
        Path | None,
        typer.Option(
            help="A TOML file that sets options; what the command line sets, wins.",
            callback=_configure,
            is_eager=True,
        ),
    ] = None,
    resume: Annotated[
        Path | None,
        typer.Option(
            metavar="RUN",
            help="Go on with the run in this folder, as it was begun; --num-epochs may be larger.",
        ),
    ] = None,
) -> None:
    """Train a network with MXNet, or run a script, and record it.

    By default a small network learns handwritten digits. Writes run.log, run.json, phases.jsonl and
    checkpoints into a new folder under --out. A script of your own is run as by Python, with every
    Module.fit in it measured; behind --, any command. Of the options, these take --out and --name
    only, before the script's name.
    """
    with user_errors():
        if words:
            from fitlog.cli.scripts import run_words

            run_words(context, words, out=out, name=name)
        if resume is not None:
            _print_summary(_resume(context, resume))
            return
        from fitlog.options import fraction, whole_numbers
        from fitlog.run.launch import train
        from fitlog.run.settings import RunOptions

        options = RunOptions(
            network=network.value,
            data=data,
            data_val=data_val,
            val_share=fraction("--val-share", val_share) if val_share else 0.0,
            benchmark=benchmark,
            image_shape=whole_numbers("--image-shape", image_shape) or None,
            num_classes=num_classes,
            num_examples=num_examples,
            dtype=dtype.value,
            num_epochs=num_epochs,
            batch_size=batch_size,
            lr=lr,
            lr_step_epochs=whole_numbers("--lr-step-epochs", lr_step_epochs),
            lr_factor=lr_factor,
            warmup_epochs=warmup_epochs,
            optimizer=optimizer,
            mom=mom,
            wd=wd,
            seed=seed,
            gpus=whole_numbers("--gpus", gpus),
            kv_store=kv_store,
            workers=workers,
            servers=servers,
            hosts=hosts,
            scheduler_port=scheduler_port,
            hang_seconds=hang_seconds,
            metric=tuple(metric) if metric else ("accuracy", "ce"),
            top_k=top_k,
            disp_batches=disp_batches,
            fast=fast,
            sync_every=sync_every,
            on_nan=on_nan.value,
            monitor=monitor,
            model_prefix=model_prefix,
            save_period=save_period,
            load_epoch=load_epoch,
            out=out,
            name=name,
            trace=trace,
        )
        if options.workers is not None or options.hosts is not None:
            from fitlog.run.distributed import train_distributed

            _print_summary(train_distributed(options))
        else:
            _print_summary(train(options))


def _resume(context: typer.Context, folder: Path) -> RunResult:
    from fitlog.errors import SettingError
    from fitlog.printable import printable
    from fitlog.run.resume import resume

    if given := given_options(context, besides=("resume", "num_epochs")):
        raise SettingError(
            f"{given[0]}: a run that is resumed keeps its settings, all but --num-epochs"
        )

    def say(line: str) -> None:
        typer.echo(f"fitlog: {printable(line)}", err=True)

    is_longer = given_options(context, besides=("resume",))
    return resume(folder, num_epochs=context.params["num_epochs"] if is_longer else None, say=say)


def _print_summary(result: RunResult) -> None:
    from fitlog.cli.summary import format_next, format_summary
    from fitlog.printable import printable

    summary = f"\n{format_summary(result.record, result.folder)}\n{format_next(result.folder)}"
    typer.echo(printable(summary, keep="\n"))
