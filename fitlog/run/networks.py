"""The networks that `fitlog run` trains, as symbols of MXNet.

Each ends in a SoftmaxOutput named `softmax` over `data`, images of any size in (batch, channel,
height, width). With float16 the images are cast on their way in and the scores on their way out, as
MXNet's image-classification examples do: what is outside of the network stays float32.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from fitlog.errors import TrainingError

# Image shape and number of classes where no data say so (`synthetic`, `--benchmark`).
USUAL_SHAPES: Final = {
    "lenet": (1, 28, 28),
    "mlp": (1, 28, 28),
    "resnet20": (3, 32, 32),
    "resnet50": (3, 224, 224),
}
USUAL_CLASSES: Final = {"lenet": 10, "mlp": 10, "resnet20": 10, "resnet50": 1000}


def build_network(
    mx: Any, name: str, *, image_shape: Sequence[int], num_classes: int, dtype: str = "float32"
) -> Any:
    """The symbol of 'lenet', 'mlp', 'resnet20' or 'resnet50'.

    Raises:
        TrainingError: the images are too small for the network.
    """
    data = mx.sym.Variable("data")
    if dtype != "float32":
        data = mx.sym.Cast(data, dtype=dtype)
    if name == "lenet":
        if min(image_shape[1:]) < 4:
            height, width = image_shape[1:]
            raise TrainingError(
                f"--network lenet: needs images of 4x4 or more, not {height}x{width}; try mlp"
            )
        net = _lenet(mx, data)
    else:
        net = _mlp(mx, data)
    net = mx.sym.FullyConnected(net, num_hidden=num_classes, name="output")
    if dtype != "float32":
        net = mx.sym.Cast(net, dtype="float32")
    return mx.sym.SoftmaxOutput(net, name="softmax")


def _lenet(mx: Any, data: Any) -> Any:
    """Two convolutions, two dense layers."""
    net = data
    for name, num_filter in (("1", 16), ("2", 32)):
        net = mx.sym.Convolution(
            net, kernel=(3, 3), pad=(1, 1), num_filter=num_filter, name=f"convolution{name}"
        )
        net = mx.sym.Activation(net, act_type="relu", name=f"relu{name}")
        net = mx.sym.Pooling(net, pool_type="max", kernel=(2, 2), stride=(2, 2), name=f"pool{name}")
    return _dense(mx, mx.sym.Flatten(net), "3", num_hidden=128)


def _mlp(mx: Any, data: Any) -> Any:
    """Three dense layers, with the last."""
    net = _dense(mx, mx.sym.Flatten(data), "1", num_hidden=128)
    return _dense(mx, net, "2", num_hidden=64)


def _dense(mx: Any, data: Any, name: str, *, num_hidden: int) -> Any:
    net = mx.sym.FullyConnected(data, num_hidden=num_hidden, name=f"dense{name}")
    return mx.sym.Activation(net, act_type="relu", name=f"relu{name}")
