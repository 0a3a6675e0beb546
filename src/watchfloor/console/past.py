"""When the console looks: a journey to a moment of the past, and the way back."""

from __future__ import annotations

import asyncio
from datetime import datetime

from watchfloor.console.feed import ALL, VIEW, sentence
from watchfloor.console.journey import Journey, refusal
from watchfloor.console.line import clean
from watchfloor.console.shell import ANSWER_S, Shell


class Past(Shell, inherit_bindings=False):
    """The part that travels in time."""

    _heading: datetime | None = None

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
