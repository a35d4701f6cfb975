"""What options of the command can be set to."""

from __future__ import annotations

import enum
from typing import Final

# What a query may take of time and memory, where nothing is said.
QUERY_SECONDS: Final = 60.0
QUERY_BYTES: Final = 1 << 30


class Table(enum.StrEnum):
    """What `fitlog parse` can print."""

    SPEED = "speed"
    METRICS = "metrics"
    EPOCHS = "epochs"
    EVENTS = "events"
    RUNS = "runs"
    UNPARSED = "unparsed"
    WARNINGS = "warnings"


class TableFormat(enum.StrEnum):
    """How `fitlog parse` writes a table."""

    TABLE = "table"
    CSV = "csv"
    JSON = "json"
    PARQUET = "parquet"


class ExportTarget(enum.StrEnum):
    """Whom `fitlog export` writes for."""

    TENSORBOARD = "tensorboard"
    MLFLOW = "mlflow"
    WANDB = "wandb"
    PROMETHEUS = "prometheus"
    OTAVA = "otava"
    CSV = "csv"
    JSONL = "jsonl"
    PARQUET = "parquet"


class ReportFormat(enum.StrEnum):
    """How `fitlog doctor` writes its findings."""

    TEXT = "text"
    JSON = "json"


class VerdictFormat(enum.StrEnum):
    """How `fitlog check` and `fitlog bench` write their verdict."""

    TEXT = "text"
    JSON = "json"
    MARKDOWN = "markdown"
    JUNIT = "junit"
    GITHUB = "github"


class Network(enum.StrEnum):
    """What `fitlog run` can train."""

    LENET = "lenet"
    MLP = "mlp"
    RESNET20 = "resnet20"
    RESNET50 = "resnet50"


class Dtype(enum.StrEnum):
    """What a network calculates in."""

    FLOAT32 = "float32"
    FLOAT16 = "float16"


class OnNan(enum.StrEnum):
    """What becomes of a training whose loss is not a number."""

    WARN = "warn"
    STOP = "stop"


class Undecided(enum.StrEnum):
    """What becomes of an inconclusive verdict."""

    FAIL = "fail"
    PASS = "pass"  # noqa: S105  # no password


class ComparisonFormat(enum.StrEnum):
    """How `fitlog compare` writes its tables."""

    TEXT = "text"
    MARKDOWN = "markdown"
    JSON = "json"
    CSV = "csv"
    HTML = "html"


class PlotKind(enum.StrEnum):
    """What `fitlog plot` draws."""

    OVERVIEW = "overview"
    SPEED = "speed"
    METRICS = "metrics"
    EPOCHS = "epochs"
    PHASES = "phases"
    COMPARE = "compare"
    HISTORY = "history"


class PlotX(enum.StrEnum):
    """What runs along in the pictures of `fitlog plot`."""

    BATCH = "batch"
    SAMPLE = "sample"
    EPOCH = "epoch"
    TIME = "time"
    RELATIVE = "relative"


class PlotStyle(enum.StrEnum):
    """The ground that pictures are drawn on."""

    LIGHT = "light"
    DARK = "dark"


class ArchiveEngine(enum.StrEnum):
    """Who reads the logs of an archive."""

    LOCAL = "local"
    DASK = "dask"
