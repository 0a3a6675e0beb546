"""The real ``watchfloor`` command with one handle more: SIGUSR1 stops the engine's loop under its feet.

Two waits that only cost a test its time are shorter than in the product: how long a message stays leased to a
courier that was killed, and how long a failed delivery waits.
"""

from __future__ import annotations

import asyncio
import signal
from contextlib import suppress
from types import FrameType

from watchfloor.cli.main import main
from watchfloor.engine import courier, thread

make_loop = thread.new_loop
loops: list[asyncio.AbstractEventLoop] = []


def new_loop() -> asyncio.AbstractEventLoop:
    """The engine's next loop, remembered."""
    loops.append(make_loop())
    return loops[-1]


def stop_loop(_signal: int, _frame: FrameType | None) -> None:
    """Stop the loop that runs now, in the middle of whatever it does."""
    if loops:
        with suppress(RuntimeError):  # it has just been closed: there is nothing left to stop
            loops[-1].call_soon_threadsafe(loops[-1].stop)


if __name__ == "__main__":
    signal.signal(signal.SIGUSR1, stop_loop)
    thread.new_loop = new_loop
    courier.LEASE_S = 4.0
    courier.FIRST_RETRY_S = 0.5
    main()
