"""`fitlog.fit` on real MXNet: upstream's text, upstream's parameters, and honest phases."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fitlog
from networks import BATCH, SAMPLES, logged, make_data, make_module


def ignore(record: dict[str, Any]) -> None:
    """A sink that keeps nothing."""
    del record


def settings(mx: Any, folder: Path, **changes: Any) -> dict[str, Any]:
    return {
        "eval_data": make_data(mx),
        "eval_metric": ["acc", "ce"],
        "batch_end_callback": mx.callback.Speedometer(BATCH, 2),
        "epoch_end_callback": mx.callback.do_checkpoint(str(folder / "model")),
        "optimizer_params": {"learning_rate": 0.1},
        "num_epoch": 3,
        **changes,
    }


def test_arguments_may_stand_in_upstreams_order(mx: Any) -> None:
    records: list[dict[str, Any]] = []

    with logged() as messages:
        fitlog.fit(make_module(mx), make_data(mx), None, "acc", num_epoch=1, phases=records.append)

    assert [message for message in messages if "Train-accuracy" in message]
    assert records[-1]["status"] == "finished"


def test_an_argument_that_upstream_lacks_is_refused_as_there(mx: Any) -> None:
    with pytest.raises(TypeError, match="num_epochs"):
        fitlog.fit(make_module(mx), make_data(mx), num_epochs=1, phases=None)
    with pytest.raises(TypeError, match="num_epochs"):
        fitlog.fit(make_module(mx), make_data(mx), num_epochs=1, phases=ignore)


def test_the_phases_of_an_epoch_add_up_to_its_wall_time(mx: Any, tmp_path: Path) -> None:
    def mismatch() -> float:
        """How far the sums are from the time that is measured outside, from reset to reset."""
        records: list[dict[str, Any]] = []
        data = make_data(mx)
        resets: list[float] = []
        reset = data.reset

        def timed_reset() -> None:
            reset()
            resets.append(time.perf_counter())

        data.reset = timed_reset
        changes = settings(mx, tmp_path, num_epoch=40)
        fitlog.fit(make_module(mx), data, phases=records.append, **changes)
        for record in [r for r in records if "phases" in r]:
            assert sum(record["phases"].values()) == pytest.approx(record["seconds"], abs=1e-7)
        epochs = [r["seconds"] for r in records if r["kind"] == "epoch"]
        measured = resets[-1] - resets[0]
        return float(abs(sum(epochs[1:]) - measured) / measured)

    # Another process may take the processor between the two readings of the clock, but not always.
    assert min(mismatch() for _ in range(3)) < 0.02


def test_the_windows_of_an_epoch_cover_all_its_batches(mx: Any, tmp_path: Path) -> None:
    records: list[dict[str, Any]] = []

    fitlog.fit(make_module(mx), make_data(mx), phases=records.append, **settings(mx, tmp_path))

    windows = [
        r for r in records if r["kind"] == "window" and r["split"] == "train" and r["epoch"] == 1
    ]
    (epoch,) = (r for r in records if r["kind"] == "epoch" and r["epoch"] == 1)
    assert [(w["part"], w["batch_start"], w["batch_end"], w["samples"]) for w in windows] == [
        ("first", None, 0, 16),
        ("window", 0, 2, 32),
        ("window", 2, 4, 32),
        ("window", 4, 6, 24),
    ]
    assert epoch["batches"] == sum(w["batches"] for w in windows) == 7
    assert epoch["samples"] == SAMPLES
    assert epoch["complete"]
    for phase in ("data", "compute", "update", "metric", "callbacks"):
        assert epoch["phases"][phase] > 0
        assert sum(w["phases"][phase] for w in windows) == pytest.approx(
            epoch["phases"][phase], abs=1e-7
        )
    for phase in ("sync", "checkpoint", "validation", "reset"):
        assert epoch["phases"][phase] > 0
        assert all(w["phases"][phase] == 0 for w in windows)


def test_a_slow_phase_is_charged_with_its_time(mx: Any) -> None:
    def busy(seconds: float) -> None:
        end = time.perf_counter() + seconds
        while time.perf_counter() < end:
            pass

    class SlowData(mx.io.NDArrayIter):  # type: ignore[misc]  # MXNet has no types
        def next(self) -> Any:
            busy(0.02)
            return super().next()

    data = SlowData(np.zeros((64, 6), "float32"), np.zeros(64, "float32"), BATCH)
    records: list[dict[str, Any]] = []

    fitlog.fit(
        make_module(mx),
        data,
        phases=records.append,
        num_epoch=2,
        batch_end_callback=lambda param: busy(0.01),
        epoch_end_callback=lambda *_: busy(0.03),
        eval_data=make_data(mx),
        eval_end_callback=lambda param: busy(0.05),
    )

    epochs = [r["phases"] for r in records if r["kind"] == "epoch"]
    for phases in epochs:
        assert phases["data"] >= 5 * 0.02  # the last call finds the data exhausted
        assert phases["callbacks"] >= 4 * 0.01
        assert phases["checkpoint"] >= 0.03
        assert phases["validation"] >= 0.05


@pytest.mark.parametrize(
    ("error", "status"), [(ConnectionError, "failed"), (KeyboardInterrupt, "interrupted")]
)
def test_a_fit_that_fails_leaves_the_module_as_it_was_and_says_so(
    error: type[BaseException], status: str, mx: Any
) -> None:
    records: list[dict[str, Any]] = []
    module = make_module(mx)
    before = dict(vars(module))

    def fail(param: Any) -> None:
        if param.nbatch == 3:
            raise error

    with pytest.raises(error):
        fitlog.fit(
            module, make_data(mx), phases=records.append, num_epoch=2, batch_end_callback=fail
        )

    assert vars(module).keys() == before.keys()
    assert records[-1]["status"] == status
    assert records[-2]["complete"] is False


def test_a_module_whose_fit_wraps_upstreams_is_measured_too(mx: Any) -> None:
    class Wrapped(mx.mod.Module):  # type: ignore[misc]  # MXNet has no types
        def fit(self, train_data: Any, num_epoch: int, **settings: Any) -> None:
            super().fit(train_data, num_epoch=num_epoch, **settings)

    records: list[dict[str, Any]] = []
    module = Wrapped(make_module(mx).symbol)

    fitlog.fit(module, make_data(mx), num_epoch=2, phases=records.append)

    epochs = [(r["epoch"], r["complete"]) for r in records if r["kind"] == "epoch"]
    assert epochs == [(0, True), (1, True)]


def test_a_fit_that_iterates_twice_in_an_epoch_is_counted_by_upstreams_epochs(mx: Any) -> None:
    from mxnet.contrib.svrg_optimization.svrg_module import SVRGModule

    records: list[dict[str, Any]] = []
    module = SVRGModule(make_module(mx).symbol, update_freq=1)

    fitlog.fit(
        module,
        make_data(mx),
        eval_metric="acc",
        num_epoch=3,
        optimizer_params={"learning_rate": 0.01},
        phases=records.append,
    )

    epochs = [(r["epoch"], r["batches"]) for r in records if r["kind"] == "epoch"]
    assert epochs == [(0, 7), (1, 7), (2, 7)]


class AnyIterable:
    """What upstream's fit needs of an iterator, and no DataIter."""

    def __init__(self, mx: Any) -> None:
        self._data = make_data(mx)
        self.provide_data = self._data.provide_data
        self.provide_label = self._data.provide_label

    def __iter__(self) -> Iterator[Any]:
        return iter(list(self._data))

    def reset(self) -> None:
        self._data.reset()


def test_an_iterable_that_is_no_mxnet_iterator_is_measured_too(mx: Any) -> None:
    records: list[dict[str, Any]] = []

    fitlog.fit(make_module(mx), AnyIterable(mx), num_epoch=2, phases=records.append)

    epochs = [(r["epoch"], r["batches"], r["samples"]) for r in records if r["kind"] == "epoch"]
    assert epochs == [(0, 7, None), (1, 7, None)]


def test_the_padding_of_a_batch_that_is_handed_out_again_is_its_own(mx: Any) -> None:
    class OneBatch(mx.io.NDArrayIter):  # type: ignore[misc]  # MXNet has no types
        batch: Any = None

        def next(self) -> Any:
            fresh = super().next()
            self.batch = self.batch or fresh
            self.batch.pad = fresh.pad
            return self.batch

    records: list[dict[str, Any]] = []
    data = OneBatch(np.zeros((SAMPLES, 6), "float32"), np.zeros(SAMPLES, "float32"), BATCH)

    fitlog.fit(make_module(mx), data, num_epoch=1, phases=records.append)

    assert [r["samples"] for r in records if r["kind"] == "epoch"] == [SAMPLES]


def test_a_callback_may_add_callbacks_and_shadow_methods_as_upstream(mx: Any) -> None:
    module = make_module(mx)
    callbacks: list[Any] = []
    added: list[int] = []

    def own_update() -> None:
        mx.mod.Module.update(module)

    def first(param: Any) -> None:
        if param.nbatch == 0:
            callbacks.append(lambda p: added.append(p.nbatch))
            module.update = own_update

    callbacks.append(first)
    fitlog.fit(module, make_data(mx), num_epoch=1, batch_end_callback=callbacks, phases=ignore)

    assert added == list(range(7))
    assert vars(module)["update"] is own_update


def test_what_the_user_raises_is_what_the_user_sees(mx: Any) -> None:
    def sink(record: dict[str, Any]) -> None:
        if record["kind"] == "end":
            raise OSError(28, "No space left on device")

    def fail(_: Any) -> None:
        raise ConnectionError

    with pytest.raises(ConnectionError):
        fitlog.fit(
            make_module(mx), make_data(mx), num_epoch=1, batch_end_callback=fail, phases=sink
        )


def test_a_wrong_argument_leaves_no_file(mx: Any, tmp_path: Path) -> None:
    with pytest.raises(TypeError, match="nope"):
        fitlog.fit(make_module(mx), make_data(mx), nope=1, phases=tmp_path / "phases.jsonl")

    assert not (tmp_path / "phases.jsonl").exists()


def test_a_callback_sees_upstreams_frame_and_the_iterators_attributes(mx: Any) -> None:
    seen: list[Any] = []

    def look(param: Any) -> None:
        data = param.locals["train_data"]
        seen.append((param.epoch, param.nbatch, data.batch_size, isinstance(data, mx.io.DataIter)))

    fitlog.fit(make_module(mx), make_data(mx), phases=None, num_epoch=1, batch_end_callback=look)
    plain = list(seen)
    seen.clear()
    fitlog.fit(make_module(mx), make_data(mx), phases=ignore, num_epoch=1, batch_end_callback=look)

    assert seen == plain
    assert len(seen) == 7


def test_phases_go_into_a_file_and_a_second_fit_follows(mx: Any, tmp_path: Path) -> None:
    path = tmp_path / "phases.jsonl"

    for _ in range(2):
        fitlog.fit(make_module(mx), make_data(mx), phases=path, num_epoch=1)

    kinds = [json.loads(line)["kind"] for line in path.read_text().splitlines()]
    assert kinds == ["fit", "setup", "window", "window", "epoch", "end"] * 2
