"""Who does the work: this process, several of this machine, or a Dask cluster.

Each takes a function that is known by its name and its tasks, and gives results as they come, each
with its task's number. A task may be done more than once; what it writes is the same then. Workers
are started when there is work for them, and end with `close`.
"""

from __future__ import annotations

import contextlib
import functools
import logging
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import resource_tracker
from typing import Any, Final, Protocol, TypeVar

from fitlog.archive import require_packages
from fitlog.errors import ArchiveError
from fitlog.extras import install

T = TypeVar("T")
R = TypeVar("R")

_WORKER_SECONDS: Final = 30


class Engine(Protocol):
    """Does tasks, in any order."""

    def run(self, do: Callable[[T], R], tasks: Sequence[T]) -> Iterator[tuple[int, R]]:
        """The results, each with its task's number.

        Raises:
            ArchiveError: a worker has died, and the task with it.
        """
        ...

    def close(self) -> None:
        """End the workers."""


class Here:
    """One process, that which asks."""

    def run(self, do: Callable[[T], R], tasks: Sequence[T]) -> Iterator[tuple[int, R]]:
        """One task after the other."""
        for number, task in enumerate(tasks):
            yield number, do(task)

    def close(self) -> None:
        """There is nothing to end."""


class Processes:
    """Several processes of this machine; they end with this one, however it ends."""

    def __init__(self, workers: int) -> None:
        self._workers = workers
        self._pool: ProcessPoolExecutor | None = None

    def run(self, do: Callable[[T], R], tasks: Sequence[T]) -> Iterator[tuple[int, R]]:
        """The results as they come; one task alone is done by this process."""
        if len(tasks) < 2:
            yield from Here().run(do, tasks)
            return
        if self._pool is None:
            # A fork of a process with threads, as pyarrow has them, may hang.
            context = multiprocessing.get_context("spawn")
            self._pool = ProcessPoolExecutor(
                self._workers, mp_context=context, initializer=_end_with_parent
            )
        try:
            submit = self._pool.submit
            futures = _begin(lambda: {submit(do, task): i for i, task in enumerate(tasks)})
            for future in as_completed(futures):
                yield futures[future], future.result()
        except BrokenProcessPool:
            raise ArchiveError(
                "a worker process was killed (is there enough memory?); what was committed before"
                " is in the archive: index again to go on"
            ) from None

    def close(self) -> None:
        """End the processes; what they are at is finished, and what waits is dropped."""
        if self._pool is not None:
            self._pool.shutdown(wait=True, cancel_futures=True)
            self._pool = None


class Dask:
    """A Dask cluster: the one at `address`, or without one a local one that ends with this."""

    def __init__(self, address: str | None, workers: int) -> None:
        self._address, self._workers = address, workers
        self._stack = contextlib.ExitStack()
        self._client: Any = None

    def run(self, do: Callable[[T], R], tasks: Sequence[T]) -> Iterator[tuple[int, R]]:
        """The results as they come; a task whose worker dies is given to another one."""
        if not tasks:
            return
        client = self._client = self._client or self._open()
        from distributed import KilledWorker
        from distributed import as_completed as completed
        from distributed.client import FutureCancelledError

        # Tasks of one function with the same arguments are different tasks all the same.
        futures = {
            client.submit(do, task, pure=False, retries=3): number
            for number, task in enumerate(tasks)
        }
        try:
            for future in completed(list(futures)):  # type: ignore[no-untyped-call]
                yield futures[future], future.result()
        except KilledWorker:
            raise ArchiveError(
                "the cluster's workers died again and again over the same logs; what was committed"
                " before is in the archive"
            ) from None
        except FutureCancelledError:
            raise ArchiveError(
                "the cluster's scheduler is gone; what was committed before is in the archive:"
                " index again to go on"
            ) from None

    def close(self) -> None:
        """Leave the cluster, and end it if it is our own."""
        self._stack.close()
        self._client = None

    def _open(self) -> Any:
        try:
            from distributed import Client, LocalCluster
        except ImportError as error:
            raise ArchiveError(
                f"--engine dask needs packages more ({error}): {install('dask')}"
            ) from None
        # They tell each key that is lost when a worker dies, and at the end.
        for name in ("distributed", "distributed.client"):
            logging.getLogger(name).setLevel(logging.CRITICAL)
        where: Any = self._address
        if where is None:
            start = functools.partial(
                LocalCluster,
                n_workers=self._workers,
                threads_per_worker=1,
                host="127.0.0.1",
                # Its HTTP server cannot be left out: on any port that is free.
                scheduler_kwargs={"dashboard": False, "dashboard_address": "127.0.0.1:0"},
                silence_logs=logging.CRITICAL,
            )
            where = self._stack.enter_context(_begin(start))
        try:
            client = self._stack.enter_context(Client(where))  # type: ignore[no-untyped-call]
        except (OSError, ValueError) as error:
            raise ArchiveError(f"no Dask cluster answers at {where}: {error}") from None
        self._try(client)
        return client

    def _try(self, client: Any) -> None:
        """See that somebody is there who can do the work."""
        try:
            client.wait_for_workers(1, timeout=_WORKER_SECONDS)
            client.submit(require_packages, pure=False).result(timeout=_WORKER_SECONDS)
        except TimeoutError:
            raise ArchiveError(
                f"no worker of the Dask cluster has answered for {_WORKER_SECONDS} s: is there one,"
                " and is fitlog installed where it runs?"
            ) from None
        except ImportError as error:
            raise ArchiveError(f"a worker of the Dask cluster lacks packages: {error}") from None


def open_engine(name: str, *, address: str | None = None, workers: int = 1) -> Engine:
    """The engine of this name, 'local' or 'dask'."""
    if name == "dask":
        return Dask(address, workers)
    return Here() if workers == 1 else Processes(workers)


def _begin(start: Callable[[], T]) -> T:
    """Begin processes, in a thread that hears no signals; so neither do they.

    Ctrl-C, which a terminal sends to all, is for their parent alone, and it is heard when they have
    begun: what is half begun cannot be ended.
    """
    resource_tracker.ensure_running()  # where it begins, it lets signals through again
    signals = {signal.SIGINT, signal.SIGTERM}
    with ThreadPoolExecutor(
        1, initializer=signal.pthread_sigmask, initargs=(signal.SIG_BLOCK, signals)
    ) as starter:
        return starter.submit(start).result()


def _end_with_parent() -> None:
    """A worker waits for work also when nobody is left to give it any, unless this ends it."""
    parent = multiprocessing.parent_process()

    def wait() -> None:
        if parent is not None:
            parent.join()
        os._exit(1)

    threading.Thread(target=wait, daemon=True).start()
