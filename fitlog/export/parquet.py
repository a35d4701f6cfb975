"""Parquet: the points as one table, whose schema says what each column is and its unit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from fitlog.export.points import Place, Point, Settings
from fitlog.export.rows import COLUMNS, as_row, refused
from fitlog.export.target import Logs, import_extra


def open_parquet(out: str, logs: Logs) -> ParquetFile:
    """A Parquet file, which is whole when it is closed.

    Raises:
        OutputError: pyarrow is missing, or the file cannot be written.
    """
    import_extra("pyarrow", "parquet")
    return ParquetFile(out, logs)


class ParquetFile:
    """A Parquet file that grows by groups of rows."""

    def __init__(self, out: str, logs: Logs) -> None:
        import pyarrow.parquet as pq

        self._out, self._logs = out, logs
        self._schema = _schema()
        try:
            self._writer = pq.ParquetWriter(out, self._schema)
        except OSError as error:
            raise refused(out, error) from None

    def describe(self, settings: Settings) -> None:
        """Settings are no numbers."""

    def write(self, points: Sequence[Point]) -> None:
        """Add a group of rows."""
        import pyarrow as pa

        rows = [as_row(point, self._logs) for point in points]
        columns: list[Any] = [list(column) for column in zip(*rows, strict=True)]
        arrays = [
            pa.array(column, field.type)
            for column, field in zip(columns, self._schema, strict=True)
        ]
        try:
            self._writer.write_batch(pa.record_batch(arrays, schema=self._schema))
        except OSError as error:
            raise refused(self._out, error) from None

    def flush(self) -> None:
        """A part of a Parquet file is none: there is nothing to see yet."""

    def close(self, endings: Mapping[Place, str]) -> None:  # noqa: ARG002  # a target's
        """Write the end, without which it is no Parquet file."""
        try:
            self._writer.close()
        except OSError as error:
            raise refused(self._out, error) from None


def _schema() -> Any:
    import pyarrow as pa

    from fitlog import __version__

    word = pa.dictionary(pa.int32(), pa.string())
    types = {
        **dict.fromkeys(COLUMNS, word),
        **dict.fromkeys(("run", "node", "epoch", "step", "line"), pa.int64()),
        "time": pa.timestamp("us"),
        "value": pa.float64(),
    }
    fields = [
        pa.field(
            name,
            types[name],
            nullable=name in ("node", "epoch", "time", "split", "unit"),
            metadata={"description": what, **({"unit": unit} if unit else {})},
        )
        for name, (what, unit) in COLUMNS.items()
    ]
    return pa.schema(fields, metadata={"fitlog_version": __version__})
