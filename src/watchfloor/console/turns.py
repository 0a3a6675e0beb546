"""Keys take turns: what is typed ahead reaches the screen and the line that the key before it led to.

Textual hands a key to whatever has the focus and looks for its action later, when it came back from there. Of two
keys that arrive in one packet the second would be handed out before the first has acted: `/` and `a` would ask to
acknowledge an alert instead of looking for what has an a. So each key waits until the one before it has acted. It
must never decide what a key does, and never keep one back for good.
"""

from __future__ import annotations

import asyncio
from collections import deque
from time import monotonic
from typing import TYPE_CHECKING

from textual import events
from textual.message import Message

if TYPE_CHECKING:
    from textual.message_pump import MessagePump

    from watchfloor.console.app import WatchfloorApp

Typed = events.Key | events.Paste

ACT_S = 0.5
"""So long at most a key waits for the one before it: what had the focus may have gone, and the word with it."""
LIMIT = 2_000
"""More keys than this do not wait: somebody leans on the keyboard, or pastes where nothing takes a paste."""


class Acted(Message):
    """Follows a key on its way through the widgets, and so arrives when the key has."""

    def __init__(self, turn: int) -> None:
        super().__init__()
        self.turn = turn


class Turns:
    """The keys that wait, and the one whose turn it is."""

    def __init__(self, app: WatchfloorApp) -> None:
        self._app = app
        self._waiting: deque[Typed] = deque()
        self._due: Typed | None = None
        self._turn = 0
        self._busy = False
        self._before: tuple[object, object] = (None, None)
        self._limit: asyncio.TimerHandle | None = None
        self.last = ""
        """The key that acts or acted last; empty for a paste."""
        self.count = 0
        """So many keys have had their turn."""
        self.at = 0.0
        """When the last one had it (monotonic)."""

    @property
    def idle(self) -> bool:
        """Whether no key waits or acts."""
        return not self._busy and not self._waiting

    def must_wait(self, event: Typed) -> bool:
        """Whether another key acts still; this one is kept until then. Else its turn begins."""
        if self._busy and event is not self._due:
            if len(self._waiting) < LIMIT:
                self._waiting.append(event)
            return True
        self._busy, self._due = True, None
        self._turn += 1
        self.count += 1
        self.at = monotonic()
        self.last = event.key if isinstance(event, events.Key) else ""
        self._before = self._place()
        self._wait_no_longer()
        return False

    def _wait_no_longer(self) -> None:
        self._limit = asyncio.get_running_loop().call_later(ACT_S, self._overdue, self._turn)

    def _overdue(self, turn: int) -> None:
        """The key takes long: the next one comes all the same, except to a screen that is not made yet."""
        screens = self._app.screen_stack  # none as the console ends
        if turn == self._turn and screens and not screens[-1].is_mounted:
            self._wait_no_longer()
        else:
            self._next(turn)

    def follow(self, target: MessagePump) -> None:
        """The key was handed to `target`: learn when it has come back from there."""
        if not target.post_message(Acted(self._turn)):
            self._next(self._turn)

    def acted(self, turn: int) -> None:
        """The key has done what it does. Where that leads elsewhere, the next one waits until that place is drawn."""
        if turn != self._turn:
            return
        if self._place() == self._before or not self._app.call_after_refresh(self._next, turn):
            self._next(turn)

    def _place(self) -> tuple[object, object]:
        return self._app.screen, self._app.focused

    def _next(self, turn: int) -> None:
        if turn != self._turn or not self._busy:
            return
        if self._limit is not None:
            self._limit.cancel()
        if self._waiting:
            self._due = self._waiting.popleft()
            self._app.post_message(self._due)
        else:
            self._busy = False
