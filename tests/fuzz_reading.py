"""Feeds mutated logs and dialect files to all that reads: only a `FitlogError` may come out.

    python tests/fuzz_reading.py --minutes 10
    python tests/fuzz_reading.py --seed 3 --first 1200 --inputs 1
    python tests/fuzz_reading.py --replay fuzz-3-1200.log

Each log, compressed or not, damaged or not, is read by both readers, whose tables must be equal,
and examined; then in one way more: in pieces, part by part, with other logs, or while it grows. An
input depends on the seed and its number alone: a failure says both, and leaves the input in the
current folder.
"""

from __future__ import annotations

import argparse
import faulthandler
import random
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Final, NamedTuple

from mutated import make_compressed, make_dialect, make_log, make_long, make_nodes
from ways import check_dialect, check_in_every_way, check_log

_MOST_SECONDS: Final = 300  # no input takes a tenth of that


class Kind(NamedTuple):
    """A kind of input: its share of all inputs, what makes and what tries it, its file's ending."""

    share: int
    make: Callable[[random.Random], bytes]
    check: Callable[[bytes, random.Random], None]
    suffix: str


def main() -> int:
    """Try inputs until the time is over; what one of them raises ends it."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--inputs", type=int, default=sys.maxsize, help="stop after so many")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--first", type=int, default=0, help="the number of the first input")
    parser.add_argument("--replay", type=Path, help="try this file alone")
    said = parser.parse_args()
    warnings.simplefilter("error")
    if said.replay is not None:
        check = check_dialect if said.replay.suffix == ".toml" else check_in_every_way
        check(said.replay.read_bytes(), random.Random(said.seed))
        return 0
    number, end = said.first, time.monotonic() + 60 * said.minutes
    while number < said.first + said.inputs and time.monotonic() < end:
        source = random.Random(f"{said.seed} {number}")
        kind = source.choices(KINDS, [kind.share for kind in KINDS])[0]
        data = kind.make(source)
        faulthandler.dump_traceback_later(_MOST_SECONDS, exit=True)
        try:
            kind.check(data, source)
        except Exception:
            path = Path(f"fuzz-{said.seed}-{number}{kind.suffix}")
            path.write_bytes(data)
            print(f"seed {said.seed}, input {number} failed; it is kept in {path}", flush=True)
            raise
        finally:
            faulthandler.cancel_dump_traceback_later()
        number += 1
    print(f"seed {said.seed}: {number - said.first} inputs, none failed")
    return 0


KINDS = (
    Kind(80, make_log, check_log, ".log"),
    Kind(20, make_nodes, check_log, ".log"),
    Kind(20, make_compressed, check_log, ".log"),
    Kind(20, make_dialect, check_dialect, ".toml"),
    Kind(1, make_long, check_log, ".log"),
)


if __name__ == "__main__":
    sys.exit(main())
