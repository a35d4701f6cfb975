"""What the parts of a batch truly take: on some batches the engine is waited for after each.

MXNet's engine works in the background, so the clock around a call tells how long it took to queue
the work, and the call that needs a result (mostly the metric's) seems to have done all of it. On
every n-th batch the engine is drained first, and after each part; the others run as they are.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable
from typing import Any, Final

from fitlog.run.phase_recorder import PhaseRecorder
from fitlog.run.shadowing import shadowed

DEFAULT_EVERY: Final = 50
# Where nobody says how often: waiting takes a batch of a small network twice as long.
_LEAST_SECONDS: Final = 0.1
# What forward_backward consists of (base_module.py, BaseModule.forward_backward).
_PARTS: Final = ("forward", "backward")


class EngineSampler:
    """Times the parts of every n-th batch of a fit; `end_batch` must be called after each.

    Where `every` is None, that is every 50th, but not one within a tenth of a second of the last.

    The window's record has the sums: 'batches', and the seconds of 'forward', 'backward', 'update',
    'metric'; of a module whose `forward_backward` calls neither of the two, 'compute' is what both
    take. Between those batches nothing stands in the way of the module's methods.
    """

    def __init__(
        self, recorder: PhaseRecorder, module: Any, every: int | None, wait: Callable[[], None]
    ) -> None:
        self._recorder = recorder
        self._module = module
        self._every = DEFAULT_EVERY if every is None else every
        self._least_seconds = _LEAST_SECONDS if every is None else 0.0
        self._wait = wait
        self._batches = 0
        self._is_sampling = False
        self._sampled = contextlib.ExitStack()
        self._drained = recorder.clock()
        self._sampled_at = -math.inf
        self._drain = recorder.timed("pending", wait)

    def end_batch(self) -> None:
        """A batch is done: see whether the next one is to be taken apart."""
        self._batches += 1
        place = self._batches % self._every
        if place == 0 and self._is_sampling:
            self.close()
            self._drained = self._sampled_at = self._recorder.clock()
        if place == self._every - 1:
            since = self._recorder.clock() - self._sampled_at
            if since >= self._least_seconds:
                self._begin_sample()

    def end_epoch(self) -> None:
        """The epoch's batches are done, and their lines logged: wait for what is left of them."""
        if self._recorder.is_busy:
            return
        since = min(self._recorder.epoch_seconds, self._recorder.clock() - self._drained)
        left = self._seconds_left()
        if since:
            self._recorder.check_left(left, since)
        self._drained = self._recorder.clock()

    def close(self) -> None:
        """Take nothing apart any more."""
        self._is_sampling = False
        self._sampled.close()

    def _begin_sample(self) -> None:
        self._is_sampling = True
        module = self._module
        whole = {
            name: self._recorder.timed(phase, self._apart(part, getattr(module, name)))
            for name, phase, part in (
                ("update", "update", "update"),
                ("update_metric", "metric", "metric"),
            )
        }
        compute = self._recorder.timed("compute", self._compute)
        forward_backward = module.forward_backward

        def drained(*args: Any, **kwargs: Any) -> Any:
            since = self._recorder.clock() - self._drained
            left = self._seconds_left()
            if self._every > 1:  # else hardly any time has passed
                self._recorder.check_left(left, since)
            self._recorder.measure("batches", 1)
            return compute(forward_backward, args, kwargs)

        self._sampled.enter_context(shadowed(module, {"forward_backward": drained, **whole}))

    def _seconds_left(self) -> float:
        begin = self._recorder.clock()
        self._drain()
        return self._recorder.clock() - begin

    def _compute(self, call: Callable[..., Any], args: Any, kwargs: Any) -> Any:
        parts = {name: getattr(self._module, name) for name in _PARTS}
        done: list[str] = []

        def noted(name: str) -> Callable[..., Any]:
            apart = self._apart(name, parts[name])

            def part(*args: Any, **kwargs: Any) -> Any:
                done.append(name)
                return apart(*args, **kwargs)

            return part

        begin = self._recorder.clock()
        with shadowed(self._module, {name: noted(name) for name in _PARTS}):
            result = call(*args, **kwargs)
        if not done:
            self._wait()
            self._recorder.measure("compute", self._recorder.clock() - begin)
        return result

    def _apart(self, part: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def apart(*args: Any, **kwargs: Any) -> Any:
            begin = self._recorder.clock()
            result = call(*args, **kwargs)
            self._wait()
            self._recorder.measure(part, self._recorder.clock() - begin)
            return result

        return apart
