"""Lines of styled text: measuring, clipping, aligning.

A line is a tuple of spans; a span is a text and the name of a role of the theme. Everything the console
draws is a line, so whatever comes from outside passes through `clean` exactly once, here. This module
must never know colours or widgets.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from rich.cells import cell_len, split_text

from watchfloor.domain.text import one_line

Span: TypeAlias = tuple[str, str]
Line: TypeAlias = tuple[Span, ...]

EMPTY: Line = ()


# Terminals disagree about how many cells joined emoji, variation selectors and skin tones take; without
# them every character has one width everywhere and columns stay straight.
_UNSURE = re.compile("[\u200c\u200d\ufe00-\ufe0f\U0001f3fb-\U0001f3ff]")
_FLAGS = {0x1F1E6 + place: letter for place, letter in enumerate("ABCDEFGHIJKLMNOPQRSTUVWXYZ")}
"""Two of these make a flag in some terminals, one cell each in others: they are shown as the letters they stand for."""
_LONGEST = 2_000


def clean(text: str) -> str:
    """`text` as one line that is safe to draw: nothing invisible, nothing of doubtful width."""
    if text.isascii() and text.isprintable() and len(text) <= _LONGEST:
        return text
    line = _UNSURE.sub("", one_line(text, _LONGEST)).translate(_FLAGS)
    return line if line.isprintable() else "".join(c if c.isprintable() else "�" for c in line)


def as_typed(text: str) -> str:
    """`text` character for character as it is drawn where it is edited: what is not safe to draw is a mark.

    >>> as_typed("a\x1b[2Jb")
    'a�[2Jb'
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(c if clean(c) == c else "�" for c in text)


def says(text: str, role: str = "text") -> Line:
    """A line of one span."""
    return ((text, role),)


def plain(line: Line) -> str:
    """The characters of a line without their roles."""
    return "".join(text for text, _ in line)


def width(line: Line) -> int:
    """The cells a line takes on the screen."""
    return sum(cell_len(text) for text, _ in line)


def _head(text: str, cells: int) -> str:
    """As much of a long `text` as decides what is seen of it in `cells` cells; the rest need not be measured."""
    head = text[: 4 * cells]
    return head if len(head) < len(text) and cell_len(head) > cells else text


def clip(text: str, cells: int) -> str:
    """`text` cut to at most `cells` cells, the cut marked by an ellipsis."""
    if cells <= 0:
        return ""
    text = _head(text, cells)
    if cell_len(text) <= cells:
        return text
    if cells == 1:
        return "…"
    head, _ = split_text(text, cells - 1)
    return head.rstrip() + "…"


def fit(text: str, cells: int, align: str = "left") -> str:
    """`text` in exactly `cells` cells, clipped or padded; `align` is ``left`` or ``right``."""
    text = clip(text, cells)
    padding = " " * max(0, cells - cell_len(text))
    return padding + text if align == "right" else text + padding


def clip_line(line: Line, cells: int) -> Line:
    """`line` cut to at most `cells` cells, the cut marked by an ellipsis."""
    line = tuple((_head(text, cells), role) for text, role in line)
    if width(line) <= cells:
        return line
    kept: list[Span] = []
    left = cells
    for index, (text, role) in enumerate(line):
        size = cell_len(text)
        more = any(rest for rest, _ in line[index + 1 :])
        if size < left or (size == left and not more):
            kept.append((text, role))
            left -= size
            continue
        kept.append((clip(text + "…" if size == left else text, left), role))
        break
    return tuple(span for span in kept if span[0])


def fit_line(line: Line, cells: int, align: str = "left") -> Line:
    """`line` in exactly `cells` cells, clipped or padded on the side opposite to `align`."""
    line = clip_line(line, cells)
    padding = cells - width(line)
    if padding <= 0:
        return line
    blank: Span = (" " * padding, "text")
    return (blank, *line) if align == "right" else (*line, blank)


def cut(line: Line, start: int, cells: int) -> Line:
    """The `cells` cells of `line` from cell `start` on; of a wide character cut through, a blank remains."""
    kept: list[Span] = []
    at, end = 0, start + cells
    for text, role in line:
        size = cell_len(text)
        if at < end and at + size > start:
            kept.append(
                (text if start <= at and at + size <= end else _slice(text, start - at, end - at), role)
            )
        at += size
    return tuple(kept)


def _slice(text: str, start: int, end: int) -> str:
    """The characters of `text` in the cells from `start` to before `end`."""
    found: list[str] = []
    at = 0
    for character in text:
        size = cell_len(character)
        inside = max(0, min(at + size, end) - max(at, start))
        found.append(character if inside == size else " " * inside)
        at += size
    return "".join(found)


def join(lines: Iterable[Line], gap: str = "  ", role: str = "muted") -> Line:
    """The lines one after another, with `gap` between those that are not empty."""
    spans: list[Span] = []
    for line in lines:
        if line and spans:
            spans.append((gap, role))
        spans.extend(line)
    return tuple(spans)


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a one-line bar: its forms from the longest to the shortest, and how much it matters.

    Where room is short every piece first takes its shorter forms, then those of lower `rank` disappear. A
    `stiff` piece keeps its long form until all of lower rank have gone.
    """

    forms: tuple[Line, ...]
    rank: int
    stiff: bool = False


def bar(left: Sequence[Piece], right: Sequence[Piece], cells: int, gap: str = "  ") -> Line:
    """One line of exactly `cells` cells with `left` pieces at its left end and `right` ones at its right."""
    pieces = [*left, *right]
    sizes = [[width(form) for form in piece.forms] for piece in pieces]
    chosen = _choose(pieces, sizes, cells, len(gap))
    lines = [
        piece.forms[form] if form is not None else EMPTY for piece, form in zip(pieces, chosen, strict=True)
    ]
    start, end = join(lines[: len(left)], gap), join(lines[len(left) :], gap)
    if not end:
        return fit_line(start, cells)
    return fit_line((*start, (" " * max(0, cells - width(start) - width(end)), "text"), *end), cells)


def _choose(
    pieces: Sequence[Piece], sizes: Sequence[Sequence[int]], cells: int, gap: int
) -> list[int | None]:
    """Which form each piece takes; None: it is left out."""
    chosen: list[int | None] = [0 if piece.forms else None for piece in pieces]

    def fits() -> bool:
        used = [sizes[index][form] for index, form in enumerate(chosen) if form is not None]
        return sum(used) + gap * max(0, len(used) - 1) <= cells

    while not fits() and (steps := _steps(pieces, chosen)):
        _, _, negative = min(steps)
        form = chosen[-negative] or 0
        chosen[-negative] = form + 1 if form + 1 < len(pieces[-negative].forms) else None
    for index in sorted(range(len(pieces)), key=lambda index: -pieces[index].rank):
        kept = chosen[index]
        for form in range(len(pieces[index].forms) if kept is None else kept):
            chosen[index] = form
            if fits():
                break
            chosen[index] = kept
    return chosen


def _steps(pieces: Sequence[Piece], chosen: Sequence[int | None]) -> list[tuple[int, int, int]]:
    """What each piece can still give: how late it should, its rank, its place (negative). One piece stays."""
    present = [(index, form) for index, form in enumerate(chosen) if form is not None]
    steps = []
    for index, form in present:
        piece = pieces[index]
        drops = form + 1 == len(piece.forms)
        if not drops or len(present) > 1:
            steps.append((int(drops) + int(piece.stiff), piece.rank, -index))
    return steps


def beside(left: Sequence[Line], right: Sequence[Line], left_cells: int, gap: int = 3) -> list[Line]:
    """Two columns of lines as one, the left one `left_cells` wide."""
    rows = max(len(left), len(right))
    blank: Span = (" " * gap, "text")
    return [
        (
            *fit_line(left[row] if row < len(left) else EMPTY, left_cells),
            blank,
            *(right[row] if row < len(right) else EMPTY),
        )
        for row in range(rows)
    ]


def _parts(word: str, cells: int) -> list[str]:
    """A word in pieces that have room on a line."""
    parts = []
    while cell_len(word) > cells:
        size = next((n for n in range(cells, 1, -1) if cell_len(word[:n]) <= cells), 1)
        parts.append(word[:size])
        word = word[size:]
    return [*parts, word]


def wrap(text: str, cells: int, role: str = "text", limit: int = 12) -> list[Line]:
    """`text` in at most `limit` lines of at most `cells` cells, folded at spaces if it can be; the last is clipped."""
    words = [part for word in clean(text).split() for part in _parts(word, max(1, cells))]
    lines, current = [], ""
    for position, word in enumerate(words):
        candidate = f"{current} {word}" if current else word
        if cell_len(candidate) <= cells or not current:
            current = candidate
        else:
            lines.append(current)
            current = word
        if len(lines) == limit - 1:
            current = " ".join([current, *words[position + 1 :]])
            break
    if current:
        lines.append(current)
    return [((clip(line, cells), role),) for line in lines]
