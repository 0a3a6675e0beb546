"""The version of the tables: brought up to date at start, refused when newer than the program."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys

from watchfloor.domain.text import one_line
from watchfloor.store import upgrade
from watchfloor.store.database import Connection, Database, fetch_value
from watchfloor.store.errors import StoreError

HEAD = "0031"
"""The revision this program works with; a test holds it equal to the newest migration."""

KNOWN = (
    "0001",
    "0002",
    "0003",
    "0004",
    "0005",
    "0006",
    "0007",
    "0008",
    "0009",
    "0010",
    "0011",
    "0012",
    "0013",
    "0014",
    "0015",
    "0016",
    "0017",
    "0018",
    "0019",
    "0020",
    "0021",
    "0022",
    "0023",
    "0024",
    "0025",
    "0026",
    "0027",
    "0028",
    "0029",
    "0030",
    "0031",
)

_LOCK = 0x5746_0001  # one migration at a time over all nodes of a database


async def ensure_schema(database: Database) -> bool:
    """Bring the tables to `HEAD`; True if anything was done.

    Raises `StoreError` when the database was written by a newer program.
    """
    async with database.transaction() as connection:
        if await _version(connection) == HEAD:
            return False
    connection = await database.connect()
    try:
        await connection.execute("SET statement_timeout = 0")
        await connection.execute("SELECT pg_advisory_lock(%s)", (_LOCK,))
        found = await _version(connection)
        if found == HEAD:
            return False
        if found is not None and found not in KNOWN:
            raise StoreError(
                f"the database has schema {found}, this program knows {KNOWN[0]} to {HEAD}; "
                "it was written by a newer Watchfloor: update this one"
            )
        await asyncio.to_thread(_upgrade, database.conninfo)
        if (made := await _version(connection)) != HEAD:
            raise StoreError(
                f"the tables were brought to schema {made}, this program works with {HEAD}; "
                f"is another version installed beside it, for {sys.executable}?"
            )
        return True
    finally:
        await connection.close()


async def require_schema(database: Database) -> None:
    """Raises `StoreError` unless the tables are those of this program; changes nothing."""
    async with database.connection() as connection:
        found = await _version(connection)
    if found is None:
        raise StoreError("this database holds no Watchfloor yet; start `watchfloor serve` on it first")
    if found != HEAD:
        raise StoreError(
            f"the database has schema {found}, this program works with {HEAD}; "
            "run the same version as the nodes of this database"
        )


async def _version(connection: Connection) -> str | None:
    if await fetch_value(connection, "SELECT to_regclass('alembic_version')") is None:
        return None
    found: str | None = await fetch_value(connection, "SELECT version_num FROM alembic_version")
    return found


def _upgrade(conninfo: str) -> None:
    """Upgrade in a process of its own: the 20 MB of what is imported for it end with it, and a node runs for months.

    Raises what the database said, or `RuntimeError` where the process failed or was killed: the next one may not be.
    """
    done = subprocess.run(  # noqa: S603 - ourselves, no shell; the address may hold a password, so it is no argument
        [sys.executable, "-P", "-m", upgrade.__name__],
        input=conninfo.encode(),
        capture_output=True,
        check=False,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "PYTHONINSPECT": ""},
    )
    if done.returncode == 0:
        return
    refused = upgrade.refused(done.stdout) if done.returncode == upgrade.REFUSED else None
    if refused is not None:
        raise refused
    lines = done.stderr.decode(errors="replace").strip().splitlines() or [f"exit status {done.returncode}"]
    raise RuntimeError(f"the tables could not be brought up to date: {one_line(lines[-1], 300)}")
