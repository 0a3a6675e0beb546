"""How nodes hand services to each other: who is lost, who has seen whom, and up to when whoever lets go has checked.

A node is lost once a peer has declared it lost, and no earlier: the declaration and the next beat of that node lock
the same row, so exactly one of them comes first. A node that finds that it was declared lost owns nothing until every
peer that shares the work has let go of what is its own again, and has said so.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from watchfloor.store.database import Connection, fetch_all, fetch_column
from watchfloor.store.nodes import HELD
from watchfloor.store.pulse import pulse

UNHELD_S = 3.0
"""So long after its last beat a node without its lock counts as dead. One that lives beats more often than that, and
takes the lock again before, where only the connection of the lock was cut."""

_LOST = (
    "UPDATE nodes SET lost_at = clock_timestamp() WHERE id IN (SELECT n.id FROM nodes n "
    "WHERE n.state IN ('starting', 'running', 'stopping') AND n.lost_at IS NULL AND n.id <> %(me)s "
    "AND (n.lease_until < clock_timestamp() "
    f"OR n.beat_at < clock_timestamp() - make_interval(secs => %(unheld)s) AND NOT {HELD}) "
    "FOR UPDATE OF n SKIP LOCKED) RETURNING id"
)
_PEERS = (
    "SELECT n.id, n.tags, n.sees, n.let_go_at, n.state = 'running' AND n.lost_at IS NULL AS shares, "
    "n.state IN ('stopping', 'stopped') AND n.lost_at IS NULL AS left FROM nodes n "
    "WHERE n.state = 'running' AND n.lost_at IS NULL "
    "OR n.beat_at > clock_timestamp() - interval '1 minute' ORDER BY n.id"
)


@dataclass(frozen=True, slots=True)
class Peer:
    """A node as the others see it, itself among them."""

    id: int
    tags: tuple[str, ...]
    sees: frozenset[int]  # the nodes to which it has left what is theirs
    let_go_at: (
        datetime | None
    )  # what it gave away last it checked at every slot before this moment, and at none after
    shares: bool  # services are shared out to it: it is ready, and not declared lost
    left: bool  # it went in good order: what it had begun is still booked


async def declare_lost(connection: Connection, me: int) -> list[int]:
    """Declare the peers lost that died, or whose lease is over; returns their ids. A node that beats now is not."""
    lost = await fetch_column(connection, _LOST, {"me": me, "unheld": UNHELD_S})
    if lost:
        await pulse(connection, "nodes")
    return lost


async def peers(connection: Connection) -> list[Peer]:
    """The nodes that share the work, and those that did a moment ago."""
    rows = await fetch_all(connection, _PEERS)
    return [
        Peer(row.id, tuple(row.tags), frozenset(row.sees), row.let_go_at, row.shares, row.left)
        for row in rows
    ]


async def say_seen(
    connection: Connection, node_id: int, sees: Collection[int], let_go_at: datetime | None
) -> None:
    """Book which nodes this one has left to what is theirs, and up to when it checked that itself."""
    await connection.execute(
        "UPDATE nodes SET sees = %(sees)s, let_go_at = %(let_go)s WHERE id = %(id)s",
        {"id": node_id, "sees": sorted(sees), "let_go": let_go_at},
    )
