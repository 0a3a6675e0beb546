"""Every screen, in every theme, at every size, with harmless and with hostile data: nothing overflows or leaks."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from colour_vision import contrast
from console_driver import Driver, console
from console_world import World, alert_rows, health_rows, node_rows, task_rows
from rich.cells import cell_len
from textual.screen import Screen

from watchfloor.console.screens.beside import BesideRoom
from watchfloor.console.screens.board import BoardRoom
from watchfloor.console.screens.channel import ChannelText
from watchfloor.console.screens.charts import ChartRoom
from watchfloor.console.screens.commands import Picker
from watchfloor.console.screens.detail import DetailRoom
from watchfloor.console.screens.dialogs import Dialog
from watchfloor.console.screens.draft import DraftRoom
from watchfloor.console.screens.listing import Listing
from watchfloor.console.screens.live_preview import LivePreview
from watchfloor.console.screens.paged import PagedRoom
from watchfloor.console.screens.room import Room
from watchfloor.console.screens.sectioned import SectionedRoom
from watchfloor.console.screens.silencing import EndDialog
from watchfloor.console.themes import ROLES, Theme, Themes, theme_directories

SIZES = [(80, 24), (60, 20), (120, 40), (200, 60)]
ODD_SIZES = [(1, 1), (5, 3), (20, 5), (40, 10), (79, 8), (300, 7)]
THEMES = Themes(theme_directories({"XDG_CONFIG_HOME": "/nowhere"})).names()
TOUR: dict[str, tuple[str, ...]] = {
    "health": ("1",),
    "a service": ("1", "enter"),
    "jobs": ("2",),
    "a job": ("2", "enter"),
    "runs": ("2", "tab"),
    "a run": ("2", "tab", "enter"),
    "a run that failed": ("2", "tab", "j", "j", "enter"),
    "dead letters": ("2", "tab", "tab"),
    "fires of a day": ("2", "tab", "tab", "tab"),
    "fires of a week": ("2", "tab", "tab", "tab", "tab"),
    "nodes of jobs": ("2", "shift+tab", "shift+tab", "shift+tab"),
    "queues": ("2", "shift+tab", "shift+tab"),
    "a queue": ("2", "shift+tab", "shift+tab", "enter"),
    "tasks": ("2", "shift+tab"),
    "running a job": ("2", "x"),
    "running it with other settings": ("2", "X"),
    "backfilling": ("2", "B"),
    "requeueing": ("2", "tab", "tab", "R"),
    "a form": ("2", "+"),
    "a field": ("2", "+", "enter"),
    "several lines": ("2", "+", "j", "j", "enter"),
    "an entry of a form": ("2", "+", "/", *"field:then", "enter", "enter"),
    "a schedule": ("2", "+", "/", "s", "c", "h", "e", "d", "u", "l", "e", "s", "enter", "enter"),
    "alerts": ("3",),
    "alerts that are over": ("3", "tab"),
    "rules": ("3", "tab", "tab"),
    "rule": ("3", "tab", "tab", "enter"),
    "a rule's form": ("3", "tab", "tab", "+"),
    "what a rule would have done": ("3", "tab", "tab", "+", "x"),
    "testing a rule": ("3", "tab", "tab", "R"),
    "silences": ("3", "tab", "tab", "tab"),
    "deliveries": ("3", "tab", "tab", "tab", "tab"),
    "a delivery": ("3", "tab", "tab", "tab", "tab", "enter"),
    "on call": ("3", "shift+tab", "shift+tab"),
    "analytics of alerts": ("3", "shift+tab"),
    "hours of the week": ("3", "shift+tab", "enter"),
    "handing over": ("3", "h"),
    "an alert": ("3", "enter"),
    "silencing": ("3", "s"),
    "a note": ("3", "n"),
    "changing a silence": ("3", "tab", "tab", "tab", "i"),
    "replaying": ("3", "tab", "tab", "tab", "tab", "A"),
    "acknowledging": ("3", "a"),
    "resolving": ("3", "r"),
    "logs": ("4",),
    "a record": ("4", "enter"),
    "settings": ("5",),
    "changing a setting": ("5", "enter"),
    "files": ("5", "tab"),
    "channels": ("5", "tab", "tab"),
    "a channel": ("5", "tab", "tab", "enter"),
    "how its messages read": ("5", "tab", "tab", "enter", "i"),
    "nodes": ("5", "tab", "tab", "tab"),
    "components": ("5", "tab", "tab", "tab", "tab"),
    "themes": ("5", "shift+tab", "shift+tab"),
    "about": ("5", "shift+tab"),
    "help": ("?",),
    "commands": (":",),
    "a filter": ("/", "s", "h", "o"),
    "databases": ("1", "tab"),
    "nodes in health": ("1", "tab", "tab"),
    "a node": ("1", "tab", "tab", "enter"),
    "components in health": ("1", "tab", "tab", "tab"),
    "maintenance": ("1", "Y"),
    "testing a service": ("1", "i", "x"),
    "columns": ("1", "c"),
    "copying": ("1", "y"),
    "exporting": ("1", "enter", "E"),
    "incidents of a service": ("1", "enter", "I"),
    "an incident": ("1", "enter", "I", "enter"),
    "a note for an incident": ("1", "enter", "I", "enter", "n"),
    "acknowledging several": ("3", "A"),
    "choosing a moment": ("1", "T"),
    "health as it was": ("1", "T", *"-1h", "enter"),
    "alerts as they were": ("3", "T", *"-1h", "enter"),
    "unlocking": ("L", "L"),
    "silencing several": ("3", "space", "space", "s"),
}
"""Every screen by the keys that lead to it from the first room."""
OPENED = ("a service", "runs", "acknowledging", "logs", "help", "columns")
"""One of each kind."""
FIGURES = [where for where, keys in TOUR.items() if keys[0] in "15" or where in ("an alert", "alerts")]
"""Where latencies, shares and statistics are shown."""


async def tour(driver: Driver, stops: Iterable[str] = TOUR) -> AsyncIterator[str]:
    """Goes to every screen; between two of them everything is as it was in the beginning."""
    for where in stops:
        await driver.press(*TOUR[where])
        yield where
        driver.app.locked = False
        if driver.app.wanted is not None:
            driver.app.return_to_now()
            await driver.idle()
        root = driver.app.screen_stack[0]
        await driver.home()
        if isinstance(root, SectionedRoom):
            root.show_section(root.parts[0].name)
            await driver.idle()


BASES = frozenset(
    {
        Dialog,
        Picker,
        Room,
        Listing,
        BoardRoom,
        BesideRoom,
        PagedRoom,
        SectionedRoom,
        DraftRoom,
        DetailRoom,
        LivePreview,
        ChartRoom,
    }
    | {ChannelText, EndDialog}
)
"""Screens that are only there to be derived from."""


def kinds_of_screens(of: type[Screen[Any]] = Screen) -> Iterator[type[Screen[Any]]]:
    """Every class of the console that is a screen of its own."""
    for kind in of.__subclasses__():
        yield from kinds_of_screens(kind)
        if kind.__module__.startswith("watchfloor.") and kind not in BASES:
            yield kind


def fits(driver: Driver, size: tuple[int, int], where: str) -> None:
    """No line is wider than the terminal, none is missing, nothing unprintable is drawn."""
    lines = driver.strips()
    assert len(lines) == size[1], where
    for line in lines:
        text = "".join(strip.text for strip in line)
        assert cell_len(text) == size[0], f"{where}: {text!r}"
        assert text.isprintable(), f"{where}: {text!r}"


HEADERS = ("FIELD", "WHEN", "QUEUE", "STATE", "SEVERITY", "OUTCOME", "TIME", "SETTING", "NAME")


def labels_are_whole(driver: Driver, where: str) -> None:
    """Tabs, keys, heads of columns and all that a dialog asks are shown in full or not at all."""
    lines = driver.lines()
    if isinstance(driver.app.screen, Dialog):
        asked = [line.split("│")[1] for line in lines if line.count("│") == 2]
        assert not any("…" in line for line in asked), f"{where}: {asked}"
    heads = [line for line in lines if line.strip().startswith(HEADERS)]
    for label in (lines[0], lines[-1], *heads):
        assert "…" not in label, f"{where}: {label!r}"
    if isinstance(room := driver.app.screen, SectionedRoom) and driver.app.wanted is None:
        names = [part.name for part in room.parts]
        assert all(name in lines[1] for name in names) or f" of {len(names)}" in lines[1], (
            f"{where}: {lines[1]}"
        )


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


def is_readable(driver: Driver, themes: Sequence[Theme], where: str) -> None:
    """Every word stands out from its ground in each of the themes."""
    for (front, back), text in pairs_drawn(driver).items():
        for theme in themes:
            found = contrast(theme.colours[front], theme.colours[back])
            assert found >= 4.5, f"{where} in {theme.name}: {text!r} is {front} on {back}: {found:.1f}"


@pytest.mark.parametrize("sizes", [SIZES[:2], SIZES[2:], ODD_SIZES], ids=["small", "large", "odd"])
async def test_every_screen_fits_and_every_word_on_it_is_readable_at_every_size_in_every_theme(
    tmp_path: Path, sizes: list[tuple[int, int]]
) -> None:
    themes = dyed(tmp_path)
    coloured = [theme for theme in map(themes.get, THEMES) if not theme.ansi]
    met: set[type[Screen[Any]]] = set()
    sections: set[tuple[type[Screen[Any]], str]] = set()
    async with console(theme="dyes", themes=themes, size=SIZES[0]) as driver:
        async for where in tour(driver):
            met |= {type(screen) for screen in driver.app.screen_stack}
            if isinstance(room := driver.app.room, SectionedRoom):
                sections.add((type(room), room.part.name))
            for size in (*sizes, SIZES[0]):
                at = f"{where} at {size[0]}x{size[1]}"
                await driver.resize(size)
                fits(driver, size, at)
                if size in SIZES:
                    labels_are_whole(driver, at)
                    is_readable(driver, coloured, at)
        rooms = [stack[0] for stack in driver.app._screen_stacks.values()]
    known = {
        (type(room), part.name) for room in rooms if isinstance(room, SectionedRoom) for part in room.parts
    }
    assert sorted(kind.__name__ for kind in {*kinds_of_screens()} - met) == [], "in no stop of the tour"
    assert known - sections == set(), "in no stop of the tour"


@pytest.mark.parametrize("size", [*SIZES, *ODD_SIZES], ids=str)
async def test_what_is_opened_at_a_size_is_what_it_becomes_at_that_size(size: tuple[int, int]) -> None:
    async with console(size=size) as opened, console(size=(80, 24)) as resized:
        for where in OPENED:
            await opened.press(*TOUR[where])
            await resized.press(*TOUR[where])
            fits(opened, size, where)
            await resized.resize(size)
            assert resized.lines() == opened.lines(), where
            await resized.resize((80, 24))
            await opened.home()
            await resized.home()


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


async def test_a_terminal_of_40_by_10_still_shows_room_state_name_and_keys() -> None:
    async with console(size=(40, 10)) as driver:
        driver.sees("1 Health 2 3 4 5", "✘ failing shop checkout", "enter see why", "? help", "▲ 2")
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
        async for where in tour(driver, FIGURES):
            fits(driver, (150, 40), where)


@pytest.mark.parametrize(
    "way",
    [("3", "s", "enter"), ("3", "A"), ("3", "h"), ("2", "B"), ("3", "v", "G", "h"), ("3", "v", "G", "s")],
)
async def test_a_dialog_says_its_keys_on_a_terminal_of_any_height(way: Sequence[str]) -> None:
    async with console(size=(60, 24)) as driver:
        await driver.press(*way)
        for height in range(20, 8, -1):
            await driver.resize((60, height))
            assert any("enter confirm" in line for line in driver.lines()), driver.text()
