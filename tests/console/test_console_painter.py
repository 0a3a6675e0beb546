"""What the terminal shows is what a repaint of everything would show, whatever was sent to get there."""

from __future__ import annotations

import re

import pyte
import pytest
from console_far import seen
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.color import ColorSystem
from rich.segment import Segment
from rich.style import Style
from textual._compositor import ChopsUpdate, CompositorUpdate, LayoutUpdate
from textual.geometry import Region
from textual.strip import Strip

from watchfloor.console.painter import PLAIN, Painter, Pen, cells_of, change

WIDTH, HEIGHT = 12, 4
STYLES = (
    None,
    Style(color="red"),
    Style(bgcolor="#102030"),
    Style(color="#ffffff", bgcolor="#102030", bold=True),
    Style(color="blue", underline=True),
    Style(reverse=True),
    Style(italic=True, dim=True, strike=True),
)
LETTERS = "ab 1─▌⣿好한e"
# A combining accent follows a letter that has a composed form, so that the emulator keeps both as one cell.
PIECES = st.sampled_from([*LETTERS, "e\u0301", "  ", "好好"])


def strip_of(pieces: list[tuple[str, Style | None]], width: int) -> Strip:
    return Strip([Segment(text, style) for text, style in pieces]).adjust_cell_length(width, STYLES[2])


STRIPS = st.lists(st.tuples(PIECES, st.sampled_from(STYLES)), max_size=WIDTH)
WHOLE = st.lists(STRIPS, min_size=HEIGHT, max_size=HEIGHT).map(
    lambda lines: LayoutUpdate([[strip_of(line, WIDTH)] for line in lines], Region(0, 0, WIDTH, HEIGHT))
)


@st.composite
def part(draw: st.DrawFn) -> ChopsUpdate:
    """A region as the compositor sends it: each of its lines in one chop, and chops beside it that are not drawn."""
    x = draw(st.integers(0, WIDTH - 1))
    end = draw(st.integers(x + 1, WIDTH))
    y = draw(st.integers(0, HEIGHT - 1))
    last = draw(st.integers(y + 1, HEIGHT))
    cuts = sorted({0, x, end, WIDTH})
    chops: list[dict[int, Strip | None]] = [dict.fromkeys(cuts[:-1]) for _ in range(HEIGHT)]
    for line in range(y, last):
        chops[line][x] = strip_of(draw(STRIPS), end - x)
    return ChopsUpdate(chops, [(line, x, end) for line in range(y, last)], [cuts[1:]] * HEIGHT)


class Emulator:
    """A terminal that is fed with what a painter sends."""

    def __init__(self) -> None:
        self.screen = pyte.Screen(WIDTH, HEIGHT)
        self.screen.reset_mode(pyte.modes.DECAWM)
        self.stream = pyte.Stream(self.screen)

    def feed(self, data: str) -> list[list[object]]:
        self.stream.feed(data)
        return seen(self.screen)


def repainted(painter: Painter) -> list[list[object]]:
    """What a fresh terminal shows after everything that is wanted was sent to it."""
    fresh = Painter()
    fresh.width, fresh.height, fresh._wanted = painter.width, painter.height, painter._wanted
    fresh.forget()
    return Emulator().feed(fresh.frame())


@settings(settings.get_profile("thorough"), max_examples=400)
@given(first=WHOLE, updates=st.lists(st.tuples(st.one_of(part(), WHOLE), st.booleans()), max_size=8))
def test_the_terminal_shows_what_a_full_repaint_shows(
    first: LayoutUpdate, updates: list[tuple[CompositorUpdate, bool]]
) -> None:
    painter, emulator = Painter(), Emulator()
    painter.take(first)
    assert emulator.feed(painter.frame()) == repainted(painter)
    for update, hot in updates:
        painter.take(update, hot)
        assert emulator.feed(painter.frame()) == repainted(painter)
        assert not painter.has_changes
        assert painter.frame() == ""


@given(updates=st.lists(st.tuples(st.one_of(part(), WHOLE), st.booleans()), min_size=1, max_size=8))
def test_frames_that_were_left_out_or_cut_short_do_not_matter(
    updates: list[tuple[CompositorUpdate, bool]],
) -> None:
    painter, emulator = Painter(), Emulator()
    painter.take(LayoutUpdate([[strip_of([], WIDTH)]] * HEIGHT, Region(0, 0, WIDTH, HEIGHT)))
    for update, hot in updates:
        painter.take(update, hot)
        emulator.feed(painter.frame(limit=1))
    while painter.has_changes:
        emulator.feed(painter.frame(limit=1))
    assert seen(emulator.screen) == repainted(painter)


@given(
    lines=st.lists(
        st.lists(st.tuples(PIECES, st.sampled_from(STYLES)), max_size=WIDTH), min_size=HEIGHT, max_size=HEIGHT
    )
)
def test_a_repaint_shows_what_textual_itself_would_show(lines: list[list[tuple[str, Style | None]]]) -> None:
    strips = [strip_of(line, WIDTH) for line in lines]
    own, textual = Emulator(), Emulator()
    painter = Painter()
    painter.take(LayoutUpdate([[strip] for strip in strips], Region(0, 0, WIDTH, HEIGHT)))
    for y, strip in enumerate(strips):
        drawn = "".join(
            segment.style.render(segment.text, color_system=ColorSystem.TRUECOLOR)
            if segment.style
            else segment.text
            for segment in strip
        )
        textual.feed(f"\x1b[{y + 1}H{drawn}")
    assert own.feed(painter.frame()) == seen(textual.screen)


def painted(*lines: str, width: int = 80, style: Style | None = None) -> Painter:
    painter = Painter()
    painter.take(whole(*lines, width=width, style=style))
    painter.frame()
    return painter


def whole(*lines: str, width: int = 80, style: Style | None = None) -> LayoutUpdate:
    strips = [[Strip([Segment(line.ljust(width), style)])] for line in lines]
    return LayoutUpdate(strips, Region(0, 0, width, len(lines)))


COSTLY = Style(color="#c8d2dc", bgcolor="#182028", bold=True)


@pytest.mark.parametrize("width", [80, 160, 500])
def test_one_changed_cell_costs_at_most_60_bytes_whatever_its_place_and_look(width: int) -> None:
    before = Style(color="#000001", bgcolor="#000002", italic=True)
    lines = [Strip([Segment("x" * width, before)])] * 200
    painter = Painter()
    painter.take(LayoutUpdate([[line] for line in lines], Region(0, 0, width, 200)))
    painter.frame()
    lines[199] = Strip([Segment("x" * (width - 1), before), Segment("▌", COSTLY)])
    painter.take(LayoutUpdate([[line] for line in lines], Region(0, 0, width, 200)))
    assert 0 < len(painter.frame().encode()) <= 60


def test_what_did_not_change_is_not_sent() -> None:
    painter = painted("one", "two")
    painter.take(whole("one", "two"))
    assert painter.frame() == ""


def test_a_change_of_the_pen_that_no_blank_shows_is_not_sent() -> None:
    painter = painted("", style=Style(color="red"))
    painter.take(whole("", style=Style(color="blue")))
    assert painter.frame() == ""


def test_the_answer_to_a_key_is_sent_first() -> None:
    painter = painted("one", "two", "three")
    painter.take(whole("ONE", "two", "three"))
    painter.take(
        ChopsUpdate([{}, {}, {0: Strip([Segment("T")])}], [(2, 0, 1)], [[], [], [1]]),
        hot=True,
    )
    assert painter.is_hurried
    assert painter.frame(limit=1) == "\x1b[3HT"
    assert not painter.is_hurried
    assert painter.frame() == "\x1b[HONE"


def test_a_new_size_is_painted_whole() -> None:
    painter = painted("one", "two")
    painter.take(whole("one", "two", "three", width=20))
    frame = painter.frame()
    assert all(word in frame for word in ("one", "two", "three"))


def test_what_was_forgotten_is_painted_whole() -> None:
    painter = painted("one", "two")
    painter.forget()
    assert "one" in painter.frame()


def test_no_control_character_passes_whatever_a_widget_says() -> None:
    painter = Painter()
    painter.take(whole("a\x1b[31mb\x07\x9bc\r\n", width=20))
    assert re.sub(r"\x1b\[[0-9;]*[HmGC]", "", painter.frame()).isprintable()


def test_without_a_colour_system_no_colour_is_sent() -> None:
    painter = Painter(None)
    painter.take(whole("a", style=COSTLY))
    assert "38;" not in painter.frame()


@given(st.text())
def test_a_text_takes_as_many_cells_as_textual_counts(text: str) -> None:
    cells = cells_of(text)
    assert all(cell == "" or ord(cell[0]) >= 32 for cell in cells)
    assert sum(1 for cell in cells if cell == "") <= len(cells) // 2


def test_attributes_that_end_are_taken_back_at_once() -> None:
    assert change(Pen(("1",), "31", "49"), Pen((), "31", "49")) == "\x1b[22m"
    assert change(Pen(("1", "2"), "31", "44"), Pen(("1",), "31", "44")) == "\x1b[0;1;31;44m"
    assert change(Pen(("4", "7"), "39", "44"), Pen(("4",), "31", "44")) == "\x1b[27;31m"
    assert change(None, PLAIN) == "\x1b[m"
