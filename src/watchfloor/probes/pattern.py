"""Patterns of settings against text of strangers, in searches that let other tasks run."""

from __future__ import annotations

import asyncio
from time import perf_counter

from watchfloor.domain import automaton

_TURN = 0.002
"""After this many seconds other tasks get their turn."""


class Pattern(automaton.Pattern):
    """A pattern for text of any length."""

    async def found_in(self, text: str) -> bool:
        """Say whether the pattern matches anywhere in ``text``."""
        turn_ends = perf_counter() + _TURN
        for found in self.search(text):
            if found is not None:
                return found
            if perf_counter() > turn_ends:
                await asyncio.sleep(0)
                turn_ends = perf_counter() + _TURN
        return False
