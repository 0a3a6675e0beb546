"""What every part of the application stands on: the world it reads and changes, the time, the room, the notice.

The application is put together from parts, one concern each: `doings`, `looks`, `controls`, `past`. They share what is
here and must not reach into each other except by what their classes inherit.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path

from textual.app import App
from textual.driver import Driver
from textual.timer import Timer

from watchfloor.console.feed import Feed
from watchfloor.console.format import Moment
from watchfloor.console.journey import Journey
from watchfloor.console.line import Line
from watchfloor.console.reader import Operator, Reader
from watchfloor.console.saves import Saves
from watchfloor.console.screens.room import Room
from watchfloor.console.terminal import ConsoleDriver
from watchfloor.console.timers import Punctual
from watchfloor.console.undo import Undos

NOTICE_S = 6.0
PROBLEM_S = 30.0
"""For so long a mistake in somebody's own file is shown."""
ANSWER_S = 10.0
"""An operation without an answer for so long is given up; whether it was done nobody knows."""


def system_clock() -> datetime:
    """This machine's time."""
    return datetime.now(UTC)


class Shell(Punctual, App[None], inherit_bindings=False):
    """The part that the other parts share."""

    feed: Feed
    saves: Saves | None = None  # only while it runs

    def __init__(
        self,
        reader: Reader,
        operator: Operator,
        *,
        clock: Callable[[], datetime] = system_clock,
        zone: tzinfo | None = None,
        driver_class: type[Driver] = ConsoleDriver,
    ) -> None:
        super().__init__(driver_class=driver_class)
        self.reader, self.operator = reader, operator
        self.zone = zone
        self.absolute = False
        self.notice: Line | None = None
        self.undos = Undos()
        self.wanted: Journey | None = None  # the past that is looked at; each room says what it shows already
        self._clock = clock
        self._offset = timedelta(0)
        self._running_operations = 0
        self._notice_timer: Timer | None = None

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
    def room(self) -> Room | None:
        """The room on the screen, or under the dialog that is."""
        return next((screen for screen in reversed(self.screen_stack) if isinstance(screen, Room)), None)

    def followed(self) -> tuple[Path, ...]:
        """The files whose changes are in force as soon as they are saved; each part adds its own."""
        return ()

    def follow_files(self) -> None:
        """Follow the files that are in use now."""
        if self.saves is not None:
            self.saves.follow(self.followed())

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
