"""Ctrl-C and SIGTERM: the batch at hand is finished, and the training then ends in order.

A second one ends it at once, wherever it is.
"""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any, Final

_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)


class StoppedError(KeyboardInterrupt):
    """A training that was asked to stop; `signal` says how, `in_order` whether a batch is done."""

    def __init__(self, number: int, *, in_order: bool) -> None:
        self.signal = signal.Signals(number)
        self.in_order = in_order
        super().__init__(self.signal.name)


class Stop:
    """Whether somebody asked the training to stop.

    `after_batch` is a callback of fit and of score: it raises where somebody did. `epoch` and
    `nbatch` are the last batch that was trained, None before the first. Once `is_over` is set, for
    how it ended is being written down, nothing that is asked disturbs that.
    """

    def __init__(self) -> None:
        self.is_over = False
        self.epoch: int | None = None
        self.nbatch: int | None = None
        self._asked: int | None = None

    def ask(self, number: int) -> None:
        """A signal came; the second one raises at once.

        Raises:
            StoppedError: it is the second one.
        """
        if self._asked is None:
            self._asked = number
        elif not self.is_over:
            raise StoppedError(number, in_order=False)

    def after_batch(self, param: Any) -> None:
        """A batch of the training is done.

        Raises:
            StoppedError: the training is to stop.
        """
        self.epoch, self.nbatch = param.epoch, param.nbatch
        self.after_evaluated(param)

    def after_evaluated(self, param: Any) -> None:
        """A batch of the evaluation is done.

        Raises:
            StoppedError: the training is to stop.
        """
        del param
        if self._asked is not None:
            raise StoppedError(self._asked, in_order=True)


@contextlib.contextmanager
def stoppable(say: Callable[[str], None]) -> Iterator[Stop]:
    """While this lasts, signals ask the `Stop` that is given; `say` is told of the first one.

    Outside of the main thread, which alone can have handlers, nothing is changed. A signal that the
    process ignores (as `nohup` has it) stays ignored.
    """
    stop = Stop()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return

    def handle(number: int, frame: FrameType | None) -> None:
        del frame
        stop.ask(number)
        name = signal.Signals(number).name
        with contextlib.suppress(RuntimeError):  # it came amid a write to the same stream
            say(f"{name}: stopping after this batch; once more stops at once")

    handlers = {
        number: signal.signal(number, handle)
        for number in _SIGNALS
        if signal.getsignal(number) is not signal.SIG_IGN
    }
    try:
        yield stop
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
