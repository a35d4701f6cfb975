"""`LineWriter`: the lines of `Module.fit` and `Speedometer` from any training loop.

What is reported when, over which batches, and what a speed is of, is upstream's (callback.py,
Speedometer.__call__; module/base_module.py, BaseModule.fit; both 1.9.1), and so is the text. Only
an epoch of a single batch is treated otherwise: there the Speedometer goes on counting from the
epoch before and tells a speed of batches that never were; here it has no speed line. MXNet, numpy
and pandas are not needed.
"""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from types import TracebackType
from typing import Any, Final, TypeVar

from fitlog.errors import OutputError, SettingError, TrainingError
from fitlog.run.outputs import Target, open_output
from fitlog_parsers.entries import Row
from fitlog_parsers.reader import LogReader
from fitlog_parsers.records import Event, Metric, Record, Speed, Split
from fitlog_parsers.writer import format_line

Batch = TypeVar("Batch")

_DEFAULT_FREQUENT: Final = 50
_NO_METRICS: Final[Mapping[str, Any]] = {}
_END: Final[Any] = object()


class LineWriter:
    """Writes the log of a training, in MXNet's words, and the record of the run.

    `outputs` are where to: the path of a folder, which is made and gets `run.log` and `run.json`; a
    file opened as text; a logger. `batch_size` is what a speed counts, `frequent` how many batches
    a window has. `arguments` go into `run.json` as they are. `clock` tells seconds.

    Used in a `with` block, which tells how the run ended: 'finished', 'failed', 'interrupted'.
    Where that cannot be, `close` says that it is finished.

    Raises:
        SettingError: a setting that cannot be.
        OutputError: what cannot be written; a folder that holds a run already.
    """

    def __init__(
        self,
        *outputs: Target,
        batch_size: int,
        frequent: int = _DEFAULT_FREQUENT,
        arguments: Mapping[str, Any] = _NO_METRICS,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        if not outputs:
            raise SettingError("nowhere to write: name a folder, a file or a logger")
        if batch_size < 1:
            raise SettingError(f"batch_size {batch_size}: must be at least 1")
        if frequent < 1:
            raise SettingError(f"frequent {frequent}: must be at least 1")
        self._batch_size = batch_size
        self._frequent = frequent
        self._clock = clock
        self._epoch: int | None = None
        self._is_training = False  # the epoch's training lines are still to come
        self._epoch_tic = self._window_tic = 0.0
        self._window, self._whole = _Means(), _Means()
        self._known_names: set[str] = set()
        self._is_open = True
        self._outputs = [open_output(output, arguments) for output in outputs]

    def epochs(self, num_epoch: int, begin_epoch: int = 0) -> Iterator[int]:
        """The numbers of the epochs, from `begin_epoch` up to, without it, `num_epoch`.

        Raises:
            SettingError: there is none.
        """
        if begin_epoch < 0 or begin_epoch >= num_epoch:
            raise SettingError(
                f"begin_epoch {begin_epoch}, num_epoch {num_epoch}: there is nothing to train"
            )
        for epoch in range(begin_epoch, num_epoch):
            self._begin_epoch(epoch)
            yield epoch
            self._end_training()

    def batches(self, data: Iterable[Batch]) -> Iterator[Batch]:
        """The batches of `data` for one epoch; the speed is reported between them.

        After the last one, the epoch's training lines are written.

        Raises:
            TrainingError: `data` gives no batch; or the loop left them and came back.
        """
        epoch = self._current_epoch("batches()", is_training=True)
        source = iter(data)
        batch = next(source, _END)
        if batch is _END:
            raise TrainingError(
                f"no batch in epoch {epoch}: what gives batches only once, like a generator, has "
                "to be made anew for each epoch"
            )
        nbatch = 0
        while batch is not _END:
            yield batch
            if self._epoch != epoch or not self._is_training:
                raise TrainingError(
                    f"validation() amid the batches of epoch {epoch}: it belongs after them"
                )
            # Like upstream: what the next batch takes counts for the window of this one.
            batch = next(source, _END)
            self._end_batch(epoch, nbatch)
            nbatch += 1
        self._end_training()

    def metric(
        self,
        values: Mapping[str, Any] = _NO_METRICS,
        /,
        *,
        samples: float | None = None,
        **more: Any,
    ) -> None:
        """Values of a batch by name, each a mean over its samples, as anything `float` takes.

        Names that are no words of Python go into a mapping. `samples` is how many the batch has,
        where it is not the batch size: means over a window or an epoch weigh by it.

        Raises:
            TrainingError: no number; a name that could not be read back; no epoch has begun.
        """
        self._current_epoch("metric()", is_training=True)
        if samples is not None and not samples > 0:
            raise TrainingError(f"samples {samples}: a batch has at least one")
        weight = 1.0 if samples is None else samples / self._batch_size
        for name, value in self._numbers({**values, **more}).items():
            self._window.add(name, value, weight)
            self._whole.add(name, value, weight)

    def validation(self, values: Mapping[str, Any] = _NO_METRICS, /, **more: Any) -> None:
        """Write values of the validation after the epoch; they are taken as `metric` takes them.

        Raises:
            TrainingError: as `metric`.
            OutputError: they cannot be written.
        """
        epoch = self._current_epoch("validation()")
        numbers = self._numbers({**values, **more})
        self._end_training()
        self._write_values(epoch, "validation", numbers)

    def close(self) -> None:
        """The run is finished; the rest of its lines is written. Closing again does nothing."""
        self.__exit__(None, None, None)

    def __enter__(self) -> LineWriter:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if not self._is_open:
            return
        self._is_open = False
        if error is None:
            try:
                self._end_training()
            except OutputError as failure:
                self._close_outputs(failure)
                raise
        self._close_outputs(error)

    def _begin_epoch(self, epoch: int) -> None:
        self._epoch, self._is_training = epoch, True
        self._epoch_tic = self._clock()
        self._window.reset()
        self._whole.reset()

    def _end_batch(self, epoch: int, nbatch: int) -> None:
        if nbatch > 0 and nbatch % self._frequent == 0:
            self._write_window(epoch, nbatch)
        elif nbatch > 0:
            return
        self._window_tic = self._clock()

    def _write_window(self, epoch: int, nbatch: int) -> None:
        seconds = self._clock() - self._window_tic
        samples = self._frequent * self._batch_size
        samples_per_sec = samples / seconds if seconds else math.inf
        start, values = nbatch - self._frequent, self._window.values()
        said = _window_records(epoch, start, nbatch, samples_per_sec, values)
        self._window.reset()
        self._write(said)

    def _end_training(self) -> None:
        """The epoch's training is over, if one is under way."""
        if not self._is_training or self._epoch is None:
            return
        self._is_training = False
        self._write_values(self._epoch, "train", self._whole.values())
        seconds = self._clock() - self._epoch_tic
        self._write([Event(kind="time_cost", text="", epoch=self._epoch, value=seconds)])

    def _write_values(self, epoch: int, split: Split, values: Mapping[str, float]) -> None:
        for name, value in values.items():
            self._write([Metric(epoch=epoch, split=split, scope="epoch", metric=name, value=value)])

    def _write(self, said: list[Record]) -> None:
        line = format_line(said)
        for output in self._outputs:
            output.write(line)

    def _current_epoch(self, what: str, *, is_training: bool = False) -> int:
        if self._epoch is None:
            raise TrainingError(f"{what} before any epoch: it belongs into a loop over epochs()")
        if is_training and not self._is_training:
            raise TrainingError(f"{what} after the training of epoch {self._epoch} has ended")
        return self._epoch

    def _numbers(self, values: Mapping[str, Any]) -> dict[str, float]:
        numbers = {}
        for name, value in values.items():
            if name not in self._known_names:
                _check_name(name)
                self._known_names.add(name)
            try:
                # A tensor that has a gradient warns where it is made a float, not with `item`.
                numbers[name] = float(value.item() if hasattr(value, "item") else value)
            except Exception as error:  # each framework has errors of its own
                raise TrainingError(
                    f"the value of metric {name!r} is no single number: {value!r:.80}"
                ) from error
        return numbers

    def _close_outputs(self, error: BaseException | None) -> None:
        status, text = "finished", None
        if isinstance(error, KeyboardInterrupt):
            status = "interrupted"
        elif error is not None:
            status, text = "failed", f"{type(error).__name__}: {error}"
        with contextlib.ExitStack() as stack:
            if error is not None:  # what went wrong first is what the caller must see
                stack.enter_context(contextlib.suppress(OutputError))
            for output in self._outputs:
                stack.callback(output.close, status, text)


class _Means:
    """Means of metrics by name, as MXNet's `EvalMetric` adds them up; nan where there is no value.

    A name stays when the values are forgotten, so that each line has the same fields.
    """

    def __init__(self) -> None:
        self._sums: dict[str, float] = {}
        self._weights: dict[str, float] = {}

    def add(self, name: str, value: float, weight: float) -> None:
        self._sums[name] = self._sums.get(name, 0.0) + value * weight
        self._weights[name] = self._weights.get(name, 0.0) + weight

    def values(self) -> dict[str, float]:
        return {
            name: total / self._weights[name] if self._weights[name] else math.nan
            for name, total in self._sums.items()
        }

    def reset(self) -> None:
        for name in self._sums:
            self._sums[name] = self._weights[name] = 0.0


def _window_records(
    epoch: int, start: int, end: int, samples_per_sec: float, values: Mapping[str, float]
) -> list[Record]:
    speed = Speed(epoch=epoch, batch_start=start, batch_end=end, samples_per_sec=samples_per_sec)
    metrics = (
        Metric(
            epoch=epoch,
            batch_start=start,
            batch_end=end,
            split="train",
            scope="window",
            metric=name,
            value=value,
        )
        for name, value in values.items()
    )
    return [speed, *metrics]


def _check_name(name: str) -> None:
    """Raise TrainingError for the name of a metric that a line cannot hold: it is tried."""
    said: list[list[Record]] = [
        _window_records(0, 0, 1, 1.0, {name: 0.5, "another": 0.5}),
        [Metric(epoch=0, split="validation", scope="epoch", metric=name, value=0.5)],
    ]
    text = "".join(f"{format_line(records)}\n" for records in said)
    reader = LogReader()
    entries = reader.feed(text.encode("utf-8", "backslashreplace")) + reader.close()
    read = [entry.record for entry in entries if isinstance(entry, Row)]
    if read != [record for records in said for record in records]:
        raise TrainingError(
            f"{name!r} is no name for a metric: reading the log would not give it back"
        )
