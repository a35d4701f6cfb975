"""Build the documentation into a site: `python docs/make_site.py` writes it into `site/`.

The pictures are drawn by `fitlog plot` from the sample logs, the notebook is run, and the pages are
built with warnings as errors. The pages themselves are not changed: `--keep-pictures` alone writes
the pictures into `docs/images`, where GitHub shows them.
"""

from __future__ import annotations

import argparse
import shlex
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

DOCS = Path(__file__).resolve().parent
PROJECT = DOCS.parent
THREE_RUNS = "sample_logs/lenet-1.log sample_logs/lenet-2.log sample_logs/lenet-3.log"
PICTURES = {
    "lenet-3.png": "plot sample_logs/lenet-3.log",
    "naive.png": "plot sample_logs/lenet-3.log sample_logs/lenet-naive-3.log",
    "phases.png": "plot --phases sample_logs/lenet-phases.jsonl",
    "speed.png": f"plot {THREE_RUNS} --kind speed --smooth 20",
    "metrics.png": "plot sample_logs/running-means.log --kind metrics",
    "epochs.png": "plot sample_logs/lenet-1.log --kind epochs",
    "each.png": f"plot {THREE_RUNS} --kind speed --each --style dark",
    "rates.png": "plot sample_logs/lr-schedule.log --kind speed --size 8x3.6",
}
COMPARED = "compare sample_logs/lenet-1.log sample_logs/lenet-naive-1.log --plot"


def draw_pictures(folder: Path) -> None:
    """Draw the pictures of the pages into this folder, by the commands that the pages show."""
    commands = {name: f"{command} -o" for name, command in PICTURES.items()}
    for name, command in {**commands, "compared.png": COMPARED}.items():
        subprocess.run(
            [sys.executable, "-m", "fitlog", *shlex.split(command), folder / name],
            cwd=PROJECT,
            check=True,
            stdout=subprocess.DEVNULL,
        )


def build_site(site: Path) -> int:
    """Build the pages into this folder; gives the exit code of Sphinx."""
    with tempfile.TemporaryDirectory() as folder:
        pages = Path(folder) / "docs"
        shutil.copytree(DOCS, pages, ignore=shutil.ignore_patterns("__pycache__", "*.py"))
        shutil.copy(DOCS / "conf.py", pages)
        draw_pictures(pages / "images")
        # The notebook looks for them above itself.
        (Path(folder) / "sample_logs").symlink_to(PROJECT / "sample_logs")
        command = [sys.executable, "-m", "sphinx", "-b", "html", "-W", "--keep-going", "-q"]
        return subprocess.run([*command, pages, site], cwd=PROJECT, check=False).returncode


def main() -> int:
    """Do what the command line says."""
    parser = argparse.ArgumentParser(description="Build the documentation into a site.")
    parser.add_argument("-o", "--output", type=Path, default=PROJECT / "site")
    parser.add_argument("--keep-pictures", action="store_true", help="draw docs/images, no more")
    options = parser.parse_args()
    if options.keep_pictures:
        draw_pictures(DOCS / "images")
        return 0
    return build_site(options.output.resolve())


if __name__ == "__main__":
    sys.exit(main())
