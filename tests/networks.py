"""Small networks and data that tests train with real MXNet, and the messages of a training."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

BATCH = 16
SAMPLES = 104  # 7 batches, the last one filled up with 8 samples


@contextmanager
def logged() -> Iterator[list[str]]:
    """The messages that reach the root logger meanwhile."""
    messages: list[str] = []

    class Collector(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            messages.append(record.getMessage())

    root, handler = logging.getLogger(), Collector()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    try:
        yield messages
    finally:
        root.removeHandler(handler)
        root.setLevel(level)


def without_times(messages: list[str]) -> list[str]:
    return [re.sub(r"(Speed: |Time cost=)[-\d.einf]+", r"\1?", message) for message in messages]


def make_arrays() -> tuple[Any, Any]:
    random = np.random.RandomState(3)
    labels = random.randint(0, 4, SAMPLES)
    images = random.normal(labels[:, None], 1.0, (SAMPLES, 6)).astype("float32")
    return images, labels.astype("float32")


def make_data(mx: Any, *, shuffle: bool = False, **settings: Any) -> Any:
    images, labels = make_arrays()
    return mx.io.NDArrayIter(images, labels, BATCH, shuffle=shuffle, **settings)


def make_symbol(mx: Any) -> Any:
    net = mx.sym.FullyConnected(mx.sym.Variable("data"), num_hidden=8, name="dense1")
    net = mx.sym.Activation(net, act_type="relu", name="relu1")
    net = mx.sym.FullyConnected(net, num_hidden=4, name="dense2")
    return mx.sym.SoftmaxOutput(net, name="softmax")


def make_module(mx: Any) -> Any:
    return mx.mod.Module(make_symbol(mx))
