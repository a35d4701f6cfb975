"""Sessions beyond the README's test command: `nox -s reading` is the half that needs no MXNet."""

from __future__ import annotations

import nox

nox.options.sessions = ["reading"]


@nox.session
@nox.parametrize("pandas", ["pandas>=2.2,<3", "pandas>=3"])
def reading(session: nox.Session, pandas: str) -> None:
    """Read, plot and judge with numpy 2 and without MXNet."""
    tools = ("pytest>=8", "hypothesis>=6.100", "pyyaml", "scipy")
    session.install("-e", ".[zstd]", "numpy>=2", pandas, *tools)
    session.run("python", "-c", "import numpy; assert numpy.__version__ >= '2'")
    # Building the distributions needs the tools of the extra `dev`, which brings numpy 1 along.
    session.run("python", "-m", "pytest", "--ignore=tests/test_packaging.py", *session.posargs)
