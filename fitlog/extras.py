"""What a part of fitlog that needs packages more says where they are not installed."""

from __future__ import annotations

import importlib.metadata
from typing import Final

_DISTRIBUTION: Final = "mxfitlog"


def install(extra: str) -> str:
    """The command that brings the packages of this extra, as the end of a message."""
    packages = " ".join(f'"{package}"' for package in _packages(extra))
    return (
        f"pip install {packages} (fitlog's extra {extra})"
        if packages
        else (f"install fitlog with its extra {extra}")
    )


def _packages(extra: str) -> list[str]:
    try:
        required = importlib.metadata.requires(_DISTRIBUTION) or []
    except importlib.metadata.PackageNotFoundError:  # run where it lies, not installed
        return []
    named = [requirement.partition(";") for requirement in required]
    return [package.strip() for package, _, marker in named if f"extra == '{extra}'" in marker]
