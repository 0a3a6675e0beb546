"""Services that several nodes check: each says what it found, one of them books what they agree on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from watchfloor.domain.quorum import Vote, agreed, in_words
from watchfloor.engine.node import Node
from watchfloor.engine.prober import Finding
from watchfloor.store import votes as store
from watchfloor.store.database import Connection
from watchfloor.store.services import Service


async def with_votes(
    connection: Connection, node: Node, services: Mapping[int, Service], findings: Sequence[Finding]
) -> Sequence[Finding]:
    """The findings that this node books, those of services with a quorum replaced by what nodes agree on.

    There is one finding of each service.
    """
    asked = [each for each in findings if services[each.service_id].quorum > 1]
    if not asked:
        return findings
    await store.cast_votes(
        connection,
        node.id,
        [(each.service_id, each.ended, each.outcome.status, each.outcome.summary) for each in asked],
    )
    booked = {each.service_id for each in asked if node.speaks_for(services[each.service_id])}
    cast = await store.votes(connection, sorted(booked))
    kept: list[Finding] = []
    for each in findings:
        service = services[each.service_id]
        if service.quorum == 1:
            kept.append(each)
        elif each.service_id in booked:
            kept.append(_agreed(each, cast.get(each.service_id, ()), node, service))
    return kept


def _agreed(finding: Finding, votes: Sequence[Vote], node: Node, service: Service) -> Finding:
    outcome, watchers = finding.outcome, node.watchers(service)
    everyone = [
        Vote(node.id, outcome.status, outcome.summary),
        *(vote for vote in votes if vote.node_id != node.id and vote.node_id in watchers),
    ]
    status = agreed(everyone, service.quorum, len(watchers))
    summary = in_words(everyone, service.quorum, len(watchers), outcome.summary)
    return replace(finding, outcome=replace(outcome, status=status, summary=summary))
