"""How a service stood at a moment, from what is kept: its incidents' timeline and its latest results.

A confirmed state is in the timeline; whether a problem was on its way there is in the results since the last good
one. It is the rule of `domain.check_state`, read backwards; a test holds the two together.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from watchfloor.domain.outcome import Status

_ENDED = {"recovered": Status.OK, "retired": None}


@dataclass(frozen=True, slots=True)
class Standing:
    """What was known of a service: as in `check_state.CheckState`."""

    hard: Status | None
    status: Status | None
    soft: bool
    attempt: int
    since: datetime | None


def standing(
    event: str | None, since: datetime | None, up_since: datetime | None, statuses: Sequence[Status]
) -> Standing:
    """How a service stood after ``event``, the last of its incidents' timeline, which counts from ``since`` on.

    ``up_since`` is when it was first known to be up, ``statuses`` what its checks found, the latest first; they
    reach back to the last good one, or as far as attempts are counted.
    """
    hard = None if event is None else _ENDED[event] if event in _ENDED else Status[event.upper()]
    if hard is None:
        hard, since = (None, None) if up_since is None else (Status.OK, up_since)
    status = statuses[0] if statuses else hard
    if hard not in (None, Status.OK):
        return Standing(hard, status, False, 1, since)
    attempt = 0
    for each in statuses:
        if each is Status.OK:
            break
        attempt += each is not Status.UNKNOWN  # no finding neither counts nor breaks a streak
    return Standing(hard, status, attempt > 0, attempt, since)
