"""`fitlog run`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fitlog.choices import Dtype, Network
from fitlog.endings import user_errors

if TYPE_CHECKING:
    from fitlog.run.launch import RunResult

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
            help="Ends the name of the run's folder.  [default: network and data]",
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
    """Train a network with MXNet, by default a small one on handwritten digits, and record the run.

    Writes run.log, run.json, phases.jsonl and checkpoints into a new folder under --out.
    """
    with user_errors():
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
            monitor=monitor,
            model_prefix=model_prefix,
            save_period=save_period,
            load_epoch=load_epoch,
            out=out,
            name=name,
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

    given = {name: value for name, value in context.params.items() if _is_given(context, name)}
    del given["resume"]
    num_epochs = given.pop("num_epochs", None)
    if given:
        option = next(iter(given)).replace("_", "-")
        raise SettingError(
            f"--{option}: a run that is resumed keeps its settings, all but --num-epochs"
        )

    def say(line: str) -> None:
        typer.echo(f"fitlog: {printable(line)}", err=True)

    return resume(folder, num_epochs=num_epochs, say=say)


def _is_given(context: typer.Context, name: str) -> bool:
    source = context.get_parameter_source(name)
    return source is not None and source.name == "COMMANDLINE"


def _own_name() -> str:
    """How this command can be called again: an environment need not be on the path."""
    import shlex
    import shutil

    if shutil.which("fitlog"):
        return "fitlog"
    if sys.argv[0].endswith("__main__.py"):
        return f"{shlex.quote(sys.executable)} -m fitlog"
    return shlex.quote(sys.argv[0])


def _print_summary(result: RunResult) -> None:
    import shlex

    results, folder = result.record["results"], result.folder
    log = shlex.quote(f"{folder}/run.log")
    fitlog = _own_name()
    facts = {
        **_describe_metric(results["metrics"]),
        "throughput": _describe_speed(results),
        **_describe_ranks(results),
        "time": f"{result.record['seconds']:.1f} s",
        "folder": folder,
    }
    width = max(21, *(len(name) + 2 for name in facts))
    typer.echo()
    for name, value in facts.items():
        typer.echo(f"{name:<{width}}{value}")
    typer.echo(
        f"""
next:
  {fitlog} plot {log}
  {fitlog} parse {log} --table speed
  {fitlog} check {log} --baseline OTHER/run.log"""
    )


def _describe_speed(results: dict[str, Any]) -> str:
    """The median speed, of several ranks all of theirs together."""
    if results["samples_per_sec"] is None:
        return "no speed line: an epoch has no more batches than --disp-batches"
    windows = f"{results['windows']} window" + ("s" if results["windows"] != 1 else "")
    kind = "sum of the ranks' medians," if "ranks" in results else "median"
    return f"{results['samples_per_sec']:,.0f} samples/sec, {kind} of {windows}"


def _describe_ranks(results: dict[str, Any]) -> dict[str, str]:
    """Of a distributed training, what each rank did, and which ones held up the others."""
    facts: dict[str, str] = {}
    for rank in results.get("ranks", ()):
        speed, own = rank["samples_per_sec"], rank["own_seconds_per_batch"]
        text = "no speed line" if speed is None else f"{speed:,.0f} samples/sec"
        if own is not None:
            text += f"; {1000 * own:,.2f} ms of its own for a batch"
        facts[f"rank {rank['rank']}"] = text
    if results.get("stragglers"):
        ranks = ", ".join(map(str, results["stragglers"]))
        share = results["straggler_share"]
        facts["stragglers"] = f"{ranks}: over {share:.0%} slower by itself than the median rank"
    if results.get("parameters_agree") is False and results["in_step"]:
        facts["parameters"] = "not the same on all ranks, though they trained in step"
    return facts


def _describe_metric(metrics: dict[str, dict[str, Any]]) -> dict[str, str]:
    """Of the first metric, as validated where that was done, the last value and the best."""
    from fitlog.directions import unit_of

    validated = [name for name in metrics if name.startswith("validation-")]
    name = next(iter(validated or metrics), None)
    if name is None:
        return {}
    split, _, metric = name.partition("-")
    form = ".2%" if unit_of(metric) == "share" else ".6g"
    found = metrics[name]
    last = "not a finite number" if found["last"] is None else f"{found['last']:{form}}"
    facts = {f"{split} {metric}": last}
    if found["best"] is not None:
        facts["best"] = f"{found['best']:{form}} in epoch {found['best_epoch']}"
    return facts
