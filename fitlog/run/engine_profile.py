"""What MXNet's engine did, by MXNet's own profiler: each operator, the thread and the time.

The profiler is one for the whole process, has no way to ask for its state, and writes files only.
"""

from __future__ import annotations

import json
import re
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Final, NamedTuple

# MXNet's defaults (profiler.cc); `continuous_dump` must be off, or no second setting is taken.
_AT_REST: Final = {"filename": "profile.json", "continuous_dump": False}
_SETTINGS: Final = {
    "profile_symbolic": True,
    "profile_imperative": True,
    "profile_api": False,
    "profile_memory": False,
    "aggregate_stats": False,
    "continuous_dump": False,
}
_DOMAIN: Final = "fitlog"
# Several, for the process may be sent off the processor within one.
_MARKERS: Final = tuple(f"fitlog-clock-{i}" for i in range(5))
# From its second file on, MXNet leaves out the devices' names, but not the comma behind them.
_STRAY_COMMA: Final = re.compile(r'("traceEvents": \[\s*),')
_TICKS: Final = 1e6  # in a second


class Operator(NamedTuple):
    """One piece of work: on which device and thread, from when to when by `time.perf_counter`."""

    name: str
    device: str
    thread: int
    begin: float
    end: float


class EngineProfile:
    """Collects operators from `start` to `stop`; leaves the profiler stopped, with its defaults."""

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        self._clock = clock
        self._marker = ""
        self._marked = 0.0

    def start(self) -> None:
        """Begin; a marker at a known time tells later how the two clocks are related.

        Raises:
            OSError: there is no place for a temporary file.
        """
        from mxnet import profiler

        self._folder = tempfile.TemporaryDirectory(prefix="fitlog-")
        self._file = Path(self._folder.name) / "engine.json"
        profiler.set_config(filename=str(self._file), **_SETTINGS)
        profiler.set_state("run")
        domain = profiler.Domain(_DOMAIN)
        marks = []
        for name in _MARKERS:
            marker = domain.new_marker(name)
            before = self._clock()
            marker.mark("process")
            after = self._clock()
            marks.append((after - before, name, (before + after) / 2))
        _, self._marker, self._marked = min(marks)

    def stop(self) -> list[Operator]:
        """End, and give what was collected, in the order of time.

        Raises:
            OSError: MXNet could not write its file.
            ValueError: what it wrote is cut short.
        """
        from mxnet import profiler

        with self._folder:
            profiler.set_state("stop")
            profiler.dump(finished=True)
            profiler.set_config(**_AT_REST)
            text = self._file.read_text("utf-8", errors="replace")
        return read_operators(text, self._marker, self._marked)


def read_operators(text: str, marker: str, marked: float) -> list[Operator]:
    """The operators of a file of MXNet's profiler whose marker was set at the time `marked`.

    Raises:
        ValueError: it is no whole file of that kind, or has no marker.
    """
    events = json.loads(_STRAY_COMMA.sub(r"\1", text, count=1))["traceEvents"]
    marks = [event["ts"] for event in events if event["name"] == marker]
    if not marks:
        raise ValueError(f"no {marker} in it")
    mark = marks[-1]
    devices = {e["pid"]: e["args"]["name"].rstrip("/") for e in events if e["ph"] == "M"}
    begun: defaultdict[tuple[int, int, str], list[int]] = defaultdict(list)
    operators = []
    # Every operator is there a second time, with the phases "b" and "e", by its kind.
    for event in events:
        if event["ph"] not in ("B", "E"):
            continue
        device, thread, name = place = event["pid"], event["tid"], event["name"]
        if event["ph"] == "B":
            begun[place].append(event["ts"])
            continue
        begin = begun[place].pop() if begun[place] else 0
        if begin >= mark:  # an earlier one was still queued when the last profile was taken
            operators.append(
                Operator(
                    name=name,
                    device=devices.get(device, "cpu/0" if device == 0 else f"device {device}"),
                    thread=thread,
                    begin=marked + (begin - mark) / _TICKS,
                    end=marked + (event["ts"] - mark) / _TICKS,
                )
            )
    return sorted(operators, key=lambda operator: (operator.begin, -operator.end))
