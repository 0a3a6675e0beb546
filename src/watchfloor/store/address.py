"""Addresses of databases: read, and as they may be shown. Must never show a password, nor need a database layer."""

from __future__ import annotations

from psycopg import ProgrammingError
from psycopg.conninfo import conninfo_to_dict


def parts(dsn: str) -> dict[str, str]:
    """What an address says, by libpq's keywords. Raises `StoreError` for one that cannot be read."""
    try:
        return {key: str(value) for key, value in conninfo_to_dict(dsn).items() if value is not None}
    except ProgrammingError:  # its own words may repeat the password
        from watchfloor.store.errors import StoreError  # late: a good address must not pay for it

        raise StoreError(
            "the database address cannot be read; write it as postgresql://user@host:5432/database"
        ) from None


def shown(dsn: str) -> str:
    """The place a DSN points to, without user or password: ``host:port/database``. Raises `StoreError`."""
    given = parts(dsn)
    host = given.get("host") or given.get("hostaddr") or "local socket"
    port = f":{given['port']}" if given.get("port") else ""
    return f"{host}{port}/{given.get('dbname') or given.get('user') or ''}"
