"""When pings could be taken, and when not: one row says until when somebody listened last.

Every node writes it as long as it reaches the database. A gap is a time in which no ping was sure to be taken, whatever
the reason: the database was away, no node ran, all stood still, the clock jumped. What it is worth for a heartbeat is
for `domain.heartbeats` to say; here it is only added up, once for every gap.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from watchfloor.store.database import Connection, fetch_one

RECOVERY = timedelta(minutes=10)
"""A server that was just started may take so long until it takes pings."""


@dataclass(frozen=True, slots=True)
class Heard:
    """Until when somebody listened before, and now; ``started`` is when this database server was started."""

    before: datetime
    now: datetime
    started: datetime


async def last_heard(connection: Connection, *, locked: bool = False) -> Heard:
    """What the row says."""
    row = await fetch_one(
        connection,
        "SELECT heard_at, clock_timestamp(), pg_postmaster_start_time() FROM hearing"
        + (" FOR UPDATE" if locked else ""),
    )
    assert row is not None, "the migration made this row"
    return Heard(*row)


async def hear(connection: Connection, now: datetime) -> None:
    """Note that somebody listens."""
    await connection.execute("UPDATE hearing SET heard_at = %(now)s", {"now": now})


_ALLOW = """
WITH deaf AS (
    SELECT h.service_id, greatest(%(before)s::timestamptz, h.last_ping) AS began,
        CASE WHEN %(nodes_ran)s OR h.token_hash IS NOT NULL THEN %(now)s ELSE %(served)s::timestamptz END AS ended
    FROM heartbeats h WHERE h.down_at > %(before)s OR h.pings > h.booked ORDER BY h.service_id FOR UPDATE
)
UPDATE heartbeats h SET unheard_until = greatest(deaf.ended, h.unheard_until), unheard = deaf.ended - deaf.began
    + CASE WHEN h.unheard_until > coalesce(h.last_ping, h.last_start) THEN h.unheard ELSE interval '0' END
FROM deaf WHERE h.service_id = deaf.service_id AND deaf.ended > deaf.began
"""


async def allow_for(connection: Connection, gap: Heard, *, nodes_ran: bool) -> int:
    """Book a time in which no ping could be taken; of how many heartbeats. What was down before it stays so.

    Where no node ran (not ``nodes_ran``) the database may still have taken what the command line told it. So it counts
    for heartbeats with a token, which are told over HTTP; for the others only until the server took connections.
    """
    served = min(gap.now, gap.started + RECOVERY) if gap.started > gap.before else None
    cursor = await connection.execute(
        _ALLOW, {"before": gap.before, "now": gap.now, "served": served, "nodes_ran": nodes_ran}
    )
    return cursor.rowcount
