"""The table of actions is the only list of keys, and everything made from it is right."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from console_driver import console
from test_console_fit import kinds_of_screens

from watchfloor.console.action import Action, Context, Scope
from watchfloor.console.actions import ACTIONS, BY_ID
from watchfloor.console.keymap import BUILT_IN, clashes, shown_key
from watchfloor.console.keys import actions_for, bindings_for
from watchfloor.console.keysheet import keys_page, shipped
from watchfloor.console.line import plain, width
from watchfloor.console.screens.health import HealthRoom
from watchfloor.console.screens.host import ActionHost, together
from watchfloor.console.screens.room import Room
from watchfloor.console.widgets.filter_line import FilterLine, TextLine
from watchfloor.console.widgets.footer import footer

SCREENS = {screen.__name__: screen for screen in kinds_of_screens() if issubclass(screen, ActionHost)}
ROOMS = [screen for screen in SCREENS.values() if issubclass(screen, Room)]


def test_no_key_means_two_things_anywhere() -> None:
    assert [str(clash) for clash in clashes(BUILT_IN, together())] == []


def test_a_clash_is_reported_with_its_key_and_both_actions() -> None:
    found = clashes(BUILT_IN, [frozenset({Scope.OPENS, Scope.SETTINGS})])
    assert [str(clash) for clash in found] == [
        "enter means both change (settings) and open (lists that open)"
    ]


def test_a_key_that_an_action_takes_over_is_bound_to_it_alone_and_only_where_it_works() -> None:
    bound = {key: binding.id for key, binding in bindings_for({Scope.LIST, Scope.HANDLED})}
    assert (bound["s"], bound["f5"], bound["n"], bound["f3"]) == ("silence", "sort", "note", "next_hit")
    assert {key: binding.id for key, binding in bindings_for({Scope.LIST})}["s"] == "sort"


def test_every_screen_is_looked_at_for_clashes() -> None:
    places = together()
    for screen in SCREENS.values():
        assert any(frozenset(screen.SCOPES) <= place for place in places)


@pytest.mark.parametrize("name", SCREENS)
def test_every_action_of_a_screen_has_a_handler_there(name: str) -> None:
    screen = SCREENS[name]
    missing = [
        a.handler
        for scopes in screen.places()
        for a in actions_for(scopes)
        if not callable(getattr(screen, f"do_{a.handler}", None))
    ]
    assert missing == []


@pytest.mark.parametrize("name", SCREENS)
def test_no_screen_binds_keys_by_itself(name: str) -> None:
    assert list(SCREENS[name]._merge_bindings()) == []


async def test_only_the_table_binds_keys() -> None:
    async with console() as driver:
        screen = driver.app.screen
        expected = {action.id for action in actions_for(HealthRoom.SCOPES)}
        assert {binding.id for _, binding in screen._bindings} == expected
        await driver.press("/")
        typing = {action.id for action in actions_for({Scope.TYPING, Scope.FILTER})}
        assert {binding.id for _, binding in driver.app.focused._bindings} == typing  # type: ignore[union-attr]


def test_lines_of_input_have_no_keys_but_those_of_the_table() -> None:
    assert list(TextLine._merge_bindings()) == []
    assert list(FilterLine._merge_bindings()) == []
    bound = {binding.id for _, binding in bindings_for(FilterLine.SCOPES)}
    assert bound == {action.id for action in actions_for({Scope.TYPING, Scope.FILTER})}


def test_the_application_binds_nothing_by_itself() -> None:
    from watchfloor.console.app import WatchfloorApp

    assert list(WatchfloorApp._merge_bindings()) == []


def test_ids_are_unique_and_every_action_explains_itself() -> None:
    assert len(BY_ID) == len(ACTIONS)
    for action in ACTIONS:
        assert action.keys
        assert action.help.endswith("."), action.id
        assert action.scopes, action.id


def test_no_modifier_that_terminals_lose_and_no_key_that_multiplexers_take() -> None:
    typing = actions_for({Scope.TYPING})
    for action in ACTIONS:
        for key in action.keys:
            assert not key.startswith(("alt+", "ctrl+shift+")), key
            assert key != "ctrl+space", key
            assert key != "ctrl+a" or action in typing


def test_the_page_of_keys_is_current() -> None:
    page = Path(__file__).resolve().parents[2] / "docs" / "keys.md"
    remedy = "run: python -m watchfloor.console.keysheet > docs/keys.md"
    assert page.read_text("utf-8") == keys_page(shipped()), remedy


@pytest.mark.parametrize("cells", [36, 58, 78, 118])
@pytest.mark.parametrize("room", ROOMS, ids=lambda room: room.__name__)
def test_the_footer_never_overflows_never_clips_and_always_offers_help(room: type, cells: int) -> None:
    actions = actions_for(room.SCOPES)  # type: ignore[attr-defined]
    line = footer(actions, Context(row=True, undo="acknowledge"), cells)
    text = plain(line)
    assert width(line) <= cells
    assert text.endswith("? help")
    labels = {
        f"{shown_key(a.keys[0])} {a.label_in(Context(row=True, undo='acknowledge'))}"
        for a in actions
        if a.rank
    }
    items = [item.strip() for item in text.split("  ") if item.strip()]
    assert set(items) <= labels


def test_an_action_that_writes_is_impossible_when_read_only_or_away() -> None:
    for action in ACTIONS:
        if action.writes:
            assert action.why_disabled(Context(read_only=True)) == "this console is read-only"
            assert action.why_disabled(Context(away=True)) == "the database is away"


def _harmful(action: Action) -> bool:
    return action.writes and action.id not in (
        "undo",
        "check_now",
        "acknowledge",
        "pause",
        "add_job",
        "save_form",
        "copy_job",
        "pause_job",
        "run_job_with",
        "add_service",
        "copy_service",
        "try_it",
        "add_window",
        "add_rule",
        "copy_rule",
        "switch_rule",
        "copy_window",
        "end_window",
        "silence",
        "note",
        "note_incident",
        "end_silence",
        "extend_silence",
        "edit_silence",
    )


def test_whatever_cannot_be_taken_back_is_marked_as_danger() -> None:
    assert {action.id for action in ACTIONS if _harmful(action)} == {
        action.id for action in ACTIONS if action.danger
    }


async def test_no_single_key_destroys() -> None:
    """Every key of every room, each followed by escape: nothing but what `u` takes back is ever done."""
    undoable = {"set_paused", "check_now", "save_preference", "acknowledge", "unacknowledge"}
    undoable |= {"save_form", "delete_thing", "set_job_paused", "try_service", "end_window", "reopen_window"}
    undoable |= {"set_rule_enabled", "add_silences", "change_silence", "expire_silences", "reinstate_silence"}
    keys = sorted({key for action in ACTIONS for key in action.keys} - {"q", "ctrl+c", "ctrl+q", "enter"})
    for room in "12345":
        async with console(size=(80, 24)) as driver:
            await driver.press(room)
            mode = driver.app.current_mode
            for key in keys:
                if driver.app.current_mode != mode or len(driver.app.screen_stack) > 1:
                    await driver.press(room)
                await driver.press(key, "escape")
            assert {done[0] for done in driver.world.done} <= undoable


async def test_random_keys_never_resolve_reset_or_crash() -> None:
    """Without enter no dialog can be confirmed, so nothing irrevocable may ever happen."""
    dice = random.Random(20)
    keys = sorted({key for action in ACTIONS for key in action.keys} - {"q", "ctrl+c", "ctrl+q", "enter"})
    async with console(size=(80, 24)) as driver:
        for _ in range(400):
            await driver.press(dice.choice(keys))
        assert {done[0] for done in driver.world.done}.isdisjoint(
            {"resolve", "reset_setting", "change_setting"}
        )
