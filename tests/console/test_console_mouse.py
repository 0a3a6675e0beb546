"""The mouse: what a click and the wheel do, and what the terminal is asked to tell."""

from __future__ import annotations

import pytest
from console_driver import Driver, console
from console_pty import PATIENCE_S, Terminal, started, terminal
from console_world import World

from watchfloor.console.action import Context, Scope
from watchfloor.console.keys import actions_for, key_of
from watchfloor.console.line import plain
from watchfloor.console.widgets.footer import action_at, footer
from watchfloor.console.widgets.tab_bar import tab_at, tabs

ON = b"\x1b[?1000h\x1b[?1002h\x1b[?1006h"
OFF = b"\x1b[?1000l\x1b[?1002l\x1b[?1006l"


async def click(driver: Driver, words: str, times: int = 1) -> None:
    """Click on the first place of the screen where `words` stand."""
    line, column = next((y, line.index(words)) for y, line in enumerate(driver.lines()) if words in line)
    await driver.pilot.click(offset=(column, line), times=times)
    await driver.idle()


async def test_rows_tabs_and_hints_are_clicked_and_the_wheel_scrolls():
    async with console(size=(120, 24)) as driver:
        await click(driver, "mail relay")
        assert "mail relay" in driver.cursor
        await click(driver, "mail relay", times=2)
        driver.sees("Health › mail relay")
        await click(driver, "esc back")
        driver.sees("24 services")
        await click(driver, "Alerts")
        driver.sees("6 alerts")
        await click(driver, "enter open")
        driver.sees("Alerts › #42")
        await driver.press("4")
        before = driver.lines()[4]
        await driver.pilot._post_mouse_events([_wheel()], offset=(10, 10))
        await driver.idle()
        assert driver.lines()[4] != before


def _wheel() -> type:
    from textual.events import MouseScrollDown

    return MouseScrollDown


async def test_what_is_listed_is_run_by_two_clicks():
    async with console(size=(100, 30)) as driver:
        await driver.press("?")
        await driver.type("ages or times")
        await click(driver, "Show ages", times=2)
        driver.sees_not("Keys of this screen")
        assert driver.app.absolute


@pytest.mark.parametrize("active", ["health", "settings"])
@pytest.mark.parametrize("form", [0, 1])
def test_every_tab_is_found_where_it_is_drawn(active: str, form: int) -> None:
    line = tabs(active).forms[form]
    found = [tab_at(active, (*line, ("  14:02", "text")), cell) for cell in range(len(plain(line)) + 3)]
    assert list(dict.fromkeys(found)) == ["health", "jobs", "alerts", "logs", "settings", None]
    assert found[plain(line).index(active.title())] == active


@pytest.mark.parametrize("cells", [20, 60, 78, 140, 300])
def test_every_hint_of_the_footer_is_found_where_it_is_drawn(cells: int) -> None:
    context, actions = Context(row=True), actions_for({Scope.ROOM, Scope.LIST, Scope.OPENS, Scope.SERVICE})
    words = plain(footer(actions, context, cells))
    for cell, character in enumerate(words):
        action = action_at(actions, context, cells, cell)
        if action is None:
            assert character == " "
        else:
            hint = f"{key_of(action.id)} {action.label_in(context)}"
            assert hint in words[max(0, cell - len(hint) + 1) : cell + len(hint)]


def leave(found: Terminal) -> None:
    found.type(b"\x03")
    found.process.wait(PATIENCE_S)


def test_the_mouse_is_asked_for_without_its_motion_and_a_click_arrives() -> None:
    with terminal() as found:
        found.until(started)
        assert ON in found.output
        assert b"?1003" not in found.output
        assert b"?1016" not in found.output
        found.type(b"\x1b[<0;21;1M\x1b[<0;21;1m")  # the tab of the alerts
        found.until(lambda output: b"6 alert" in output)
        leave(found)
        assert bytes(found.output).rindex(OFF) > bytes(found.output).rindex(ON)


@pytest.mark.parametrize("variable", ["SSH_TTY", "SSH_CONNECTION"])
def test_over_ssh_the_mouse_is_left_to_the_terminal_until_it_is_wanted(variable: str) -> None:
    with terminal(environ={variable: "1"}) as found:
        found.until(started)
        assert b"?1000h" not in found.output
        found.type(b"\x1b[18~")
        found.until(lambda output: ON in output and b"the mouse works here" in output)
        found.type(b"\x1b[18~")
        found.until(lambda output: OFF in output)
        leave(found)


def test_the_option_and_the_preference_decide() -> None:
    with terminal(setup="world, options = World(), {'mouse': False}") as found:
        found.until(started)
        assert b"?1000h" not in found.output
        leave(found)
    setup = "world, options = World(preferences={'mouse': 'on'}), {}"
    with terminal(setup=setup, environ={"SSH_TTY": "1"}) as found:
        found.until(lambda output: ON in output)
        leave(found)


async def test_switching_the_mouse_is_remembered():
    world = World()
    async with console(world) as driver:
        await driver.press("f7")
        driver.sees("the mouse works here")
    assert world.preferences["mouse"] == "on"
