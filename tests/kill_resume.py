"""Kills trainings at random, resumes them until they finish, and compares with ones never stopped.

    python tests/kill_resume.py --times 50 --seed 1

Each time a training is killed up to three times: when it has shown some number of lines, or before
or after a call of its own, in the midst of writing a checkpoint or of cutting the log. Prints what
was lost or came out otherwise; exits with 1 then.
"""

from __future__ import annotations

import argparse
import random
import shutil
import sys
import tempfile
from collections import Counter
from pathlib import Path

from stopping import (
    VARIANTS,
    Stop,
    all_lines,
    leftovers,
    outcome,
    random_stop,
    run_folder,
    train,
    train_all,
)

MOST_KILLS = 3
# Some are never come to, above all in a training that goes on: it then runs to its end.
LINES = range(1, 44)
CALLS = {"fsync": range(1, 40), "replace": range(1, 20), "truncate": range(1, 2)}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    generator = random.Random(options.seed)
    counts: Counter[str] = Counter()
    folder = Path(tempfile.mkdtemp(prefix="kill-resume-"))
    (folder / "references").mkdir()
    expected = references(folder / "references")
    for time in range(options.times):
        variant = generator.choice(list(VARIANTS))
        stops = [
            random_stop(generator, LINES, CALLS) for _ in range(generator.randint(1, MOST_KILLS))
        ]
        place = folder / str(time)
        place.mkdir()
        wrong = stopped(place, variant, stops, expected[variant], counts)
        counts["trainings"] += 1
        counts["mismatches"] += bool(wrong)
        for line in wrong:
            print(f"{variant}, killed {', '.join(map(str, stops))}: {line} ({place})")
        if not wrong:
            shutil.rmtree(place)
    names = ("trainings", "kills", "resumptions", "lines lost", "mismatches")
    print(", ".join(f"{name}: {counts[name]}" for name in names))
    if counts["mismatches"]:
        return 1
    shutil.rmtree(folder)
    return 0


def references(folder: Path) -> dict[str, tuple[list[str], bytes, bytes]]:
    """What each variant comes to when nothing stops it."""
    train_all(
        folder,
        [[*options, "--out", str(number)] for number, options in enumerate(VARIANTS.values())],
    )
    return {
        variant: outcome(run_folder(folder, str(number))) for number, variant in enumerate(VARIANTS)
    }


def stopped(
    folder: Path,
    variant: str,
    stops: list[Stop],
    expected: tuple[list[str], bytes, bytes],
    counts: Counter[str],
) -> list[str]:
    """Train, killed and resumed, until it has finished; gives what is wrong in the end."""
    wrong: list[str] = []
    seen: Counter[str] = Counter()
    for stop in [*stops, None]:
        begun = is_begun(folder)
        arguments = ["--resume", str(run_folder(folder))] if begun else VARIANTS[variant]
        code, _, errors = train(folder, *arguments, stop=stop)
        counts["resumptions"] += begun
        counts["kills"] += code < 0
        if code > 0:
            return [*wrong, f"exit code {code}: {errors}"]
        if not is_begun(folder):  # killed before there was a record: no run to go on with
            shutil.rmtree(folder / "runs", ignore_errors=True)
            continue
        now = Counter(all_lines(run_folder(folder)))
        if lost := seen - now:
            counts["lines lost"] += lost.total()
            wrong.append(f"lost {lost}")
        seen = now
    run = run_folder(folder)
    names = ("log", "parameters", "states")
    for name, came, wanted in zip(names, outcome(run), expected, strict=True):
        if came != wanted:
            wrong.append(f"its {name} is not that of a training never stopped")
    if found := leftovers(run):
        wrong.append(f"left {found}")
    return wrong


def is_begun(folder: Path) -> bool:
    return any((folder / "runs").glob("*/run.json"))


if __name__ == "__main__":
    sys.exit(main())
