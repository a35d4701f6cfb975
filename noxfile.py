"""Sessions beyond the README's test command: `nox -s reading` is the half that needs no MXNet."""

from __future__ import annotations

import nox

nox.options.sessions = ["reading"]
READING_TESTS = [
    "tests/test_dialects.py",
    "tests/test_reader.py",
    "tests/test_runs.py",
    "tests/test_tables.py",
    "tests/test_sample_logs.py",
    "tests/test_sources.py",
    "tests/test_formats.py",
    "tests/test_stats.py",
    "tests/test_gate.py",
    "tests/test_plots.py",
    "tests/test_phases.py",
    "tests/test_cli.py",
    "tests/test_run.py",
    "tests/test_shim.py",
]


@nox.session
@nox.parametrize("pandas", ["pandas>=2.2,<3", "pandas>=3"])
def reading(session: nox.Session, pandas: str) -> None:
    """Read, plot and judge with numpy 2 and without MXNet."""
    session.install("-e", ".[zstd]", "numpy>=2", pandas, "pytest>=8", "hypothesis>=6.100", "scipy")
    session.run("python", "-c", "import numpy; assert numpy.__version__ >= '2'")
    session.run("python", "-m", "pytest", *READING_TESTS, *session.posargs)
