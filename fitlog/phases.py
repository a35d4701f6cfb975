"""Where the time of trainings went, as pandas DataFrames: `read_phases` and `PhaseLog`.

Every table has the same columns and dtypes whatever the file held, an empty one too.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, cast

from fitlog.phase_records import (
    MEASURED,
    PARTS,
    SPLITS,
    PhaseRecords,
    Record,
    find_phase_file,
    integer,
    number,
    of_gpus,
    read_records,
)
from fitlog.run.phase_recorder import PHASES

if TYPE_CHECKING:
    import pandas as pd

_Column = Callable[[Record], Any]
_STATUSES: Final = ("finished", "interrupted", "failed", "running")


@dataclass(frozen=True, kw_only=True, eq=False)
class PhaseLog:
    """One `phases.jsonl` as tables.

    Every table has `fit`, Int64: the fits of the file counted from 0, NA for an evaluation outside
    of any; `time`, datetime64[us, UTC]: when the record was made; and `line`, int64. Times are
    float64 in seconds. What the file does not state is NA.

    * `fits`: one row per fit: fit, status category ('finished', 'interrupted', 'failed', 'running':
      the file has no end of it), frequent Int64, batch_size Int64, cpus Int64, setup Float64, time
      (its begin), line.
    * `windows`: one row per window: fit, split category, part category ('first', 'window', 'tail'),
      epoch Int64, batch_start Int64, batch_end Int64, batches Int64, samples Int64 (padding left
      out), seconds, a column for each phase (see docs/phases.md; they add up to seconds),
      cpu_seconds Float64, involuntary_switches Int64, load Float64, rss_bytes Int64,
      gpu_utilization Float64 (mean of all, 0 to 1), gpu_memory_bytes Int64 (of all),
      measured_batches Int64, then measured_forward, measured_backward, measured_compute,
      measured_update, measured_metric, Float64: the sums over the batches that were measured.
    * `epochs`: one row per epoch: fit, epoch, complete boolean, batches, samples, seconds, the
      phases, cpu_seconds, involuntary_switches.
    * `validations`: one row per evaluation, with the same columns.
    * `warnings`: fit, code string, text string; 'damaged' is a line that could not be read.
    """

    name: str
    fits: pd.DataFrame
    windows: pd.DataFrame
    epochs: pd.DataFrame
    validations: pd.DataFrame
    warnings: pd.DataFrame


def read_phases(source: str | os.PathLike[str]) -> PhaseLog:
    """Read a `phases.jsonl`, or that of a run's folder.

    Raises:
        LogError: it is missing or cannot be read.
        NoRecordsError: no line of it is a record.
    """
    return build_phase_log(read_records(find_phase_file(source)))


def build_phase_log(records: PhaseRecords) -> PhaseLog:
    """The tables of what was read."""
    fits = [
        {
            **fit.head,
            "fit": fit.number,
            "status": "running" if fit.end is None else fit.end.get("status"),
            "setup": None if fit.setup is None else fit.setup["seconds"],
        }
        for fit in records.fits
    ]
    damaged = [
        {"line": line, "code": "damaged", "text": "not a whole record: it was left out"}
        for line in records.damaged
    ]
    warnings = sorted([*records.warnings, *damaged], key=lambda record: int(record["line"]))
    return PhaseLog(
        name=records.name,
        fits=_frame(fits, _FITS),
        windows=_frame(records.windows, _WINDOWS),
        epochs=_frame(records.epochs, _EPOCHS),
        validations=_frame(records.validations, _EPOCHS),
        warnings=_frame(warnings, _WARNINGS),
    )


def _flag(record: Record, name: str) -> bool:
    return record.get(name) is True


def _text(record: Record, name: str) -> str:
    text = str(record.get(name, ""))
    return text.encode("utf-8", "backslashreplace").decode()  # JSON can have half a character


_READERS: Final[dict[str, Callable[[Record, str], Any]]] = {
    "Int64": integer,
    "Float64": number,
    "float64": number,
    "time": number,
    "boolean": _flag,
    "string": _text,
}


def _field(name: str, dtype: str) -> tuple[str, str, _Column]:
    return name, dtype, lambda record: _READERS[dtype](record, name)


def _phase(name: str) -> tuple[str, str, _Column]:
    return name, "float64", lambda record: record["phases"][name]


def _measured(part: str) -> tuple[str, str, _Column]:
    return f"measured_{part}", "Float64", lambda record: number(record["measured"], part)


def _gpu_utilization(record: Record) -> float | None:
    values = of_gpus(record, "utilization")
    return sum(values) / len(values) if values else None


def _gpu_memory(record: Record) -> int | None:
    values = of_gpus(record, "memory_bytes")
    return int(sum(values)) if values else None


def _measured_batches(record: Record) -> int | None:
    batches = number(record["measured"], "batches")
    return None if batches is None else int(batches)


_Columns = Sequence[tuple[str, str, _Column]]
_FIT: Final = _field("fit", "Int64")
_PLACE: Final = (_field("time", "time"), ("line", "int64", lambda record: record["line"]))
_SPENT: Final = (
    _field("batches", "Int64"),
    _field("samples", "Int64"),
    _field("seconds", "float64"),
    *map(_phase, PHASES),
    _field("cpu_seconds", "Float64"),
    _field("involuntary_switches", "Int64"),
)
_FITS: Final[_Columns] = (
    _FIT,
    ("status", "/".join(_STATUSES), lambda record: record["status"]),
    _field("frequent", "Int64"),
    _field("batch_size", "Int64"),
    _field("cpus", "Int64"),
    _field("setup", "Float64"),
    *_PLACE,
)
_WINDOWS: Final[_Columns] = (
    _FIT,
    ("split", "/".join(SPLITS), lambda record: record.get("split")),
    ("part", "/".join(PARTS), lambda record: record.get("part")),
    _field("epoch", "Int64"),
    _field("batch_start", "Int64"),
    _field("batch_end", "Int64"),
    *_SPENT,
    _field("load", "Float64"),
    _field("rss_bytes", "Int64"),
    ("gpu_utilization", "Float64", _gpu_utilization),
    ("gpu_memory_bytes", "Int64", _gpu_memory),
    ("measured_batches", "Int64", _measured_batches),
    *map(_measured, MEASURED),
    *_PLACE,
)
_EPOCHS: Final[_Columns] = (
    _FIT,
    _field("epoch", "Int64"),
    _field("complete", "boolean"),
    *_SPENT,
    *_PLACE,
)
_WARNINGS: Final[_Columns] = (
    _FIT,
    _field("code", "string"),
    _field("text", "string"),
    *_PLACE,
)


def _frame(records: Sequence[Record], columns: _Columns) -> pd.DataFrame:
    import pandas as pd

    return pd.DataFrame(
        {
            name: _series([read(record) for record in records], dtype)
            for name, dtype, read in columns
        }
    )


def _series(values: list[Any], dtype: str) -> Any:
    import pandas as pd

    if dtype == "time":
        whole = pd.array(
            [None if value is None else round(value * 1e6) for value in values], dtype="Int64"
        )
        times = pd.Series(whole).astype("datetime64[us]")
        return times.dt.tz_localize("UTC")
    if "/" in dtype:
        known = dtype.split("/")
        return pd.Categorical([v if v in known else None for v in values], categories=known)
    return pd.array(values, dtype=cast(Any, dtype))
