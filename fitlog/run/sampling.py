"""What the parts of a batch truly take: on some batches the engine is waited for after each.

MXNet's engine works in the background, so the clock around a call tells how long it took to queue
the work, and the call that needs a result (mostly the metric's) seems to have done all of it. On
every n-th batch the engine is drained first, and after each part; the others run as they are.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from fitlog.run.phases import PhaseRecorder
from fitlog.run.shadowing import shadowed

DEFAULT_EVERY: Final = 50
# What forward_backward consists of (base_module.py, BaseModule.forward_backward).
_PARTS: Final = ("forward", "backward")


class EngineSampler:
    """Times the parts of every n-th batch of a fit, all of which must be given to `wrap`.

    The window's record has the sums: 'batches', and the seconds of 'forward', 'backward', 'update',
    'metric'; of a module whose `forward_backward` calls neither of the two, 'compute' is what both
    take.
    """

    def __init__(
        self, recorder: PhaseRecorder, module: Any, every: int, wait: Callable[[], None]
    ) -> None:
        self._recorder = recorder
        self._module = module
        self._every = every
        self._wait = wait
        self._batches = 0
        self._is_sampled = False
        self._drained = recorder.clock()
        self._drain = recorder.timed("pending", wait)

    def wrap(self, name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        """A method of the module, timed on its own where the batch is one of those."""
        if name == "forward_backward":
            return lambda *args, **kwargs: self._compute(call, args, kwargs)
        part = {"update": "update", "update_metric": "metric"}[name]

        def wrapped(*args: Any, **kwargs: Any) -> Any:
            if not self._is_sampled:
                return call(*args, **kwargs)
            return self._timed(part, call, args, kwargs)

        return wrapped

    def begin_batch(self) -> None:
        """A batch is about to be computed: decide whether it is one of those, and drain."""
        self._batches += 1
        self._is_sampled = self._batches % self._every == 0
        if self._is_sampled:
            since = self._recorder.clock() - self._drained
            left = self._seconds_left()
            if self._every > 1:  # else hardly any time has passed
                self._recorder.check_left(left, since)
            self._recorder.measure("batches", 1)

    def end_batch(self) -> None:
        """The batch is done."""
        if self._is_sampled:
            self._is_sampled = False
            self._drained = self._recorder.clock()

    def end_epoch(self) -> None:
        """The epoch's batches are done, and their lines logged: wait for what is left of them."""
        if self._recorder.is_busy:
            return
        since = min(self._recorder.epoch_seconds, self._recorder.clock() - self._drained)
        left = self._seconds_left()
        if since:
            self._recorder.check_left(left, since)
        self._drained = self._recorder.clock()

    def _seconds_left(self) -> float:
        begin = self._recorder.clock()
        self._drain()
        return self._recorder.clock() - begin

    def _compute(self, call: Callable[..., Any], args: Any, kwargs: Any) -> Any:
        if not self._is_sampled:
            return call(*args, **kwargs)
        parts: list[str] = []

        def part(name: str) -> Callable[..., Any]:
            method = getattr(self._module, name)

            def timed(*args: Any, **kwargs: Any) -> Any:
                parts.append(name)
                return self._timed(name, method, args, kwargs)

            return timed

        begin = self._recorder.clock()
        with shadowed(self._module, {name: part(name) for name in _PARTS}):
            result = call(*args, **kwargs)
        if not parts:
            self._wait()
            self._recorder.measure("compute", self._recorder.clock() - begin)
        return result

    def _timed(self, part: str, call: Callable[..., Any], args: Any, kwargs: Any) -> Any:
        begin = self._recorder.clock()
        result = call(*args, **kwargs)
        self._wait()
        self._recorder.measure(part, self._recorder.clock() - begin)
        return result
