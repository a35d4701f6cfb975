"""Archives: many logs as one data set of Parquet files that can be asked questions.

A folder, or a place in an object store, with

    manifests/00000001.json          numbered, each made once and never changed: what the archive is
    parts/TABLE/month=2026-11/*.parquet   rows; only those that the last manifest lists count

The modules below import pyarrow and fsspec at their top, and are imported by what needs them:
`require_packages` says first what is missing.
"""

from __future__ import annotations

import importlib.util
from typing import Final

from fitlog.errors import ArchiveError
from fitlog.extras import install

# What `sources.reads` is of a log of which rows are lost: it is to be read again.
LOST: Final = 0


def require_packages() -> None:
    """Raise where the packages that archives need are not installed.

    Raises:
        ArchiveError: one is missing.
    """
    for package in ("pyarrow", "fsspec"):
        if importlib.util.find_spec(package) is None:
            raise ArchiveError(f"archives need {package}: {install('archive')}")
