"""What each of several nodes found last of a service that they check together."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from watchfloor.domain.outcome import Status
from watchfloor.domain.quorum import Vote
from watchfloor.store.database import Connection, fetch_all
from watchfloor.store.nodes import LIVE


async def cast_votes(
    connection: Connection, node_id: int, votes: Sequence[tuple[int, datetime, Status, str]]
) -> None:
    """Overwrite what a node found: ``(service_id, when, status, summary)``."""
    await connection.execute(
        "INSERT INTO service_votes (service_id, node_id, at, status, summary) SELECT v.id, %(node)s, v.at, v.status, "
        "v.summary FROM unnest(%(ids)s::int[], %(at)s::timestamptz[], %(status)s::smallint[], %(summary)s::text[]) "
        "AS v(id, at, status, summary) ORDER BY v.id ON CONFLICT (service_id, node_id) DO UPDATE SET "
        "at = EXCLUDED.at, status = EXCLUDED.status, summary = EXCLUDED.summary WHERE service_votes.at < EXCLUDED.at",
        {
            "node": node_id,
            "ids": [vote[0] for vote in votes],
            "at": [vote[1] for vote in votes],
            "status": [int(vote[2]) for vote in votes],
            "summary": [vote[3] for vote in votes],
        },
    )


async def votes(connection: Connection, service_ids: Sequence[int]) -> dict[int, list[Vote]]:
    """What live nodes found last, as far as it is not older than two rounds."""
    rows = await fetch_all(
        connection,
        "SELECT v.service_id, v.node_id, v.status, v.summary FROM service_votes v "
        "JOIN services s ON s.id = v.service_id JOIN nodes n ON n.id = v.node_id "
        f"WHERE v.service_id = ANY(%(ids)s) AND {LIVE} AND v.at > clock_timestamp() "
        "  - make_interval(secs => (2 * s.every_ms + s.timeout_ms) / 1000.0) ORDER BY v.service_id, v.node_id",
        {"ids": list(service_ids)},
    )
    found: dict[int, list[Vote]] = {}
    for row in rows:
        found.setdefault(row.service_id, []).append(Vote(row.node_id, Status(row.status), row.summary))
    return found
