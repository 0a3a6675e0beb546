"""What is shown of channels: how they do, what they would say, what they could not deliver."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class ChannelRow:
    """One notification channel with how it does; its key is ``name``. The figures are of the last seven days."""

    name: str
    kind: str
    enabled: bool
    failures: int  # in a row, up to now
    open_since: datetime | None  # since when its messages wait because it fails
    next_try_at: datetime | None  # when one of them is tried
    last_error: str  # of a channel that fails now
    delivered: int
    waiting: int
    dead: int
    attempts: int
    p50: float | None  # seconds from event to delivery
    p95: float | None
    last_delivered_at: datetime | None
    left_out: int = 0  # not sent: the channel was off, or a later message said all of it


@dataclass(frozen=True, slots=True)
class SaidRow:
    """How a message of one kind reads on a channel. ``trouble``: why its template made nothing, and where."""

    kind: str
    title: str
    body: str
    trouble: str = ""


@dataclass(frozen=True, slots=True)
class Replayed:
    """What became of dead letters that somebody wants sent again; ``why`` says why some are left out."""

    queued: int
    left_out: int = 0
    why: str = ""


@dataclass(frozen=True, slots=True)
class DeadLetterRow:
    """One message that was given up; it can be replayed by ``id``."""

    id: str
    channel: str
    kind: str
    alert_id: int | None
    title: str
    attempts: int
    created_at: datetime
    last_error: str
