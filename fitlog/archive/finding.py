"""Which logs there are: below folders, by globs and URLs, each as it lies there now."""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import fsspec.utils

from fitlog.archive.rows import printed
from fitlog.archive.store import address_of, changed_at, is_url, open_url, refusals, version_of
from fitlog.archive.tasks import Log
from fitlog.errors import LogError
from fitlog.run_folder import RECORD, RUN_LOG
from fitlog.sources import find_logs, is_named_as_log


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """The logs by what the archive calls them, and what was looked through for them.

    A log that `covers` is true for, and that is not among `logs`, is gone.
    """

    logs: dict[str, Log]
    places: tuple[re.Pattern[str], ...]

    def covers(self, file: str) -> bool:
        """Whether a log of this name would have been found."""
        return any(place.fullmatch(file) for place in self.places)


def find_all(sources: Sequence[str]) -> Found:
    """The logs of paths, folders, globs and URLs of such, in the order of their names.

    Raises:
        LogError: one of them does not exist. ArchiveError: a store cannot be reached.
    """
    logs: dict[str, Log] = {}
    places = []
    for source in sources:
        fs, path = open_url(source) if is_url(source) else (None, source)
        if fs is None or address_of(fs, path) == path:
            place, found = _local(path)
        else:
            place, found = _remote(fs, path, source)
        places.append(place)
        logs.update((printed(log.file), log) for log in found)
    return Found(logs=dict(sorted(logs.items())), places=tuple(places))


def _local(name: str) -> tuple[re.Pattern[str], Iterator[Log]]:
    if not name:  # of a shell's variable that is not set
        raise LogError("the name of a log, folder or glob is empty")
    path = os.path.abspath(name)  # noqa: PTH100  # a glob, perhaps
    if Path(path).is_dir():
        return _below(path + os.sep), _look_at(_in_folder(path))
    if glob.has_magic(path) and not os.path.lexists(path):
        return _like(path), _look_at(_by_glob(path))
    if not os.path.lexists(path):
        raise LogError("does not exist", path=name)
    if not Path(path).is_file():  # a pipe, which would be waited for, or a link to itself
        raise LogError("is neither a file nor a folder", path=name)
    return re.compile(re.escape(printed(path))), _look_at([path])


def _in_folder(path: str) -> list[str]:
    try:
        return [str(log) for log in find_logs([path])]
    except LogError:
        if os.access(path, os.R_OK | os.X_OK):  # there is none, or none is left
            return []
        raise


def _by_glob(path: str) -> list[str]:
    # With hidden files, as in folders: what a glob covers and does not find would be gone.
    places = glob.iglob(path, recursive=True, include_hidden=True)  # noqa: PTH207  # absolute
    return sorted(place for place in places if Path(place).is_file())


def _look_at(paths: Sequence[str]) -> Iterator[Log]:
    for path in paths:
        folder, name = os.path.split(path)
        try:
            told = Path(path).stat()
        except FileNotFoundError:  # it was there a moment ago
            continue
        record = f"{folder}/{RECORD}" if name == RUN_LOG else ""
        version = _version_of(record) if record else ""
        yield Log(
            file=path,
            size=told.st_size,
            version=str(told.st_mtime_ns),
            modified=told.st_mtime,
            record=record if version else "",
            record_version=version,
        )


def _version_of(record: str) -> str:
    try:
        told = Path(record).stat()
    except OSError:
        return ""
    return f"{told.st_size} {told.st_mtime_ns}"


def _remote(fs: Any, path: str, url: str) -> tuple[re.Pattern[str], Iterator[Log]]:
    fs.invalidate_cache()
    with refusals(url):
        if glob.has_magic(path):
            found = fs.glob(path, detail=True)
            # The records beside what was found.
            beside = {f"{name.rpartition('/')[0]}/{RECORD}" for name in found}
            records = dict(_infos(fs, beside))
            return _like(address_of(fs, path)), _remote_logs(fs, found, records)
        if fs.isdir(path):
            every = fs.find(path, detail=True)
            logs = {name: info for name, info in every.items() if is_named_as_log(name)}
            return _below(address_of(fs, path).rstrip("/") + "/"), _remote_logs(fs, logs, every)
        if not fs.exists(path):
            raise LogError("does not exist", path=url)
        found = {path: fs.info(path)}
        every = dict(_infos(fs, {f"{path.rpartition('/')[0]}/{RECORD}"}))
        return re.compile(re.escape(address_of(fs, path))), _remote_logs(fs, found, every)


def _infos(fs: Any, paths: set[str]) -> Iterator[tuple[str, Any]]:
    for path in sorted(paths):
        if fs.exists(path):
            yield path, fs.info(path)


def _remote_logs(fs: Any, logs: dict[str, Any], every: dict[str, Any]) -> Iterator[Log]:
    for path, info in sorted(logs.items()):
        if info["type"] != "file":
            continue
        folder, _, name = path.rpartition("/")
        record = every.get(f"{folder}/{RECORD}") if name == RUN_LOG else None
        yield Log(
            file=address_of(fs, path),
            size=int(info["size"]),
            version=version_of(info),
            modified=changed_at(info) or 0.0,
            record=address_of(fs, f"{folder}/{RECORD}") if record else "",
            record_version=f"{record['size']} {version_of(record)}" if record else "",
        )


def _below(folder: str) -> re.Pattern[str]:
    return re.compile(re.escape(printed(folder)) + ".*", re.DOTALL)


def _like(pattern: str) -> re.Pattern[str]:
    return re.compile(fsspec.utils.glob_translate(printed(pattern)))
