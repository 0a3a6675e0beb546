"""Hostile text in every field of every screen: nothing crashes, nothing leaks, every cell stays in its column.

By default a few megabytes, seeded. WATCHFLOOR_HOSTILE_MB=100 (or 1000) goes on until so many were shown.
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

import pyte
import pytest
from console_driver import Driver, console
from console_pty import started, terminal
from console_world import World, log_rows
from rich.cells import cell_len
from test_console_fit import TOUR, fits
from wcwidth import wcwidth

from watchfloor.console.line import clean

MEGABYTES = float(os.environ.get("WATCHFLOOR_HOSTILE_MB", "3"))
SIZES = [(80, 24), (160, 40)]  # the second is wide enough for the pane beside the board
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


def poison(world: World, make: Callable[[], str]) -> World:
    """The world with every text of its boards replaced."""
    fresh = World()
    world.database, world.problems = make(), (make(),)
    for name in ("services", "alerts", "resolved", "tasks", "nodes", "components"):
        setattr(world, name, [poisoned(row, make) for row in getattr(fresh, name)])
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


def is_aligned(driver: Driver, screen: pyte.Screen, stream: pyte.Stream, where: str) -> None:
    """A terminal that is told these lines puts every character into the cell it was meant for."""
    texts = ["".join(strip.text for strip in line) for line in driver.strips()]
    screen.reset()
    stream.feed("".join(f"\x1b[{y + 1}H{text}" for y, text in enumerate(texts)))
    for y, text in enumerate(texts):
        if text.isascii():
            continue
        shown = [screen.buffer[y][x].data[:1] for x in range(screen.columns)]
        meant = [character[:1] for character in cells_of(text)]
        same = [
            a == b or (a.isspace() and b.isspace()) or not (a.isascii() and b.isascii())
            for a, b in zip(shown, meant, strict=True)
        ]
        assert all(same), f"{where}: {text!r}"


@pytest.mark.parametrize("size", SIZES, ids=str)
async def test_hostile_text_in_every_field_breaks_no_screen_and_moves_no_column(
    size: tuple[int, int],
) -> None:
    make = Poison(seed=size[0])
    screen = Screen(*size)
    stream = pyte.Stream(screen)
    world = poison(World(), make)
    async with console(world, size=size) as driver:
        while True:
            for where, keys in TOUR.items():
                await driver.press(*keys)
                fits(driver, size, where)
                is_aligned(driver, screen, stream, where)
                await driver.home()
            if make.bytes >= MEGABYTES * 1e6 / len(SIZES):
                break
            poison(world, make)
            await driver.changed("health", "alerts", "jobs", "logs", "settings", "nodes")


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
