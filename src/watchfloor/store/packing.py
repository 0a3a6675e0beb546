"""Results of closed hours in a few bytes each (`watchfloor.domain.packed` says what a code means), and their reading.

A block holds one service's results of one hour; of one that is checked less often than twice a minute, of two hours up
to a day, so that the row itself costs little per result. How long its blocks are was decided when the day began.
Packing a block again replaces it. The raw results stay for as long as their own retention says.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from datetime import datetime, timedelta
from typing import Any

from watchfloor.domain.packed import (
    BIAS,
    LATENCY_CODES,
    NOTE_LENGTH,
    NOTES,
    STEPS,
    Block,
    PackedResult,
    unpack,
)
from watchfloor.store.database import Connection, fetch_all, fetch_value

LENGTHS = (1, 2, 6, 12, 24)
"""Hours of a block: enough for a hundred results, so that what a row costs by itself is little to each."""
LONGEST = timedelta(hours=LENGTHS[-1])
_SPARSE_MS = (30_000, 60_000, 180_000, 360_000)
_PAGE = 500
_LATEST_BLOCKS = 6
_LAG = timedelta(minutes=1)
"""A check that started late may lie in the block after the one of its slot."""

_PACK = f"""
WITH due AS (
    SELECT s.id, s.every_ms FROM services s CROSS JOIN LATERAL (
        SELECT every_ms FROM service_versions WHERE service_id = s.id
        ORDER BY began <= %(day)s DESC, CASE WHEN began <= %(day)s THEN began END DESC NULLS LAST, began LIMIT 1
    ) v WHERE s.id = ANY(%(ids)s) AND v.every_ms > %(over_ms)s AND v.every_ms <= %(most_ms)s
), slots AS (
    SELECT c.service_id, due.every_ms, c.ts - c.lag_us * interval '1 microsecond' AS slot, c.status, c.latency_us,
        c.summary
    FROM due JOIN check_results c ON c.service_id = due.id AND c.ts >= %(start)s AND c.ts < %(end)s
), placed AS (
    SELECT service_id, every_ms, slot, status, latency_us, summary,
        row_number() OVER w - 1 AS i,
        round(extract(epoch FROM slot - first_value(slot) OVER w) * 1000)::bigint AS ms,
        summary IS DISTINCT FROM lag(summary) OVER w AND summary IS NOT NULL AS fresh
    FROM slots WINDOW w AS (PARTITION BY service_id ORDER BY slot)
), told AS (
    SELECT *, ms - lag(ms) OVER w AS delta, count(*) FILTER (WHERE fresh) OVER w AS said
    FROM placed WINDOW w AS (PARTITION BY service_id ORDER BY i)
)
INSERT INTO check_packed (service_id, step_ms, ts, first, codes, gaps, notes)
SELECT service_id, min(every_ms), %(start)s, min(slot),
    string_agg(int2send((status * {LATENCY_CODES} - {BIAS} + CASE WHEN latency_us IS NULL THEN 0
        ELSE least({LATENCY_CODES - 1}, 1 + round(ln(1 + latency_us::float8) * {STEPS})) END)::int2), '' ORDER BY i),
    coalesce(string_agg(int2send((i - {BIAS})::int2) || int4send(delta::int), '' ORDER BY i)
        FILTER (WHERE delta <> every_ms), ''),
    jsonb_agg(jsonb_build_array(i, CASE WHEN said <= {NOTES} THEN left(summary, {NOTE_LENGTH}) ELSE '' END) ORDER BY i)
        FILTER (WHERE fresh AND said <= {NOTES} + 1)
FROM told WHERE i < {2 * BIAS} GROUP BY service_id
ON CONFLICT (service_id, ts) DO UPDATE SET step_ms = EXCLUDED.step_ms, first = EXCLUDED.first,
    codes = EXCLUDED.codes, gaps = EXCLUDED.gaps, notes = EXCLUDED.notes
"""


async def pack(connection: Connection, ids: Sequence[int], end: datetime) -> int:
    """Pack the blocks of these services that end at ``end``, a whole hour; returns how many."""
    day = (end - timedelta(microseconds=1)).replace(hour=0, minute=0, second=0, microsecond=0)
    made = 0
    bounds = (0, *_SPARSE_MS, 2**31 - 1)
    for hours, over, most in zip(LENGTHS, bounds, bounds[1:], strict=False):
        if end.hour % hours:
            continue
        asked = {"ids": list(ids), "day": day, "over_ms": over, "most_ms": most, "end": end}
        done = await connection.execute(_PACK, {**asked, "start": end - timedelta(hours=hours)})
        made += done.rowcount
    return made


async def pack_again(connection: Connection, ids: Sequence[int], hour: datetime, until: datetime) -> int:
    """Pack the blocks that hold ``hour`` once more, where they were packed before: up to ``until``."""
    made = 0
    for hours in LENGTHS:
        end = hour.replace(hour=hour.hour // hours * hours) + timedelta(hours=hours)
        if end <= until:
            made += await pack(connection, ids, end)
    return made


def block_of(row: Any) -> Block:
    """A stored row as the domain reads it."""
    notes = tuple((place, words) for place, words in row.notes or ())
    return Block(row.step_ms, row.first, bytes(row.codes), bytes(row.gaps), notes)


async def latest_packed(
    connection: Connection, ids: Sequence[int], since: datetime, at: datetime, limit: int
) -> dict[int, list[PackedResult]]:
    """The latest packed results of services that had ended by ``at`` and began after ``since``, newest first.

    Blocks are read as far back as ``limit`` results need, service by service along the key.
    """
    rows = await fetch_all(
        connection,
        "SELECT s.id, b.* FROM unnest(%(ids)s::int[]) s(id) CROSS JOIN LATERAL ("
        "  SELECT ts, step_ms, first, codes, gaps, notes FROM check_packed WHERE service_id = s.id "
        "  AND ts > %(low)s AND ts <= %(at)s ORDER BY ts DESC LIMIT %(blocks)s) b ORDER BY s.id, b.ts DESC",
        {"ids": list(ids), "low": since - LONGEST, "at": at, "blocks": _LATEST_BLOCKS},
    )
    found: dict[int, list[PackedResult]] = {}
    for row in rows:
        known = found.setdefault(row.id, [])
        if len(known) < limit:
            inside = [r for r in unpack(block_of(row)) if since < r.slot and _ended(r) <= at]
            known += reversed(inside[-(limit - len(known)) :])
    return found


def _ended(result: PackedResult) -> datetime:
    """When a check was over, as far as its latency tells."""
    return result.slot + timedelta(microseconds=result.latency_us or 0)


async def packed_since(connection: Connection) -> datetime | None:
    """From when on packed results are kept: the first block among the services that are known longest."""
    found: datetime | None = await fetch_value(
        connection,
        "SELECT min(b.ts) FROM (SELECT id FROM services ORDER BY id LIMIT 100) s CROSS JOIN LATERAL "
        "(SELECT ts FROM check_packed WHERE service_id = s.id ORDER BY ts LIMIT 1) b",
    )
    return found


async def packed_results(
    connection: Connection, service_id: int, start: datetime, end: datetime
) -> AsyncIterator[PackedResult]:
    """Packed results of a service in ``[start, end)``, oldest first, a page of blocks at a time."""
    low = start - LONGEST
    while True:
        rows = await fetch_all(
            connection,
            "SELECT ts, step_ms, first, codes, gaps, notes FROM check_packed WHERE service_id = %(id)s "
            "AND ts > %(low)s AND ts < %(high)s ORDER BY ts LIMIT %(page)s",
            {"id": service_id, "low": low, "high": end + _LAG, "page": _PAGE},
        )
        for row in rows:
            for result in unpack(block_of(row)):
                if start <= result.slot < end:
                    yield result
        if len(rows) < _PAGE:
            return
        low = rows[-1].ts
