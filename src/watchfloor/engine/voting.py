"""Services that several nodes check: each says what it found, one of them books what they agree on.

What the one that books found waits until enough of the others have looked as well, in the same slot or later; those
that have not are asked to do so at once. It waits no longer than a check may take: who is silent agrees to nothing.
Where all is as it was, nothing waits.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta

from watchfloor.domain.outcome import Status
from watchfloor.domain.quorum import Vote, agreed, decided, in_words
from watchfloor.engine.finding import Finding
from watchfloor.engine.node import Node
from watchfloor.store import votes as store
from watchfloor.store.database import Connection
from watchfloor.store.services import Service
from watchfloor.store.votes import Ask, Booked, Cast, Poll

GRACE = timedelta(seconds=2)
"""A vote that was asked for takes this much longer than its check: to be asked for, and to be stored."""

MOST = 16
"""So many findings of a service wait at most; the next one decides the first."""

Services = Mapping[int, Service]


@dataclass(slots=True)
class Count:
    """What came of a count: findings to book, those that go on waiting, and who is asked to look.

    ``waiting`` is None where nothing but findings of one node came: then what waits is left alone.
    """

    booked: list[Finding] = field(default_factory=list)
    waiting: dict[int, list[Finding]] | None = None
    asks: list[Ask] = field(default_factory=list)


class Ballots:
    """The findings of one node that wait for the votes of others."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._waiting: dict[int, list[Finding]] = {}

    @property
    def open(self) -> bool:
        """Whether something waits."""
        return bool(self._waiting)

    async def count(
        self, connection: Connection, services: Services, findings: Sequence[Finding], *, last: bool = False
    ) -> Count:
        """Cast the votes of new findings, one of each service at most, and see what may be booked.

        Nothing changes here until `keep` is told: the transaction may fail. ``last``: nothing may wait any more.
        """
        count = Count([each for each in findings if services[each.service_id].quorum == 1])
        new = {each.service_id: each for each in findings if services[each.service_id].quorum > 1}
        if findings and not new:
            return count
        waiting, count.waiting = self._still_mine(services), {}
        ids = sorted(new.keys() | waiting.keys())
        if new:
            await store.cast_votes(connection, self._node.id, [_cast(each) for each in new.values()])
        polls = await store.polls(connection, ids)
        theirs = [each for each in new.values() if not self._node.speaks_for(services[each.service_id])]
        disagreeing = [
            each.service_id for each in theirs if _disagrees(each, polls.get(each.service_id, _NEVER))
        ]
        mine = sorted(set(ids) - {each.service_id for each in theirs})
        if disagreeing:  # of two that do so at once, the later one sees the other
            await store.lock(
                connection, [*disagreeing, *mine]
            )  # in one order, or nodes would wait for each other
            again = await store.polls(connection, disagreeing)
            for each in disagreeing:
                count.asks += self._unheard(services[each], new[each], again.get(each, _NEVER))
        for each in mine:
            queue = _in_turn(waiting.get(each, ()), new.get(each))
            self._decide(count, services[each], queue, polls.get(each, _NEVER), last)
        if count.asks:
            await store.ask(connection, count.asks)
        return count

    def _still_mine(self, services: Services) -> dict[int, list[Finding]]:
        """What waits of services that are still watched by several nodes, and booked here."""
        return {
            each: queue
            for each, queue in self._waiting.items()
            if each in services and services[each].quorum > 1 and self._node.speaks_for(services[each])
        }

    def latest(self, services: Services, findings: Sequence[Finding]) -> list[Finding]:
        """The findings without those that are not booked here and that another one followed: votes overwritten."""
        last = {each.service_id: each for each in sorted(findings, key=lambda each: each.started)}
        return [
            each
            for each in findings
            if services[each.service_id].quorum == 1
            or last[each.service_id] is each
            or self._node.speaks_for(services[each.service_id])
        ]

    def keep(self, count: Count) -> None:
        """What was counted is stored."""
        if count.waiting is not None:
            self._waiting = count.waiting
        if count.asks:
            self._node.pulse.mark("checks")

    def drop(self) -> int:
        """Forget what waits; returns how many findings that were."""
        number = sum(map(len, self._waiting.values()))
        self._waiting = {}
        return number

    def _decide(
        self,
        count: Count,
        service: Service,
        queue: list[Finding],
        poll: Poll,
        last: bool,
    ) -> None:
        """Book the first of the findings of a service, if what is agreed on it is certain."""
        first, watchers = queue[0], self._node.watchers(service)
        own = Vote(self._node.id, first.outcome.status, first.outcome.summary)
        others = [vote for vote in poll.votes if vote.node_id in watchers and vote.node_id != self._node.id]
        fresh = [own, *(vote for vote in others if vote.since(first.since))]
        seats, rest = max(1, len(watchers)), queue[1:]
        if _goes_on(poll.stands, own, agreed([own, *others], service.quorum, seats)):
            count.booked.append(_agreed(first, [own, *others], service.quorum, seats))
        elif (
            last
            or self._overdue(service, first)
            or len(queue) > MOST
            or decided(fresh, service.quorum, seats)
        ):
            count.booked.append(_agreed(first, fresh, service.quorum, seats))
        else:
            rest = queue
            if self._waiting.get(service.id, [None])[0] != first:
                heard = {vote.node_id for vote in fresh}
                count.asks += [Ask(service.id, each, first.since) for each in watchers if each not in heard]
        if rest and count.waiting is not None:
            count.waiting[service.id] = rest

    def _overdue(self, service: Service, finding: Finding) -> bool:
        return self._node.clock.now() > finding.ended + timedelta(milliseconds=service.timeout_ms) + GRACE

    def _unheard(self, service: Service, mine: Finding, poll: Poll) -> list[Ask]:
        """Whom to ask where this node found something else than is booked, and another node books it."""
        status, watchers = mine.outcome.status, self._node.watchers(service)
        if self._node.id not in watchers:
            return []
        found = {self._node.id: Vote(self._node.id, status, mine.outcome.summary)}
        found |= {
            each.node_id: each for each in poll.votes if each.node_id in watchers and each.since(mine.since)
        }
        fresh, seats = list(found.values()), len(watchers)
        if not decided(fresh, service.quorum, seats):
            return [Ask(service.id, each, mine.since) for each in watchers if each not in found]
        agreed_on = agreed(fresh, service.quorum, seats)
        speaker = found.get(watchers[0])
        if agreed_on is poll.stands.status or (speaker is not None and _waits(speaker, agreed_on, poll)):
            return []
        return [
            Ask(service.id, watchers[0], mine.since, anew=True)
        ]  # it may have booked already, unseen as yet


_NEVER = Poll(Booked(None, None, False, None), ())


def _waits(speaker: Vote, agreed_on: Status, poll: Poll) -> bool:
    """Whether the node that books found the same and has not booked it: then it counts the votes by itself.

    What it has booked already it may have booked as outvoted, by votes that were followed by these.
    """
    booked = poll.stands.at
    newer = booked is None or (speaker.slot is not None and speaker.slot > booked)
    return speaker.status is agreed_on and newer


def _disagrees(finding: Finding, poll: Poll) -> bool:
    """Whether a check found something else than was booked last."""
    return finding.outcome.status not in (Status.UNKNOWN, poll.stands.status)


def _cast(finding: Finding) -> Cast:
    outcome = finding.outcome
    return Cast(finding.service_id, finding.slot, finding.ended, outcome.status, outcome.summary)


def _in_turn(waiting: Sequence[Finding], new: Finding | None) -> list[Finding]:
    """What is to be booked of a service, the oldest first; what was taken in before is there once."""
    return [*waiting, *([] if new is None or new in waiting else [new])]


def _goes_on(stands: Booked, own: Vote, status: Status) -> bool:
    """Whether a check found what is confirmed, and nobody says otherwise who could change that."""
    return own.status is status is stands.hard and not stands.soft


def _agreed(finding: Finding, votes: Sequence[Vote], quorum: int, seats: int) -> Finding:
    outcome = finding.outcome
    status = agreed(votes, quorum, seats)
    summary = in_words(votes, quorum, seats, outcome.summary)
    return replace(finding, outcome=replace(outcome, status=status, summary=summary))
