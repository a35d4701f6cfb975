"""`fitlog run`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fitlog.choices import Network
from fitlog.endings import user_errors

if TYPE_CHECKING:
    from fitlog.run.launch import RunResult


def run(
    network: Annotated[Network, typer.Option(help="The network to train.")] = Network.LENET,
    num_epochs: Annotated[int, typer.Option(help="Passes over the training images.")] = 15,
    batch_size: Annotated[int, typer.Option(help="Images in a batch.")] = 64,
    lr: Annotated[float, typer.Option(help="Learning rate.")] = 0.1,
    optimizer: Annotated[
        str, typer.Option(help="Any of MXNet's; sgd and nag get a momentum of 0.9.")
    ] = "sgd",
    disp_batches: Annotated[int, typer.Option(help="Report the speed every so many batches.")] = 5,
    fast: Annotated[
        bool,
        typer.Option("--fast", help="Copy no batches and read outputs once: the same log, sooner."),
    ] = False,
    seed: Annotated[int, typer.Option(help="Of the initial weights and of the shuffling.")] = 0,
    out: Annotated[Path, typer.Option(help="The folder that runs are put in.")] = Path("runs"),
    name: Annotated[
        str | None,
        typer.Option(help="Ends the name of the run's folder.  [default: network and data]"),
    ] = None,
) -> None:
    """Train a small network on handwritten digits with MXNet, and record the run.

    Writes run.log, run.json, phases.jsonl and checkpoints into a new folder under --out.
    """
    with user_errors():
        from fitlog.run.launch import RunOptions, train

        result = train(
            RunOptions(
                network=network.value,
                num_epochs=num_epochs,
                batch_size=batch_size,
                lr=lr,
                optimizer=optimizer,
                disp_batches=disp_batches,
                fast=fast,
                seed=seed,
                out=out,
                name=name,
            )
        )
        _print_summary(result)


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
    speed = "no speed line: an epoch has no more batches than --disp-batches"
    if results["windows"]:
        speed = (
            f"{results['samples_per_sec']:,.0f} samples/sec, median of {results['windows']} windows"
        )
    facts = {
        "validation accuracy": f"{results['validation_accuracy']:.2%}",
        "best": f"{results['best_validation_accuracy']:.2%} in epoch {results['best_epoch']}",
        "throughput": speed,
        "time": f"{result.record['seconds']:.1f} s",
        "folder": folder,
    }
    typer.echo()
    for name, value in facts.items():
        typer.echo(f"{name:<21}{value}")
    typer.echo(
        f"""
next:
  {fitlog} plot {log}
  {fitlog} parse {log} --table speed
  {fitlog} check {log} --baseline OTHER/run.log"""
    )
