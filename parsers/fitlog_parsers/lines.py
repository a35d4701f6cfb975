r"""Pieces of a log in, whole lines out: byte order marks, the bound on a line, what is left over.

Lines end at `\n` alone; a bare carriage return is a progress bar's, inside a line. A line is
bounded, so memory stays flat whatever comes. Nothing depends on how the input was cut into pieces.
"""

from __future__ import annotations

import codecs
from typing import Final, NamedTuple

MAX_LINE_BYTES: Final = 1 << 20
# Of a line that is longer, this much is kept, to be shown.
KEPT_BYTES: Final = 1000
_BOMS: Final = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_LONGEST_BOM: Final = 3


class Block(NamedTuple):
    r"""Whole lines, each with its `\n`; or the beginning of one line that is `too_long`."""

    data: bytes
    too_long: bool = False


class LineBuffer:
    """Feed it pieces of any length; `rest` at the end is the line that has none."""

    def __init__(self) -> None:
        self._transcoder = _Transcoder()
        self._rest: list[bytes] = []
        self._rest_bytes = 0
        self._too_long = False

    def feed(self, data: bytes) -> list[Block]:
        """The lines that `data` completes."""
        return self._cut(self._transcoder.decode(data))

    def close(self) -> tuple[list[Block], Block]:
        """What is left: whole lines, and the last line, without its end; empty where none is."""
        blocks = self._cut(self._transcoder.decode(b"", final=True))
        return blocks, self._take_rest()

    def _cut(self, data: bytes) -> list[Block]:
        blocks: list[Block] = []
        cut = data.rfind(b"\n") + 1
        if cut and self._too_long:
            blocks.append(self._take_rest())
            first = data.find(b"\n") + 1
            data, cut = data[first:], cut - first
        if cut:
            self._rest.append(data[:cut] if cut < len(data) else data)
            blocks.append(self._take_rest())
        if cut < len(data):
            self._rest.append(data[cut:] if cut else data)
            self._rest_bytes += len(data) - cut
            if self._rest_bytes > MAX_LINE_BYTES:
                self._rest = [b"".join(self._rest)[:KEPT_BYTES]]
                self._rest_bytes, self._too_long = KEPT_BYTES, True
        return blocks

    def _take_rest(self) -> Block:
        block = Block(b"".join(self._rest), self._too_long)
        self._rest, self._rest_bytes, self._too_long = [], 0, False
        return block


class _Transcoder:
    """UTF-16 with a byte order mark (Windows' redirection) to UTF-8; all else as it is."""

    def __init__(self) -> None:
        self._head = b""
        self._decoder: codecs.IncrementalDecoder | None = None
        self._decided = False

    def decode(self, data: bytes, *, final: bool = False) -> bytes:
        if not self._decided:
            self._head += data
            if len(self._head) < _LONGEST_BOM and not final:
                return b""
            data, self._decided = self._decide(), True
        if self._decoder is None:
            return data
        return self._decoder.decode(data, final).encode("utf-8", "backslashreplace")

    def _decide(self) -> bytes:
        for bom, encoding in _BOMS:
            if self._head.startswith(bom):
                if encoding != "utf-8":
                    self._decoder = codecs.getincrementaldecoder(encoding)("backslashreplace")
                return self._head[len(bom) :]
        return self._head
