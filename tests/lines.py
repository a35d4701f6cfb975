"""What tests of reading share: a log's text in, what was read of it out."""

from __future__ import annotations

import math

from fitlog_parsers import Entry, Event, LogReader, Metric, Record, Row, Speed, Split, Unparsed


def read(text: str | bytes) -> list[Entry]:
    reader = LogReader()
    return reader.feed(text if isinstance(text, bytes) else text.encode()) + reader.close()


def records(text: str | bytes) -> list[Record]:
    return [entry.record for entry in read(text) if isinstance(entry, Row)]


def unparsed(text: str | bytes) -> list[tuple[int, str, str]]:
    return [(e.line, e.text, e.reason) for e in read(text) if isinstance(e, Unparsed)]


def window(epoch: int, start: int | None, end: int, metrics: dict[str, float]) -> list[Metric]:
    return [
        Metric(
            epoch=epoch,
            batch_start=start,
            batch_end=end,
            split="train",
            scope="window",
            metric=name,
            value=value,
        )
        for name, value in metrics.items()
    ]


def speed(epoch: int | None, start: int | None, end: int, value: float) -> Speed:
    return Speed(epoch=epoch, batch_start=start, batch_end=end, samples_per_sec=value)


def whole(epoch: int, split: Split, name: str, value: float) -> Metric:
    return Metric(epoch=epoch, split=split, scope="epoch", metric=name, value=value)


def tell(record: Record) -> str:
    """What a record says in one word or a few: `train epoch loss=0.5`, `lr=0.1`, `812.0`."""
    if isinstance(record, Speed):
        return str(record.samples_per_sec)
    if isinstance(record, Event):
        return f"{record.kind}={record.value}"
    value = "nan" if math.isnan(record.value) else record.value
    return f"{record.split} {record.scope} {record.metric}={value}"
