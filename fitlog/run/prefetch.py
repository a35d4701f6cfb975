"""An exception in the thread of a `PrefetchingIter` reaches the training instead of hanging it.

Upstream's thread dies of whatever the iterator behind it raises (io.py, PrefetchingIter), and the
training then waits for ever for a batch that nobody fetches.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

from fitlog.errors import TrainingError
from fitlog.run.shadowing import shadowed


@contextlib.contextmanager
def errors_told(data: Any) -> Iterator[None]:
    """While this lasts, `data.next` raises what an iterator behind it raised; others do anyway."""
    from mxnet.io import PrefetchingIter

    if not isinstance(data, PrefetchingIter):
        yield
        return
    errors: list[BaseException] = []
    with contextlib.ExitStack() as shadows:
        for source in data.iters:
            shadows.enter_context(shadowed(source, {"next": _caught(source.next, errors)}))
        shadows.enter_context(shadowed(data, {"next": _told(data, data.next, errors)}))
        yield


def _caught(fetch: Callable[[], Any], errors: list[BaseException]) -> Callable[[], Any]:
    """The source's `next`: to its thread, an error looks like the end of the data."""

    def caught() -> Any:
        try:
            return fetch()
        except StopIteration:
            raise
        except BaseException as error:
            errors.append(error)
            raise StopIteration from None

    return caught


def _told(data: Any, fetch: Callable[[], Any], errors: list[BaseException]) -> Callable[[], Any]:
    def told() -> Any:
        for thread, ready in zip(data.prefetch_threads, data.data_ready, strict=True):
            if not thread.is_alive() and not ready.is_set():
                raise TrainingError(
                    "the thread that fetches batches ahead died before the training began; see"
                    " what it printed"
                )
        try:
            return fetch()
        except Exception:  # the end, or of several iterators one that ended before the others
            if errors:
                raise errors[0] from None
            raise

    return told
