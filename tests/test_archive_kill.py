"""An indexer that is killed leaves an archive that can be read, and nothing lost or doubled."""

from __future__ import annotations

import subprocess
import sys

import pytest

from support import PROJECT


@pytest.mark.parametrize("seed", [1, 4])
def test_an_indexer_killed_anywhere_loses_no_row_and_doubles_none(seed: int) -> None:
    """`kill_index.py` does it many more times."""
    done = subprocess.run(
        [sys.executable, PROJECT / "tests" / "kill_index.py", "--times", "1", "--seed", str(seed)],
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    assert int(done.stdout.split(" kills")[0].split()[-1]) >= 1
