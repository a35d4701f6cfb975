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


class Chunk(NamedTuple):
    r"""Whole lines, each with its `\n`; or the beginning of one line that is `too_long`.

    `has_nul` says whether there is a NUL byte in them, in all of the line if it is too long.
    """

    data: bytes
    too_long: bool
    has_nul: bool


class LineBuffer:
    """Feed it pieces of any length; `rest` at the end is the line that has none."""

    def __init__(self) -> None:
        self._transcoder = _Transcoder()
        self._rest: list[bytes] = []
        self._rest_bytes = 0
        self._too_long = False
        self._dropped_nul = False

    @property
    def waiting_bytes(self) -> int | None:
        """The bytes of the line that is not complete; None where these are not those of the log."""
        is_plain = self._transcoder.is_plain and not self._too_long
        return self._rest_bytes if is_plain else None

    def skip_beginning(self) -> None:
        """What is fed does not begin a log."""
        self._transcoder.skip_beginning()

    def feed(self, data: bytes) -> list[Chunk]:
        """The lines that `data` completes."""
        return self._cut(self._transcoder.decode(data))

    def close(self) -> tuple[list[Chunk], Chunk]:
        """What is left: whole lines, and the last line, without its end; empty where none is."""
        chunks = self._cut(self._transcoder.decode(b"", final=True))
        return chunks, self._take_rest()

    def _cut(self, data: bytes) -> list[Chunk]:
        chunks: list[Chunk] = []
        cut = data.rfind(b"\n") + 1
        if cut and self._too_long:
            first = data.find(b"\n") + 1
            self._drop(data[:first])
            chunks.append(self._take_rest())
            data, cut = data[first:], cut - first
        if cut:
            self._rest.append(data[:cut] if cut < len(data) else data)
            chunks.append(self._take_rest())
        if cut < len(data):
            self._keep(data[cut:] if cut else data)
        return chunks

    def _keep(self, data: bytes) -> None:
        """Keep the beginning of a line, or more of it."""
        if self._too_long:
            self._drop(data)
            return
        self._rest.append(data)
        self._rest_bytes += len(data)
        if self._rest_bytes > MAX_LINE_BYTES:
            line = b"".join(self._rest)
            self._drop(line)
            self._rest, self._too_long = [line[:KEPT_BYTES]], True

    def _drop(self, data: bytes) -> None:
        self._dropped_nul = self._dropped_nul or b"\0" in data

    def _take_rest(self) -> Chunk:
        data = b"".join(self._rest)
        chunk = Chunk(data, self._too_long, self._dropped_nul or b"\0" in data)
        self._rest, self._rest_bytes, self._too_long, self._dropped_nul = [], 0, False, False
        return chunk


class _Transcoder:
    """UTF-16 with a byte order mark (Windows' redirection) to UTF-8; all else as it is."""

    def __init__(self) -> None:
        self._head = b""
        self._decoder: codecs.IncrementalDecoder | None = None
        self._decided = False

    @property
    def is_plain(self) -> bool:
        return self._decided and self._decoder is None

    def skip_beginning(self) -> None:
        self._decided = True

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
