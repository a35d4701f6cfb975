"""The ledger: what past runs measured, a line of JSON each, in a file that is only added to.

Lines are appended whole, under a lock, so that several CI jobs can share one file; a line that a
crash cut short is skipped, and that is said. `docs/history.md` describes the format.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import sys
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Final

from fitlog.chosen import is_archive
from fitlog.errors import BaselineError
from fitlog.run.durable import sync_folder, write_whole
from fitlog.stats import Pace
from fitlog.usage import Usage

SCHEMA: Final = 1
# Of what is larger no number is the exponential.
_LARGEST_LOG: Final = math.log(sys.float_info.max)
Document = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A run in the ledger.

    `id` is told from what was measured: the same log has the same one. `like` is the fingerprint,
    `like_source` where it comes from. `measures` has a `Pace` for each name, on the scale of
    logarithms, of metrics the value itself and the epoch.
    """

    id: str
    added: str
    by: str
    log: str
    like: dict[str, str]
    like_source: str
    commit: str
    start: str
    measures: dict[str, Document]
    usage: Usage | None
    doubts: tuple[str, ...]
    note: str

    @property
    def date(self) -> str:
        """When it was run, or else added: to the minute; empty where neither is known."""
        return (self.start or self.added)[:16].replace("T", " ")


_TEXTS: Final = tuple(field.name for field in fields(Entry) if field.type == "str")


@dataclass(frozen=True, slots=True, kw_only=True)
class Acceptance:
    """That from the run `run` on a new level holds, and why."""

    run: str
    reason: str
    added: str
    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Ledger:
    """What a ledger's file holds; `doubts` name the lines that could not be read.

    Runs of an archive stand here as one, too, where `is_archive`: oldest first as far as that is
    known, never added to anything, and known by their logs.
    """

    name: str
    entries: tuple[Entry, ...]
    acceptances: tuple[Acceptance, ...]
    doubts: tuple[str, ...]
    is_archive: bool = False

    @property
    def unread(self) -> str:
        """The first of the doubts, for the end of a message; empty where there is none."""
        return f" ({self.doubts[0]})" if self.doubts else ""

    def name_of(self, entry: Entry) -> str:
        """What a run of it is called in messages."""
        return entry.log if self.is_archive else f"run {entry.id}"

    def find(self, run: str) -> Entry:
        """The run whose id begins so.

        Raises:
            BaselineError: there is none, or several.
        """
        found = [entry for entry in self.entries if run and entry.id.startswith(run)]
        if len(found) != 1:
            known = ", ".join(entry.id for entry in self.entries[-5:])
            some = f"{len(found)} runs have" if found else "no run has"
            raise BaselineError(
                f"{self.name}: {some} an id that begins with {run!r}; known: {known}"
            )
        return found[0]


def read_ledger(path: str | os.PathLike[str]) -> Ledger:
    """The whole ledger.

    Raises:
        BaselineError: it is missing, cannot be read, or is written by a newer fitlog.
    """
    name = os.fspath(path)
    try:
        with _locked(Path(path), os.O_RDONLY) as file:
            text = _read_all(file)
    except FileNotFoundError:
        raise BaselineError(
            f"there is no ledger {name}: make one with fitlog history add {name} LOG..."
        ) from None
    except OSError as error:
        raise BaselineError(f"cannot read the ledger {name}: {error.strerror}") from None
    return _parse(name, text)


def add_entries(
    path: str | os.PathLike[str], entries: Sequence[Entry], *, skip: Collection[str] = ()
) -> list[Entry]:
    """Append runs, and give those that were; a ledger that is missing is made.

    Those whose id is in `skip` are passed over where they are there already.

    Raises:
        BaselineError: another is there already. OSError: the file cannot be written.
    """
    added: list[Entry] = []

    def choose_new(ledger: Ledger) -> list[Document]:
        known = {entry.id: entry for entry in ledger.entries}
        for entry in entries:
            if entry.id not in known:
                added.append(entry)
                known[entry.id] = entry
            elif entry.id not in skip:
                there = known[entry.id]
                raise BaselineError(
                    f"{entry.log} is in {ledger.name} already: run {entry.id}, added {there.added}"
                )
        return [{"schema": SCHEMA, "kind": "run", **asdict(entry)} for entry in added]

    _append(Path(path), choose_new)
    return added


def accept(path: str | os.PathLike[str], acceptance: Acceptance) -> None:
    """Write down that a new level holds.

    Raises:
        BaselineError: there is no such run. OSError: the file cannot be written.
    """
    document = {"schema": SCHEMA, "kind": "accept", **asdict(acceptance)}

    def of_known(ledger: Ledger) -> list[Document]:
        ledger.find(acceptance.run)
        return [document]

    _append(Path(path), of_known)


def prune(path: str | os.PathLike[str], choose: Callable[[Ledger], Sequence[Entry]]) -> list[Entry]:
    """Remove the runs that `choose` names, and give them; the others are written to a new file.

    Raises:
        BaselineError: a newer fitlog has written it. OSError: it cannot be read or written.
    """
    target = Path(path)
    with _locked(target, os.O_RDWR) as file:
        text = _read_all(file)
        removed = list(choose(_parse(os.fspath(path), text)))
        gone = {entry.id for entry in removed}
        lines = [line for line in text.split(b"\n") if line and not _is_of(line, gone)]
        mode = os.fstat(file).st_mode & 0o777

        def write(draft: Path) -> None:
            draft.write_bytes(b"".join(line + b"\n" for line in lines))
            draft.chmod(mode)

        write_whole(target, write)
        sync_folder(target.parent)
    return removed


def pace_document(pace: Pace) -> Document:
    """A pace as the ledger keeps it."""
    return asdict(pace)


def pace_of(document: Document) -> Pace:
    """A pace as it was kept."""
    return Pace(**document)


def _append(path: Path, choose: Callable[[Ledger], Sequence[Document]]) -> None:
    """Append the lines that `choose` gives, seeing what is there: all of them, or none."""
    with _locked(path, os.O_RDWR | os.O_CREAT | os.O_APPEND) as file:
        text = _read_all(file)
        documents = choose(_parse(str(path), text))
        lines = [json.dumps(document, ensure_ascii=False) for document in documents]
        data = "".join(f"{line}\n" for line in lines).encode("utf-8", "backslashreplace")
        if (
            data and text and not text.endswith(b"\n")
        ):  # a line that was cut short stays a line of its own
            data = b"\n" + data
        try:
            while data:
                data = data[os.write(file, data) :]
            os.fsync(file)
        except OSError:
            os.ftruncate(file, len(text))
            raise


@contextlib.contextmanager
def _locked(path: Path, flags: int) -> Iterator[int]:
    """The file, open, and nobody else's until the end; readers share it among each other.

    Raises:
        BaselineError: it is an archive. OSError: it cannot be opened.
    """
    import fcntl

    if is_archive(path):
        raise BaselineError(
            f"{path} is an archive, not a ledger: check and report take it as --history, and"
            " history add takes its runs into a ledger; in Python, fitlog.chosen.choose_history"
            " makes one of it"
        )
    kind = fcntl.LOCK_SH if flags == os.O_RDONLY else fcntl.LOCK_EX
    while True:
        file = os.open(path, flags, 0o666)
        try:
            fcntl.flock(file, kind)
            # While this waited, the file may have been pruned, that is replaced.
            if _is_still(path, file):
                yield file
                return
        finally:
            os.close(file)


def _is_still(path: Path, file: int) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(file))
    except FileNotFoundError:
        return False


def _read_all(file: int) -> bytes:
    pieces = []
    while piece := os.read(file, 1 << 20):
        pieces.append(piece)
    return b"".join(pieces)


def _parse(name: str, text: bytes) -> Ledger:
    entries: dict[str, Entry] = {}
    acceptances: list[Acceptance] = []
    doubts: list[str] = []
    for number, line in enumerate(text.split(b"\n"), start=1):
        if not line.strip():
            continue
        try:
            document = json.loads(line)
            schema = document["schema"]
            if isinstance(schema, int) and schema > SCHEMA:
                raise BaselineError(
                    f"{name}, line {number}: is of schema {schema}, and this fitlog knows {SCHEMA}:"
                    " upgrade it"
                )
            if document["kind"] == "run":
                entry = _entry(document)
                if entry.id in entries:  # two branches added it, and were merged
                    doubts.append(f"line {number} of {name} is run {entry.id} again: skipped")
                else:
                    entries[entry.id] = entry
            elif document["kind"] == "accept":
                acceptances.append(
                    Acceptance(**{key: str(document[key]) for key in Acceptance.__slots__})
                )
        except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError):
            doubts.append(f"line {number} of {name} cannot be read, and was skipped")
    return Ledger(
        name=name,
        entries=tuple(entries.values()),
        acceptances=tuple(acceptances),
        doubts=tuple(doubts),
    )


def _entry(document: Document) -> Entry:
    values = {key: document[key] for key in Entry.__slots__}
    for measured in values["measures"].values():
        if "pace" in measured:
            _require_possible(pace_of(measured))
        elif not math.isfinite(measured["value"]):
            raise ValueError(measured)
        else:
            measured["value"], measured["epoch"] = float(measured["value"]), int(measured["epoch"])
    texts = [values[key] for key in _TEXTS]
    if not all(isinstance(value, str) for value in (*texts, *values["like"].values())):
        raise TypeError(document)
    values["usage"] = None if values["usage"] is None else _usage(values["usage"])
    values["doubts"] = tuple(values["doubts"])
    return Entry(**values)


def _require_possible(pace: Pace) -> None:
    numbers = asdict(pace).values()
    if (
        not all(type(number) in (int, float) and math.isfinite(number) for number in numbers)
        or max(abs(pace.pace), abs(pace.drift)) > _LARGEST_LOG
        or min(pace.spread, pace.variance, pace.warm_up, pace.windows - 1) < 0
        or pace.throughput <= 0
    ):
        raise ValueError(pace)


def _usage(document: Document) -> Usage:
    usage = Usage(**document)
    told = (usage.switches, usage.load)
    numbers = (usage.cpu_share, usage.data_share, *usage.pauses.values())
    if not all(map(math.isfinite, (*numbers, *(number for number in told if number is not None)))):
        raise ValueError(document)
    return usage


def _is_of(line: bytes, gone: set[str]) -> bool:
    """Whether a line is of one of these runs, or tells of it."""
    try:
        document = json.loads(line)
        return document.get("id", document.get("run")) in gone
    except (ValueError, TypeError, AttributeError, RecursionError):
        return False
