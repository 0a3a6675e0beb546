"""Connections to PostgreSQL, for one asyncio loop.

Every part of the program reaches the database through this class; nothing else opens connections. It never
retries by itself: callers decide what waiting means for them (`watchfloor.store.errors.is_away`).

Queries are SQL with ``%(name)s`` parameters, rows are named tuples.
"""

from __future__ import annotations

import asyncio
import os
import select
import socket
import weakref
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Any

import psycopg
from psycopg.conninfo import make_conninfo
from psycopg.rows import namedtuple_row

from watchfloor.store.address import parts
from watchfloor.store.errors import StoreError, is_away
from watchfloor.store.lists import PlainLists

OLDEST = 15
"""The oldest PostgreSQL major version that is supported."""

BUSY_S = 30.0
"""How long a transaction waits for a free connection of its process."""

Connection = psycopg.AsyncConnection[Any]
Values = Mapping[str, object]

_IDLE = psycopg.pq.TransactionStatus.IDLE

_CONNECTION: dict[str, str | int] = {
    "connect_timeout": 10,
    "tcp_user_timeout": 15_000,
    "keepalives_idle": 5,
    "keepalives_interval": 3,
    "keepalives_count": 3,
}
"""A server that vanished without a word is noticed in seconds, not after the hours that TCP would wait."""

_SESSION = {
    "timezone": "UTC",
    "plan_cache_mode": "force_custom_plan",  # a generic plan would lock every partition of a fact table
    "idle_in_transaction_session_timeout": 10_000,
    "tcp_user_timeout": 15_000,
    "tcp_keepalives_idle": 5,
    "tcp_keepalives_interval": 3,
    "tcp_keepalives_count": 3,
}
"""The other way round: the locks of a client that vanished, or whose loop stopped turning inside a transaction, are
free again in seconds, so that whoever reports it does not wait behind them."""


def _conninfo(dsn: str, name: str, statement_timeout: float) -> str:
    """The address with what this program needs; what the address says itself wins."""
    given = parts(dsn)
    session = {**_SESSION, "statement_timeout": int(statement_timeout * 1000)}
    options = " ".join(f"-c {key}={value}" for key, value in session.items())
    given["options"] = f"{options} {given.get('options', '')}".rstrip()
    return make_conninfo("", **{**_CONNECTION, **given, "application_name": f"watchfloor {name}"})


class Database:
    """Short transactions on a few connections that are kept open, and long ones for listeners and locks."""

    def __init__(self, dsn: str, *, name: str, size: int = 4, statement_timeout: float = 30.0) -> None:
        """``name`` is shown in ``pg_stat_activity``; ``statement_timeout`` is in seconds.

        Raises `StoreError` for an address that cannot be read.
        """
        self._dsn = dsn
        self.conninfo = _conninfo(dsn, name, statement_timeout)
        self._free = asyncio.Semaphore(size)
        self._idle: list[Connection] = []
        self._open: weakref.WeakSet[Connection] = weakref.WeakSet()
        self._closed = False

    async def connect(self) -> Connection:
        """A connection in autocommit mode that is the caller's to close.

        Raises `StoreError` where the server is too old, `psycopg.OperationalError` where it is away.
        """
        connection = await psycopg.AsyncConnection.connect(
            self.conninfo, autocommit=True, row_factory=namedtuple_row
        )
        if connection.info.server_version < OLDEST * 10_000:
            await connection.close()
            version = connection.info.server_version // 10_000
            raise StoreError(f"PostgreSQL {version} is too old; {OLDEST} or newer is needed")
        connection.adapters.register_dumper(list, PlainLists)
        self._open.add(connection)
        return connection

    def apart(self, *, name: str, statement_timeout: float) -> Database:
        """Another access to the same database, with one connection, for another loop; it is the caller's to close."""
        return Database(self._dsn, name=name, size=1, statement_timeout=statement_timeout)

    async def answers(self, within_s: float) -> bool:
        """Whether the server answers a new connection in time, however busy the kept ones are."""
        try:
            async with asyncio.timeout(within_s):
                connection = await self.connect()
                try:
                    await connection.execute("SELECT 1")
                finally:
                    await connection.close()
        except Exception as error:
            if not is_away(error):
                raise
            return False
        return True

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Connection]:
        """A transaction that commits when the block ends and rolls back when it raises.

        Raises `TimeoutError` when every connection of this process stays busy.
        """
        async with self.connection() as connection, connection.transaction():
            yield connection

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Connection]:
        """As `transaction`, but every statement in the block is a transaction of its own: one exchange, not three."""
        async with asyncio.timeout(BUSY_S):
            await self._free.acquire()
        try:
            connection = await self._take()
            try:
                yield connection
            except psycopg.OperationalError:
                await self._drop_idle()  # they were made to the same server, which may be gone
                raise
            finally:
                await self._give_back(connection)
        finally:
            self._free.release()

    async def _take(self) -> Connection:
        while self._idle:
            connection = self._idle.pop()
            if not _has_ended(connection):
                return connection
            await connection.close()
        return await self.connect()

    async def _give_back(self, connection: Connection) -> None:
        usable = not connection.closed and connection.info.transaction_status == _IDLE
        if usable and not self._closed:
            self._idle.append(connection)
        else:
            await connection.close()

    async def close(self) -> None:
        """Close every kept connection; one in use is closed when its transaction ends."""
        self._closed = True
        await self._drop_idle()

    def abandon(self) -> None:
        """Cut every connection, kept, in use or given away, without a loop: the one they belong to is lost.

        What they hold on the server, locks above all, is free at once. Only their sockets are shut: the driver may be
        in the middle of one, here or in another thread, and would go on with memory that was given back.
        """
        self._closed = True
        for connection in list(self._open):
            if not connection.closed:
                with suppress(OSError), socket.socket(fileno=os.dup(connection.fileno())) as line:
                    line.shutdown(socket.SHUT_RDWR)

    async def _drop_idle(self) -> None:
        idle, self._idle = self._idle, []
        for connection in idle:
            await connection.close()


def _has_ended(connection: Connection) -> bool:
    """Whether the server closed a kept connection: on one that is idle there is nothing to read but its end.

    Costs one system call, and saves whoever comes first after a restart of the server from failing.
    """
    if connection.closed:
        return True
    poll = select.poll()
    poll.register(connection.fileno(), select.POLLIN)
    return bool(poll.poll(0))


async def fetch_all(connection: Connection, query: str, values: Values | None = None) -> list[Any]:
    """Every row of a query."""
    cursor = await connection.execute(query, values)
    return await cursor.fetchall()


async def fetch_one(connection: Connection, query: str, values: Values | None = None) -> Any:
    """The first row of a query, None where there is none."""
    cursor = await connection.execute(query, values)
    return await cursor.fetchone()


async def fetch_column(connection: Connection, query: str, values: Values | None = None) -> list[Any]:
    """The first column of a query."""
    return [row[0] for row in await fetch_all(connection, query, values)]


async def fetch_value(connection: Connection, query: str, values: Values | None = None) -> Any:
    """The first column of the first row of a query, None where there is no row."""
    row = await fetch_one(connection, query, values)
    return None if row is None else row[0]
