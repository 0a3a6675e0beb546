"""What a channel is given to deliver, and how it says that it could not."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Draft:
    """What a message is made from, once.

    ``thread`` is the id of the first message about the same alert on the same channel, ``payload`` the neutral bytes
    of the outbox (`watchfloor.domain.notice.read`). ``time_zone`` is the one in which people are told of times where
    the channel has none of its own.
    """

    id: str
    thread: str
    payload: bytes
    time_zone: str = "UTC"


@dataclass(frozen=True, slots=True)
class Message:
    """A message on its way; ``id`` and ``payload`` are the same at every attempt, ``sent_at`` is this attempt's
    time in seconds since 1970."""

    id: str
    kind: str
    payload: bytes
    sent_at: int


class DeliveryError(Exception):
    """The receiver did not take a message. ``permanent``: trying again is pointless. ``gone``: so is sending it any
    message at all, until there is another receiver. ``some``: it goes to several, and some of them have it.

    ``retry_after`` is what the receiver asked for, in seconds. The text is one line without secrets.
    """

    def __init__(
        self,
        reason: str,
        *,
        permanent: bool = False,
        gone: bool = False,
        some: bool = False,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(reason)
        self.permanent = permanent
        self.gone = gone
        self.some = some
        self.retry_after = retry_after
