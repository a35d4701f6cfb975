"""Trainings as processes that are killed and resumed, and what must be the same in the end."""

from __future__ import annotations

import os
import random
import re
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from support import PROJECT

# The lines that a training from the beginning shows once its first epoch has a checkpoint, and the
# calls that it does then of the functions of `os` that safe writing hangs on: where to kill it.
LINES = range(12, 40)
CALLS = {"fsync": range(10, 27), "replace": range(6, 15)}
SCRIPT = PROJECT / "tests" / "stoppable.py"
EPOCHS = 4
COMMON = ["--num-epochs", str(EPOCHS), "--lr", "0.01", "--seed", "3", "--disp-batches", "5"]
# In this script's `lenet` there are dropout and batch normalisation; all shuffle.
KINDS = {
    "shuffle": ["--network", "mlp"],
    "dropout and batch norm": ["--network", "lenet"],
    "scheduler": ["--network", "mlp", "--lr-step-epochs", "2,3", "--warmup-epochs", "1"],
}
VARIANTS = {
    f"{optimizer}, {kind}": [*options, "--optimizer", optimizer, *COMMON]
    for optimizer in ("sgd", "adam")
    for kind, options in KINDS.items()
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Stop:
    """Where a training is killed: when it has shown so many lines, or at a call of its own."""

    lines: int | None = None
    call: str | None = None

    def __str__(self) -> str:
        return f"after line {self.lines}" if self.call is None else f"at {self.call}"


def random_stop(
    generator: random.Random, lines: range = LINES, calls: dict[str, range] = CALLS
) -> Stop:
    """A line or a call to be killed at."""
    if generator.random() < 0.5:
        return Stop(lines=generator.choice(lines))
    name, when = generator.choice(sorted(calls)), generator.choice(("before", "after"))
    return Stop(call=f"{name}:{generator.choice(calls[name])}:{when}")


def train(folder: Path, *arguments: str, stop: Stop | None = None) -> tuple[int, str, str]:
    """Exit code (negative: the signal), standard output and error of `run` in a process."""
    own = ["--stop", stop.call] if stop and stop.call else []
    with subprocess.Popen(
        [sys.executable, str(SCRIPT), *own, "run", *arguments],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
    ) as process:
        assert process.stdout is not None
        shown = []
        for line in process.stdout:
            shown.append(line)
            if stop and len(shown) == stop.lines:
                process.send_signal(signal.SIGKILL)
        _, errors = process.communicate(timeout=120)
    return process.returncode, "".join(shown), errors


def train_all(folder: Path, commands: list[list[str]]) -> str:
    """Standard error of a process that does `run` with each of these, which must succeed."""
    arguments = [word for command in commands for word in ("then", "run", *command)]
    code, _, errors = train(folder, *arguments[2:])
    assert code == 0, errors
    return errors


def run_folder(folder: Path, out: str = "runs") -> Path:
    """The one run in there."""
    (run,) = (folder / out).iterdir()
    return run


def log_of(run: Path) -> list[str]:
    """The lines of the run's log, but for what differs between two runs: times and the folder."""
    varying = re.compile(r'(Speed: |Time cost=|to ").+?(?= samples|/[^/]*$|$)')
    text = (run / "run.log").read_text("utf-8")
    assert text.endswith("\n")
    return [varying.sub(r"\1?", line) for line in text.splitlines()]


def outcome(run: Path) -> tuple[list[str], bytes, bytes]:
    """What must be the same, whether a run was stopped or not: log, parameters and states."""
    (params,) = run.glob(f"*-{EPOCHS:04d}.params")
    return log_of(run), params.read_bytes(), params.with_suffix(".states").read_bytes()


def all_lines(run: Path) -> list[str]:
    """The lines of the log and of what was cut off it."""
    return [
        line
        for path in [*run.glob("run-cut-*.log"), *run.glob("run.log")]
        for line in path.read_text("utf-8").splitlines()
    ]


def leftovers(run: Path) -> list[str]:
    """What no run should leave: drafts of files."""
    return sorted(path.name for path in run.iterdir() if path.suffix == ".tmp")
