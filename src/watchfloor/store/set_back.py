"""A database whose clock was set back: what waits goes on waiting for as long as was left, not for an hour more.

Moments that people named (until when a silence, an acknowledgement, quiet hours or a window last) mean what clocks show
and stay. So does history. A node that still goes by the old clock would take what was set back for due: so it is done
when the last live node has seen the new one.

The fires of a schedule that follows the clock stay as well: what the clock shows once more has had its run. An interval
counts time that passes: it goes on in step, from an anchor that is set back with it, unless people named the anchor.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from watchfloor.store.database import Connection, fetch_all
from watchfloor.store.nodes import LIVE

_AHEAD = (
    f"SELECT n.id, extract(epoch FROM n.beat_at - clock_timestamp())::float8 AS by_s, {LIVE} AS live FROM nodes n "
    "WHERE n.beat_at > clock_timestamp() + make_interval(secs => %(least)s) ORDER BY n.id FOR UPDATE OF n"
)
_RUNNING = (
    ("alerts", ("active_at", "fire_at"), "state = 'pending'"),
    (
        "alerts",
        ("remind_at", "hold_until"),
        "state <> 'resolved' AND coalesce(remind_at, hold_until) IS NOT NULL",
    ),
    ("escalations", ("next_at",), "next_at IS NOT NULL"),
    ("notice_groups", ("next_at", "sent_at", "log_at"), "closed_at IS NULL"),
    ("outbox", ("not_before", "lease_until"), "state IN ('queued', 'leased') AND held_until IS NULL"),
    ("channel_health", ("opened_at", "probe_at"), "true"),
    ("channels", ("on_since",), "on_since > clock_timestamp()"),
    ("rule_standings", ("since", "last_true"), "true"),
    ("rule_health", ("tried_at", "judged_at", "resumed_at"), "true"),
    ("heartbeats", ("last_ping", "last_start", "looked", "unheard_until", "down_at"), "true"),
    (
        "heartbeat_pings",
        ("at",),
        "at > clock_timestamp() OR EXISTS (SELECT FROM heartbeats h WHERE h.service_id = heartbeat_pings.service_id "
        "AND h.last_start <= at - make_interval(secs => %(by)s))",
    ),
    ("service_reach", ("since", "until"), "greatest(since, until) > clock_timestamp()"),
    ("runs", ("available_at", "deadline_at", "aged_at"), "state = 'waiting'"),
    ("runs", ("available_at", "deadline_at", "aged_at"), "state = 'ready'"),
    ("runs", ("available_at", "deadline_at", "aged_at", "started_at"), "state = 'running'"),
    (
        "attempts",
        ("started_at",),
        "(run_id, attempt) IN (SELECT id, attempt FROM runs WHERE state = 'running')",
    ),
    ("schedules", ("anchor", "next_fire_at"), "spec->>'kind' = 'interval' AND spec->>'anchor' IS NULL"),
    ("workers", ("lease_until",), "lease_until > clock_timestamp()"),
    ("nodes", ("beat_at", "lease_until"), "beat_at > clock_timestamp()"),
)
"""Tables, their clocks that run, and which rows; the nodes say last that it is done. A state of runs each, because each
has an index of its own. Pings come after their heartbeats, whose rows lock them: none may stay in the future, and a run
that goes on began as long ago as before."""


@dataclass(frozen=True, slots=True)
class Ahead:
    """A node whose last beat is ``by_s`` seconds in the future; ``live``: it will beat again."""

    node_id: int
    by_s: float
    live: bool


async def ahead(connection: Connection, least_s: float) -> list[Ahead]:
    """Nodes that beat more than ``least_s`` seconds in the future; they are locked. None, as long as time passes."""
    return [Ahead(*row) for row in await fetch_all(connection, _AHEAD, {"least": least_s})]


def how_far(found: Sequence[Ahead], node_id: int | None, known_s: float = 0.0) -> float:
    """By how many seconds clocks that run are to be set back now; 0.0 where another live node is still to see it.

    ``known_s`` is how far this node saw the clock go back, if it did: more exact than the time of the last beat.

    >>> one, two, dead = Ahead(1, 3599.0, True), Ahead(2, 3598.5, True), Ahead(3, 3000.0, False)
    >>> how_far([one, two], 1, 3600.0), how_far([two, dead], 2, 3600.0), how_far([dead], 2), how_far([], 2)
    (0.0, 3600.0, 3000.0, 0.0)
    """
    if not found or any(each.live and each.node_id != node_id for each in found):
        return 0.0
    return max(known_s, *(each.by_s for each in found), 0.0)


async def set_back(connection: Connection, by_s: float) -> None:
    """Set every clock that runs back as well."""
    for table, columns, where in _RUNNING:
        moved = ", ".join(f"{column} = {column} - make_interval(secs => %(by)s)" for column in columns)
        await connection.execute(f"UPDATE {table} SET {moved} WHERE {where}", {"by": by_s})
