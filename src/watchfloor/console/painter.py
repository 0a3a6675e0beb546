"""The painter: from what Textual wants on the screen to the fewest bytes that make it so.

Textual repaints regions: one changed character sends a whole table. The painter keeps two pictures, cell by cell, the
one that is wanted and the one that the terminal shows, and sends what differs. So frames may be left out at will: the
next one is always right. It stands between Textual's compositor and the terminal and must never know what it draws,
nor write anything itself.

The names of Textual's compositor that it uses are not public: Textual's version is pinned.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from functools import lru_cache
from math import inf
from typing import NamedTuple

from rich.cells import get_character_cell_size
from rich.color import ColorSystem
from rich.style import Style
from textual._compositor import ChopsUpdate, CompositorUpdate, LayoutUpdate
from textual.strip import Strip

from watchfloor.console.shift import Shift, shift_of

GAP = 3
"""So many unchanged cells between two changed ones are sent again: a movement of the cursor costs as much."""
PENS_KEPT = 4_096
SINGLES_KEPT = 10_000
ODD_KEPT = 256
"""So many texts with wide or combining characters are remembered cell by cell; no more: they change all the time."""

_ATTRIBUTES = (
    ("bold", "1"),
    ("dim", "2"),
    ("italic", "3"),
    ("underline", "4"),
    ("blink", "5"),
    ("reverse", "7"),
    ("conceal", "8"),
    ("strike", "9"),
)
_ENDS = {"1": "22", "2": "22", "3": "23", "4": "24", "5": "25", "7": "27", "8": "28", "9": "29"}
"""What takes each attribute back."""
_WEIGHTS = {"1", "2"}
_SEEN_ON_BLANKS = {"4", "7", "9"}


class Pen(NamedTuple):
    """How a cell is drawn, as the parameters of the terminal's SGR sequence (ECMA-48, 8.3.117)."""

    attributes: tuple[str, ...]
    front: str
    back: str

    @property
    def marks_blanks(self) -> bool:
        """Whether a blank shows more than its background."""
        return not _SEEN_ON_BLANKS.isdisjoint(self.attributes)


PLAIN = Pen((), "39", "49")


@lru_cache(PENS_KEPT)
def change(before: Pen | None, after: Pen) -> str:
    """The shortest sequence that turns one pen into another; None: nothing is known of the first.

    >>> change(PLAIN, Pen(("1",), "31", "49"))
    '\\x1b[1;31m'
    >>> change(Pen(("1",), "31", "44"), Pen((), "31", "44"))
    '\\x1b[22m'
    >>> change(Pen(("1",), "31", "49"), PLAIN)
    '\\x1b[m'
    """
    codes = [*after.attributes, *(c for c, d in ((after.front, "39"), (after.back, "49")) if c != d)]
    anew = f"\x1b[0;{';'.join(codes)}m" if codes else "\x1b[m"
    if before is None:
        return anew
    ends = list(dict.fromkeys(_ENDS[code] for code in before.attributes if code not in after.attributes))
    if "22" in ends and not _WEIGHTS.isdisjoint(after.attributes):
        return anew  # it ends both weights
    codes = [*ends, *(code for code in after.attributes if code not in before.attributes)]
    codes += [after.front] if after.front != before.front else []
    codes += [after.back] if after.back != before.back else []
    onwards = f"\x1b[{';'.join(codes)}m" if codes else ""
    return min(onwards, anew, key=len)


def cells_of(text: str) -> Sequence[str]:
    """A text cell by cell: what takes no cell of its own goes with the one before, the second of a wide one is empty.

    Control characters never pass.

    >>> cells_of("a好e\u0301")
    ('a', '好', '', 'é')
    """
    if not _SINGLE.issuperset(text):
        cells = _told_apart(text)
        if cells != tuple(text) or len(_SINGLE) > SINGLES_KEPT:
            return cells
        _SINGLE.update(cells)
    return text


_SINGLE: set[str] = set()
"""Characters that were found to take one cell: a text of nothing else is its own list of cells."""


@lru_cache(ODD_KEPT)
def _told_apart(text: str) -> tuple[str, ...]:
    cells: list[str] = []
    for character in text:
        size = get_character_cell_size(character)
        if unicodedata.category(character) in ("Cc", "Cs"):
            cells.extend(" " * size)
        elif size > 0:
            cells.append(character)
            cells.extend([""] * (size - 1))
        elif cells:
            last = -1 if cells[-1] or len(cells) == 1 else -2
            cells[last] += character
    return tuple(cells)


class Row:
    """One line of the screen: a text and a pen for each cell. The second cell of a wide character has no text."""

    __slots__ = ("pens", "texts")

    def __init__(self, width: int, text: str = " ", pen: Pen | None = PLAIN) -> None:
        self.texts: list[str] = [text] * width
        self.pens: list[Pen | None] = [pen] * width

    def put(self, x: int, texts: Sequence[str], pens: Sequence[Pen]) -> None:
        """Write cells from `x` on; what would leave half of a wide character makes the other half blank."""
        width = len(self.texts)
        if x < 0 or x >= width or not texts:
            return
        end = min(width, x + len(texts))
        if self.texts[x] == "" and x > 0 and texts[0] != "":
            self.texts[x - 1] = " "
        if end < width and self.texts[end] == "":
            self.texts[end] = " "
        self.texts[x:end] = texts[: end - x]
        self.pens[x:end] = pens[: end - x]
        if end == width and _is_wide(self.texts, end - 1):
            self.texts[end - 1] = " "

    def copy(self, other: Row, x: int, end: int) -> None:
        """Take over the cells of `other` from `x` to before `end`."""
        self.texts[x:end] = other.texts[x:end]
        self.pens[x:end] = other.pens[x:end]


def _is_wide(texts: Sequence[str], x: int) -> bool:
    return bool(texts[x]) and get_character_cell_size(texts[x][0]) > 1


class Painter:
    """The wanted and the shown picture of one terminal, and the way from one to the other."""

    def __init__(self, colours: ColorSystem | None = ColorSystem.TRUECOLOR) -> None:
        self._colours = colours
        self._pens: dict[Style | None, tuple[Pen, Pen]] = {}
        self._known: dict[Pen, Pen] = {}
        self.width = self.height = 0
        self._wanted: list[Row] = []
        self._shown: list[Row] = []
        self._hot: dict[int, None] = {}
        self._dirty: dict[int, None] = {}
        self._pen: Pen | None = None

    @property
    def has_changes(self) -> bool:
        """Whether the terminal may show something else than it should."""
        return bool(self._dirty or self._hot)

    @property
    def is_hurried(self) -> bool:
        """Whether what changed is the answer to a key."""
        return bool(self._hot)

    def forget(self) -> None:
        """Nothing is known of what the terminal shows: the next frame draws every cell."""
        self._shown = [Row(self.width, pen=None) for _ in range(self.height)]
        self._dirty = dict.fromkeys(range(self.height))
        self._pen = None

    def take(self, update: CompositorUpdate, hot: bool = False) -> None:
        """Note what Textual wants on the screen. Lines that are `hot`, the answer to a key, are sent first."""
        lines = self._hot if hot else self._dirty
        if isinstance(update, LayoutUpdate):
            region = update.region
            if (region.width, region.height) != (self.width, self.height):
                self._resize(region.width, region.height)
            for y, strips in enumerate(update.strips, region.y):
                self._put(y, region.x, strips, lines)
        elif isinstance(update, ChopsUpdate):
            for y, first, end in update.spans:
                self._put_chops(y, first, end, update, lines)

    def _resize(self, width: int, height: int) -> None:
        self.width, self.height = width, height
        self._wanted = [Row(width) for _ in range(height)]
        self._hot.clear()
        self.forget()

    def _put(self, y: int, x: int, strips: Iterable[Strip], lines: dict[int, None]) -> None:
        if not 0 <= y < self.height:
            return
        texts: list[str] = []
        pens: list[Pen] = []
        for strip in strips:
            for text, style, control in strip:
                if control:
                    continue
                cells = text if text.isascii() and text.isprintable() else cells_of(text)
                pen, on_blanks = self._pen_of(style)
                texts.extend(cells)
                pens.extend([on_blanks if text.isspace() else pen] * len(cells))
        self._wanted[y].put(x, texts, pens)
        if y not in self._hot:
            lines[y] = None

    def _put_chops(self, y: int, first: int, end: int, update: ChopsUpdate, lines: dict[int, None]) -> None:
        for stop, (x, strip) in zip(update.chop_ends[y], update.chops[y].items(), strict=False):
            if strip is not None and x < end and stop > first:
                self._put(y, x, (strip,), lines)

    def _pen_of(self, style: Style | None) -> tuple[Pen, Pen]:
        """The pen of a style, for text and for blanks. Equal pens are one object, so that `is` compares them."""
        found = self._pens.get(style)
        if found is None:
            if len(self._pens) >= PENS_KEPT:
                self._pens.clear()
            pen = self._one(_pen(style, self._colours))
            blank = pen if pen.marks_blanks else self._one(Pen((), "39", pen.back))
            found = self._pens[style] = pen, blank
        return found

    def _one(self, pen: Pen) -> Pen:
        return self._known.setdefault(pen, pen)

    def frame(self, limit: int | None = None) -> str:
        """What must be sent so that the terminal shows what is wanted, hot lines first.

        With `limit`, about so many characters of it; the rest waits for the next frame.
        """
        sheet = _Sheet(self._pen, inf if limit is None else limit)
        shift = shift_of(self._wanted, self._shown, (*self._hot, *self._dirty))
        if shift is not None:
            self._move_lines(shift, sheet)
        for lines in (self._hot, self._dirty):
            while lines and sheet.room > 0:
                y = next(iter(lines))
                if self._line(y, sheet):
                    del lines[y]
                    self._dirty.pop(y, None)
        self._pen = sheet.pen
        return "".join(sheet.parts)

    def _move_lines(self, shift: Shift, sheet: _Sheet) -> None:
        """Have the terminal move lines by itself; what comes into view there is drawn like everything else."""
        first, end, by = shift
        shown = self._shown
        new = [Row(self.width, pen=None) for _ in range(abs(by))]
        if by < 0:
            shown[first:end] = [*shown[first - by : end], *new]
            step = f"\x1b[{end}H" + "\x1bD" * -by
        else:
            shown[first:end] = [*new, *shown[first : end - by]]
            step = f"\x1b[{first + 1}H" + "\x1bM" * by
        sheet.write(f"\x1b[{first + 1};{end}r{step}\x1b[r")
        for y in range(first, end):
            if y not in self._hot:
                self._dirty[y] = None

    def _line(self, y: int, sheet: _Sheet) -> bool:
        """Write what differs in a line; False where the sheet is full before the end."""
        wanted, shown = self._wanted[y], self._shown[y]
        changed = [
            x
            for x, (text, pen, old, old_pen) in enumerate(
                zip(wanted.texts, wanted.pens, shown.texts, shown.pens, strict=True)
            )
            if text != old or pen is not old_pen
        ]
        at: int | None = None
        for start, end in _runs(changed, wanted) if changed else ():
            if sheet.room <= 0:
                return False
            sheet.write(_move(y, at, start))
            reached, at = sheet.run(wanted, start, end)
            shown.copy(wanted, start, reached)
            if reached < end:
                return False
        return True


class _Sheet:
    """A frame that is being written: its parts, the pen that the terminal has then, and how much room is left."""

    __slots__ = ("parts", "pen", "room")

    def __init__(self, pen: Pen | None, room: float) -> None:
        self.parts: list[str] = []
        self.pen, self.room = pen, room

    def write(self, text: str) -> None:
        self.parts.append(text)
        self.room -= len(text)

    def run(self, row: Row, start: int, end: int) -> tuple[int, int | None]:
        """Write cells until the sheet is full, one at least; the first one not written, and where the cursor stands.

        None where terminals may disagree about that.
        """
        sure = True
        for x in range(start, end):
            text, pen = row.texts[x], row.pens[x]
            if not text:
                continue
            if self.room <= 0 and x > start:
                return x, None
            if pen is not None and pen is not self.pen and not self._blank_alike(text, pen):
                self.write(change(self.pen, pen))
                self.pen = pen
            if not sure:
                self.write(f"\x1b[{x + 1}G")
            self.write(text)
            sure = len(text) == 1 and (text.isascii() or get_character_cell_size(text) == 1)
        return end, end if sure and end < len(row.texts) else None

    def _blank_alike(self, text: str, pen: Pen) -> bool:
        """Whether a blank looks the same with the pen that the terminal has."""
        now = self.pen
        return (
            text == " "
            and now is not None
            and now.back == pen.back
            and not pen.marks_blanks
            and not now.marks_blanks
        )


def _runs(changed: Sequence[int], row: Row) -> Iterable[tuple[int, int]]:
    """Neighbouring changed cells as runs from a whole character to a whole character."""
    start = end = _head(changed[0], row)
    for x in changed:
        if x - end > GAP or (x > end and any(row.pens[i] is not row.pens[x] for i in range(end, x))):
            yield start, _tail(end, row)
            start = _head(x, row)
        end = x + 1
    yield start, _tail(end, row)


def _head(x: int, row: Row) -> int:
    while x > 0 and row.texts[x] == "":
        x -= 1
    return x


def _tail(end: int, row: Row) -> int:
    while end < len(row.texts) and row.texts[end] == "":
        end += 1
    return end


def _move(y: int, at: int | None, x: int) -> str:
    """The shortest movement of the cursor to a cell, from a column of the same line or from anywhere."""
    if at is None or x < at:
        place = (str(y + 1) if y or x else "") + (f";{x + 1}" if x else "")
        return f"\x1b[{place}H"
    if x == at:
        return ""
    return "\x1b[C" if x == at + 1 else f"\x1b[{x - at}C"


def _pen(style: Style | None, colours: ColorSystem | None) -> Pen:
    """The pen of a Rich style; without a colour system no colour at all."""
    if style is None:
        return PLAIN
    attributes = tuple(code for name, code in _ATTRIBUTES if getattr(style, name))
    front, back = "39", "49"
    if colours is not None and style.color is not None:
        front = ";".join(style.color.downgrade(colours).get_ansi_codes(foreground=True))
    if colours is not None and style.bgcolor is not None:
        back = ";".join(style.bgcolor.downgrade(colours).get_ansi_codes(foreground=False))
    return Pen(attributes, front, back)
