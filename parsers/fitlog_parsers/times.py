"""The times of one file's lines, settled as soon as the file tells what its stamps mean."""

from __future__ import annotations

from typing import Final

from fitlog_parsers.columns import MISSING
from fitlog_parsers.dates import UNSETTLED
from fitlog_parsers.entries import Finding
from fitlog_parsers.prefix import Clock

# Times stay open for so many lines at most: a log of one day tells no month, and must not be kept.
_MOST_OPEN_LINES: Final = 100_000


class LineClock:
    """Reads the prefixes of one file, in the order of its lines.

    A time of `UNSETTLED` or more is open. When `settled` turns true, ask `settle` what each of
    those given out means, and set it back. `findings` grows; whoever reads it may empty it.
    """

    def __init__(self) -> None:
        self.findings: list[Finding] = []
        self.settled = False
        self._clock = Clock()
        self._open_since = 0
        self._told = 0

    def read(self, line: int, before: str) -> tuple[int, int]:
        """Time and node of a line, MISSING where it names none; the time may be open."""
        self.give_up(line)
        clock = self._clock
        was_open = clock.undecided
        time, node = clock.read(before)
        if clock.undecided and not was_open:
            self._open_since = line
        self.settled |= was_open and not clock.undecided
        self._report(line)
        return MISSING if time is None else time, MISSING if node is None else node

    def settle(self, time: int) -> int:
        """What an open time means; MISSING where the file does not tell."""
        if time < UNSETTLED:
            return time
        told = self._clock.settle(time)
        return MISSING if told is None else told

    def give_up(self, line: int) -> None:
        """Lines up to this one were read: what is open for too long stays unknown."""
        last = self._open_since + _MOST_OPEN_LINES
        if self._clock.undecided and line > last:
            self.close(last + 1)

    def close(self, line: int) -> None:
        """The file ends with this line: what is open then stays unknown."""
        self._clock.close()
        self.settled = True
        self._report(line)

    def _report(self, line: int) -> None:
        found = self._clock.findings
        if len(found) > self._told:
            for code, text in found[self._told :]:
                self.findings.append(Finding(code=code, line=line, text=text))
            self._told = len(found)


def read_alone(before: str) -> tuple[int | None, int | None]:
    """Time and node of a prefix by itself, without the lines before."""
    return Clock().read(before)
