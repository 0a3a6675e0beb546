"""Waiting for a condition, never for a time."""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

PATIENCE_S = 30.0
LOOK_S = 0.01

Found = TypeVar("Found")


async def until(condition: Callable[[], Awaitable[Found] | Found], timeout: float = PATIENCE_S) -> Found:
    """Wait until ``condition`` is true and return what it gave; fails the test when it does not come about."""
    deadline = time.monotonic() + timeout
    while True:
        found = condition()
        if inspect.isawaitable(found):
            found = await found
        if found:
            return found  # type: ignore[return-value]
        if time.monotonic() > deadline:
            raise AssertionError(f"it did not come about within {timeout:g} s: {found!r}")
        await asyncio.sleep(LOOK_S)


def until_now(condition: Callable[[], Found], timeout: float = PATIENCE_S) -> Found:
    """As `until`, for tests without a loop."""
    deadline = time.monotonic() + timeout
    while not (found := condition()):
        if time.monotonic() > deadline:
            raise AssertionError(f"it did not come about within {timeout:g} s: {found!r}")
        time.sleep(LOOK_S)
    return found
