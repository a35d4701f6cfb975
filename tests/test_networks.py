"""The networks that `fitlog run` trains."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from fitlog.errors import TrainingError
from fitlog.run.networks import USUAL_CLASSES, USUAL_SHAPES, build_network
from fitlog.run.settings import NETWORKS

INPUTS = ("data", "softmax_label")


@pytest.mark.parametrize(
    ("name", "parameters", "averages"),
    [
        # lenet: 160 + 4,640 + 1568*128+128 + 128*10+10; mlp: 784*128+128 + 128*64+64 + 64*10+10.
        ("lenet", 206_922, 0),
        ("mlp", 109_386, 0),
        # He et al.'s 269,722, and 2,752 for the shortcuts, which they have without parameters.
        ("resnet20", 272_474, 2 * 784),
        # As torchvision's resnet50.
        ("resnet50", 25_557_032, 53_120),
    ],
)
def test_a_network_has_as_many_parameters_as_it_should(
    name: str, parameters: int, averages: int, mx: Any
) -> None:
    shape, classes = USUAL_SHAPES[name], USUAL_CLASSES[name]
    network = build_network(mx, name, image_shape=shape, num_classes=classes)

    shapes, outputs, aux_shapes = network.infer_shape(data=(2, *shape))

    counted = dict(zip(network.list_arguments(), map(math.prod, shapes), strict=True))
    assert sum(count for name, count in counted.items() if name not in INPUTS) == parameters
    assert sum(map(math.prod, aux_shapes)) == averages
    assert outputs == [(2, classes)]


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("shape", [(1, 8, 8), (3, 33, 20)])
def test_a_network_takes_images_of_any_shape_and_any_number_of_classes(
    name: str, shape: tuple[int, ...], mx: Any
) -> None:
    network = build_network(mx, name, image_shape=shape, num_classes=7)
    module = mx.mod.Module(network)
    module.bind([("data", (2, *shape))], [("softmax_label", (2,))], for_training=False)
    module.init_params(mx.init.Xavier())

    module.forward(mx.io.DataBatch([mx.nd.ones((2, *shape))]))

    scores = module.get_outputs()[0].asnumpy()
    assert scores.shape == (2, 7)
    np.testing.assert_allclose(scores.sum(axis=1), 1, rtol=1e-5)


@pytest.mark.parametrize("name", NETWORKS)
def test_in_float16_the_inside_is_cast_and_the_outside_is_not(name: str, mx: Any) -> None:
    network = build_network(
        mx, name, image_shape=USUAL_SHAPES[name], num_classes=10, dtype="float16"
    )

    types, outputs, _ = network.infer_type(data="float32")

    of = dict(zip(network.list_arguments(), types, strict=True))
    assert of["data"] is np.float32
    assert of["output_weight"] is np.float16
    assert outputs == [np.float32]


@pytest.mark.parametrize("name", NETWORKS)
def test_two_symbols_of_one_network_are_the_same_text(name: str, mx: Any) -> None:
    first, second = (
        build_network(mx, name, image_shape=USUAL_SHAPES[name], num_classes=10).tojson()
        for _ in range(2)
    )

    assert first == second


def test_images_too_small_for_a_network_are_refused(mx: Any) -> None:
    with pytest.raises(TrainingError, match="needs images of 4x4 or more, not 3x9; train an mlp"):
        build_network(mx, "lenet", image_shape=(1, 3, 9), num_classes=10)


@pytest.mark.parametrize("name", ["lenet", "resnet20", "resnet50"])
def test_values_that_are_no_image_are_for_the_mlp(name: str, mx: Any) -> None:
    with pytest.raises(TrainingError, match="shape of the 64 values of each by --image-shape"):
        build_network(mx, name, image_shape=(64,), num_classes=10)

    build_network(mx, "mlp", image_shape=(64,), num_classes=10)
