"""What a query may take of the machine, held by the system itself.

An engine does not hear all requests to stop, and does not count all memory it takes. So the rest of
a command goes on in a child process, whom the kernel ends at its limits.
"""

from __future__ import annotations

import contextlib
import os
import resource
import signal
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Final

from fitlog.errors import QueryError

# What the interpreter and the libraries take, and an engine beside what it counts.
_BASE_BYTES: Final = 1 << 30
# So long the child may take to end in order.
GRACE_SECONDS: Final = 2.0


def go_on_limited(*, seconds: float, memory: int) -> int | None:
    """Go on in a child process with these limits: None there, its exit code here when it has ended.

    It is for a command, which has no threads yet and ends after that.

    Raises:
        QueryError: it was ended for the time or memory that it took, or broke.
        KeyboardInterrupt: it was interrupted; it has ended.
    """
    # Until both know what to do about them, they wait.
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
    child = os.fork()
    if not child:
        for number in (signal.SIGINT, signal.SIGTERM):
            if signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, _end_silently)
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        # Arrow's own allocator reserves 1 GB at once, wherever that is just left.
        os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "system")
        _limit_data(memory + _BASE_BYTES)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.setitimer(signal.ITIMER_REAL, seconds + GRACE_SECONDS)
        return None
    try:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        status = os.waitpid(child, 0)[1]
    except KeyboardInterrupt:
        _end(child)
        raise
    code = os.waitstatus_to_exitcode(status)
    if code == -signal.SIGALRM:
        raise took_too_long(seconds)
    if code < 0:
        raise QueryError(
            f"the query broke the engine ({signal.Signals(-code).name}): most likely it needed more"
            f" memory than the {memory >> 20:,} MB it may take (--memory)"
        )
    return code


@contextlib.contextmanager
def bounded_memory(memory: int) -> Iterator[None]:
    """Meanwhile, this process may take so much more than it has, and what an engine needs besides.

    What fails then fails as if the machine had no more.
    """
    before = resource.getrlimit(resource.RLIMIT_DATA)
    taken = _data_bytes()
    if taken is not None:
        _limit_data(taken + memory + _BASE_BYTES)
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, before)


def _limit_data(most: int) -> None:
    """Set the limit, unless there is a lower one."""
    soft, hard = resource.getrlimit(resource.RLIMIT_DATA)
    known = [limit for limit in (most, soft, hard) if limit != resource.RLIM_INFINITY]
    resource.setrlimit(resource.RLIMIT_DATA, (min(known), hard))


def _data_bytes() -> int | None:
    """What this process has that the limit counts; None where the system does not say."""
    try:
        pages = Path("/proc/self/statm").read_text().split()[5]
    except OSError:
        return None
    return int(pages) * resource.getpagesize()


def took_too_long(seconds: float) -> QueryError:
    """What is said of a query that did not end in time."""
    return QueryError(f"the query was stopped after {seconds:g} s (--timeout)")


def _end_silently(number: int, _frame: FrameType | None) -> None:
    """Of the child nothing more is heard: its parent says what has happened."""
    for each in (signal.SIGINT, signal.SIGTERM):
        signal.signal(each, signal.SIG_IGN)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    raise SystemExit(128 + number)


def _end(child: int) -> None:
    """Ask the child to end, as Ctrl-C on a terminal has done already, and see that it does."""

    def kill(*_: object) -> None:
        os.kill(child, signal.SIGKILL)

    signal.signal(signal.SIGALRM, kill)
    with contextlib.suppress(ProcessLookupError, ChildProcessError):  # it was waited for already
        os.kill(child, signal.SIGINT)
        signal.setitimer(signal.ITIMER_REAL, GRACE_SECONDS)
        os.waitpid(child, 0)
    signal.setitimer(signal.ITIMER_REAL, 0)
