"""The habits of every list: filters, marks, holding still, columns, going from one bad row to the next."""

from __future__ import annotations

from dataclasses import replace

import pytest
from console_driver import Driver, console

from watchfloor.console.choices import Choices, restored
from watchfloor.console.rows import Rows
from watchfloor.console.screens.board import BoardRoom


def board(driver: Driver) -> BoardRoom[object]:
    room = driver.app.room
    assert isinstance(room, BoardRoom)
    return room


async def test_a_mistake_in_the_filter_is_said_on_its_line_and_the_rest_still_filters() -> None:
    async with console(size=(160, 30)) as driver:
        await driver.press("/")
        await driver.type("wiki stat:ok")
        driver.sees("▲ no field stat here, but address, component, environment, group, is, kind,")
        await driver.press("enter")
        driver.sees("/wiki stat:ok", "1 / 1 of 24 services")


async def test_the_filter_line_counts_what_is_left() -> None:
    async with console() as driver:
        await driver.press("/")
        await driver.type("~whk")
        driver.sees_not("needs a word")
        await driver.press("escape", "/")
        await driver.type("state:failing")
        driver.sees("2 of 24")


async def test_an_unfinished_quote_is_said_even_on_a_small_screen() -> None:
    async with console(size=(60, 20)) as driver:
        await driver.press("/")
        await driver.type('"a')
        driver.sees("▲ a quote is not closed")


async def test_errors_and_warnings_have_keys_of_their_own() -> None:
    async with console() as driver:
        await driver.press("e")
        assert "✘ failing" in driver.cursor
        await driver.press("w")
        assert "▲ degraded" in driver.cursor or "? unknown" in driver.cursor
        await driver.press("E")
        assert "✘ failing" in driver.cursor
        await driver.press("5", "w")
        driver.sees("no warning is shown")


async def test_space_marks_and_goes_on_and_escape_takes_the_marks_away() -> None:
    async with console() as driver:
        await driver.press("space", "space")
        driver.sees("U 2 rows marked", "•✘ failing shop checkout")
        assert "shop catalogue" in driver.cursor
        await driver.press("k", "space")
        driver.sees("1 row marked")
        await driver.press("escape")
        driver.sees_not("marked", "•")


async def test_a_range_goes_to_the_cursor_and_stays_when_it_is_ended() -> None:
    async with console() as driver:
        await driver.press("v", "j", "j")
        driver.sees("3 rows marked")
        await driver.press("k")
        driver.sees("2 rows marked")
        await driver.press("v", "G")
        driver.sees("2 rows marked")
        await driver.press("U")
        driver.sees_not("marked")


async def test_marks_stay_on_their_rows_and_hidden_ones_do_not_count() -> None:
    async with console() as driver:
        await driver.press("space", "space", "/")
        await driver.type("name:checkout")
        await driver.press("enter")
        driver.sees("1 row marked")
        await driver.press("z", "z")
        driver.world.services = [row for row in driver.world.services if row.name != "shop checkout"]
        await driver.changed("health")
        driver.sees("0 rows marked")


async def test_a_list_that_is_held_stands_still_and_counts_what_changes() -> None:
    async with console() as driver:
        await driver.press("p")
        driver.sees("p held still")
        before = [row for row in driver.world.services if row.name != "wiki"]
        driver.world.services = [replace(before[0], summary="other"), *before[1:]]
        await driver.changed("health")
        driver.sees("held still, 2 changes since", "24 services")
        await driver.press("p")
        driver.sees_not("held still")
        driver.sees("23 services")


async def test_columns_are_hidden_resized_and_sorted_by_in_one_dialog() -> None:
    async with console(size=(120, 40)) as driver:
        driver.sees("KIND")
        await driver.press("c", "j", "j", "space", "escape")
        driver.sees_not("KIND")
        await driver.press("c", "space")
        driver.sees("the first column always stays")
        await driver.press("j", "s", "l", "l", "escape", "g")
        driver.sees("SERVICE▴")
        kept = board(driver).table.choices
        assert kept.hidden == {"KIND"}
        assert kept.widths["SERVICE"] > 15
        await driver.press("c", "r", "escape")
        driver.sees("KIND")


async def test_scrolling_across_leaves_the_first_columns_where_they_are() -> None:
    async with console(size=(80, 24)) as driver:
        driver.sees_not("GROUP")
        await driver.press("right")
        header = driver.line_with("STATE SERVICE")
        assert "GROUP" in header
        driver.sees("✘ failing shop checkout")
        await driver.press("left")
        driver.sees_not("GROUP")


async def test_what_a_person_chose_for_a_list_survives_as_plain_values() -> None:
    async with console(size=(120, 40)) as driver:
        await driver.press("s", "s", "z", "/")
        await driver.type("shop")
        await driver.press("enter", "c", "j", "j", "space", "escape")
        kept = board(driver).keep()
        await driver.press("escape", "s", "c", "r", "escape")
        board(driver).restore(kept)
        await driver.idle()
        driver.sees("SERVICE▴", "/shop", "z faults only")
        driver.sees_not("KIND")
        assert {**board(driver).keep(), "cursor": kept["cursor"]} == kept


def test_choices_of_another_version_do_no_harm() -> None:
    assert restored("x") == Choices()
    assert restored({"sort": 3, "hidden": [1, "KIND"], "widths": {"A": True, "B": 9_999}}) == Choices(
        hidden=frozenset({"KIND"}), widths={"B": 200}
    )
    full = Choices("NAME", True, frozenset({"KIND"}), {"NAME": 12})
    assert restored(full.state()) == full


async def test_a_filter_of_very_many_rows_is_made_ready_while_other_things_happen(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("watchfloor.console.widgets.table.SLICE", 2)
    async with console() as c:
        slices, prepare = [], Rows.prepare

        def slice_(rows: Rows[object], most: int | None = None) -> bool:
            slices.append(most)
            return prepare(rows, most)

        monkeypatch.setattr(Rows, "prepare", slice_)
        await c.press("/")
        assert slices == [2] * 12  # 24 rows, while nobody waits for them
        await c.press("s", "h", "o", "p")
        c.sees("5 of 24")
        await c.press("escape")
        c.world.services = [
            replace(row, name="web catalogue", group="web") if row.name == "shop catalogue" else row
            for row in c.world.services
        ]
        await c.changed("health")
        await c.press("/", "s", "h", "o", "p")
        c.sees("4 of 24")
