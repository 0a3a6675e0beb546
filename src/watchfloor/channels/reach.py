"""Opens a connection to a receiver over whichever of its addresses takes one (RFC 8305, "happy eyeballs").

A network that swallows one family of addresses would else use up the time of every attempt, and of every retry.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections import deque
from collections.abc import Callable, Coroutine, Sequence
from itertools import zip_longest
from typing import Any, Protocol, TypeVar

from watchfloor.channels.address import permitted

HEAD_START_S = 0.5
"""For so long an address of a receiver is the only one that is tried; then the next one is tried as well."""


class _Closing(Protocol):
    def close(self) -> None: ...


Opened = TypeVar("Opened", bound=_Closing)


async def reach(
    host: str, port: int, open_: Callable[[str], Coroutine[Any, Any, Opened]], *, public_only: bool = False
) -> Opened:
    """What ``open_`` makes of the first address of a host that it can open.

    An address that is slow is not given up when the next one begins. Raises what `permitted` and ``open_`` raise.
    """
    coming = deque(_by_turns(await permitted(host, port, public_only)))
    attempts: list[asyncio.Task[Opened]] = []
    failure = OSError("a host without an address")  # `permitted` raises before
    try:
        while coming or attempts:
            if coming:
                attempts.append(asyncio.create_task(open_(coming.popleft())))
            patience = HEAD_START_S if coming else None
            done, _ = await asyncio.wait(attempts, timeout=patience, return_when=asyncio.FIRST_COMPLETED)
            for attempt in done:
                attempts.remove(attempt)
                error = attempt.exception()
                if error is None:
                    return attempt.result()
                if not isinstance(error, OSError) or isinstance(error, ssl.SSLError):
                    raise error
                failure = error
        raise failure
    finally:
        for attempt in attempts:
            attempt.add_done_callback(_let_go)
            attempt.cancel()


async def reach_by_tcp(host: str, port: int) -> socket.socket:
    """A socket that is connected to a host. Raises `DeliveryError` and `OSError`."""

    async def connect(address: str) -> socket.socket:
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        made = socket.socket(family, socket.SOCK_STREAM)
        try:
            made.setblocking(False)
            await asyncio.get_running_loop().sock_connect(made, (address, port))
        except BaseException:
            made.close()
            raise
        return made

    return await reach(host, port, connect)


def _by_turns(addresses: Sequence[str]) -> list[str]:
    """An address of one family after one of the other, beginning with the family that is preferred."""
    first = [address for address in addresses if (":" in address) == (":" in addresses[0])]
    other = [address for address in addresses if address not in first]
    pairs = zip_longest(first, other)
    return [address for pair in pairs for address in pair if address is not None]


def _let_go(attempt: asyncio.Task[Opened]) -> None:
    if not attempt.cancelled() and attempt.exception() is None:
        attempt.result().close()
