"""Two trainings run by turns on one machine, and judged: what else happens there happens to both.

Each run is made by `fitlog run` in a process and a folder of its own. The turns are ABBA, so that
a machine that slows down steadily slows both sides alike. More runs are made only for as long as
the verdict is inconclusive.
"""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType
from typing import IO, Any, Final, Literal

from fitlog.errors import SettingError, Termination, TrainingError
from fitlog.gate import check
from fitlog.measures import PACE, Measure, find_measure
from fitlog.paces import JudgedRun, judged_run
from fitlog.readings import read_run
from fitlog.run.folders import new_folder
from fitlog.verdicts import Judgement

Side = Literal["baseline", "candidate"]

_VARIABLE: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*=")
# The command lines say so themselves.
_MAY_DIFFER: Final = frozenset({"script", "environment"})
_LINES_TOLD: Final = 10
_BYTES_TOLD: Final = 1 << 13


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """A command line: the words behind `fitlog run`, and the variables set for it."""

    side: Side
    words: tuple[str, ...]
    variables: dict[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How many runs a side, and what they are judged by; see `fitlog.check`.

    Judged from `min_runs` on, and at the latest after `max_runs`. `time_limit` is in seconds: no
    run is begun that would end later, going by the longest so far.
    """

    min_runs: int = 3
    max_runs: int = 8
    time_limit: float | None = None
    metric: str = PACE
    better: str | None = None
    tolerance: float = 0.05
    min_effect: float = 0.02
    alpha: float | None = None
    warm_up: int | None = None
    ignore: Collection[str] = field(default=())


def parse_command(side: Side, text: str) -> Command:
    """The command of `--baseline` or `--candidate`, split as a shell does.

    It is what stands behind `fitlog run`, with or without these two words: a script and its
    arguments, or any other command. Variables may be set before it, as in `NAME=value train.py`.

    Raises:
        SettingError: there is none, or a quotation is not closed.
    """
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise SettingError(f"--{side} {text}: {str(error).lower()}") from None
    variables = {}
    while words and _VARIABLE.match(words[0]):
        name, _, value = words.pop(0).partition("=")
        variables[name] = value
    if not words:
        raise SettingError(f"--{side} {text!r}: names no command")
    if words[:2] == ["fitlog", "run"]:
        words = words[2:]
    elif not words[0].endswith(".py"):
        words = ["--", *words]
    return Command(side=side, words=tuple(words), variables=variables)


def run_bench(
    baseline: Command,
    candidate: Command,
    plan: Plan,
    *,
    out: Path,
    say: Callable[[str, JudgedRun, Measure], None],
) -> Judgement:
    """Run both by turns, in a new folder in `out`, until the verdict is clear; tell of each run.

    Raises:
        SettingError: a plan that cannot be.
        TrainingError: a run that fails. LogError: one whose log cannot be judged.
        BaselineError: runs that are not alike. KeyboardInterrupt, Termination: somebody stopped it.
    """
    if not 1 <= plan.min_runs <= plan.max_runs:
        raise SettingError(
            f"--min-runs {plan.min_runs}, --max-runs {plan.max_runs}: must be 1 or more, and the"
            " first no larger than the second"
        )
    measure = find_measure(plan.metric, plan.better)
    folder = new_folder(out, "bench", datetime.now(UTC))
    logs: dict[Side, list[Path]] = {"baseline": [], "candidate": []}
    begun = time.monotonic()
    longest = 0.0
    with _Stop(folder) as stop:
        while True:
            number = len(logs["baseline"]) + 1
            for command in (baseline, candidate) if number % 2 else (candidate, baseline):
                at = time.monotonic()
                name = f"{command.side}-{number}"
                log = _run(command, name, folder, stop)
                longest = max(longest, time.monotonic() - at)
                logs[command.side].append(log)
                say(name, judged_run(read_run(log), measure, warm_up=plan.warm_up), measure)
            judgement = _judge(logs, plan)
            if number >= plan.min_runs and judgement.verdict != "inconclusive":
                return judgement
            is_late = plan.time_limit is not None and (
                time.monotonic() - begun + 2 * longest > plan.time_limit
            )
            if number >= plan.max_runs or is_late:
                limit = "--max-runs" if number >= plan.max_runs else "--time-limit"
                told = f"it ended after {number} of each side: {limit}"
                return replace(judgement, reasons=(*judgement.reasons, told))


class _Stop:
    """SIGINT and SIGTERM meanwhile: the first is passed on to the run, the second ends all of it.

    Nothing is raised before the run has ended, so none is left behind.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._asked: list[int] = []
        self._told = 0
        self._process: subprocess.Popen[bytes] | None = None
        self._before: list[tuple[int, Any]] = []

    def __enter__(self) -> _Stop:
        for number in (signal.SIGINT, signal.SIGTERM):
            self._before.append((number, signal.signal(number, self._ask)))
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before:
            signal.signal(number, handler)

    def wait(self, process: subprocess.Popen[bytes]) -> int:
        """The exit code of the process, once it has ended.

        Raises:
            KeyboardInterrupt, Termination: somebody asked for the end.
        """
        self._process = process
        self._pass_on()
        code = process.wait()
        self._process = None
        self.raise_asked()
        return code

    def raise_asked(self) -> None:
        """Raise if somebody asked for the end."""
        if self._asked:
            error = Termination if self._asked[0] == signal.SIGTERM else KeyboardInterrupt
            raise error(f"(the runs so far: {self._folder})")

    def _ask(self, number: int, _frame: FrameType | None) -> None:
        self._asked.append(number)
        self._pass_on()

    def _pass_on(self) -> None:
        while self._process is not None and self._told < len(self._asked):
            self._told += 1
            with contextlib.suppress(ProcessLookupError):
                if self._told == 1:
                    self._process.send_signal(self._asked[0])
                else:
                    os.killpg(self._process.pid, signal.SIGKILL)


def _judge(logs: Mapping[Side, Sequence[Path]], plan: Plan) -> Judgement:
    return check(
        logs["candidate"],
        baseline=logs["baseline"],
        metric=plan.metric,
        better=plan.better,
        tolerance=plan.tolerance,
        min_effect=plan.min_effect,
        alpha=plan.alpha,
        warm_up=plan.warm_up,
        ignore={*plan.ignore, *_MAY_DIFFER},
    )


def _run(command: Command, name: str, folder: Path, stop: _Stop) -> Path:
    """One run to its end; gives its log."""
    stop.raise_asked()
    # -P: what lies in the working directory is nothing of fitlog's.
    fitlog_run = [sys.executable, "-P", "-m", "fitlog", "run", "--out", str(folder)]
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(
            [*fitlog_run, "--name", name, *command.words],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**os.environ, **command.variables},
            process_group=0,  # so that a signal of the terminal reaches it once, through here
        )
        code = stop.wait(process)
        found = list(folder.glob(f"*-{name}/run.log"))
        if code:
            where = f"; see {found[0]}" if found else ""
            raise TrainingError(
                f"{name} failed with exit code {code}: {shlex.join(command.words)}{where}",
                details=_last_lines(output),
            )
    if not found:
        raise TrainingError(
            f"{name} left no run in {folder}: --out and --name of the runs are set by fitlog bench"
        )
    return found[0]


def _last_lines(output: IO[bytes]) -> list[str]:
    size = output.seek(0, os.SEEK_END)
    output.seek(max(0, size - _BYTES_TOLD))
    return output.read().decode("utf-8", "replace").splitlines()[-_LINES_TOLD:]
