"""How the garbage collector is set for a process that runs for months, must answer at once, and leave at once."""

from __future__ import annotations

import gc

COLLECT_AT = (5_000, 20, 50)
"""Objects made before the youngest generation is collected, and collections before the next older one is."""
START_COLLECTS_AT = (100_000, 20, 50)
"""The same while a process starts: next to nothing of what it makes is garbage."""
CONSOLE_COLLECTS_AT = (700, 10, 10)
"""The same for a console without an engine: it makes little, and what it leaves behind is in circles."""


def collect_seldom() -> None:
    """Before much is imported and read: looking at it again and again takes its time."""
    gc.set_threshold(*START_COLLECTS_AT)


def collect_often() -> None:
    """All is imported, and out of the collector's sight from now on; what a console makes is looked at as it comes."""
    gc.freeze()
    gc.set_threshold(*CONSOLE_COLLECTS_AT)


def settle_memory() -> None:
    """Take what was imported out of the collector's sight: it lives as long as the process.

    Without that every full collection looks at all of it, which holds up keys and checks for tens of milliseconds. What
    is garbage by now goes with it: half a megabyte, and to look for it first would hold up the first checks by 0.2 s.
    """
    gc.freeze()
    gc.set_threshold(*COLLECT_AT)


def forget_memory() -> None:
    """The process ends: its memory goes back as a whole, and nobody needs to look at each object before.

    Without that the interpreter collects all of a console once more, for half a second on a loaded machine.
    """
    gc.freeze()
