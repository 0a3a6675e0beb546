"""SQL Server and Oracle, through SQLAlchemy and drivers that are optional extras.

These drivers block, so each server has at most one of a few threads at a time; the drivers' own time-outs
bring it back. The transaction is never committed; Oracle's is read only besides. Nothing of this is imported
before a check needs it. This module must never show an address.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import unquote, urlsplit

from pydantic import SecretStr

from watchfloor.domain.outcome import Outcome, Status
from watchfloor.probes.answer import ROW_LIMIT, Answer
from watchfloor.probes.blocking import Hands
from watchfloor.probes.checking import Check, Fault
from watchfloor.probes.findings import Findings
from watchfloor.probes.limits import TimedSettings
from watchfloor.probes.net import ascii_host, connect, place

if TYPE_CHECKING:
    import sqlalchemy

_asking = Hands(8, "database-driver")


class _Make(NamedTuple):
    product: str
    dialect: str
    extra: str
    driver: str
    port: int
    begin: str


_MAKES = {
    "sqlserver": _Make("SQL Server", "mssql+pymssql", "sqlserver", "pymssql", 1433, "SET LOCK_TIMEOUT 1000"),
    "oracle": _Make("Oracle", "oracle+oracledb", "oracle", "oracledb", 1521, "SET TRANSACTION READ ONLY"),
}


def is_address_of(scheme: str) -> Callable[[SecretStr], SecretStr]:
    """A check of settings: an address of this make."""

    def check(dsn: SecretStr) -> SecretStr:
        if not dsn.get_secret_value().startswith(f"{scheme}://"):
            raise ValueError(f"the address must begin with {scheme}://")
        Foreign(scheme, dsn.get_secret_value())
        return dsn

    return check


class Foreign:
    """A database of one of these makes; of Oracle, the name in the address is that of the service."""

    def __init__(self, scheme: str, dsn: str) -> None:
        """Raises `ValueError` when the address is malformed."""
        parts = urlsplit(dsn)
        self._make = _MAKES[scheme]
        self.product = self._make.product
        self._host = ascii_host(parts.hostname or "")
        self._port = parts.port or self._make.port
        self._user = unquote(parts.username or "")
        self._password = unquote(parts.password or "")
        self._database = unquote(parts.path.removeprefix("/"))
        self.secrets: tuple[str, ...] = (self._password,) if len(self._password) > 3 else ()

    async def ask(self, check: Check, sql: str, timeout: float) -> Answer:
        """Send one statement and return what it yields. Raises `Fault` and `OSError`."""
        where = place(self._host, self._port)
        # The driver would look the name up by itself, and tell less of a port that does not answer.
        reached = await connect(check, self._host, self._port, timeout, _Reached)
        address = reached.leave()
        check.doing = f"waiting for an answer from {self.product} at {where}"
        answer: Answer = await _asking.call(
            f"{where} {self._database} {sql}", partial(self._ask, check, address, sql, timeout)
        )
        return answer

    async def tell_version(self, check: Check, sql: str, speed: TimedSettings, timeout: float) -> Outcome:
        """Sign in once, ask for the version, and judge. Raises `Fault` and `OSError`."""
        answer = await self.ask(check, sql, timeout)
        if not answer.rows or not answer.rows[0]:
            raise Fault(f"{self.product} answered, but did not tell its version")
        version = check.clean(answer.rows[0][0] or "?", 100)
        return Findings(check).outcome(f"{self.product} answered", speed=speed, facts={"version": version})

    def _ask(self, check: Check, address: str, sql: str, timeout: float) -> Answer:
        import sqlalchemy.exc

        try:
            engine = self._engine(address, timeout)
        except ImportError:
            make = self._make
            raise Fault(
                f"{make.product} needs the driver {make.driver}; install watchfloor[{make.extra}]",
                Status.UNKNOWN,
            ) from None
        try:
            with engine.connect() as connection:
                if self._make.extra == "oracle":
                    connection.connection.dbapi_connection.call_timeout = int(timeout * 1000)  # type: ignore[union-attr]
                connection.exec_driver_sql(self._make.begin)
                return _read(connection.exec_driver_sql(sql))
        except sqlalchemy.exc.DBAPIError as error:
            raise Fault(f"{self.product}: {check.clean(str(error.orig), 160)}") from None
        finally:
            engine.dispose()

    def _engine(self, address: str, timeout: float) -> sqlalchemy.Engine:
        """Return an engine that keeps no connection. Raises `ImportError` when the driver is missing."""
        import sqlalchemy

        oracle = self._make.extra == "oracle"
        if oracle:
            import oracledb

            # Else every first connection waits until another has shown the mode, which a silent server never does.
            oracledb.enable_thin_mode()  # type: ignore[no-untyped-call]
        seconds = max(1, round(timeout))
        options: dict[str, Any] = (
            {"tcp_connect_timeout": timeout} if oracle else {"login_timeout": seconds, "timeout": seconds}
        )
        url = sqlalchemy.URL.create(
            self._make.dialect,
            self._user or None,
            self._password or None,
            address,
            self._port,
            None if oracle else self._database or None,
            {"service_name": self._database} if oracle else {},
        )
        return sqlalchemy.create_engine(url, poolclass=sqlalchemy.NullPool, connect_args=options)


class _Reached(asyncio.Protocol):
    """A connection that only shows that the port accepts, and at which address."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def leave(self) -> str:
        """Close the connection and return the address it led to."""
        address = str(self._transport.get_extra_info("peername")[0])
        self._transport.close()
        return address


def _read(result: sqlalchemy.CursorResult[Any]) -> Answer:
    if not result.returns_rows:
        return Answer(affected=max(0, result.rowcount))
    rows = [[_as_text(value) for value in row] for row in result.fetchmany(ROW_LIMIT + 1)]
    return Answer(list(result.keys()), rows[:ROW_LIMIT], min(len(rows), ROW_LIMIT), len(rows) > ROW_LIMIT)


def _as_text(value: object) -> str | None:
    if value is None:
        return None
    return str(value)[:10_000]
