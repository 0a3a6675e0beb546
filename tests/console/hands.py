"""Random hands on the keys, and a witness of everything they do.

What cannot be taken back counts as a fault unless a grave question stood on the screen before the key that did it,
and that key is one that confirms. What can be taken back counts as a fault unless the undo is on offer afterwards.
"""

from __future__ import annotations

import random
import string
from collections import Counter
from collections.abc import Sequence

from console_driver import Driver
from console_world import World
from textual.keys import _character_to_key
from textual.screen import Screen

from watchfloor.console.actions import ACTIONS
from watchfloor.console.keymap import types_character
from watchfloor.console.screens.dialogs import Dialog
from watchfloor.console.widgets.filter_line import TextLine

HARMLESS = frozenset({"check_now", "save_preference", "unacknowledge"})
"""Changes nothing but what is remembered about looks, asks for a check, or takes something back."""
UNDOABLE = frozenset({"acknowledge", "set_paused"})

LOCKED_FOR = 50
"""A console that random keys locked is unlocked after so many, else all that follows would prove nothing."""
FRESH = 1_000
"""The world is made new after so many keys, else every alert would soon be resolved."""


HOT = 0.4
"""This share of the keys are those that change something, confirm, or lead to where something can be changed."""


def keys_to_press() -> list[str]:
    """Every key of the table, and characters that are in none of its rows."""
    return sorted({key for action in ACTIONS for key in action.keys} | set(string.ascii_letters))


def hot_keys() -> list[str]:
    """The keys of actions that change something, and of those that lead to them."""
    leads = {"alerts", "health", "settings", "confirm", "cancel", "down", "undo"}
    return sorted({key for action in ACTIONS if action.writes or action.id in leads for key in action.keys})


class Hands:
    """Presses keys and judges what they did."""

    def __init__(self, driver: Driver, seed: int) -> None:
        self.driver, self.app, self.world = driver, driver.app, driver.world
        self.faults: list[str] = []
        self.did: Counter[str] = Counter()
        self.confirmed = 0
        self.left = 0
        self._dice = random.Random(seed)
        self._locked = 0
        self._recent: list[str] = []
        self.app.leave = self._leave  # type: ignore[method-assign]

    def _leave(self, because: str = "") -> None:
        self.left += 1  # leaving the view destroys nothing; these hands go on

    async def press_many(self, count: int, keys: Sequence[str], *, whole: bool) -> None:
        """Press so many random keys: as the terminal would, or (not `whole`) without drawing in between."""
        hot = sorted(set(hot_keys()) & set(keys))
        for turn in range(count):
            if turn % FRESH == 0:
                await self._renew_world()
            chosen = hot if self._dice.random() < HOT else keys
            await self.press(self._dice.choice(chosen), whole=whole)

    async def press(self, key: str, *, whole: bool) -> None:
        """Press one key and judge what was done by the time the console is idle."""
        self._recent = [*self._recent[-9:], key]
        before, done = self.app.screen, len(self.world.done)
        if whole:
            await self.driver.press(key)
        else:
            await self._strike(key)
            if self.app.screen is not before or not self.app.idle:
                await self.driver.idle()
        for effect in self.world.done[done:]:
            self._judge(effect, key, before)
        self._locked = self._locked + 1 if self.app.locked else 0
        if self._locked > LOCKED_FOR:
            self.app.locked = False

    async def _strike(self, key: str) -> None:
        """What the key does once Textual has found out whom it is for."""
        focused = self.app.focused
        if isinstance(focused, TextLine) and types_character(key):
            focused.insert_text_at_cursor(" " if key == "space" else key)
        else:
            await self.app._check_bindings(_character_to_key(key) if len(key) == 1 else key)

    def _judge(self, effect: tuple[object, ...], key: str, before: Screen[object]) -> None:
        kind = str(effect[0])
        self.did[kind] += 1
        bulk = kind == "acknowledge" and len(effect[1]) > 1  # type: ignore[arg-type]
        if kind in HARMLESS:
            return
        if kind in UNDOABLE and not bulk:
            # Taking a pause back is a pause or a resume too, and needs no undo of its own.
            if self.app.undo is None and not (kind == "set_paused" and self._takes_back(key)):
                self._fault(effect, "no undo is on offer")
            return
        asked = isinstance(before, Dialog) and (before.grave or bulk)
        if asked and key in self.app.keymap.keys["confirm"]:
            self.confirmed += 1
        else:
            self._fault(effect, f"nobody was asked (on {type(before).__name__})")

    def _takes_back(self, key: str) -> bool:
        return key in self.app.keymap.keys["undo"] or key in self.app.keymap.keys["run"]

    def _fault(self, effect: tuple[object, ...], why: str) -> None:
        self.faults.append(f"{effect}: {why}, after {' '.join(self._recent)}")

    async def _renew_world(self) -> None:
        fresh = World()
        self.world.done.clear()
        for name in ("services", "alerts", "resolved", "settings"):
            setattr(self.world, name, getattr(fresh, name))
        await self.driver.changed("health", "alerts", "settings")
