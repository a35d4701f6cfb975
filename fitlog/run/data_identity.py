"""What the data of a run are known by again: a run can only go on exactly with the same ones."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from fitlog.errors import TrainingError

_WHOLE_BYTES: Final = 256 << 20  # a second's reading; of what is longer, the ends and the middle
_PART_BYTES: Final = 1 << 20


def describe_data(*sources: str | None) -> dict[str, dict[str, Any]]:
    """Size and SHA-256 of each file that the sources (`csv:FILE`, `mnist:FOLDER`, ...) name.

    A file of more than 256 MiB is known by its size and three of its megabytes.

    Raises:
        TrainingError: a file cannot be read.
    """
    described = {}
    for path in (path for source in sources if source for path in _files(source)):
        try:
            described[str(path)] = _describe(path)
        except OSError as error:
            raise TrainingError(f"cannot read {path}: {error.strerror}") from None
    return described


def _files(source: str) -> list[Path]:
    _, _, name = source.partition(":")
    if not name:  # digits, or made up
        return []
    path = Path(name)
    if path.is_dir():
        return sorted(file for file in path.iterdir() if file.is_file())
    return [path]


def _describe(path: Path) -> dict[str, Any]:
    size = path.stat().st_size
    digest = hashlib.sha256()
    with path.open("rb") as file:
        if size <= _WHOLE_BYTES:
            starts: Sequence[int] = range(0, size, _PART_BYTES)
        else:
            starts = (0, size // 2, size - _PART_BYTES)
        for start in starts:
            file.seek(start)
            digest.update(file.read(_PART_BYTES))
    return {"bytes": size, "sha256": digest.hexdigest()}
