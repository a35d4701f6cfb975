"""The shim: real MXNet in processes of its own, and what is said where it cannot be had."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import subprocess
import sys

import pytest

from fitlog import MXNetUnavailableError
from fitlog.run.shim import import_mxnet

needs_mxnet = pytest.mark.skipif(
    importlib.util.find_spec("mxnet") is None, reason="mxnet is not installed"
)


def python(code: str) -> str:
    """What a fresh interpreter prints."""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=True
    )
    return done.stdout


@needs_mxnet
@pytest.mark.parametrize("before", ["", "import pandas"])
def test_numpy_is_the_same_before_and_after(before: str) -> None:
    printed = python(f"""
{before}
import numpy as np
names = dict(vars(np))
from fitlog.run.shim import import_mxnet
mx = import_mxnet()
now = vars(np)
print(sorted(names.keys() ^ now.keys()), [n for n in names if names[n] is not now.get(n)])
print(hasattr(np, "bool"), mx.__version__)
""")

    differing, rest = printed.splitlines()
    # Submodules that MXNet is the first to import appear on the package, as with any import.
    assert "bool" not in differing
    assert differing.endswith(" []")
    assert rest == "False 1.9.1"


@needs_mxnet
def test_only_submodules_appear_on_numpy() -> None:
    printed = python("""
import types, warnings
import numpy as np
names = set(vars(np))
from fitlog.run.shim import import_mxnet
import_mxnet()
new = {name for name in vars(np) if name not in names}
print([name for name in new if not isinstance(vars(np)[name], types.ModuleType)])
""")

    assert printed == "[]\n"


@needs_mxnet
def test_mxnets_own_code_still_finds_what_numpy_lost() -> None:
    printed = python("""
from fitlog.run.shim import import_mxnet
mx = import_mxnet()
print(mx.np.array(True), mx.np.array([1.5, 2.5])[[True, False]])  # both ask numpy for `bool`
""")

    assert printed == "1.0 [1.5]\n"


@needs_mxnet
def test_a_second_import_gives_the_same_module() -> None:
    assert import_mxnet() is import_mxnet()


def test_without_mxnet_the_message_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "mxnet", raising=False)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)

    with pytest.raises(MXNetUnavailableError, match=r'pip install "mxnet==1\.9\.1" "numpy<2"'):
        import_mxnet()


@needs_mxnet
def test_numpy_2_is_refused_with_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "mxnet", raising=False)
    monkeypatch.setattr(importlib.metadata, "version", lambda name: "2.4.1")

    with pytest.raises(MXNetUnavailableError, match=r'wrong metrics with numpy 2\.4\.1.*"numpy<2"'):
        import_mxnet()
