"""Whether a group of processes still does anything: what tells a hang from a slow training.

Processes that wait for one another for ever use no processor time at all and write nothing
(measured: 0.00 s in 8 s), while a training that is slow, however slow, computes or reads. So a
group hangs when *none* of its processes has given a sign of life for a while; a single one may wait
for the others as long as it likes. A process that was stopped by a signal is a hang by itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

# A process that only wakes up now and then to look for work uses less.
_CPU_SECONDS: Final = 0.02


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What is seen of a process and its children.

    `written` counts the bytes of its output; `cpu_seconds` is None where nobody has looked.
    """

    written: int
    cpu_seconds: float | None
    is_stopped: bool = False
    waits_for_disk: bool = False


class Pulse:
    """Is given readings of all processes, by name, and the time; says who hangs, and how."""

    def __init__(self, seconds: float, now: float) -> None:
        self._seconds = seconds
        self._alive = now
        self._written: dict[str, int] = {}
        self._cpu: dict[str, float] = {}
        self._stopped: dict[str, float] = {}

    def take(self, now: float, readings: Mapping[str, Reading]) -> str | None:
        """The hang in words, or None."""
        for name, reading in readings.items():
            if self._shows_life(name, reading):
                self._alive = now
            if reading.is_stopped:
                self._stopped.setdefault(name, now)
            else:
                self._stopped.pop(name, None)
        is_silent = bool(readings) and now - self._alive >= self._seconds
        for name, since in self._stopped.items():
            if name in readings and (is_silent or now - since >= self._seconds):
                return f"{name} hangs: it was stopped by a signal {now - since:.0f} s ago"
        if is_silent:
            seen = "written a line or used the processor"
            if any(reading.cpu_seconds is None for reading in readings.values()):
                seen = "written a line"
            return f"the group hangs: no process has {seen} for {now - self._alive:.0f} s"
        return None

    def _shows_life(self, name: str, reading: Reading) -> bool:
        wrote = reading.written > self._written.get(name, 0)
        self._written[name] = reading.written
        used = False
        if reading.cpu_seconds is not None:
            before = self._cpu.setdefault(name, reading.cpu_seconds)
            # Less than before: a child has ended, which is a sign of life as well.
            used = abs(reading.cpu_seconds - before) >= _CPU_SECONDS
            if used:
                self._cpu[name] = reading.cpu_seconds
        return wrote or used or reading.waits_for_disk


def read_process(pid: int, written: int, *, with_cpu: bool) -> Reading:
    """A process of this machine; its processor time, with its children's, only on demand.

    To find the children takes a look at every process of the machine. Of a process that has ended,
    or without psutil, nothing more is seen.
    """
    try:
        import psutil
    except ImportError:
        return Reading(written=written, cpu_seconds=None)
    try:
        process = psutil.Process(pid)
        status = process.status()
        family = [process, *process.children(recursive=True)] if with_cpu else []
    except psutil.Error:  # it has ended
        return Reading(written=written, cpu_seconds=None)
    seconds = 0.0
    for relative in family:
        try:
            times = relative.cpu_times()
        except psutil.Error:  # ended meanwhile
            continue
        seconds += times.user + times.system
    return Reading(
        written=written,
        cpu_seconds=seconds if with_cpu else None,
        is_stopped=status in (psutil.STATUS_STOPPED, psutil.STATUS_TRACING_STOP),
        waits_for_disk=status == psutil.STATUS_DISK_SLEEP,
    )
