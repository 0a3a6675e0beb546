"""The output of an attempt as lines worth keeping: masked, safe to show, its head and its tail.

Whatever a job prints, and however much of it, this takes bounded memory and never stops reading. Once the head is
full a line costs next to nothing: only what is left of the tail in the end is made fit to be kept.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from datetime import datetime
from itertools import islice

from watchfloor.domain.levels import INFO, level_of
from watchfloor.domain.masking import Masker
from watchfloor.domain.text import clean

LONGEST_LINE = 8192
HEAD = 256 * 1024
TAIL = 768 * 1024
PER_LINE = 16
"""What a line counts beside its bytes: empty ones take room, too."""

_LONGEST_WAIT = 4 * LONGEST_LINE
_MARGIN = 4096
"""Of a line that never ends, so many last bytes may be the beginning of a control sequence or of a character."""

_INTRODUCERS = (b"\x1b", b"\xc2")

_Raw = tuple[int, datetime | None, str, bytes]


@dataclass(frozen=True, slots=True)
class OutputLine:
    """One line: its number in the attempt (from 1), the stream it came on, its text, its level, when it came."""

    seq: int
    stream: str
    text: str
    level: int = INFO
    at: datetime | None = None


class RunOutput:
    """The lines of one attempt. The head is given out as it comes, the tail at the end, with what was left out."""

    def __init__(self, masker: Masker, head: int = HEAD, tail: int = TAIL) -> None:
        """``head`` and ``tail`` are in bytes."""
        self._masker = masker
        self._left, self._room = head, tail
        self._raw: dict[str, bytes] = {}
        self._line: dict[str, bytes] = {}
        self._tail: deque[_Raw] = deque()
        self._in_tail = 0
        self._seq = self._dropped = 0

    def feed(self, stream: str, chunk: bytes, at: datetime | None = None) -> list[OutputLine]:
        """Take a piece of output that came at a moment; returns the lines to keep at once."""
        raw = self._raw.get(stream, b"") + chunk
        ready = self._masker.ready(raw)
        self._raw[stream] = raw[ready:]
        return self._lines(stream, self._masker.hide(raw[:ready]), at)

    def end(self, at: datetime | None = None) -> list[OutputLine]:
        """What is left when nothing more comes: unfinished lines, and the tail."""
        found: list[OutputLine] = []
        for stream in list(self._raw):
            found += self._lines(stream, self._masker.hide(self._raw.pop(stream)), at)
            if rest := self._line.pop(stream, b""):
                found += self._keep(stream, [rest], at)
        if self._dropped:
            text = f"… {self._dropped:,} lines left out: only the head and the tail of so much are kept …"
            seq, when = (self._tail[0][0] - 1, self._tail[0][1]) if self._tail else (self._seq, at)
            found.append(OutputLine(seq, "watchfloor", text, at=when))
        found += [self._finished(raw) for raw in self._tail]
        self._tail.clear()
        return found

    @property
    def holds_back(self) -> bool:
        """Whether lines are kept back for the end."""
        return bool(self._tail)

    def latest(self, count: int) -> list[OutputLine]:
        """The last lines so far of those that are kept back for the end, for people who watch."""
        return [self._finished(raw) for raw in reversed(list(islice(reversed(self._tail), count)))]

    def _lines(self, stream: str, data: bytes, at: datetime | None) -> list[OutputLine]:
        whole = self._line.get(stream, b"") + data
        *lines, rest = whole.split(b"\n")
        if len(rest) > _LONGEST_WAIT:
            rest = self._masked_but_its_end(rest)
        while len(rest) > _LONGEST_WAIT:  # a line that never ends is given out in pieces
            lines.append(rest[:LONGEST_LINE])
            rest = rest[LONGEST_LINE:]
        self._line[stream] = rest
        return self._keep(stream, lines, at)

    def _keep(self, stream: str, lines: list[bytes], at: datetime | None) -> list[OutputLine]:
        head = []
        for number, data in enumerate(lines):
            size = min(len(data), LONGEST_LINE) + PER_LINE
            if self._left < size or self._tail:
                self._left = 0
                self._keep_back(stream, lines[number:], at)
                break
            self._left -= size
            self._seq += 1
            head.append(self._finished((self._seq, at, stream, data)))
        return head

    def _keep_back(self, stream: str, lines: list[bytes], at: datetime | None) -> None:
        tail, room, held = self._tail, self._room, self._in_tail
        for seq, data in enumerate(lines, self._seq + 1):
            short = len(data) <= LONGEST_LINE * 4
            cut = data if short else self._masked(data).encode()[: LONGEST_LINE * 4]
            tail.append((seq, at, stream, cut))
            held += len(cut) + PER_LINE
            while held > room and len(tail) > 1:
                held -= len(tail.popleft()[3]) + PER_LINE
                self._dropped += 1
        self._seq += len(lines)
        self._in_tail = held

    def _masked(self, data: bytes) -> str:
        return self._masker.line(data.decode(errors="replace"))

    def _masked_but_its_end(self, rest: bytes) -> bytes:
        """A line that has no end yet, so that it can be cut anywhere before its last bytes."""
        end = len(rest) - _MARGIN
        begun = max(rest.rfind(introducer, end - _MARGIN, end) for introducer in _INTRODUCERS)
        end = begun if begun > 0 else end
        while rest[end] & 0xC0 == 0x80 and end > len(rest) - 2 * _MARGIN:  # in the middle of a character
            end -= 1
        return self._masked(rest[:end]).encode() + rest[end:]

    def _finished(self, raw: _Raw) -> OutputLine:
        seq, at, stream, data = raw
        shown = clean(self._masked(data.rstrip(b"\r")), LONGEST_LINE).rstrip()
        return OutputLine(seq, stream, shown, level_of(stream, shown), at)
