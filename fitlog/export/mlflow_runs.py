"""MLflow: a run for each run of a log, with its settings, its values and its files."""

from __future__ import annotations

import contextlib
import logging
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from fitlog.errors import OutputError
from fitlog.export.points import Place, Point, Settings, posix_seconds
from fitlog.export.target import Logs, import_extra
from fitlog.run_folder import PHASE_FILE, RECORD, RUN_LOG

# What MLflow takes at once: 1,000 metrics, 100 parameters, which have 6,000 characters.
_MOST_METRICS: Final = 1_000
_MOST_PARAMS: Final = 100
_LONGEST: Final = 6_000
# Slashes, too, but not where they would make another path.
_NOT_IN_NAMES: Final = re.compile(r"[^\w. :/-]|^/|/$|\.\.|//|/\.(?=/)", re.ASCII)
_BESIDE: Final = (RECORD, PHASE_FILE)
_EXPERIMENT: Final = "fitlog"


def open_mlflow(out: str, logs: Logs) -> MLflowRuns:
    """An SQLite file of that name, or the store of a tracking URI.

    Raises:
        OutputError: MLflow is missing, or cannot use the store.
    """
    mlflow = import_extra("mlflow", "mlflow")
    if "://" not in out:  # mlflow-skinny comes without them
        import_extra("alembic", "mlflow")
        import_extra("sqlalchemy", "mlflow")
    for name in ("mlflow", "alembic"):  # they tell of the tables that they make
        logging.getLogger(name).setLevel(logging.WARNING)
    uri, artefacts = out, None
    if "://" not in out:
        file = Path(out).absolute()
        _require_database(file, out)
        uri, artefacts = f"sqlite:///{file}", f"{file.with_suffix('')}-artifacts"
    with _refusals(out):
        client = mlflow.MlflowClient(uri)
        name = os.environ.get("MLFLOW_EXPERIMENT_NAME") or _EXPERIMENT
        found = client.get_experiment_by_name(name)
        number = found.experiment_id if found else client.create_experiment(name, artefacts)
    return MLflowRuns(client, number, out, logs)


class MLflowRuns:
    """The runs of an experiment."""

    def __init__(self, client: Any, experiment: str, out: str, logs: Logs) -> None:
        self._client, self._experiment, self._out, self._logs = client, experiment, out, logs
        self._entities = import_extra("mlflow.entities", "mlflow")
        self._runs: dict[Place, str] = {}
        self._params: dict[Place, dict[str, str]] = {}
        self._last: dict[Place, int] = {}

    def describe(self, settings: Settings) -> None:
        """Keep them until the run has begun; the first value of a parameter stays."""
        params = self._params.setdefault(settings.place, {})
        for name, value in settings.values.items():
            params.setdefault(_key(name), str(value)[:_LONGEST])

    def write(self, points: Sequence[Point]) -> None:
        """Log the points, run by run."""
        metrics: dict[Place, list[Any]] = {}
        for point in points:
            at = _milliseconds(point)
            metric = self._entities.Metric(_key(point.tag), point.value, at, point.step)
            metrics.setdefault(point.place, []).append(metric)
            self._run(point)
            self._last[point.place] = max(at, self._last.get(point.place, at))
        for place, every in metrics.items():
            for start in range(0, len(every), _MOST_METRICS):
                self._log(place, metrics=every[start : start + _MOST_METRICS])

    def flush(self) -> None:
        """MLflow has what was written."""

    def close(self, endings: Mapping[Place, str]) -> None:
        """Log the settings and the files, and how each run ended."""
        for place, run in self._runs.items():
            params = [
                self._entities.Param(k, v)
                for k, v in self._params.get(self._whose(place), {}).items()
            ]
            for start in range(0, len(params), _MOST_PARAMS):
                self._log(place, params=params[start : start + _MOST_PARAMS])
            status = "FINISHED" if endings.get(place) == "finished" else "KILLED"
            with _refusals(self._out):
                for file in _files(self._logs.path(place)):
                    self._client.log_artifact(run, str(file))
                self._client.set_terminated(run, status, end_time=self._last[place])

    def _whose(self, place: Place) -> Place:
        """Whose settings are a run's: where ranks log, one of them, or none of them, may."""
        file, run, _ = place
        same = [other for other in self._params if other[:2] == (file, run)]
        return place if place in self._params or not same else same[0]

    def _run(self, point: Point) -> str:
        run = self._runs.get(point.place)
        if run is None:
            tags = {"fitlog.log": self._logs.name(point.place), "fitlog.time": point.time_source}
            with _refusals(self._out):
                info = self._client.create_run(
                    self._experiment,
                    start_time=_milliseconds(point),
                    tags=tags,
                    run_name=self._logs.run_name(point.place),
                ).info
            run = self._runs[point.place] = info.run_id
        return run

    def _log(self, place: Place, **what: Any) -> None:
        with _refusals(self._out):
            self._client.log_batch(self._runs[place], **what)


def _require_database(file: Path, out: str) -> None:
    """Raise where SQLite cannot use the file, which MLflow would try for minutes."""
    import sqlite3

    try:
        with contextlib.closing(sqlite3.connect(file)) as database:
            database.execute("SELECT name FROM sqlite_master")
    except sqlite3.Error as error:
        raise OutputError(f"cannot use {out} as an SQLite file: {error}") from None


@contextlib.contextmanager
def _refusals(out: str) -> Iterator[None]:
    """MLflow's exceptions as an error that names the store."""
    exceptions = import_extra("mlflow.exceptions", "mlflow")
    try:
        yield
    except exceptions.MlflowException as error:
        raise OutputError(f"MLflow refuses what is written to {out}: {error}") from None


def _files(log: Path | None) -> list[Path]:
    """The log, and what `fitlog run` wrote beside it."""
    if log is None or not log.is_file():
        return []
    beside = [log.with_name(name) for name in _BESIDE] if log.name == RUN_LOG else []
    return [log, *(file for file in beside if file.is_file())]


def _key(name: str) -> str:
    """A name with an underscore for each character that MLflow does not take."""
    return _NOT_IN_NAMES.sub("_", name)[:250] or "_"


def _milliseconds(point: Point) -> int:
    return max(round(posix_seconds(point.time) * 1000), 0)  # MLflow refuses times before 1970
