"""The command `fitlog`: parses options, calls one function, prints, and gives the exit code.

0 fine; 1 regression; 2 wrong usage, unreadable or missing data; 3 inconclusive; 130 interrupted.
Whatever a command needs is imported when it runs: `fitlog --help` loads none of it.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fitlog.choices import Network, ReportFormat, Table, TableFormat, Undecided
from fitlog.endings import user_errors

if TYPE_CHECKING:
    from fitlog.run.launch import RunResult
    from fitlog.streams import TableStream
    from fitlog.tables import RunLog

app = typer.Typer(
    name="fitlog",
    help="Run, read, plot and judge trainings with MXNet's Module.fit.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # rich's help costs more time than most commands
)


Logs = Annotated[
    list[str], typer.Argument(metavar="LOG...", help="Log files, or - for standard input.")
]

DialectFile = Annotated[
    Path | None, typer.Option(help="A TOML file that describes one dialect more.")
]


def main() -> None:
    """Run the command line."""
    for stream in ("stdout", "stderr"):
        if getattr(sys, stream) is None:  # closed by whoever started the command
            setattr(sys, stream, Path(os.devnull).open("w", encoding="utf-8"))  # noqa: SIM115  # for good
        # A name that the terminal's encoding lacks is written out; it is no reason to fail.
        getattr(sys, stream).reconfigure(errors="backslashreplace")
    app()


@app.callback(invoke_without_command=True)
def _version(
    version: Annotated[bool, typer.Option("--version", help="Print the version and exit.")] = False,
) -> None:
    if version:
        from fitlog import __version__

        typer.echo(f"fitlog {__version__}")
        raise typer.Exit


@app.command()
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
                seed=seed,
                out=out,
                name=name,
            )
        )
        _print_summary(result)


@app.command()
def parse(
    logs: Logs,
    table: Annotated[Table, typer.Option(help="What to print.")] = Table.EPOCHS,
    form: Annotated[
        TableFormat | None,
        typer.Option("--format", help="[default: as the ending of --output says, else table]"),
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Write to this file instead.")
    ] = None,
    dialect: Annotated[str | None, typer.Option(help="Read lines of this dialect only.")] = None,
    dialect_file: DialectFile = None,
) -> None:
    """Print a table of what training logs say.

    A folder or a quoted glob stands for its logs. With several logs, a column names the file of
    each row. What was not read is counted on stderr.
    """
    with user_errors():
        from fitlog.formats import format_of, write_parts
        from fitlog.progress import shown_reading
        from fitlog.sources import find_logs
        from fitlog.streams import TableStream

        _require_one_stdin(logs)
        if output:
            _require_other_file(output, logs)
        found = find_logs(logs)
        format_ = form.value if form else format_of(output)
        whole = format_ in ("table", "parquet")
        with shown_reading(found, amid_output=not whole and output is None) as progress:
            stream = TableStream(
                found,
                table.value,
                with_file=found != logs or len(logs) > 1,
                whole=whole,
                dialect=dialect,
                dialect_file=dialect_file,
                progress=progress,
            )
            write_parts(stream, format_, output)
        _print_doubts(stream)


@app.command()
def doctor(
    logs: Logs,
    form: Annotated[ReportFormat, typer.Option("--format")] = ReportFormat.TEXT,
    dialect_file: DialectFile = None,
) -> None:
    """Say what in training logs should not be trusted: the line, the reason, the remedy."""
    with user_errors():
        from fitlog.doctor import examine, format_examination
        from fitlog.printable import printable

        _require_one_stdin(logs)
        found = [examine(log) for log in _read_each(logs, dialect_file)]
        if form is ReportFormat.JSON:
            import json

            typer.echo(json.dumps([one.to_dict() for one in found], indent=2))
        else:
            typer.echo(printable("\n".join(map(format_examination, found)), keep="\n"))


@app.command()
def dialects(
    log: Annotated[
        str | None, typer.Argument(metavar="[LOG]", help="Say whose lines this log holds.")
    ] = None,
    rules: Annotated[
        str | None, typer.Option(metavar="DIALECT", help="List this dialect's lines instead.")
    ] = None,
    dialect_file: DialectFile = None,
) -> None:
    """List the writers whose lines are read, each with an example."""
    with user_errors():
        from fitlog.printable import printable
        from fitlog.reading import more_dialects
        from fitlog.sources import read_beginning
        from fitlog_parsers import find_dialects, own_rules, sniff_dialect

        more = more_dialects(dialect_file)
        every = find_dialects(None, more)
        if log is not None:
            typer.echo(sniff_dialect(read_beginning(log), every, path=log).name)
        elif rules is not None:
            (dialect,) = find_dialects(rules, more)
            for rule in dialect.rules:
                typer.echo(f"{rule.name}\n    {printable(rule.example)}")
        else:
            for i, dialect in enumerate(every):
                typer.echo(f"{dialect.name:<12}{printable(dialect.about)}")
                typer.echo(f"{'':<12}{printable(own_rules(dialect, every[:i])[0].example)}")


@app.command()
def plot(
    logs: Logs,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            help="The picture: .png, .svg or .pdf.  [default: beside the first log, .png]",
        ),
    ] = None,
) -> None:
    """Draw speed and metrics of one training, or of several over each other, as a picture."""
    with user_errors():
        from fitlog.plots import plot_logs, save_figure
        from fitlog.printable import printable

        _require_one_stdin(logs)
        read = list(_read_each(logs))
        target = output or _picture_beside(logs[0])
        _require_other_file(target, logs)
        save_figure(plot_logs(read), target)
        typer.echo(f"wrote {printable(str(target))}")


@app.command()
def check(
    candidates: Annotated[
        list[str], typer.Argument(metavar="CANDIDATE...", help="Logs of the runs to judge.")
    ],
    baseline: Annotated[
        list[str] | None,
        typer.Option(metavar="LOG", help="A log to compare with; may be given several times."),
    ] = None,
    tolerance: Annotated[str, typer.Option(help="The slowdown that must be ruled out.")] = "5%",
    min_effect: Annotated[str, typer.Option(help="The least change that is called one.")] = "2%",
    alpha: Annotated[float, typer.Option(help="The rate of false alarms to allow.")] = 0.01,
    warmup: Annotated[
        str, typer.Option(metavar="auto|N", help="Windows to drop from each run.")
    ] = "auto",
    inconclusive: Annotated[
        Undecided, typer.Option(help="'pass' makes an undecided check end with 0.")
    ] = Undecided.FAIL,
    form: Annotated[ReportFormat, typer.Option("--format")] = ReportFormat.TEXT,
) -> None:
    """Judge the throughput of a training against that of a baseline.

    Exits with 0 (pass, improved), 1 (regression), 2 (data that cannot be judged) or 3
    (inconclusive).
    """
    with user_errors() as outcome:
        from fitlog.gate import check as check_throughput
        from fitlog.gate import format_judgement
        from fitlog.options import fraction, number_of_windows

        _require_one_stdin([*candidates, *(baseline or [])])
        judgement = check_throughput(
            candidates,
            baseline=baseline or [],
            tolerance=fraction("--tolerance", tolerance),
            min_effect=fraction("--min-effect", min_effect),
            alpha=alpha,
            warm_up=number_of_windows(warmup),
        )
        undecided = judgement.verdict == "inconclusive" and inconclusive is Undecided.PASS
        outcome.exit_code = 0 if undecided else judgement.exit_code
        if form is ReportFormat.JSON:
            import json

            typer.echo(json.dumps(judgement.to_dict(), indent=2))
        else:
            from fitlog.printable import printable

            typer.echo(printable(format_judgement(judgement), keep="\n"))
        raise typer.Exit(outcome.exit_code)


def _read_each(logs: list[str], dialect_file: Path | None = None) -> Iterator[RunLog]:
    """The logs one by one, with a bar for those who wait; each must hold a record."""
    from fitlog.progress import shown_reading
    from fitlog.streams import no_records
    from fitlog.tables import read_log

    for name in logs:
        with shown_reading([name]) as progress:
            log = read_log(name, dialect_file=dialect_file, progress=progress)
        if not log.has_records:
            reason = str(log.unparsed["reason"].iloc[0]) if len(log.unparsed) else ""
            raise no_records(log.name, log.lines, reason)
        yield log


def _require_one_stdin(logs: list[str]) -> None:
    from fitlog.errors import SettingError

    if logs.count("-") > 1:
        raise SettingError("- is named twice: standard input can be read only once")


def _require_other_file(target: Path, logs: list[str]) -> None:
    """Raise where the file to be written is one of the logs, by whatever name."""
    from fitlog.errors import OutputError

    if not target.exists():
        return
    for log in logs:
        same = (
            os.path.samestat(target.stat(), os.fstat(0))
            if log == "-"
            else Path(log).exists() and target.samefile(log)
        )
        if same and target.is_file():
            raise OutputError(
                f"{target} would write over a log that is read; name another file with --output"
            )


def _print_doubts(stream: TableStream) -> None:
    """Say on stderr what the table does not hold."""
    if stream.unparsed:
        typer.echo(
            f"fitlog: not read, though like a record: {stream.unparsed} (--table unparsed)",
            err=True,
        )
    if stream.warnings:
        typer.echo(f"fitlog: warnings: {stream.warnings} (--table warnings)", err=True)


def _picture_beside(log: str) -> Path:
    return Path("fitlog.png") if log == "-" else Path(log).with_suffix(".png")


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
