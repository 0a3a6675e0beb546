"""What a finished check hands on, and the queue on which it does."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from watchfloor.domain.outcome import Outcome
from watchfloor.engine.node import NS, moment
from watchfloor.engine.watches import Watch


@dataclass(frozen=True, slots=True)
class Finding:
    """One finished check on its way to the recorder; moments by the database's clock."""

    service_id: int
    slot: datetime
    started: datetime
    ended: datetime
    lag_s: float
    outcome: Outcome
    seamless: bool = False  # nothing can have been missed since the one before
    asked: datetime | None = None  # from when on votes count that it was asked to be counted with
    awaited: bool = False  # somebody waits for it

    @property
    def since(self) -> datetime:
        """From when on the checks of other nodes tell of the same as this one."""
        return self.slot if self.asked is None else min(self.slot, self.asked)


class Findings(asyncio.Queue[Finding]):
    """Findings on their way to the recorder; one that cannot wait for others sets ``pressing``."""

    def __init__(self, room: int = 0) -> None:
        """``room`` is how many it holds at most; 0 means any number."""
        super().__init__(room)
        self.pressing = asyncio.Event()
        self.presses: Callable[[Finding], bool] = lambda _: True

    def _put(self, item: Finding) -> None:
        super()._put(item)
        if self.presses(item):
            self.pressing.set()


def finding_of(
    watch: Watch,
    slot_ns: int,
    started_ns: int,
    ended_ns: int,
    outcome: Outcome,
    *,
    asked_ns: int = 0,
) -> Finding:
    """What a check of ``watch`` found; moments in nanoseconds of UTC since 1970, 0 where there is none."""
    return Finding(
        watch.service.id,
        moment(slot_ns),
        moment(started_ns),
        moment(ended_ns),
        max(0.0, (started_ns - slot_ns) / NS),
        outcome,
        asked=moment(asked_ns) if asked_ns else None,
        awaited=watch.awaited,
    )
