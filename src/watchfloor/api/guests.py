"""Who is connected: how many clients are held, and which of them goes when one more comes.

A client that has sent no whole request yet, or has its answer already, may have to go; one that is being answered
never. So thousands of idle connections keep nobody out, and a slow client of another address is not the one that goes.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass


class Displaced(Exception):
    """A client had to go because another one came."""


@dataclass(eq=False, slots=True)
class Guest:
    """One client."""

    address: str
    task: asyncio.Task[object]
    busy: bool = False  # being answered
    displaced: bool = False

    @contextmanager
    def served(self) -> Iterator[None]:
        """While it is being answered it stays. Raises `Displaced` where it had to go already."""
        if self.displaced:
            raise Displaced
        self.busy = True
        try:
            yield
        finally:
            self.busy = False


class Guests:
    """The clients that are held, the oldest first, by address."""

    def __init__(self) -> None:
        self._by_address: dict[str, dict[Guest, None]] = {}
        self.count = 0

    def room(self, most: int) -> bool:
        """Whether one more can be held; makes one go for it where ``most`` are held already."""
        if self.count < most:
            return True
        crowds = sorted(self._by_address.values(), key=len, reverse=True)
        oldest = next((each for crowd in crowds for each in crowd if not each.busy), None)
        if oldest is None:
            return False
        oldest.displaced = True
        self._forget(oldest)
        oldest.task.cancel()
        return True

    @asynccontextmanager
    async def guest(self, address: str) -> AsyncIterator[Guest]:
        """Hold the client that the current task serves. Raises `Displaced` when it has to go."""
        task = asyncio.current_task()
        assert task is not None
        guest = Guest(address, task)
        self._by_address.setdefault(address, {})[guest] = None
        self.count += 1
        try:
            yield guest
        except asyncio.CancelledError:
            if guest.displaced:
                task.uncancel()
                raise Displaced from None
            raise
        finally:
            self._forget(guest)

    def _forget(self, guest: Guest) -> None:
        crowd = self._by_address.get(guest.address, {})
        if guest in crowd:
            del crowd[guest]
            self.count -= 1
            if not crowd:
                del self._by_address[guest.address]
