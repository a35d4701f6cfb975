"""`fitlog run`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fitlog.choices import Network
from fitlog.endings import user_errors

if TYPE_CHECKING:
    from fitlog.run.launch import RunResult
    from fitlog.run.settings import RunOptions


def run(
    network: Annotated[Network, typer.Option(help="The network to train.")] = Network.LENET,
    num_epochs: Annotated[int, typer.Option(help="Passes over the training images.")] = 15,
    batch_size: Annotated[int, typer.Option(help="Images in a batch.")] = 64,
    lr: Annotated[float, typer.Option(help="Learning rate.")] = 0.1,
    optimizer: Annotated[
        str, typer.Option(help="Any of MXNet's; sgd and nag get a momentum of 0.9.")
    ] = "sgd",
    disp_batches: Annotated[int, typer.Option(help="Report the speed every so many batches.")] = 5,
    seed: Annotated[int, typer.Option(help="Of the initial weights and of the shuffling.")] = 0,
    out: Annotated[Path, typer.Option(help="The folder that runs are put in.")] = Path("runs"),
    name: Annotated[
        str | None,
        typer.Option(help="Ends the name of the run's folder.  [default: network and data]"),
    ] = None,
    kv_store: Annotated[
        str, typer.Option(help="local, or of several workers dist_sync, dist_async, ...")
    ] = "local",
    workers: Annotated[
        int | None, typer.Option(help="Train by so many processes, each its part of the data.")
    ] = None,
    servers: Annotated[
        int, typer.Option(help="Processes that keep the parameters of several workers.")
    ] = 1,
    hosts: Annotated[
        Path | None,
        typer.Option(help="Machines to start them on by ssh: a file, one user@host:port a line."),
    ] = None,
    scheduler_port: Annotated[
        int | None, typer.Option(help="Where the processes meet.  [default: a free port]")
    ] = None,
    hang_seconds: Annotated[
        float | None,
        typer.Option(help="End processes that do nothing for so long; 0 is never.  [default: 7]"),
    ] = None,
) -> None:
    """Train a small network on handwritten digits with MXNet, and record the run.

    Writes run.log, run.json, phases.jsonl and checkpoints into a new folder under --out.
    """
    with user_errors():
        from fitlog.run.settings import RunOptions

        options = RunOptions(
            network=network.value,
            num_epochs=num_epochs,
            batch_size=batch_size,
            lr=lr,
            optimizer=optimizer,
            disp_batches=disp_batches,
            seed=seed,
            out=out,
            name=name,
            kv_store=kv_store,
        )
        if workers is not None or hosts is not None or kv_store.startswith("dist"):
            result = _train_distributed(
                options, workers, servers, hosts, scheduler_port, hang_seconds
            )
        else:
            from fitlog.run.launch import train

            result = train(options)
        _print_summary(result)


def _train_distributed(
    options: RunOptions,
    workers: int | None,
    servers: int,
    hosts: Path | None,
    scheduler_port: int | None,
    hang_seconds: float | None,
) -> RunResult:
    from fitlog.errors import SettingError
    from fitlog.run.cluster import Cluster, read_hosts
    from fitlog.run.distributed import train_distributed

    if workers is None:
        raise SettingError(f"--kv-store {options.kv_store}: by how many? say so by --workers")
    cluster = Cluster(
        workers=workers,
        servers=servers,
        hosts=() if hosts is None else read_hosts(hosts),
        scheduler_port=scheduler_port,
    )
    return train_distributed(options, cluster, hang_seconds=hang_seconds)


def _rank_facts(results: dict[str, Any]) -> dict[str, object]:
    """What the summary says of the ranks of a distributed training."""
    facts: dict[str, object] = {}
    for rank in results.get("ranks", ()):
        speed = rank["samples_per_sec"]
        text = "no speed line" if speed is None else f"{speed:,.0f} samples/sec"
        if rank["own_seconds_per_batch"] is not None:
            text += f", {1000 * rank['own_seconds_per_batch']:,.2f} ms of its own for a batch"
        facts[f"rank {rank['rank']}"] = text
    if results.get("stragglers"):
        share = results["straggler_share"]
        facts["stragglers"] = (
            f"rank {', '.join(map(str, results['stragglers']))}:"
            f" over {share:.0%} more of its own for a batch than the median rank"
        )
    if results.get("parameters_agree") is False:
        facts["parameters"] = "the ranks ended with different ones"
    return facts


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
    if results["samples_per_sec"] is not None:
        kind = "sum of the ranks' medians," if "ranks" in results else "median"
        speed = (
            f"{results['samples_per_sec']:,.0f} samples/sec, {kind} of {results['windows']} windows"
        )
    facts = {
        "validation accuracy": f"{results['validation_accuracy']:.2%}",
        "best": f"{results['best_validation_accuracy']:.2%} in epoch {results['best_epoch']}",
        "throughput": speed,
        **_rank_facts(results),
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
