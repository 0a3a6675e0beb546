"""Addresses from which tokens come that there are not: how many of them are looked up.

An address may be wrong `BURST` times in a row, and once every `REFILL_S` seconds after that; whatever else comes from
it is held against the digests of all tokens, which are read once a second at most. So guessing costs the database
nothing, and who has a right token is answered from the same address all the same.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable

BURST = 20
REFILL_S = 3.0
ADDRESSES = 10_000
"""Of so many it is known how often they were wrong; of more the one that was wrong longest ago is forgotten."""


class Strangers:
    """Counts what was wrong, by address."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._paid_at: OrderedDict[str, float] = OrderedDict()  # when everything it did wrong is made good

    def wrong(self, address: str) -> None:
        """A token from there was wrong."""
        now = self._clock()
        until = max(now, self._paid_at.pop(address, now)) + REFILL_S
        self._paid_at[address] = min(until, now + (BURST + 1) * REFILL_S)
        if len(self._paid_at) > ADDRESSES:
            self._paid_at.popitem(last=False)

    def too_often(self, address: str) -> bool:
        """Whether so much from there was wrong that nothing unknown is looked up now."""
        return self._paid_at.get(address, 0.0) - self._clock() > (BURST - 1) * REFILL_S
