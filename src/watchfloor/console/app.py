"""The application: five rooms over one feed, and what they share.

It holds the last status, the clock, the theme, the notice and the undo that is on offer. It reads through a
`Reader`, acts through an `Operator`, and must never import an engine.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta, tzinfo
from time import monotonic
from typing import Any, ClassVar, TypeVar

from rich.console import RenderableType
from textual._compositor import CompositorUpdate
from textual.app import App
from textual.driver import Driver
from textual.filter import LineFilter, Monochrome, NoColor
from textual.screen import Screen
from textual.timer import Timer

from watchfloor.config.problems import ConfigError
from watchfloor.console.colourless import Colourless
from watchfloor.console.commands import Mistake, remembered
from watchfloor.console.feed import ALL, PACE_S, TICK_S, VIEW, Feed, sentence
from watchfloor.console.format import Moment
from watchfloor.console.ink import Inks
from watchfloor.console.journey import Journey, refusal
from watchfloor.console.keymap import TABLE, Keymap
from watchfloor.console.keymaps import LOOK_S, Keymaps, KeysInUse
from watchfloor.console.keys import key_of
from watchfloor.console.leave import Exits
from watchfloor.console.line import Line, clean
from watchfloor.console.navigator import KEEP_S, Navigator
from watchfloor.console.outlet import Outlet
from watchfloor.console.places import directories
from watchfloor.console.reader import Operator, Reader
from watchfloor.console.screens.alerts import AlertsRoom
from watchfloor.console.screens.health import HealthRoom
from watchfloor.console.screens.host import ActionHost, together
from watchfloor.console.screens.jobs import JobsRoom
from watchfloor.console.screens.logs import LogsRoom
from watchfloor.console.screens.room import Room
from watchfloor.console.screens.settings import SettingsRoom
from watchfloor.console.terminal import ConsoleDriver
from watchfloor.console.themes import COLOURLESS, DEFAULT, Theme, Themes, textual_theme, theme_directories
from watchfloor.console.widgets.filter_line import TextLine
from watchfloor.console.widgets.lines import Lines
from watchfloor.domain.boards import StatusLine
from watchfloor.operations.actor import Refused

T = TypeVar("T")

UNDO_S = 10.0
NOTICE_S = 6.0
PROBLEM_S = 30.0
"""For so long a mistake in somebody's own file is shown."""
ANSWER_S = 10.0
"""An operation without an answer for so long is given up; whether it was done nobody knows."""
GRACE_S = 0.4
"""What cannot be taken back is not confirmed sooner than its question can have been read."""
ACK_LASTS = timedelta(hours=4)


def system_clock() -> datetime:
    """This machine's time."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Undo:
    """What `u` takes back until `deadline` (monotonic): a label for the footer, the operation, what to say."""

    label: str
    run: Callable[[], Awaitable[object]]
    said: str
    deadline: float


class WatchfloorApp(App[None], inherit_bindings=False):
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
        super().__init__(driver_class=driver_class)
        self.animation_level = "none"
        self.reader, self.operator = reader, operator
        self.read_only = read_only
        self.mouse = mouse
        """Whether the mouse is used; None: as the operator prefers, else on this machine yes, over SSH no."""
        self.locked = False
        self.history: Sequence[str] = ()
        self.grace = grace
        self.zone = zone
        self.absolute = False
        self.stretch = "1 h"
        """How much of the past charts show: a name of `domain.history.RANGES`."""
        self.status: StatusLine | None = None
        self.away: str | None = None
        self.notice: Line | None = None
        self._undo: Undo | None = None
        self.ack_lasts = ACK_LASTS
        self.left_because = ""
        self.exits: Exits | None = None
        self.paints = True
        """False: Textual's own output, without the painter; to compare, or where a terminal has trouble with it."""
        self._clock = clock
        self._offset = timedelta(0)
        self._wanted_theme, self._wanted_keys = theme, keys
        self._remembered = preferences
        self._running_operations = 0
        self._notice_timer: Timer | None = None
        self.navigator = Navigator(self, keep_s)
        self.moved = False  # whether a person did anything yet
        self._heading: datetime | None = None
        self.wanted: Journey | None = None  # the past that is looked at; each room says what it shows already
        self.feed = Feed(reader.pulses, self._refresh_boards, self._report, pace=pace, tick=tick)
        self._start_theme(theme or _text(preferences, "theme") or DEFAULT)
        self._use_keys(keys or TABLE)
        self._take_preferences(preferences or {})

    @property
    def keymap(self) -> Keymap:
        """Which keys run which action."""
        return self.keys.keymap

    @property
    def present(self) -> Moment:
        """Now, by the clock of the database as far as it is known, as this reader wants to see it."""
        return Moment(self._clock() + self._offset, self.zone, self.absolute)

    @property
    def moment(self) -> Moment:
        """The moment of which the present room shows the boards: now, or one of the past."""
        journey = self.room.journey if self.room else None
        return self.present if journey is None else replace(self.present, now=journey.at)

    @property
    def undo(self) -> Undo | None:
        """What can be taken back now."""
        undo = self._undo
        return undo if undo is not None and monotonic() < undo.deadline else None

    @property
    def idle(self) -> bool:
        """Nothing is being read or done: what is on the screen is what there is."""
        room = self.room
        return self.feed.idle and self._running_operations == 0 and (room is None or room.settled)

    def on_mount(self) -> None:
        if self.exits is not None:
            self.exits.attach(asyncio.get_running_loop())
        self.run_worker(self.feed.run(), name="feed", exit_on_error=True)
        self.set_interval(LOOK_S, self._look_at_keys)
        self.set_interval(LOOK_S, self._look_at_theme)
        self._next_minute()
        if self.notice is not None:
            self.say(self.notice, PROBLEM_S)

    async def on_unmount(self) -> None:
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

    @property
    def outlet(self) -> Outlet | None:
        """The way to the terminal; None where there is none."""
        return self._driver.outlet if isinstance(self._driver, ConsoleDriver) else None

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

    # What is shown

    def say(self, line: Line, seconds: float = NOTICE_S) -> None:
        """Show a notice in the status bar for some seconds; a newer one replaces it."""
        if self._notice_timer is not None:
            self._notice_timer.stop()
        self.notice = line
        self._notice_timer = self.set_timer(seconds, self._end_notice)
        self.renew_bars()

    def _end_notice(self) -> None:
        self.notice = None
        self.renew_bars()

    def renew_bars(self) -> None:
        """Draw again what differs on the present room's bars."""
        room = self.room
        if room is not None:
            room.renew_bars()

    @property
    def room(self) -> Room | None:
        """The room on the screen, or under the dialog that is."""
        return next((screen for screen in reversed(self.screen_stack) if isinstance(screen, Room)), None)

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
        self.status = await self.reader.status()
        self._offset = self.status.at - self._clock()
        room = self.room
        if room is None:
            return
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

    # What is done

    def operate(
        self,
        operation: Callable[[], Awaitable[object]],
        said: str | Callable[[], str],
        *,
        undo: tuple[str, Callable[[], Awaitable[object]], str] | None = None,
    ) -> None:
        """Run an operation beside the screen; then say what was done and read again.

        `undo` is the label, the operation that takes it back, and what to say when it did. Nothing is done from a
        console that is locked or read-only, however it was asked.
        """
        if self.locked or self.read_only:
            self.say(
                ((f"✘ not done: this console is {'locked' if self.locked else 'read-only'}", "degraded"),)
            )
            return
        self._running_operations += 1
        self.run_worker(self._operate(operation, said, undo), exit_on_error=True)

    async def _operate(
        self,
        operation: Callable[[], Awaitable[object]],
        said: str | Callable[[], str],
        undo: tuple[str, Callable[[], Awaitable[object]], str] | None,
    ) -> None:
        try:
            async with asyncio.timeout(ANSWER_S):
                await operation()
        except Refused as refusal:
            self.say(((f"✘ {clean(str(refusal))}", "degraded"),))
        except TimeoutError:
            self.say(((f"✘ no answer within {ANSWER_S:.0f} s: look whether it was done", "failing"),))
        except Exception as error:
            # The person must learn that nothing was done, whatever the reason was.
            self.say(((f"✘ not done: {clean(sentence(error))}", "failing"),))
        else:
            self._done(said if isinstance(said, str) else said(), undo)
        finally:
            self._running_operations -= 1
            self.feed.mark(hurry=True)

    def _done(self, said: str, undo: tuple[str, Callable[[], Awaitable[object]], str] | None) -> None:
        if undo is None:
            self.say(((f"✓ {said}", "ok"),))
            return
        label, run, taken_back = undo
        self._undo = Undo(label, run, taken_back, monotonic() + UNDO_S)
        self.set_timer(UNDO_S, self.renew_bars)
        self.say(((f"✓ {said}", "ok"), ("   ", "text"), (key_of("undo"), "key"), (" undo", "text")), UNDO_S)

    def ask(self, question: Callable[[], Awaitable[T]], then: Callable[[T], object]) -> None:
        """Read something beside the screen and go on with the answer; what goes wrong is said."""

        async def answer() -> None:
            try:
                async with asyncio.timeout(ANSWER_S):
                    then(await question())
            except Mistake as mistake:
                self.say(((f"✘ {clean(str(mistake))}", "degraded"),))
            except Exception as error:
                # The person must learn that what they asked for does not come, whatever the reason was.
                self.say(((f"✘ not found out: {clean(sentence(error))}", "failing"),))
            finally:
                self._running_operations -= 1

        self._running_operations += 1
        self.run_worker(answer(), exit_on_error=True)

    def lock(self, locked: bool) -> None:
        """Bar every change from this console, or allow them again."""
        self.locked = locked
        word = "locked: nothing can be changed from here" if locked else "unlocked"
        self.say(((f"✓ {word}", "ok"),))

    def take_back(self) -> None:
        """Run the undo that is on offer."""
        undo, self._undo = self.undo, None
        if undo is not None:
            self.operate(undo.run, undo.said)

    def remember(self, key: str, value: object) -> None:
        """Keep a preference of this operator; a failure to do so is said, and nothing else is lost."""

        async def save() -> None:
            try:
                await self.operator.save_preference(key, value)
            except Exception as error:
                # A preference is not worth more than a sentence, but it is worth that.
                self.say(((f"▲ not remembered: {clean(sentence(error))}", "degraded"),))
            finally:
                self._running_operations -= 1

        self._running_operations += 1
        self.run_worker(save(), exit_on_error=True)

    def _take_preferences(self, preferences: Mapping[str, object]) -> None:
        self.absolute = preferences.get("times") == "absolute"
        self.history = texts(preferences.get("commands"))
        if self.mouse is None and preferences.get("mouse") in ("on", "off"):
            self._use_mouse(preferences["mouse"] == "on")
        if self._wanted_keys is None:
            self._use_keys(_text(preferences, "keys") or TABLE)

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

    def remember_command(self, line: str) -> None:
        """Put a command at the end of this operator's history."""
        history = remembered(self.history, line)
        if history != self.history:
            self.history = history
            self.remember("commands", history)

    # Which keys it obeys

    def choose_keys(self, name: str) -> None:
        """Use a key map and remember it; one with mistakes is reported and not used."""
        if self._use_keys(name):
            self.remember("keys", name)
            self.say(((f"✓ keys {self.keymap.label}", "ok"),))

    def _use_keys(self, name: str) -> bool:
        fine = self.keys.choose(name)
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

    # When it looks

    def travel(self, at: datetime) -> None:
        """Show Health and Alerts as they were at `at`, or say why that cannot be."""
        self._running_operations += 1
        self._heading = at
        self.run_worker(self._travel(at), name="travel", exit_on_error=True)

    async def _travel(self, at: datetime) -> None:
        try:
            async with asyncio.timeout(ANSWER_S):
                kept = await self.reader.kept()
            if at != self._heading:
                return  # somebody wants to be elsewhere by now
            problem = refusal(at, self.present.now, kept, self.zone)
            room = self.room
            if problem is not None or room is None:
                self.say(((f"✘ {problem}", "degraded"),))
                return
            began_on = room if self.wanted is None else self.wanted.began_on
            self.wanted = Journey(at, self.reader.past(at), kept, began_on)
        except Exception as error:
            self.say(((f"✘ the past cannot be read: {clean(sentence(error))}", "failing"),))
        finally:
            self._running_operations -= 1
            self.feed.mark(VIEW, hurry=True)

    def return_to_now(self) -> None:
        """Look at the present again."""
        self.wanted = None
        self.feed.mark(ALL, hurry=True)

    # What it looks like

    def _start_theme(self, name: str) -> None:
        self._filters: list[LineFilter] = [
            each for each in self._filters if not isinstance(each, Monochrome | NoColor)
        ]
        self.no_color = bool(os.environ.get("NO_COLOR"))
        if self.no_color:
            self._filters.append(Colourless())
            name = COLOURLESS
        try:
            self._wear(self.themes.get(name))
        except ConfigError as error:
            self._wear(self.themes.get(DEFAULT))
            self.notice = ((f"▲ {error.problems[0]}", "degraded"),)

    def _wear(self, theme: Theme) -> None:
        self.theme_in_use = theme
        self.inks = Inks(theme)
        self._theme_file = self.themes.watch(theme.name)
        self.register_theme(textual_theme(theme))
        self.theme = theme.name

    def use_theme(self, name: str) -> None:
        """Change the theme at once; one with mistakes is reported and not used."""
        if not self.no_color and name != self.theme_in_use.name:
            self._change_theme(name)

    def _change_theme(self, name: str) -> bool:
        """Show the theme of this name as its file is now; False where that has mistakes."""
        try:
            self._wear(self.themes.get(name))
        except ConfigError as error:
            self.say(((f"▲ {error.problems[0]}", "degraded"),))
            return False
        for stack in self._screen_stacks.values():
            for screen in stack:
                for widget in screen.query(Lines):
                    widget.refresh()
        return True

    def _look_at_theme(self) -> None:
        """Whoever saves the file of the theme in use sees it here within a second."""
        if self._theme_file is None or not self._theme_file.changed():
            return
        if self._change_theme(self.theme_in_use.name):
            self.refresh_css(animate=False)  # Textual does so only where the name is another
            self.say(((f"✓ theme {self.theme_in_use.label}, as saved just now", "ok"),))

    def choose_theme(self, name: str) -> None:
        """Use a theme and remember it."""
        if self.no_color:
            self.say((("NO_COLOR is set: no theme has colours", "degraded"),))
            return
        self.use_theme(name)
        if self.theme_in_use.name == name:
            self.remember("theme", name)
            self.say(((f"✓ theme {self.theme_in_use.label}", "ok"),))

    def theme_list(self, kept: str) -> list[tuple[str, str, str]]:
        """Name, label and note of every theme; of one with mistakes, the first mistake."""
        found = []
        for name in self.themes.names():
            try:
                label, note = self.themes.get(name).label, "in use" if name == kept else ""
            except ConfigError as error:
                label, note = "cannot be used", str(error.problems[0])
            found.append((name, label, note))
        return found

    def go(self, room: str) -> None:
        """Change to a room; pressing the key of the present one goes back to its first screen."""
        if room == self.current_mode:
            while len(self.screen_stack) > 1 and isinstance(self.screen, Room):
                self.pop_screen()
            return
        self.switch_mode(room)

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
