"""Phases of trainings that never ran: the real recorder under a clock that is moved by hand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from fitlog.run.phase_recorder import PhaseRecorder
from fitlog.run.resources import Usage


class Simulated:
    """A fit whose phases take as long as they are told to; `lines` are those of its file."""

    def __init__(
        self,
        *,
        cpu: float = 1.0,
        switches_per_sec: int = 0,
        load: float = 0.5,
        fit: int | None = None,
        **settings: Any,
    ) -> None:
        self.records: list[dict[str, Any]] = []
        self._now = 100.0
        self._asleep = 0.0
        self._numbered = {} if fit is None else {"fit": fit}
        self.recorder = PhaseRecorder(
            self._take,
            **{"frequent": 2, "batch_size": 10, **settings},
            clock=lambda: self._now,
            wall_clock=lambda: 1_800_000_000.0 + self._now,
            usage=lambda: Usage(
                cpu * (self._now - self._asleep), int(switches_per_sec * self._now)
            ),
            machine=lambda: {"load": load, "rss_bytes": 5_000_000},
        )

    @property
    def lines(self) -> list[str]:
        return [json.dumps(record) + "\n" for record in self.records]

    def run(
        self, epochs: int = 2, batches: int = 6, setup: float = 0.0, **phases: Any
    ) -> Simulated:
        """A whole fit; `phases` are seconds of each batch, or of each epoch's end."""
        self.recorder.begin()
        self._now += setup
        for epoch in range(epochs):
            self.run_epoch(epoch, batches, **phases)
        self.recorder.close("finished")
        return self

    def run_epoch(
        self, epoch: int, batches: int, *, measured: dict[str, float] | None = None, **phases: Any
    ) -> None:
        ends = ("sync", "checkpoint", "validation", "reset")
        self.recorder.end_setup()
        for nbatch in range(batches):
            for phase in phases.keys() - set(ends):
                self.spend(phase, phases[phase])
            if measured:
                self.recorder.measure("batches", 1)
                for part, seconds in measured.items():
                    self.recorder.measure(part, seconds)
            self.recorder.end_batch(epoch, nbatch, padded=0, last=nbatch == batches - 1)
        for phase in ends:
            self.spend(phase, phases.get(phase, 0.0))
        self.recorder.end_epoch()

    def spend(self, phase: str, seconds: float) -> None:
        self.recorder.timed(phase, self._pass_by)(seconds)

    def sleep(self, phase: str, seconds: float) -> None:
        """A phase that takes so many seconds and no processor time."""
        self._asleep += seconds
        self.spend(phase, seconds)

    def write(self, path: Path) -> Path:
        path.write_text("".join(self.lines), "utf-8")
        return path

    def _pass_by(self, seconds: float) -> None:
        self._now += seconds

    def _take(self, record: dict[str, Any]) -> None:
        self.records.append({**self._numbered, **record})
