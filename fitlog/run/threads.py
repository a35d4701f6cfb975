"""How many threads MXNet computes with: over more or fewer, sums differ in the last digits.

MXNet's own choice hangs on the machine (openmp.cc). It is made here in the same way, but where it
is seen: in OMP_NUM_THREADS, which the run's record holds.
"""

from __future__ import annotations

import os
import platform
import sys
from typing import Final

VARIABLE: Final = "OMP_NUM_THREADS"


def pin_threads(threads: str | None = None) -> None:
    """Set OMP_NUM_THREADS, to `threads` if given, unless it is set or MXNet has read it already."""
    if "mxnet" not in sys.modules:
        os.environ.setdefault(VARIABLE, threads or str(_own_choice()))


def _own_choice() -> int:
    cpus = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    # On Intel's architecture two of the processors are taken for one core's.
    return max(1, cpus // 2 if platform.machine() in ("x86_64", "AMD64") else cpus)
