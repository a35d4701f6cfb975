"""The lines of a `phases.jsonl` as plain records: what a report and tables are made of.

Such a file is written by trainings that may be killed, and appended to by the next one. A line that
is damaged is left out and counted; kinds and fields of newer schemas are passed over.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from fitlog.chosen import is_archive
from fitlog.errors import LogError, NoRecordsError
from fitlog.run.phase_recorder import PHASES
from fitlog.run_folder import PHASE_FILE, RUN_LOG
from fitlog.sources import Source, name_of, opened

MEASURED: Final = ("forward", "backward", "compute", "update", "metric")
SPLITS: Final = ("train", "validation")
PARTS: Final = ("first", "window", "tail")

_TIMED: Final = ("setup", "window", "epoch", "validation")
_LONGEST_LINE: Final = 1 << 20  # what is longer is no record
# A killed fit leaves half a line; the next one writes on where it ends.
_HEAD: Final = re.compile(r'\{"(?:fit|kind)": ')

Record = dict[str, Any]


@dataclass(slots=True, kw_only=True)
class Fit:
    """One fit of a file; `head` is its first record, `end` its last one, None of a killed fit."""

    number: int
    head: Record
    setup: Record | None = None
    end: Record | None = None


@dataclass(slots=True, kw_only=True)
class PhaseRecords:
    """What a file holds, in its order; each record has `line`, and `fit`: a number from 0, or None.

    Evaluations outside of any fit have none. `damaged` are the lines that were left out.
    """

    name: str
    fits: list[Fit] = field(default_factory=list)
    windows: list[Record] = field(default_factory=list)
    epochs: list[Record] = field(default_factory=list)
    validations: list[Record] = field(default_factory=list)
    warnings: list[Record] = field(default_factory=list)
    damaged: list[int] = field(default_factory=list)


def find_phase_file(path: str | os.PathLike[str]) -> Path:
    """The file itself, or that of a run's folder, or the one beside a run's log.

    Raises:
        LogError: there is none.
    """
    place = Path(path)
    if "://" not in str(path) and is_archive(path):
        raise LogError("is an archive, which keeps no phases", path=name_of(path))
    if place.is_dir():
        file = place / PHASE_FILE
        reason = f"is a folder without a {PHASE_FILE}"
        workers = sorted(place.glob("phases-*.jsonl"))
        if workers and not file.is_file():
            names = ", ".join(worker.name for worker in workers)
            raise LogError(f"is of several workers: name one of {names}", path=name_of(place))
    elif place.name.startswith(RUN_LOG):
        file, reason = place.with_name(PHASE_FILE), f"has no {PHASE_FILE} beside it"
    else:
        return place
    if not file.is_file():
        raise LogError(f"{reason}: fitlog run and fitlog.fit write one", path=name_of(place))
    return file


def read_records(source: Source) -> PhaseRecords:
    """The records of a file, compressed or not; none of an empty one.

    Raises:
        LogError: the file is missing or cannot be read.
        NoRecordsError: no line is a record.
    """
    records = PhaseRecords(name=name_of(source))
    reader = _Reader(records)
    line, text = 0, ""
    for line, text in enumerate(_lines(source), 1):
        record, is_whole = _parse(text)
        is_taken = record is not None and reader.take(line, record)
        if text.strip() and not (is_taken and is_whole):
            records.damaged.append(line)
    if records.damaged and not reader.taken:
        if line == 1 and _HEAD.match(text) and not text.endswith("\n"):
            return records  # killed while it wrote its very first line
        raise NoRecordsError(
            f"is no {PHASE_FILE}, such as fitlog run and fitlog.fit write: not a record",
            path=records.name,
            line=records.damaged[0],
        )
    return records


def _lines(source: Source) -> Iterator[str]:
    with opened(source) as file:
        rest = b""
        is_empty = True
        while piece := file.read():
            is_empty = False
            *lines, rest = (rest + piece).split(b"\n")
            rest = rest[:_LONGEST_LINE]
            for line in lines:
                yield line.decode("utf-8", "replace") + "\n"
        if is_empty and file.damage:
            raise LogError(f"is damaged: {file.damage}", path=name_of(source))
        if rest:
            yield rest.decode("utf-8", "replace")


def _parse(text: str) -> tuple[Record | None, bool]:
    """The record of a line, or the whole one behind a torn one; and whether it is all there is."""
    for head in _HEAD.finditer(text):
        try:
            record = json.loads(text[head.start() :])
        except (ValueError, RecursionError):
            continue
        return (record if isinstance(record.get("kind"), str) else None), head.start() == 0
    return None, False


class _Reader:
    """Sorts records by kind, and tells which fit each belongs to."""

    def __init__(self, records: PhaseRecords) -> None:
        self.taken = 0
        self._records = records
        self._numbered: dict[int, Fit] = {}  # by the numbers that `instrument` gives
        self._open: Fit | None = None  # of `fit`, which gives none

    def take(self, line: int, record: Record) -> bool:
        """Take a record in, if it is a whole one."""
        kind = record["kind"]
        if kind in _TIMED and not _is_timed(record):
            return False
        self.taken += 1
        record["line"] = line
        if kind == "fit":
            self._begin(record)
        elif kind in ("window", "epoch", "setup", "validation", "warning", "end"):
            self._sort(kind, record)
        return True

    def _begin(self, head: Record) -> Fit:
        fit = Fit(number=len(self._records.fits), head=head)
        self._records.fits.append(fit)
        given = head.get("fit")
        if isinstance(given, int):
            self._numbered[given], self._open = fit, None
        else:
            self._open = fit
        return fit

    def _sort(self, kind: str, record: Record) -> None:
        given = record.get("fit")
        fit = self._numbered.get(given) if isinstance(given, int) else self._open
        is_evaluation = kind == "validation" or record.get("split") == "validation"
        if fit is None and not is_evaluation and kind in ("window", "epoch"):
            fit = self._begin({"fit": given, "line": record["line"]})  # its beginning is lost
        record["fit"] = None if fit is None else fit.number
        match kind:
            case "window":
                self._records.windows.append(record)
            case "epoch":
                self._records.epochs.append(record)
            case "validation":
                self._records.validations.append(record)
            case "warning":
                self._records.warnings.append(record)
            case "setup" if fit is not None and fit.setup is None and not is_evaluation:
                fit.setup = record
            case "end" if fit is not None:
                fit.end = record
                if fit is self._open:
                    self._open = None


def _is_timed(record: Record) -> bool:
    """Whether the times of a record are numbers; the phases of newer schemas go into 'other'."""
    seconds, phases = record.get("seconds"), record.get("phases")
    if not _is_seconds(seconds) or not isinstance(phases, dict):
        return False
    if not all(map(_is_seconds, phases.values())):
        return False
    known = {name: float(phases.get(name, 0.0)) for name in PHASES}
    known["other"] += sum(value for name, value in phases.items() if name not in known)
    record["phases"] = known
    measured = record.get("measured")
    if not isinstance(measured, dict) or not all(map(_is_seconds, measured.values())):
        record["measured"] = {}
    return True


def _is_seconds(value: Any) -> bool:
    return type(value) in (int, float) and abs(value) < 1e12


def integer(record: Record, name: str) -> int | None:
    """A field that should be an integer; None where it is missing, or none."""
    value = record.get(name)
    return value if type(value) is int and abs(value) < 1 << 62 else None


def number(record: Record, name: str) -> float | None:
    """A field that should be a number; None where it is missing, or none."""
    value = record.get(name)
    return float(value) if value is not None and _is_seconds(value) else None


def of_gpus(record: Record, name: str) -> list[float]:
    """A field of each GPU; of those that have it."""
    gpus = record.get("gpus")
    if not isinstance(gpus, list):
        return []
    values = (number(gpu, name) for gpu in gpus if isinstance(gpu, dict))
    return [value for value in values if value is not None]
