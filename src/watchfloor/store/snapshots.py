"""Old snapshots: sessions that keep the server from forgetting rows which nobody else can see any more.

While one is open every finished run leaves a dead entry in the indexes that runs are claimed by.
"""

from __future__ import annotations

from dataclasses import dataclass

from watchfloor.store.database import Connection, fetch_all, fetch_value

OLD_S = 300.0


@dataclass(frozen=True, slots=True)
class OldSnapshot:
    """What holds a snapshot, a session (``pid``) or a prepared transaction (0), and for how long."""

    holder: str
    pid: int
    age_s: float


_HELD = """
SELECT coalesce(nullif(application_name, ''), 'a session') || ' of ' || coalesce(usename, '?') AS holder, pid,
    extract(epoch FROM clock_timestamp() - xact_start)::float8 AS age_s
FROM pg_stat_activity WHERE backend_xmin IS NOT NULL AND pid <> pg_backend_pid() AND backend_type = 'client backend'
    AND datname = current_database() AND xact_start < clock_timestamp() - make_interval(secs => %(old)s)
UNION ALL
SELECT 'the prepared transaction ' || gid, 0, extract(epoch FROM clock_timestamp() - prepared)::float8
FROM pg_prepared_xacts
WHERE database = current_database() AND prepared < clock_timestamp() - make_interval(secs => %(old)s)
ORDER BY age_s DESC
"""


async def old_snapshots(connection: Connection, old_s: float = OLD_S) -> list[OldSnapshot]:
    """Snapshots older than ``old_s`` seconds, the oldest first. Of other roles' sessions a role may see too little."""
    return [OldSnapshot(*row) for row in await fetch_all(connection, _HELD, {"old": old_s})]


async def dead_rows(connection: Connection) -> int:
    """About how many dead rows the table of runs holds."""
    found: int = await fetch_value(
        connection,
        "SELECT coalesce(n_dead_tup, 0) FROM pg_stat_user_tables WHERE relid = to_regclass('runs')",
    )
    return found
