"""What runs must have in common to be compared: the machine, and the settings that set the pace.

`fitlog run` writes both into `run.json`. A bare log says at most its settings (`Namespace(...)`,
the batches between its reports); of the machine it is assumed that it ran on this one, but for a
run out of an archive, which may have run anywhere.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Final

from fitlog.errors import TrainingError
from fitlog.machine import describe_machine
from fitlog.readings import Reading
from fitlog.run_folder import RECORD, read_record

BARE: Final = "assumed: this machine"
_NOWHERE: Final = "an archive, which does not know the machine"
# Of a record's arguments and a log's Namespace: what changes how fast a training runs.
_SETTINGS: Final = (
    "network", "num_layers", "batch_size", "dtype", "optimizer", "kv_store", "workers", "gpus",
    "image_shape", "num_classes", "data", "dataset", "data_train", "data_nthreads", "num_workers",
    "benchmark", "fast", "monitor", "sync_every", "script",
)  # fmt: skip
# Of no consequence, or others on every run.
_IDLE_VARIABLES: Final = ("DMLC_", "MXNET_SUBGRAPH_VERBOSE")
# Two builds of MXNet, or two settings of it, may be what a baseline is compared with.
MAY_DIFFER: Final = frozenset({"mxnet", "environment"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Fingerprint:
    """A run's `fields` by name, as text; what is not known has none.

    `source` says where they come from, `commit` and `start` what the record says of the run.
    `processors` is how many the run may use, None if that is not known.
    """

    fields: dict[str, str]
    source: str
    processors: int | None = None
    commit: str = ""
    start: str = ""


def fingerprint_of(
    reading: Reading, *, series: str | None = None, warm_up: int | None = None
) -> Fingerprint:
    """The fingerprint of a run that was read; `series` is a name that somebody gave it.

    Raises:
        TrainingError: the record beside the log is damaged.
    """
    record = _record_of(reading)
    if reading.record == {}:
        host, source = dict[str, Any](), _NOWHERE
        fields = _settings(reading.hparams)
    elif record is None:
        host, source = describe_machine(), BARE
        fields = _machine(host) | _settings(reading.hparams)
    else:
        host, source = record["host"], RECORD
        fields = _machine(host) | _environment(host) | _settings(record.get("arguments"))
        versions = record.get("versions")
        mxnet = versions.get("mxnet") if isinstance(versions, dict) else None
        fields |= {"mxnet": str(mxnet)} if mxnet else {}
    if reading.frequent is not None:
        fields["window"] = str(reading.frequent)
    fields["warmup"] = "auto" if warm_up is None else str(warm_up)
    fields["series"] = series or ""
    git = (record or {}).get("git")
    allowed = host.get("cpus_allowed")
    return Fingerprint(
        fields=fields,
        source=source,
        processors=allowed if isinstance(allowed, int) else None,
        commit=str(git.get("commit") or "") if isinstance(git, dict) else "",
        start=str((record or {}).get("start") or reading.start),
    )


def differences(
    ours: Mapping[str, str], theirs: Mapping[str, str], *, ignore: Collection[str] = ()
) -> list[str]:
    """What differs between two runs, as text; what only one of them knows is not compared."""
    return [
        f"{name} is {_shown(ours[name])} here and {_shown(theirs[name])} there"
        for name in sorted(ours.keys() & theirs.keys())
        if name not in ignore and ours[name] != theirs[name]
    ]


def _machine(host: Mapping[str, Any]) -> dict[str, str]:
    names = ("cpu", "machine", "cpus_allowed")
    return {name: str(host[name]) for name in names if host.get(name) is not None}


def _environment(host: Mapping[str, Any]) -> dict[str, str]:
    variables = host.get("environment")
    if not isinstance(variables, dict):
        return {}
    told = (f"{name}={value}" for name, value in sorted(variables.items())
            if not name.startswith(_IDLE_VARIABLES))  # fmt: skip
    return {"environment": " ".join(told)}


def _settings(arguments: object) -> dict[str, str]:
    if not isinstance(arguments, dict):
        return {}
    return {name: str(arguments[name]) for name in _SETTINGS if arguments.get(name) is not None}


def _record_of(reading: Reading) -> dict[str, Any] | None:
    """The record of a run, which must tell where it ran; None where there is none."""
    if reading.record is not None:
        record, place = reading.record, f"the {RECORD} of {reading.name}"
    elif reading.folder is not None and (reading.folder / RECORD).exists():
        record, place = read_record(reading.folder), str(reading.folder / RECORD)
    else:
        return None
    if not record:
        return None
    if not isinstance(record.get("host"), dict):
        raise TrainingError(f"{place} is no record of a run: it has no 'host'")
    versions = record.get("versions")
    return {**record, "versions": versions if isinstance(versions, dict) else {}}


def _shown(value: str) -> str:
    return repr(value) if value else "not set"
