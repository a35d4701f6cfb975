"""Run, read, plot and judge trainings with MXNet's `Module.fit`.

Names are imported when they are first used: `import fitlog` costs next to nothing, and reading a
log never imports MXNet.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fitlog.archiving import index_logs, open_archive
    from fitlog.comparing import compare
    from fitlog.comparison import Comparison
    from fitlog.errors import (
        AmbiguousDialectError,
        ArchiveError,
        BaselineError,
        DialectFileError,
        FitlogError,
        LogError,
        MXNetUnavailableError,
        NoRecordsError,
        OutputError,
        QueryError,
        SettingError,
        TrainingError,
        UnknownDialectError,
    )
    from fitlog.follow import follow_log
    from fitlog.gate import Judgement, check
    from fitlog.phases import PhaseLog, read_phases
    from fitlog.plots.overview import plot_overview
    from fitlog.run.instrument import fit, instrument
    from fitlog.run.lines import LineWriter
    from fitlog.tables import RunLog, read_log, read_logs

__version__ = "0.1.0"

_HOMES = {
    "AmbiguousDialectError": "fitlog.errors",
    "ArchiveError": "fitlog.errors",
    "BaselineError": "fitlog.errors",
    "Comparison": "fitlog.comparison",
    "DialectFileError": "fitlog.errors",
    "FitlogError": "fitlog.errors",
    "Judgement": "fitlog.verdicts",
    "LineWriter": "fitlog.run.lines",
    "LogError": "fitlog.errors",
    "MXNetUnavailableError": "fitlog.errors",
    "NoRecordsError": "fitlog.errors",
    "OutputError": "fitlog.errors",
    "QueryError": "fitlog.errors",
    "PhaseLog": "fitlog.phases",
    "SettingError": "fitlog.errors",
    "RunLog": "fitlog.tables",
    "TrainingError": "fitlog.errors",
    "UnknownDialectError": "fitlog.errors",
    "check": "fitlog.gate",
    "compare": "fitlog.comparing",
    "fit": "fitlog.run.instrument",
    "follow_log": "fitlog.follow",
    "index_logs": "fitlog.archiving",
    "instrument": "fitlog.run.instrument",
    "open_archive": "fitlog.archiving",
    "plot_overview": "fitlog.plots.overview",
    "read_log": "fitlog.tables",
    "read_logs": "fitlog.tables",
    "read_phases": "fitlog.phases",
}

__all__ = [
    "AmbiguousDialectError",
    "ArchiveError",
    "BaselineError",
    "Comparison",
    "DialectFileError",
    "FitlogError",
    "Judgement",
    "LineWriter",
    "LogError",
    "MXNetUnavailableError",
    "NoRecordsError",
    "OutputError",
    "PhaseLog",
    "QueryError",
    "RunLog",
    "SettingError",
    "TrainingError",
    "UnknownDialectError",
    "check",
    "compare",
    "fit",
    "follow_log",
    "index_logs",
    "instrument",
    "open_archive",
    "plot_overview",
    "read_log",
    "read_logs",
    "read_phases",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'fitlog' has no attribute {name!r}")
    value = getattr(importlib.import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES})
