"""How long this node is trusted with what it runs, told to every keeper of a process.

The thread that renews the node's lease holds the leash; keepers kill their processes when it is not extended in
time. Safe to use from several threads; it must never wait.
"""

from __future__ import annotations

import contextlib
import os
import time
from threading import Lock

_CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


def moment() -> float:
    """Seconds on a clock that all processes of this machine share and that goes on while it sleeps."""
    return time.clock_gettime(_CLOCK)


class Leash:
    """Trust until a moment of `moment`."""

    def __init__(self, until: float = float("inf")) -> None:
        self._until = until
        self._keepers: set[int] = set()
        self._lock = Lock()

    @property
    def until(self) -> float:
        """The moment at which trust ends."""
        return self._until

    @property
    def holds(self) -> bool:
        """Whether this node is still trusted; to be asked right before each effect on the outside."""
        return moment() < self._until

    def extend(self, until: float) -> None:
        """Trust until another moment; one that is earlier cuts it short."""
        with self._lock:
            self._until = until
            for keeper in self._keepers:
                _tell(keeper, until)

    def hold(self, keeper: int) -> None:
        """Tell the keeper behind this pipe from now on; the pipe must not block."""
        with self._lock:
            self._keepers.add(keeper)
            _tell(keeper, self._until)

    def release(self, keeper: int) -> None:
        """Tell it no more, and close its pipe."""
        with self._lock:
            self._keepers.discard(keeper)
            os.close(keeper)


def _tell(keeper: int, until: float) -> None:
    with contextlib.suppress(
        BlockingIOError, BrokenPipeError
    ):  # it is gone, or cannot hear: then it knows already
        os.write(keeper, f"trust {until:.3f}\n".encode())
