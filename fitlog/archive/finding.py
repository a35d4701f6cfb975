"""Which logs there are: below folders, by globs and URLs, each as it lies there now."""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import fsspec.utils

from fitlog.archive.rows import printed
from fitlog.archive.store import (
    address_of,
    changed_at,
    is_local,
    is_url,
    open_url,
    refusals,
    version_of,
)
from fitlog.archive.tasks import Log
from fitlog.errors import LogError
from fitlog.run_folder import RECORD, RUN_LOG
from fitlog.sources import find_logs, is_named_as_log

# Whether a log of this name is of a place.
Covers = Callable[[str], bool]


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """The logs by what the archive calls them, and the places that were looked through for them.

    `absent` are those of the sources that are not there any more.
    """

    logs: dict[str, Log]
    places: tuple[Covers, ...]
    absent: tuple[str, ...]

    def covers(self, file: str) -> bool:
        """Whether a log of this name would have been found."""
        return any(place(file) for place in self.places)

    def misses(self, file: str) -> bool:
        """Whether a log that was there is gone."""
        return file not in self.logs and self.covers(file) and not _may_be_there(file)


def find_all(sources: Sequence[str], known: Collection[str] = ()) -> Found:
    """The logs of paths, folders, globs and URLs of such, in the order of their names.

    A source need not be there any more if it is, or holds, a log that is `known`.

    Raises:
        LogError: one of them does not exist. ArchiveError: a store cannot be reached.
    """
    logs: dict[str, Log] = {}
    places, absent = [], []
    for source in sources:
        fs, path = open_url(source) if is_url(source) else (None, source)
        here = fs is None or is_local(fs)
        place, found = _local(path) if here else _remote(fs, path, source)
        if found is None:
            if not any(map(place, known)):
                raise LogError("does not exist", path=source)
            absent.append(source)
        places.append(place)
        logs.update((printed(log.file), log) for log in found or ())
    return Found(logs=dict(sorted(logs.items())), places=tuple(places), absent=tuple(absent))


def _may_be_there(file: str) -> bool:
    """Whether a disk has it, or does not say so; of a store's, the listing has told."""
    try:
        Path(file).stat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:
        pass
    return True


def _local(name: str) -> tuple[Covers, Iterable[Log] | None]:
    if not name:  # of a shell's variable that is not set
        raise LogError("the name of a log, folder or glob is empty")
    path = os.path.abspath(name)  # noqa: PTH100  # a glob, perhaps
    if Path(path).is_dir():
        return _below(path), _look_at(_in_folder(path))
    if glob.has_magic(path) and not os.path.lexists(path):
        return _like(path), _look_at(_by_glob(path))
    if not os.path.lexists(path):
        return _at(path), None
    if not Path(path).is_file():  # a pipe, which would be waited for, or a link to itself
        raise LogError("is neither a file nor a folder", path=name)
    return _at(path), _look_at([path])


def _in_folder(path: str) -> list[str]:
    try:
        return [str(log) for log in find_logs([path])]
    except LogError:
        if os.access(path, os.R_OK | os.X_OK):  # there is none, or none is left
            return []
        raise


def _by_glob(path: str) -> list[str]:
    # With hidden files, as in folders: what a glob covers and does not find would be gone.
    pieces = Path(path).parts
    if "**" not in pieces:
        places = glob.glob(path, include_hidden=True)  # noqa: PTH207  # absolute
        return sorted(place for place in places if Path(place).is_file())
    # As in a shell, and below folders, links are not followed: some lead back.
    above = str(Path(*pieces[: pieces.index("**")]))
    tops = glob.glob(above, include_hidden=True) if glob.has_magic(above) else [above]  # noqa: PTH207
    files = (
        os.path.join(place, name)  # noqa: PTH118  # many
        for top in tops
        for place, _, names in os.walk(top)
        for name in names
    )
    covers = _like(path)
    return sorted(file for file in files if covers(printed(file)) and Path(file).is_file())


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


def _remote(fs: Any, path: str, url: str) -> tuple[Covers, Iterable[Log] | None]:
    fs.invalidate_cache()
    address = address_of(fs, path)
    with refusals(url):
        told = _whole(fs, path, None)
        if told:  # whatever characters are in its name
            if fs.isdir(path):
                every = fs.find(path, detail=True)
                logs = {name: info for name, info in every.items() if is_named_as_log(name)}
                return _below(address), list(_remote_logs(fs, logs, every))
            return _at(address), list(_remote_logs(fs, {path: told}, None))
        if glob.has_magic(path):
            logs = fs.glob(path, detail=True)
            return _like(address), list(_remote_logs(fs, logs, None))
        if address.startswith("http"):  # one that is away is no other to fsspec
            raise LogError("does not exist, or its server does not answer", path=url)
        return _at(address), None


def _remote_logs(fs: Any, logs: dict[str, Any], every: dict[str, Any] | None) -> Iterator[Log]:
    """The logs; what lies beside them is among `every`, or is looked for."""
    for path, told in sorted(logs.items()):
        if told["type"] != "file":
            continue
        info = _whole(fs, path, told)
        folder, _, name = path.rpartition("/")
        beside = f"{folder}/{RECORD}"
        record = None
        if name == RUN_LOG and (every is None or beside in every):
            record = _whole(fs, beside, every[beside] if every else None)
        yield Log(
            file=address_of(fs, path),
            size=int(info.get("size") or 0),
            version=version_of(info),
            modified=changed_at(info) or 0.0,
            record=address_of(fs, beside) if record else "",
            record_version=f"{record.get('size')} {version_of(record)}" if record else "",
        )


def _whole(fs: Any, path: str, told: dict[str, Any] | None) -> dict[str, Any]:
    """What is known of a file; nothing of one that is not there. A list of links tells no size."""
    if told is not None and told.get("size") is not None:
        return told
    try:
        info: dict[str, Any] = fs.info(path)
    except FileNotFoundError:
        return {}
    return info


def _at(name: str) -> Covers:
    """A log of this name, and what is below it, where it was a folder."""
    file, folder = printed(name), printed(name).rstrip("/") + "/"
    return lambda known: known == file or known.startswith(folder)


def _below(folder: str) -> Covers:
    first = printed(folder).rstrip("/") + "/"
    return lambda known: known.startswith(first) and is_named_as_log(known)


def _like(pattern: str) -> Covers:
    try:
        like = re.compile(fsspec.utils.glob_translate(printed(pattern)))
    except ValueError as error:
        raise LogError(f"is no glob: {error}", path=pattern) from None
    return lambda known: like.fullmatch(known) is not None
