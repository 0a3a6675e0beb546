"""Things as forms need them: how they were written, whose they are, and which version that is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from watchfloor.store.database import Connection, fetch_all, fetch_one

Table = Literal["jobs", "rules", "services"]


@dataclass(frozen=True, slots=True)
class Written:
    """A thing as it was written, references unresolved."""

    id: int
    name: str
    kind: str
    written: Mapping[str, Any]
    version: int
    owner: str  # file, console, system
    origin: str
    changed_by: str
    changed_at: datetime


_COLUMNS = "id, name, kind, written, version, owner, origin, changed_by, changed_at"


async def find_written(
    connection: Connection, table: Table, name: str, *, lock: bool = False
) -> Written | None:
    """One thing that is not retired, or None; ``lock`` holds its row until the transaction ends."""
    row = await fetch_one(
        connection,
        f"SELECT {_COLUMNS} FROM {table} WHERE name = %(name)s AND retired_at IS NULL"
        + (" FOR UPDATE" if lock else ""),
        {"name": name},
    )
    return None if row is None else Written(*row)


async def all_written(connection: Connection, table: Table) -> list[Written]:
    """Everything that is not retired, by name."""
    rows = await fetch_all(
        connection, f"SELECT {_COLUMNS} FROM {table} WHERE retired_at IS NULL ORDER BY name"
    )
    return [Written(*row) for row in rows]


async def rename(connection: Connection, table: Table, thing_id: int, name: str) -> None:
    """Give a thing another name; its history goes with it. A retired one of that name is renamed out of the way."""
    await connection.execute(
        f"UPDATE {table} SET name = left(name, 80) || ' (before #' || id || ')' "
        "WHERE name = %(name)s AND retired_at IS NOT NULL",
        {"name": name},
    )
    await connection.execute(
        f"UPDATE {table} SET name = %(name)s WHERE id = %(id)s", {"id": thing_id, "name": name}
    )
