"""What is known of one run that is compared: its log, its record and its phases.

Of a log that holds several runs the last is taken, of several nodes the first; that is said.
"""

from __future__ import annotations

import dataclasses
import math
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from fitlog.contrasts import NOISY_SPREAD, Figure, time_figure
from fitlog.errors import LogError, SettingError
from fitlog.paces import MIN_WINDOWS
from fitlog.phase_records import Fit, PhaseRecords, integer, read_records
from fitlog.phase_sums import NETWORK
from fitlog.readings import doubts_of
from fitlog.run.phase_recorder import PHASES
from fitlog.run_folder import PHASE_FILE, RECORD, RUN_LOG, read_record
from fitlog.sources import Source
from fitlog.stats import measure_pace
from fitlog.streams import no_records
from fitlog.tables import RunLog, is_archived, read_log
from fitlog.which_run import Place, choose_run
from fitlog_parsers.columns import MISSING

if TYPE_CHECKING:
    import pandas as pd

NAMESPACE: Final = "Namespace"
# Others in every run, and nothing that a training depends on.
_IDLE_ARGUMENTS: Final = ("name", "out")
_HOST: Final = ("name", "platform", "machine", "cpu", "cpus", "cpus_allowed")


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFacts:
    """One run as it is compared.

    `log` holds its rows only. `settings` are texts by name, from `settings_source`: 'run.json',
    'Namespace', or '' where nothing tells them. `metrics` are values by epoch for names such as
    'validation-accuracy', `time_costs` seconds by epoch, `pace` in samples per second, `phases`
    seconds of an epoch by phase, `samples` what a validation is made on. `notes` are what a reader
    should know about it.
    """

    name: str
    log: RunLog
    status: str
    settings: dict[str, str]
    settings_source: str
    pace: Figure
    time_costs: dict[int, float]
    metrics: dict[str, dict[int, float]]
    phases: dict[str, Figure]
    samples: int | None
    notes: tuple[str, ...]

    @property
    def epochs(self) -> list[int]:
        """The epochs that the log says something of as a whole."""
        return sorted({*self.time_costs, *(e for each in self.metrics.values() for e in each)})

    @property
    def wall_seconds(self) -> dict[int, float]:
        """Seconds of training at the end of each epoch, up to the first that has no time cost."""
        total, seconds = 0.0, {}
        for epoch in self.epochs:
            if epoch not in self.time_costs:
                break
            total += self.time_costs[epoch]
            seconds[epoch] = total
        return seconds


def read_facts(source: Source | RunLog) -> RunFacts:
    """Read all there is of a run.

    Raises:
        LogError: the log cannot be read. NoRecordsError: it holds no record. TrainingError: the
        `run.json` beside it is damaged. SettingError: several logs that were read as one.
    """
    whole = source if isinstance(source, RunLog) else read_log(source)
    if "file" in whole.speed:
        raise SettingError("several logs that were read as one cannot be compared as one run")
    if not whole.has_records:
        reason = str(whole.unparsed["reason"].iloc[0]) if len(whole.unparsed) else ""
        raise no_records(whole.name, whole.lines, reason)
    log, notes = _choose_run(whole)
    place = _place_of(source)
    record = whole.record
    if record is None and place is not None and (place.parent / RECORD).is_file():
        record = read_record(place.parent)
    settings = flat_settings(record) if record else _texts(whole.hparams)
    status = str((record or {}).get("status") or _status(log))
    if status != "finished":
        notes.append(f"it has not finished: {status}" if status else "its end is not known")
    records, fit = _read_phases(place, notes)
    if fit is not None and "batch_size" not in settings and "batch_size" in fit.head:
        settings["batch_size"] = str(fit.head["batch_size"])
    return RunFacts(
        name=_name(whole.name),
        log=log,
        status=status,
        settings=settings,
        settings_source=RECORD if record else NAMESPACE if whole.hparams else "",
        pace=_pace(log, notes),
        time_costs=_time_costs(log),
        metrics=_metrics(log),
        phases=_phases(records, fit),
        samples=_validated_samples(records, fit),
        notes=tuple(notes),
    )


def flat_settings(record: Mapping[str, Any]) -> dict[str, str]:
    """What a record says of settings, versions, machine, data and code, as texts by name."""
    host, git = _mapping(record.get("host")), _mapping(record.get("git"))
    arguments = _mapping(record.get("arguments"))
    flat = {name: arguments[name] for name in arguments if name not in _IDLE_ARGUMENTS}
    for name, file in _mapping(record.get("data")).items():
        flat[f"data {name}"] = "sha256 " + str(_mapping(file).get("sha256"))[:12]
    flat |= {f"{name} version": value for name, value in _mapping(record.get("versions")).items()}
    flat |= {f"host {name}": host[name] for name in _HOST if name in host}
    flat |= _mapping(host.get("environment"))
    if git:
        flat["git commit"] = str(git.get("commit"))[:12] + " and changes" * bool(git.get("dirty"))
    return _texts(flat)


def _place_of(source: Source | RunLog) -> Path | None:
    """The file that a log is; what lies beside it is the run's, too, but for one of an archive."""
    if is_archived(source):
        return None
    path = source.name if isinstance(source, RunLog) else source
    if not isinstance(path, (str, os.PathLike)) or os.fspath(path) == "-":
        return None
    return Path(path) if Path(path).is_file() else None


def _choose_run(log: RunLog) -> tuple[RunLog, list[str]]:
    """The last run of the first node, and what is to be said of the log."""
    notes = doubts_of(zip(log.warnings["code"], log.warnings["text"], strict=True), log.unparsed)
    tables = {name: getattr(log, name) for name in ("speed", "metrics", "events", "epochs", "runs")}
    places = {name: _places(table) for name, table in tables.items()}
    trained = _places(log.speed[log.speed["split"] == "train"])
    choice = choose_run({*trained}, {place for each in places.values() for place in each})
    here = choice.node, choice.run
    chosen = {
        name: table.iloc[[i for i, place in enumerate(places[name]) if place == here]]
        for name, table in tables.items()
    }
    return dataclasses.replace(log, **chosen), [*notes, *choice.notes]


def _places(table: pd.DataFrame) -> list[Place]:
    """Node and run of each row."""
    nodes = table["node"].astype("Int64").fillna(MISSING)
    return list(zip(nodes.tolist(), table["run"].tolist(), strict=True))


def _status(log: RunLog) -> str:
    return str(log.runs["status"].iloc[-1]) if len(log.runs) else ""


def _read_phases(place: Path | None, notes: list[str]) -> tuple[PhaseRecords | None, Fit | None]:
    """The last fit in the file beside a run's log, if there is one."""
    if place is None or not place.name.startswith(RUN_LOG):
        return None, None
    file = place.with_name(PHASE_FILE)
    if not file.is_file():
        return None, None
    try:
        records = read_records(file)
    except LogError as error:
        notes.append(f"its phases are left out: {error}")
        return None, None
    if len(records.fits) > 1:
        notes.append(f"its {PHASE_FILE} holds {len(records.fits)} fits, and the last one is taken")
    if records.damaged:
        notes.append(f"{len(records.damaged)} lines of its {PHASE_FILE} are damaged")
    return records, records.fits[-1] if records.fits else None


def _pace(log: RunLog, notes: list[str]) -> Figure:
    rows = log.speed.loc[log.speed["split"] == "train", "samples_per_sec"].tolist()
    if any(not (math.isfinite(speed) and speed > 0) for speed in rows):
        notes.append("its throughput is left out: it has speeds that cannot be true")
        return Figure()
    pace = measure_pace(rows) if rows else None
    if pace is None or pace.windows < MIN_WINDOWS:
        notes.append(
            f"its throughput is left out: {len(rows)} speed line{'s' * (len(rows) != 1)}, and"
            f" {MIN_WINDOWS} are needed after the warm-up"
        )
        return Figure()
    is_noisy = pace.spread > NOISY_SPREAD
    if is_noisy:
        notes.append(
            f"its windows scatter by {pace.spread:.1%}, a busy machine or very short windows: of"
            " its throughput there is no interval"
        )
    return Figure(value=pace.samples_per_sec, variance=pace.variance, is_noisy=is_noisy)


def _time_costs(log: RunLog) -> dict[int, float]:
    rows = log.epochs[["epoch", "time_cost"]].dropna()
    pairs = zip(rows["epoch"].tolist(), rows["time_cost"].tolist(), strict=True)
    return {int(e): float(cost) for e, cost in pairs if math.isfinite(cost) and cost > 0}


def _metrics(log: RunLog) -> dict[str, dict[int, float]]:
    rows = log.metrics[log.metrics["scope"] == "epoch"].dropna(subset=["epoch"])
    names = ("split", "metric", "epoch", "value")
    metrics: dict[str, dict[int, float]] = {}
    for split, metric, epoch, value in zip(*(rows[name].tolist() for name in names), strict=True):
        metrics.setdefault(f"{split}-{metric}", {})[int(epoch)] = float(value)
    return metrics


def _phases(records: PhaseRecords | None, fit: Fit | None) -> dict[str, Figure]:
    """Seconds of an epoch by phase; the first epoch is left out where there are others.

    Python's clock cannot tell which of the engine's work took the time: that is one, 'network'.
    """
    if records is None or fit is None:
        return {}
    epochs = [e for e in records.epochs if e["fit"] == fit.number and e.get("complete") is True]
    figures = {}
    groups = {"network": NETWORK, **{name: (name,) for name in PHASES if name not in NETWORK}}
    for name, parts in groups.items():
        seconds = [sum(epoch["phases"][part] for part in parts) for epoch in epochs]
        seconds = seconds[1:] or seconds
        if seconds and min(seconds) > 0:
            figures[name] = time_figure(seconds)
    return figures


def _validated_samples(records: PhaseRecords | None, fit: Fit | None) -> int | None:
    """What each validation was made on, if that is known and the same for all."""
    if records is None or fit is None:
        return None
    counts = {integer(v, "samples") for v in records.validations if v["fit"] == fit.number}
    return counts.pop() if len(counts) == 1 else None


def _name(name: str) -> str:
    """Of a run's `run.log` its folder."""
    path = Path(name)
    return str(path.parent) if path.name == RUN_LOG and path.parent.name else name


def _texts(values: Mapping[str, Any]) -> dict[str, str]:
    return {str(name): str(value) for name, value in values.items()}


def _mapping(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
