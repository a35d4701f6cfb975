"""What libraries import although nobody here needs it."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator


class _NoPandas:
    """Finds no pandas."""

    def find_spec(self, name: str, *_: object) -> None:
        """Nothing, as of every module that another finder has to find."""
        if name == "pandas":
            raise ModuleNotFoundError("a query needs no pandas", name=name)


@contextlib.contextmanager
def without_pandas() -> Iterator[None]:
    """Who imports pyarrow's data sets here does so without pandas, which takes a fifth of a second.

    pyarrow looks for pandas once, with the first value that it is given, which its data sets give
    it; in this process it will do without from then on. So it is for a command that ends after
    that.
    """
    finder = _NoPandas()
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)
