"""`trace=` and `--trace`: a file by the rules of the format, true times, and no other training."""

from __future__ import annotations

import itertools
import json
import os
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fitlog as fl
from fitlog.errors import SettingError
from fitlog.run.distributed import plan_cluster
from fitlog.run.engine_profile import read_operators
from fitlog.run.instrument import instrument
from fitlog.run.phase_recorder import PhaseRecorder
from fitlog.run.settings import RunOptions
from fitlog.run.trace import TRACKS, Trace, traced
from support import Fitlog

BATCH = 16
BATCHES = 6


def make_data(mx: Any) -> Any:
    random = np.random.RandomState(3)
    labels = random.randint(0, 4, BATCH * BATCHES)
    images = random.normal(labels[:, None], 1.0, (BATCH * BATCHES, 6)).astype("float32")
    return mx.io.NDArrayIter(images, labels.astype("float32"), BATCH)


def make_module(mx: Any) -> Any:
    net = mx.sym.FullyConnected(mx.sym.Variable("data"), num_hidden=8, name="dense1")
    net = mx.sym.FullyConnected(net, num_hidden=4, name="dense2")
    return mx.mod.Module(mx.sym.SoftmaxOutput(net, name="softmax"))


def train(mx: Any, path: Path | None, **settings: Any) -> Any:
    mx.random.seed(5)
    module = make_module(mx)
    fl.fit(
        module, make_data(mx), phases=None,
        **{"trace": path, "eval_data": make_data(mx), "num_epoch": 2, "sync_every": 1, **settings},
    )  # fmt: skip
    return module


def ignore(record: dict[str, Any]) -> None:
    """A sink that keeps nothing."""


def events_of(path: Path) -> list[dict[str, Any]]:
    """The file's events, each of which keeps to the Trace Event Format."""
    content = json.loads(path.read_text("utf-8"))
    assert content.keys() == {"traceEvents", "displayTimeUnit"}
    assert content["displayTimeUnit"] == "ms"
    for event in content["traceEvents"]:
        assert event["ph"] in ("X", "M")
        assert isinstance(event["name"], str)
        assert type(event["pid"]) is int
        assert 0 < event["pid"] < 100
        assert type(event["tid"]) is int
        assert 0 <= event["tid"] < 100
        if event["ph"] == "M":
            assert event["name"].startswith(("process_", "thread_"))
            (argument,) = event["args"]
            assert argument == event["name"].partition("_")[2]
        else:
            assert 0 <= event["ts"] < 1e9
            assert 0 <= event["dur"] < 1e9
    return list(content["traceEvents"])


def complete(events: list[dict[str, Any]], track: str) -> list[dict[str, Any]]:
    """What is on one of Python's tracks, or of the engine's devices; in the order of time."""
    names = {e["args"]["name"]: (e["pid"], e["tid"]) for e in events if e["name"] == "thread_name"}
    of_engine = [e for e in events if e["ph"] == "X" and e["pid"] > 1]
    chosen = of_engine if track == "engine" else [
        e for e in events if e["ph"] == "X" and (e["pid"], e["tid"]) == names[track]
    ]  # fmt: skip
    return sorted(chosen, key=lambda e: (e["ts"], -e["dur"]))


def end(event: dict[str, Any]) -> float:
    return float(event["ts"] + event["dur"])


def names_within(span: dict[str, Any], engine: list[dict[str, Any]]) -> list[str]:
    """The operators whose middle lies within the span."""
    return [e["name"] for e in engine if span["ts"] <= e["ts"] + e["dur"] / 2 <= end(span)]


@pytest.fixture(scope="module")
def events(mx: Any, tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    path = tmp_path_factory.mktemp("trace") / "trace.json"
    train(mx, path)
    return events_of(path)


def test_every_epoch_batch_and_phase_is_on_a_track_of_its_own(
    events: list[dict[str, Any]],
) -> None:
    training = [f"batch {i}" for i in range(BATCHES)]
    validation = [f"validation batch {i}" for i in range(BATCHES)]

    assert [e["name"] for e in complete(events, "epochs")] == [
        "setup", "epoch 0", "validation", "epoch 1", "validation",
    ]  # fmt: skip
    batches = complete(events, "batches")
    assert [e["name"] for e in batches] == 2 * (training + validation)
    assert batches[-1]["args"] == {"epoch": 1, "nbatch": 5}
    phases = [e["name"] for e in complete(events, "phases")]
    assert phases.count("update") == 2 * BATCHES
    assert phases.count("forward (measured)") == 2 * BATCHES - 1  # all but the very first
    assert phases.count("validation") == 2


def test_what_is_on_one_track_lies_within_or_behind_what_is_before_it(
    events: list[dict[str, Any]],
) -> None:
    tracks: defaultdict[tuple[int, int], list[dict[str, Any]]] = defaultdict(list)
    for event in events:
        if event["ph"] == "X":
            tracks[event["pid"], event["tid"]].append(event)

    assert len(tracks) >= len(TRACKS) + 1
    for track in tracks.values():
        around: list[float] = []
        for event in sorted(track, key=lambda e: (e["ts"], -e["dur"])):
            while around and around[-1] <= event["ts"] + 1e-3:
                around.pop()
            assert not around or end(event) <= around[-1] + 1e-3
            around.append(end(event))


def test_batches_follow_each_other_without_a_gap(events: list[dict[str, Any]]) -> None:
    batches = [e for e in complete(events, "batches") if e["name"].startswith("batch")]

    for one, next_ in itertools.pairwise(batches[:BATCHES]):
        assert next_["ts"] == pytest.approx(end(one), abs=1e-3)


def test_the_engines_work_lies_where_python_waited_for_it(events: list[dict[str, Any]]) -> None:
    phases = complete(events, "phases")
    forwards = [e for e in phases if e["name"] == "forward (measured)"]
    backwards = [e for e in phases if e["name"] == "backward (measured)"]
    engine = complete(events, "engine")

    # An operator takes microseconds here, as much as the two clocks may differ by.
    assert len(forwards) == len(backwards) == 2 * BATCHES - 1
    for span in forwards:
        assert any("FullyConnected" in name for name in names_within(span, engine))
        assert not any("backward" in name for name in names_within(span, engine))
    for span in backwards:
        assert any("backward_FullyConnected" in name for name in names_within(span, engine))


def test_the_training_is_the_same_with_a_trace(mx: Any, tmp_path: Path) -> None:
    plain, _ = train(mx, None).get_params()
    ours, _ = train(mx, tmp_path / "trace.json").get_params()

    assert plain.keys() == ours.keys()
    for name, value in plain.items():
        np.testing.assert_array_equal(value.asnumpy(), ours[name].asnumpy())


def test_mxnets_profiler_is_off_again_and_serves_the_next_trace(
    mx: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    train(mx, Path("first.json"))
    between = mx.nd.ones((3, 3)).tanh()
    between.wait_to_read()

    train(mx, Path("second.json"))

    names = {e["name"] for e in complete(events_of(Path("second.json")), "engine")}
    assert names >= {"multi_sgd_update"}
    assert "tanh" not in names
    assert sorted(os.listdir()) == ["first.json", "second.json"]  # noqa: PTH208  # names alone


def test_mxnets_profiler_writes_where_it_does_by_default_after_a_trace(
    mx: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    train(mx, Path("trace.json"))

    mx.profiler.set_state("run")
    mx.nd.ones((3, 3)).tanh().wait_to_read()
    mx.profiler.dump()

    assert "tanh" in Path("profile.json").read_text()


@pytest.mark.parametrize(
    ("bound", "value", "batches"), [("MOST_BATCHES", 8, 8), ("MOST_SECONDS", 0.0, 1)]
)
def test_a_trace_is_bounded_and_the_training_goes_on(
    bound: str, value: float, batches: int, mx: Any, tmp_path: Path, monkeypatch: Any
) -> None:
    monkeypatch.setattr(f"fitlog.run.trace.{bound}", value)
    seen: list[int] = []
    path = tmp_path / "trace.json"

    train(mx, path, batch_end_callback=lambda param: seen.append(param.nbatch))

    events = events_of(path)
    assert len(complete(events, "batches")) == batches
    assert [e["name"] for e in complete(events, "epochs") if e["name"] == "epoch 0"] == ["epoch 0"]
    assert len(seen) == 2 * BATCHES
    last = end(complete(events, "batches")[-1])
    assert all(end(e) <= last + 1e6 for e in events if e["ph"] == "X")


def test_a_validation_that_the_trace_ends_in_is_closed_with_it(
    mx: Any, tmp_path: Path, monkeypatch: Any
) -> None:
    monkeypatch.setattr("fitlog.run.trace.MOST_BATCHES", BATCHES + 2)

    train(mx, tmp_path / "trace.json")

    phases = complete(events_of(tmp_path / "trace.json"), "phases")
    (validation,) = (e for e in phases if e["name"] == "validation")
    assert [e["name"] for e in phases if e["ts"] > validation["ts"]][:2] == ["reset", "data"]


def test_a_fit_that_fails_leaves_a_whole_trace(mx: Any, tmp_path: Path) -> None:
    def fail(param: Any) -> None:
        if param.nbatch == 3:
            raise ConnectionError

    with pytest.raises(ConnectionError):
        train(mx, tmp_path / "trace.json", batch_end_callback=fail)

    events = events_of(tmp_path / "trace.json")
    assert len(complete(events, "batches")) == 3
    assert [e["name"] for e in complete(events, "epochs")] == ["setup", "epoch 0"]
    assert "callbacks" in [e["name"] for e in complete(events, "phases")]


def test_a_trace_that_cannot_be_written_is_an_error_before_the_training(
    mx: Any, tmp_path: Path
) -> None:
    seen: list[Any] = []

    with pytest.raises(FileNotFoundError, match=r"no/trace\.json"):
        train(mx, tmp_path / "no" / "trace.json", batch_end_callback=seen.append)

    assert seen == []


def test_a_disk_that_is_full_at_the_end_fails_no_training(mx: Any) -> None:
    with pytest.warns(RuntimeWarning, match="cannot write the trace /dev/full: No space left"):
        module = train(mx, Path("/dev/full"))

    assert module.params_initialized


def test_the_fits_of_an_instrumented_block_share_one_trace(mx: Any, tmp_path: Path) -> None:
    with instrument(phases=ignore, trace=tmp_path / "trace.json"):
        for _ in range(2):
            make_module(mx).fit(make_data(mx), num_epoch=1)

    names = [e["name"] for e in complete(events_of(tmp_path / "trace.json"), "epochs")]
    assert names == ["setup", "epoch 0"] * 2


def test_a_block_without_a_fit_leaves_an_empty_trace(tmp_path: Path) -> None:
    with Trace(tmp_path / "trace.json", most_batches=1, most_seconds=1.0):
        pass

    assert [e for e in events_of(tmp_path / "trace.json") if e["ph"] == "X"] == []


def test_without_a_trace_the_recorder_is_the_plain_one() -> None:
    with traced(None) as make:
        assert make is PhaseRecorder


MARK = {"name": "mark", "ph": "n", "ts": 1_000_000, "pid": 99, "tid": 7}


def operator(name: str, phase: str, ts: int, thread: int = 5) -> dict[str, Any]:
    return {"name": name, "cat": "operator", "ph": phase, "ts": ts, "pid": 0, "tid": thread}


def test_operators_are_read_by_the_clock_of_the_marker() -> None:
    text = json.dumps(
        {
            "traceEvents": [
                {"ph": "M", "name": "process_name", "pid": 0, "args": {"name": "gpu/0/"}},
                operator("early", "B", 999_990),
                operator("early", "E", 1_000_010),
                operator("late", "B", 1_500_000),
                operator("late", "E", 1_500_250),
                operator("late", "b", 1_500_000),
                operator("endless", "B", 1_600_000),
                operator("beginless", "E", 1_600_000),
                MARK,
            ]
        },
        indent=4,
    )

    (late,) = read_operators(text, "mark", 20.0)

    assert (late.name, late.device, late.thread) == ("late", "gpu/0", 5)
    assert late.begin == pytest.approx(20.5)
    assert late.end == pytest.approx(20.50025)


def test_a_second_profile_of_mxnets_is_read_though_it_begins_with_a_comma() -> None:
    events = ",\n".join(
        map(json.dumps, [operator("a", "B", 10**6), operator("a", "E", 10**6), MARK])
    )
    text = '{\n    "traceEvents": [\n,\n' + events + '],\n    "displayTimeUnit": "ms"\n}'

    assert [o.device for o in read_operators(text, "mark", 0.0)] == ["cpu/0"]


@pytest.mark.parametrize("text", ["", '{"traceEvents": [{"na', '{"traceEvents": []}'])
def test_a_profile_that_is_cut_short_is_an_error(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        read_operators(text, "mark", 0.0)


def test_the_command_writes_a_trace_and_refuses_one_that_cannot_be_written(
    mx: Any, fitlog: Fitlog, tmp_path: Path
) -> None:
    assert mx is not None
    short = ("--num-epochs", "1", "--network", "mlp")

    done = fitlog("run", *short, "--trace", "trace.json")
    refused = fitlog("run", *short, "--trace", "no/trace.json", "--out", "others")

    assert done.returncode == 0
    assert len(complete(events_of(tmp_path / "trace.json"), "batches")) == 23 + 3
    assert refused.returncode == 2
    assert refused.stderr == (
        "fitlog: --trace no/trace.json: cannot be written: No such file or directory\n"
    )
    assert not (tmp_path / "others").exists()


def test_a_distributed_run_has_no_trace(tmp_path: Path) -> None:
    options = RunOptions(workers=2, kv_store="dist_sync", trace=tmp_path / "trace.json")

    with pytest.raises(SettingError, match="traces one process; leave out --workers"):
        plan_cluster(options)
