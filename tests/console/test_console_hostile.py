"""Hostile text in every field of every screen: nothing crashes, nothing leaks, every cell stays in its column.

What goes where: a tour leads through every screen, each drawn at two sizes, and on its way every text of every board
is made anew (about 9 MB) as often as it takes for 100 MB in all; each is read, and the pane that is open draws it. A
pane draws at most the first 2,000 characters of a text: the rest of a long one is read and cut off by `clean`. Seeded.
WATCHFLOOR_HOSTILE_MB=1000 makes it so much. What a terminal is sent is looked at for one world more, in a process of
its own.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import fields, is_dataclass, replace
from datetime import datetime
from enum import Enum
from random import Random
from time import monotonic
from typing import Any
from uuid import UUID

import pyte
from console_driver import Driver, console
from console_pty import started, terminal
from console_world import NOW, World, log_rows
from rich.cells import cell_len
from test_console_fit import TOUR, fits, tour
from wcwidth import wcwidth

from watchfloor.console.line import clean
from watchfloor.console.widgets.entry import LinesArea
from watchfloor.console.widgets.filter_line import FilterLine
from watchfloor.domain.outcome import Outcome, Status
from watchfloor.domain.trial import Trial

MEGABYTES = float(os.environ.get("WATCHFLOOR_HOSTILE_MB", "100"))
SIZES = [(80, 24), (160, 40)]  # the second is wide enough for the pane beside the board
TOPICS = ("health", "alerts", "jobs", "logs", "settings", "nodes", "checks", "services", "outbox")
KEPT = ("firing", "acknowledged", "pending", "resolved")

PIECES = (
    "\x1b[2J\x1b]0;owned\x07",
    "\x1b[31m red \x1b[0m",
    "\x1bP1$r0m\x1b\\",
    "\x1b]52;c;b3duZWQ=\x07",
    "\x1b[?1049l",
    "\x1b]8;;http://evil.example\x1b\\link\x1b]8;;\x1b\\",
    "\x9b5n\x9d0;owned\x9c",
    "\u202eright to left\u2066",
    "مرحبا بالعالم שלום עולם",
    "日本語のとても長い名前のサービス",
    "ｆｕｌｌ　ｗｉｄｔｈ",
    "e\u0301\u0301\u0301\u0301\u0301 zalgo\u0336\u0337",
    "\U0001f469\u200d\U0001f469\u200d\U0001f467 family \u2764\ufe0f \U0001f44d\U0001f3fd",
    "\U0001f1e9\U0001f1ea\U0001f1eb",
    "각ᅡᆨ क्ष्म्य नमस्ते ไทยภาษา",
    "[bold red]markup[/] \\[x] {braces} %s",
    "tab\tnew\nline\rreturn\x00null\x08\x7f",
    "\u200b\u200c\u200d\ufeff\u00ad\u2028\u2029\x85",
    "\ud800 half of a pair",
    "x" * 300,
    "",
    " ",
)


def hostile(dice: Random) -> str:
    """A text nobody wants: random bytes read in two ways, random characters, and pieces of known malice."""
    kind = dice.randrange(6)
    size = int(10 ** dice.uniform(0, 4.6))  # most are short, most of the bytes are in long ones
    if kind == 0:
        return dice.randbytes(size).decode("latin-1")
    if kind == 1:
        return dice.randbytes(size).decode("utf-8", "surrogateescape")
    if kind == 2:
        return "".join(map(chr, (dice.randrange(0x110000) for _ in range(size % 2_000))))
    return "".join(dice.choices(PIECES, k=1 + size // 20))


def poisoned(row: Any, make: Callable[[], str]) -> Any:
    """The same row with another text in every field that holds one, however deep."""
    if is_dataclass(row) and not isinstance(row, type):
        return replace(row, **{field.name: poisoned(getattr(row, field.name), make) for field in fields(row)})
    if isinstance(row, Enum | datetime):
        return row
    if isinstance(row, str):
        return row if row in KEPT else make()
    if isinstance(row, dict):
        return {make() + str(key): poisoned(value, make) for key, value in row.items()}
    if isinstance(row, list | tuple):
        return type(row)(poisoned(each, make) for each in row)
    return row


class Poison:
    """Makes hostile texts and counts them."""

    def __init__(self, seed: int) -> None:
        self._dice = Random(seed)
        self.bytes = 0

    def __call__(self) -> str:
        text = hostile(self._dice)
        self.bytes += len(text.encode("utf-8", "surrogatepass"))
        return text


POISONED = (
    "services",
    "alerts",
    "resolved",
    "tasks",
    "nodes",
    "components",
    "jobs",
    "runs",
    "run_log",
    "workers",
)
POISONED += ("queues", "silences", "sent")
"""What the boards of a world are made of."""


def poison(world: World, make: Callable[[], str]) -> World:
    """The world with every text of its boards replaced."""
    fresh = World()
    world.database, world.problems = make(), (make(),)
    for name in POISONED:
        setattr(world, name, [poisoned(row, make) for row in getattr(fresh, name)])
    world.settings = [replace(row, changed_by=make()) for row in fresh.settings]  # the keys are ours
    world.records = [poisoned(row, make) for row in log_rows(count=60)]
    return world


def test_what_is_shown_has_the_same_width_here_and_in_a_terminal() -> None:
    odd = []
    for number in range(0x110000):
        shown = clean(f"a{chr(number)}b")
        if any(cell_len(character) != wcwidth(character) for character in shown):
            odd.append(hex(number))
    assert odd == []


def test_a_flag_is_shown_as_its_letters() -> None:
    assert clean("\U0001f1e9\U0001f1ea") == "DE"


async def test_what_stands_in_a_line_or_a_text_to_be_edited_is_drawn_without_its_sequences() -> None:
    evil = "".join(PIECES[:7]).replace("\n", "") + "\t日本\x9b2J"
    async with console(size=(100, 30)) as driver:
        await driver.press("3", "/")
        line = driver.app.screen.query_one(FilterLine)
        line.value = evil
        await driver.idle()
        fits(driver, (100, 30), "a line")
        assert line.value == evil
        await driver.press("end", "backspace", "x")
        assert line.value == evil[:-1] + "x"
        await driver.home()
        await driver.press("2", "+", "j", "j", "enter")
        area = driver.app.screen.query_one(LinesArea)
        area.text = evil
        await driver.idle()
        fits(driver, (100, 30), "a text")
        driver.sees("�[31m red �[0m")


def cells_of(text: str) -> list[str]:
    """The text cell by cell as it was meant; the second half of a wide character is empty."""
    cells: list[str] = []
    for character in text:
        size = cell_len(character)
        if size == 0:
            continue
        cells += [character] + [""] * (size - 1)
    return cells


class Screen(pyte.Screen):
    """Pyte drops the rest of a text after a character without width that is no combining mark; terminals do not."""

    def draw(self, data: str) -> None:
        for character in data:
            super().draw(character)


class Emulator:
    """A terminal of one size that is told what the console would show on it."""

    def __init__(self, size: tuple[int, int]) -> None:
        self._screen = Screen(*size)
        self._stream = pyte.Stream(self._screen)

    def is_aligned(self, driver: Driver, where: str) -> None:
        """Every character of the console's lines comes into the cell it was meant for."""
        texts = ["".join(strip.text for strip in line) for line in driver.strips()]
        self._screen.reset()
        self._stream.feed("".join(f"\x1b[{y + 1}H{text}" for y, text in enumerate(texts)))
        for y, text in enumerate(texts):
            if text.isascii():
                continue
            shown = [self._screen.buffer[y][x].data[:1] for x in range(self._screen.columns)]
            meant = [character[:1] for character in cells_of(text)]
            same = [
                a == b or (a.isspace() and b.isspace()) or not (a.isascii() and b.isascii())
                for a, b in zip(shown, meant, strict=True)
            ]
            assert all(same), f"{where}: {text!r}"


async def test_hostile_text_in_every_field_breaks_no_screen_and_moves_no_column() -> None:
    make = Poison(seed=80)
    emulators = {size: Emulator(size) for size in SIZES}
    world = poison(World(), make)
    wanted, stops = MEGABYTES * 1e6, 0
    async with console(world, size=SIZES[0]) as driver:
        async for where in tour(driver):
            stops += 1
            while make.bytes < min(1.0, stops / len(TOUR)) * wanted:
                poison(world, make)
                await driver.changed(*TOPICS)
            for size, emulator in emulators.items():
                await driver.resize(size)
                fits(driver, size, where)
                emulator.is_aligned(driver, where)
            await driver.resize(SIZES[0])
    assert make.bytes >= wanted


EDITED = {"a service": "1i", "a job": "2i", "a trial": "1ix", "windows": "1Y"}
"""Where forms with values of their own, what a trial found and windows are shown, by the keys that lead there."""


def edited(make: Callable[[], str]) -> World:
    """A world in which every text of forms, windows and trials is replaced."""
    world = World()
    world.slots = [replace(poisoned(slot, make), state=slot.state, owner=slot.owner) for slot in world.slots]
    world.forms["shop checkout"] = world.forms["wiki"]
    for name, form in world.forms.items():
        values = {key: poisoned(value, make) for key, value in form.values.items()}
        world.forms[name] = replace(form, values=values, changed_by=make(), origin=make())
    found = Outcome(Status.FAILING, make(), 0.2, {make(): 0.1}, {make(): 1.0}, {make(): make()})
    world.trial = Trial(UUID(int=7), "http", 10.0, NOW, make(), NOW, NOW, found)
    return world


async def test_hostile_text_in_forms_windows_and_trials_breaks_nothing_either() -> None:
    make = Poison(seed=4)
    emulators = {size: Emulator(size) for size in SIZES}
    harmless: dict[str, str] = {}
    async with console(edited(lambda: "harmless"), size=SIZES[0]) as driver:
        for where, keys in EDITED.items():
            await driver.press(*keys)
            harmless[where] = driver.text()
            await driver.home()
    for world in (edited(make), edited(make), edited(make)):
        async with console(world, size=SIZES[0]) as driver:
            for where, keys in EDITED.items():
                await driver.press(*keys)
                assert driver.text() != harmless.get(where), "none of it is shown"
                for size, emulator in emulators.items():
                    await driver.resize(size)
                    fits(driver, size, where)
                    emulator.is_aligned(driver, where)
                await driver.resize(SIZES[0])
                await driver.press("G", "enter")  # the last line, opened
                fits(driver, SIZES[0], where)
                emulators[SIZES[0]].is_aligned(driver, where)
                await driver.home()


SEQUENCE = re.compile(r"\x1b(?:\[([<=>?]?)[0-9;:]*([ -/]*)([@-~])|\][^\x07\x1b]*(?:\x07|\x1b\\)|[ -/]*[0-~])")
KEYS = (
    b"\r",
    b"\x1b",
    b"2",
    b"3",
    b"\r",
    b"\x1b",
    b"a",
    b"\x1b",
    b"4",
    b"\r",
    b"\x1b",
    b"5",
    b"\t",
    b"\t",
    b"\r",
    b"\x1b",
    b"?",
    b"\x1b",
    b"1",
)


def sent(setup: str, ready: Callable[[bytes], bool]) -> str:
    """What a console writes to its terminal on a tour through its rooms."""
    deadline = monotonic() + 60
    with terminal(setup=setup, size=(160, 40)) as seen:
        seen.until(ready)
        for key in KEYS:
            seen.type(key)
            seen.still(0.4 if key == b"\x1b" else 0.1)  # a lone escape is one only when nothing follows it
        while not board_border(bytes(seen.output)):  # a slow machine may have taken two keys for one
            assert monotonic() < deadline, f"no straight line beside the board:\n{shown(bytes(seen.output))}"
            for key in (b"\x1b", b"1"):
                seen.type(key)
                seen.still(0.5)
        return bytes(seen.output).decode("utf-8")


def shown(output: bytes) -> str:
    """The screen after all that was written."""
    screen = Screen(160, 40)
    pyte.Stream(screen).feed(output.decode("utf-8", "ignore"))
    return "\n".join(screen.display)


def board_border(output: bytes) -> list[int]:
    """The columns in which a line goes straight down the screen: the one between the board and the pane beside it."""
    screen = Screen(160, 40)
    pyte.Stream(screen).feed(output.decode("utf-8", "ignore"))
    return [x for x in range(160) if all(screen.buffer[y][x].data[:1] == "│" for y in range(5, 36))]


def shape(match: re.Match[str]) -> str:
    """What kind of sequence this is, without its numbers."""
    return f"{match[1]}{match[2]}{match[3]}" if match[3] else match[0][:2]


def test_no_sequence_of_an_attacker_reaches_the_terminal() -> None:
    usual = sent("world, options = World(), {}", started)
    lines = (
        "from test_console_hostile import Poison, poison",
        "world, options = poison(World(), Poison(seed=9)), {}",
    )
    attacked = sent("\n".join(lines), lambda output: b"/ 24" in output)
    ours = {shape(match) for match in SEQUENCE.finditer(usual)}
    found = {shape(match) for match in SEQUENCE.finditer(attacked)}
    assert found <= {*ours, "G"}  # after text of doubtful width the painter says in which column it goes on
    assert "owned" not in "".join(match[0] for match in SEQUENCE.finditer(attacked))
    rest = SEQUENCE.sub("", attacked)
    assert {character for character in rest if not character.isprintable()} <= set("\r\n")
