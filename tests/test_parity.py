"""Every argument of upstream's `fit`, by upstream and measured: the same text, the same parameters.

Measured by `fitlog.fit`, with every third batch sampled, and within `fitlog.instrument`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fitlog
from networks import (
    BATCH,
    SAMPLES,
    logged,
    make_arrays,
    make_data,
    make_module,
    make_symbol,
    without_times,
)

Arguments = dict[str, Any]


def normalised_symbol(mx: Any) -> Any:
    """With batch normalisation (auxiliary parameters) and dropout (random numbers)."""
    net = mx.sym.FullyConnected(mx.sym.Variable("data"), num_hidden=8, name="dense1")
    net = mx.sym.Dropout(mx.sym.BatchNorm(net, name="norm1"), p=0.5)
    net = mx.sym.FullyConnected(net, num_hidden=4, name="dense2")
    return mx.sym.SoftmaxOutput(net, name="softmax")


def sequential_module(mx: Any) -> Any:
    first = mx.sym.FullyConnected(mx.sym.Variable("data"), num_hidden=8, name="dense1")
    second = mx.sym.FullyConnected(mx.sym.Variable("data"), num_hidden=4, name="dense2")
    module = mx.mod.SequentialModule()
    module.add(mx.mod.Module(first, label_names=None))
    module.add(
        mx.mod.Module(mx.sym.SoftmaxOutput(second, name="softmax")),
        take_labels=True,
        auto_wiring=True,
    )
    return module


def bucketing_module(mx: Any) -> Any:
    def symbol(length: int) -> Any:
        del length  # the weights are those of every length
        net = mx.sym.sum(mx.sym.Variable("data"), axis=1)
        net = mx.sym.FullyConnected(net, num_hidden=4, name="dense1")
        return mx.sym.SoftmaxOutput(net, name="softmax"), ("data",), ("softmax_label",)

    return mx.mod.BucketingModule(symbol, default_bucket_key=5)


def bucketed_data(mx: Any) -> Any:
    """Batches of length 5 and 3 by turns."""

    class Buckets(mx.io.DataIter):  # type: ignore[misc]  # MXNet has no types
        def __init__(self) -> None:
            super().__init__(BATCH)
            self.default_bucket_key = 5
            self.provide_data = [mx.io.DataDesc("data", (BATCH, 5, 6))]
            self.provide_label = [mx.io.DataDesc("softmax_label", (BATCH,))]
            self._images, self._labels = make_arrays()
            self._at = 0

        def reset(self) -> None:
            self._at = 0

        def next(self) -> Any:
            if self._at + BATCH > SAMPLES:
                raise StopIteration
            rows = slice(self._at, self._at + BATCH)
            length = 3 + 2 * (self._at // BATCH % 2)
            self._at += BATCH
            data = mx.nd.array(np.repeat(self._images[rows, None], length, axis=1))
            return mx.io.DataBatch(
                [data],
                [mx.nd.array(self._labels[rows])],
                pad=0,
                bucket_key=length,
                provide_data=[mx.io.DataDesc("data", data.shape)],
                provide_label=self.provide_label,
            )

    return Buckets()


def listed_data(mx: Any) -> Any:
    """Batches given as lists, a part for each device."""

    class Lists(mx.io.NDArrayIter):  # type: ignore[misc]  # MXNet has no types
        def next(self) -> Any:
            batch, half = super().next(), BATCH // 2
            return [
                mx.io.DataBatch(
                    [array[part] for array in batch.data], [array[part] for array in batch.label]
                )
                for part in (slice(0, half), slice(half, BATCH))
            ]

    return Lists(*make_arrays(), BATCH)


def sparse_module(mx: Any) -> Any:
    weight = mx.sym.Variable("embedding_weight", stype="row_sparse", shape=(10, 4))
    net = mx.sym.dot(mx.sym.Variable("data", stype="csr"), weight)
    net = mx.sym.SoftmaxOutput(net, name="softmax")
    return mx.mod.Module(net, context=[mx.cpu(0), mx.cpu(1)])


def sparse_data(mx: Any) -> Any:
    random = np.random.RandomState(3)
    dense = (random.uniform(size=(SAMPLES, 10)) < 0.3).astype("float32")
    labels = random.randint(0, 4, SAMPLES).astype("float32")
    return mx.io.NDArrayIter(
        mx.nd.sparse.csr_matrix(dense), labels, BATCH, last_batch_handle="discard"
    )


def two_devices(mx: Any) -> Any:
    return mx.mod.Module(make_symbol(mx), context=[mx.cpu(0), mx.cpu(1)])


def known_parameters(mx: Any, symbol: Any, *names: str) -> Arguments:
    """Parameters of the network as somebody has them from elsewhere; only those of the names."""
    random = np.random.RandomState(4)
    shapes, _, aux_shapes = symbol.infer_shape(data=(BATCH, 6))
    everything = dict(zip(symbol.list_arguments(), shapes, strict=True))
    aux = dict(zip(symbol.list_auxiliary_states(), aux_shapes, strict=True))
    return {
        "arg_params": {
            name: mx.nd.array(random.uniform(-1, 1, shape))
            for name, shape in everything.items()
            if name not in ("data", "softmax_label") and (not names or name.startswith(names))
        },
        "aux_params": {name: mx.nd.ones(shape) * 0.5 for name, shape in aux.items()},
    }


def watching_monitor(mx: Any) -> Any:
    return mx.mon.Monitor(2, pattern="dense.*", sort=True)


def distance(label: Any, prediction: Any) -> float:
    return float(np.abs(label[:, None] - prediction).mean())


def every_metric(mx: Any) -> Any:
    composite = mx.metric.CompositeEvalMetric()
    for metric in ("acc", mx.metric.TopKAccuracy(top_k=2), mx.metric.np(distance)):
        composite.add(metric)
    return composite


class Case:
    """How to make a module, its data and the arguments of fit; all new for each training."""

    def __init__(
        self,
        arguments: Callable[[Any], Arguments] = lambda mx: {},  # none
        *,
        module: Callable[[Any], Any] = make_module,
        data: Callable[[Any], Any] = lambda mx: make_data(mx, shuffle=True),
        eval_data: Callable[[Any], Any] = make_data,
        batches: int = 7,
    ) -> None:
        self.arguments, self.module = arguments, module
        self.data, self.eval_data, self.batches = data, eval_data, batches


def normalised(mx: Any) -> Any:
    return mx.mod.Module(normalised_symbol(mx))


CASES = {
    "plain": Case(),
    "no validation": Case(lambda mx: {"eval_data": None}),
    "no callbacks": Case(lambda mx: {"batch_end_callback": None, "epoch_end_callback": None}),
    "several callbacks": Case(
        lambda mx: {
            "batch_end_callback": [
                mx.callback.Speedometer(BATCH, 3),
                mx.callback.log_train_metric(2, auto_reset=True),
                mx.callback.ProgressBar(7),
            ]
        }
    ),
    "running means": Case(
        lambda mx: {"batch_end_callback": mx.callback.Speedometer(BATCH, 2, auto_reset=False)}
    ),
    "callbacks of the evaluation": Case(
        lambda mx: {
            "eval_batch_end_callback": [mx.callback.Speedometer(BATCH, 2), lambda param: None],
            "eval_end_callback": mx.callback.LogValidationMetricsCallback(),
        }
    ),
    "later epochs": Case(lambda mx: {"begin_epoch": 2, "num_epoch": 4}),
    "no epochs": Case(lambda mx: {"begin_epoch": 3, "num_epoch": 3}),
    "list of metrics": Case(lambda mx: {"eval_metric": ["acc", mx.metric.create("ce"), "rmse"]}),
    "composite metric": Case(lambda mx: {"eval_metric": every_metric(mx)}),
    "other metric for validation": Case(
        lambda mx: {"validation_metric": "rmse", "eval_metric": "acc"}
    ),
    "adam": Case(lambda mx: {"optimizer": "adam", "optimizer_params": {"learning_rate": 0.01}}),
    "optimizer as an object": Case(
        lambda mx: {
            "optimizer": mx.optimizer.SGD(
                learning_rate=0.1,
                momentum=0.9,
                rescale_grad=1 / BATCH,
                lr_scheduler=mx.lr_scheduler.FactorScheduler(5, 0.5),
            )
        }
    ),
    "optimizer_params as a tuple": Case(
        lambda mx: {"optimizer_params": (("learning_rate", 0.05), ("wd", 1e-4))}
    ),
    "kvstore device": Case(lambda mx: {"kvstore": "device"}, module=two_devices),
    "kvstore as an object": Case(
        lambda mx: {"kvstore": mx.kv.create("local")}, module=two_devices
    ),
    "no kvstore": Case(lambda mx: {"kvstore": None}),
    "initializer": Case(lambda mx: {"initializer": mx.init.Xavier(magnitude=2.34)}),
    "batch norm and dropout": Case(module=normalised),
    "all parameters given": Case(
        lambda mx: known_parameters(mx, normalised_symbol(mx)), module=normalised
    ),
    "some parameters given": Case(
        lambda mx: {**known_parameters(mx, make_symbol(mx), "dense1"), "allow_missing": True}
    ),
    "bound before": Case(lambda mx: {"force_rebind": True, "force_init": True}),
    "monitor": Case(lambda mx: {"monitor": watching_monitor(mx)}),
    "sequential": Case(
        lambda mx: {"epoch_end_callback": lambda *parameters: None}, module=sequential_module
    ),
    "bucketing": Case(
        module=bucketing_module, data=bucketed_data, eval_data=bucketed_data, batches=6
    ),
    "batches as lists": Case(module=two_devices, data=listed_data, eval_data=listed_data),
    "sparse rows": Case(
        lambda mx: {
            "sparse_row_id_fn": lambda batch: {"embedding_weight": mx.nd.arange(10, dtype="int64")},
            "initializer": mx.init.Uniform(0.1),
        },
        module=sparse_module,
        data=sparse_data,
        eval_data=sparse_data,
        batches=6,
    ),
}  # fmt: skip


def trained(
    mx: Any, case: Case, fit: Callable[..., None], folder: Path
) -> tuple[list[str], dict[str, Any]]:
    """Messages and final parameters of one seeded training."""
    mx.random.seed(5)
    np.random.seed(5)
    module, data = case.module(mx), case.data(mx)
    arguments = {
        "eval_data": case.eval_data(mx),
        "eval_metric": ["acc", "ce"],
        "batch_end_callback": mx.callback.Speedometer(BATCH, 2),
        "epoch_end_callback": [
            lambda epoch, symbol, arg_params, aux_params: symbol.save(str(folder / "symbol.json")),
            mx.callback.do_checkpoint(str(folder / "model"), 2),
        ],
        "optimizer_params": {"learning_rate": 0.1},
        "num_epoch": 3,
        **case.arguments(mx),
    }
    with logged() as messages:
        fit(module, data, **arguments)
    return without_memory(messages), parameters_of(module)


def without_memory(messages: list[str]) -> list[str]:
    """Without times, and without the addresses that are printed of objects."""
    return [re.sub(r"0x[0-9a-f]+", "0x", message) for message in without_times(messages)]


def parameters_of(module: Any) -> dict[str, Any]:
    if not module.params_initialized:
        return {}
    arguments, aux = module.get_params()
    return {name: value.asnumpy() for name, value in {**arguments, **aux}.items()}


def plain(module: Any, data: Any, **arguments: Any) -> None:
    module.fit(data, **arguments)


@pytest.mark.parametrize("name", CASES)
def test_text_and_parameters_are_upstreams(
    name: str, mx: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    case = CASES[name]
    records: list[dict[str, Any]] = []
    instrumented: list[dict[str, Any]] = []

    def ours(module: Any, data: Any, **arguments: Any) -> None:
        fitlog.fit(module, data, phases=records.append, sync_every=3, **arguments)

    def by_the_way(module: Any, data: Any, **arguments: Any) -> None:
        with fitlog.instrument(phases=instrumented.append, sync_every=3):
            module.fit(data, **arguments)

    theirs, their_parameters = trained(mx, case, plain, tmp_path)
    printed = capsys.readouterr().out
    for fit in (ours, by_the_way):
        messages, parameters = trained(mx, case, fit, tmp_path)

        assert messages == theirs
        assert capsys.readouterr().out == printed
        assert parameters.keys() == their_parameters.keys()
        for key, value in their_parameters.items():
            np.testing.assert_array_equal(parameters[key], value)
    epochs = [r["batches"] for r in records if r["kind"] == "epoch"]
    assert epochs == [case.batches] * len([m for m in theirs if "Time cost" in m])
    assert [r["kind"] for r in records] == [r["kind"] for r in instrumented]


def test_the_cases_have_every_argument_of_fit(mx: Any) -> None:
    import inspect

    arguments = set(inspect.signature(mx.mod.BaseModule.fit).parameters) - {"self", "train_data"}
    named = {name for case in CASES.values() for name in case.arguments(mx)}
    everywhere = {"eval_data", "eval_metric", "optimizer_params", "num_epoch"}

    assert arguments - named - everywhere == set()
