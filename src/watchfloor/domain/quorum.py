"""What several nodes that check one service agree on.

A service is down only where at least so many of them say so: one node's bad link takes nothing down. Where fewer nodes
than that are live, all of them must agree; one that is live and silent agrees to nothing. This module must never decide
which nodes check.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from watchfloor.domain.outcome import Status


@dataclass(frozen=True, slots=True)
class Vote:
    """What one node found last."""

    node_id: int
    status: Status
    summary: str


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
