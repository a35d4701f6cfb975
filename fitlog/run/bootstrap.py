"""Inside somebody's script, once it imports MXNet: the import works, and every fit is measured."""

from __future__ import annotations

import atexit
import contextlib
import os
import sys
from collections.abc import Iterator
from importlib.abc import Loader
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Any, Final

from fitlog.run.shim import mxnet_importable

_entered: Final = contextlib.ExitStack()  # never left: fits are measured until the process ends


def loaded_by_fitlog(spec: ModuleSpec, phases: str | None) -> ModuleSpec:
    """The spec of mxnet, to be loaded by the shim, and measured into the file `phases` if any."""
    if spec.loader is not None:
        spec.loader = _MXNetLoader(spec.loader, phases)
    return spec


class _MXNetLoader(Loader):
    """Loads mxnet by its own loader, which is what the module has afterwards."""

    def __init__(self, loader: Loader, phases: str | None) -> None:
        self._loader = loader
        self._phases = phases

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return self._loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        module.__loader__ = self._loader
        if module.__spec__ is not None:
            module.__spec__.loader = self._loader
        with mxnet_importable():
            self._loader.exec_module(module)
        if self._phases is not None:
            with contextlib.suppress(ImportError):  # of a version that has no Module
                _measure(Path(self._phases))


def _measure(phases: Path) -> None:
    """Measure every fit from now to the end of this process."""
    from fitlog.run.instrument import instrument

    sink = _ScriptSink(phases)
    _entered.enter_context(instrument(phases=sink))
    atexit.register(sink.close)


class _ScriptSink:
    """Writes the records of this process, and never fails: the training is not fitlog's.

    A forked process has a copy of this. What it trains is not recorded, for its fits cannot be told
    from those of others.
    """

    def __init__(self, path: Path) -> None:
        from fitlog.run.phase_file import PhaseFile

        self._path = path
        self._process = os.getpid()
        self._file: PhaseFile | None = None
        with self._failing_once():
            self._file = PhaseFile(path)

    def __call__(self, record: dict[str, Any]) -> None:
        if self._file is not None and os.getpid() == self._process:
            with self._failing_once():
                self._file(record)

    def close(self) -> None:
        """Write what is left."""
        if self._file is not None and os.getpid() == self._process:
            with self._failing_once():
                self._file.__exit__(None, None, None)

    @contextlib.contextmanager
    def _failing_once(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            self._file = None
            sys.stderr.write(f"fitlog: cannot write {self._path}: {error.strerror}\n")
