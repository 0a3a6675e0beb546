"""By what the console is controlled: the keys it obeys, the mouse, and the history of commands.

A key map or a mouse that cannot be used is said; what was in use stays.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from watchfloor.console.bell import KINDS, PREFERENCE, sequence
from watchfloor.console.commands import remembered
from watchfloor.console.doings import Doings
from watchfloor.console.keymap import Keymap
from watchfloor.console.keymaps import KeysInUse
from watchfloor.console.outlet import Outlet
from watchfloor.console.screens.host import ActionHost
from watchfloor.console.shell import PROBLEM_S
from watchfloor.console.terminal import ConsoleDriver
from watchfloor.console.widgets.filter_line import TextLine


class Controls(Doings, inherit_bindings=False):
    """The part that obeys keys and the mouse."""

    keys: KeysInUse
    mouse: bool | None
    """Whether the mouse is used; None: as the operator prefers, else on this machine yes, over SSH no."""
    history: Sequence[str] = ()
    bell_kind: str = "off"
    """How new alerts are told beside being shown: one of `watchfloor.console.bell.KINDS`."""

    @property
    def outlet(self) -> Outlet | None:
        """The way to the terminal, where there is one."""
        return self._driver.outlet if isinstance(self._driver, ConsoleDriver) else None

    @property
    def keymap(self) -> Keymap:
        """Which keys run which action."""
        return self.keys.keymap

    def choose_keys(self, name: str) -> None:
        """Use a key map and remember it; one with mistakes is reported and not used."""
        if self._use_keys(name):
            self.remember("keys", name)
            self.say(((f"✓ keys {self.keymap.label}", "ok"),))

    def followed(self) -> tuple[Path, ...]:
        return (*super().followed(), *self.keys.files)

    def _use_keys(self, name: str) -> bool:
        fine = self.keys.choose(name)
        self.follow_files()
        self._keys_changed()
        return fine

    def _look_at_keys(self) -> None:
        if self.keys.look():
            self._keys_changed()
            if self.keys.problem is None:
                self.say(((f"✓ keys {self.keymap.label}, as saved just now", "ok"),))

    def _keys_changed(self) -> None:
        for screen in (screen for stack in self._screen_stacks.values() for screen in stack):
            for holder in (screen, *screen.query(TextLine)):
                if isinstance(holder, ActionHost | TextLine):
                    holder.rebind()
        problem = self.keys.problem
        if problem is not None:
            place = problem.place.removeprefix("keymaps/")
            self.notice = ((f"▲ {place} is not used, see :keys", "degraded"),)
        if self.is_running:  # else the notice is shown with the first screen
            if problem is not None and self.notice is not None:
                self.say(self.notice, PROBLEM_S)
            self.renew_bars()

    def switch_mouse(self) -> None:
        """Use the mouse, or leave it to the terminal; remembered."""
        self.mouse = not (isinstance(self._driver, ConsoleDriver) and self._driver.has_mouse)
        self._use_mouse(self.mouse)
        self.remember("mouse", "on" if self.mouse else "off")
        words = "the mouse works here" if self.mouse else "the mouse is the terminal's, to select text"
        self.say(((f"✓ {words}", "ok"),))

    def _use_mouse(self, on: bool) -> None:
        if isinstance(self._driver, ConsoleDriver):
            self._driver.use_mouse(on)

    def switch_bell(self) -> None:
        """Let new alerts be told by nothing, by the terminal's bell, or on the desktop; remembered."""
        self.bell_kind = KINDS[(KINDS.index(self.bell_kind) + 1) % len(KINDS)]
        self.remember(PREFERENCE, self.bell_kind)
        words = {
            "off": "new alerts are shown and nothing more",
            "bell": "new alerts ring the terminal's bell",
            "desktop": "new alerts ring and are told on the desktop, where the terminal can",
        }
        self.say(((f"✓ {words[self.bell_kind]}", "ok"),))
        self._ring("this is how a new alert sounds")

    def _ring(self, words: str) -> None:
        sent = sequence(self.bell_kind, words)
        if sent and self.outlet is not None:
            self.outlet.write(sent)

    def remember_command(self, line: str) -> None:
        """Put a command at the end of this operator's history."""
        history = remembered(self.history, line)
        if history != self.history:
            self.history = history
            self.remember("commands", history)
