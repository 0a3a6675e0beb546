"""What is watched: the definitions of services, who owns them, and requests to check one now."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import datetime
from itertools import islice
from sys import intern
from typing import Any
from uuid import UUID

from watchfloor.domain.outcome import Status
from watchfloor.store.database import Connection, fetch_all, fetch_column, fetch_one, fetch_value
from watchfloor.store.heartbeats import provide
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
    depends_on_any: Sequence[Sequence[str]] = ()
    environment: str = ""
    on_nodes: Sequence[str] = ()  # only nodes with all of these tags check it
    quorum: int = 1  # so many of them must say that it fails


@dataclass(frozen=True, slots=True)
class LastCheck:
    """When the latest check of a service began and ended, and whether what it found waits to be confirmed."""

    started: datetime | None
    ended: datetime | None
    soft: bool


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
    depends_on_any: tuple[tuple[str, ...], ...] = ()
    environment: str = ""
    written: Mapping[str, object] = field(default_factory=dict)
    on_nodes: tuple[str, ...] = ()
    quorum: int = 1


CHUNK = 200
"""Definitions written as JSON in one go, in some milliseconds."""

_COLUMNS = (
    "id, uuid, name, kind, settings, every_ms, retry_every_ms, timeout_ms, max_attempts, recover_attempts, "
    "group_name, tags, description, runbook, depends_on, owner, origin, paused, depends_on_any, environment, "
    "on_nodes, quorum"
)

_COMPARED = (
    "kind", "settings", "every_ms", "retry_every_ms", "timeout_ms", "max_attempts", "recover_attempts", "group_name",
    "tags", "description", "runbook", "depends_on", "depends_on_any", "owner", "origin", "paused_by_file",
    "environment", "written", "on_nodes", "quorum",
)  # fmt: skip


def _differs(known: str, wanted: str) -> str:
    """Whether what is known of a service is not what is wanted, or it is retired."""
    columns = ", ".join(f"{known}.{each}" for each in _COMPARED)
    values = ", ".join(f"{wanted}.{each}" for each in _COMPARED)
    return f"({columns}, {known}.retired_at) IS DISTINCT FROM ({values}, NULL)"


_UPSERT = f"""
INSERT INTO services AS s (uuid, name, paused, changed_by, {", ".join(_COMPARED)})
SELECT gen_random_uuid(), w.name, w.paused_by_file, %(by)s::text, {", ".join(f"w.{each}" for each in _COMPARED)}
FROM (
    SELECT d.name, d.kind, d.settings, d.every_ms, d.retry_every_ms, d.timeout_ms, d.max_attempts,
        d.recover_attempts, d.group_name, d.tags, d.description, d.runbook, d.depends_on, d.depends_on_any,
        %(owner)s::text AS owner, d.origin, d.paused AS paused_by_file, d.environment, d.written, d.on_nodes, d.quorum
    FROM jsonb_to_recordset(%(rows)s::jsonb) AS d(name text, kind text, settings jsonb, every_ms int,
        retry_every_ms int, timeout_ms int, max_attempts smallint, recover_attempts smallint, group_name text,
        tags text[], description text, runbook text, depends_on text[], origin text, paused boolean,
        depends_on_any jsonb, environment text, written jsonb, on_nodes text[], quorum smallint)
) w LEFT JOIN services n ON n.name = w.name
WHERE n.id IS NULL OR {_differs("n", "w")}
ORDER BY w.name
ON CONFLICT (name) DO UPDATE SET
    {", ".join(f"{each} = EXCLUDED.{each}" for each in _COMPARED)}, changed_by = EXCLUDED.changed_by,
    paused = CASE WHEN s.retired_at IS NULL AND s.paused_by_file = EXCLUDED.paused_by_file
        THEN s.paused ELSE EXCLUDED.paused END,
    retired_at = NULL, changed_at = now(), version = s.version + 1
WHERE {_differs("s", "EXCLUDED")}
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
    changed, names = await _write(connection, definitions, "system" if built_in else "file", "")
    return changed, [] if built_in else await fetch_column(connection, _RETIRE, {"names": names})


async def _write(
    connection: Connection, definitions: Iterable[Definition], owner: str, by: str
) -> tuple[list[str], list[str]]:
    """Add or change services; returns the names of those that were not so before, and of all."""
    rows, names = await _as_json(definitions)
    changed = await fetch_column(connection, _UPSERT, {"rows": rows, "owner": owner, "by": by})
    await connection.execute(
        "INSERT INTO service_state (service_id) SELECT id FROM services WHERE retired_at IS NULL "
        "ON CONFLICT DO NOTHING"
    )
    await provide(connection)
    return changed, names


async def _as_json(definitions: Iterable[Definition]) -> tuple[str, list[str]]:
    """A list of rows, and their names. There may be many, so others have their turn in between."""
    columns = [each.name for each in fields(Definition)]
    names: list[str] = []
    parts: list[str] = []
    coming = iter(definitions)
    while some := list(islice(coming, CHUNK)):
        names += [each.name for each in some]
        parts.append(dumps([{column: getattr(each, column) for column in columns} for each in some])[1:-1])
        await asyncio.sleep(0)
    return f"[{','.join(parts)}]", names


async def put_service(connection: Connection, definition: Definition, by: str) -> None:
    """Add a service that the console owns, or make it what ``definition`` says."""
    await _write(connection, [definition], "console", by)


async def retire_service(connection: Connection, service_id: int, by: str) -> None:
    """Watch a service no more; its history stays."""
    await connection.execute(
        "UPDATE services SET retired_at = now(), changed_at = now(), changed_by = %(by)s, version = version + 1 "
        "WHERE id = %(id)s",
        {"id": service_id, "by": by},
    )


async def needs_by_name(connection: Connection) -> dict[str, list[str]]:
    """What every service needs, by name: those of groups too."""
    rows = await fetch_all(
        connection, "SELECT name, depends_on, depends_on_any FROM services WHERE retired_at IS NULL"
    )
    return {
        row.name: [*row.depends_on, *(name for group in row.depends_on_any for name in group)] for row in rows
    }


async def definitions_mark(connection: Connection) -> tuple[object, ...]:
    """A value that differs whenever a service was added, changed or retired."""
    row = await fetch_one(connection, "SELECT count(*), sum(version) FROM services")
    return tuple(row)


async def load_services(connection: Connection) -> list[Service]:
    """Every service that is not retired; what is the same in many is kept once."""
    rows = await fetch_all(
        connection, f"SELECT {_COLUMNS} FROM services WHERE retired_at IS NULL ORDER BY id"
    )
    once: dict[object, object] = {}
    columns = [_lean(column, once) for column in zip(*rows, strict=True)]
    return [Service(*values) for values in zip(*columns, strict=True)]


def _lean(column: Sequence[Any], once: dict[object, object]) -> Sequence[Any]:
    """A column with each value as the one of ``once`` that is equal: thousands of services differ in little."""
    kind = type(column[0])
    if kind is str or kind is int:
        return [once.setdefault(value, value) for value in column]
    if kind is dict:
        return [{intern(key): inner for key, inner in value.items()} for value in column]
    return [value or () for value in column] if kind is list else column


async def names_of(connection: Connection, service_ids: Sequence[int]) -> list[str]:
    """The names of these services."""
    return await fetch_column(
        connection, "SELECT name FROM services WHERE id = ANY(%(ids)s)", {"ids": list(service_ids)}
    )


async def never_checked(connection: Connection) -> frozenset[int]:
    """Ids of services of which nothing is known yet."""
    return frozenset(
        await fetch_column(connection, "SELECT service_id FROM service_state WHERE last_started IS NULL")
    )


async def not_ok(connection: Connection) -> dict[int, Status | None]:
    """What is confirmed of the services that are not ok; None where nothing is, yet."""
    rows = await fetch_all(
        connection, "SELECT service_id, hard FROM service_state WHERE hard IS DISTINCT FROM 0"
    )
    return {row.service_id: None if row.hard is None else Status(row.hard) for row in rows}


async def last_checks(connection: Connection, service_ids: Sequence[int]) -> dict[int, LastCheck]:
    """What is booked of the latest check of services."""
    rows = await fetch_all(
        connection,
        "SELECT service_id, last_started, last_ended, soft FROM service_state WHERE service_id = ANY(%(ids)s)",
        {"ids": list(service_ids)},
    )
    return {row[0]: LastCheck(*row[1:]) for row in rows}


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


async def request_checks(connection: Connection, service_ids: Sequence[int], actor: str) -> None:
    """Ask the engines that watch these services to check them now."""
    await connection.execute(
        "INSERT INTO check_requests SELECT id, now(), %(actor)s FROM services WHERE id = ANY(%(ids)s) "
        "ORDER BY id ON CONFLICT (service_id) DO NOTHING",
        {"ids": list(service_ids), "actor": actor},
    )


async def take_check_requests(connection: Connection, service_ids: Sequence[int]) -> list[int]:
    """Take the open requests for ``service_ids``; each is given out once."""
    return await fetch_column(
        connection,
        "DELETE FROM check_requests WHERE service_id = ANY(%(ids)s) RETURNING service_id",
        {"ids": list(service_ids)},
    )
