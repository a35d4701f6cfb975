"""Draw the pictures of the documentation from the sample logs.

python docs/images/make.py
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
SAMPLES = HERE.parent.parent / "sample_logs"
PICTURES = {
    "lenet-3": "lenet-3.log",
    "naive": "lenet-3.log lenet-naive-3.log",
    "compared": "lenet-1.log lenet-naive-1.log --kind compare",
    "phases": "lenet-phases.jsonl --kind phases",
    "speed": "lenet-1.log lenet-2.log lenet-3.log --kind speed --smooth 20",
    "metrics": "running-means.log --kind metrics",
    "epochs": "lenet-1.log --kind epochs",
    "each": "lenet-1.log lenet-2.log lenet-3.log --kind speed --each --style dark",
    "rates": "lr-schedule.log --kind speed --size 8x3.6",
}


def main() -> None:
    """Draw each as the command does, by its name."""
    for name, what in PICTURES.items():
        words = [
            str(SAMPLES / word) if (SAMPLES / word).is_file() else word for word in what.split()
        ]
        target = HERE / f"{name}.png"
        subprocess.run(
            [sys.executable, "-m", "fitlog", "plot", *words, "-o", str(target), "--dpi", "110"],
            check=True,
        )


if __name__ == "__main__":
    main()
