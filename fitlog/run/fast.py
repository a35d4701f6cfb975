"""The same training with less work around it: batches without copies, outputs read once.

Upstream's `NDArrayIter` copies each batch out of its arrays, and each metric copies labels and
outputs out of the engine for itself. Here, while a fit runs, single methods of iterators and
metrics are shadowed on the instances, and all else stays upstream's own code, fed with the same
numbers: the order and the padding of batches, the arithmetic of metrics. So the log and the
parameters are the same to the last bit. What is not known to be the same is left as it is:
iterators and metrics of other types, and of types derived from these; sparse data.
"""

from __future__ import annotations

import contextlib
import functools
import inspect
from collections.abc import Callable, Iterator
from typing import Any

from fitlog.errors import TrainingError
from fitlog.run.batches import Call
from fitlog.run.shadowing import shadowed


@contextlib.contextmanager
def faster(
    module: Any, args: list[Any], kwargs: dict[str, Any]
) -> Iterator[tuple[list[Any], dict[str, Any]]]:
    """The arguments of a module's `fit`, the data and metrics among them made faster meanwhile.

    A `fit` of the module's own, with other arguments than upstream's, is given what there is.
    """
    from mxnet.module.base_module import BaseModule

    upstream = BaseModule.fit
    parameters = inspect.signature(upstream).parameters
    if getattr(module.fit, "__func__", None) is not upstream:
        yield args, kwargs
        return

    call = Call("fit", args, kwargs)
    metric = call["eval_metric"]
    if metric is None:
        metric = parameters["eval_metric"].default
    if call["validation_metric"] is None:
        # Upstream makes another one of whatever is no metric yet, such as a name.
        call["validation_metric"] = metric
    call["eval_metric"] = metric
    with contextlib.ExitStack() as stack:
        for name in ("eval_metric", "validation_metric"):
            call[name] = stack.enter_context(fast_metric(call[name]))
        for name in ("train_data", "eval_data"):
            stack.enter_context(fast_data(call[name]))
        yield call.args, call.kwargs


@contextlib.contextmanager
def fast_data(data: Any) -> Iterator[None]:
    """Meanwhile, an `NDArrayIter` gives views of its arrays, not copies; all else is unchanged.

    Views refuse to be written into, for that would be to write into the data.
    """
    from mxnet.io import NDArrayIter
    from mxnet.ndarray import NDArray

    def is_dense(array: Any) -> bool:
        return type(array) is NDArray and len(array) == data.num_data

    if (
        type(data) is not NDArrayIter
        or "_getdata" in vars(data)
        or data.layout.find("N") != 0
        or not all(is_dense(array) for _, array in [*data.data, *data.label])
    ):
        yield
        return
    num_data, view_class = data.num_data, _view_class()

    def views(source: Any, start: int | None = None, end: int | None = None) -> list[Any]:
        found = []
        for _, array in source:
            view = array._slice(start or 0, num_data if end is None else end)
            view.__class__, view.writable = view_class, False
            found.append(view)
        return found

    with shadowed(data, {"_getdata": views}):
        yield


@contextlib.contextmanager
def fast_metric(metric: Any) -> Iterator[Any]:
    """A metric of what upstream makes one of; meanwhile, its parts share what they read.

    Parts of a type that is not known to read only are left as they are.
    """
    from mxnet.metric import CompositeEvalMetric, EvalMetric, create

    made: Any = metric if isinstance(metric, EvalMetric) else create(metric)
    reading = _Reading()
    with contextlib.ExitStack() as stack:
        for part in _parts(made):
            update = _fast_update(part, reading)
            if update is not None:
                stack.enter_context(shadowed(part, {"update": update}))
        if type(made) is CompositeEvalMetric and "update_dict" not in vars(made):
            shared = reading.shared(made.update_dict)
            stack.enter_context(shadowed(made, {"update_dict": shared}))
        yield made


class _Reading:
    """Arrays as numpy's, each read once during a call that is `shared`."""

    def __init__(self) -> None:
        self._read: dict[int, _Array] | None = None

    def of(self, array: Any) -> _Array:
        if self._read is None:
            return _Array(array)
        known = self._read.get(id(array))
        if known is None:
            known = _Array(array)  # which keeps the array, so that no other can have its id
            self._read[id(array)] = known
        return known

    def shared(self, call: Callable[..., Any]) -> Callable[..., Any]:
        def shared(*args: Any, **kwargs: Any) -> Any:
            self._read = {}
            try:
                return call(*args, **kwargs)
            finally:
                self._read = None

        return shared


class _Array:
    """Has what upstream's metrics ask of an NDArray, and is read but once."""

    __slots__ = ("_array", "_values", "shape")

    def __init__(self, array: Any) -> None:
        self._array = array
        self._values: Any = None
        self.shape = array.shape

    def asnumpy(self) -> Any:
        if self._values is None:
            self._values = self._array.asnumpy()
        return self._values


class _Classes:
    """The likeliest class of each sample, in the place of the scores that tell it."""

    __slots__ = ("_classes", "shape")

    def __init__(self, classes: Any) -> None:
        self._classes = classes
        self.shape = classes.shape

    def asnumpy(self) -> Any:
        return self._classes


@functools.cache
def _view_class() -> Any:
    """NDArrays that are written into by nothing but what names them as its output.

    MXNet minds `writable` where it adds to an array in place, but not where it assigns.
    """
    from mxnet.ndarray import NDArray

    class View(NDArray):  # type: ignore[misc]  # MXNet has no types
        __slots__ = ()

        def __setitem__(self, key: Any, value: Any) -> None:
            raise TrainingError(
                "with fast=True a batch is a view of the data, which is not to be changed: "
                "copy it, or train without"
            )

    return View


def _parts(metric: Any) -> Iterator[Any]:
    from mxnet import metric as metrics

    composite: Any = metrics.CompositeEvalMetric
    if type(metric) is composite:
        for part in metric.metrics:
            yield from _parts(part)
    else:
        yield metric


def _fast_update(metric: Any, reading: _Reading) -> Callable[[Any, Any], None] | None:
    """The `update` of a metric with its arrays read through `reading`; None where it must stay."""
    from mxnet import metric as metrics
    from mxnet.ndarray import NDArray

    kind = type(metric)
    known = (
        metrics.Accuracy,
        metrics.TopKAccuracy,
        metrics.CrossEntropy,
        metrics.NegativeLogLikelihood,
    )
    if kind not in known or "update" in vars(metric):
        return None
    slow, dense = metric.update, (NDArray, _view_class())

    def update(labels: Any, preds: Any) -> None:
        if not (
            type(labels) is list
            and type(preds) is list
            and all(type(array) in dense for array in (*labels, *preds))
        ):
            slow(labels, preds)
            return
        read_labels = [reading.of(label) for label in labels]
        read_preds: list[Any] = [reading.of(pred) for pred in preds]
        if kind is metrics.Accuracy:
            classes = _classes(read_labels, read_preds, metric.axis)
            if classes is None:
                slow(labels, preds)
                return
            read_preds = classes
        slow(read_labels, read_preds)

    return update


def _classes(labels: list[Any], preds: list[Any], axis: int) -> list[Any] | None:
    """Of scores (samples, classes) the classes; None where upstream's argmax gives others."""
    classes: list[Any] = []
    for label, pred in zip(labels, preds, strict=False):
        if pred.shape == label.shape:
            classes.append(pred)
            continue
        scores = pred.asnumpy()
        # MXNet's argmax gives floats of the scores' own type: of float16 they are whole to 2048.
        if axis != 1 or scores.ndim != 2 or scores.dtype.char not in "fd":
            return None
        if scores.shape[:1] != label.shape:
            return None
        classes.append(_Classes(scores.argmax(axis=1)))
    return [*classes, *preds[len(classes) :]]
