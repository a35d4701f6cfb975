"""The folder of a run: `<stamp>-<name>`, new for each."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from fitlog.errors import TrainingError


def check_name(name: str) -> None:
    """Raise TrainingError where the name of a run does not do as that of a folder."""
    if Path(name).name != name or name in (".", "..") or not name.isprintable():
        raise TrainingError(f"--name {name!r}: must do as the name of a folder")


def new_folder(out: Path, name: str, start: datetime) -> Path:
    """A new folder in `out`; several of one second are numbered.

    Raises:
        TrainingError: it cannot be made.
    """
    stem = f"{start.astimezone():%Y%m%d-%H%M%S}-{name}"
    for number in range(1, 1000):
        folder = out / (stem if number == 1 else f"{stem}-{number}")
        try:
            folder.mkdir(parents=True)
        except FileExistsError:
            if out.is_dir():
                continue
            raise TrainingError(f"cannot write into {out}: not a folder") from None
        except OSError as error:
            raise TrainingError(f"cannot make the folder {folder}: {error.strerror}") from None
        return folder
    raise TrainingError(f"cannot make the folder {out / stem}: a thousand of that name are there")
