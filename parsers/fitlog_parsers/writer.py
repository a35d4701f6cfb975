"""Records written as MXNet 1.9.1 writes them: the other direction of the `module` dialect.

Metrics have six decimals, speeds two and times three, as upstream's format strings say, so a value
finer than that does not survive; what was read from a log does, to the letter.
"""

from __future__ import annotations

from collections.abc import Sequence

from fitlog_parsers.records import Event, Metric, Record, Speed


def format_line(records: Sequence[Record]) -> str:
    """The line, without its end, that says `records`: a `Speed` with its metrics, or one record.

    Raises:
        ValueError: MXNet writes no one line that says these records.
    """
    match records:
        case [Speed() as speed, *rest]:
            return _format_speed(speed) + "".join(_format_field(speed, metric) for metric in rest)
        case [Metric() as metric]:
            return _format_metric(metric)
        case [Event(kind="time_cost", value=float(seconds)) as event] if event.epoch is not None:
            return f"Epoch[{event.epoch}] Time cost={seconds:.3f}"
        case [Event() as event]:
            return event.text
        case _:
            raise ValueError(f"no line of MXNet's says {list(records)!r}")


def _format_speed(speed: Speed) -> str:
    if speed.batch_end is None:
        raise ValueError(f"no line of MXNet's says {speed!r}")
    bounds = (
        speed.batch_end if speed.batch_start is None else f"{speed.batch_start}-{speed.batch_end}"
    )
    epoch = "" if speed.epoch is None else f"Epoch[{speed.epoch}] "
    return f"{epoch}Batch [{bounds}]\tSpeed: {speed.samples_per_sec:.2f} samples/sec"


def _format_field(speed: Speed, record: Record) -> str:
    if isinstance(record, Metric) and record.scope != "epoch" and speed.epoch is not None:
        place = (record.epoch, record.batch_start, record.batch_end)
        if place == (speed.epoch, speed.batch_start, speed.batch_end):
            return f"\t{record.metric}={record.value:f}"
    raise ValueError(f"{record!r} does not belong on the line of {speed!r}")


def _format_metric(metric: Metric) -> str:
    if metric.epoch is not None and metric.scope == "epoch":
        split = "Train" if metric.split == "train" else "Validation"
        return f"Epoch[{metric.epoch}] {split}-{metric.metric}={metric.value:f}"
    if metric.epoch is not None and metric.batch_end is not None and metric.split == "train":
        return (
            f"Iter[{metric.epoch}] Batch[{metric.batch_end}] Train-{metric.metric}={metric.value:f}"
        )
    raise ValueError(f"no line of MXNet's says {metric!r}")
