"""What is in a run's folder by which name, and its `run.json` as it is read.

What writes the record is `fitlog.run.record`; reading it takes none of that.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

from fitlog.errors import TrainingError

RUN_LOG: Final = "run.log"
RECORD: Final = "run.json"
PHASE_FILE: Final = "phases.jsonl"
SCHEMA: Final = 1


def read_record(folder: Path) -> dict[str, Any]:
    """The record of the run in the folder.

    Raises:
        TrainingError: there is none, or none of this schema.
    """
    path = folder / RECORD
    try:
        record = json.loads(path.read_bytes())
    except (FileNotFoundError, NotADirectoryError):
        raise TrainingError(f"{folder} is no run's folder: there is no {RECORD} in it") from None
    except OSError as error:
        raise TrainingError(f"cannot read {path}: {error.strerror}") from None
    except (ValueError, RecursionError) as error:
        raise TrainingError(f"{path} is no record of a run: {error}") from None
    schema = record.get("schema") if isinstance(record, dict) else None
    if schema != SCHEMA:
        raise TrainingError(f"{path} is no record that this fitlog reads: its schema is {schema}")
    return dict(record)
