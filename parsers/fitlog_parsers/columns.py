"""Rows as columns: compact typed buffers that the reader fills and the tables are made of.

Standard library arrays, so that judging a log needs no numpy; numpy takes each over as a whole. A
missing integer is `MISSING`, the very pattern that numpy's NaT has.
"""

from __future__ import annotations

from array import array
from collections import Counter
from typing import Any, Final, Protocol

from fitlog_parsers.entries import Entry, Finding, Row, Unparsed
from fitlog_parsers.records import Event, Metric, Scope, Speed, Split

MISSING: Final = -(2**63)
SPLITS: Final[tuple[Split, ...]] = ("train", "validation")
SCOPES: Final[tuple[Scope, ...]] = ("window", "running", "epoch")
_SPLIT_CODES: Final = {name: code for code, name in enumerate(SPLITS)}
_SCOPE_CODES: Final = {name: code for code, name in enumerate(SCOPES)}


class _RowColumns:
    """What every table has: the place of each row; a missing integer is `MISSING`.

    `file` int32 indexes `Columns.files`; `run`, `node`, `epoch`, `line` and `time` (microseconds
    since 1970) are int64.
    """

    def __init__(self) -> None:
        self.file: Any = array("i")
        self.run: Any = array("q")
        self.node: Any = array("q")
        self.epoch: Any = array("q")
        self.time: Any = array("q")
        self.line: Any = array("q")

    def __len__(self) -> int:
        return len(self.line)

    def _add_place(self, file: int, row: Row) -> None:
        self.file.append(file)
        self.run.append(row.run)
        self.node.append(or_missing(row.node))
        self.epoch.append(or_missing(row.record.epoch))
        self.time.append(or_missing(row.time))
        self.line.append(row.line)


class SpeedColumns(_RowColumns):
    """One row per throughput report.

    `batch_start` and `batch_end` are int64, `samples_per_sec` is float64; `split` int8 holds codes
    into SPLITS.
    """

    def __init__(self) -> None:
        super().__init__()
        self.batch_start: Any = array("q")
        self.batch_end: Any = array("q")
        self.split: Any = array("b")
        self.samples_per_sec: Any = array("d")

    def add(self, file: int, row: Row, speed: Speed) -> None:
        """Append one row."""
        self._add_place(file, row)
        self.batch_start.append(or_missing(speed.batch_start))
        self.batch_end.append(or_missing(speed.batch_end))
        self.split.append(_SPLIT_CODES[speed.split])
        self.samples_per_sec.append(speed.samples_per_sec)


class MetricColumns(_RowColumns):
    """One row per metric value.

    `batch_start` and `batch_end` are int64, `value` is float64; `split` int8, `scope` int8 and
    `metric` int32 are codes into SPLITS, SCOPES and `names`.
    """

    def __init__(self) -> None:
        super().__init__()
        self.batch_start: Any = array("q")
        self.batch_end: Any = array("q")
        self.split: Any = array("b")
        self.scope: Any = array("b")
        self.metric: Any = array("i")
        self.value: Any = array("d")
        self.codes: dict[str, int] = {}

    @property
    def names(self) -> list[str]:
        """The metrics' names in order of appearance."""
        return list(self.codes)

    def code_of(self, name: str) -> int:
        """The code of a metric's name; a new one where it has none."""
        return self.codes.setdefault(name, len(self.codes))

    def add(self, file: int, row: Row, metric: Metric) -> None:
        """Append one row."""
        self._add_place(file, row)
        self.batch_start.append(or_missing(metric.batch_start))
        self.batch_end.append(or_missing(metric.batch_end))
        self.split.append(_SPLIT_CODES[metric.split])
        self.scope.append(_SCOPE_CODES[metric.scope])
        self.metric.append(self.code_of(metric.metric))
        self.value.append(metric.value)


class EventColumns(_RowColumns):
    """One row per other record.

    `kind` and `text` are str, `value` float64, in the unit that `Event` says; `has_value` int8 is 0
    where the record states none.
    """

    def __init__(self) -> None:
        super().__init__()
        self.kind: list[str] = []
        self.text: list[str] = []
        self.value = array("d")
        self.has_value = array("b")

    def add(self, file: int, row: Row, event: Event) -> None:
        """Append one row."""
        self._add_place(file, row)
        self.kind.append(event.kind)
        self.text.append(event.text)
        self.value.append(0.0 if event.value is None else event.value)
        self.has_value.append(event.value is not None)


class Counts(Protocol):
    """What a reader has counted at the end of a file."""

    @property
    def lines(self) -> int:
        """All lines."""
        ...

    @property
    def dialect_lines(self) -> Counter[str]:
        """The lines with a record, by dialect."""
        ...

    @property
    def rule_uses(self) -> Counter[tuple[str, str]]:
        """How often each rule was used, by dialect and rule."""
        ...


class Columns:
    """All that was read of one or many logs.

    `file` is the index of the one that entries come from, -1 before the first. `unparsed` and
    `findings` pair an index into `files` with the entry. Of the files that have ended, `lines`
    counts all lines, `dialect_lines` those with a record by dialect; of each file, `file_lines` and
    `file_dialects` count the same, and `rule_uses` how often each rule was used, by dialect and
    rule. What `BulkReader` adds lies in `pieces` until `rows.collect` turns the columns of `speed`
    and `metrics` into numpy arrays.
    """

    def __init__(self) -> None:
        self.files: list[str] = []
        self.file = -1
        self.speed = SpeedColumns()
        self.metrics = MetricColumns()
        self.events = EventColumns()
        self.unparsed: list[tuple[int, Unparsed]] = []
        self.findings: list[tuple[int, Finding]] = []
        self.pieces: list[Any] = []
        self.lines = 0
        self.dialect_lines: Counter[str] = Counter()
        self.rule_uses: list[Counter[tuple[str, str]]] = []
        self.file_lines: list[int] = []
        self.file_dialects: list[Counter[str]] = []
        self._first_finding = 0

    def begin_file(self, name: str) -> None:
        """The entries that follow come from the file `name`."""
        self.file = len(self.files)
        self.files.append(name)

    def end_file(self, reader: Counts) -> None:
        """Count the lines of the next file that was read, and bring findings into their order."""
        self.lines += reader.lines
        self.dialect_lines.update(reader.dialect_lines)
        self.rule_uses.append(reader.rule_uses)
        self.file_lines.append(reader.lines)
        self.file_dialects.append(reader.dialect_lines)
        self.findings[self._first_finding :] = sorted(
            self.findings[self._first_finding :],
            key=lambda found: (found[0], found[1].line, found[1].code, found[1].text),
        )
        self._first_finding = len(self.findings)

    def take(self) -> Columns:
        """The rows so far, as columns of their own; none stay here.

        `files`, what is counted of each and the metrics' codes are shared, and go on growing
        in what was taken; `lines` counts the lines of the files that had ended by then.
        """
        taken = Columns()
        taken.files, taken.lines = self.files, self.lines
        taken.dialect_lines, taken.rule_uses = self.dialect_lines, self.rule_uses
        taken.file_lines, taken.file_dialects = self.file_lines, self.file_dialects
        taken.metrics.codes = self.metrics.codes
        for name in ("speed", "metrics", "events", "unparsed", "findings", "pieces"):
            empty = getattr(taken, name)
            setattr(taken, name, getattr(self, name))
            setattr(self, name, empty)
        self._first_finding = 0
        return taken

    def add(self, entry: Entry) -> None:
        """Take in one entry of the file."""
        file = self.file
        match entry:
            case Row(record=Speed() as speed):
                self.speed.add(file, entry, speed)
            case Row(record=Metric() as metric):
                self.metrics.add(file, entry, metric)
            case Row(record=Event() as event):
                self.events.add(file, entry, event)
            case Unparsed():
                self.unparsed.append((file, entry))
            case Finding():
                self.findings.append((file, entry))


def or_missing(value: int | None) -> int:
    """The number as a column has it."""
    return MISSING if value is None else value
