"""The output of an attempt as lines worth keeping: masked, safe to show, its head and its tail.

Whatever a job prints, and however much of it, this takes bounded memory and never stops reading.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from watchfloor.domain.masking import Masker
from watchfloor.domain.text import one_line

LONGEST_LINE = 8192
HEAD = 256 * 1024
TAIL = 768 * 1024
_LONGEST_WAIT = 4 * LONGEST_LINE


@dataclass(frozen=True, slots=True)
class OutputLine:
    """One line: its number in the attempt (from 1), the stream it came on, its text."""

    seq: int
    stream: str
    text: str


class RunOutput:
    """The lines of one attempt. The head is given out as it comes, the tail at the end, with what was left out."""

    def __init__(self, masker: Masker, head: int = HEAD, tail: int = TAIL) -> None:
        """``head`` and ``tail`` are in characters."""
        self._masker = masker
        self._left, self._room = head, tail
        self._raw: dict[str, bytes] = {}
        self._line: dict[str, bytes] = {}
        self._tail: deque[OutputLine] = deque()
        self._in_tail = 0
        self._seq = self._dropped = 0

    def feed(self, stream: str, chunk: bytes) -> list[OutputLine]:
        """Take a piece of output; returns the lines to keep at once."""
        raw = self._raw.get(stream, b"") + chunk
        ready = self._masker.ready(raw)
        self._raw[stream] = raw[ready:]
        return self._lines(stream, self._masker.hide(raw[:ready]))

    def end(self) -> list[OutputLine]:
        """What is left when nothing more comes: unfinished lines, and the tail."""
        found: list[OutputLine] = []
        for stream in list(self._raw):
            found += self._lines(stream, self._masker.hide(self._raw.pop(stream)))
            if rest := self._line.pop(stream, b""):
                found += self._keep(stream, rest)
        if self._dropped:
            text = f"… {self._dropped:,} lines left out: only the head and the tail of so much are kept …"
            found.append(OutputLine(self._tail[0].seq - 1 if self._tail else self._seq, "watchfloor", text))
        found += self._tail
        self._tail.clear()
        return found

    def _lines(self, stream: str, data: bytes) -> list[OutputLine]:
        whole = self._line.get(stream, b"") + data
        *lines, rest = whole.split(b"\n")
        while len(rest) > _LONGEST_WAIT:  # a line that never ends is given out in pieces
            lines.append(rest[:LONGEST_LINE])
            rest = rest[LONGEST_LINE:]
        self._line[stream] = rest
        return [kept for line in lines for kept in self._keep(stream, line)]

    def _keep(self, stream: str, data: bytes) -> list[OutputLine]:
        self._seq += 1
        line = OutputLine(self._seq, stream, _shown(data))
        size = len(line.text) + 1
        if self._left >= size and not self._tail:
            self._left -= size
            return [line]
        self._left = 0
        self._tail.append(line)
        self._in_tail += size
        while self._in_tail > self._room and len(self._tail) > 1:
            self._in_tail -= len(self._tail.popleft().text) + 1
            self._dropped += 1
        return []


def _shown(data: bytes) -> str:
    text = data[: LONGEST_LINE * 4].decode(errors="replace").expandtabs(8)
    indent = len(text) - len(text.lstrip(" "))
    return " " * min(indent, 200) + one_line(text, LONGEST_LINE)
