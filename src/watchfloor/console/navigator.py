"""Where the console is and was: back and forward through places, and what is kept of all that between runs.

It moves the application's screens and writes one preference; it must never decide what a screen shows.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from textual.timer import Timer

from watchfloor.console.memory import Kept, Memory
from watchfloor.console.screens.alert import AlertRoom
from watchfloor.console.screens.incident import IncidentRoom
from watchfloor.console.screens.job import JobRoom
from watchfloor.console.screens.maintenance import MaintenanceRoom
from watchfloor.console.screens.room import Room
from watchfloor.console.screens.run import RunRoom
from watchfloor.console.screens.service import ServiceRoom
from watchfloor.console.trail import Place, Trail

if TYPE_CHECKING:
    from watchfloor.console.app import WatchfloorApp

PREFERENCE = "screens"
KEEP_S = 1.0
"""So long after the last change the state of the screens is written."""
LEAVE_S = 0.25
"""So long leaving waits for what is not written yet; a database that is away keeps nobody."""

OPENERS: Mapping[str, Callable[[int], Room]] = {
    "service": ServiceRoom,
    "alert": AlertRoom,
    "incident": IncidentRoom,
    "run": RunRoom,
    "job": JobRoom,
    "maintenance": lambda _: MaintenanceRoom(),
}
"""What can be opened again by its key."""


class Navigator:
    """Goes to places, remembers them, and has them written down."""

    def __init__(self, app: WatchfloorApp, keep_s: float = KEEP_S) -> None:
        self._app, self._keep_s = app, keep_s
        self.trail = Trail()
        self.memory = Memory()
        self._pending: Kept | None = None
        self._timer: Timer | None = None
        self._ready = False
        self._revived: set[Room] = set()

    # Places

    def arrived(self, room: Room) -> None:
        """A room came onto the screen; one that is covered again already does not count."""
        place = room.place()
        if place is not None and self._app.screen is room:
            self.trail.visit(place)
            self.look()

    def step(self, step: int) -> None:
        """Go back (-1) or forward (1)."""
        place = self.trail.go(step)
        if place is not None:
            self.show(place)

    def swap(self) -> None:
        """Go to the place one was at last."""
        place = self.trail.previous
        if place is not None:
            self.trail.visit(place)
            self.show(place)

    def show(self, place: Place) -> None:
        """Put a place onto the screen."""
        app = self._app
        if app.current_mode != place.room:
            app.switch_mode(place.room)
        while len(app.screen_stack) > 1 and not (
            isinstance(app.screen, Room) and app.screen.place() == place
        ):
            if isinstance(app.screen, Room) and app.screen.holds(lambda: self.show(place)):
                return
            app.pop_screen()
        if place.kind in OPENERS and isinstance(app.screen, Room) and app.screen.place() != place:
            app.push_screen(OPENERS[place.kind](place.key))

    # What is kept

    def restore(self, preferences: Mapping[str, object], *, moved: bool) -> None:
        """Take what was kept; where a person has `moved` already, only rooms that are not open yet follow it."""
        app = self._app
        self.memory.take(preferences.get(PREFERENCE), frozenset(app.MODES))
        self._ready = True
        if moved:
            self._revived.update(self._roots())
            return
        for root in self._roots():
            self.revive(root)
        if self.memory.place is not None:
            self.show(self.memory.place)

    def look(self) -> None:
        """Have written what changed, a little later; of the past nothing is kept."""
        app = self._app
        if not self._ready or app.wanted is not None:
            return
        changed = self.memory.changed(
            app.current_mode, self.trail.present, [root for root in self._roots() if root in self._revived]
        )
        if changed is not None:
            self._pending = changed
            if self._timer is not None:
                self._timer.stop()
            self._timer = app.set_timer(self._keep_s, self._write)

    def _roots(self) -> list[Room]:
        stacks = self._app._screen_stacks.values()
        return [stack[0] for stack in stacks if stack and isinstance(stack[0], Room)]

    def revive(self, root: Room) -> None:
        """Make the first screen of a room look as it was left; only from then on is its look worth keeping."""
        if self._ready:
            root.restore(self.memory.of(root.ROOM))
            self._revived.add(root)

    def _write(self) -> None:
        pending, self._pending = self._pending, None
        if pending is not None:
            self._app.remember(PREFERENCE, pending)

    async def finish(self) -> None:
        """Write what is pending, as far as that takes no time; leaving is more important."""
        pending, self._pending = self._pending, None
        if pending is not None:
            with contextlib.suppress(Exception):  # nobody is there any more to be told
                async with asyncio.timeout(LEAVE_S):
                    await self._app.operator.save_preference(PREFERENCE, pending)
