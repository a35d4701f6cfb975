"""What `fitlog run` trains: two small networks on the bundled handwritten digits.

Small enough to finish in seconds on a laptop's CPU, real enough that accuracy, throughput and their
noise behave as in any training.
"""

from __future__ import annotations

import importlib.resources
from typing import TYPE_CHECKING, Any, Final, NamedTuple

if TYPE_CHECKING:
    import numpy as np

NETWORKS: Final = ("lenet", "mlp")
TRAIN_SAMPLES: Final = 1437
# Divides the 360 images: no sample is counted twice to fill a batch, so the accuracy is exact.
VALIDATION_BATCH: Final = 120
CLASSES: Final = 10
# The split is part of the workload: runs with other seeds are judged on the same images.
_SPLIT_SEED: Final = 19980701
_BRIGHTEST: Final = 16.0


class Digits(NamedTuple):
    """Images float32 (n, 1, 8, 8) in 0 to 1, labels float32 (n,)."""

    train_images: np.ndarray[Any, Any]
    train_labels: np.ndarray[Any, Any]
    validation_images: np.ndarray[Any, Any]
    validation_labels: np.ndarray[Any, Any]


def load_digits() -> Digits:
    """1,437 images to train with and 360 to validate with, always the same ones.

    Optical Recognition of Handwritten Digits, UCI Machine Learning Repository, CC BY 4.0; see
    `data/README.md`.
    """
    import numpy as np

    resource = importlib.resources.files("fitlog.run") / "data" / "digits.npz"
    with resource.open("rb") as file, np.load(file) as archive:
        images = archive["images"].astype("float32")[:, None] / np.float32(_BRIGHTEST)
        labels = archive["labels"].astype("float32")
    order = np.random.RandomState(_SPLIT_SEED).permutation(len(labels))
    train, validation = order[:TRAIN_SAMPLES], order[TRAIN_SAMPLES:]
    return Digits(images[train], labels[train], images[validation], labels[validation])


def build_network(mx: Any, name: str) -> Any:
    """The symbol of 'lenet' (two convolutions, two dense layers) or of 'mlp' (three dense)."""
    data = mx.sym.Variable("data")
    if name == "lenet":
        net = _convolution(mx, data, "1", num_filter=16)
        net = _convolution(mx, net, "2", num_filter=32)
        net = _dense(mx, mx.sym.Flatten(net), "3", num_hidden=128)
    else:
        net = _dense(mx, mx.sym.Flatten(data), "1", num_hidden=128)
        net = _dense(mx, net, "2", num_hidden=64)
    net = mx.sym.FullyConnected(net, num_hidden=CLASSES, name="output")
    return mx.sym.SoftmaxOutput(net, name="softmax")


def _convolution(mx: Any, data: Any, name: str, *, num_filter: int) -> Any:
    net = mx.sym.Convolution(
        data, kernel=(3, 3), pad=(1, 1), num_filter=num_filter, name=f"convolution{name}"
    )
    net = mx.sym.Activation(net, act_type="relu", name=f"relu{name}")
    return mx.sym.Pooling(net, pool_type="max", kernel=(2, 2), stride=(2, 2), name=f"pool{name}")


def _dense(mx: Any, data: Any, name: str, *, num_hidden: int) -> Any:
    net = mx.sym.FullyConnected(data, num_hidden=num_hidden, name=f"dense{name}")
    return mx.sym.Activation(net, act_type="relu", name=f"relu{name}")
