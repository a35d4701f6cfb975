"""Kills indexers at random, and looks after each kill at what is left of the archive.

    python tests/kill_index.py --times 300 --seed 1

Each round makes an archive of some logs, kills its indexer up to three times, changes logs (they
grow, are written anew, removed), kills again, and lets the last one finish. An indexer is killed by
SIGKILL at a call that writing safely hangs on, before it, after it or in the midst of a file, or
after some time. After each kill the archive must be readable, and hold of each log all rows of one
of its states or none (of a large one, which is read in pieces, no row twice); in the end, the same
rows as an archive that was never stopped. Prints what is not so; exits with 1 then.

Indexers are forks of this process, which itself never starts a thread: so a kill takes little time.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from archives import log_lines, rows_of, write_log
from fitlog.archive import growing, indexing, tasks
from fitlog.archive.manifest import read_manifest
from fitlog.archive.store import open_store

MOST_KILLS = 3
LOGS = 12
LARGE = "large.log"
OF_ROWS = ("speed", "metrics", "epochs", "events", "runs")
# What each log once held: the rows of each of its states by table.
States = dict[str, list[dict[str, list[str]]]]


@dataclass(kw_only=True)
class Round:
    """One archive and its logs; `problems` says what was wrong with it."""

    folder: Path
    generator: random.Random
    counts: Counter[str]
    states: States = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    changes: int = 0

    @property
    def logs(self) -> Path:
        return self.folder / "logs"

    @property
    def archive(self) -> Path:
        return self.folder / "archive"

    def play(self) -> list[str]:
        for i in range(LOGS):
            write_log(self.logs / f"{i:02d}.log", seed=i, epochs=1 + i % 3)
        write_log(self.logs / LARGE, seed=LOGS, epochs=20)
        self._remember()
        for change in (None, self._change, self._change):
            if change is not None:
                change()
                self._remember()
            for _ in range(self.generator.randint(1, MOST_KILLS)):
                self._kill()
                self._check()
        self._finish()
        return self.problems

    def _kill(self) -> None:
        how = self.generator.choice(("before", "after", "amid a part", "amid a manifest", "time"))
        most = {"amid a part": 80, "amid a manifest": 8}
        calls = self.generator.randint(1, most.get(how, 300))
        if how == "time":
            pid = fork(self._index)
            time.sleep(self.generator.uniform(0, 0.25))
            os.kill(pid, signal.SIGKILL)
            status = os.waitpid(pid, 0)[1]
        else:
            status = os.waitpid(fork(lambda: self._index(stop=(calls, how))), 0)[1]
        if os.WIFSIGNALED(status):
            self.counts[f"killed, {how}"] += 1
        elif status:
            self.problems.append(f"an indexer failed with {status}")

    def _index(self, *, stop: tuple[int, str] | None = None) -> None:
        # Many tasks, and a commit after each; the large log in many pieces.
        setattr(tasks, "LARGE_BYTES", 5000)  # noqa: B010
        setattr(growing, "CHUNK_BYTES", 700)  # noqa: B010
        setattr(indexing, "SPLIT_BYTES", 6000)  # noqa: B010
        setattr(indexing, "TASK_LOGS", 3)  # noqa: B010
        setattr(indexing, "TASK_BYTES", 1)  # noqa: B010
        setattr(indexing, "_COMMIT_SECONDS", -1.0)  # noqa: B010
        if stop is not None:
            stop_at(*stop)
        indexing.index([str(self.logs)], str(self.archive))

    def _check(self) -> None:
        """Of each log there must be all rows of one state, or none."""
        self.counts["archives looked at"] += 1
        for file, found in self._told(self.archive).items():
            states = self.states.get(file, [])
            if file.endswith(LARGE):  # some pieces of it may be there
                if any(len(rows) != len(set(rows)) for rows in found.values()):
                    self.problems.append(f"{file} has rows twice")
            elif found not in states:
                self.problems.append(f"{file} has rows that are of none of its states")

    def _finish(self) -> None:
        if os.waitpid(fork(self._index), 0)[1]:
            self.problems.append("the last indexer failed")
        else:
            told = self._told(self.archive)
            self.problems += [
                f"{file} came out otherwise"
                for file, states in self.states.items()
                # A log that is gone may have been so before it was read.
                if (
                    told.get(file) != states[-1]
                    if Path(file).exists()
                    else file in told and told[file] not in states
                )
            ]
            self.counts["rows in the end"] += sum(
                len(rows) for tables in told.values() for rows in tables.values()
            )

    def _remember(self) -> None:
        """What an indexer that is never stopped makes of the logs as they are now."""
        whole = self.folder / "whole"
        shutil.rmtree(whole, ignore_errors=True)
        if os.waitpid(fork(lambda: indexing.index([str(self.logs)], str(whole))), 0)[1]:
            self.problems.append("an indexer that was left alone failed")
        for file, rows in self._told(whole).items():
            states = self.states.setdefault(file, [])
            if rows not in states:
                states.append(rows)
            else:
                states.append(states.pop(states.index(rows)))

    def _told(self, archive: Path) -> dict[str, dict[str, list[str]]]:
        """The rows of each log by table, told by a process of its own."""
        out = self.folder / "told.json"
        out.unlink(missing_ok=True)
        status = os.waitpid(fork(lambda: tell(archive, out)), 0)[1]
        if status:
            self.problems.append(f"the archive cannot be read ({status})")
            return {}
        told: dict[str, dict[str, list[str]]] = json.loads(out.read_text())
        return told

    def _change(self) -> None:
        with (self.logs / LARGE).open("a") as file:
            file.writelines(log_lines(epochs=60, reports=4, seed=LOGS, first=20 + self.changes))
        self.changes += 1
        logs = sorted(self.logs.glob("??.log"))
        for log in self.generator.sample(logs, 3):
            kind = self.generator.choice(("grows", "anew", "gone"))
            if kind == "grows":
                with log.open("a") as file:
                    file.writelines(log_lines(epochs=5, reports=4, seed=int(log.stem), first=3))
            elif kind == "anew":
                write_log(log, seed=self.generator.randint(30, 60), epochs=2)
            else:
                log.unlink()


def tell(archive: Path, out: Path) -> None:
    """Write the rows of each log by table as JSON; nothing for an archive not yet begun."""
    told: dict[str, dict[str, list[str]]] = {}
    if read_manifest(open_store(str(archive))).number:
        from fitlog.archive.reading import open_archive

        opened = open_archive(str(archive))
        for table in OF_ROWS:
            found = opened.dataset(table).to_table()
            for row in found.to_pylist():
                own = told.setdefault(row["file"], {name: [] for name in OF_ROWS})
                own[table].append(repr(row))
        for own in told.values():
            for rows in own.values():
                rows.sort()
        listed = rows_of(opened)["sources"]
        if len(listed) != len(set(listed)):
            raise AssertionError("a log is there twice")
    out.write_text(json.dumps(told))


def fork(do: Callable[[], object]) -> int:
    """A process that does it; its exit code is 1 if that fails."""
    pid = os.fork()
    if pid:
        return pid
    code = 1
    try:
        do()
        code = 0
    except BaseException as error:  # it must not get back into the parent's work
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
    finally:
        os._exit(code)


def stop_at(number: int, how: str) -> None:
    """End this process by SIGKILL at a call: before it, after it, or with half a file written."""
    calls = 0
    write = Path.write_bytes

    def counted(call: Callable[..., Any]) -> Callable[..., Any]:
        def stopped(*args: Any, **kwargs: Any) -> Any:
            nonlocal calls
            if how.startswith("amid"):
                what = "parts" if how == "amid a part" else "manifests"
                counts = call is write and what in args[0].parts
            else:
                counts = True
            calls += counts
            if not counts or calls != number:
                return call(*args, **kwargs)
            if how.startswith("amid"):
                write(args[0], args[1][: len(args[1]) // 2])
            elif how == "after":
                call(*args, **kwargs)
            os.kill(os.getpid(), signal.SIGKILL)
            raise AssertionError("it lives")

        return stopped

    setattr(Path, "write_bytes", counted(write))  # noqa: B010
    for name in ("fsync", "link", "replace", "rename", "unlink", "mkdir"):
        setattr(os, name, counted(getattr(os, name)))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=100, help="rounds; each kills 3 to 9 times")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    generator = random.Random(options.seed)
    counts: Counter[str] = Counter()
    bad = 0
    for _ in range(options.times):
        folder = Path(tempfile.mkdtemp(prefix="kill-index-"))
        problems = Round(folder=folder, generator=generator, counts=counts).play()
        for problem in problems:
            print(f"{problem} ({folder})")
        bad += bool(problems)
        if not problems:
            shutil.rmtree(folder)
    print(", ".join(f"{name}: {count:,}" for name, count in sorted(counts.items())))
    kills = sum(count for name, count in counts.items() if name.startswith("killed"))
    print(f"{options.times} archives, {kills} kills, {bad} wrong")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
