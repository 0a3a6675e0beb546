"""The Logs room over more records than it ever holds: it pages by key, both ways, and forgets what is far."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from console_driver import Driver, console
from console_world import NOW, World
from hypothesis import given
from hypothesis import strategies as st

from watchfloor.console.logbook import BEGINNING, MOST, PAGE, Logbook, key
from watchfloor.console.screens.logs import LogsRoom
from watchfloor.domain.boards import LogRow

EVERY = 5_000


def record(number: int) -> LogRow:
    """Record 0 is the oldest; two of them are bad, both far from either end."""
    severity = {1_000: 17, 2_500: 13}.get(number, 9)
    at = NOW - timedelta(seconds=EVERY - number)
    return LogRow(number, at, severity, "watchfloor.engine", "floor-01", f"record {number} of many", {})


def world() -> World:
    made = World()
    made.records = [record(number) for number in reversed(range(EVERY))]
    return made


def room(driver: Driver) -> LogsRoom:
    found = driver.app.room
    assert isinstance(found, LogsRoom)
    return found


async def test_the_end_is_reached_at_once_and_so_is_the_beginning() -> None:
    async with console(world(), size=(100, 24)) as driver:
        await driver.press("4")
        assert "record 4999 " in driver.cursor
        driver.sees("● live")
        before = driver.world.reads.count("logs")
        await driver.press("G")
        assert "record 0 " in driver.cursor
        driver.sees("○ not following")
        assert driver.world.reads.count("logs") - before <= 2
        await driver.press("g")
        assert "record 4999 " in driver.cursor
        driver.sees("● live")


async def test_scrolling_far_and_back_holds_what_is_near_without_holes() -> None:
    async with console(world(), size=(100, 50)) as driver:
        await driver.press("4")
        for _ in range(40):
            await driver.press("pagedown")
            assert len(room(driver).table.rows.all) <= MOST
        held = [row.id for row in room(driver).table.rows.all]
        assert held[0] < EVERY - 1
        assert held == list(range(held[0], held[0] - len(held), -1))
        for _ in range(41):
            await driver.press("pageup")
            assert len(room(driver).table.rows.all) <= MOST
        assert "record 4999 " in driver.cursor


async def test_the_next_error_is_found_beyond_what_is_held() -> None:
    async with console(world(), size=(100, 24)) as driver:
        await driver.press("4", "e")
        assert "record 1000 " in driver.cursor
        await driver.press("e")
        driver.sees("no error before")
        await driver.press("W")
        assert "record 2500 " in driver.cursor
        await driver.press("E")
        driver.sees("no error after")


async def test_a_filter_asks_the_store_and_dropping_it_shows_what_is_around_the_hit() -> None:
    async with console(world(), size=(100, 24)) as driver:
        await driver.press("4", "/")
        await driver.type('"record 77" channel:~wfe !level:error')
        await driver.press("enter", "G")
        assert "record 77 " in driver.cursor
        driver.sees("11 records")
        await driver.press("escape")
        assert "record 77 " in driver.cursor
        driver.sees("record 78 of many", "record 76 of many")


async def test_only_faults_are_asked_for() -> None:
    async with console(world(), size=(100, 24)) as driver:
        await driver.press("4", "z")
        driver.sees("record 2500 of many", "record 1000 of many", "2 records")


async def test_held_logs_stand_still_and_count_what_came() -> None:
    async with console(world(), size=(120, 24)) as driver:
        await driver.press("4", "p")
        newer = replace(record(EVERY), at=NOW + timedelta(seconds=1))
        driver.world.records = [newer, *driver.world.records]
        await driver.changed("logs")
        assert "record 4999 " in driver.cursor
        driver.sees("held still, 1 change since")
        await driver.press("F")
        assert "record 5000 " in driver.cursor
        driver.sees_not("held still")


ALL = [record(number) for number in reversed(range(2 * MOST))]


@given(st.lists(st.sampled_from(("older", "newer", "newest", "oldest")), max_size=30))
def test_a_logbook_is_a_piece_of_the_whole_whatever_is_read(steps: list[str]) -> None:
    book = Logbook()
    book.newest(ALL[:PAGE])
    for step in steps:
        first, last = book.first, book.last
        assert first is not None
        assert last is not None
        if step == "older":
            book.older([row for row in ALL if key(row) < last][:PAGE])
        elif step == "newer":
            newer = [row for row in ALL if key(row) > first]
            book.newer(newer[max(0, len(newer) - PAGE) :])
        elif step == "newest" and book.at_newest:
            book.newest(ALL[:PAGE])
        elif step == "oldest":
            book.open([row for row in ALL if key(row) > BEGINNING][-PAGE:], at_newest=False, at_oldest=True)
        start = ALL.index(book.rows[0])
        assert book.rows == ALL[start : start + len(book.rows)]
        assert len(book.rows) <= MOST
        assert not book.at_newest or start == 0
        assert not book.at_oldest or book.rows[-1] == ALL[-1]
