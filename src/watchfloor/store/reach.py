"""Which services are out of reach, and what must be known to tell: written by whoever holds the lock of reachability.

Changes of reachability follow one another: two nodes whose services fail in the same instant must each see what the
other stored, or a group of which both members are gone would count as alive. So the lock is taken after the states of a
batch are saved and before anything is read here, and kept until the transaction ends. It is taken for confirmed
changes only, never for the ordinary result.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from watchfloor.domain.check_state import CheckState
from watchfloor.domain.cover import Cover
from watchfloor.domain.outcome import Status
from watchfloor.domain.reach import Look
from watchfloor.domain.spans import SpanState, span_state
from watchfloor.store.database import Connection, fetch_all, fetch_value

_LOCK = 0x5746_0006  # one change of reachability at a time over all nodes of a database

COVER = (
    "r.root_id, r.since AS lost_since, r.until AS lost_until, coalesce(p.depth, 0) AS depth, "
    "p.since AS planned_since, p.until AS planned_until"
)
COVER_JOINS = (
    "LEFT JOIN service_reach r ON r.service_id = t.service_id "
    "LEFT JOIN service_planned p ON p.service_id = t.service_id"
)


def cover(row: Any) -> Cover:
    """What lies over a service, from a row with the columns of `COVER`."""
    if row.lost_since is None and row.planned_since is None:
        return _BARE
    return Cover(row.root_id, row.lost_since, row.lost_until, row.depth, row.planned_since, row.planned_until)


_BARE = Cover()


async def lock(connection: Connection) -> None:
    """Wait for others that change reachability, and make them wait, until the transaction ends."""
    await connection.execute("SELECT pg_advisory_xact_lock(%(key)s)", {"key": _LOCK})


async def try_lock(connection: Connection) -> bool:
    """Take the lock if nobody has it."""
    taken: bool = await fetch_value(connection, "SELECT pg_try_advisory_xact_lock(%(key)s)", {"key": _LOCK})
    return taken


@dataclass(frozen=True, slots=True)
class Sight:
    """What is known of a service when reachability is worked out; ``state`` holds what spans need."""

    service_id: int
    state: CheckState
    paused: bool
    flapping: bool
    every: timedelta
    cover: Cover

    @property
    def failing(self) -> bool:
        """Whether its failure is confirmed; that of a paused service says nothing about now."""
        return self.state.hard is Status.FAILING and not self.paused

    @property
    def counts_as(self) -> SpanState:
        """What the present counts as by itself, whatever lies over it."""
        return SpanState.UNKNOWN if self.paused else span_state(self.state)

    @property
    def look(self) -> Look | None:
        """The latest look at it; None where nobody looks."""
        if self.paused:
            return None
        return Look(self.failing, self.state.soft, self.state.last_started)


async def sights(connection: Connection, service_ids: Collection[int]) -> dict[int, Sight]:
    """What is known of services; those that are gone are left out."""
    rows = await fetch_all(
        connection,
        "SELECT t.service_id, t.status, t.hard, t.soft, t.since AS state_since, t.first_bad, t.last_started, "
        f"t.flapping, s.paused, s.every_ms, {COVER} FROM service_state t JOIN services s ON s.id = t.service_id "
        f"{COVER_JOINS} WHERE t.service_id = ANY(%(ids)s) AND s.retired_at IS NULL",
        {"ids": list(service_ids)},
    )
    return {row.service_id: _sight(row) for row in rows}


async def failing_since(connection: Connection) -> dict[int, datetime]:
    """The services that are watched and whose latest finding was not good, with their first failing run since."""
    rows = await fetch_all(
        connection,
        "SELECT t.service_id, t.first_bad FROM service_state t JOIN services s ON s.id = t.service_id "
        "WHERE t.first_bad IS NOT NULL AND NOT s.paused AND s.retired_at IS NULL",
    )
    return {row.service_id: row.first_bad for row in rows}


def _sight(row: Any) -> Sight:
    state = CheckState(
        status=None if row.status is None else Status(row.status),
        hard=None if row.hard is None else Status(row.hard),
        soft=row.soft,
        since=row.state_since,
        first_bad=row.first_bad,
        last_started=row.last_started,
    )
    every = timedelta(milliseconds=row.every_ms)
    return Sight(row.service_id, state, row.paused, row.flapping, every, cover(row))


async def covers(connection: Connection, service_ids: Collection[int]) -> dict[int, Cover]:
    """What lies over services now."""
    rows = await fetch_all(
        connection,
        f"SELECT t.service_id, {COVER} FROM service_state t {COVER_JOINS} WHERE t.service_id = ANY(%(ids)s)",
        {"ids": list(service_ids)},
    )
    return {row.service_id: cover(row) for row in rows}


@dataclass(frozen=True, slots=True)
class Reached:
    """A service out of reach since ``since`` because of ``root_id``; within reach again since ``until``."""

    service_id: int
    root_id: int | None
    since: datetime
    until: datetime | None


async def save_reached(connection: Connection, rows: Sequence[Reached]) -> None:
    """Store who is out of reach, and who is no more."""
    await connection.execute(
        "INSERT INTO service_reach (service_id, root_id, since, until) SELECT * FROM unnest(%(ids)s::int[], "
        "%(roots)s::int[], %(since)s::timestamptz[], %(until)s::timestamptz[]) ON CONFLICT (service_id) "
        "DO UPDATE SET root_id = EXCLUDED.root_id, since = EXCLUDED.since, until = EXCLUDED.until, "
        "changed_at = clock_timestamp()",
        {
            "ids": [row.service_id for row in rows],
            "roots": [row.root_id for row in rows],
            "since": [row.since for row in rows],
            "until": [row.until for row in rows],
        },
    )


async def behind(connection: Connection, service_ids: Collection[int]) -> dict[int, int]:
    """How many services are out of reach because of each of these; those that nothing is lost by are left out."""
    rows = await fetch_all(
        connection,
        "SELECT r.root_id, count(*)::int AS many FROM service_reach r JOIN services s ON s.id = r.service_id "
        "WHERE r.root_id = ANY(%(ids)s) AND s.retired_at IS NULL GROUP BY r.root_id",
        {"ids": list(service_ids)},
    )
    return {row.root_id: row.many for row in rows}


async def lost(connection: Connection) -> list[int]:
    """Every service that is out of reach."""
    rows = await fetch_all(connection, "SELECT service_id FROM service_reach WHERE root_id IS NOT NULL")
    return [row.service_id for row in rows]
