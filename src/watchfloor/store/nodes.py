"""Nodes and their components: registration, lease, life cycle, heartbeats.

A node holds a session advisory lock on its id for as long as its engine runs, so the database itself knows at
once when an engine's process dies; the lease covers the machine that vanishes without closing its connections.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from watchfloor.domain.boards import ComponentRow, ConfigFileRow, NodeRow
from watchfloor.store.database import Connection, fetch_all, fetch_column, fetch_one, fetch_value
from watchfloor.store.jsonb import dumps

LEASE_S = 9
"""Seconds after its last beat for which a node counts as live: its peers, who look every two seconds, have taken its
services over within twelve."""

LOCK_CLASS = 0x5746  # first key of the advisory locks that running nodes hold; the second is the node's id


@dataclass(frozen=True, slots=True)
class Registration:
    """Who a node is."""

    name: str
    machine: str
    pid: int
    version: str
    environment: str
    tags: Sequence[str]


@dataclass(frozen=True, slots=True)
class Beaten:
    """The answer to a beat."""

    at: datetime  # by the database's clock
    lost: bool  # the others had declared this node lost, and took its services over


@dataclass(frozen=True, slots=True)
class Entry:
    """A node's place among the nodes for one run of its engine; the next run under its name takes it over."""

    id: int
    started_at: datetime


HELD = (
    "EXISTS (SELECT FROM pg_locks l WHERE l.locktype = 'advisory' AND l.granted AND l.classid = "
    f"{LOCK_CLASS} AND l.objid = n.id "
    "AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database()))"
)
"""SQL: whether the engine of node ``n`` holds its lock."""

LIVE = f"(n.state IN ('starting', 'running', 'stopping') AND n.lease_until > now() AND {HELD})"
"""SQL: whether node ``n`` is live."""

RUNS = f"(n.state IN ('starting', 'running') AND {HELD})"
"""SQL: whether an engine works as node ``n``, be it that its heart stands still, so that the lease is over."""


async def register(connection: Connection, who: Registration) -> Entry:
    """Make (or take over) the row of a node, in state ``starting``."""
    row = await fetch_one(
        connection,
        "INSERT INTO nodes (name, machine, pid, version, environment, tags, state, started_at, beat_at, "
        "  lease_until) VALUES (%(name)s, %(machine)s, %(pid)s, %(version)s, %(environment)s, %(tags)s, "
        "  'starting', now(), now(), now() + make_interval(secs => %(lease)s)) "
        "ON CONFLICT (name) DO UPDATE SET machine = EXCLUDED.machine, pid = EXCLUDED.pid, "
        "  version = EXCLUDED.version, environment = EXCLUDED.environment, tags = EXCLUDED.tags, "
        "  state = 'starting', started_at = now(), beat_at = now(), lease_until = EXCLUDED.lease_until, "
        "  stopped_at = NULL, error = '', stats = '{}', lost_at = NULL, sees = '{}', let_go_at = NULL "
        "RETURNING id, started_at",
        {
            "name": who.name,
            "machine": who.machine,
            "pid": who.pid,
            "version": who.version,
            "environment": who.environment,
            "tags": list(who.tags),
            "lease": LEASE_S,
        },
    )
    await connection.execute("DELETE FROM component_health WHERE node_id = %(id)s", {"id": row.id})
    return Entry(row.id, row.started_at)


async def node_id_of(connection: Connection, name: str) -> int | None:
    """The id of the node of this name, if it was ever registered."""
    found: int | None = await fetch_value(
        connection, "SELECT id FROM nodes WHERE name = %(name)s", {"name": name}
    )
    return found


async def hold(connection: Connection, node_id: int) -> bool:
    """Take the lock that says "this node's engine runs" for the life of ``connection``; False: another holds it."""
    cursor = await connection.execute("SELECT pg_try_advisory_lock(%s, %s)", (LOCK_CLASS, node_id))
    row = await cursor.fetchone()
    return row is not None and row[0] is True


async def beat(
    connection: Connection,
    entry: Entry,
    state: str,
    stats: Mapping[str, float],
    sees: Collection[int] = (),
    let_go_at: datetime | None = None,
) -> Beaten | None:
    """Renew the lease; None where another engine took the name over.

    ``sees`` and ``let_go_at`` are what `watchfloor.store.sharing.Peer` says.
    """
    row = await fetch_one(
        connection,
        "UPDATE nodes n SET state = %(state)s, beat_at = clock_timestamp(), lost_at = NULL, "
        "lease_until = clock_timestamp() + make_interval(secs => %(lease)s), stats = %(stats)s::jsonb, "
        "sees = %(sees)s, let_go_at = %(let_go)s "
        "FROM (SELECT id, lost_at FROM nodes WHERE id = %(id)s FOR UPDATE) before "
        "WHERE n.id = before.id AND n.started_at = %(started_at)s RETURNING n.beat_at, before.lost_at",
        {
            "id": entry.id,
            "started_at": entry.started_at,
            "state": state,
            "stats": dumps(stats),
            "lease": LEASE_S,
            "sees": sorted(sees),
            "let_go": let_go_at,
        },
    )
    return None if row is None else Beaten(row.beat_at, row.lost_at is not None)


async def leave(connection: Connection, entry: Entry, error: str = "") -> None:
    """Book the end of a node: ``stopped``, or ``error`` with its reason. Nothing where another engine took over."""
    left = await fetch_value(
        connection,
        "UPDATE nodes SET state = %(state)s, stopped_at = now(), lease_until = now(), error = %(error)s "
        "WHERE id = %(id)s AND started_at = %(started_at)s RETURNING id",
        {
            "id": entry.id,
            "started_at": entry.started_at,
            "state": "error" if error else "stopped",
            "error": error,
        },
    )
    if left is not None:
        await connection.execute(
            "UPDATE component_health SET state = 'stopped', since = now() WHERE node_id = %(id)s",
            {"id": entry.id},
        )


async def live_node_ids(connection: Connection) -> list[int]:
    """Ids of the nodes that share the work: live and not on their way out."""
    return await fetch_column(
        connection,
        f"SELECT n.id FROM nodes n WHERE {LIVE} AND n.state IN ('starting', 'running') ORDER BY n.id",
    )


async def live_nodes(connection: Connection) -> dict[int, tuple[str, ...]]:
    """The nodes that `live_node_ids` names, with their tags."""
    rows = await fetch_all(
        connection,
        f"SELECT n.id, n.tags FROM nodes n WHERE {LIVE} AND n.state IN ('starting', 'running') ORDER BY n.id",
    )
    return {row.id: tuple(row.tags) for row in rows}


async def tags_of_nodes(connection: Connection) -> set[str]:
    """Every tag that a node ever registered with."""
    return set(await fetch_column(connection, "SELECT DISTINCT unnest(tags) FROM nodes"))


async def save_config_file(
    connection: Connection,
    node_id: int,
    path: str,
    digest: str,
    problems: Sequence[str],
    *,
    applied: bool,
) -> None:
    """Note what a node found in its config file; ``applied`` marks the moment it was taken into force."""
    await connection.execute(
        "UPDATE nodes SET config = config || %(config)s::jsonb || CASE WHEN %(applied)s "
        "THEN jsonb_build_object('loaded_at', clock_timestamp()) ELSE '{}' END WHERE id = %(id)s",
        {
            "id": node_id,
            "applied": applied,
            "config": dumps({"path": path, "digest": digest, "problems": list(problems)}),
        },
    )


async def config_file(connection: Connection, node_id: int) -> tuple[str, str] | None:
    """Path and digest of the config file that a node took into force last; None where it took none yet."""
    row = await fetch_one(
        connection,
        "SELECT config->>'path' AS path, config->>'digest' AS digest FROM nodes "
        "WHERE id = %(id)s AND config ? 'digest'",
        {"id": node_id},
    )
    return None if row is None else (row.path, row.digest)


async def save_components(connection: Connection, rows: Sequence[ComponentRow]) -> None:
    """Overwrite the health of components: one row each."""
    await connection.execute(
        "INSERT INTO component_health (node_id, component, state, beat_at, since, restarts, last_error) "
        "SELECT * FROM unnest(%(nodes)s::int[], %(names)s::text[], %(states)s::text[], "
        "  %(beats)s::timestamptz[], %(since)s::timestamptz[], %(restarts)s::int[], "
        "  %(errors)s::text[]) "
        "ON CONFLICT (node_id, component) DO UPDATE SET state = EXCLUDED.state, beat_at = EXCLUDED.beat_at, "
        "  since = EXCLUDED.since, restarts = EXCLUDED.restarts, last_error = EXCLUDED.last_error",
        {
            "nodes": [row.node_id for row in rows],
            "names": [row.component for row in rows],
            "states": [row.state for row in rows],
            "beats": [row.beat_at for row in rows],
            "since": [row.since for row in rows],
            "restarts": [row.restarts for row in rows],
            "errors": [row.last_error for row in rows],
        },
    )


async def nodes(connection: Connection) -> list[NodeRow]:
    """Every node, live ones first."""
    rows = await fetch_all(
        connection,
        f"SELECT n.id, n.name, n.machine, n.pid, n.version, n.environment, n.tags, n.state, {LIVE} AS live, "
        "n.started_at, n.beat_at, n.stopped_at, n.error, n.stats FROM nodes n ORDER BY live DESC, n.name",
    )
    return [replace(NodeRow(*row), tags=tuple(row.tags)) for row in rows]


async def components(connection: Connection) -> list[ComponentRow]:
    """Every component of every node that is not stopped, the worst first."""
    rows = await fetch_all(
        connection,
        "SELECT c.node_id, n.name, c.component, c.state, c.beat_at, c.since, c.restarts, c.last_error "
        "FROM component_health c JOIN nodes n ON n.id = c.node_id WHERE n.state <> 'stopped' "
        "ORDER BY c.state = 'running', n.name, c.component",
    )
    return [ComponentRow(*row) for row in rows]


async def config_files(connection: Connection) -> list[ConfigFileRow]:
    """The config file of every live node."""
    rows = await fetch_all(
        connection,
        f"SELECT n.name, n.config FROM nodes n WHERE n.config <> '{{}}' AND {LIVE} ORDER BY n.name",
    )
    return [
        ConfigFileRow(
            node=name,
            path=config.get("path", ""),
            loaded_at=datetime.fromisoformat(config["loaded_at"]) if config.get("loaded_at") else None,
            digest=config.get("digest", ""),
            problems=tuple(config.get("problems", ())),
        )
        for name, config in rows
    ]
