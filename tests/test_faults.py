"""What goes wrong in a training is said, and hangs nothing."""

from __future__ import annotations

import threading
import warnings
from typing import Any

import pytest

import fitlog
from fitlog import TrainingError
from networks import BATCH, make_arrays, make_data, make_module


class BrokenDataError(Exception):
    """What an iterator of somebody's raises."""


def breaking_data(mx: Any, at: int, *, labelled: bool = True) -> Any:
    """Data whose batch number `at` cannot be fetched; batches are counted over all epochs."""

    class Breaking(mx.io.NDArrayIter):  # type: ignore[misc]  # MXNet has no types
        fetched = 0

        def next(self) -> Any:
            self.fetched += 1
            if self.fetched > at:
                raise BrokenDataError(at)
            return super().next()

    images, labels = make_arrays()
    return Breaking(images, labels if labelled else None, BATCH)


def prefetching(mx: Any, iterators: Any, **settings: Any) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # MXNet's Thread.setDaemon
        return mx.io.PrefetchingIter(iterators, **settings)


@pytest.mark.parametrize(("at", "done"), [(3, [(0, 2, False)]), (9, [(0, 7, True)])])
def test_an_error_in_a_prefetching_thread_reaches_the_training(
    mx: Any, at: int, done: list[tuple[int, int, bool]]
) -> None:
    records: list[dict[str, Any]] = []
    data = prefetching(mx, breaking_data(mx, at))

    with pytest.raises(BrokenDataError):
        fitlog.fit(make_module(mx), data, num_epoch=3, phases=records.append)

    epochs = [r for r in records if r["kind"] == "epoch"]
    assert [(r["epoch"], r["batches"], r["complete"]) for r in epochs] == done
    assert records[-1]["status"] == "failed"


def test_an_error_in_one_of_several_prefetching_threads_reaches_the_training(mx: Any) -> None:
    good, bad = make_data(mx), breaking_data(mx, 4, labelled=False)
    names = [{"data": "data"}, {"data": "more"}]
    data = prefetching(mx, [good, bad], rename_data=names)
    net = mx.sym.FullyConnected(mx.sym.Variable("data") + mx.sym.Variable("more"), num_hidden=4)
    net = mx.sym.SoftmaxOutput(net, name="softmax")
    module = mx.mod.Module(net, ("data", "more"))

    with pytest.raises(BrokenDataError):
        fitlog.fit(module, data, num_epoch=2, phases=lambda record: None)


def test_a_prefetching_thread_that_is_dead_is_said_to_be(
    mx: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(threading, "excepthook", lambda args: None)
    data = prefetching(mx, breaking_data(mx, 0))
    data.prefetch_threads[0].join()

    with pytest.raises(TrainingError, match="died before the training began"):
        fitlog.fit(make_module(mx), data, num_epoch=2, phases=lambda record: None)
