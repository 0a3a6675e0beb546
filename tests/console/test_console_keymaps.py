"""Key maps: every action can have other keys, mistakes are told with their place, and what is saved is in force."""

from __future__ import annotations

import string
from pathlib import Path

import pytest
from console_driver import Driver, console
from console_world import World
from hypothesis import given
from hypothesis import strategies as st

from watchfloor.config.problems import ConfigError
from watchfloor.console.action import Scope
from watchfloor.console.actions import ACTIONS, BY_ID
from watchfloor.console.keymap import (
    BUILT_IN,
    DELIVERED,
    MULTIPLEXED,
    TYPED,
    Keymap,
    clashes,
    key_name,
    shown_key,
    textual_key,
    types_character,
    undelivered,
)
from watchfloor.console.keymaps import Keymaps, read_keymap
from watchfloor.console.keysheet import shipped
from watchfloor.console.places import directories
from watchfloor.console.screens.host import together

CHARACTERS = [each for each in string.printable if each.isprintable() and each != " "]
KEYS = sorted(DELIVERED - MULTIPLEXED) + CHARACTERS
FREE = ["f12", "ctrl+g", "ctrl+x"]
"""Keys that no action has by itself."""


def written(folder: Path, text: str, name: str = "mine") -> Path:
    path = folder / "keymaps" / f"{name}.yaml"
    path.parent.mkdir(exist_ok=True)
    path.write_text(text, "utf-8")
    return path


def mistakes(folder: Path, text: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        read_keymap(written(folder, text), together())
    return [str(problem) for problem in caught.value.problems]


def maps(folder: Path) -> Keymaps:
    return Keymaps([*directories("keymaps")[:2], folder / "keymaps"], together())


def test_no_action_has_one_of_the_keys_these_tests_take_for_free() -> None:
    assert not {key for action in ACTIONS for key in action.keys} & set(FREE)


@pytest.mark.parametrize("action_id", BY_ID)
def test_every_action_can_have_another_key(action_id: str, tmp_path: Path) -> None:
    keymap = read_keymap(written(tmp_path, f"keys: {{{action_id}: [f12, ctrl-g]}}"), together())
    assert keymap.keys[action_id] == ("f12", "ctrl+g")
    others = {action.id: action.keys for action in ACTIONS if action.id != action_id}
    assert {each: keys for each, keys in keymap.keys.items() if each != action_id} == others


def meant(one: str, other: str) -> bool:
    """Whether one of two actions takes a key over from the other on purpose."""
    return other in BY_ID[one].over or one in BY_ID[other].over


@given(
    st.dictionaries(st.sampled_from(sorted(BY_ID)), st.lists(st.sampled_from(KEYS), max_size=3), max_size=6)
)
def test_clashes_are_those_a_naive_search_finds(changes: dict[str, list[str]]) -> None:
    keys = {**BUILT_IN.keys, **{action_id: tuple(each) for action_id, each in changes.items()}}
    found = {
        (clash.key, clash.one.id, clash.other.id) for clash in clashes(Keymap("m", "M", keys), together())
    }
    wanted = set()
    for place in together():
        here = [action.id for action in ACTIONS if action.scopes & place]
        for key in {key for action_id in here for key in keys[action_id]}:
            holders = [action_id for action_id in here if key in keys[action_id]]
            wanted |= {(key, holders[0], each) for each in holders[1:] if not meant(holders[0], each)}
    assert found == wanted


@given(st.sampled_from(KEYS))
def test_a_key_is_read_as_it_is_shown(key: str) -> None:
    assert key_name(shown_key(key)) == key
    assert key_name(textual_key(key)) == key
    assert undelivered(key) is None


def test_what_is_said_to_be_delivered_is_known_to_the_terminal_driver() -> None:
    from textual._ansi_sequences import ANSI_SEQUENCES_KEYS

    known = {
        str(getattr(key, "value", key))
        for keys in ANSI_SEQUENCES_KEYS.values()
        if isinstance(keys, tuple)
        for key in keys
    }
    assert known >= DELIVERED


def test_the_shipped_maps_are_good_and_there_are_four() -> None:
    assert {keymap.name for keymap in shipped()} >= {"vim", "k9s", "htop", "less"}


@pytest.mark.parametrize("keymap", [BUILT_IN, *shipped()], ids=lambda keymap: keymap.name)
def test_in_every_map_help_is_at_hand_and_nothing_dangerous_is_confirmed_by_being_held_down(
    keymap: Keymap,
) -> None:
    assert keymap.keys["help"]
    for action in ACTIONS:
        if action.danger:
            assert not set(keymap.keys[action.id]) & set(keymap.keys["confirm"])
        if action.scopes & TYPED:
            assert not any(types_character(key) for key in keymap.keys[action.id])


def test_an_unknown_action_is_told_with_its_place_and_the_nearest_name(tmp_path: Path) -> None:
    assert mistakes(tmp_path, "label: Mine\nkeys:\n  chek_now: c\n") == [
        'keymaps/mine.yaml:3:3: keys.chek_now: there is no such action. Did you mean "check_now"?'
    ]


def test_two_actions_on_one_key_are_told_with_both_and_where_they_meet(tmp_path: Path) -> None:
    assert mistakes(tmp_path, "keys:\n  check_now: s\n") == [
        "keymaps/mine.yaml:2:3: keys.check_now: s means both check_now (services) and sort (lists). "
        "By itself sort has this key: give it another one in this file too."
    ]
    assert mistakes(tmp_path, "keys:\n  check_now: f12\n  sort: [f12]\n") == [
        "keymaps/mine.yaml:3:3: keys.sort: f12 means both check_now (services) and sort (lists). "
        "Give one of them another key."
    ]


@pytest.mark.parametrize(
    ("key", "why"),
    [
        ("alt-x", "not every terminal sends this key"),
        ("ctrl-shift-x", "not every terminal sends this key"),
        ("ctrl-enter", "not every terminal sends this key"),
        ("ctrl-m", "this is the same key as enter"),
        ("ctrl-i", "this is the same key as tab"),
        ("ctrl-b", "screen and tmux keep this key for themselves"),
        ("ctrl-space", "screen and tmux keep this key for themselves"),
        ("hyperspace", "there is no such key"),
    ],
)
def test_keys_that_may_never_arrive_are_refused(key: str, why: str, tmp_path: Path) -> None:
    (problem,) = mistakes(tmp_path, f"keys:\n  check_now: {key}\n")
    assert problem.startswith("keymaps/mine.yaml:2:14: keys.check_now: ")
    assert why in problem


def test_a_key_that_tmux_keeps_is_fine_as_a_second_one(tmp_path: Path) -> None:
    keymap = read_keymap(written(tmp_path, "keys: {page_up: [pgup, ctrl-b]}"), together())
    assert keymap.keys["page_up"] == ("pageup", "ctrl+b")


def test_a_character_cannot_be_a_key_where_people_type(tmp_path: Path) -> None:
    for action in ACTIONS:
        if action.scopes & {Scope.TYPING, Scope.FILTER, Scope.DIALOG, Scope.PICKER}:
            (problem,) = mistakes(tmp_path, f"keys:\n  {action.id}: x\n")
            assert "here this key types a character" in problem


def test_what_is_dangerous_cannot_have_the_key_that_confirms_it(tmp_path: Path) -> None:
    (problem,) = mistakes(tmp_path, "keys:\n  resolve: enter\n")
    assert "held down, this key would also confirm what it asks" in problem


def test_what_a_console_cannot_do_without_keeps_a_key(tmp_path: Path) -> None:
    (problem,) = mistakes(tmp_path, "keys:\n  quit: []\n")
    assert "this action needs a key" in problem


@pytest.mark.parametrize(
    "text", ["", "[]", "keys: 3", "label: x", "keys: {sort: {}}", "keys: {sort: }", "a: 1"]
)
def test_any_other_shape_is_a_mistake_and_never_a_crash(text: str, tmp_path: Path) -> None:
    assert mistakes(tmp_path, text)


async def test_the_keys_in_use_work_and_are_shown_in_footer_help_and_sentences(tmp_path: Path) -> None:
    written(tmp_path, "label: Mine\nkeys: {acknowledge: ctrl-g, filter: f12, jobs: J, undo: ctrl-x}")
    async with console(keys="mine", keymaps=maps(tmp_path)) as driver:
        driver.sees("ctrl-g acknowledge", "J Jobs")
        await driver.press("a")
        driver.sees_not("Acknowledge #")
        await driver.press("ctrl+g", "enter")
        driver.sees("✓ acknowledged #42 for 4 h ctrl-x undo")
        await driver.press("?")
        await driver.type("filter")
        driver.sees("filter f12")
        await driver.press("escape", "J")
        driver.sees("J Jobs")


async def test_a_map_is_chosen_by_name_remembered_and_used_the_next_time() -> None:
    world = World()
    async with console(world) as driver:
        driver.app.choose_keys("less")
        await driver.idle()
        driver.sees("✓ keys less")
    assert world.preferences["keys"] == "less"
    async with console(world) as driver:
        assert driver.app.keymap.name == "less"
        top = driver.cursor
        await driver.press("d")
        assert driver.cursor != top
    async with console(world, keys="vim") as driver:
        assert driver.app.keymap.name == "vim"


async def test_a_map_with_a_mistake_is_told_at_start_and_not_used(tmp_path: Path) -> None:
    written(tmp_path, "keys:\n  sort: x\n")
    async with console(keys="mine", keymaps=maps(tmp_path)) as driver:
        driver.sees("▲ mine.yaml:2:3 is not used, see :keys")
        assert driver.app.keymap is BUILT_IN


async def test_what_is_saved_is_in_force_within_a_second_and_a_mistake_keeps_the_old_keys(
    tmp_path: Path,
) -> None:
    path = written(tmp_path, "keys: {sort: f12}")
    async with console(keys="mine", keymaps=maps(tmp_path)) as driver:
        await driver.press("/")  # lines of text that are open take the new keys too
        path.write_text("keys: {sort: ctrl-g, drop_filter: ctrl-x}", "utf-8")
        await _until(driver, "ctrl+g")
        await driver.press("ctrl+x")
        driver.sees_not("words !without")
        path.write_text("keys: {sort: alt-x}", "utf-8")
        await driver.until(lambda: driver.app.keys.problem is not None)
        await driver.idle()
        driver.sees("▲ mine.yaml:1:14 is not used, see :keys")
        assert driver.app.keymap.keys["sort"] == ("ctrl+g",)
        path.write_text("keys: {sort: f12}", "utf-8")
        await _until(driver, "f12")
        await driver.press("f12")
        driver.sees("STATE▴")


async def _until(driver: Driver, key: str) -> None:
    await driver.until(lambda: driver.app.keymap.keys["sort"] == (key,))
    await driver.idle()
