"""`fitlog index`."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Annotated, Final

import typer

from fitlog.choices import ArchiveEngine
from fitlog.endings import user_errors

if TYPE_CHECKING:
    from fitlog.archive.indexing import Damage, Indexed

_MOST_SHOWN: Final = 20


def index(
    sources: Annotated[
        list[str],
        typer.Argument(metavar="LOG...", help="Folders, globs, log files, or URLs of such."),
    ],
    output: Annotated[
        str,
        typer.Option(
            "--output", "-o", metavar="ARCHIVE", help="The archive: a folder, or a URL (s3://...)."
        ),
    ],
    engine: Annotated[
        ArchiveEngine, typer.Option(help="Who reads: this machine, or a Dask cluster.")
    ] = ArchiveEngine.LOCAL,
    workers: Annotated[
        int,
        typer.Option(
            min=0, help="Processes of this machine.  [default: 1; dask: 2]", show_default=False
        ),
    ] = 0,
    address: Annotated[
        str | None,
        typer.Option(metavar="URL", help="The cluster's scheduler.  [default: a local cluster]"),
    ] = None,
) -> None:
    """Keep an archive of logs up to date: one data set, of which questions can be asked.

    What has changed since the last time is read, and no more. A log that cannot be read is named
    with the reason, and stops nothing.
    """
    with user_errors():
        from fitlog.archive import require_packages
        from fitlog.errors import SettingError
        from fitlog.progress import shown_bytes

        if address is not None and engine is not ArchiveEngine.DASK:
            raise SettingError("--address is the address of a cluster: it needs --engine dask")
        if address is not None and workers:
            raise SettingError("--workers are those of this machine: a cluster has its own")
        require_packages()
        from fitlog.archive.engines import open_engine
        from fitlog.archive.indexing import index as index_logs

        count = workers or (2 if engine is ArchiveEngine.DASK else 1)
        with shown_bytes() as progress:
            indexed = index_logs(
                sources,
                output,
                engine=open_engine(engine.value, address=address, workers=count),
                progress=progress,
            )
        _tell(indexed, output)


def _tell(indexed: Indexed, output: str) -> None:
    from fitlog.printable import printable

    ask = f"fitlog query {shlex.quote(output)} --ask unread"
    for source in indexed.absent:
        typer.echo(
            f"fitlog: {printable(source)} is not there any more: its logs are gone", err=True
        )
    for damage in indexed.damaged:
        typer.echo(f"fitlog: {printable(output)}: {_told_of(damage)}", err=True)
    for file, reason in indexed.refused[:_MOST_SHOWN]:
        typer.echo(f"fitlog: {printable(file)}: {printable(reason)}", err=True)
    more = len(indexed.refused) - _MOST_SHOWN
    if more > 0:
        typer.echo(
            f"fitlog: and {more:,} more; to list those that could be opened: {printable(ask)}",
            err=True,
        )
    told = [
        f"read {indexed.read:,} log{'s' * (indexed.read != 1)} ({indexed.size / 1e6:,.1f} MB)",
        f"{indexed.unchanged:,} as they were",
        *([f"{indexed.gone:,} gone"] if indexed.gone else []),
        *([_written_anew(indexed)] if indexed.anew else []),
        *([f"{len(indexed.refused):,} not to be read"] if indexed.refused else []),
    ]
    if indexed.refused_before:
        told.append(f"{indexed.refused_before:,} not to be read, as before ({printable(ask)})")
    typer.echo("; ".join(told))
    typer.echo(
        f"{printable(output)}: {indexed.runs:,} run{'s' * (indexed.runs != 1)} of"
        f" {indexed.logs:,} log{'s' * (indexed.logs != 1)}, {indexed.archive_size / 1e6:,.1f} MB"
    )


def _written_anew(indexed: Indexed) -> str:
    of_it = "run is" if indexed.earlier_runs == 1 else "runs are"
    return f"{indexed.anew:,} written anew ({indexed.earlier_runs:,} earlier {of_it} replaced)"


def _told_of(damage: Damage) -> str:
    again = damage.logs - damage.lost - damage.unnamed
    told = [f"{again:,} of its {damage.logs:,} logs read again"]
    if damage.lost:
        told.append(f"{damage.lost:,} not, and rows of them are lost")
    if damage.unnamed:
        told.append(f"{damage.unnamed:,} if they are there, for which they were is not known")
    return f"the part {damage.part} was missing or damaged: {'; '.join(told)}"
