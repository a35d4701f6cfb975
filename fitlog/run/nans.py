"""A loss that is not a number: MXNet trains on with it, and ends as if all were well."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fitlog.errors import TrainingError


class NanWatch:
    """Looks at the metrics before each report of a Speedometer, and at the parameters each epoch.

    A metric adds up, so what was not a number since the last report still shows. `say` is told
    once; where it `stops`, the training ends.

    `before_report` must stand before the Speedometer, which sets the metrics back.
    """

    def __init__(self, frequent: int, *, stops: bool, say: Callable[[str], None]) -> None:
        self._frequent = frequent
        self._stops = stops
        self._say = say
        self._is_found = False

    def before_report(self, param: Any) -> None:
        """A batch_end_callback.

        Raises:
            TrainingError: a metric is not a number, and the training is to stop.
        """
        if param.nbatch % self._frequent == 0:
            for name, value in param.eval_metric.get_name_value():
                if value != value:
                    self._find(f"{name} is nan in epoch {param.epoch}, by batch {param.nbatch}")
                    return

    def after_epoch(
        self, epoch: int, symbol: Any, arg_params: dict[str, Any], aux_params: dict[str, Any]
    ) -> None:
        """An epoch_end_callback, to stand before the one that writes checkpoints.

        Raises:
            TrainingError: a parameter is not a number, and the training is to stop.
        """
        del symbol
        import numpy as np

        for name, array in {**arg_params, **aux_params}.items():
            if np.isnan(array.asnumpy()).any():
                self._find(f"{name} holds nan after epoch {epoch}")
                return

    def _find(self, what: str) -> None:
        if self._stops:
            raise TrainingError(f"{what}: try a smaller learning rate (--lr)")
        if not self._is_found:
            self._is_found = True
            self._say(f"{what}; the training goes on (--on-nan stop ends it)")
