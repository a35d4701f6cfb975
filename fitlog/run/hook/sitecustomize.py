"""What `fitlog run train.py` puts before a script: makes its `import mxnet` work, and measured.

Python itself imports this before the script, for its folder stands first in PYTHONPATH, and then
runs the script: its arguments, its tracebacks and its end are what they are without fitlog. Until
MXNet is imported this costs next to nothing. Python processes that the script starts come by here,
too: MXNet works there, and is not measured.
"""

from __future__ import annotations

import importlib.machinery
import os
import sys

TYPE_CHECKING = False  # typing would take longer to import than all of this
if TYPE_CHECKING:
    from typing import Any

_HOOK = os.path.dirname(os.path.abspath(__file__))  # noqa: PTH100, PTH120  # so would pathlib
_ROOT = os.path.dirname(os.path.dirname(os.path.dirname(_HOOK)))  # noqa: PTH120  # of fitlog


class MXNetFinder:
    """Finds mxnet where everybody does, and has it loaded by fitlog, once it is asked for."""

    def __init__(self, phases: str | None) -> None:
        self._phases = phases

    def find_spec(
        self, name: str, path: Any = None, target: Any = None
    ) -> importlib.machinery.ModuleSpec | None:
        """The spec of mxnet; None for every other module."""
        if name != "mxnet":
            return None
        found = (f.find_spec(name, path, target) for f in sys.meta_path if f is not self)
        spec = next((spec for spec in found if spec is not None), None)
        if spec is None:
            return None
        sys.path.insert(0, _ROOT)
        try:
            from fitlog.run.bootstrap import loaded_by_fitlog
        except Exception:  # another environment's Python: what it imports is its own affair
            return spec
        finally:
            sys.path.remove(_ROOT)
        return loaded_by_fitlog(spec, self._phases)


def _run_the_one_behind() -> None:
    """Import the sitecustomize that Python would find without this one."""
    spec = importlib.machinery.PathFinder.find_spec("sitecustomize")
    if spec is not None and spec.loader is not None:
        from importlib.util import module_from_spec

        module = sys.modules["sitecustomize"] = module_from_spec(spec)
        spec.loader.exec_module(module)


_phases = os.environ.pop("FITLOG_PHASES", None)
sys.path[:] = [entry for entry in sys.path if entry != _HOOK]
sys.meta_path.insert(0, MXNetFinder(_phases))
if _phases is not None and sys.stdout is not None:
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]  # stderr's lines would overtake
_run_the_one_behind()
