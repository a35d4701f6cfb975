"""Where an archive, or a log, lies: a folder or an object store, by its URL, through fsspec.

Files appear whole or not at all. A local one is written aside, brought to the disk and renamed; an
object store shows nothing before a put is done. `create` never writes over anything: a link that
must be new on a disk, a conditional put in an object store.
"""

from __future__ import annotations

import contextlib
import os
import re
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import fsspec

from fitlog.errors import ArchiveError
from fitlog.extras import install
from fitlog.run.durable import DRAFT, sync_file, sync_folder

# What a draft has behind the name that it will have.
_DRAFT_ENDING: Final = re.compile(rf"\.[0-9a-f]{{12}}{re.escape(DRAFT)}\Z")
# What file systems call the time of the last change.
_CHANGED: Final = ("mtime", "LastModified", "last_modified", "modified", "updated", "created")


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """A file: its path below the root, its bytes, and when it was changed (seconds since 1970).

    `modified` is None where the store does not tell it.
    """

    path: str
    size: int
    modified: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Store:
    """Files below a root, by paths with `/`."""

    url: str
    root: str
    fs: Any

    @property
    def is_local(self) -> bool:
        """Whether it is a folder of this machine."""
        return is_local(self.fs)

    def read(self, path: str) -> bytes:
        """The content of a file.

        Raises:
            FileNotFoundError: there is none. ArchiveError: it cannot be read.
        """
        with refusals(self.url):
            content: bytes = self.fs.cat_file(self._full(path))
            return content

    def write(self, path: str, content: bytes) -> None:
        """Make a file, or the same once more.

        Raises:
            ArchiveError: it cannot be written; nothing is left of it then.
        """
        with self._writing():
            if not self.is_local:
                self.fs.pipe_file(self._full(path), content)
                return
            with self._draft(path, content) as (draft, target):
                draft.replace(target)
                sync_folder(target.parent)

    def create(self, path: str, content: bytes) -> bool:
        """Make a file that is not there yet: False where it is.

        Raises:
            ArchiveError: it cannot be written.
        """
        with self._writing():
            try:
                if not self.is_local:
                    self.fs.pipe_file(self._full(path), content, mode="create")
                    return True
                with self._draft(path, content) as (draft, target):
                    os.link(draft, target)
                    sync_folder(target.parent)
            except FileExistsError:
                return False
            return True

    def files(self, folder: str) -> list[Stored]:
        """The files in a folder and those below it; none where there is no folder.

        Raises:
            ArchiveError: it cannot be looked through.
        """
        # fsspec takes a folder of this machine that cannot be listed for an empty one, unless told.
        strictly = {"on_error": "raise"} if self.is_local else {}
        with refusals(self.url):
            self.fs.invalidate_cache()
            try:
                found = self.fs.find(self._full(folder), detail=True, **strictly)
            except FileNotFoundError:
                return []
            first = len(self.root.rstrip("/")) + 1
            return sorted(
                (
                    Stored(path=path[first:], size=int(info["size"]), modified=changed_at(info))
                    for path, info in found.items()
                    if info["type"] == "file"
                ),
                key=lambda stored: stored.path,
            )

    def remove(self, path: str) -> None:
        """Remove a file; nothing happens where there is none."""
        with refusals(self.url), contextlib.suppress(FileNotFoundError):
            self.fs.rm_file(self._full(path))

    def arrow(self) -> Any:
        """The same for Arrow, rooted at the same place."""
        from pyarrow import fs as arrow_fs

        base = (
            arrow_fs.LocalFileSystem()
            if self.is_local
            else arrow_fs.PyFileSystem(arrow_fs.FSSpecHandler(self.fs))
        )
        return arrow_fs.SubTreeFileSystem(self.root, base)

    @contextlib.contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            with refusals(self.url):
                yield
        except FileNotFoundError as error:  # there is no such bucket
            raise ArchiveError(f"{self.url} cannot be used: {error}") from None

    def _full(self, path: str) -> str:
        return f"{self.root.rstrip('/')}/{path}"

    @contextlib.contextmanager
    def _draft(self, path: str, content: bytes) -> Iterator[tuple[Path, Path]]:
        target = Path(self._full(path))
        _make_folder(target.parent)
        # Two processes may write the same part at once, each its own draft.
        draft = target.with_name(f"{target.name}.{uuid.uuid4().hex[:12]}{DRAFT}")
        try:
            draft.write_bytes(content)
            sync_file(draft)
            yield draft, target
        finally:
            draft.unlink(missing_ok=True)


def open_store(url: str) -> Store:
    """The place that a path or a URL names, whether anything is there or not.

    Raises:
        ArchiveError: no package that is installed knows such URLs.
    """
    fs, root = open_url(url)
    return Store(url=address_of(fs, root), root=root, fs=fs)


def open_url(url: str) -> tuple[Any, str]:
    """The file system of a path or a URL, and the path in it.

    Raises:
        ArchiveError: no package that is installed knows such URLs.
    """
    if not url:  # of a shell's variable that is not set
        raise ArchiveError("the name of the archive is empty")
    if not is_url(url):
        return fsspec.filesystem("file"), os.path.abspath(url)  # noqa: PTH100  # not resolved
    try:
        # Not by `url_to_fs`, to which a name with `::` is a chain of file systems.
        kind = fsspec.get_filesystem_class(url.partition("://")[0])
        fs, path = kind(**kind._get_kwargs_from_urls(url)), kind._strip_protocol(url)
    except (ImportError, ValueError) as error:
        remedy = f": {install('s3')}" if url.startswith("s3:") else ""
        raise ArchiveError(f"{url} cannot be opened: {error}{remedy}") from None
    return fs, str(path)


def address_of(fs: Any, path: str) -> str:
    """How a file of a file system is called: a path where it is local, else a URL."""
    if is_local(fs):
        return path
    address: str = fs.unstrip_protocol(path)
    return address


def is_local(fs: Any) -> bool:
    """Whether a file system is that of this machine."""
    return "file" in _protocols(fs)


def is_url(text: str) -> bool:
    """Whether a text is a URL, not a path."""
    return "://" in text


def finished(path: str) -> str:
    """The path that a draft is to have; that of any other file as it is."""
    return _DRAFT_ENDING.sub("", path)


def changed_at(info: Mapping[str, Any]) -> float | None:
    """When a file was changed that a file system tells of, in seconds since 1970.

    None where it does not say so, or not in a form that is known.
    """
    told: Any = next((info[name] for name in _CHANGED if info.get(name)), None)
    try:
        if isinstance(told, str):
            told = datetime.fromisoformat(told)
        return told.timestamp() if isinstance(told, datetime) else float(told)
    except (TypeError, ValueError):
        return None


def version_of(info: Mapping[str, Any]) -> str:
    """What a file system calls the state of a file's content, else when it was changed."""
    names = ("ETag", "etag", "generation", "Last-Modified")
    told = next((info[name] for name in names if info.get(name)), None)
    return str(told or changed_at(info) or "")


@contextlib.contextmanager
def refusals(url: str) -> Iterator[None]:
    """What a store refuses becomes an error that names it; a missing file stays what it is.

    Raises:
        ArchiveError: the store has refused something.
    """
    try:
        yield
    except (FileNotFoundError, FileExistsError, ArchiveError):
        raise
    except OSError as error:
        reason = error.strerror or str(error) or type(error).__name__
        raise ArchiveError(f"{url} cannot be used: {reason}") from None
    except Exception as error:  # each store's package has errors of its own
        if type(error).__module__.split(".")[0] in _STORES:
            raise ArchiveError(f"{url} cannot be used: {error}") from None
        raise


_STORES: Final = frozenset(
    {"adlfs", "aiobotocore", "aiohttp", "azure", "botocore", "gcsfs", "google", "s3fs"}
)


def _make_folder(folder: Path) -> None:
    """Make the folder, and those above it, and bring their names to the disk.

    Raises:
        ArchiveError: something else has the name.
    """
    if folder.is_dir():
        return
    _make_folder(folder.parent)
    try:
        folder.mkdir(exist_ok=True)
    except FileExistsError:
        raise ArchiveError(f"{folder} is no folder") from None
    sync_folder(folder.parent)


def _protocols(fs: Any) -> tuple[str, ...]:
    protocol = fs.protocol
    return (protocol,) if isinstance(protocol, str) else tuple(protocol)
