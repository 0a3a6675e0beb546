"""Safety of hands: locked, read-only, asked first, read before confirmed, and undone."""

from __future__ import annotations

import pytest
from console_driver import console

from watchfloor.console.action import Context
from watchfloor.console.actions import ACTIONS
from watchfloor.console.keys import actions_for
from watchfloor.console.line import plain
from watchfloor.console.screens.health import HealthRoom
from watchfloor.console.widgets.footer import footer

WRITES = [action for action in ACTIONS if action.writes]


async def test_a_locked_console_says_so_and_does_nothing_until_the_word_is_typed() -> None:
    async with console() as driver:
        await driver.press("L")
        driver.sees("✓ locked: nothing can be changed from here")
        await driver.press("P", "x", "a", "r")
        assert driver.world.done == []
        driver.sees("this console is locked")
        driver.app._end_notice()
        driver.sees("locked L unlock")
        await driver.press("L", "enter")
        driver.sees("Unlock this console", "Type unlock, or esc to leave it locked.")
        await driver.type("unlock")
        await driver.press("enter")
        driver.sees("✓ unlocked")
        await driver.press("x")
        assert driver.world.done != []


async def test_a_locked_console_is_unlocked_by_the_typed_command_and_locked_by_one() -> None:
    async with console() as driver:
        for line in ("lock", "unlock", "lock"):
            await driver.press(":")
            await driver.type(line)
            await driver.press("enter")
            assert driver.app.locked is (line == "lock")
        await driver.press(":")
        await driver.type("pause wiki")
        await driver.press("enter")
        driver.sees("Not now: this console is locked.")


async def test_an_operation_is_refused_by_a_locked_console_however_it_was_asked() -> None:
    async with console() as driver:
        await driver.press("3", "a")  # the question is open before the console is locked
        driver.app.lock(True)
        await driver.press("enter")
        driver.sees("✘ not done: this console is locked")
        assert driver.world.done == []


async def test_the_lock_is_shown_on_terminals_without_a_status_bar() -> None:
    async with console(size=(40, 10)) as driver:
        await driver.press("L")
        driver.app._end_notice()
        await driver.idle()
        driver.sees("locked enter see why")
    async with console(size=(40, 10), read_only=True) as driver:
        driver.sees("read-only enter see why")


async def test_a_read_only_console_hides_what_changes_and_help_says_why() -> None:
    async with console(read_only=True) as driver:
        assert not any(word in driver.lines()[-1] for word in ("acknowledge", "resolve", "pause", "check"))
        driver.sees("read-only")
        await driver.press("?")
        await driver.type("resolve")
        driver.sees("not now: this console is read-only")
        await driver.press("enter")
        for key in ("a", "r", "P", "x", "u"):
            await driver.press(key)
        assert driver.world.done == []


def test_the_footer_of_a_read_only_console_offers_nothing_that_changes_something() -> None:
    text = plain(footer(actions_for(HealthRoom.SCOPES), Context(row=True, read_only=True), 200))
    assert not any(action.label in text for action in WRITES)


async def test_what_cannot_be_taken_back_is_not_confirmed_by_keys_that_came_before_the_question() -> None:
    async with console(grace=30.0) as driver:
        await driver.press("3", "r", "enter")
        driver.sees("That came before the question was on the screen: enter again.")
        assert driver.world.done == []
        driver.app.grace = 0.0
        await driver.press("enter")
        assert driver.world.done[-1][0] == "resolve"


async def test_a_setting_that_is_confirmed_unchanged_stays_where_it_came_from() -> None:
    async with console() as driver:
        await driver.press("5", "enter", "enter", "enter")
        driver.sees("It is 512 already: type another value.")
        assert driver.world.done == []


async def test_questions_name_what_and_how_many() -> None:
    async with console() as driver:
        await driver.press("3", "r")
        driver.sees("Resolve #42 shop checkout is failing", "Closes one alert.")
        await driver.press("escape", "5", "/", *"source:database", "enter", "R")
        driver.sees("Reset ", "to its default", "One setting changes.")


@pytest.mark.parametrize("size", [(20, 5), (40, 10), (60, 20), (80, 24)], ids=str)
async def test_no_question_and_no_hint_is_clipped_at_any_size(size: tuple[int, int]) -> None:
    async with console(size=size) as driver:
        for keys in (("3", "a"), ("3", "r"), ("5", "enter"), ("L", "L"), ("?",), (":",)):
            await driver.press(*keys)
            lines = driver.lines()
            assert "enter" in "\n".join(lines[-6:]), keys  # the keys of the dialog are on the screen
            if size[0] >= 40:
                box = [line for line in lines if line.lstrip().startswith("│") or "│" in line]
                questions = [line for line in box if "…" in line]
                assert not questions or keys in (("?",), (":",)), "\n".join(lines)
            await driver.home()
            driver.app.locked = False


async def test_the_undo_of_a_pause_is_offered_and_ends() -> None:
    async with console() as driver:
        await driver.press("j", "P")
        driver.sees("✓ paused mail relay u undo")
        await driver.press("u")
        driver.sees("✓ resumed mail relay")
        assert [done[0] for done in driver.world.done] == ["set_paused", "set_paused"]
        assert driver.app.undo is None
