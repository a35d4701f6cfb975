"""Weights & Biases: an offline run for each run of a log, which `wandb sync` sends.

W&B numbers the rows of a run itself and wants them in order; so each kind of value has an axis of
its own: `batch` for reports within epochs, `epoch` for values of whole ones.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from fitlog.errors import OutputError
from fitlog.export.points import Place, Point, Settings, posix_seconds
from fitlog.export.target import Logs, import_extra

_AXES: Final = {"window": "batch", "running": "batch", "epoch": "epoch"}


def open_wandb(out: str, logs: Logs) -> OfflineRuns:
    """A folder that gets the offline runs.

    Raises:
        OutputError: wandb is missing, or the folder cannot be made.
    """
    wandb = import_extra("wandb", "wandb")
    folder = Path(out)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"cannot write {out}: {error.strerror or error}") from None
    return OfflineRuns(wandb, folder, logs)


class OfflineRuns:
    """The offline runs of a folder."""

    def __init__(self, wandb: Any, folder: Path, logs: Logs) -> None:
        self._wandb = wandb
        self._folder, self._logs = folder, logs
        self._runs: dict[Place, Any] = {}
        self._settings: dict[Place, dict[str, Any]] = {}

    def describe(self, settings: Settings) -> None:
        """They become the run's config."""
        values = dict(settings.values)
        self._settings.setdefault(settings.place, {}).update(values)
        if settings.place in self._runs:
            self._runs[settings.place].config.update(values, allow_val_change=True)

    def write(self, points: Sequence[Point]) -> None:
        """Log a row for the points of each line that share their step."""
        for (place, _, axis, step), group in itertools.groupby(points, key=_row_of):
            row = list(group)
            values: dict[str, Any] = {point.tag: point.value for point in row}
            values |= {axis: step, "_timestamp": posix_seconds(row[0].time)}
            if row[0].epoch is not None:
                values["epoch"] = row[0].epoch
            self._run(place).log(values)

    def flush(self) -> None:
        """W&B's own process has them."""

    def close(self, endings: Mapping[Place, str]) -> None:
        """Finish each run: as failed, unless it finished."""
        for place, run in self._runs.items():
            run.finish(exit_code=0 if endings.get(place) == "finished" else 1)

    def _run(self, place: Place) -> Any:
        run = self._runs.get(place)
        if run is None:
            try:
                run = self._wandb.init(
                    mode="offline",
                    dir=str(self._folder),
                    name=self._logs.run_name(place),
                    config=self._settings.get(place, {}),
                    reinit="create_new",
                    settings=self._wandb.Settings(
                        silent=True,
                        console="off",
                        # The training's machine and code are not those of the export.
                        disable_git=True,
                        disable_code=True,
                        x_disable_meta=True,
                        x_disable_stats=True,
                    ),
                )
            except self._wandb.Error as error:
                raise OutputError(f"W&B cannot begin a run in {self._folder}: {error}") from None
            for scope, axis in _AXES.items():
                run.define_metric(f"{scope}/*", step_metric=axis)
            self._runs[place] = run
        return run


def _row_of(point: Point) -> tuple[Place, int, str, int]:
    return point.place, point.line, _AXES[point.scope], point.step
