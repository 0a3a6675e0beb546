"""Heartbeats and their pings.

A ping only adds a row under the lock of its heartbeat; an engine, which takes the same lock, works out what it means.
So the order of pings is the order of their moments, and a ping costs its sender nothing but one small transaction.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from watchfloor.domain.heartbeats import (
    KEPT,
    KIND,
    LONGEST_RUN,
    WAITING,
    Beat,
    BeatStatus,
    Ping,
    Signal,
    taken,
)
from watchfloor.store.database import Connection, fetch_all, fetch_column, fetch_one, fetch_value

_US = timedelta(microseconds=1)

HESITATION = timedelta(seconds=0.5)
"""A node that takes longer than this from one step to the next may have missed something."""

PINGS_AT_ONCE = 20
"""Pings of one heartbeat that are booked together: however many wait, each lock is short."""


@dataclass(frozen=True, slots=True)
class Target:
    """Whom a ping is for."""

    service_id: int
    name: str


@dataclass(frozen=True, slots=True)
class StoredBeat:
    """A heartbeat, locked, with pings that were not booked yet and the number of the last of them.

    Where many wait, or some came too late to be followed now, these are the oldest, and it is not ``whole``.
    """

    service_id: int
    beat: Beat
    pings: tuple[Ping, ...]
    last_seq: int
    whole: bool


@dataclass(frozen=True, slots=True)
class PingRow:
    """A ping as people see it; ``took_s`` in seconds."""

    seq: int
    at: datetime
    signal: str
    exit_status: int | None
    run_id: str | None
    took_s: float | None
    source: str
    body: str


@dataclass(frozen=True, slots=True)
class BeatRow:
    """A heartbeat as people see it, with the settings it is defined by."""

    service_id: int
    name: str
    settings: Any
    paused: bool
    beat: Beat
    down_at: datetime | None
    pings: int
    token_made_at: datetime | None


def hashed(token: str) -> bytes:
    """A token as it is stored. Tokens are random, so that a plain digest of one gives nothing away."""
    return hashlib.sha256(token.encode()).digest()


async def provide(connection: Connection) -> None:
    """See to it that every service of this kind has its row."""
    await connection.execute(
        "INSERT INTO heartbeats (service_id) SELECT id FROM services s WHERE kind = %(kind)s AND retired_at IS NULL "
        "AND NOT EXISTS (SELECT FROM heartbeats h WHERE h.service_id = s.id) ON CONFLICT DO NOTHING",
        {"kind": KIND},
    )


async def forget(connection: Connection, service_ids: Sequence[int]) -> None:
    """Expect nothing more of heartbeats that are watched no more; should one come back, it is new."""
    await connection.execute(
        "UPDATE heartbeats SET status = 'new', last_ping = NULL, last_start = NULL, last_run_id = NULL, "
        "down_at = NULL, unheard_until = NULL, unheard = '0', booked = pings WHERE service_id = ANY(%(ids)s)",
        {"ids": list(service_ids)},
    )


async def by_name(connection: Connection, name: str) -> Target | None:
    """The heartbeat of a name, its row locked; None where there is none."""
    row = await fetch_one(
        connection,
        "SELECT s.id, s.name FROM services s JOIN heartbeats h ON h.service_id = s.id "
        "WHERE s.name = %(name)s AND s.kind = %(kind)s AND s.retired_at IS NULL FOR UPDATE OF h",
        {"name": name, "kind": KIND},
    )
    return None if row is None else Target(row.id, row.name)


async def by_token(connection: Connection, token: str) -> Target | None:
    """The heartbeat of a token, its row locked; None where there is none.

    What is looked up and compared is a digest: how long that takes says nothing about a token.
    """
    wanted = hashed(token)
    row = await fetch_one(
        connection,
        "SELECT s.id, s.name, h.token_hash FROM heartbeats h JOIN services s ON s.id = h.service_id "
        "WHERE h.token_hash = %(hash)s AND s.kind = %(kind)s AND s.retired_at IS NULL FOR UPDATE OF h",
        {"hash": wanted, "kind": KIND},
    )
    if row is None or not hmac.compare_digest(row.token_hash, wanted):
        return None
    return Target(row.id, row.name)


async def names(connection: Connection) -> list[str]:
    """The names of all heartbeats."""
    return await fetch_column(
        connection,
        "SELECT name FROM services WHERE kind = %(kind)s AND retired_at IS NULL ORDER BY name",
        {"kind": KIND},
    )


async def token_digests(connection: Connection) -> frozenset[bytes]:
    """The digests of all tokens."""
    found = await fetch_column(connection, "SELECT token_hash FROM heartbeats WHERE token_hash IS NOT NULL")
    return frozenset(map(bytes, found))


async def set_token(connection: Connection, service_id: int, token: str) -> None:
    """Make a token the one of a heartbeat; the one before is worth nothing from now on."""
    await connection.execute(
        "UPDATE heartbeats SET token_hash = %(hash)s, token_made_at = clock_timestamp() WHERE service_id = %(id)s",
        {"id": service_id, "hash": hashed(token)},
    )


_ADD = """
WITH beat AS (
    UPDATE heartbeats SET pings = pings + 1 WHERE service_id = %(id)s RETURNING service_id, pings AS seq, booked, looked
), began AS (
    SELECT p.at, p.signal FROM heartbeat_pings p, beat WHERE p.service_id = beat.service_id
        AND p.run_id IS NOT DISTINCT FROM %(run_id)s::text AND p.signal <> 'log'
        AND p.at >= clock_timestamp() - %(longest)s::interval AND %(signal)s IN ('success', 'fail')
    ORDER BY p.seq DESC LIMIT 1
), newest AS (
    SELECT max(p.at) AS at FROM heartbeat_pings p, beat WHERE p.service_id = beat.service_id
        AND p.seq = beat.seq - 1 AND p.seq > beat.booked
), moment AS (
    SELECT greatest(clock_timestamp(), newest.at + interval '1 microsecond',
        beat.looked + interval '1 microsecond') AS at FROM beat, newest
), dropped AS (
    DELETE FROM heartbeat_pings p USING beat WHERE p.service_id = beat.service_id
        AND p.seq <= least(beat.booked, beat.seq - %(kept)s)
)
INSERT INTO heartbeat_pings (service_id, seq, at, signal, exit_status, run_id, took_us, source, body)
SELECT beat.service_id, beat.seq, moment.at, %(signal)s, %(exit_status)s::int, %(run_id)s::text,
    (SELECT extract(epoch FROM moment.at - began.at) * 1000000 FROM began WHERE began.signal = 'start')::bigint,
    %(source)s, %(body)s
FROM beat, moment RETURNING took_us, seq, (SELECT seq - booked FROM beat) AS waiting
"""


@dataclass(frozen=True, slots=True)
class Added:
    """A ping that was kept: how long the run took that it ends, and whether many wait for an engine."""

    took: timedelta | None
    crowded: bool


async def add(
    connection: Connection,
    service_id: int,
    signal: Signal,
    exit_status: int | None,
    run_id: str | None,
    source: str,
    body: str,
) -> Added:
    """Keep a ping, at the database's clock; its heartbeat is locked.

    A run began with the last start of the same run id, or of none where there is none, if nothing ended it since
    (``Ping.duration`` of Healthchecks).
    """
    row = await fetch_one(
        connection,
        _ADD,
        {
            "id": service_id,
            "signal": signal.value,
            "exit_status": exit_status,
            "run_id": run_id,
            "source": source,
            "body": body,
            "longest": LONGEST_RUN,
            "kept": KEPT,
        },
    )
    assert row is not None
    took = None if row.took_us is None else row.took_us * _US
    return Added(took, row.waiting > WAITING and row.seq % KEPT == 0)


_CROWD = """
SELECT p.seq, p.signal, p.at, p.run_id, p.exit_status, p.took_us FROM heartbeat_pings p
JOIN heartbeats h ON h.service_id = p.service_id AND p.seq > h.booked
WHERE p.service_id = %(id)s ORDER BY p.seq DESC OFFSET %(most)s
"""


async def thin(connection: Connection, service_id: int) -> bool:
    """See to it that no more than `WAITING` pings wait for an engine; the heartbeat is locked.

    Messages beyond those that people are shown go first, and pings that are only logged. Of what is still too much the
    oldest are taken in as `domain.heartbeats.taken` does. Returns whether one of these ended a pause.
    """
    values = {"id": service_id, "kept": KEPT, "most": WAITING}
    old = "service_id = %(id)s AND seq <= (SELECT pings FROM heartbeats WHERE service_id = %(id)s) - %(kept)s"
    await connection.execute(f"DELETE FROM heartbeat_pings WHERE {old} AND signal = 'log'", values)
    await connection.execute(f"UPDATE heartbeat_pings SET body = '' WHERE {old} AND body <> ''", values)
    crowd = (await fetch_all(connection, _CROWD, values))[::-1]
    if not crowd:
        return False
    row = await fetch_one(
        connection,
        "SELECT h.*, s.paused, coalesce((s.settings->>'manual_resume')::boolean, false) AS manual_resume "
        "FROM heartbeats h JOIN services s ON s.id = h.service_id WHERE h.service_id = %(id)s",
        values,
    )
    assert row is not None
    beat, woken = taken(_beat(row), map(_ping, crowd), row.paused, row.manual_resume)
    await save(connection, [(service_id, beat, row.down_at, crowd[-1].seq)])
    await connection.execute(
        "DELETE FROM heartbeat_pings WHERE service_id = %(id)s AND seq <= %(seq)s",
        {"id": service_id, "seq": crowd[-1].seq},
    )
    return woken


async def clock(connection: Connection) -> datetime:
    """The database's clock, to be read while heartbeats are locked: every later ping has a later moment."""
    now: datetime = await fetch_value(connection, "SELECT clock_timestamp()")
    return now


async def next_down(connection: Connection, service_ids: Collection[int]) -> datetime | None:
    """When the first of these goes down if nothing comes."""
    found: datetime | None = await fetch_value(
        connection,
        "SELECT min(down_at) FROM heartbeats WHERE service_id = ANY(%(ids)s)",
        {"ids": list(service_ids)},
    )
    return found


async def lock_due(
    connection: Connection, service_ids: Collection[int], look_at: Collection[int], most: int, heard: datetime
) -> tuple[list[StoredBeat], datetime]:
    """Those of ``service_ids`` with something to book, and ``look_at``; locked, at most ``most`` of them.

    Of each at most `PINGS_AT_ONCE` pings are read. Returns also the moment up to which they may be followed: now, which
    is before every later ping; or ``heard``, if it took so long to come here that pings may have been lost meanwhile.
    """
    rows = await fetch_all(
        connection,
        "SELECT h.service_id, h.status, h.last_ping, h.last_start, h.last_run_id, h.looked, h.pings, h.booked, "
        "h.unheard_until, h.unheard FROM heartbeats h WHERE h.service_id = ANY(%(ids)s) AND (h.pings > h.booked "
        "OR h.down_at < clock_timestamp() OR h.service_id = ANY(%(look)s)) "
        "ORDER BY h.service_id LIMIT %(most)s FOR UPDATE OF h",
        {"ids": list(service_ids), "look": list(look_at), "most": most},
    )
    now = await clock(connection)
    until = now if now - heard <= HESITATION else heard
    waiting = await _unbooked(connection, [row.service_id for row in rows if row.pings > row.booked])
    read: dict[int, list[Any]] = {}
    for ping in waiting:
        read.setdefault(ping.service_id, []).append(ping)
    found = []
    for row in rows:
        pings = read.get(row.service_id, [])
        whole = len(pings) < PINGS_AT_ONCE or row.pings == pings[-1].seq
        taken_now = [ping for ping in pings if ping.at <= until]
        whole = whole and len(taken_now) == len(pings)
        last = row.pings if whole else taken_now[-1].seq if taken_now else row.booked
        found.append(StoredBeat(row.service_id, _beat(row), tuple(map(_ping, taken_now)), last, whole))
    return found, until


async def _unbooked(connection: Connection, service_ids: Sequence[int]) -> Sequence[Any]:
    if not service_ids:
        return ()
    return await fetch_all(
        connection,
        "SELECT p.* FROM heartbeats h CROSS JOIN LATERAL (SELECT service_id, seq, signal, at, run_id, exit_status, "
        "  took_us FROM heartbeat_pings WHERE service_id = h.service_id AND seq > h.booked ORDER BY seq "
        "  LIMIT %(most)s) p WHERE h.service_id = ANY(%(ids)s) ORDER BY p.service_id, p.seq",
        {"ids": list(service_ids), "most": PINGS_AT_ONCE},
    )


def _ping(row: Any) -> Ping:
    took = None if row.took_us is None else row.took_us * _US
    return Ping(Signal(row.signal), row.at, row.run_id, row.exit_status, took)


def _beat(row: Any) -> Beat:
    return Beat(
        BeatStatus(row.status),
        row.last_ping,
        row.last_start,
        row.last_run_id,
        row.looked,
        row.unheard_until,
        row.unheard,
    )


async def save(connection: Connection, rows: Sequence[tuple[int, Beat, datetime | None, int]]) -> None:
    """Overwrite heartbeats: ``(service_id, beat, when it goes down, number of the last ping booked)``."""
    await connection.execute(
        "UPDATE heartbeats h SET status = v.status, last_ping = v.last_ping, last_start = v.last_start, "
        "last_run_id = v.last_run_id, looked = v.looked, down_at = v.down_at, booked = v.booked "
        "FROM unnest(%(ids)s::int[], %(status)s::text[], %(last_ping)s::timestamptz[], %(last_start)s::timestamptz[], "
        "%(run_id)s::text[], %(looked)s::timestamptz[], %(down_at)s::timestamptz[], %(booked)s::bigint[]) "
        "AS v(id, status, last_ping, last_start, last_run_id, looked, down_at, booked) WHERE h.service_id = v.id",
        {
            "ids": [row[0] for row in rows],
            "status": [row[1].status.value for row in rows],
            "last_ping": [row[1].last_ping for row in rows],
            "last_start": [row[1].last_start for row in rows],
            "run_id": [row[1].last_run_id for row in rows],
            "looked": [row[1].looked for row in rows],
            "down_at": [row[2] for row in rows],
            "booked": [row[3] for row in rows],
        },
    )


async def board(connection: Connection) -> list[BeatRow]:
    """Every heartbeat, by name."""
    rows = await fetch_all(
        connection,
        "SELECT s.id, s.name, s.settings, s.paused, h.status, h.last_ping, h.last_start, h.last_run_id, h.looked, "
        "h.unheard_until, h.unheard, h.down_at, h.pings, h.token_made_at FROM heartbeats h "
        "JOIN services s ON s.id = h.service_id WHERE s.kind = %(kind)s AND s.retired_at IS NULL ORDER BY s.name",
        {"kind": KIND},
    )
    return [
        BeatRow(
            row.id, row.name, row.settings, row.paused, _beat(row), row.down_at, row.pings, row.token_made_at
        )
        for row in rows
    ]


async def pings(connection: Connection, service_id: int, limit: int = KEPT) -> list[PingRow]:
    """The latest pings of a heartbeat, the newest first."""
    rows = await fetch_all(
        connection,
        "SELECT seq, at, signal, exit_status, run_id, took_us / 1e6, source, body FROM heartbeat_pings "
        "WHERE service_id = %(id)s ORDER BY seq DESC LIMIT %(limit)s",
        {"id": service_id, "limit": limit},
    )
    return [PingRow(*row) for row in rows]
