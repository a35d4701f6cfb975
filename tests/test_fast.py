"""`fast`: upstream's text and parameters to the last bit, with less copied and read."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fitlog
from fitlog.run.fast import fast_data, fast_metric
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
from support import Fitlog
from test_parity import CASES, Case, plain, trained

Make = Callable[[Any], Any]


def fast(module: Any, data: Any, **arguments: Any) -> None:
    fitlog.fit(module, data, phases=None, fast=True, **arguments)


def fast_and_measured(module: Any, data: Any, **arguments: Any) -> None:
    fitlog.fit(module, data, phases=lambda record: None, sync_every=3, fast=True, **arguments)


def assert_same(mx: Any, case: Case, folder: Path) -> list[str]:
    """The messages of the case, which are the same with and without `fast`, as the parameters."""
    theirs, their_parameters = trained(mx, case, plain, folder)
    for fit in (fast, fast_and_measured):
        messages, parameters = trained(mx, case, fit, folder)

        assert messages == theirs
        assert parameters.keys() == their_parameters.keys()
        for key, value in their_parameters.items():
            np.testing.assert_array_equal(parameters[key], value)
    return theirs


@pytest.mark.parametrize("name", CASES)
def test_text_and_parameters_are_upstreams(name: str, mx: Any, tmp_path: Path) -> None:
    assert_same(mx, CASES[name], tmp_path)


def custom(label: Any, prediction: Any) -> float:
    prediction[:] = 0  # it may: what it is given is its own
    return float(label.sum())


def derived_accuracy(mx: Any) -> Any:
    class Inverted(mx.metric.Accuracy):  # type: ignore[misc]  # MXNet has no types
        def update(self, labels: Any, preds: Any) -> None:
            super().update(labels, [-pred for pred in preds])

    return Inverted(name="inverted")


def nested(mx: Any) -> Any:
    inner = mx.metric.CompositeEvalMetric(["acc", "nll_loss"])
    return mx.metric.CompositeEvalMetric([inner, mx.metric.CrossEntropy(eps=0.01), "rmse"])


def twice(mx: Any) -> Any:
    metric = mx.metric.Accuracy()
    return mx.metric.CompositeEvalMetric([metric, metric])


def named(mx: Any) -> Any:
    return [
        mx.metric.Accuracy(output_names=["softmax_output"], label_names=["softmax_label"]),
        mx.metric.CompositeEvalMetric(["ce"], output_names=["softmax_output"]),
    ]


METRICS: dict[str, Make] = {
    "accuracy": lambda mx: "acc",
    "cross-entropy": lambda mx: mx.metric.create("ce"),
    "likelihood": lambda mx: ["nll_loss"],
    "top-k": lambda mx: ["acc", mx.metric.TopKAccuracy(2), mx.metric.TopKAccuracy(3)],
    "a function": lambda mx: custom,
    "a function and others": lambda mx: [custom, "acc", "ce"],
    "accuracy over another axis": lambda mx: mx.metric.Accuracy(axis=-1),
    "derived": lambda mx: [derived_accuracy(mx), "acc"],
    "nested": nested,
    "twice the same": twice,
    "of named outputs": named,
    "none of ours": lambda mx: ["mse", mx.metric.Perplexity(None)],
}


@pytest.mark.parametrize("name", METRICS)
def test_every_metric_has_upstreams_values(name: str, mx: Any, tmp_path: Path) -> None:
    case = Case(lambda mx: {"eval_metric": METRICS[name](mx)})

    messages = assert_same(mx, case, tmp_path)

    assert any("Validation-" in message for message in messages)


def test_the_metric_that_upstream_takes_by_default_is_taken(mx: Any) -> None:
    with logged() as messages:
        fitlog.fit(make_module(mx), make_data(mx), phases=None, fast=True, num_epoch=1)

    assert messages[0].startswith("Epoch[0] Train-accuracy=")


def test_a_loss_that_is_not_a_number_has_upstreams_accuracy(mx: Any, tmp_path: Path) -> None:
    case = Case(lambda mx: {"optimizer_params": {"learning_rate": 1e30}})

    messages = assert_same(mx, case, tmp_path)

    assert any("Train-cross-entropy=nan" in message for message in messages)


def precise_data(mx: Any) -> Any:
    images, labels = make_arrays()
    return mx.io.NDArrayIter(mx.nd.array(images, dtype="float64"), labels, BATCH, shuffle=True)


def two_inputs(mx: Any) -> Any:
    images, labels = make_arrays()
    return mx.io.NDArrayIter({"left": images, "right": images[::-1]}, labels, BATCH, shuffle=True)


def two_armed_module(mx: Any) -> Any:
    net = mx.sym.Concat(mx.sym.Variable("left"), mx.sym.Variable("right"))
    net = mx.sym.SoftmaxOutput(
        mx.sym.FullyConnected(net, num_hidden=4, name="dense"), name="softmax"
    )
    return mx.mod.Module(net, data_names=["left", "right"])


def few_samples(mx: Any) -> Any:
    """A batch takes several times the samples there are."""
    images, labels = make_arrays()
    return mx.io.NDArrayIter(images[:6], labels[:6], BATCH, shuffle=True)


def derived_data(mx: Any) -> Any:
    class Doubled(mx.io.NDArrayIter):  # type: ignore[misc]  # MXNet has no types
        def getdata(self) -> Any:
            return [2 * array for array in super().getdata()]

    return Doubled(*make_arrays(), BATCH)


def kept(mode: str) -> Make:
    return lambda mx: make_data(mx, shuffle=True, last_batch_handle=mode)


DATA: dict[str, Make] = {
    "pad": kept("pad"),
    "discard": kept("discard"),
    "roll over": kept("roll_over"),
    "float64": precise_data,
    "few samples": few_samples,
    "resized": lambda mx: mx.io.ResizeIter(make_data(mx, shuffle=True), 4),
    "derived": derived_data,
}


@pytest.mark.parametrize("name", DATA)
def test_every_iterator_gives_upstreams_batches(name: str, mx: Any, tmp_path: Path) -> None:
    assert_same(mx, Case(data=DATA[name], eval_data=DATA[name]), tmp_path)


def test_several_inputs_are_viewed_alike(mx: Any, tmp_path: Path) -> None:
    assert_same(mx, Case(module=two_armed_module, data=two_inputs, eval_data=two_inputs), tmp_path)


def test_one_iterator_may_train_and_validate(mx: Any, tmp_path: Path) -> None:
    iterators: list[Any] = []

    def once(mx: Any) -> Any:
        iterators.append(make_data(mx))
        return iterators[-1]

    assert_same(mx, Case(data=once, eval_data=lambda mx: iterators[-1]), tmp_path)


@pytest.mark.parametrize("mode", ["pad", "discard", "roll_over"])
@pytest.mark.parametrize("shuffle", [False, True])
def test_batches_padding_and_order_are_upstreams(mode: str, shuffle: bool, mx: Any) -> None:
    def batches() -> list[tuple[Any, Any, int]]:
        return [
            (batch.data[0].asnumpy(), batch.label[0].asnumpy(), batch.pad)
            for _ in range(4)
            for batch in (*data, data.reset())
            if batch is not None
        ]

    np.random.seed(7)
    data = make_data(mx, shuffle=shuffle, last_batch_handle=mode)
    theirs = batches()
    np.random.seed(7)
    data = make_data(mx, shuffle=shuffle, last_batch_handle=mode)
    with fast_data(data):
        ours = batches()

    assert len(ours) == len(theirs) >= 4 * (SAMPLES // BATCH)
    for our, their in zip(ours, theirs, strict=True):
        np.testing.assert_array_equal(our[0], their[0])
        np.testing.assert_array_equal(our[1], their[1])
        assert our[2] == their[2]


def seen_by_callbacks(mx: Any, fit: Any) -> list[Any]:
    """What callbacks of a batch and of an evaluation find."""
    seen: list[Any] = []

    def look(param: Any) -> None:
        batch = param.locals.get("data_batch") or param.locals.get("eval_batch")
        pairs = param.eval_metric.get_name_value()
        seen.append(
            {
                "metric": type(param.eval_metric),
                "parts": [(type(part), part.num_inst) for part in param.eval_metric.metrics],
                "pairs": [(name, value, type(value)) for name, value in pairs],
                "global": param.eval_metric.get_global_name_value(),
                "config": param.eval_metric.get_config(),
                "text": str(param.eval_metric),
                "names": sorted(param.locals),
                "batch": (type(batch), batch.pad, batch.data[0].shape, batch.data[0].dtype),
                "sum": float(batch.data[0].asnumpy().sum()),
                "labels": batch.label[0].asnumpy().tolist(),
                "place": (param.epoch, param.nbatch),
            }
        )
        if param.nbatch == 2:
            param.eval_metric.reset_local()
        if param.nbatch == 4:
            param.eval_metric.reset()

    mx.random.seed(5)
    np.random.seed(5)
    fit(
        make_module(mx),
        make_data(mx, shuffle=True),
        eval_data=make_data(mx),
        eval_metric=["acc", "ce", mx.metric.TopKAccuracy(2)],
        batch_end_callback=look,
        eval_batch_end_callback=look,
        num_epoch=2,
    )
    return seen


def test_callbacks_see_what_they_see_upstream(mx: Any) -> None:
    theirs = seen_by_callbacks(mx, plain)

    ours = seen_by_callbacks(mx, fast)

    assert ours == theirs
    assert len(ours) == 2 * 2 * 7


def test_each_array_is_read_once_a_batch(mx: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    reads: list[tuple[int, ...]] = []
    original = mx.nd.NDArray.asnumpy

    def asnumpy(array: Any) -> Any:
        reads.append(array.shape)
        return original(array)

    def train(fit: Any) -> int:
        reads.clear()
        data = make_data(mx)
        fit(make_module(mx), data, eval_metric=["acc", "ce", "nll_loss"], num_epoch=1)
        return len([shape for shape in reads if shape in ((BATCH,), (BATCH, 4))])

    monkeypatch.setattr(mx.nd.NDArray, "asnumpy", asnumpy)

    assert train(plain) == 7 * 6
    assert train(fast) == 7 * 2


def assign(batch: Any) -> None:
    batch.data[0][:] = 0


def assign_in_part(batch: Any) -> None:
    batch.data[0][2:4][1] = 0


def add(batch: Any) -> None:
    batch.label[0] += 1


@pytest.mark.parametrize("write", [assign, assign_in_part, add])
def test_batches_are_views_that_refuse_to_be_written_into(
    write: Callable[[Any], None], mx: Any
) -> None:
    data = make_data(mx)
    before = [array.asnumpy() for _, array in (*data.data, *data.label)]

    with pytest.raises((fitlog.TrainingError, ValueError), match=r"view of the data|readonly"):
        fast(
            make_module(mx),
            data,
            batch_end_callback=lambda param: write(param.locals["data_batch"]),
            num_epoch=1,
        )

    for (_, array), values in zip((*data.data, *data.label), before, strict=True):
        np.testing.assert_array_equal(array.asnumpy(), values)


def test_nothing_is_left_on_iterators_and_metrics(mx: Any) -> None:
    data, metric = make_data(mx), mx.metric.create(["acc", "ce"])
    attributes = [set(vars(thing)) for thing in (data, metric, *metric.metrics)]

    fast(make_module(mx), data, eval_data=data, eval_metric=metric, num_epoch=1)

    assert [set(vars(thing)) for thing in (data, metric, *metric.metrics)] == attributes
    assert type(data.next().data[0]) is mx.nd.NDArray
    assert metric.metrics[0].num_inst == 7 * BATCH


def test_a_metric_of_ones_own_holds_its_values_afterwards(mx: Any) -> None:
    def values(fit: Any) -> Any:
        mx.random.seed(5)
        metric = mx.metric.create(["acc", "ce"])
        fit(make_module(mx), make_data(mx), eval_metric=metric, num_epoch=2)
        return metric.get_global_name_value()

    assert values(fast) == values(plain)


def test_a_fit_of_the_modules_own_is_left_to_it(mx: Any) -> None:
    class Own(mx.mod.Module):  # type: ignore[misc]  # MXNet has no types
        def fit(self, train_data: Any, num_epoch: int) -> None:
            super().fit(train_data, num_epoch=num_epoch)

    with logged() as messages:
        fast(Own(make_symbol(mx)), make_data(mx), num_epoch=1)

    assert len(messages) == 2


SCORES = [0.0, -0.0, 0.25, 0.25, 1.0, 5e-39, np.inf, -np.inf, np.nan]


@pytest.mark.parametrize("choices", [SCORES[:6], SCORES[:8], SCORES])
@pytest.mark.parametrize("dtype", ["float32", "float64", "float16"])
def test_ties_infinities_and_nan_are_counted_as_upstream_does(
    choices: list[float], dtype: str, mx: Any
) -> None:
    random = np.random.RandomState(len(choices))
    names = ["acc", "ce", "nll_loss", mx.metric.TopKAccuracy(2)]
    theirs, ours = mx.metric.create(names[:3]), mx.metric.create(names[:3])

    with fast_metric(ours), np.errstate(all="ignore"):
        for _ in range(50):
            scores = mx.nd.array(random.choice(choices, (20, 4)), dtype=dtype)
            labels = mx.nd.array(random.randint(0, 4, 20), dtype=dtype)
            for metric in (theirs, ours):
                metric.update_dict({"label": labels}, {"scores": scores})

    for our, their in zip(ours.metrics, theirs.metrics, strict=True):
        assert our.num_inst == their.num_inst == 1000
        assert repr(our.sum_metric) == repr(their.sum_metric)
        assert type(our.sum_metric) is type(their.sum_metric)


def test_classes_that_float16_cannot_count_are_counted_as_upstream_does(mx: Any) -> None:
    scores = mx.nd.one_hot(mx.nd.array([2199.0, 2200.0]), 2300, dtype="float16")
    labels = mx.nd.array([2199.0, 2200.0])
    theirs, ours = mx.metric.create("acc"), mx.metric.create("acc")

    theirs.update([labels], [scores])
    with fast_metric(ours):
        ours.update([labels], [scores])

    assert ours.get() == theirs.get() == ("accuracy", 0.5)


def test_accuracy_over_the_first_axis_is_upstreams(mx: Any) -> None:
    scores = mx.nd.one_hot(mx.nd.array([1, 2, 0]), 3)
    labels = mx.nd.array([2, 0, 1])  # the row of each column's 1
    theirs, ours = mx.metric.Accuracy(axis=0), mx.metric.Accuracy(axis=0)

    theirs.update([labels], [scores])
    with fast_metric(ours):
        ours.update([labels], [scores])

    assert ours.get() == theirs.get() == ("accuracy", 1.0)


def test_what_was_read_for_one_batch_is_not_taken_for_the_next(mx: Any) -> None:
    metric, labels, scores = mx.metric.create(["acc", "ce"]), mx.nd.zeros(2), mx.nd.ones((2, 2))

    with fast_metric(metric):
        metric.update_dict({"label": labels}, {"scores": scores})
        labels[:] = 1
        metric.update([labels], [scores])
        metric.update_dict({"label": labels}, {"scores": scores})

    assert metric.metrics[0].sum_metric == 2


@pytest.mark.parametrize(
    ("labels", "scores"),
    [((20,), (20,)), ((4, 5), (4, 3, 5)), ((20, 1), (20, 4)), ((20,), (10, 4)), ((20,), (4, 20))],
)
def test_shapes_of_any_kind_have_upstreams_result_or_error(
    labels: tuple[int, ...], scores: tuple[int, ...], mx: Any
) -> None:
    random = np.random.RandomState(0)
    label, score = mx.nd.array(random.randint(0, 3, labels)), mx.nd.array(random.rand(*scores))

    def outcome(metric: Any) -> str:
        try:
            metric.update([label], [score])
        except Exception as error:
            return f"{type(error).__name__}: {error}"
        return repr(metric.get())

    for name in ("acc", "ce", "nll_loss"):
        metric = mx.metric.create(name)
        with fast_metric(metric):
            ours = outcome(metric)
        assert ours == outcome(mx.metric.create(name)), name


def test_labels_and_outputs_of_unlike_number_are_refused_as_upstream_does(mx: Any) -> None:
    metric, array = mx.metric.create("acc"), mx.nd.ones((3,))

    with fast_metric(metric), pytest.raises(ValueError, match="Shape of labels 1 does not match"):
        metric.update([array], [array, array])


def test_the_command_writes_the_same_log(fitlog: Fitlog, mx: Any, tmp_path: Path) -> None:
    del mx
    options = ["run", "--network", "mlp", "--num-epochs", 2, "--out", "runs"]

    for name in ("plain", "quick"):
        done = fitlog(*options, "--name", name, *(["--fast"] if name == "quick" else []))
        assert done.returncode == 0, done.stderr

    (plain_log,) = tmp_path.glob("runs/*-plain/run.log")
    (fast_log,) = tmp_path.glob("runs/*-quick/run.log")
    plain_lines, fast_lines = (
        without_times(
            [line for line in log.read_text("utf-8").splitlines() if "checkpoint" not in line]
        )
        for log in (plain_log, fast_log)
    )
    assert fast_lines == plain_lines
    assert len(fast_lines) >= 2 * 5
    assert '"fast": true' in (fast_log.parent / "run.json").read_text("utf-8")
