"""A silence before there is one: what somebody wishes, and what it would keep quiet."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta


@dataclass(frozen=True, slots=True)
class Wish:
    """A silence as somebody asks for it: from ``starts_at`` (None: now) for ``lasts``, or until it is resolved.

    ``everything``: whoever asks knows that it matches every alert there is.
    """

    matchers: Sequence[str]
    comment: str
    lasts: timedelta | None
    starts_at: datetime | None = None
    until_resolved: bool = False
    everything: bool = False


@dataclass(frozen=True, slots=True)
class Reach:
    """What matchers match now: open alerts, and how many services those are about."""

    alerts: int
    services: int
