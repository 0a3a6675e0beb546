"""How often a service was looked at since its problem began, by whom, and how far back that is known.

Results are kept in full for days and packed for months; what is older is gone. It is counted as far as something is
kept, at most `COUNTED` checks, and said from when on that is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from watchfloor.domain.outcome import Status
from watchfloor.domain.why import COUNTED, Looks
from watchfloor.store.database import Connection, fetch_all, fetch_value
from watchfloor.store.packing import packed_results, packed_since
from watchfloor.store.partitions import oldest_day

_LATE = timedelta(seconds=1)
"""A packed result stands at its slot, a problem begins with the start of a check: so much later at the most."""

_COUNT = """
SELECT coalesce(n.name, '') AS node, count(*) AS checks, count(*) FILTER (WHERE r.status <> 0) AS bad FROM (
    SELECT node_id, status FROM check_results WHERE service_id = %(id)s AND ts >= %(began)s AND ts <= %(until)s
    ORDER BY ts DESC LIMIT %(most)s
) r LEFT JOIN nodes n ON n.id = r.node_id GROUP BY 1 ORDER BY 2 DESC, 1
"""
_MORE = """
SELECT EXISTS (SELECT FROM check_results WHERE service_id = %(id)s AND ts >= %(began)s AND ts <= %(until)s
    ORDER BY ts DESC OFFSET %(most)s LIMIT 1)
"""


@dataclass(frozen=True, slots=True)
class Looked:
    """What each node found. ``cut``: there were more checks, and these are the latest.

    ``kept_since`` is from when on checks are kept, where those before it are not any more.
    """

    looks: Sequence[Looks] = ()
    cut: bool = False
    kept_since: datetime | None = None


async def looks_since(connection: Connection, service_id: int, began: datetime, until: datetime) -> Looked:
    """What was found of a service from ``began`` to ``until``, as far as it is kept."""
    asked = {"id": service_id, "began": began, "until": until, "most": COUNTED}
    looks = [Looks(row.node, row.checks, row.bad) for row in await fetch_all(connection, _COUNT, asked)]
    room = COUNTED - sum(each.checks for each in looks)
    full_since = await oldest_day(connection, "check_results")
    if full_since is None or full_since <= began:
        return Looked(looks, room == 0 and await fetch_value(connection, _MORE, asked))
    if room == 0:
        return Looked(looks, cut=True)
    checks, bad, cut = await _packed(connection, service_id, began, min(until, full_since), room)
    if checks:
        looks.append(Looks("", checks, bad))
    packed = await packed_since(connection)
    whole = packed is not None and packed <= began
    return Looked(looks, cut, None if whole else min(packed or full_since, full_since))


async def _packed(
    connection: Connection, service_id: int, began: datetime, end: datetime, room: int
) -> tuple[int, int, bool]:
    """How many packed results there are from ``began`` to ``end``, how many of them not ok, and whether more."""
    checks = bad = 0
    async for result in packed_results(connection, service_id, began - _LATE, end):
        if checks == room:
            return checks, bad, True
        checks += 1
        bad += result.status is not Status.OK
    return checks, bad, False
