"""The tables of an archive: their columns, types, units and meaning, as data.

Arrow's schemas are made of it; each field's metadata says its description and unit.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import pyarrow as pa

VERSION: Final = 1
# What the archive's tables of the same log depend on: raise it when they change.
READS: Final = 1

WORD: Final = pa.dictionary(pa.int32(), pa.string())
TIME: Final = pa.timestamp("us")
VALUES: Final = pa.map_(pa.string(), pa.float64())
COUNTS: Final = pa.map_(pa.string(), pa.int64())
NODES: Final = pa.list_(
    pa.struct(
        [
            pa.field("node", pa.int64()),
            pa.field("status", pa.string()),
            pa.field("begin_epoch", pa.int64()),
            pa.field("last_epoch", pa.int64()),
            pa.field("epochs", pa.int64()),
            pa.field("first_line", pa.int64()),
            pa.field("last_line", pa.int64()),
        ]
    )
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A column: its Arrow type, what it says, its unit (empty: none), and whether it may be null.

    `is_plain`: its values are hardly ever the same, and no dictionary of them is kept.
    """

    type: Any
    text: str
    unit: str = ""
    nullable: bool = False
    is_plain: bool = True


def _word(text: str, *, nullable: bool = False) -> Column:
    return Column(type=WORD, text=text, nullable=nullable, is_plain=False)


def _whole(text: str, unit: str = "", *, nullable: bool = False) -> Column:
    return Column(type=pa.int64(), text=text, unit=unit, nullable=nullable)


def _number(text: str, unit: str = "") -> Column:
    return Column(type=pa.float64(), text=text, unit=unit, nullable=True)


def _text(text: str, *, nullable: bool = True) -> Column:
    return Column(type=pa.string(), text=text, nullable=nullable, is_plain=False)


def _time(text: str) -> Column:
    return Column(type=TIME, text=text, nullable=True)


_FILE: Final = _word("the log: an absolute path, or a URL")
_PLACE: Final = {
    "run_id": _word("the run: a digest of `file` and `run`"),
    "file": _FILE,
    "run": _whole("the run's number in its file, from 0"),
    "node": _whole("the rank", nullable=True),
    "epoch": _whole("as logged", nullable=True),
}
_WINDOW: Final = {
    **_PLACE,
    "batch_start": _whole("the first batch of the report, as logged", "batches", nullable=True),
    "batch_end": _whole("the last batch of the report, as logged", "batches", nullable=True),
    "split": _word("'train' or 'validation'"),
}
_LINE: Final = {
    "time": _time("the writer's own clock"),
    "line": _whole("the line in the log, from 1"),
}
_NOTE: Final = {"file": _FILE, "line": _LINE["line"]}

TABLES: Final[dict[str, dict[str, Column]]] = {
    "speed": {
        **_WINDOW,
        "samples_per_sec": Column(type=pa.float64(), text="throughput", unit="samples/s"),
        **_LINE,
    },
    "metrics": {
        **_WINDOW,
        "scope": _word("'window', 'running' (since the epoch began) or 'epoch'"),
        "metric": _word("the metric's name as logged"),
        "value": Column(type=pa.float64(), text="in the metric's own unit; nan where logged"),
        **_LINE,
    },
    "epochs": {
        **_PLACE,
        "time_cost": _number("the time of the epoch", "s"),
        "speed_median": _number("of the training's reports", "samples/s"),
        "batches": _whole("the last batch reported", "batches", nullable=True),
        "lr": _number("the learning rate set last"),
        "metrics": Column(
            type=VALUES, text="of the whole epoch, such as 'train-accuracy', 'validation-accuracy'"
        ),
    },
    "events": {
        **_PLACE,
        "kind": _word("'start', 'time_cost', 'checkpoint', 'lr', 'reset', 'end' and others"),
        "text": _text("the text of the record", nullable=False),
        "value": _number("its number: seconds for 'time_cost' and 'end'"),
        **_LINE,
    },
    "runs": {
        "run_id": _word("the run: a digest of `file` and `run`"),
        "file": _FILE,
        "run": _whole("the run's number in its file, from 0"),
        "started": _time("the first time in its lines, else the record's (UTC)"),
        "ended": _time("the last time in its lines, else the record's (UTC)"),
        "status": _text("'finished', 'cut', 'restarted' or 'aborted', of the first node"),
        "record_status": _text("how it ended by its run.json"),
        "error": _text("what ended it, by its run.json"),
        "dialect": _text("the dialect of most of the file's records"),
        "warnings": _whole("findings about its lines"),
        "unparsed": _whole("pieces of its text that look like records and were not read"),
        "begin_epoch": _whole("the first epoch", nullable=True),
        "last_epoch": _whole("the last epoch", nullable=True),
        "epochs": _whole("the epochs that ended"),
        "first_line": _whole("where it begins in its file"),
        "last_line": _whole("where it ends in its file"),
        "nodes": Column(type=NODES, text="one entry a rank: the rows of `RunLog.runs`"),
        "network": _text("by run.json or a logged Namespace, as those below"),
        "batch_size": _whole("the samples of a batch", "samples", nullable=True),
        "num_epochs": _whole("how many epochs it was to train", nullable=True),
        "optimizer": _text("its name"),
        "lr": _number("the learning rate at the start"),
        "kv_store": _text("MXNet's kvstore"),
        "dtype": _text("such as 'float32'"),
        "host": _text("the machine's name"),
        "mxnet": _text("MXNet's version"),
        "settings": _text("all settings that are known, as JSON"),
        "record": _text("the rest of its run.json, as JSON: host, versions, command, data, git"),
        "pace": _number(
            "the pace that the gate judges: the 75 % quantile of the training's speeds after the"
            " warm-up",
            "samples/s",
        ),
        "pace_low": _number("the lower end of its 95 % interval within this run", "samples/s"),
        "pace_high": _number("the upper end of it", "samples/s"),
        "speed_median": _number("the median of the same speeds", "samples/s"),
        "throughput": _number("samples over time after the warm-up", "samples/s"),
        "windows": _whole("the reports after the warm-up", nullable=True),
        "best": Column(type=VALUES, text="the best value of each metric of whole epochs"),
        "last": Column(type=VALUES, text="the last value of each metric of whole epochs"),
    },
    "unparsed": {**_NOTE, "text": _text("the text"), "reason": _text("why it was not read")},
    "warnings": {**_NOTE, "code": _word("what was found"), "text": _text("the finding")},
    "sources": {
        "file": _FILE,
        "size": _whole("as it lies there", "bytes"),
        "version": _text("tells a change besides the size: nanoseconds since 1970, or an ETag"),
        "record": _text("the same of the run.json beside it, with its size before it"),
        "digest": _text("the content's BLAKE2b digest"),
        "reads": _whole("the version of the reading"),
        "runs": _whole("the runs in it"),
        "lines": _whole("its lines"),
        "dialects": Column(type=COUNTS, text="its lines with a record, by dialect"),
        "reason": _text("why it could not be read, or what of it is lost"),
        "deleted": _time("when it was found to be gone (UTC); its rows are kept"),
        "state": _text("where a log that grows is read on from, as JSON"),
    },
}


def schema_of(table: str) -> Any:
    """The Arrow schema of a table, without its partition column `month`."""
    fields = [
        pa.field(
            name,
            column.type,
            nullable=column.nullable,
            metadata={"description": column.text, **({"unit": column.unit} if column.unit else {})},
        )
        for name, column in TABLES[table].items()
    ]
    return pa.schema(fields, metadata={"fitlog_archive": str(VERSION)})


def words_of(table: str) -> list[str]:
    """The columns that are written with a dictionary of their values."""
    return [name for name, column in TABLES[table].items() if not column.is_plain]


def encodings_of(table: str) -> dict[str, str]:
    """How integers and times are written; numbers are best left to the compression as they are."""
    return {
        name: "DELTA_BINARY_PACKED"
        for name, column in TABLES[table].items()
        if column.is_plain and column.type in (pa.int64(), TIME)
    }
