"""What is typed ahead means what it would have meant, had the hands been slower."""

from __future__ import annotations

import asyncio

import pytest
from console_driver import Driver, console
from textual import events
from textual.keys import _character_to_key
from textual.message_pump import MessagePump
from textual.widgets import Static

from watchfloor.console.screens.dialogs import ResolveDialog
from watchfloor.console.screens.silencing import SilenceDialog
from watchfloor.console.turns import ACT_S, LIMIT, Turns


async def at_once(driver: Driver, *keys: str) -> None:
    """Press keys as they arrive in one packet: none waits for what the one before it does."""
    for key in keys:
        name = _character_to_key(key) if len(key) == 1 else key
        driver.app.post_message(events.Key(name, key if len(key) == 1 else None))
    await driver.idle()


async def test_words_typed_behind_the_key_of_the_filter_are_looked_for_and_run_nothing() -> None:
    async with console() as driver:
        await at_once(driver, "3", "/", *"relay", "enter")
        driver.sees("/relay")
        driver.sees_not("Acknowledge", "Resolve")
        assert driver.world.done == []


async def test_a_command_may_be_typed_faster_than_its_line_is_drawn() -> None:
    async with console() as driver:
        await at_once(driver, ":", *"theme nord", "enter")
        assert driver.app.theme_in_use.name == "nord"


async def test_a_question_is_not_answered_by_keys_that_were_meant_for_the_list() -> None:
    async with console(grace=30.0) as driver:
        await at_once(driver, "3", "r", "enter", "enter", "enter")
        assert isinstance(driver.app.screen, ResolveDialog)
        assert driver.world.done == []


async def test_a_key_whose_widget_is_gone_does_not_keep_the_next_one_waiting() -> None:
    async with console() as driver:
        lost = MessagePump()  # takes the word and never hands it on
        waiting = driver.app.turns
        assert not waiting.must_wait(events.Key("j", "j"))
        waiting.follow(lost)
        driver.app.post_message(events.Key("3", "3"))
        await driver.until(lambda: driver.app.current_mode == "alerts")
        await driver.idle()


@pytest.mark.parametrize("keys", ["?", ":", "y", "a", "3s", "3a", "3A", "3r", "3n", "3h", "2x", "+", "T"])
async def test_what_is_closed_before_it_is_made_is_never_missed(
    keys: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with console() as driver:
        await driver.press(*keys[:-1])
        push, closed = driver.app.push_screen, []

        def push_and_close(*given: object, **named: object) -> object:
            pushed = push(*given, **named)  # type: ignore[call-overload]
            closed.append(driver.app.screen)
            driver.app.pop_screen()
            return pushed

        monkeypatch.setattr(driver.app, "push_screen", push_and_close)
        await driver.press(keys[-1])
        monkeypatch.undo()
        await driver.press("?")
        driver.sees("Keys of this screen")
    assert closed, "no screen was pushed"
    assert all(not screen.is_attached for screen in closed)


async def test_no_key_comes_to_a_screen_that_is_not_made_yet(monkeypatch: pytest.MonkeyPatch) -> None:
    made = asyncio.Event()
    spent: list[float] = []

    class Slow(Static):
        async def on_mount(self) -> None:
            await made.wait()

    def overdue(self: Turns, turn: int) -> None:
        spent.append(ACT_S)
        if len(spent) > 10:
            made.set()
        after(self, turn)

    after, asked = Turns._overdue, SilenceDialog.questions
    monkeypatch.setattr("watchfloor.console.turns.ACT_S", 0.01)
    monkeypatch.setattr(Turns, "_overdue", overdue)
    monkeypatch.setattr(SilenceDialog, "questions", lambda self: [Slow(), *asked(self)])
    async with console() as driver:
        await at_once(driver, "3", "s", "escape", "j")
        assert made.is_set()
        assert not isinstance(driver.app.screen, SilenceDialog)
        driver.sees("mail relay")


async def test_somebody_who_leans_on_the_keyboard_fills_no_memory() -> None:
    async with console() as driver:
        waiting = driver.app.turns
        assert not waiting.must_wait(events.Key("j", "j"))
        for _ in range(LIMIT + 10):
            assert waiting.must_wait(events.Key("k", "k"))
        assert len(waiting._waiting) == LIMIT
        waiting._waiting.clear()
        waiting.follow(driver.app)
        await driver.idle()


async def test_a_paste_waits_for_the_line_it_is_meant_for() -> None:
    async with console() as driver:
        driver.app.post_message(events.Key("slash", "/"))
        driver.app.post_message(events.Paste("mail relay"))
        await driver.idle()
        driver.sees("mail relay")
        assert driver.app.room is not None
        assert getattr(driver.app.room, "filter_text", "") == "mail relay"


async def test_keys_that_come_while_the_console_ends_are_nobodys() -> None:
    async with console() as driver:
        app = driver.app
        await driver.press("2")
        app.exit()
        for key in "jjj3/x":
            app.post_message(events.Key(key, key))
    assert not app._running
    await app.on_event(events.Key("j", "j"))
    app.turns._overdue(app.turns._turn)  # nor does a key that took long then look for a screen
