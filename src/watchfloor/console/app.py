"""The application: five rooms over one feed, put together from its parts.

It holds the last status and reads through a `Reader`; what is done, how it looks and what it obeys are parts of their
own (see `shell`). It must never import an engine.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta, tzinfo
from typing import Any, ClassVar

from rich.console import RenderableType
from textual import events
from textual._compositor import CompositorUpdate
from textual.driver import Driver
from textual.screen import Screen

from watchfloor.console.bell import KINDS, PREFERENCE, news
from watchfloor.console.controls import Controls
from watchfloor.console.feed import PACE_S, TICK_S, VIEW, Feed
from watchfloor.console.keymap import TABLE
from watchfloor.console.keymaps import Keymaps, KeysInUse
from watchfloor.console.leave import Exits
from watchfloor.console.looks import Looks
from watchfloor.console.navigator import KEEP_S, Navigator
from watchfloor.console.past import Past
from watchfloor.console.places import directories
from watchfloor.console.reader import Operator, Reader
from watchfloor.console.saves import Saves
from watchfloor.console.screens.alerts import AlertsRoom
from watchfloor.console.screens.dialogs import ConfirmDialog
from watchfloor.console.screens.health import HealthRoom
from watchfloor.console.screens.host import together
from watchfloor.console.screens.jobs import JobsRoom
from watchfloor.console.screens.logs import LogsRoom
from watchfloor.console.screens.room import Room
from watchfloor.console.screens.sectioned import SectionedRoom
from watchfloor.console.screens.settings import SettingsRoom
from watchfloor.console.shell import PROBLEM_S, system_clock
from watchfloor.console.terminal import ConsoleDriver
from watchfloor.console.themes import DEFAULT, Themes, theme_directories
from watchfloor.console.turns import Acted, Turns
from watchfloor.domain.boards import StatusLine
from watchfloor.domain.words import count

GRACE_S = 0.4
"""What cannot be taken back is not confirmed sooner than its question can have been read."""
ACK_LASTS = timedelta(hours=4)


class WatchfloorApp(Looks, Controls, Past, inherit_bindings=False):
    """The console. `left_because` says why it ended, for whoever started it."""

    ENABLE_COMMAND_PALETTE = False
    ALLOW_SELECT = False
    TITLE = "Watchfloor"
    DEFAULT_MODE = "health"
    MODES: ClassVar[dict[str, str | Callable[[], Room]]] = {  # type: ignore[assignment]
        "health": HealthRoom,
        "jobs": JobsRoom,
        "alerts": AlertsRoom,
        "logs": LogsRoom,
        "settings": SettingsRoom,
    }

    def __init__(
        self,
        reader: Reader,
        operator: Operator,
        *,
        preferences: Mapping[str, object] | None = None,
        theme: str | None = None,
        themes: Themes | None = None,
        keys: str | None = None,
        keymaps: Keymaps | None = None,
        read_only: bool = False,
        mouse: bool | None = None,
        grace: float = GRACE_S,
        clock: Callable[[], datetime] = system_clock,
        zone: tzinfo | None = None,
        pace: float = PACE_S,
        tick: float = TICK_S,
        keep_s: float = KEEP_S,
        driver_class: type[Driver] = ConsoleDriver,
    ) -> None:
        self.themes = themes or Themes(theme_directories())
        self.keys = KeysInUse(keymaps or Keymaps(directories("keymaps"), together()))
        super().__init__(reader, operator, clock=clock, zone=zone, driver_class=driver_class)
        self.animation_level = "none"
        self.read_only = read_only
        self.mouse = mouse
        self.grace = grace
        self.stretch = "1 h"
        """How much of the past charts show: a name of `domain.history.RANGES`."""
        self.status: StatusLine | None = None
        self.away: str | None = None
        self.ack_lasts = ACK_LASTS
        self.left_because = ""
        self.exits: Exits | None = None
        self.paints = True
        """False: Textual's own output, without the painter; to compare, or where a terminal has trouble with it."""
        self._wanted_theme, self._wanted_keys = theme, keys
        self._remembered = preferences
        self.navigator = Navigator(self, keep_s)
        self.turns = Turns(self)
        self.moved = False  # whether a person did anything yet
        self.feed = Feed(reader.pulses, self._refresh_boards, self._report, pace=pace, tick=tick)
        self._start_theme(theme or _text(preferences, "theme") or DEFAULT)
        self._use_keys(keys or TABLE)
        self._take_preferences(preferences or {})

    @property
    def idle(self) -> bool:
        """Nothing is being read or done: what is on the screen is what there is."""
        room = self.room
        quiet = self.feed.idle and self._running_operations == 0 and self.turns.idle
        return quiet and (room is None or room.settled)

    async def on_event(self, event: events.Event) -> None:
        """Keys and pastes take turns; without a screen, as the console ends, they are nobody's."""
        if not isinstance(event, events.Key | events.Paste) or event.is_forwarded:
            await super().on_event(event)
        elif self.screen_stack and not self.turns.must_wait(event):
            target = self.focused or self.screen
            await super().on_event(event)
            self.turns.follow(target)

    def on_acted(self, event: Acted) -> None:
        if self.screen_stack:
            self.turns.acted(event.turn)

    def on_mount(self) -> None:
        if self.exits is not None:
            self.exits.attach(asyncio.get_running_loop())
        self.run_worker(self.feed.run(), name="feed", exit_on_error=True)
        self.saves = Saves(self._look_at_files)
        self.follow_files()
        self._next_minute()
        if self.notice is not None:
            self.say(self.notice, PROBLEM_S)

    async def on_unmount(self) -> None:
        if self.saves is not None:
            self.saves.end()
        await self.navigator.finish()
        if self.exits is not None:
            self.exits.detach()

    def _display(self, screen: Screen[Any], renderable: RenderableType | None) -> None:
        """Called by Textual with every change of the picture: on a terminal it is the painter's."""
        driver = self._driver
        if not (
            self.paints and isinstance(driver, ConsoleDriver) and isinstance(renderable, CompositorUpdate)
        ):
            super()._display(screen, renderable)
        elif driver.outlet is not None and self._running and not self._closed and not self._batch_count:
            driver.outlet.marks = self._sync_available
            driver.outlet.show(renderable)

    def link_changed(self) -> None:
        """The line to the terminal turned slow or thin, or is no longer."""
        self.renew_bars()
        self.screen.refresh()

    def draw_again(self) -> None:
        """Send every cell of the screen to the terminal."""
        if self.outlet is not None:
            self.outlet.draw_again()
        self.screen.refresh(layout=True)

    def delay_update(self, delay: float = 0.05) -> None:
        """Textual waits this long when rooms change; here a room is drawn from what it already holds."""
        super().delay_update(min(delay, 0.001))

    def _look_at_files(self) -> None:
        self._look_at_keys()
        self._look_at_theme()

    def _next_minute(self) -> None:
        now = self._clock()
        self.set_timer(60.05 - now.second - now.microsecond / 1e6, self._minute)

    def _minute(self) -> None:
        if self.room is not None:
            self.room.show()
        self._next_minute()

    # What is read

    async def _refresh_boards(self, topics: frozenset[str]) -> None:
        if self._remembered is None and "*" in topics:
            self._remembered = await self.reader.preferences()
            self._take_preferences(self._remembered)
            self.navigator.restore(self._remembered, moved=self.moved)
            if self._wanted_theme is None:
                self.use_theme(_text(self._remembered, "theme") or DEFAULT)
        if topics & {"*", "settings"}:
            await self._read_settings()
        if self.status is None or topics != VIEW:  # somebody who goes elsewhere waits for nothing else
            before, self.status = self.status, await self.reader.status()
            self._ring(news(before, self.status))
            self._offset = self.status.at - self._clock()
        room = self.room
        if room is None:
            return
        if topics != VIEW and self.outlet is not None:
            await self.outlet.answer_first()
        if room.wants(topics):
            await room.load()
        room.show()

    async def _read_settings(self) -> None:
        for row in await self.reader.settings():
            if row.key == "alerts.ack_expiry" and isinstance(row.value, int | float):
                self.ack_lasts = timedelta(seconds=row.value)

    def _report(self, problem: str | None) -> None:
        if problem != self.away:
            self.away = problem
            if self.room is not None:
                self.room.show()

    def _take_preferences(self, preferences: Mapping[str, object]) -> None:
        self.absolute = preferences.get("times") == "absolute"
        self.history = texts(preferences.get("commands"))
        if self.mouse is None and preferences.get("mouse") in ("on", "off"):
            self._use_mouse(preferences["mouse"] == "on")
        wanted = _text(preferences, PREFERENCE)
        self.bell_kind = wanted if wanted in KINDS else self.bell_kind
        if self._wanted_keys is None:
            self._use_keys(_text(preferences, "keys") or TABLE)

    def go(self, room: str) -> None:
        """Change to a room; the key of the present one goes back to its first screen, there to its first section."""
        if room == self.current_mode:
            if isinstance(self.screen, SectionedRoom):
                self.screen.show_first_section()
            while len(self.screen_stack) > 1 and isinstance(self.screen, Room):
                if self.screen.holds(lambda: self.go(room)):
                    return
                self.pop_screen()
            return
        self.switch_mode(room)

    def quit(self) -> None:
        """Leave as its operator wants; what was filled in, in whatever room, is asked about first."""
        stacks = self._screen_stacks.values()
        screens = [screen for stack in stacks for screen in stack if isinstance(screen, Room)]
        unsaved = sum(screen.unsaved for screen in screens)
        if not unsaved:
            self.leave("quit")
            return

        def done(sure: bool | None) -> None:
            if sure:
                self.leave("quit")

        words = [f"{count(unsaved, 'field')} that you filled in would be lost. Nothing is saved."]
        self.push_screen(ConfirmDialog((("Quit", "title"),), words), done)

    def leave(self, because: str = "") -> None:
        """End the console; the terminal is restored by whoever runs it."""
        self.left_because = self.left_because or because
        self.exit()


def texts(value: object) -> list[str]:
    """The texts of a list that was stored; whatever else it holds is left out."""
    return [each for each in value if isinstance(each, str)] if isinstance(value, list) else []


def _text(preferences: Mapping[str, object] | None, key: str) -> str | None:
    value = (preferences or {}).get(key)
    return value if isinstance(value, str) else None
