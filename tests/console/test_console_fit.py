"""Every screen, in every theme, at every size, with harmless and with hostile data: nothing overflows or leaks."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from colour_vision import contrast
from console_driver import Driver, console
from console_world import World, alert_rows, health_rows, node_rows, task_rows
from rich.cells import cell_len

from watchfloor.console.themes import ROLES, Themes, theme_directories

SIZES = [(60, 20), (80, 24), (120, 40), (200, 60)]
THEMES = Themes(theme_directories({"XDG_CONFIG_HOME": "/nowhere"})).names()
TOUR: dict[str, tuple[str, ...]] = {
    "health": ("1",),
    "a service": ("1", "enter"),
    "jobs": ("2",),
    "a run": ("2", "enter"),
    "alerts": ("3",),
    "an alert": ("3", "enter"),
    "acknowledging": ("3", "a"),
    "resolving": ("3", "r"),
    "logs": ("4",),
    "a record": ("4", "enter"),
    "settings": ("5",),
    "changing a setting": ("5", "enter"),
    "files": ("5", "tab"),
    "nodes": ("5", "tab", "tab"),
    "components": ("5", "tab", "tab", "tab"),
    "themes": ("5", "shift+tab", "shift+tab"),
    "about": ("5", "shift+tab"),
    "help": ("?",),
    "commands": (":",),
    "a filter": ("/", "s", "h", "o"),
}


def fits(driver: Driver, size: tuple[int, int], where: str) -> None:
    """No line is wider than the terminal, none is missing, nothing unprintable is drawn."""
    lines = driver.strips()
    assert len(lines) == size[1], where
    for line in lines:
        text = "".join(strip.text for strip in line)
        assert cell_len(text) == size[0], f"{where}: {text!r}"
        assert text.isprintable(), f"{where}: {text!r}"


HEADERS = ("STATE", "SEVERITY", "OUTCOME", "TIME", "SETTING", "NAME")


def labels_are_whole(driver: Driver, where: str) -> None:
    """Tabs, keys and the heads of columns are shown in full or not at all, and each has its place to itself."""
    lines = driver.lines()
    heads = [line for line in lines if line.strip().startswith(HEADERS)]
    for label in (lines[0], lines[-1], *heads):
        assert "…" not in label, f"{where}: {label!r}"


RULES = frozenset("━─│┤└┴├╭╮╰╯▐▌▁▔▀ ")
"""What only divides or scrolls: it need not be read."""


DYES = {
    role: f"#{80 + place * 10:02x}{200 - place * 7:02x}{place * 9:02x}" for place, role in enumerate(ROLES)
}
"""A colour of its own for each role: what is seen on the screen tells which role was drawn on which."""


def dyed(folder: Path) -> Themes:
    """The shipped themes, and one in which every role can be told from every other."""
    colours = "".join(f'  {role}: "{colour}"\n' for role, colour in DYES.items())
    (folder / "dyes.yaml").write_text("colours:\n" + colours)
    return Themes([*theme_directories({"XDG_CONFIG_HOME": "/nowhere"}), folder])


def pairs_drawn(driver: Driver) -> dict[tuple[str, str], str]:
    """The roles of all words on the screen with the roles behind them, and an example of each pair."""
    roles = {colour: role for role, colour in DYES.items()}
    found = {}
    for line in driver.strips():
        for text, style, _ in (segment for strip in line for segment in strip):
            if style is None or set(text) <= RULES:
                continue
            assert style.color is not None, text
            assert style.bgcolor is not None, text
            front, back = style.color.get_truecolor().hex, style.bgcolor.get_truecolor().hex
            assert {front, back} <= roles.keys(), f"{text!r} is {front} on {back}, which no theme names"
            found[roles[front], roles[back]] = text
    return found


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
async def test_every_screen_fits_and_every_word_on_it_is_readable_in_every_theme(
    size: tuple[int, int], tmp_path: Path
) -> None:
    themes = dyed(tmp_path)
    coloured = [theme for theme in map(themes.get, THEMES) if not theme.ansi]
    async with console(theme="dyes", themes=themes, size=size) as driver:
        for where, keys in TOUR.items():
            await driver.press(*keys)
            fits(driver, size, where)
            labels_are_whole(driver, where)
            for (front, back), text in pairs_drawn(driver).items():
                for theme in coloured:
                    found = contrast(theme.colours[front], theme.colours[back])
                    assert found >= 4.5, (
                        f"{where} in {theme.name}: {text!r} is {front} on {back}: {found:.1f}"
                    )
            await driver.home()


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
async def test_a_theme_changes_colours_and_nothing_else(size: tuple[int, int]) -> None:
    async with console(size=size) as driver:
        for where in ("health", "acknowledging", "help"):
            await driver.press(*TOUR[where])
            lines = driver.lines()
            for theme in THEMES:
                driver.app.use_theme(theme)
                await driver.idle()
                fits(driver, size, f"{where} in {theme}")
                assert driver.lines() == lines, f"{where} in {theme}"
            await driver.home()


@pytest.mark.parametrize("size", [(1, 1), (5, 3), (20, 5), (40, 10), (79, 8), (300, 7)], ids=str)
async def test_terminals_of_any_size_are_survived(size: tuple[int, int]) -> None:
    async with console(size=size) as driver:
        for where, keys in TOUR.items():
            await driver.press(*keys)
            fits(driver, size, where)
            await driver.home()


async def test_a_terminal_of_40_by_10_still_shows_room_state_name_and_keys() -> None:
    async with console(size=(40, 10)) as driver:
        driver.sees("1 Health 2 3 4 5", "✘ failing shop checkout", "enter open", "? help", "▲ 2")
        await driver.press("3", "a", "enter")
        driver.sees("✓ acknowledged #42 for 4 h")


async def test_numbers_that_are_no_numbers_are_drawn_as_nothing() -> None:
    world = World()
    odd = [float("nan"), float("inf"), -1.0, 1e300]
    world.services = [
        replace(row, latency=odd[n % 4], uptime_24h=odd[n % 4], recent=bytes(range(256))[n:])
        for n, row in enumerate(health_rows())
    ]
    world.tasks = [replace(row, duration=odd[n % 4]) for n, row in enumerate(task_rows())]
    world.nodes = [replace(row, stats={"lag_p99_ms": float("nan")}) for row in node_rows()]
    world.alerts = alert_rows()
    async with console(world, size=(150, 40)) as driver:
        for where, keys in TOUR.items():
            await driver.press(*keys)
            fits(driver, (150, 40), where)
            await driver.home()
