"""What several nodes that check one service agree on.

A service is down only where at least so many of them say so: one node's bad link takes nothing down. Where fewer nodes
than that are live, all of them must agree; one that is live and silent agrees to nothing. This module must never decide
which nodes check.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from watchfloor.domain.outcome import Status


@dataclass(frozen=True, slots=True)
class Vote:
    """What one node found last, with a check of ``slot``; None: of the slot that is spoken of."""

    node_id: int
    status: Status
    summary: str
    slot: datetime | None = None

    def since(self, moment: datetime) -> bool:
        """Whether it tells of what was so at ``moment`` or later."""
        return self.slot is None or self.slot >= moment


def agreed(votes: Sequence[Vote], quorum: int, seats: int) -> Status:
    """The status that nodes agree on, of ``seats`` live ones that check; unknown while too few of them could tell.

    >>> bad, good = Vote(1, Status.FAILING, ""), Vote(2, Status.OK, "")
    >>> [agreed(votes, 2, 3).word for votes in ([bad, good], [bad, bad], [bad], [good])]
    ['ok', 'failing', 'unknown', 'ok']
    >>> agreed([bad], 2, 1).word
    'failing'
    """
    told = [vote.status for vote in votes if vote.status is not Status.UNKNOWN]
    needed = needed_of(quorum, seats)
    for status in (Status.FAILING, Status.DEGRADED):
        if sum(each >= status for each in told) >= needed:
            return status
    return Status.OK if Status.OK in told else Status.UNKNOWN


def decided(votes: Sequence[Vote], quorum: int, seats: int) -> bool:
    """Whether those of ``seats`` nodes that have not voted yet can no longer change what is agreed.

    >>> bad, good = Vote(1, Status.FAILING, ""), Vote(2, Status.OK, "")
    >>> [decided(votes, 2, 3) for votes in ([bad], [bad, good], [bad, bad], [good, good], [bad, good, good])]
    [False, False, True, True, True]
    """
    needed, silent = needed_of(quorum, seats), seats - len(votes)
    for status in (Status.FAILING, Status.DEGRADED):
        say_so = sum(each.status >= status for each in votes if each.status is not Status.UNKNOWN)
        if say_so >= needed:
            return True
        if say_so + silent >= needed:
            return False
    return silent <= 0 or any(each.status is Status.OK for each in votes)


def needed_of(quorum: int, seats: int) -> int:
    """How many must say so, of ``seats`` live nodes that check."""
    return max(1, min(quorum, seats))


def in_words(votes: Sequence[Vote], quorum: int, seats: int, own: str) -> str:
    """What is said of a service that several nodes check; ``own`` is what the node found that books it."""
    bad = [vote for vote in votes if vote.status in (Status.DEGRADED, Status.FAILING)]
    if not bad:
        return own
    words = max(bad, key=lambda vote: vote.status).summary
    verb = "says" if len(bad) == 1 else "say"
    return f"{len(bad)} of {seats} nodes {verb} so, {needed_of(quorum, seats)} must: {words}"
