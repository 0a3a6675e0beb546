"""Maintenance windows: definitions, when they were open, and which services are covered by them now."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from watchfloor.domain.windows import LONGEST_S, Run, Window, selector_from, spec_from
from watchfloor.store.database import Connection, fetch_all, fetch_column, fetch_one, fetch_value
from watchfloor.store.jsonb import dumps

LOOK_BACK = timedelta(seconds=LONGEST_S)
"""Runs that ended longer ago cannot belong to an opening that goes on."""


@dataclass(frozen=True, slots=True)
class WindowDefinition:
    """A window as a config file or a person defines it; ``triggered_by`` names another one."""

    name: str
    selector: Mapping[str, Sequence[str]]
    spec: Mapping[str, object]
    triggered_by: str
    note: str
    origin: str


@dataclass(frozen=True, slots=True)
class StoredWindow:
    """A window with its place in the database."""

    window: Window
    note: str
    author: str
    owner: str
    origin: str
    created_at: datetime
    version: int = 1
    changed_by: str = ""
    changed_at: datetime | None = None
    retired: bool = False

    @property
    def name(self) -> str:
        """What it is called."""
        return self.window.name


_COLUMNS = (
    "id, name, selector, spec, triggered_by, note, author, owner, origin, created_at, version, changed_by, "
    "changed_at, retired_at IS NOT NULL AS retired"
)


def _stored(row: Any) -> StoredWindow:
    window = Window(row.id, row.name, selector_from(row.selector), spec_from(row.spec), row.triggered_by)
    return StoredWindow(
        window,
        row.note,
        row.author,
        row.owner,
        row.origin,
        row.created_at,
        row.version,
        row.changed_by,
        row.changed_at,
        row.retired,
    )


async def load_windows(connection: Connection) -> list[StoredWindow]:
    """Every window that is in force."""
    rows = await fetch_all(
        connection, f"SELECT {_COLUMNS} FROM maintenance WHERE retired_at IS NULL ORDER BY id"
    )
    return [_stored(row) for row in rows]


async def windows_since(connection: Connection, since: datetime) -> list[StoredWindow]:
    """Every window that is in force, or was open after ``since``."""
    rows = await fetch_all(
        connection,
        f"SELECT {_COLUMNS} FROM maintenance m WHERE retired_at IS NULL OR EXISTS ("
        "SELECT FROM maintenance_runs r WHERE r.window_id = m.id AND r.ends > %(since)s) ORDER BY id",
        {"since": since},
    )
    return [_stored(row) for row in rows]


async def runs_since(connection: Connection, since: datetime, limit: int) -> list[Run]:
    """When windows were open after ``since``, those that were taken away too; the latest first."""
    rows = await fetch_all(
        connection,
        "SELECT window_id, began, ends, ended_by, muted FROM maintenance_runs WHERE ends > %(since)s "
        "ORDER BY began DESC, window_id LIMIT %(limit)s",
        {"since": since, "limit": limit},
    )
    return [Run(*row) for row in rows]


async def find_by_name(connection: Connection, name: str, *, lock: bool = False) -> StoredWindow | None:
    """One window in force by its name; ``lock`` holds its row until the transaction ends."""
    row = await fetch_one(
        connection,
        f"SELECT {_COLUMNS} FROM maintenance WHERE name = %(name)s AND retired_at IS NULL"
        + (" FOR UPDATE" if lock else ""),
        {"name": name},
    )
    return None if row is None else _stored(row)


async def change_window(
    connection: Connection, window_id: int, definition: WindowDefinition, triggered_by: int | None, by: str
) -> None:
    """Make a window what ``definition`` says; when it was open stays as it was."""
    await connection.execute(
        "UPDATE maintenance SET name = %(name)s, selector = %(selector)s::jsonb, spec = %(spec)s::jsonb, "
        "triggered_by = %(triggered_by)s, note = %(note)s, version = version + 1, changed_by = %(by)s, "
        "changed_at = clock_timestamp() WHERE id = %(id)s",
        {
            "id": window_id,
            "name": definition.name,
            "selector": dumps(definition.selector),
            "spec": dumps(definition.spec),
            "triggered_by": triggered_by,
            "note": definition.note,
            "by": by,
        },
    )


async def last_ended(connection: Connection, window_id: int, now: datetime) -> Run | None:
    """The latest run of a window that somebody ended before its time."""
    row = await fetch_one(
        connection,
        "SELECT window_id, began, ends, ended_by, muted FROM maintenance_runs WHERE window_id = %(id)s "
        "AND ended_by <> '' AND began <= %(now)s ORDER BY began DESC LIMIT 1 FOR UPDATE",
        {"id": window_id, "now": now},
    )
    return None if row is None else Run(*row)


async def reopen_run(connection: Connection, run: Run, ends: datetime) -> None:
    """Let a run that was ended early go on until ``ends``."""
    await connection.execute(
        "UPDATE maintenance_runs SET ends = %(ends)s, ended_by = '' WHERE window_id = %(id)s AND began = %(began)s",
        {"id": run.window_id, "began": run.began, "ends": ends},
    )


async def find_window(connection: Connection, window_id: int) -> StoredWindow | None:
    """One window, locked until the transaction ends; None where it is gone."""
    row = await fetch_one(
        connection,
        f"SELECT {_COLUMNS} FROM maintenance WHERE id = %(id)s AND retired_at IS NULL FOR UPDATE",
        {"id": window_id},
    )
    return None if row is None else _stored(row)


async def apply_windows(connection: Connection, definitions: Sequence[WindowDefinition]) -> None:
    """Make the windows that a config file owns equal to ``definitions``; a changed one begins anew."""
    rows = [{f: getattr(d, f) for f in WindowDefinition.__slots__} for d in definitions]
    values = {"rows": dumps(rows), "names": [d.name for d in definitions]}
    given = (
        "jsonb_to_recordset(%(rows)s::jsonb) AS d(name text, selector jsonb, spec jsonb, triggered_by text, "
        "note text, origin text)"
    )
    await connection.execute(
        "UPDATE maintenance m SET retired_at = now() WHERE m.owner = 'file' AND m.retired_at IS NULL "
        "AND NOT m.name = ANY(%(names)s)",
        values,
    )
    await connection.execute(
        "INSERT INTO maintenance AS m (name, selector, spec, note, author, owner, origin) "
        f"SELECT d.name, d.selector, d.spec, d.note, '', 'file', d.origin FROM {given} ORDER BY d.name "
        "ON CONFLICT (name) WHERE retired_at IS NULL DO UPDATE SET selector = EXCLUDED.selector, "
        "spec = EXCLUDED.spec, note = EXCLUDED.note, owner = 'file', origin = EXCLUDED.origin",
        values,
    )
    await connection.execute(
        "UPDATE maintenance m SET triggered_by = (SELECT p.id FROM maintenance p "
        f"WHERE p.name = d.triggered_by AND p.retired_at IS NULL) FROM {given} "
        "WHERE m.name = d.name AND m.retired_at IS NULL",
        values,
    )


async def add_window(
    connection: Connection, definition: WindowDefinition, triggered_by: int | None, author: str
) -> int | None:
    """Add a window of a person; its id, or None where the name is taken."""
    found: int | None = await fetch_value(
        connection,
        "INSERT INTO maintenance (name, selector, spec, triggered_by, note, author, owner, origin) VALUES "
        "(%(name)s, %(selector)s::jsonb, %(spec)s::jsonb, %(triggered_by)s, %(note)s, %(author)s, 'console', '') "
        "ON CONFLICT (name) WHERE retired_at IS NULL DO NOTHING RETURNING id",
        {
            "name": definition.name,
            "selector": dumps(definition.selector),
            "spec": dumps(definition.spec),
            "triggered_by": triggered_by,
            "note": definition.note,
            "author": author,
        },
    )
    return found


async def retire_window(connection: Connection, window_id: int) -> None:
    """Take a window out of force, and those that it triggers; when they were open is kept."""
    await connection.execute(
        "UPDATE maintenance SET retired_at = now() WHERE (id = %(id)s OR triggered_by = %(id)s) "
        "AND retired_at IS NULL",
        {"id": window_id},
    )


async def begin_runs(connection: Connection, runs: Sequence[Run]) -> None:
    """Note that windows opened, and until when open ones last now; what was ended early stays as it is."""
    await connection.execute(
        "INSERT INTO maintenance_runs AS r (window_id, began, ends) SELECT v.* FROM unnest(%(ids)s::int[], "
        "%(began)s::timestamptz[], %(ends)s::timestamptz[]) AS v(id, began, ends) "
        "WHERE EXISTS (SELECT FROM maintenance m WHERE m.id = v.id) "
        "ON CONFLICT (window_id, began) DO UPDATE SET ends = EXCLUDED.ends "
        "WHERE r.ended_by = '' AND r.ends <> EXCLUDED.ends",
        {
            "ids": [run.window_id for run in runs],
            "began": [run.began for run in runs],
            "ends": [run.ends for run in runs],
        },
    )


async def recent_runs(connection: Connection, now: datetime) -> list[Run]:
    """When windows in force were open, the oldest first; what ended too long ago to belong to one that is, is not."""
    rows = await fetch_all(
        connection,
        "SELECT r.window_id, r.began, r.ends, r.ended_by, r.muted FROM maintenance_runs r "
        "JOIN maintenance m ON m.id = r.window_id WHERE m.retired_at IS NULL "
        "AND (r.ends > %(since)s OR r.began > %(since)s) ORDER BY r.began, r.window_id",
        {"since": now - LOOK_BACK},
    )
    return [Run(*row) for row in rows]


async def end_runs(connection: Connection, window_id: int, now: datetime, actor: str) -> int:
    """Close a window now where it is open, with those that it triggered; how many were."""
    rows = await fetch_column(
        connection,
        "UPDATE maintenance_runs r SET ends = %(now)s, ended_by = %(actor)s FROM maintenance m "
        "WHERE m.id = r.window_id AND (m.id = %(id)s OR m.triggered_by = %(id)s) "
        "AND r.began <= %(now)s AND r.ends > %(now)s RETURNING r.window_id",
        {"id": window_id, "now": now, "actor": actor},
    )
    return len(rows)


async def count_muted(connection: Connection, service_ids: Sequence[int]) -> None:
    """Count alerts that an open window keeps quiet, by the services they are about."""
    if not service_ids:
        return
    await connection.execute(
        "UPDATE maintenance_runs r SET muted = r.muted + v.n FROM ("
        "SELECT w.id, count(*) AS n FROM unnest(%(ids)s::int[]) AS s(id) JOIN service_planned p "
        "ON p.service_id = s.id CROSS JOIN LATERAL unnest(p.windows) AS w(id) GROUP BY w.id) v "
        "WHERE r.window_id = v.id AND r.began <= clock_timestamp() AND r.ends > clock_timestamp()",
        {"ids": list(service_ids)},
    )


@dataclass(frozen=True, slots=True)
class Planned:
    """A service inside windows: how many, since when, which; with depth 0 until when it was."""

    service_id: int
    depth: int
    since: datetime
    until: datetime | None
    windows: tuple[int, ...]


async def planned(connection: Connection) -> dict[int, Planned]:
    """Every service that is, or was last, inside a window."""
    rows = await fetch_all(connection, "SELECT service_id, depth, since, until, windows FROM service_planned")
    return {
        row.service_id: Planned(row.service_id, row.depth, row.since, row.until, tuple(row.windows))
        for row in rows
    }


async def save_planned(connection: Connection, rows: Collection[Planned]) -> None:
    """Store which services are inside windows."""
    await connection.execute(
        "INSERT INTO service_planned (service_id, depth, since, until, windows) "
        "SELECT v.id, v.depth, v.since, v.until, ARRAY(SELECT jsonb_array_elements_text(v.windows)::int) "
        "FROM unnest(%(ids)s::int[], %(depth)s::smallint[], %(since)s::timestamptz[], %(until)s::timestamptz[], "
        "%(windows)s::jsonb[]) AS v(id, depth, since, until, windows) "
        "JOIN service_state t ON t.service_id = v.id ON CONFLICT (service_id) DO UPDATE SET "
        "depth = EXCLUDED.depth, since = EXCLUDED.since, until = EXCLUDED.until, windows = EXCLUDED.windows, "
        "changed_at = clock_timestamp()",
        {
            "ids": [row.service_id for row in rows],
            "depth": [row.depth for row in rows],
            "since": [row.since for row in rows],
            "until": [row.until for row in rows],
            "windows": [dumps(list(row.windows)) for row in rows],
        },
    )
