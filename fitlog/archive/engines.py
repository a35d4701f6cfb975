"""Who does the work: this process, several of this machine, or a Dask cluster.

Each takes a function that is known by its name and its tasks, and gives results as they come, each
with its task's number. A task may be done more than once; what it writes is the same then.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol, TypeVar

from fitlog.errors import ArchiveError

T = TypeVar("T")
R = TypeVar("R")


class Engine(Protocol):
    """Does tasks, in any order."""

    def run(self, do: Callable[[T], R], tasks: Sequence[T]) -> Iterator[tuple[int, R]]:
        """The results, each with its task's number.

        Raises:
            ArchiveError: a worker has died, and the task with it.
        """
        ...


class Here:
    """This process alone."""

    def run(self, do: Callable[[T], R], tasks: Sequence[T]) -> Iterator[tuple[int, R]]:
        """One task after the other."""
        for number, task in enumerate(tasks):
            yield number, do(task)


class Processes:
    """Several processes of this machine."""

    def __init__(self, workers: int) -> None:
        self._workers = workers

    def run(self, do: Callable[[T], R], tasks: Sequence[T]) -> Iterator[tuple[int, R]]:
        """The results as they come."""
        import multiprocessing
        from concurrent.futures import ProcessPoolExecutor, as_completed
        from concurrent.futures.process import BrokenProcessPool

        # A fork of a process with threads, as pyarrow has them, may hang.
        context = multiprocessing.get_context("spawn")
        pool = ProcessPoolExecutor(min(self._workers, max(len(tasks), 1)), mp_context=context)
        try:
            futures = {pool.submit(do, task): number for number, task in enumerate(tasks)}
            for future in as_completed(futures):
                yield futures[future], future.result()
        except BrokenProcessPool:
            raise ArchiveError(
                "a worker process was killed; what was read before is in the archive: index again"
                " to go on"
            ) from None
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


class Dask:
    """A Dask cluster: the one at `address`, or without one a local one that ends with this."""

    def __init__(self, address: str | None, workers: int) -> None:
        self._address, self._workers = address, workers

    def run(self, do: Callable[[T], R], tasks: Sequence[T]) -> Iterator[tuple[int, R]]:
        """The results as they come; a task whose worker dies is given to another one."""
        from distributed import KilledWorker, as_completed

        with self._client() as client:
            futures = {
                client.submit(do, task, pure=False, retries=3): number
                for number, task in enumerate(tasks)
            }
            try:
                for future in as_completed(list(futures)):
                    yield futures[future], future.result()
            except KilledWorker:
                raise ArchiveError(
                    "the cluster's workers died again and again over the same logs; what was read"
                    " before is in the archive"
                ) from None

    @contextlib.contextmanager
    def _client(self) -> Iterator[Any]:
        try:
            from distributed import Client, LocalCluster
        except ImportError as error:
            raise ArchiveError(
                f'--engine dask needs packages more ({error}): pip install ".[dask]"'
            ) from None
        # It tells each key that is lost when a worker dies, and at the end.
        logging.getLogger("distributed").setLevel(logging.CRITICAL)
        with contextlib.ExitStack() as stack:
            where: Any = self._address
            if where is None:
                where = stack.enter_context(
                    LocalCluster(
                        n_workers=self._workers,
                        threads_per_worker=1,
                        host="127.0.0.1",
                        dashboard_address=None,
                        silence_logs=logging.CRITICAL,
                    )
                )
            try:
                client = stack.enter_context(Client(where, timeout=30))
            except (OSError, ValueError) as error:
                raise ArchiveError(f"no Dask cluster answers at {where}: {error}") from None
            yield client


def open_engine(name: str, *, address: str | None = None, workers: int = 1) -> Engine:
    """The engine of this name, 'local' or 'dask'."""
    if name == "dask":
        return Dask(address, workers)
    return Here() if workers == 1 else Processes(workers)
