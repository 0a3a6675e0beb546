"""Timers that fire once, and do."""

from __future__ import annotations

from textual.message_pump import MessagePump
from textual.timer import Timer, TimerCallback


class Punctual(MessagePump):
    """Whoever waits for a moment: the moment comes, however long the process stood still before.

    Textual takes a timer whose time had passed before it began to wait for one that should skip to its next turn; one
    that fires once has none and never does. The wait between two rooms lasts a millisecond: a busy machine passes it.
    """

    def set_timer(
        self,
        delay: float,
        callback: TimerCallback | None = None,
        *,
        name: str | None = None,
        pause: bool = False,
    ) -> Timer:
        """Call `callback` after `delay` seconds, once."""
        timer = super().set_timer(delay, callback, name=name, pause=pause)
        timer._skip = False
        return timer
