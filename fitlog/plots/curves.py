"""What is drawn of logs: a curve for each run, of all its nodes."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from fitlog.errors import TrainingError
from fitlog.printable import printable
from fitlog.run_folder import RUN_LOG, read_record

if TYPE_CHECKING:
    import pandas as pd

    from fitlog.tables import RunLog

# Beyond this, the differences that an axis and its ticks are made of overflow.
_LARGEST: Final = 1e300


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """One run as it is drawn: its name, its number among all, and its rows of the tables.

    Of several `nodes`, `speed` and `metrics` hold the median at each place, and in the columns
    `low` and `high` the least and the greatest. `log` and `run` say where it came from;
    `first_epoch` is that of the whole log, so that a resumed run stands behind the one before.
    """

    label: str
    number: int
    log: int
    run: int
    nodes: int
    first_epoch: int
    batch_size: int | None
    speed: pd.DataFrame
    metrics: pd.DataFrame
    epochs: pd.DataFrame
    events: pd.DataFrame

    @property
    def batches_per_epoch(self) -> int:
        """At least so many: the log names no batch after the last report."""
        ends = self.speed["batch_end"].dropna()
        if not len(ends):
            ends = self.metrics["batch_end"].dropna()
        return int(ends.max()) + 1 if len(ends) else 1


def make_curves(
    logs: RunLog | Sequence[RunLog], labels: Sequence[str] | None = None
) -> list[Curve]:
    """A curve for every run of every log.

    `labels` are what the logs are called, instead of by their files.
    """
    every = [logs] if not isinstance(logs, Sequence) else logs
    curves: list[Curve] = []
    for i, (name, tables, batch_size) in enumerate(_single_logs(every)):
        runs = sorted({run for table in tables[:3] for run in table["run"].unique()})
        first = min(named_epochs(tables[0], tables[1]), default=0)
        for run in runs:
            label = _name(name) if labels is None else printable(labels[i])
            label += f" (run {run})" if len(runs) > 1 else ""
            speed, metrics, epochs, events = (table[table["run"] == run] for table in tables)
            speed = speed[(speed["split"] == "train") & speed["batch_end"].notna()]
            curves.append(
                Curve(
                    label=label,
                    number=len(curves),
                    log=i,
                    run=run,
                    nodes=max(1, *(table["node"].nunique() for table in (speed, metrics, epochs))),
                    first_epoch=first,
                    batch_size=batch_size,
                    speed=_across_nodes(_drawable(speed, "samples_per_sec"), "samples_per_sec"),
                    metrics=_across_nodes(_drawable(metrics, "value"), "value"),
                    epochs=epochs,
                    events=events,
                )
            )
    return curves


def named_epochs(*tables: pd.DataFrame) -> set[int]:
    """Every epoch that one of them names."""
    return {int(epoch) for table in tables for epoch in table["epoch"].dropna().unique()}


def _single_logs(
    logs: Sequence[RunLog],
) -> Iterator[tuple[str, list[pd.DataFrame], int | None]]:
    """Name, tables and batch size of each log, also of those that were read as one."""
    for log in logs:
        tables = [log.speed, log.metrics, log.epochs, log.events]
        if "file" not in log.speed:
            yield log.name, tables, _batch_size(log)
            continue
        for name in log.speed["file"].cat.categories:
            yield name, [table[table["file"] == name] for table in tables], None


def _batch_size(log: RunLog) -> int | None:
    """As the log states it, or the record of the run that it is the log of."""
    arguments = log.hparams
    if "batch_size" not in arguments:
        record, path = log.record, Path(log.name)
        if record is None and path.name == RUN_LOG:
            with contextlib.suppress(TrainingError):  # what is drawn besides does not need it
                record = read_record(path.parent)
        found = (record or {}).get("arguments")
        arguments = found if isinstance(found, dict) else {}
    size = arguments.get("batch_size")
    return size if isinstance(size, int) and size > 0 else None


def _drawable(table: pd.DataFrame, column: str) -> pd.DataFrame:
    """The rows with nan for what has no place on an axis: inf, and what its arithmetic lacks."""
    return table.assign(**{column: table[column].where(table[column].abs() <= _LARGEST)})


def _across_nodes(table: pd.DataFrame, column: str) -> pd.DataFrame:
    """The rows of one node as they are; of several, one for each place in the training."""
    import pandas as pd

    named = table[table["node"].notna()]
    if named["node"].nunique() < 2:
        return table if named.empty else named
    place = ["epoch", "batch_start", "batch_end", "split", "scope", "metric"]
    groups = named.groupby(
        [name for name in place if name in named], observed=True, dropna=False, sort=False
    )
    of: dict[str, Any] = {
        column: pd.NamedAgg(column, "median"),
        "low": pd.NamedAgg(column, "min"),
        "high": pd.NamedAgg(column, "max"),
        "time": pd.NamedAgg("time", "min"),
        "line": pd.NamedAgg("line", "min"),
    }
    together: pd.DataFrame = groups.agg(**of).reset_index()
    return together


def _name(path: str) -> str:
    """A run's name: of a run folder's `run.log` the folder's, else the file's."""
    file = Path(path)
    return printable(file.absolute().parent.name if file.name == RUN_LOG else file.stem)
