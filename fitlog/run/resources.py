"""What the process and its machine are doing beside a training: readings for each window.

What is read for every window costs about a microsecond; all else is read once a second at most.
"""

from __future__ import annotations

import importlib
import os
import resource
import time
from collections.abc import Callable
from typing import Any, Final, NamedTuple

_SECONDS_BETWEEN_READINGS: Final = 1.0


class Usage(NamedTuple):
    """Of all threads of this process so far.

    `involuntary_switches` counts how often a thread had to leave the processor to somebody else.
    """

    cpu_seconds: float
    involuntary_switches: int


def read_usage() -> Usage:
    """The processor time that this process has had (getrusage)."""
    spent = resource.getrusage(resource.RUSAGE_SELF)
    return Usage(spent.ru_utime + spent.ru_stime, spent.ru_nivcsw)


def usable_cpus() -> int | None:
    """The processors that this process may use; None where the system does not tell."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()


class MachineReader:
    """Call it for the latest readings, those of a second ago at most.

    `load` is the machine's load average over a minute. `rss_bytes`, the memory that this process
    holds, is there where psutil is installed; `gpus` where nvidia-ml-py is, and finds any:
    `utilization` from 0 to 1 and `memory_bytes` of each.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._read_at = -_SECONDS_BETWEEN_READINGS
        self._latest: dict[str, Any] = {}
        self._memory = _memory_reader()
        self._gpus = _gpu_reader()

    def __call__(self) -> dict[str, Any]:
        """The latest readings."""
        now = self._clock()
        if now - self._read_at >= _SECONDS_BETWEEN_READINGS:
            self._read_at = now
            self._latest = {"load": round(os.getloadavg()[0], 2)}
            if self._memory is not None:
                self._latest["rss_bytes"] = self._memory()
            if self._gpus is not None:
                self._latest["gpus"] = self._gpus()
        return self._latest


def _memory_reader() -> Callable[[], int] | None:
    try:
        import psutil
    except ImportError:
        return None
    process = psutil.Process()
    return lambda: int(process.memory_info().rss)


def _gpu_reader() -> Callable[[], list[dict[str, Any]]] | None:
    nvml: Any
    try:
        nvml = importlib.import_module("pynvml")
        nvml.nvmlInit()
        gpus = [nvml.nvmlDeviceGetHandleByIndex(i) for i in range(nvml.nvmlDeviceGetCount())]
    except Exception:  # there is no driver, or no library to ask: both are no reason to fail
        return None

    def read() -> list[dict[str, Any]]:
        return [
            {
                "utilization": nvml.nvmlDeviceGetUtilizationRates(gpu).gpu / 100,
                "memory_bytes": nvml.nvmlDeviceGetMemoryInfo(gpu).used,
            }
            for gpu in gpus
        ]

    return read if gpus else None
