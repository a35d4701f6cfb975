"""TensorBoard: a folder of event files, one for each run.

They are written with TensorBoard's own record writer and messages, but not with its
`EventFileWriter`, which stamps each file with the time at which it was made. TensorBoard keeps
values as float32.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from fitlog.export.points import Place, Point, Settings, posix_seconds
from fitlog.export.rows import refused
from fitlog.export.target import Logs, import_extra

# TensorBoard knows event files by the middle of their names. A second export replaces the first.
FILE_NAME: Final = "events.out.tfevents.fitlog"
_VERSION: Final = "brain.Event:2"


def open_tensorboard(out: str, logs: Logs) -> EventFiles:
    """A folder for TensorBoard's `--logdir`.

    Raises:
        OutputError: tensorboard is missing.
    """
    return EventFiles(Path(out), logs)


class EventFiles:
    """The event files of a folder, in one of its own for each run."""

    def __init__(self, folder: Path, logs: Logs) -> None:
        self._folder, self._logs = folder, logs
        self._writers: dict[Place, Any] = {}
        self._events = import_extra("tensorboard.compat.proto.event_pb2", "tensorboard")
        self._summaries = import_extra("tensorboard.compat.proto.summary_pb2", "tensorboard")
        self._records = import_extra("tensorboard.summary.writer.record_writer", "tensorboard")

    def describe(self, settings: Settings) -> None:
        """Settings are no numbers."""

    def write(self, points: Sequence[Point]) -> None:
        """Add an event for each."""
        event, summary = self._events.Event, self._summaries.Summary
        try:
            for point in points:
                seconds = posix_seconds(point.time)
                value = summary.Value(tag=point.tag, simple_value=point.value)
                message = event(wall_time=seconds, step=point.step, summary=summary(value=[value]))
                self._writer(point.place, seconds).write(message.SerializeToString())
        except OSError as error:
            raise refused(str(self._folder), error) from None

    def flush(self) -> None:
        """Let a TensorBoard that runs see them."""
        try:
            for writer in self._writers.values():
                writer.flush()
        except OSError as error:
            raise refused(str(self._folder), error) from None

    def close(self, endings: Mapping[Place, str]) -> None:  # noqa: ARG002  # a target's
        """Write what is left."""
        try:
            for writer in self._writers.values():
                writer.close()
        except OSError as error:
            raise refused(str(self._folder), error) from None

    def _writer(self, place: Place, seconds: float) -> Any:
        writer = self._writers.get(place)
        if writer is None:
            folder = self._folder / self._logs.run_name(place)
            folder.mkdir(parents=True, exist_ok=True)
            writer = self._writers[place] = self._records.RecordWriter(
                (folder / FILE_NAME).open("wb")
            )
            writer.write(
                self._events.Event(wall_time=seconds, file_version=_VERSION).SerializeToString()
            )
        return writer
