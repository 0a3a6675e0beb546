"""The command line: actions by name, words after them, completion, history, mistakes that say what is allowed."""

from __future__ import annotations

from contextlib import suppress

import pytest
from console_driver import Driver, console
from console_world import World
from hypothesis import given
from hypothesis import strategies as st

from watchfloor.console.actions import ACTIONS
from watchfloor.console.commands import (
    COMMANDS,
    KEPT,
    LONGEST,
    SECTIONS,
    Mistake,
    completions,
    matching,
    named,
    parse,
    pick,
    remembered,
)
from watchfloor.console.keymap import TYPED
from watchfloor.console.line import plain
from watchfloor.console.screens.orders import Orders
from watchfloor.console.screens.sectioned import SectionedRoom


async def command(driver: Driver, line: str) -> None:
    await driver.press(":")
    await driver.type(line)
    await driver.press("enter")


def test_every_action_of_the_rooms_is_a_command() -> None:
    commands = {each.action.id for each in COMMANDS if each.action}
    assert commands == {action.id for action in ACTIONS if not action.scopes & TYPED}


def test_no_word_means_two_commands() -> None:
    words = [word for each in COMMANDS for word in (each.name, *each.aliases)]
    assert sorted(words) == sorted(set(words))
    assert all(word == word.casefold() and " " not in word for word in words)


def test_every_argument_has_somebody_to_carry_it_out() -> None:
    for each in COMMANDS:
        assert each.action or each.argument, each.name
        if each.argument:
            assert callable(getattr(Orders, f"plan_{each.argument.order}", None)), each.name


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("jbos failed", 'There is no command "jbos". Did you mean "jobs"?'),
        ("xyzzy", 'There is no command "xyzzy". An empty line lists the commands.'),
        ("undo this", "undo takes nothing after it."),
        ("theme", "theme needs more: :theme NAME"),
    ],
)
def test_a_mistake_says_what_is_allowed(line: str, told: str) -> None:
    with pytest.raises(Mistake) as caught:
        parse(line)
    assert str(caught.value) == told


def test_a_name_may_be_shortened_as_long_as_it_means_one() -> None:
    assert pick("NI", ["night", "day"], "theme") == "night"
    assert pick("shop", ["shop", "shop images"], "service") == "shop"
    with pytest.raises(Mistake, match='Several a service could be "sh": shop, shop images'):
        pick("sh", ["shop", "shop images"], "service")
    with pytest.raises(Mistake) as caught:
        pick("nigth", ["night", "day"], "theme")
    assert str(caught.value) == 'There is no theme "nigth"; allowed: night, day. Did you mean "night"?'


@given(st.text(max_size=40))
def test_any_text_is_an_order_or_a_mistake_and_its_completions_begin_with_the_same_command(text: str) -> None:
    with suppress(Mistake):
        assert parse(text).command is named(text.strip().removeprefix(":"))
    matching(text)
    for line, _ in completions(text, lambda _: [("one", ""), ("two", "")]):
        assert named(line) is named(text)


@given(st.lists(st.text(max_size=LONGEST + 5), max_size=KEPT + 20))
def test_the_history_holds_the_latest_lines_once_each(lines: list[str]) -> None:
    history: list[str] = []
    for line in lines:
        history = remembered(history, line)
    fit = [line for line in lines if line and len(line) <= LONGEST]
    naive = [line for place, line in enumerate(fit) if line not in fit[place + 1 :]][-KEPT:]
    assert len(history) <= KEPT
    assert history[-1:] == naive[-1:]
    assert set(history) <= set(fit)


async def test_a_room_and_a_filter_in_one_line() -> None:
    async with console() as driver:
        await command(driver, "jobs state:dead")
        driver.sees("2 Jobs", "/state:dead")
        assert "sync catalogue" in driver.cursor
        await command(driver, "services shop")
        driver.sees("/shop", "shop checkout")
        driver.sees_not("wiki")
        await driver.press("enter")
        await command(driver, "health mail")
        driver.sees("/mail", "mail relay")


async def test_a_rule_is_opened_by_its_name_from_any_room() -> None:
    async with console(size=(120, 40)) as driver:
        await driver.press("4")
        await command(driver, "rule slow")
        driver.sees("slow queries", "latency is above 500", "WOULD HAVE FIRED IN 7d")
        await command(driver, "rule none")
        driver.sees("There is no rule", "none")


async def test_a_filter_by_command_on_lists_and_texts() -> None:
    async with console() as driver:
        await command(driver, "filter state:ok")
        driver.sees_not("shop checkout")
        await driver.press("escape", "enter")
        await command(driver, "f latency")
        driver.sees("/latency")


async def test_a_section_is_shown_by_its_name_from_anywhere_all_of_it_or_what_matches() -> None:
    async with console() as driver:
        for word, (room, section) in SECTIONS.items():
            await command(driver, word)
            shown = driver.app.room
            assert isinstance(shown, SectionedRoom)
            assert (shown.tab(), shown.part.name, shown.filter_text) == (room, section, "")
        await driver.press("1", "enter")
        await command(driver, "rules slow")
        driver.sees("Rules", "slow queries", "/slow")
        await command(driver, "rules")
        driver.sees_not("/slow")


async def test_an_alert_is_acknowledged_by_its_number_with_a_note_from_any_room_and_undone() -> None:
    async with console() as driver:
        await driver.press("2")
        await command(driver, "ack 42 on my way")
        driver.sees("Acknowledge #42 shop checkout is failing", "on my way")
        assert driver.world.done[-1][0] == "save_preference"
        await driver.press("enter")
        driver.sees("✓ acknowledged #42 for 4 h u undo")
        assert ("acknowledge", (42,), "on my way", driver.app.ack_lasts, False) in driver.world.done
        await command(driver, "undo")
        assert driver.world.done[-1][0] in ("unacknowledge", "save_preference")
        driver.sees("took back the acknowledgement of #42")


async def test_resolving_by_command_asks_the_same_question() -> None:
    async with console() as driver:
        await command(driver, "resolve #42 card data fixed")
        driver.sees("Resolve #42", "Closes one alert", "card data fixed")
        await driver.press("escape")
        assert "resolve" not in {done[0] for done in driver.world.done}


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("ack 4711", "✘ There is no alert #4711."),
        ("ack 38", "✘ acknowledge: alert #38 is"),
        ("pause mial relay", 'There is no service "mial relay". Did you mean "mail relay"?'),
        ("check shop", 'Several a service could be "shop": shop checkout, shop catalogue, shop images'),
        ("set thresholds.nothing 3", 'There is no setting "thresholds.nothing"'),
    ],
)
async def test_what_only_the_database_knows_is_told_after_the_line_closed(line: str, told: str) -> None:
    async with console(size=(120, 24)) as driver:
        await command(driver, line)
        driver.sees(told)
        assert {done[0] for done in driver.world.done} <= {"save_preference"}


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("ack soon", 'An alert has a number, as in 42; found "soon".'),
        ("theme nigth", 'There is no theme "nigth"; allowed:'),
        ("keys emacs", 'There is no key map "emacs"; allowed: default, htop, k9s, less, vim.'),
        ("next-section", "next-section is for settings; there are none on this screen."),
        ("undo", "Not now: there is nothing to undo; an undo is offered for 10 s."),
        ("unlock", "This console is not locked."),
        ("time yesteryear", "is not understood; write 14:05, yesterday 3:00, -2h"),
        ("jbos failed", 'There is no command "jbos". Did you mean "jobs"?'),
    ],
)
async def test_a_mistake_is_told_while_the_line_is_still_open(line: str, told: str) -> None:
    async with console() as driver:
        await command(driver, line)
        driver.sees("Commands", told)
        await driver.press("escape")
        driver.sees_not("Commands")


async def test_services_by_name_are_checked_paused_resumed_and_opened() -> None:
    async with console() as driver:
        await command(driver, "check mail re")
        driver.sees("✓ asked for a check of mail relay")
        await command(driver, "pause mail relay")
        driver.sees("✓ paused mail relay u undo")
        await command(driver, "pause mail relay")
        driver.sees("✘ mail relay is paused already")
        await command(driver, "check mail relay")
        driver.sees("✘ mail relay is paused; resume it first")
        await command(driver, "resume mail relay")
        driver.sees("✓ resumed mail relay u undo")
        await command(driver, "service wiki")
        driver.sees("Health › wiki")
        await command(driver, "alert 42")
        driver.sees("Health › wiki › #42")


async def test_a_setting_by_command_asks_before_it_changes() -> None:
    async with console() as driver:
        await command(driver, "set alerts.reopen_window 10m")
        driver.sees("Change alerts.reopen_window", "10m", "now: 5m, default: 5m")
        await driver.press("enter")
        assert [done[:2] for done in driver.world.done if done[0] == "change_setting"] == [
            ("change_setting", "alerts.reopen_window")
        ]


async def test_themes_and_key_maps_by_name() -> None:
    async with console() as driver:
        await command(driver, "theme da")
        assert driver.app.theme_in_use.name == "day"
        await command(driver, "keys vim")
        assert driver.app.keymap.name == "vim"
        await command(driver, "keys")
        driver.sees("Health › keys", "DEFAULT", "Vim in use", "k9s", "YOUR OWN")


async def test_enter_runs_what_is_chosen_where_the_words_are_no_command() -> None:
    async with console() as driver:
        await command(driver, "whats needs")
        driver.sees("There is no command")
        await driver.press("escape")
        await command(driver, "somebody")
        assert driver.app.current_mode == "alerts"


async def test_tab_completes_commands_and_the_words_after_them() -> None:
    async with console() as driver:
        await driver.press(":")
        await driver.type("the")
        await driver.press("tab")
        await driver.type("cl")
        driver.sees("theme clear")
        await driver.press("tab", "enter")
        assert driver.app.theme_in_use.name == "clear"
        await driver.press(":")
        await driver.type("pause rel")
        driver.sees("pause mail relay")
        await driver.press("tab", "enter")
        driver.sees("✓ paused mail relay")
        await driver.press(":")
        await driver.type("ack sho")
        driver.sees("ack 42", "firing: shop checkout is failing")
        await driver.press("ctrl+u")
        await driver.type("alerts fir sev")
        await driver.press("tab")
        driver.sees("alerts fir severity:")
        await driver.press("ctrl+u")
        await driver.type("jobs fai")
        driver.sees("jobs [FILTER]")
        await driver.press("tab", "enter")
        driver.sees("/fai")


async def test_the_history_is_kept_per_operator_and_called_back_with_up() -> None:
    world = World()
    async with console(world) as driver:
        await command(driver, "jobs state:dead")
        await command(driver, "health shop")
        await command(driver, "jobs state:dead")
    assert world.preferences["commands"] == ["health shop", "jobs state:dead"]
    async with console(world) as driver:
        await driver.press(":", "up")
        driver.sees("jobs state:dead")
        await driver.press("up", "up")
        driver.sees("health shop")
        await driver.press("down", "down")
        driver.sees("a command, or words to find one by")
        await driver.press("up", "up", "enter")
        driver.sees("/shop")


async def test_a_stored_history_that_is_no_list_of_texts_is_survived() -> None:
    async with console(World(preferences={"commands": ["jobs", 3, None]})) as driver:
        assert driver.app.history == ["jobs"]
    async with console(World(preferences={"commands": "jobs"})) as driver:
        assert driver.app.history == []


async def test_an_empty_command_closes_the_line() -> None:
    async with console() as driver:
        await driver.press(":", "enter")
        driver.sees_not("Commands")
        assert driver.world.done == []


async def test_help_with_words_shows_the_keys_that_have_to_do_with_them_and_runs_them() -> None:
    async with console() as driver:
        await command(driver, "help half page")
        driver.sees("Keys of this screen", "half page down ctrl-d")
        before = driver.app.room.table.rows.place  # type: ignore[union-attr]
        await driver.press("enter")
        assert driver.app.room.table.rows.place > before  # type: ignore[union-attr]


async def test_help_says_in_full_why_an_action_is_not_possible() -> None:
    async with console() as driver:
        await driver.press("?")
        await driver.type("undo")
        driver.sees("not now: there is nothing to undo; an undo is offered for 10 s")


async def test_while_the_database_is_away_a_command_that_needs_it_says_so() -> None:
    async with console() as driver:
        driver.world.broken = ConnectionError("gone")
        driver.app.ask(lambda: driver.app.reader.alert(42), lambda detail: None)
        await driver.until(lambda: driver.app.notice is not None)
        assert "not found out" in plain(driver.app.notice or ())


async def test_quit_by_command() -> None:
    async with console() as driver:
        await command(driver, "q")
        assert driver.app.left_because == "quit"
