"""Measures how long the engine's loop stood still, so that checks which ran meanwhile are not believed.

Ten times a second the loop looks at a clock that goes on when the process is stopped and when the machine sleeps.
Whatever it comes too late by, it stood still. After a stall the check may be finished before this loop turns again;
so what is overdue at this moment counts, too.
"""

from __future__ import annotations

import asyncio
from collections import deque

from watchfloor.engine.node import NS, steady_ns
from watchfloor.engine.supervisor import Beat

TICK_S = 0.1
TOLERANCE_S = 0.05
"""Being late by less than this is ordinary."""

KEPT = 4096


class Stalls:
    """The latest stalls of one loop."""

    def __init__(self) -> None:
        self._stalls: deque[tuple[int, int]] = deque(maxlen=KEPT)  # from, until
        self._due_ns = 0  # when the loop should turn next; 0: nobody measures
        self._worst_ns = 0  # the latest that it turned since somebody asked

    async def run(self, beat: Beat) -> None:
        """Measure for ever."""
        try:
            while True:
                beat()
                self._due_ns = steady_ns() + int(TICK_S * NS)
                await asyncio.sleep(TICK_S)
                self._note(steady_ns())
        finally:
            self._due_ns = 0

    def _note(self, now_ns: int) -> None:
        late_ns = now_ns - self._due_ns if self._due_ns else 0
        self._worst_ns = max(self._worst_ns, late_ns)
        if late_ns > TOLERANCE_S * NS:
            self._stalls.append((self._due_ns, now_ns))

    def take_worst(self) -> float:
        """The most seconds by which the loop turned too late since the last call."""
        worst_ns, self._worst_ns = self._worst_ns, 0
        return worst_ns / NS

    def since(self, began_ns: int) -> float:
        """For how many seconds the loop stood still since ``began_ns`` (of `steady_ns`)."""
        now_ns, total_ns = steady_ns(), 0
        if self._due_ns and now_ns - self._due_ns > TOLERANCE_S * NS:
            total_ns += now_ns - max(self._due_ns, began_ns)
        for since_ns, until_ns in reversed(self._stalls):
            if until_ns <= began_ns:
                break
            total_ns += until_ns - max(since_ns, began_ns)
        return total_ns / NS
