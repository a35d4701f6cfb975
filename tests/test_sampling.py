"""What the parts of a batch truly take, and what is said where the speeds are a fiction."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fitlog
from networks import BATCH, make_data, make_module

Records = list[dict[str, Any]]


def measured(records: Records) -> Records:
    return [r["measured"] for r in records if "measured" in r]


def heavy_module(mx: Any) -> Any:
    """A training whose work takes far longer than it takes to queue it."""
    net = mx.sym.Convolution(mx.sym.Variable("data"), kernel=(3, 3), num_filter=64, name="conv1")
    net = mx.sym.Convolution(net, kernel=(3, 3), num_filter=64, name="conv2")
    net = mx.sym.FullyConnected(mx.sym.Flatten(net), num_hidden=4, name="dense1")
    return mx.mod.Module(mx.sym.SoftmaxOutput(net, name="softmax"))


def heavy_data(mx: Any) -> Any:
    return mx.io.NDArrayIter(np.zeros((640, 3, 20, 20), "float32"), np.zeros(640, "float32"), 16)


def blind_metric(mx: Any) -> Any:
    """A metric that never looks at the outputs, and so never waits for them."""

    class Blind(mx.metric.EvalMetric):  # type: ignore[misc]  # MXNet has no types
        def update(self, labels: Any, preds: Any) -> None:
            del labels, preds
            self.num_inst += 1

    return Blind("blind")


def test_every_nth_batch_is_taken_apart(mx: Any) -> None:
    records: Records = []

    fitlog.fit(make_module(mx), make_data(mx), num_epoch=3, phases=records.append, sync_every=5)

    parts = measured(records)
    assert sum(part["batches"] for part in parts) == 21 // 5
    assert all(part.keys() == {"batches", "forward", "backward", "update", "metric"}
               for part in parts)  # fmt: skip
    assert all(seconds > 0 for part in parts for seconds in part.values())
    for window in [r for r in records if "measured" in r]:
        assert sum(window["measured"].values()) - window["measured"]["batches"] <= window["seconds"]
        assert window["phases"]["pending"] > 0


def test_the_backward_pass_is_not_charged_to_the_metric(mx: Any) -> None:
    records: Records = []

    fitlog.fit(
        heavy_module(mx), heavy_data(mx), num_epoch=2, phases=records.append, sync_every=2
    )  # fmt: skip

    parts = measured(records)
    sums = {name: sum(part[name] for part in parts) for name in ("forward", "backward", "metric")}
    assert sums["backward"] > sums["forward"] > sums["metric"]


def test_by_itself_a_batch_is_taken_apart_ten_times_a_second_at_most(mx: Any) -> None:
    records: Records = []

    fitlog.fit(make_module(mx), make_data(mx), num_epoch=40, phases=records.append)

    seconds = sum(r["seconds"] for r in records if r["kind"] == "epoch")
    taken = sum(part["batches"] for part in measured(records))
    assert 1 <= taken <= min(280 // 50, 1 + 10 * seconds)


def test_no_batch_is_taken_apart_where_none_is_to_be(
    mx: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    records: Records = []
    monkeypatch.setattr(mx.nd, "waitall", lambda: pytest.fail("the engine was waited for"))

    fitlog.fit(make_module(mx), make_data(mx), num_epoch=9, phases=records.append, sync_every=0)

    assert measured(records) == []
    assert all(r["phases"]["pending"] == 0 for r in records if "phases" in r)


def test_a_module_with_a_pass_of_its_own_is_measured_as_a_whole(mx: Any) -> None:
    class Own(mx.mod.Module):  # type: ignore[misc]  # MXNet has no types
        def forward_backward(self, data_batch: Any) -> None:
            mx.mod.Module.forward(self, data_batch, is_train=True)
            mx.mod.Module.backward(self)

    records: Records = []

    fitlog.fit(
        Own(make_module(mx).symbol),
        make_data(mx),
        num_epoch=2,
        phases=records.append,
        sync_every=7,
    )

    assert [list(part) for part in measured(records)] == [
        ["batches", "compute", "update", "metric"]
    ] * 2


@pytest.mark.parametrize("sync_every", [20, 1000])
def test_speeds_that_tell_of_queueing_alone_are_said_once(mx: Any, sync_every: int) -> None:
    records: Records = []

    with pytest.warns(RuntimeWarning, match="how fast batches are queued") as warned:
        fitlog.fit(
            heavy_module(mx),
            heavy_data(mx),
            eval_metric=blind_metric(mx),
            num_epoch=3,
            phases=records.append,
            sync_every=sync_every,
        )

    assert [w.category for w in warned].count(RuntimeWarning) == 1
    assert [r["code"] for r in records if r["kind"] == "warning"] == ["asynchronous-speed"]


@pytest.mark.parametrize("sync_every", [1, 20, 1000])
def test_a_training_that_waits_for_its_metric_is_not_warned_of(mx: Any, sync_every: int) -> None:
    records: Records = []

    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        fitlog.fit(
            heavy_module(mx),
            heavy_data(mx),
            num_epoch=2,
            phases=records.append,
            sync_every=sync_every,
        )

    assert [r for r in records if r["kind"] == "warning"] == []


def test_an_evaluation_has_windows_of_its_own(mx: Any) -> None:
    records: Records = []

    fitlog.fit(
        make_module(mx),
        make_data(mx),
        eval_data=make_data(mx),
        eval_batch_end_callback=mx.callback.Speedometer(BATCH, 4),
        num_epoch=2,
        phases=records.append,
    )

    windows = [
        r
        for r in records
        if r["kind"] == "window" and r["split"] == "validation" and r["epoch"] == 1
    ]
    assert [(w["part"], w["batch_start"], w["batch_end"], w["samples"]) for w in windows] == [
        ("first", None, 0, 16),
        ("window", 0, 4, 64),
        ("tail", 4, 6, 24),
    ]
    (whole,) = (r for r in records if r["kind"] == "validation" and r["epoch"] == 1)
    (epoch,) = (r for r in records if r["kind"] == "epoch" and r["epoch"] == 1)
    assert (whole["batches"], whole["samples"]) == (7, 104)
    assert 0 < whole["seconds"] <= epoch["phases"]["validation"]
    for phase in ("data", "compute", "metric", "callbacks"):
        assert whole["phases"][phase] > 0


def test_every_fit_is_measured_and_told_apart_from_the_others(mx: Any, tmp_path: Path) -> None:
    path = tmp_path / "phases.jsonl"

    @fitlog.instrument(phases=path)
    def script() -> None:
        make_module(mx).fit(make_data(mx), num_epoch=1)
        module = make_module(mx)
        module.fit(make_data(mx), num_epoch=2, eval_data=make_data(mx))
        module.score(make_data(mx), "acc", num_batch=3)

    script()
    make_module(mx).fit(make_data(mx), num_epoch=1)  # no longer measured

    records = [json.loads(line) for line in path.read_text().splitlines()]
    epochs = [(r["fit"], r["epoch"]) for r in records if r["kind"] == "epoch"]
    assert epochs == [(0, 0), (1, 0), (1, 1)]
    evaluations = [(r.get("fit"), r["batches"]) for r in records if r["kind"] == "validation"]
    assert evaluations == [(1, 7), (1, 7), (None, 3)]


def test_a_fit_that_wraps_upstreams_is_measured_once(mx: Any) -> None:
    class Wrapped(mx.mod.Module):  # type: ignore[misc]  # MXNet has no types
        def fit(self, train_data: Any, num_epoch: int) -> None:
            super().fit(train_data, num_epoch=num_epoch)

    by_the_way: Records = []
    directly: Records = []

    with fitlog.instrument(phases=by_the_way.append):
        Wrapped(make_module(mx).symbol).fit(make_data(mx), num_epoch=2)
    fitlog.fit(Wrapped(make_module(mx).symbol), make_data(mx), 2, phases=directly.append)

    for records in (by_the_way, directly):
        assert [r["epoch"] for r in records if r["kind"] == "epoch"] == [0, 1]


def test_a_fit_that_is_measured_twice_has_the_same_windows_in_both(mx: Any) -> None:
    outer: Records = []
    inner: Records = []

    with fitlog.instrument(phases=outer.append):
        fitlog.fit(
            make_module(mx),
            make_data(mx),
            num_epoch=1,
            batch_end_callback=mx.callback.Speedometer(BATCH, 3),
            phases=inner.append,
        )

    ends = [[r["batch_end"] for r in records if "batch_end" in r] for records in (outer, inner)]
    assert ends == [[0, 3, 6]] * 2


def test_methods_are_upstreams_again_whatever_happened(mx: Any) -> None:
    before = {name: vars(mx.mod.BaseModule)[name] for name in ("fit", "score")}
    records: Records = []

    def fail(param: Any) -> None:
        raise ConnectionError(param.nbatch)

    with pytest.raises(ConnectionError), fitlog.instrument(phases=records.append):
        make_module(mx).fit(make_data(mx), num_epoch=1, batch_end_callback=fail)

    assert {name: vars(mx.mod.BaseModule)[name] for name in before} == before
    assert records[-1]["status"] == "failed"


def test_windows_tell_of_the_processor_and_the_machine(mx: Any) -> None:
    records: Records = []

    fitlog.fit(heavy_module(mx), heavy_data(mx), num_epoch=1, phases=records.append)

    (epoch,) = (r for r in records if r["kind"] == "epoch")
    assert epoch["cpu_seconds"] > 0.2 * epoch["seconds"]
    window = next(r for r in records if r["kind"] == "window")
    assert window["involuntary_switches"] >= 0
    assert window["load"] >= 0
    assert window["rss_bytes"] > 10_000_000
