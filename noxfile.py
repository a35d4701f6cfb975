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


# What pyproject.toml says will do; together they need what was there at the time.
LOWEST = (
    "bokeh==3.4.0", "click<8.2", "distributed==2024.8.0", "duckdb==2.0.0", "fsspec==2024.12.0",
    "jinja2==3.0.0", "matplotlib==3.8.0", "numpy==1.24.0", "pandas==2.2.0", "plotext==6.0.0",
    "pyarrow==17.0.0", "pyparsing<3.2", "rich==13.0.0", "s3fs==2024.12.0", "scipy<1.15",
    "tensorboard==2.16.2", "typer==0.20.0",
)  # fmt: skip


@nox.session
def lowest(session: nox.Session) -> None:
    """Read, plot, archive and judge with the lowest versions that are asked for."""
    session.install("-e", ".[zstd]", "pytest>=8", "hypothesis>=6.100", "pyyaml", *LOWEST)
    session.run("python", "-m", "pytest", "--ignore=tests/test_packaging.py", *session.posargs)
