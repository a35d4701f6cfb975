"""Images and labels from files: CSV, npz, and the idx files of MNIST.

All is read into memory and handed to MXNet's NDArrayIter, which shuffles anew each epoch and drops
no image. MXNet's CSVIter shuffles nothing and wants the labels in another file; its MNISTIter
shuffles once, drops the last images and opens no .gz: MXNet's own train_mnist.py does without it,
too.
"""

from __future__ import annotations

import contextlib
import gzip
import lzma
import math
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Final

from fitlog.errors import TrainingError
from fitlog.run.samples import Samples, Sets, checked_samples

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

# Names of arrays in an npz file, Keras's first.
_TRAIN_ARRAYS: Final = (("x_train", "y_train"), ("images", "labels"), ("data", "label"), ("x", "y"))
_VALIDATION_ARRAYS: Final = (("x_test", "y_test"), ("x_val", "y_val"))
_LABEL_COLUMN: Final = "label"
_IDX_BYTES: Final = b"\0\0\x08"  # how an idx file of unsigned bytes begins


def read_csv(path: Path) -> Sets:
    """A sample a row, the label in the column `label`, or in the last where no header names it.

    Raises:
        TrainingError: a file that cannot be read, is no such table, or is empty.
    """
    import pandas as pd

    with _read_errors(path, "a table of numbers, one image a row"):
        first = pd.read_csv(path, header=None, nrows=1, dtype=str, keep_default_na=False)
        header = None if all(map(_is_number, first.iloc[0])) else 0
        table = pd.read_csv(path, header=header, low_memory=False, skipinitialspace=True)
    for column in table.columns:
        numbers = pd.to_numeric(table[column], errors="coerce")
        if numbers.isna().any():
            row = int(numbers.isna().argmax())
            raise TrainingError(
                f"{path}, row {row + 1 + (header is not None)}, column {column}:"
                f" {table[column].iloc[row]!r} is not a number"
            )
    named = [name for name in table.columns if str(name).strip().lower() == _LABEL_COLUMN]
    label = named[0] if named else table.columns[-1]
    if len(table.columns) < 2:
        raise TrainingError(f"{path}: one column; a row must hold an image's values and its label")
    images, labels = table.drop(columns=label).to_numpy(), table[label].to_numpy()
    return Sets(checked_samples(images, labels, str(path)), None)


def read_npz(path: Path) -> Sets:
    """The arrays `images` and `labels`, or Keras's `x_train`, `y_train`, `x_test`, `y_test`.

    Raises:
        TrainingError: a file that cannot be read, has no such arrays, or empty ones.
    """
    import numpy as np

    with _read_errors(path, "an npz file of numpy"), path.open("rb") as file:
        archive = np.load(file, allow_pickle=False)
        if isinstance(archive, np.ndarray):
            raise ValueError("it holds a single array")
        names = archive.files
        train, validation = (
            [archive[name] for name in _pair_of(names, known)]
            for known in (_TRAIN_ARRAYS, _VALIDATION_ARRAYS)
        )
    if not train:
        raise TrainingError(
            f"{path}: needs the arrays images and labels, or x_train and y_train;"
            f" it holds {', '.join(names) or 'none'}"
        )
    return Sets(
        checked_samples(train[0], train[1], str(path)),
        checked_samples(validation[0], validation[1], str(path)) if validation else None,
    )


def _pair_of(names: Sequence[str], known: Sequence[tuple[str, str]]) -> tuple[str, ...]:
    return next((pair for pair in known if set(pair) <= set(names)), ())


def read_mnist(folder: Path) -> Sets:
    """MNIST's `train-images-idx3-ubyte` and its kin, plain or .gz; `t10k-...` to validate with.

    Raises:
        TrainingError: files that are missing, or are not what they are named.
    """
    if not folder.is_dir():
        raise TrainingError(f"{folder}: not a folder; mnist: needs that of the idx files")
    train = _read_pair(folder, "train")
    if train is None:
        raise TrainingError(
            f"{folder}: no train-images-idx3-ubyte and train-labels-idx1-ubyte (or .gz) in it"
        )
    return Sets(train, _read_pair(folder, "t10k"))


def _read_pair(folder: Path, name: str) -> Samples | None:
    paths = [_find_idx(folder, f"{name}-images", 3), _find_idx(folder, f"{name}-labels", 1)]
    if paths == [None, None]:
        return None
    for path, what in zip(paths, ("images", "labels"), strict=True):
        if path is None:
            raise TrainingError(f"{folder}: the file {name}-{what}-... is missing in it")
    images, labels = (read_idx(path) for path in paths if path is not None)
    return checked_samples(images, labels, f"{folder}/{name}-*")


def _find_idx(folder: Path, stem: str, dimensions: int) -> Path | None:
    names = (f"{stem}{dot}idx{dimensions}-ubyte{end}" for end in ("", ".gz") for dot in "-.")
    return next((folder / name for name in names if (folder / name).is_file()), None)


def read_idx(path: Path) -> Array:
    """The bytes of an idx file (yann.lecun.com/exdb/mnist), uint8 in its own shape.

    Raises:
        TrainingError: it is none, or is cut short.
    """
    import numpy as np

    with _read_errors(path, "an idx file of bytes"), _opened(path) as file:
        begin = file.read(4)
        if len(begin) < 4 or begin[:3] != _IDX_BYTES:
            raise ValueError("it begins otherwise")
        dimensions = begin[3]
        shape = np.frombuffer(file.read(4 * dimensions), ">u4").astype(int)
        data = file.read(math.prod(map(int, shape)))
        return np.frombuffer(data, "uint8").reshape(shape)


def _opened(path: Path) -> BinaryIO | gzip.GzipFile:
    return gzip.open(path) if path.suffix == ".gz" else path.open("rb")


@contextlib.contextmanager
def _read_errors(path: Path, what: str) -> Iterator[None]:
    """What can go wrong with a file of the user's, as a message that names it."""
    try:
        yield
    except (zipfile.BadZipFile, zlib.error, gzip.BadGzipFile, lzma.LZMAError, EOFError) as error:
        raise TrainingError(f"{path}: is damaged, or is not {what} ({error})") from None
    except OSError as error:
        raise TrainingError(f"{path}: cannot be read: {error.strerror or error}") from None
    except (MemoryError, OverflowError):
        raise TrainingError(f"{path}: is too large for the memory here, or is damaged") from None
    except (ValueError, TypeError, KeyError) as error:  # pandas' errors are ValueErrors
        reason = str(error).strip().splitlines() or [type(error).__name__]
        raise TrainingError(f"{path}: is not {what} ({reason[-1]})") from None


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
