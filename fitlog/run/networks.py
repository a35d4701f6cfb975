"""The networks that `fitlog run` trains, as symbols of MXNet.

Each ends in a SoftmaxOutput named `softmax` over `data`, which are images of (batch, channels,
height, width). With float16 they are cast on their way in and the scores on their way out, as in
MXNet's image-classification examples: what is outside of the network stays float32.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
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
_LENET_POOLS: Final = 4  # what is left of height and width is a quarter
# As MXNet's examples have them.
_NORM: Final = {"fix_gamma": False, "eps": 2e-5, "momentum": 0.9}

Build = Callable[..., Any]


def build_network(
    mx: Any, name: str, *, image_shape: Sequence[int], num_classes: int, dtype: str = "float32"
) -> Any:
    """The symbol of 'lenet', 'mlp', 'resnet20' or 'resnet50' for images of this shape.

    Raises:
        TrainingError: a convolutional network for what are no images, or images too small for it.
    """
    _check_shape(name, image_shape)
    net = mx.sym.Variable("data")
    if dtype != "float32":
        net = mx.sym.Cast(net, dtype=dtype, name="cast_in")
    net = _BODIES[name](mx, net)
    net = mx.sym.FullyConnected(net, num_hidden=num_classes, name="output")
    if dtype != "float32":
        net = mx.sym.Cast(net, dtype="float32", name="cast_out")
    return mx.sym.SoftmaxOutput(net, name="softmax")


def _check_shape(name: str, image_shape: Sequence[int]) -> None:
    if name == "mlp":
        return
    if len(image_shape) < 3:
        raise TrainingError(
            f"--network {name}: needs images; say the shape of the {image_shape[0]} values of each"
            " by --image-shape channels,height,width, or train an mlp"
        )
    _, height, width = image_shape
    if name == "lenet" and min(height, width) < _LENET_POOLS:
        raise TrainingError(
            f"--network lenet: needs images of 4x4 or more, not {height}x{width}; train an mlp"
        )


def _lenet(mx: Any, net: Any) -> Any:
    """Two convolutions, two dense layers."""
    for name, num_filter in (("1", 16), ("2", 32)):
        net = mx.sym.Convolution(
            net, kernel=(3, 3), pad=(1, 1), num_filter=num_filter, name=f"convolution{name}"
        )
        net = mx.sym.Activation(net, act_type="relu", name=f"relu{name}")
        net = mx.sym.Pooling(net, pool_type="max", kernel=(2, 2), stride=(2, 2), name=f"pool{name}")
    return _dense(mx, mx.sym.Flatten(net, name="flatten"), "3", num_hidden=128)


def _mlp(mx: Any, net: Any) -> Any:
    """Three dense layers."""
    net = _dense(mx, mx.sym.Flatten(net, name="flatten"), "1", num_hidden=128)
    return _dense(mx, net, "2", num_hidden=64)


def _dense(mx: Any, net: Any, name: str, *, num_hidden: int) -> Any:
    net = mx.sym.FullyConnected(net, num_hidden=num_hidden, name=f"dense{name}")
    return mx.sym.Activation(net, act_type="relu", name=f"relu{name}")


def _resnet20(mx: Any, net: Any) -> Any:
    """For CIFAR's small images (He et al. 2015, 4.2): three stages of three units."""
    net = _convolution(mx, net, "first", 16)
    return _stages(mx, net, _basic_unit, ((3, 16), (3, 32), (3, 64)))


def _resnet50(mx: Any, net: Any) -> Any:
    """For ImageNet's (He et al. 2015, 3.3): four stages of units with a bottleneck."""
    net = _convolution(mx, net, "first", 64, kernel=7, stride=2)
    net = mx.sym.Pooling(
        net, pool_type="max", kernel=(3, 3), stride=(2, 2), pad=(1, 1), name="first_pool"
    )
    return _stages(mx, net, _bottleneck_unit, ((3, 256), (4, 512), (6, 1024), (3, 2048)))


def _stages(mx: Any, net: Any, unit: Build, stages: Sequence[tuple[int, int]]) -> Any:
    """Units of each stage with its filters; all but the first stage begin by halving the image."""
    for stage, (units, num_filter) in enumerate(stages, 1):
        for i in range(units):
            name = f"stage{stage}_unit{i + 1}"
            stride = 2 if i == 0 and stage > 1 else 1
            shortcut = net
            if i == 0 and (stage > 1 or unit is _bottleneck_unit):
                shortcut = _convolution(
                    mx, net, f"{name}_shortcut", num_filter, kernel=1, stride=stride, relu=False
                )
            net = unit(mx, net, name, num_filter, stride)
            net = mx.sym.elemwise_add(net, shortcut, name=f"{name}_sum")
            net = mx.sym.Activation(net, act_type="relu", name=f"{name}_relu")
    net = mx.sym.Pooling(net, pool_type="avg", kernel=(1, 1), global_pool=True, name="last_pool")
    return mx.sym.Flatten(net, name="flatten")


def _basic_unit(mx: Any, net: Any, name: str, num_filter: int, stride: int) -> Any:
    net = _convolution(mx, net, f"{name}_1", num_filter, stride=stride)
    return _convolution(mx, net, f"{name}_2", num_filter, relu=False)


def _bottleneck_unit(mx: Any, net: Any, name: str, num_filter: int, stride: int) -> Any:
    """A quarter of the filters within; the stride stands in the middle, where it loses nothing."""
    net = _convolution(mx, net, f"{name}_1", num_filter // 4, kernel=1)
    net = _convolution(mx, net, f"{name}_2", num_filter // 4, stride=stride)
    return _convolution(mx, net, f"{name}_3", num_filter, kernel=1, relu=False)


def _convolution(
    mx: Any,
    net: Any,
    name: str,
    num_filter: int,
    *,
    kernel: int = 3,
    stride: int = 1,
    relu: bool = True,
) -> Any:
    """A convolution and the normalisation of its batch, which stands in for the bias."""
    net = mx.sym.Convolution(
        net,
        kernel=(kernel, kernel),
        stride=(stride, stride),
        pad=(kernel // 2, kernel // 2),
        num_filter=num_filter,
        no_bias=True,
        name=f"{name}_convolution",
    )
    net = mx.sym.BatchNorm(net, name=f"{name}_norm", **_NORM)
    return mx.sym.Activation(net, act_type="relu", name=f"{name}_relu") if relu else net


_BODIES: Final[dict[str, Build]] = {
    "lenet": _lenet,
    "mlp": _mlp,
    "resnet20": _resnet20,
    "resnet50": _resnet50,
}
