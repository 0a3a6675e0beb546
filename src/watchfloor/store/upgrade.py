"""Brings the tables up to date. A process of its own, which reads the address of the database from its standard input.

It ends with `REFUSED` where the database did not let it, and then writes what that said, as JSON.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import psycopg

REFUSED = 3
"""The exit status that means that the database said no, or went away."""

_LOCK = 0x5746_0008  # whoever began another upgrade may have been killed meanwhile, and that still goes on


def upgrade(conninfo: str, revision: str = "head") -> None:
    """Bring the tables of a database to a revision, all of it or nothing. Raises `psycopg.Error`."""
    # Imported here: a start that finds the tables current must not pay for Alembic and SQLAlchemy.
    from alembic import command
    from alembic.config import Config
    from sqlalchemy import create_engine
    from sqlalchemy.exc import DBAPIError
    from sqlalchemy.pool import NullPool

    engine = create_engine(
        "postgresql+psycopg://", creator=lambda: psycopg.connect(conninfo), poolclass=NullPool
    )
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    try:
        with engine.begin() as connection:
            connection.exec_driver_sql("SET LOCAL statement_timeout = 0")
            connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_LOCK})")
            config.attributes["connection"] = connection
            command.upgrade(config, revision)
    except DBAPIError as error:
        raise (error.orig or error) from None


def refused(said: bytes) -> psycopg.Error | None:
    """What the database said to that process, as it would have been raised here; None where there is no such word."""
    try:
        word = json.loads(said.splitlines()[-1])
        kind, words = word["kind"], word["words"]
    except (IndexError, ValueError, TypeError, KeyError):
        return None
    known = getattr(psycopg.errors, str(kind), None)
    if isinstance(known, type) and issubclass(known, psycopg.Error):
        return known(words)
    return psycopg.DatabaseError(words)


def main() -> int:
    """Upgrade the database whose address comes in; returns the exit status."""
    try:
        upgrade(sys.stdin.buffer.read().decode())
    except psycopg.Error as error:
        print(json.dumps({"kind": type(error).__name__, "words": str(error)}))
        return REFUSED
    return 0


if __name__ == "__main__":
    sys.exit(main())
