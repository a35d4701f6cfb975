"""What is in a RecordIO file of images, told from its headers: no image is decoded.

MXNet's ImageRecordIter says neither how many images there are nor which labels, and ends the
process on a file that is none.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

from fitlog.errors import TrainingError

# dmlc/recordio.h: magic and length, of which the upper three bits tell the parts of a record.
_FRAME: Final = struct.Struct("<II")
_MAGIC: Final = 0xCED7230A
_LENGTH_BITS: Final = 29
_WHOLE, _FIRST = 0, 1
# mxnet/recordio.py, IRHeader: flag (the number of labels, or 0), label, two numbers.
_HEADER: Final = struct.Struct("<IfQQ")


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordFile:
    """How many images a file has, and the highest label of them."""

    images: int
    highest_label: int


def read_record_file(path: Path) -> RecordFile:
    """Count the images of a .rec file and look at their labels.

    Raises:
        TrainingError: it cannot be read, is no RecordIO file, is cut short or empty, or has labels
        that are no classes.
    """
    labels: set[float] = set()
    images = 0
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            while file.tell() < size:
                label = _next_label(file, size, path)
                if label is not None:
                    images += 1
                    labels.add(label)
    except OSError as error:
        raise TrainingError(f"{path}: cannot be read: {error.strerror or error}") from None
    if not images:
        raise TrainingError(f"{path}: there are no images in it")
    wrong = [label for label in labels if not (label >= 0 and label.is_integer())]
    if wrong:
        raise TrainingError(
            f"{path}: the label {wrong[0]} is no class; labels must be whole numbers from 0 on"
        )
    return RecordFile(images=images, highest_label=int(max(labels)))


def _next_label(file: BinaryIO, size: int, path: Path) -> float | None:
    """The label of the record that begins here, None for the rest of one; goes past it."""
    begin = file.tell()
    frame = file.read(_FRAME.size)
    if len(frame) < _FRAME.size or _FRAME.unpack(frame)[0] != _MAGIC:
        raise TrainingError(
            f"{path}: no record at byte {begin}; is it a .rec file as MXNet's im2rec.py makes them?"
        )
    part, length = divmod(_FRAME.unpack(frame)[1], 1 << _LENGTH_BITS)
    end = begin + _FRAME.size + (length + 3) // 4 * 4
    if end > size:
        raise TrainingError(f"{path}: is cut short in the record at byte {begin}")
    label = None
    if part in (_WHOLE, _FIRST):
        header = file.read(_HEADER.size)
        if len(header) < _HEADER.size or length < _HEADER.size:
            raise TrainingError(f"{path}: the record at byte {begin} is no image with a label")
        labels, label, _, _ = _HEADER.unpack(header)
        if labels > 1:
            raise TrainingError(
                f"{path}: the record at byte {begin} has {labels} labels; one is needed, the class"
            )
        if labels == 1:
            (label,) = struct.unpack("<f", file.read(4))
    file.seek(end)
    return label
