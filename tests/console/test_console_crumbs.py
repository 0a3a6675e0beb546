"""The way gone, on the head of every screen: whole where there is room, without its middle where there is none."""

from __future__ import annotations

import pytest
from console_driver import Driver, console
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from watchfloor.console.crumbs import HEADING, crumbs, shortened
from watchfloor.console.line import Piece, bar, clean, plain, width

NAMES = st.text(max_size=70).map(clean)


@given(st.lists(NAMES, max_size=6), NAMES, st.integers(1, 200))
def test_the_way_is_never_wider_than_its_place_and_gets_shorter_form_by_form(
    way: list[str], name: str, cells: int
) -> None:
    forms = crumbs(way, ((name, "title"),))
    assert [width(form) for form in forms] == sorted({width(form) for form in forms}, reverse=True)
    assert all(width(form) <= HEADING for form in forms[-1:])
    assert width(bar([Piece(forms, 9)], [], cells)) == cells


@given(NAMES, st.integers(0, 80))
def test_what_is_shortened_keeps_both_ends(name: str, cells: int) -> None:
    short = plain(shortened(((name, "title"),), cells))
    assert cell_len(short) <= cells
    if cell_len(name) <= cells:
        assert short == name
    elif cells > 4 and name.isascii():
        tail = (cells - 1) // 2
        assert short == name[: cells - 1 - tail] + "…" + name[-tail:]


async def head(driver: Driver, *keys: str) -> str:
    """The summary after these keys; runs of blanks count as one."""
    await driver.press(*keys)
    return driver.squeezed()[1]


WAYS = (
    ("2", "enter", "enter"),
    ("2", "tab", "enter"),
    ("2", "+", "/", *"schedules", "enter", "enter"),
    ("1", "G", "enter", ":", *"alert 42", "enter", ":", *"service www", "enter"),
)
SHORT = (
    "Jobs › nightly backup › nightly backup #424 ● ok",
    "Jobs › Runs › sync catalogue #431 ◌ waiting",
    "Jobs › new job › schedules 1",
)


@pytest.mark.parametrize(
    ("cells", "longest"),
    [
        (60, "Health › … › #42 › www ● ok http · web · public"),
        (80, "Health › old intranet › #42 › www ● ok http · web · public"),
        (160, "Health › old intranet › #42 › www ● ok http · web · public"),
    ],
)
async def test_the_way_names_room_section_thing_and_detail(cells: int, longest: str) -> None:
    found = []
    for keys in WAYS:
        async with console(size=(cells, 24)) as driver:
            found.append(await head(driver, *keys))
            assert all(cell_len(line) <= cells for line in driver.lines())
    assert found == [*SHORT, longest]
