"""The metrics of a training, from the names that MXNet or its log know them by."""

from __future__ import annotations

import re
from typing import Any, Final

from fitlog.errors import TrainingError
from fitlog.run.settings import RunOptions

# `top-5`, and as the log has it.
_TOP_K: Final = re.compile(r"top-?([0-9]{1,6})|top_k_acc(?:uracy)?_([0-9]{1,6})")


def make_metrics(mx: Any, options: RunOptions, num_classes: int) -> list[Any]:
    """A metric of MXNet for each `--metric`, and for `--top-k`.

    Raises:
        TrainingError: one that MXNet does not have, or that is not made for classes.
    """
    names = [*options.metric, *([f"top-{options.top_k}"] if options.top_k else [])]
    return [_make_metric(mx, name, num_classes) for name in names]


def _make_metric(mx: Any, name: str, num_classes: int) -> Any:
    top = _TOP_K.fullmatch(name.lower())
    if top is not None:
        k = int(top[1] or top[2])
        if not 1 < k < num_classes:
            raise TrainingError(
                f"--metric {name}: with {num_classes} classes, k must be from 2 to"
                f" {num_classes - 1}; top-1 is the accuracy"
            )
        return mx.metric.create("top_k_accuracy", top_k=k)
    known = sorted(mx.registry.get_registry(mx.metric.EvalMetric))
    if name.lower() not in known:
        raise TrainingError(f"no metric named {name!r}; known: top-K, {', '.join(known)}")
    parameters = {"ignore_label": None} if name.lower() == "perplexity" else {}
    try:
        metric = mx.metric.create(name, **parameters)
        _try_out(mx, metric, num_classes)
    except Exception as error:  # what a metric of MXNet raises is anything
        reason = str(error).strip().splitlines() or [type(error).__name__]
        raise TrainingError(
            f"--metric {name}: does not fit a network that tells {num_classes} classes apart"
            f" ({reason[-1]})"
        ) from None
    return metric


def _try_out(mx: Any, metric: Any, num_classes: int) -> None:
    """Update it once, with each class equally likely."""
    labels = mx.nd.arange(num_classes)
    scores = mx.nd.full((num_classes, num_classes), 1 / num_classes)
    metric.update([labels], [scores])
    if not metric.get_name_value():
        raise ValueError("it measures nothing")
    metric.reset()
