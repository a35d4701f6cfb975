"""The machine at hand, as a run's record describes it, without the imports that takes."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any


def describe_machine() -> dict[str, Any]:
    """`cpu`, `machine` and `cpus_allowed` of this machine, as `run.json` has them."""
    return {
        "cpu": _cpu_model(),
        "machine": os.uname().machine if hasattr(os, "uname") else "",
        "cpus_allowed": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else None,
    }


def _cpu_model() -> str:
    if sys.platform == "linux":
        try:
            with Path("/proc/cpuinfo").open(encoding="utf-8") as file:
                for line in file:
                    if line.startswith("model name"):
                        return line.partition(":")[2].strip()
        except OSError:
            pass
    import platform

    return platform.processor() or platform.machine()
