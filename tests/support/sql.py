"""Short ways to look into a database behind the back of the program."""

from __future__ import annotations

from typing import Any

from watchfloor.store.database import Database


async def rows(database: Database, query: str, **values: Any) -> list[tuple[Any, ...]]:
    """Every row of a query, or of a statement that returns rows."""
    async with database.transaction() as connection:
        cursor = await connection.execute(query, values or None)
        return [tuple(row) for row in await cursor.fetchall()] if cursor.description else []


async def one(database: Database, query: str, **values: Any) -> Any:
    """The first value of the first row, None where there is no row."""
    found = await rows(database, query, **values)
    return found[0][0] if found else None


async def column(database: Database, query: str, **values: Any) -> list[Any]:
    """The first value of every row."""
    return [row[0] for row in await rows(database, query, **values)]
