"""The feed: turns pulses into refreshes, one at a time, never closer together than they can be seen.

It survives everything: while the database is away it keeps trying, and says since when. It must never draw.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from math import inf
from time import monotonic

from watchfloor.store.errors import explain, is_away

log = logging.getLogger(__name__)

PACE_S = 0.25
"""Refreshes caused by pulses are at least this far apart."""
HURRY_S = 0.05
"""The same for what people wait for: alerts."""
TICK_S = 5.0
"""Without any pulse the boards are looked at again after this time, so that silence is noticed."""
SHARE = 0.05
"""Refreshes take at most this share of the time: a board of ten thousand rows is read and drawn less often."""
LEAST_OFTEN_S = 2.0
"""They are no further apart for that, unless what takes so long is the way to the database:"""
BUSIEST = 0.2
"""then this is the share, and a reading under way does not follow the last one at once."""
READ_LIMIT_S = 5.0
"""A reading that takes longer counts as failed: the database may be behind a dead connection."""
LATE_S = 3.0
"""A reading that takes so long is said to be late: what is on the screen is as old."""
RETRY_S = (0.5, 1.0, 2.0, 5.0)
"""Waits between attempts while the database is away; the last one repeats."""

ALL = frozenset({"*"})
"""Everything may have changed."""
VIEW = frozenset({"view"})
"""Somebody looks at something else: only what is on the screen must be read."""


class Feed:
    """Listens for pulses and calls `refresh` with the topics that changed since the last call.

    `refresh` reads and shows; it gets the empty set when only time has passed. `report` gets a sentence when
    reading fails and None when it works again.
    """

    def __init__(
        self,
        pulses: Callable[[], AsyncIterator[frozenset[str]]],
        refresh: Callable[[frozenset[str]], Awaitable[None]],
        report: Callable[[str | None], None],
        *,
        pace: float = PACE_S,
        tick: float = TICK_S,
    ) -> None:
        self._pulses, self._refresh, self._report = pulses, refresh, report
        self._pace, self._tick = pace, tick
        self._dirty: frozenset[str] = ALL
        self._wake = asyncio.Event()
        self._wake.set()
        self._hurry = asyncio.Event()
        self._busy = False
        self._began, self._took = -inf, 0.0
        self._failures = 0
        self._deaf: str | None = None

    @property
    def idle(self) -> bool:
        """Nothing is being read and nothing waits to be."""
        return not self._busy and not self._dirty

    def mark(self, topics: frozenset[str] = ALL, *, hurry: bool = False) -> None:
        """Note that `topics` changed; with `hurry` they are read without keeping the distance."""
        self._dirty |= topics
        if hurry or "alerts" in topics:
            self._hurry.set()
        self._wake.set()

    async def run(self) -> None:
        """Listen and refresh until cancelled."""
        listener = asyncio.create_task(self._listen(), name="pulses")
        try:
            while True:
                await self._step()
        finally:
            listener.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await listener

    async def _step(self) -> None:
        await _wait(self._wake, self._tick)
        await self._keep_distance()
        self._wake.clear()
        self._hurry.clear()
        topics, self._dirty = self._dirty, frozenset()
        self._began = monotonic()
        self._busy = True
        late = asyncio.get_running_loop().call_later(
            LATE_S, self._report, f"no answer from the database for {LATE_S:g} s"
        )
        try:
            async with asyncio.timeout(READ_LIMIT_S):
                await self._refresh(topics)
        except Exception as error:
            # Whatever goes wrong while reading, the console stays and says so; what was asked for is kept.
            self._dirty |= topics
            self._took = 0.0
            late.cancel()
            self._report(sentence(error))
            await asyncio.sleep(RETRY_S[min(self._failures, len(RETRY_S) - 1)])
            self._failures += 1
            self._wake.set()
        else:
            self._failures = 0
            self._took = monotonic() - self._began
            self._report(self._deaf)
        finally:
            late.cancel()
            self._busy = False

    async def _keep_distance(self) -> None:
        """Wait before a refresh and not after one: on a quiet floor there is nothing to wake for."""
        since = monotonic() - self._began
        hurried = min(HURRY_S, self._pace) - since
        if hurried > 0:
            await asyncio.sleep(hurried)
        rest = distance(self._pace, self._took) - (monotonic() - self._began)
        if rest > 0:
            await _wait(self._hurry, rest)

    async def _listen(self) -> None:
        failures = 0
        while True:
            try:
                async for topics in self._pulses():
                    failures, self._deaf = 0, None
                    self.mark(topics)
            except Exception as error:
                self._deaf = sentence(error)
            self.mark()  # what changed while nobody listened is read now
            await asyncio.sleep(RETRY_S[min(failures, len(RETRY_S) - 1)])
            failures += 1


def distance(pace: float, took: float) -> float:
    """Seconds from the start of a refresh that took ``took`` to that of the next, which pulses ask for.

    >>> [distance(0.25, took) for took in (0.01, 0.03125, 0.125, 1.0)]
    [0.25, 0.625, 2.0, 5.0]
    """
    if not pace:
        return 0.0
    return max(pace, min(took / SHARE, LEAST_OFTEN_S), took / BUSIEST)


async def _wait(event: asyncio.Event, seconds: float) -> None:
    """Wait for an event, at most so long. Not `asyncio.wait_for`, which in Python 3.11 may lose a cancellation."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()


def sentence(error: Exception) -> str:
    """What went wrong, for a person; what is no matter of waiting also goes to the log."""
    if isinstance(error, TimeoutError):
        return f"the database does not answer within {READ_LIMIT_S:.0f} s"
    if is_away(error):
        return explain(error)
    log.error("the console met a mistake of the program", exc_info=error)
    return f"this failed ({type(error).__name__}: {error})"
