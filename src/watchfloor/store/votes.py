"""What each of several nodes found last of a service that they check together, and whom they ask to look at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from watchfloor.domain.outcome import Status
from watchfloor.domain.quorum import Vote
from watchfloor.store.database import Connection, fetch_all
from watchfloor.store.nodes import LIVE


@dataclass(frozen=True, slots=True)
class Cast:
    """What a node found: with a check of ``slot`` that ended at ``at``."""

    service_id: int
    slot: datetime
    at: datetime
    status: Status
    summary: str


@dataclass(frozen=True, slots=True)
class Booked:
    """How a service stands: ``status`` is what was booked last, of a check at ``at``, ``hard`` what is confirmed."""

    status: Status | None
    hard: Status | None
    soft: bool
    at: datetime | None


@dataclass(frozen=True, slots=True)
class Poll:
    """How a service stands, and what live nodes found last, as far as it is not older than the next one should be."""

    stands: Booked
    votes: Sequence[Vote]


async def lock(connection: Connection, service_ids: Sequence[int]) -> None:
    """Wait for others that count votes on these, and make them wait, until the transaction ends.

    Who casts a vote first and locks then counts it together with those of whoever did so before.
    """
    await connection.execute(
        "SELECT FROM service_state WHERE service_id = ANY(%(ids)s) ORDER BY service_id FOR UPDATE",
        {"ids": list(service_ids)},
    )


async def cast_votes(connection: Connection, node_id: int, votes: Sequence[Cast]) -> None:
    """Overwrite what a node found."""
    await connection.execute(
        "INSERT INTO service_votes (service_id, node_id, slot, at, status, summary) "
        "SELECT v.id, %(node)s, v.slot, v.at, v.status, v.summary FROM unnest(%(ids)s::int[], "
        "%(slot)s::timestamptz[], %(at)s::timestamptz[], %(status)s::smallint[], %(summary)s::text[]) "
        "AS v(id, slot, at, status, summary) ORDER BY v.id ON CONFLICT (service_id, node_id) DO UPDATE SET "
        "slot = EXCLUDED.slot, at = EXCLUDED.at, status = EXCLUDED.status, summary = EXCLUDED.summary "
        "WHERE service_votes.at < EXCLUDED.at",
        {
            "node": node_id,
            "ids": [vote.service_id for vote in votes],
            "slot": [vote.slot for vote in votes],
            "at": [vote.at for vote in votes],
            "status": [int(vote.status) for vote in votes],
            "summary": [vote.summary for vote in votes],
        },
    )


async def polls(connection: Connection, service_ids: Sequence[int]) -> dict[int, Poll]:
    """How these services stand, and the votes on them."""
    rows = await fetch_all(
        connection,
        "SELECT s.id, t.status, t.hard, t.soft, t.last_started, v.node_id, v.status AS found, v.summary, v.slot "
        "FROM services s JOIN service_state t ON t.service_id = s.id LEFT JOIN ("
        f"  SELECT v.* FROM service_votes v JOIN nodes n ON n.id = v.node_id WHERE {LIVE}) v ON v.service_id = s.id "
        "AND v.at > clock_timestamp() - make_interval(secs => (s.every_ms + s.timeout_ms) / 1000.0) "
        "WHERE s.id = ANY(%(ids)s) ORDER BY s.id, v.node_id",
        {"ids": list(service_ids)},
    )
    stands: dict[int, Booked] = {}
    cast: dict[int, list[Vote]] = {}
    for row in rows:
        stands[row.id] = Booked(_status(row.status), _status(row.hard), row.soft, row.last_started)
        votes = cast.setdefault(row.id, [])
        if row.node_id is not None:
            votes.append(Vote(row.node_id, Status(row.found), row.summary, row.slot))
    return {each: Poll(stands[each], cast[each]) for each in stands}


def _status(code: int | None) -> Status | None:
    return None if code is None else Status(code)


@dataclass(frozen=True, slots=True)
class Ask:
    """A node is to check a service, unless it did in a slot at ``since`` or later; ``anew``: even then."""

    service_id: int
    node_id: int
    since: datetime
    anew: bool = False


async def ask(connection: Connection, asks: Sequence[Ask]) -> None:
    """Ask nodes to look at once."""
    await connection.execute(
        "INSERT INTO vote_requests (service_id, node_id, since, anew) SELECT v.* FROM unnest(%(ids)s::int[], "
        "%(nodes)s::int[], %(since)s::timestamptz[], %(anew)s::boolean[]) AS v(id, node, since, anew) "
        "JOIN nodes n ON n.id = v.node ORDER BY v.id, v.node ON CONFLICT (service_id, node_id) DO UPDATE SET "
        "since = greatest(vote_requests.since, EXCLUDED.since), anew = vote_requests.anew OR EXCLUDED.anew",
        {
            "ids": [each.service_id for each in asks],
            "nodes": [each.node_id for each in asks],
            "since": [each.since for each in asks],
            "anew": [each.anew for each in asks],
        },
    )


async def take_asks(connection: Connection, node_id: int, service_ids: Sequence[int]) -> list[Ask]:
    """Take what a node is asked to look at of these services, which are its own; the rest waits until it is.

    Nobody waits any more for what was asked minutes ago, while it was away.
    """
    rows = await fetch_all(
        connection,
        "WITH taken AS (DELETE FROM vote_requests WHERE node_id = %(node)s AND (service_id = ANY(%(ids)s) "
        "OR since <= clock_timestamp() - interval '5 minutes') RETURNING *) SELECT service_id, node_id, "
        "since, anew FROM taken WHERE since > clock_timestamp() - interval '5 minutes' ORDER BY service_id",
        {"node": node_id, "ids": list(service_ids)},
    )
    return [Ask(*row) for row in rows]
