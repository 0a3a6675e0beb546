"""Lines that only moved are moved by the terminal itself; what it shows then is still what a repaint would show."""

from __future__ import annotations

import pyte
from console_far import seen
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.segment import Segment
from rich.style import Style
from test_console_painter import STRIPS, STYLES, strip_of
from textual._compositor import LayoutUpdate
from textual.geometry import Region
from textual.strip import Strip

from watchfloor.console.painter import Painter
from watchfloor.console.shift import shift_of

WIDTH, HEIGHT, HEAD, FOOT = 24, 16, 2, 2
PAGE = HEIGHT - HEAD - FOOT


def emulator() -> tuple[pyte.Screen, pyte.Stream]:
    screen = pyte.Screen(WIDTH, HEIGHT)
    screen.reset_mode(pyte.modes.DECAWM)
    return screen, pyte.Stream(screen)


def repainted(painter: Painter) -> list[list[object]]:
    fresh = Painter()
    fresh.width, fresh.height, fresh._wanted = painter.width, painter.height, painter._wanted
    fresh.forget()
    screen, stream = emulator()
    stream.feed(fresh.frame())
    return seen(screen)


def window(lines: list[Strip], top: int, cursor: int, beside: int = 0) -> LayoutUpdate:
    """A list scrolled to `top` between a head and a foot that stay; `beside` it may stand something that stays too."""
    fixed = [Strip([Segment(f"{word:<{WIDTH}}", STYLES[3])]) for word in ("head", "titles", "status", "keys")]
    shown = lines[top : top + PAGE]
    page = [
        Strip(
            [
                Segment("▌" if y == cursor else " ", STYLES[1]),
                *line.crop(0, WIDTH - 1 - beside),
                Segment(str(y).rjust(beside), None) if beside else Segment(""),
            ]
        )
        for y, line in enumerate(shown)
    ]
    page += [Strip([Segment(" " * WIDTH, STYLES[2])])] * (PAGE - len(page))
    whole = [*fixed[:HEAD], *page, *fixed[HEAD:]]
    return LayoutUpdate([[strip] for strip in whole], Region(0, 0, WIDTH, HEIGHT))


CHANGES = st.tuples(
    st.integers(-PAGE - 2, PAGE + 2),
    st.integers(0, PAGE - 1),
    st.lists(st.tuples(st.integers(0, 39), STRIPS), max_size=2),
    st.sampled_from([None, 1, 200]),
)


@settings(settings.get_profile("thorough"), max_examples=200)
@given(
    lines=st.lists(STRIPS, min_size=40, max_size=40),
    beside=st.sampled_from([0, 0, 6]),
    changes=st.lists(CHANGES, min_size=1, max_size=8),
)
def test_a_list_that_scrolls_shows_what_a_full_repaint_shows(
    lines: list[list[tuple[str, Style | None]]],
    beside: int,
    changes: list[tuple[int, int, list[tuple[int, list[tuple[str, Style | None]]]], int | None]],
) -> None:
    made = [strip_of([(f"{place} ", STYLES[0]), *pieces], WIDTH) for place, pieces in enumerate(lines)]
    painter, (screen, stream), top = Painter(), emulator(), 0
    painter.take(window(made, top, 0, beside))
    stream.feed(painter.frame())
    for step, cursor, others, limit in changes:
        top = max(0, min(top + step, len(made) - PAGE // 2))
        for place, pieces in others:
            made[place] = strip_of(pieces, WIDTH)
        painter.take(window(made, top, cursor, beside), hot=step % 2 == 0)
        while painter.has_changes:
            stream.feed(painter.frame(limit))
            if limit == 1 and cursor % 2:  # the next change comes before all of this one was sent
                break
    while painter.has_changes:
        stream.feed(painter.frame())
    assert seen(screen) == repainted(painter)


def numbered(count: int = 60) -> list[Strip]:
    return [strip_of([(f"{place * 7_919_317 % 999_983:012b}", STYLES[3])], WIDTH) for place in range(count)]


def test_a_list_that_scrolls_by_a_line_costs_a_line_and_not_a_page() -> None:
    painter = Painter()
    painter.take(window(numbered(), 0, PAGE - 1))
    painter.frame()
    painter.take(window(numbered(), 1, PAGE - 1))
    down = painter.frame()
    painter.take(window(numbered(), 0, PAGE - 1))
    up = painter.frame()
    assert "\x1bD" in down
    assert "\x1bM" in up
    assert max(len(down), len(up)) < 150 + 2 * WIDTH


def test_what_scrolls_beside_something_that_stays_is_moved_only_where_that_saves() -> None:
    painter = Painter()
    painter.take(window(numbered(), 0, 0, beside=18))
    painter.frame()
    painter.take(window(numbered(), 1, 0, beside=18))
    assert "\x1bD" not in painter.frame()


def test_a_list_that_is_replaced_or_blank_is_not_moved() -> None:
    painter = Painter()
    painter.take(window(numbered(), 0, 0))
    painter.frame()
    painter.take(window(numbered()[40:], 0, 0))
    assert shift_of(painter._wanted, painter._shown, range(HEIGHT)) is None
    painter.frame()
    painter.take(window([], 0, 0))
    assert shift_of(painter._wanted, painter._shown, range(HEIGHT)) is None
