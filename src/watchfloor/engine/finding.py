"""What a finished check hands on."""

from __future__ import annotations

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

    @property
    def since(self) -> datetime:
        """From when on the checks of other nodes tell of the same as this one."""
        return self.slot if self.asked is None else min(self.slot, self.asked)


def finding_of(watch: Watch, slot_ns: int, started_ns: int, ended_ns: int, outcome: Outcome) -> Finding:
    """What a check of ``watch`` found; moments in nanoseconds of UTC since 1970."""
    lag_s = max(0.0, (started_ns - slot_ns) / NS)
    return Finding(watch.service.id, moment(slot_ns), moment(started_ns), moment(ended_ns), lag_s, outcome)
