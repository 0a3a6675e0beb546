"""Lists of runs go on below: pages are read by key where somebody looks, and what goes on is looked at again."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from random import Random

import pytest
from console_driver import console
from console_world import World

from watchfloor.console.book import MOST, PAGE, Book
from watchfloor.console.screens.job_sections import run_book
from watchfloor.domain.job_boards import FINAL_STATES, RunRow

BASE = World().runs[0].row
STATES = ("succeeded", "dead", "running", "waiting")


def runs(numbers: range, state: str = "succeeded") -> list[RunRow]:
    return [replace(BASE, id=number, state=state) for number in reversed(numbers)]


class Store:
    """Runs by key, as the store has them."""

    def __init__(self, rows: Sequence[RunRow]) -> None:
        self.rows = list(rows)
        self.asked: list[int | None] = []

    async def __call__(self, before: int | None) -> Sequence[RunRow]:
        self.asked.append(before)
        return [row for row in self.rows if before is None or row.id < before][:PAGE]


def read(book: Book[RunRow], store: Store) -> list[RunRow]:
    return list(asyncio.run(_read(book, store)))


async def _read(book: Book[RunRow], store: Store) -> Sequence[RunRow]:
    return await book.read(store)


def test_a_page_below_is_read_when_it_is_wanted_and_only_then() -> None:
    store, book = Store(runs(range(3 * PAGE))), run_book()
    assert read(book, store) == store.rows[:PAGE]
    assert read(book, store) == store.rows[:PAGE]
    assert book.want()
    assert read(book, store) == store.rows[: 2 * PAGE]
    assert store.asked == [None, None, None, 2 * PAGE]


def test_the_end_of_the_list_is_known() -> None:
    store, book = Store(runs(range(PAGE + 5))), run_book()
    read(book, store)
    assert not book.at_oldest
    book.want(9)
    assert read(book, store) == store.rows
    assert book.at_oldest
    assert not book.want()


def test_more_new_runs_than_a_page_leave_no_hole() -> None:
    store, book = Store(runs(range(2 * PAGE))), run_book()
    read(book, store)
    book.want()
    read(book, store)
    store.rows = runs(range(4 * PAGE))
    assert read(book, store) == store.rows[:PAGE]


def test_no_more_is_held_than_may_be() -> None:
    store, book = Store(runs(range(MOST + 3 * PAGE))), run_book()
    read(book, store)
    book.want(10_000)
    assert len(read(book, store)) == MOST
    assert book.is_full
    assert not book.want()


@pytest.mark.parametrize("seed", range(10))
def test_what_goes_on_far_below_is_right_in_the_end(seed: int) -> None:
    dice = Random(seed)
    rows = [replace(row, state=dice.choice(STATES)) for row in runs(range(4 * PAGE))]
    store, book = Store(rows), run_book()
    read(book, store)
    book.want(9)
    read(book, store)
    store.rows = [
        row if row.state in FINAL_STATES else replace(row, state=dice.choice(STATES)) for row in store.rows
    ]
    for _ in range(8):
        read(book, store)
    assert book.rows == store.rows


def world() -> World:
    """A world of 3,000 runs, of which one in a thousand is dead."""
    made = World()
    first = made.runs[0]
    made.runs = [
        replace(first, row=replace(first.row, id=number, state="dead" if number % 1000 == 7 else "succeeded"))
        for number in range(3_000, 0, -1)
    ]
    return made


async def test_the_list_goes_on_below_its_end() -> None:
    async with console(world()) as driver:
        await driver.press("2", "tab")
        driver.sees("1 / 200 runs", "more below")
        await driver.press(*(["ctrl+f"] * 10))
        driver.sees("/ 400 runs", "more below")
        await driver.press("G")
        driver.sees("3 000 / 3 000 runs", "#1 ")


async def test_what_is_rare_is_found_far_below() -> None:
    async with console(world()) as driver:
        await driver.press("2", "tab", "z")
        driver.sees("#2007", "#1007", "#7", "1 / 3 of 3 000 runs")
