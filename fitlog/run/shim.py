"""Imports MXNet 1.9.1 beside a numpy it was not made for, and leaves that numpy as it was.

MXNet 1.9.1 asks for `np.bool`, which numpy 1.24 removed: the import fails. An alias left on numpy
would change what every other library of the process sees. So the alias stands only while MXNet is
imported; afterwards MXNet's own modules get a view of numpy that has it, and numpy itself does not.

numpy 2 is refused: MXNet imports with more aliases, but its metrics then add up in float32 and are
silently wrong in the fifth digit.
"""

from __future__ import annotations

import contextlib
import importlib.metadata
import importlib.util
import os
import sys
import types
import warnings
from collections.abc import Iterator
from typing import Any, Final

from fitlog.errors import MXNetUnavailableError

INSTALL: Final = 'pip install "mxnet==1.9.1" "numpy<2" setuptools'
_NUMPY_NAMES: Final = ("np", "_np", "onp")


def import_mxnet() -> Any:
    """The module `mxnet`, imported at the first call.

    Sets MXNET_SUBGRAPH_VERBOSE=0 unless it is set: the library otherwise prints a line to stderr
    for every network it binds.

    Raises:
        MXNetUnavailableError: MXNet or setuptools is missing, numpy is 2 or newer, or the import
        fails.
    """
    if "mxnet" in sys.modules:
        return sys.modules["mxnet"]
    with mxnet_importable():
        return importlib.import_module("mxnet")


@contextlib.contextmanager
def mxnet_importable() -> Iterator[None]:
    """MXNet can be imported meanwhile, and has what it needs of numpy afterwards.

    Raises:
        MXNetUnavailableError: as `import_mxnet`.
    """
    _check_installation()
    os.environ.setdefault("MXNET_SUBGRAPH_VERBOSE", "0")
    import numpy

    alias_missing = "bool" not in vars(numpy)
    if alias_missing:
        numpy.bool = bool  # type: ignore[attr-defined, misc, unused-ignore]  # what MXNet looks for
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of MXNet's own age, which its user cannot change
            yield
    except (ImportError, AttributeError, OSError) as error:
        raise MXNetUnavailableError(f"mxnet cannot be imported: {error}; try: {INSTALL}") from error
    finally:
        if alias_missing:
            del numpy.bool  # type: ignore[attr-defined, misc, unused-ignore]
    if alias_missing:
        _give_own_view(numpy)


class _NumpyView(types.ModuleType):
    """numpy with the one alias that MXNet uses."""

    bool = bool

    def __getattr__(self, name: str) -> Any:
        import numpy

        return getattr(numpy, name)


def _check_installation() -> None:
    if importlib.util.find_spec("mxnet") is None:
        raise MXNetUnavailableError(f"mxnet is not installed; install it with: {INSTALL}")
    version = importlib.metadata.version("numpy")
    if int(version.partition(".")[0]) >= 2:
        raise MXNetUnavailableError(
            f"mxnet 1.9.1 gives wrong metrics with numpy {version};"
            ' install an older one with: pip install "numpy<2"'
        )
    # setuptools stands in for distutils, but only once it has been imported.
    if sys.version_info >= (3, 12) and importlib.util.find_spec("distutils") is None:
        if importlib.util.find_spec("setuptools") is None:
            raise MXNetUnavailableError(
                "mxnet 1.9.1 needs distutils, which this Python lacks;"
                " install a stand-in with: pip install setuptools"
            )
        importlib.import_module("setuptools")


def _give_own_view(numpy: types.ModuleType) -> None:
    view = _NumpyView("numpy")
    for name, module in list(sys.modules.items()):
        if name == "mxnet" or name.startswith("mxnet."):
            for attribute in _NUMPY_NAMES:
                if vars(module).get(attribute) is numpy:
                    setattr(module, attribute, view)
