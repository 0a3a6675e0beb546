"""Forms in the console: made from definitions, filled in by keys alone, saved only when somebody says so."""

from __future__ import annotations

from dataclasses import replace

import pytest
from console_driver import Driver, console
from console_world import KINDS, NIGHTLY

from watchfloor.config.forms import Shape
from watchfloor.console.keys import bindings_for
from watchfloor.console.screens.dialogs import ConfirmDialog
from watchfloor.console.screens.form import FormRoom
from watchfloor.console.widgets.entry import EntryLine, LinesArea


async def open_form(driver: Driver, name: str = "nightly backup", *, copy: bool = False) -> FormRoom:
    await driver.press("2")
    room = FormRoom("jobs", "job", name, copy=copy)
    await driver.app.push_screen(room)
    await driver.idle()
    return room


async def go_to(driver: Driver, field: str) -> None:
    wanted = f"field:{field}" if " " not in field else field
    await driver.press("/", *wanted, "enter", "home")


async def choose(driver: Driver, choice: str) -> None:
    """Go through the choices of the field under the cursor until it is this one."""
    for _ in KINDS:
        if choice in driver.cursor.split():
            return
        await driver.press("right")
    raise AssertionError(f"{choice} is no choice")


async def fill(driver: Driver, field: str, text: str) -> None:
    await go_to(driver, field)
    await driver.press("enter", "ctrl+u")
    await driver.type(text)
    await driver.press("enter", "escape")


async def test_a_form_shows_every_field_with_its_value_or_its_default() -> None:
    async with console(size=(120, 60)) as driver:
        await open_form(driver)
        driver.sees("name nightly backup", "kill_grace 10s", "overlap skip", "attempts 3 retry")
        driver.sees("schedules 1 cron 30 3 * * *, time_zone Europ", "schedules, one more + add")


async def test_the_field_under_the_cursor_is_explained() -> None:
    async with console() as driver:
        await open_form(driver)
        await go_to(driver, "overlap")
        driver.sees("skip · queue_one · queue_all · cancel_previous · allow", "default: skip")


async def test_what_is_typed_goes_into_its_field_wherever_the_cursor_is_by_then() -> None:
    async with console() as driver:
        room = await open_form(driver)
        await driver.press("enter", *"ly", "x")
        rows = room.table.rows
        rows.move_to(next(place for place, row in enumerate(rows.shown) if row.field.shape is Shape.MAPPING))
        before = dict(room.values())
        await driver.press("enter")
        assert room.values() == {**before, "name": "nightly backuplyx"}


async def test_a_mistake_stands_beside_its_field_and_goes_when_it_is_mended() -> None:
    async with console(size=(120, 40)) as driver:
        await open_form(driver)
        await fill(driver, "timeout", "2")
        driver.sees("✘ 1 mistake", "timeout 2 ✘ a number without a unit")
        await fill(driver, "timeout", "2h")
        driver.sees_not("mistake")


async def test_only_what_is_wrong_can_be_shown() -> None:
    async with console() as driver:
        await open_form(driver)
        await fill(driver, "timeout", "2")
        await driver.press("z")
        driver.sees("timeout 2", "1 / 1 of")
        driver.sees_not("interpreter")


async def test_saving_sends_what_a_file_would_hold_with_the_version_it_was_made_on() -> None:
    async with console() as driver:
        await open_form(driver)
        await fill(driver, "contact", "robin")
        driver.sees("1 field not saved")
        await driver.press("ctrl+s")
        assert driver.world.done[-1] == (
            "save_form",
            "job",
            {**NIGHTLY, "contact": "robin"},
            "nightly backup",
            4,
        )
        driver.sees("✓ saved nightly backup")
        assert not isinstance(driver.app.screen, FormRoom)


async def test_what_was_saved_is_taken_back_by_one_key() -> None:
    async with console() as driver:
        await open_form(driver)
        await fill(driver, "contact", "robin")
        await driver.press("ctrl+s", "u")
        saved = driver.world.forms["nightly backup"]
        assert (saved.version, saved.values) == (6, NIGHTLY)
        await driver.press("+")
        await fill(driver, "name", "ping")
        await go_to(driver, "kind")
        await choose(driver, "dummy")
        await driver.press("escape", "ctrl+s")
        driver.sees("saved ping")
        await driver.press("u")
        assert "ping" not in driver.world.forms


async def test_nothing_is_saved_while_there_are_mistakes() -> None:
    async with console() as driver:
        await open_form(driver)
        await fill(driver, "timeout", "2")
        await driver.press("ctrl+s")
        driver.sees("✘ 1 mistake: correct them first")
        assert isinstance(driver.app.screen, FormRoom)
        assert driver.world.forms["nightly backup"].version == 4


async def test_an_unchanged_form_has_nothing_to_save() -> None:
    async with console() as driver:
        await open_form(driver)
        await driver.press("ctrl+s")
        driver.sees("save: nothing is changed")
        assert not [each for each in driver.world.done if each[0] == "save_form"]


async def test_choices_go_round_both_ways_and_back_to_the_default() -> None:
    async with console() as driver:
        await open_form(driver)
        await go_to(driver, "overlap")
        await driver.press("enter")
        assert "queue_one" in driver.cursor
        await driver.press("left", "left")
        assert "allow" in driver.cursor
        await driver.press("backspace")
        assert "skip" in driver.cursor


async def test_another_kind_brings_other_fields_and_keeps_what_every_job_has() -> None:
    async with console(size=(120, 40)) as driver:
        await driver.press("2", "+")
        await fill(driver, "name", "ping")
        await go_to(driver, "kind")
        await choose(driver, "http")
        await driver.press("escape")
        driver.sees("kind http", "url", "name ping")
        driver.sees_not("interpreter")


async def test_several_lines_are_typed_as_they_are() -> None:
    async with console() as driver:
        await driver.press("2", "+")
        await go_to(driver, "script")
        await driver.press("enter", *"echo one", "enter", *"echo two", "ctrl+s")
        driver.sees("echo one … (2 lines)")
        await driver.press("enter", "escape")
        driver.sees("echo one … (2 lines)")


async def test_a_mapping_that_cannot_be_read_stays_open_and_says_why() -> None:
    async with console() as driver:
        await open_form(driver)
        await go_to(driver, "env")
        await driver.press("enter", "enter", *"no colon", "ctrl+s")
        driver.sees('write "key: value"')


async def test_an_entry_of_a_list_has_a_form_of_its_own() -> None:
    async with console(size=(100, 30)) as driver:
        await open_form(driver)
        await go_to(driver, "schedules, one")
        await driver.press("enter")
        driver.sees("› schedules 3")
        await fill(driver, "cron", "61 * * * *")
        driver.sees("✘ 1 mistake")
        await fill(driver, "cron", "15 4 * * sun")
        driver.sees_not("mistake")
        await driver.press("escape", "escape")
        driver.sees("schedules 3 cron 15 4 * * sun")


async def test_an_entry_is_taken_out_of_its_list() -> None:
    async with console(size=(100, 30)) as driver:
        await open_form(driver)
        await go_to(driver, "schedules")
        await driver.press("backspace")
        driver.sees("schedules 1 every 6h")
        driver.sees_not("cron 30 3")


async def test_entries_of_a_list_change_places_and_the_cursor_goes_along() -> None:
    async with console(size=(100, 30)) as driver:
        room = await open_form(driver)
        await go_to(driver, "schedules")
        await driver.press("escape")
        for key, order in (
            ("shift+down", ["6h", "cron"]),
            ("shift+up", ["cron", "6h"]),
            ("shift+down", ["6h", "cron"]),
        ):
            await driver.press(key)
            found = [str(each.get("every") or "cron") for each in room.values()["schedules"]]
            assert found == order
            assert "cron 30 3" in driver.cursor
        assert "schedules 2" in driver.cursor
        driver.sees("1 field not saved")
        await driver.press("shift+down")
        driver.sees("it is the last of its list already")
        await driver.press("down", "shift+up")
        driver.sees("no entry of a list is selected")
        await driver.press("up", "shift+up", "ctrl+s")
        driver.sees_not("not saved")


async def test_what_a_file_defines_is_looked_at_and_says_where_it_stands() -> None:
    async with console(size=(120, 30)) as driver:
        await open_form(driver, "send reports")
        driver.sees("read-only: it is defined in config.yaml:31")
        await driver.press("enter")
        driver.sees("edit: it is defined in config.yaml:31; change it there, or copy it")
        await driver.press("ctrl+s")
        assert not [each for each in driver.world.done if each[0] == "save_form"]


async def test_a_copy_of_it_is_the_consoles_own() -> None:
    async with console(size=(120, 30)) as driver:
        await open_form(driver, "send reports", copy=True)
        driver.sees("Jobs › send reports copy")
        await driver.press("ctrl+s")
        assert driver.world.done[-1][2:] == (
            {"name": "send reports copy", "kind": "http", "url": "https://reports.example/send"}, "", 0,
        )  # fmt: skip


async def test_somebody_elses_change_is_shown_and_nothing_is_written_over() -> None:
    async with console(size=(140, 40)) as driver:
        await open_form(driver)
        await fill(driver, "contact", "robin")
        form = driver.world.forms["nightly backup"]
        values = {**NIGHTLY, "timeout": "3h", "contact": "sam"}
        driver.world.forms["nightly backup"] = replace(form, values=values, version=5, changed_by="sam")
        await driver.press("ctrl+s")
        assert driver.world.forms["nightly backup"].version == 5
        driver.sees(
            "timeout 3h ▲ sam made it 3h", "contact robin ▲ sam made it sam; yours is kept until you save"
        )
        await driver.press("ctrl+s")
        saved = driver.world.forms["nightly backup"]
        assert (saved.version, saved.values["timeout"], saved.values["contact"]) == (6, "3h", "robin")


async def test_leaving_with_changes_asks_and_says_how_many() -> None:
    async with console() as driver:
        await open_form(driver)
        await fill(driver, "contact", "robin")
        await driver.press("escape")
        assert isinstance(driver.app.screen, ConfirmDialog)
        driver.sees("1 field that you filled in would be lost")
        await driver.press("escape")
        driver.sees("contact robin")
        await driver.press("q", "enter")
        assert not isinstance(driver.app.screen, FormRoom)


@pytest.mark.parametrize("keys", [("2",), ("minus",), ("left_square_bracket",)])
async def test_no_way_to_another_screen_of_the_room_drops_what_was_filled_in(keys: tuple[str, ...]) -> None:
    async with console() as driver:
        await driver.press("2", "enter", "escape")
        await open_form(driver)
        await fill(driver, "contact", "robin")
        await driver.press(*keys)
        assert isinstance(driver.app.screen, ConfirmDialog)
        await driver.press("escape")
        driver.sees("contact robin")
        await driver.press(*keys, "enter")
        assert not isinstance(driver.app.screen, FormRoom | ConfirmDialog)


@pytest.mark.parametrize("keys", [("1", "q"), ("1", "ctrl+c"), ("ctrl+q",)])
async def test_quitting_from_anywhere_asks_about_what_was_filled_in(keys: tuple[str, ...]) -> None:
    async with console() as driver:
        await open_form(driver)
        await fill(driver, "contact", "robin")
        await driver.press(*keys)
        driver.sees("1 field that you filled in would be lost")
        await driver.press("escape")
        assert not driver.app.left_because
        await driver.press(keys[-1], "enter")
        assert driver.app.left_because == "quit"


async def test_a_command_that_leads_to_a_list_asks_first_and_leaves_the_form_as_it_is() -> None:
    async with console() as driver:
        room = await open_form(driver)
        await fill(driver, "contact", "robin")
        await driver.press(":")
        await driver.type("dead-letters nightly")
        await driver.press("enter")
        assert isinstance(driver.app.screen, ConfirmDialog)
        await driver.press("escape")
        assert (driver.app.screen, room.filter_text) == (room, "")


async def test_a_form_that_nobody_changed_is_left_by_the_key_of_its_room() -> None:
    async with console() as driver:
        await open_form(driver)
        await driver.press("2")
        assert not isinstance(driver.app.screen, FormRoom | ConfirmDialog)


async def test_leaving_without_changes_asks_nothing() -> None:
    async with console() as driver:
        await open_form(driver)
        await driver.press("escape")
        assert not isinstance(driver.app.screen, FormRoom | ConfirmDialog)


async def test_a_secret_that_is_typed_as_it_is_is_never_shown() -> None:
    async with console(size=(120, 40)) as driver:
        await driver.press("2", "+")
        await go_to(driver, "env")
        await driver.press("enter", *"TOKEN: hunter22", "ctrl+s", "escape")
        driver.sees("env TOKEN: ••••••", "a secret is in plain text")
        driver.sees_not("hunter22")


@pytest.mark.parametrize("size", [(60, 20), (80, 24), (40, 10)], ids=str)
async def test_every_field_can_be_reached_and_filled_on_small_screens(size: tuple[int, int]) -> None:
    async with console(size=size) as driver:
        await open_form(driver)
        await driver.press("G")
        assert "not_on" in driver.cursor
        await driver.press("g", "enter", "ctrl+u", *"other", "enter")
        assert "other" in driver.cursor


async def test_nobody_fills_in_a_form_of_a_console_that_only_looks() -> None:
    async with console(read_only=True) as driver:
        await open_form(driver)
        await fill(driver, "contact", "robin")
        await driver.press("ctrl+s")
        driver.sees("save: this console is read-only")
        assert not [each for each in driver.world.done if each[0] == "save_form"]


def test_lines_of_fields_have_no_keys_but_those_of_the_table() -> None:
    for widget in (EntryLine, LinesArea):
        assert list(widget._merge_bindings()) == []
        assert list(bindings_for(widget.SCOPES))


async def test_a_still_form_is_not_read_again_and_again() -> None:
    async with console() as driver:
        await open_form(driver)
        before = driver.world.reads.count("form")
        await driver.changed("health")
        assert driver.world.reads.count("form") == before
