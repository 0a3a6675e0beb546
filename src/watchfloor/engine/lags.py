"""How late checks began: of the latest ones, and of those since somebody asked."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

KEPT = 4096
UNTAKEN = 65_536
"""More of one minute are not kept apart; the newest stand for them."""


class Lags:
    """Lags in seconds."""

    def __init__(self) -> None:
        self._latest: deque[float] = deque(maxlen=KEPT)
        self._untaken: deque[float] = deque(maxlen=UNTAKEN)

    def append(self, lag_s: float) -> None:
        """A check began so late."""
        self._latest.append(lag_s)
        self._untaken.append(lag_s)

    def __iter__(self) -> Iterator[float]:
        return iter(self._latest)

    def __len__(self) -> int:
        return len(self._latest)

    def take(self) -> list[float]:
        """Those since the last call."""
        taken = list(self._untaken)
        self._untaken.clear()
        return taken
