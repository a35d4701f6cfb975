"""Archives from Python: `index_logs` makes one, `open_archive` opens it.

What archives need is imported when they are called, and is named where it is missing.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fitlog.archive.indexing import Indexed
    from fitlog.archive.reading import Archive


def open_archive(archive: str | os.PathLike[str]) -> Archive:
    """The archive at a path or URL, as it is now: one state of it, whatever is indexed meanwhile.

    Raises:
        ArchiveError: there is none, it cannot be read, or a package that it needs is missing.
    """
    from fitlog.archive import require_packages

    require_packages()
    from fitlog.archive import reading

    return reading.open_archive(os.fspath(archive))


def index_logs(
    sources: str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
    archive: str | os.PathLike[str],
    *,
    workers: int = 1,
    progress: Callable[[int, int], None] | None = None,
) -> Indexed:
    """Bring an archive up to date with logs, as `fitlog index` does; it is made if there is none.

    `sources` are folders, globs, files and URLs. With several `workers`, which are processes, the
    script that calls this needs its `if __name__ == "__main__":`. `progress` is told the bytes read
    so far and those to read. A log that cannot be read is in `refused`, and stops nothing.

    Raises:
        LogError: a source does not exist, or there is no log at all.
        SettingError: there are no workers.
        ArchiveError: the archive, or a store, cannot be used, or a package is missing.
    """
    from fitlog.archive import require_packages
    from fitlog.errors import SettingError

    if workers < 1:
        raise SettingError(f"workers {workers}: must be more than 0")
    require_packages()
    from fitlog.archive.engines import open_engine
    from fitlog.archive.indexing import index

    several = [sources] if isinstance(sources, (str, os.PathLike)) else sources
    return index(
        [os.fspath(source) for source in several],
        os.fspath(archive),
        engine=open_engine("local", workers=workers),
        progress=progress,
    )
