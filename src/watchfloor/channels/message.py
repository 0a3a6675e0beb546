"""What a channel is given to deliver, and how it says that it could not."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Message:
    """A message on its way; ``id`` and ``payload`` are the same at every attempt, ``sent_at`` is this attempt's
    time in seconds since 1970."""

    id: str
    kind: str
    payload: bytes
    sent_at: int


class DeliveryError(Exception):
    """The receiver did not take a message. ``permanent``: trying again is pointless.

    ``retry_after`` is what the receiver asked for, in seconds. The text is one line without secrets.
    """

    def __init__(self, reason: str, *, permanent: bool = False, retry_after: float | None = None) -> None:
        super().__init__(reason)
        self.permanent = permanent
        self.retry_after = retry_after
