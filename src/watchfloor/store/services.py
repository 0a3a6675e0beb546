"""What is watched: the definitions of services, who owns them, and requests to check one now."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID, uuid4

from watchfloor.store.database import Connection, fetch_all, fetch_column, fetch_one, fetch_value
from watchfloor.store.jsonb import dumps


@dataclass(frozen=True, slots=True)
class Service:
    """A service as it is stored; ``settings`` holds references (``${NAME}``), never a resolved secret."""

    id: int
    uuid: UUID
    name: str
    kind: str
    settings: Mapping[str, object]
    every_ms: int
    retry_every_ms: int
    timeout_ms: int
    max_attempts: int
    recover_attempts: int
    group_name: str
    tags: Sequence[str]
    description: str
    runbook: str
    depends_on: Sequence[str]
    owner: str
    origin: str
    paused: bool


@dataclass(frozen=True, slots=True)
class Definition:
    """A service as a configuration defines it."""

    name: str
    kind: str
    settings: Mapping[str, object]
    every_ms: int
    retry_every_ms: int
    timeout_ms: int
    max_attempts: int
    recover_attempts: int
    group_name: str
    tags: tuple[str, ...]
    description: str
    runbook: str
    depends_on: tuple[str, ...]
    origin: str
    paused: bool


_COLUMNS = (
    "id, uuid, name, kind, settings, every_ms, retry_every_ms, timeout_ms, max_attempts, recover_attempts, "
    "group_name, tags, description, runbook, depends_on, owner, origin, paused"
)

_UPSERT = """
INSERT INTO services AS s (uuid, name, kind, settings, every_ms, retry_every_ms, timeout_ms, max_attempts,
    recover_attempts, group_name, tags, description, runbook, depends_on, owner, origin, paused, paused_by_file)
SELECT d.uuid, d.name, d.kind, d.settings, d.every_ms, d.retry_every_ms, d.timeout_ms, d.max_attempts,
    d.recover_attempts, d.group_name, ARRAY(SELECT jsonb_array_elements_text(d.tags)), d.description, d.runbook,
    ARRAY(SELECT jsonb_array_elements_text(d.depends_on)), %(owner)s::text, d.origin, d.paused, d.paused
FROM jsonb_to_recordset(%(rows)s::jsonb) AS d(uuid uuid, name text, kind text, settings jsonb, every_ms int,
    retry_every_ms int, timeout_ms int, max_attempts smallint, recover_attempts smallint, group_name text,
    tags jsonb, description text, runbook text, depends_on jsonb, origin text, paused boolean)
ORDER BY d.name
ON CONFLICT (name) DO UPDATE SET
    kind = EXCLUDED.kind, settings = EXCLUDED.settings, every_ms = EXCLUDED.every_ms,
    retry_every_ms = EXCLUDED.retry_every_ms, timeout_ms = EXCLUDED.timeout_ms,
    max_attempts = EXCLUDED.max_attempts, recover_attempts = EXCLUDED.recover_attempts,
    group_name = EXCLUDED.group_name, tags = EXCLUDED.tags, description = EXCLUDED.description,
    runbook = EXCLUDED.runbook, depends_on = EXCLUDED.depends_on, owner = EXCLUDED.owner, origin = EXCLUDED.origin,
    paused = CASE WHEN s.retired_at IS NULL AND s.paused_by_file = EXCLUDED.paused_by_file
        THEN s.paused ELSE EXCLUDED.paused END,
    paused_by_file = EXCLUDED.paused_by_file,
    retired_at = NULL, changed_at = now(), version = s.version + 1
WHERE (s.kind, s.settings, s.every_ms, s.retry_every_ms, s.timeout_ms, s.max_attempts, s.recover_attempts,
       s.group_name, s.tags, s.description, s.runbook, s.depends_on, s.owner, s.origin, s.paused_by_file,
       s.retired_at)
   IS DISTINCT FROM
      (EXCLUDED.kind, EXCLUDED.settings, EXCLUDED.every_ms, EXCLUDED.retry_every_ms, EXCLUDED.timeout_ms,
       EXCLUDED.max_attempts, EXCLUDED.recover_attempts, EXCLUDED.group_name, EXCLUDED.tags,
       EXCLUDED.description, EXCLUDED.runbook, EXCLUDED.depends_on, EXCLUDED.owner, EXCLUDED.origin,
       EXCLUDED.paused_by_file, NULL)
RETURNING s.name
"""

_RETIRE = """
UPDATE services SET retired_at = now(), changed_at = now(), version = version + 1
WHERE owner IN ('file', 'system') AND retired_at IS NULL AND NOT name = ANY(%(names)s) RETURNING id
"""


_LOCK = 0x5746_0004  # one configuration is applied at a time


async def lock_definitions(connection: Connection) -> None:
    """Wait for nodes that apply a configuration, and make others wait, until the transaction ends."""
    await connection.execute("SELECT pg_advisory_xact_lock(%(key)s)", {"key": _LOCK})


async def file_in_force(connection: Connection) -> bool:
    """Whether a config file owns anything in this database."""
    owned = " UNION ALL ".join(
        f"SELECT FROM {table} WHERE owner = 'file' AND retired_at IS NULL"
        for table in ("services", "rules", "channels", "jobs")
    )
    found: bool = await fetch_value(connection, f"SELECT EXISTS ({owned})")
    return found


async def apply_definitions(
    connection: Connection, definitions: Iterable[Definition], *, built_in: bool = False
) -> tuple[list[str], list[int]]:
    """Make the services that a config file owns equal to ``definitions``.

    Returns the names that were added or changed and the ids that were retired. Retired services keep their
    history; defining one again under the same name brings it back. A pause by an operator outlives a reload that
    leaves ``paused`` as it was. What is ``built_in`` is owned by the system and retires nothing; the first file
    retires it.
    """
    rows = [
        {"uuid": str(uuid4()), **{field: getattr(d, field) for field in Definition.__slots__}}
        for d in definitions
    ]
    owner = "system" if built_in else "file"
    changed = await fetch_column(connection, _UPSERT, {"rows": dumps(rows), "owner": owner})
    names = changed
    await connection.execute(
        "INSERT INTO service_state (service_id) SELECT id FROM services WHERE retired_at IS NULL "
        "ON CONFLICT DO NOTHING"
    )
    if built_in:
        return names, []
    retired = await fetch_column(connection, _RETIRE, {"names": [row["name"] for row in rows]})
    return names, retired


async def load_services(connection: Connection) -> list[Service]:
    """Every service that is not retired."""
    rows = await fetch_all(
        connection, f"SELECT {_COLUMNS} FROM services WHERE retired_at IS NULL ORDER BY id"
    )
    return [Service(*row) for row in rows]


async def never_checked(connection: Connection) -> frozenset[int]:
    """Ids of services of which nothing is known yet."""
    return frozenset(
        await fetch_column(connection, "SELECT service_id FROM service_state WHERE last_started IS NULL")
    )


async def find_service(connection: Connection, service_id: int, *, lock: bool = False) -> Service | None:
    """One service by id, or None; ``lock`` holds its row until the transaction ends."""
    rows = await fetch_one(
        connection,
        f"SELECT {_COLUMNS} FROM services WHERE id = %(id)s AND retired_at IS NULL"
        + (" FOR UPDATE" if lock else ""),
        {"id": service_id},
    )
    row = rows
    return None if row is None else Service(*row)


async def set_paused(connection: Connection, service_id: int, paused: bool) -> None:
    """Pause or resume the checks of one service."""
    await connection.execute(
        "UPDATE services SET paused = %(paused)s, changed_at = now(), version = version + 1 WHERE id = %(id)s",
        {"id": service_id, "paused": paused},
    )


async def request_check(connection: Connection, service_id: int, actor: str) -> None:
    """Ask the engine that watches this service to check it now."""
    await connection.execute(
        "INSERT INTO check_requests VALUES (%(id)s, now(), %(actor)s) ON CONFLICT (service_id) "
        "DO UPDATE SET requested_at = EXCLUDED.requested_at, requested_by = EXCLUDED.requested_by",
        {"id": service_id, "actor": actor},
    )


async def take_check_requests(connection: Connection, service_ids: Sequence[int]) -> list[int]:
    """Take the open requests for ``service_ids``; each is given out once."""
    return await fetch_column(
        connection,
        "DELETE FROM check_requests WHERE service_id = ANY(%(ids)s) RETURNING service_id",
        {"ids": list(service_ids)},
    )
