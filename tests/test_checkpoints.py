"""Checkpoints on disks that are full, and files that are there whole or not at all."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import re
import resource
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fitlog import TrainingError, read_log
from fitlog.run.checkpoints import Checkpointer, find_checkpoint
from fitlog.run.durable import Appender, write_whole
from fitlog.run.record import write_record
from stopping import leftovers, run_folder
from support import Fitlog

# As `fitlog`, but no file may have more bytes than its first argument says.
LIMITED = """
import resource, runpy, sys
limit = int(sys.argv.pop(1))
resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
runpy.run_module("fitlog", run_name="__main__", alter_sys=True)
"""


@contextlib.contextmanager
def file_size_limit(limit: int) -> Iterator[None]:
    """No file may get more bytes than this: what a full disk does, at a place of one's choice."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.fixture
def trained(mx: Any, tmp_path: Path) -> Any:
    """A module that a fit has left behind; `run.log` is there."""
    (tmp_path / "run.log").write_text("a line\n")
    net = mx.sym.FullyConnected(mx.sym.Variable("data"), num_hidden=4, name="dense")
    module = mx.mod.Module(mx.sym.SoftmaxOutput(net, name="softmax"))
    data = mx.io.NDArrayIter(np.zeros((8, 3), "float32"), np.zeros(8, "float32"), 4)
    module.fit(data, num_epoch=1, optimizer="adam")
    return module


def checkpoint(module: Any, folder: Path, epoch: int = 0, **settings: Any) -> Checkpointer:
    checkpointer = Checkpointer(
        module, folder / "model", run="this", log=folder / "run.log", **settings
    )
    checkpointer(epoch, module.symbol, *module.get_params())
    return checkpointer


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def found(folder: Path, run: str = "this") -> tuple[int | None, list[str]]:
    said: list[str] = []
    newest = find_checkpoint(folder / "model", run=run, log=folder / "run.log", say=said.append)
    return newest.epoch if newest else None, said


def test_a_checkpoint_is_one_when_its_epoch_is_over(trained: Any, tmp_path: Path) -> None:
    checkpointer = checkpoint(trained, tmp_path)
    before = found(tmp_path)
    checkpointer.complete()

    assert before == (None, [])
    assert found(tmp_path) == (1, [])
    assert names(tmp_path) == [
        "model-0001.json", "model-0001.params", "model-0001.states", "model-symbol.json", "run.log",
    ]  # fmt: skip
    assert json.loads((tmp_path / "model-0001.json").read_text())["log_bytes"] == 7


def test_symbol_and_parameters_are_upstreams_byte_for_byte(
    trained: Any, tmp_path: Path, mx: Any
) -> None:
    checkpoint(trained, tmp_path)
    (tmp_path / "upstream").mkdir()
    mx.callback.do_checkpoint(str(tmp_path / "upstream" / "model"))(
        0, trained.symbol, *trained.get_params()
    )

    for name in ("model-symbol.json", "model-0001.params"):
        assert (tmp_path / name).read_bytes() == (tmp_path / "upstream" / name).read_bytes()
    symbol, arguments, _ = mx.model.load_checkpoint(str(tmp_path / "model"), 1)
    assert symbol.list_outputs() == ["softmax_output"]
    assert arguments.keys() == {"dense_weight", "dense_bias"}


def test_checkpoints_are_made_as_often_as_asked_for(trained: Any, tmp_path: Path) -> None:
    for epoch in range(5):
        checkpoint(trained, tmp_path, epoch, period=2).complete()

    assert [n for n in names(tmp_path) if n.endswith(".params")] == [
        "model-0002.params", "model-0004.params",
    ]  # fmt: skip


def test_the_newest_that_is_whole_is_found_among_others(trained: Any, tmp_path: Path) -> None:
    for epoch in (0, 1, 9, 9999):
        checkpoint(trained, tmp_path, epoch).complete()
    (tmp_path / "model-10000.states").unlink()
    (tmp_path / "model-0010.json").write_text('{"schema": 2}')
    (tmp_path / "model-x.json").write_text("{}")

    assert found(tmp_path) == (
        2,
        [
            "the checkpoint model-10000.json cannot be used: model-10000.states is missing",
            "the checkpoint model-0010.json cannot be used: its schema is 2, not 1",
        ],
    )
    assert found(tmp_path, run="that")[0] is None
    (tmp_path / "run.log").write_text("")
    assert found(tmp_path)[1][-1].endswith("lines of it are missing in run.log")


@pytest.mark.parametrize("manifest", ["[]", "{}", "", '{"schema": 1, "run": "this", "epoch": "x"}'])
def test_what_is_no_manifest_is_passed_over(manifest: str, trained: Any, tmp_path: Path) -> None:
    checkpoint(trained, tmp_path).complete()
    (tmp_path / "model-0002.json").write_text(manifest)

    epoch, said = found(tmp_path)

    assert epoch == 1
    assert "model-0002.json cannot be used: it is no manifest" in said[0]


def test_states_that_no_manifest_vouches_for_are_never_loaded(trained: Any, tmp_path: Path) -> None:
    checkpoint(trained, tmp_path).complete()
    states = tmp_path / "model-0001.states"
    states.write_bytes(b"cos\nsystem\n(S'touch owned'\ntR.".ljust(states.stat().st_size))

    assert found(tmp_path)[0] is None


@pytest.mark.parametrize(
    ("limit", "name"),
    [(0, "model-symbol.json"), (100, "model-symbol.json"), (1000, "model-0001.states")],
)
def test_small_files_that_find_no_room_are_missed(
    limit: int, name: str, trained: Any, tmp_path: Path
) -> None:
    with (
        file_size_limit(limit),
        pytest.raises(TrainingError, match=re.escape(f"cannot write {tmp_path / name}: File too")),
    ):
        checkpoint(trained, tmp_path)

    assert leftovers(tmp_path) == []
    assert name not in names(tmp_path)


def test_small_parameters_that_mxnet_says_are_saved_are_missed(
    trained: Any, tmp_path: Path, mx: Any
) -> None:
    checkpoint(trained, tmp_path).complete()
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    (params,) = tmp_path.glob("*.params")
    with file_size_limit(100):
        mx.nd.save(str(tmp_path / "unnoticed"), mx.nd.zeros(100))  # raises nothing

    with (
        file_size_limit(100),
        pytest.raises(TrainingError, match=re.escape(f"cannot write {params} whole: is the disk")),
    ):
        checkpoint(trained, tmp_path)

    assert (tmp_path / "unnoticed").stat().st_size <= 100
    assert {name: (tmp_path / name).read_bytes() for name in before} == before
    assert leftovers(tmp_path) == []
    assert found(tmp_path) == (1, [])


def test_parameters_that_read_back_otherwise_are_no_checkpoint(
    trained: Any, tmp_path: Path, mx: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    save = mx.nd.save
    monkeypatch.setattr(
        mx.nd, "save", lambda path, arrays: save(path, {n: a + 1 for n, a in arrays.items()})
    )

    with pytest.raises(TrainingError, match="what was read back is not what was written"):
        checkpoint(trained, tmp_path)

    assert names(tmp_path) == ["model-symbol.json", "run.log"]


def test_a_file_keeps_its_old_content_when_the_new_one_fails(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("old")

    def fail(draft: Path) -> None:
        draft.write_text("half")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_whole(path, fail)
    with file_size_limit(2), pytest.raises(OSError, match=f"File too large: '{path}'"):
        write_whole(path, lambda draft: draft.write_text("new"))

    assert path.read_text() == "old"
    assert names(tmp_path) == ["file"]


def test_a_piece_that_finds_no_room_leaves_no_half_of_it(tmp_path: Path) -> None:
    file = Appender(tmp_path / "run.log")
    file.append(b"whole\n")

    with file_size_limit(10), pytest.raises(OSError, match=r"File too large: '.*run\.log'"):
        file.append(b"too long for that\n")
    file.append(b"after\n")
    file.close()

    assert (tmp_path / "run.log").read_bytes() == b"whole\nafter\n"


def test_a_record_is_written_over_the_old_one_where_there_is_no_room_beside_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "run.json"
    write_record(path, {"status": "running", "much": "x" * 100})

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    write_record(path, {"status": "failed"})
    short = json.loads(path.read_text())
    with file_size_limit(100), pytest.raises(OSError, match="No space left"):
        write_record(path, {"status": "failed", "much": "x" * 1000})

    assert short == {"status": "failed"}
    assert json.loads(path.read_text()) == short


@pytest.mark.parametrize(
    ("limit", "missing"),
    [(60_000, "mlp-0001.params"), (69_500, "mlp-0001.states"), (2_900, "lenet-symbol.json")],
)
def test_a_file_size_limit_ends_the_run_with_the_name_and_a_whole_log(
    limit: int, missing: str, mx: Any, tmp_path: Path
) -> None:
    assert mx is not None

    done = subprocess.run(
        [sys.executable, "-c", LIMITED, str(limit), "run", "--network", missing.partition("-")[0]],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )

    run = run_folder(tmp_path)
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    assert f"cannot write runs/{run.name}/{missing}" in done.stderr
    record = json.loads((run / "run.json").read_text())
    assert record["status"] == "failed"
    assert missing in record["error"]
    assert (run / "run.log").read_text().endswith("\n")
    assert len(read_log(run / "run.log").epochs) == 1
    assert missing not in names(run)
    assert leftovers(run) == []


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk with room for two checkpoints of the MLP; to make one, one must be root."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=400k", "none", str(disk)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("no disk can be mounted here")
    try:
        yield disk
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def test_a_full_disk_leaves_the_last_checkpoint_and_room_makes_the_run_go_on(
    small_disk: Path, mx: Any, fitlog: Fitlog
) -> None:
    assert mx is not None

    done = fitlog("run", "--network", "mlp", "--num-epochs", 9, "--out", small_disk)

    (run,) = small_disk.iterdir()
    record = json.loads((run / "run.json").read_text())
    assert (done.returncode, record["status"]) == (2, "failed")
    assert "No space left on device" in record["error"]
    assert f"cannot write {run}/mlp-0003" in done.stderr
    assert (run / "run.log").read_text().endswith("\n")
    assert leftovers(run) == []

    for path in run.glob("mlp-0001.*"):
        path.unlink()
    done = fitlog("run", "--resume", run, "--num-epochs", 3)

    assert done.returncode == 0, done.stderr
    assert "2 epochs are done: going on from mlp-0002.json" in done.stderr
    assert len(read_log(run / "run.log").epochs) == 3
