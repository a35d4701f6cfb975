"""What the targets of an export have in common: the protocol, and how they call runs."""

from __future__ import annotations

import importlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from fitlog.errors import OutputError
from fitlog.export.points import Place, Point, Settings
from fitlog.extras import install
from fitlog.sources import Source, name_of


class Target(Protocol):
    """Where points go; nothing is written before the first comes."""

    def describe(self, settings: Settings) -> None:
        """A run has these settings; it may say so before or after its first points."""

    def write(self, points: Sequence[Point]) -> None:
        """Take in some points, in the order of the log's lines."""

    def flush(self) -> None:
        """Let others see what was written; only a log that is followed asks for it."""

    def close(self, endings: Mapping[Place, str]) -> None:
        """That is all. `endings` says of runs how they ended, in the words of the table `runs`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Logs:
    """The logs that are exported, numbered as places have it."""

    sources: tuple[Source, ...]

    def name(self, place: Place) -> str:
        """The name of a place's log."""
        return name_of(self.sources[place[0]])

    def run_name(self, place: Place) -> str:
        """`run-0` or `run-0-node-1`, behind a path that tells the log where there are several."""
        file, run, node = place
        name = f"run-{run}" if node is None else f"run-{run}-node-{node}"
        return f"{self._labels()[file]}/{name}" if len(self.sources) > 1 else name

    def path(self, place: Place) -> Path | None:
        """The file of a place's log; None where it is none."""
        source = self.sources[place[0]]
        is_path = isinstance(source, (str, os.PathLike)) and os.fspath(source) != "-"
        return Path(source) if is_path and isinstance(source, (str, os.PathLike)) else None

    def _labels(self) -> list[str]:
        """The names without what they have in common; a log that is named twice has a number."""
        names = [Path(name_of(source)).absolute() for source in self.sources]
        common = os.path.commonpath([name.parent for name in names])
        labels = [name.relative_to(common).with_suffix("").as_posix() for name in names]
        return [
            label if labels.count(label) == 1 else f"{label}-{number}"
            for number, label in enumerate(labels)
        ]


def import_extra(module: str, target: str) -> Any:
    """A module of a package that only this target needs.

    Raises:
        OutputError: it is not installed, or cannot be imported.
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError:
        reason = "needs packages more"
    except ImportError as error:
        reason = f"cannot be used ({error})"
    raise OutputError(f"--to {target} {reason}: {install(target)}")
