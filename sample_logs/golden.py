"""Write the tables that the sample logs parse to, one file a log, for the tests to compare with.

Run it after a deliberate change and read the difference: `python sample_logs/golden.py`. A line is
one row, with the table's name first, so that a difference shows which row of which table changed.
"""

from __future__ import annotations

import sys
from pathlib import Path

from fitlog import RunLog, read_log
from fitlog.formats import format_row
from fitlog.tables import TABLES

SAMPLES = Path(__file__).parent


def golden_path(log: Path) -> Path:
    """Where the tables of a sample log are kept."""
    return SAMPLES / "golden" / f"{log.stem}.jsonl"


def format_tables(log: RunLog) -> str:
    """Every row of every table, a line of JSON each."""
    lines = [
        f'["{name}", {row}]\n'
        for name in TABLES
        for row in map(format_row, getattr(log, name).to_dict("records"))
    ]
    return "".join(lines)


def main() -> int:
    """Write them all."""
    for log in sorted(SAMPLES.glob("*.log")):
        path = golden_path(log)
        path.parent.mkdir(exist_ok=True)
        path.write_text(format_tables(read_log(log)), encoding="utf-8")
        print(f"{path}: written")
    return 0


if __name__ == "__main__":
    sys.exit(main())
