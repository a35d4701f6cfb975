"""Methods put before a class's own, on one instance, for a while."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any


@contextlib.contextmanager
def shadowed(thing: Any, methods: dict[str, Any]) -> Iterator[None]:
    """Methods put before the class's own on the instance; what others put there stays."""
    own = {name: vars(thing)[name] for name in methods if name in vars(thing)}
    try:
        vars(thing).update(methods)
        yield
    finally:
        for name, method in methods.items():
            if vars(thing).get(name) is method:
                del vars(thing)[name]
                if name in own:
                    vars(thing)[name] = own[name]
