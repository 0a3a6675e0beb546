"""Patterns of settings against text of strangers, in searches that let other tasks run and end in any case."""

from __future__ import annotations

import asyncio
from time import perf_counter

from watchfloor.domain import automaton
from watchfloor.domain.automaton import TooMuchWork, Work
from watchfloor.domain.outcome import Status
from watchfloor.probes.checking import Fault

CHECK_WORK = 2_000_000
"""The work that all patterns of one check may take together: a second or two of one core. Usual ones on a page of
64 KiB take a few thousand the first time and nothing after it; the same work is counted on every machine."""
_TURN = 0.002
"""After this many seconds other tasks get their turn."""


class Pattern(automaton.Pattern):
    """A pattern for text of any length."""

    async def found_in(self, text: str, work: Work) -> bool:
        """Say whether the pattern matches anywhere in ``text``.

        Raises `Fault` when that takes more than is left of ``work``: then nobody knows.
        """
        turn_ends = perf_counter() + _TURN
        try:
            for found in self.search(text, work):
                if found is not None:
                    return found
                if perf_counter() > turn_ends:
                    await asyncio.sleep(0)
                    turn_ends = perf_counter() + _TURN
        except TooMuchWork:
            shown = self.source if len(self.source) <= 60 else f"{self.source[:59]}…"
            raise Fault(
                f"the pattern {shown!r} takes too much work on this answer; "
                "write smaller numbers in {…}, or look for text with contains",
                Status.UNKNOWN,
            ) from None
        return False
